"""Spectrum datasets: masks, responses, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gm.datasets import SpectrumDataset, SpectrumDatasetOnOff
from gm.errors import DataError
from gm.maps.axes import EnergyAxis

ENERGY = EnergyAxis(np.array([1.0, 2.0, 4.0, 8.0]))
TRUE = EnergyAxis(np.array([1.0, 4.0, 8.0]), "energy_true")


def on_off(**changes: Any) -> SpectrumDatasetOnOff:
    fields: dict[str, Any] = {
        "name": "run",
        "energy": ENERGY,
        "energy_true": TRUE,
        "counts": np.array([3.0, 2.0, 0.0]),
        "counts_off": np.array([9.0, 0.0, 1.0]),
        "acceptance": np.array([1.0, 0.0, 1.0]),
        "acceptance_off": np.array([10.0, 0.0, 0.0]),
        "exposure": np.array([1e10, 2e10]),
    }
    return SpectrumDatasetOnOff(**(fields | changes))


def test_the_mask_is_what_both_masks_keep_and_has_an_acceptance() -> None:
    ones = np.ones(3)
    safe, wanted = np.array([True, True, False]), np.array([False, True, True])
    whole = {"acceptance": ones, "acceptance_off": ones}
    assert on_off(**whole).mask.all()
    assert on_off(**whole, mask_safe=safe, mask_fit=wanted).mask.tolist() == [False, True, False]
    assert on_off(**whole, mask_fit=wanted).mask.tolist() == wanted.tolist()
    assert on_off().mask.tolist() == [True, False, False]


def test_what_is_no_number_counts_only_in_safe_bins() -> None:
    bad, safe = np.array([1.0, np.nan, -2.0]), np.array([True, False, False])
    edisp = np.array([[0.5, np.nan, 0.0], [0.0, -1.0, 1.0]])
    parts = dict.fromkeys(("counts", "counts_off", "acceptance", "acceptance_off"), bad)
    dataset = on_off(**parts, edisp=edisp, mask_safe=safe)
    for name in parts:
        assert getattr(dataset, name).tolist() == [1.0, 0.0, 0.0]
    assert dataset.edisp is not None
    assert dataset.edisp.tolist() == [[0.5, 0.0, 0.0], [0.0, 0.0, 1.0]]
    with pytest.raises(DataError, match=r"acceptance is nan in bin 1.*\n.*2 of 3 values"):
        on_off(acceptance=bad)
    with pytest.raises(DataError, match=r"exposure is nan in bin 0"):
        on_off(exposure=np.array([np.nan, 1.0]), mask_safe=safe)
    assert on_off(exposure=np.array([np.nan, 1.0]), mask_safe=~np.ones(3, bool)).exposure.tolist() == [0.0, 1.0]


def test_alpha_where_acceptances_vanish() -> None:
    """0/0 -> 0 and x/0 -> the largest float, as Gammapy 2.1 has it."""
    assert on_off().alpha().tolist() == [0.1, 0.0, np.finfo(float).max]


def test_without_dispersion_the_response_is_the_overlap() -> None:
    np.testing.assert_allclose(on_off().response(), [[1e10 / 3, 2e10 / 3, 0], [0, 0, 2e10]], rtol=1e-15)
    edisp = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    np.testing.assert_allclose(on_off(edisp=edisp).response(), [[1e10, 0, 0], [0, 1e10, 1e10]], rtol=1e-15)


def test_a_changed_copy_leaves_the_original() -> None:
    dataset = on_off()
    assert dataset.with_(name="other").name == "other"
    assert dataset.name == "run"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counts": np.array([1.0, np.nan, 2.0])}, "dataset run: counts is nan in bin 1"),
        ({"counts": np.array([1.0, -1.0, 2.0])}, "counts is -1 in bin 1"),
        ({"counts": np.zeros(2)}, r"counts has the shape \(2,\), expected \(3,\)"),
        ({"exposure": np.array([1.0, np.inf])}, "exposure is inf in bin 1"),
        ({"counts_off": np.array([1.0, -2.0, 2.0])}, "counts_off is -2 in bin 1"),
        ({"acceptance": np.full(3, np.nan)}, "acceptance is nan in bin 0"),
        ({"edisp": np.full((2, 3), np.nan)}, "edisp is nan in bin 0, 0"),
        ({"edisp": np.zeros((3, 3))}, "edisp has the shape"),
        ({"mask_fit": np.ones(2, bool)}, "mask_fit has 2 bins, expected 3"),
    ],
)
def test_bad_values_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        on_off(**changes)


def test_a_known_background_is_checked_too() -> None:
    common: dict[str, Any] = {
        "name": "x",
        "energy": ENERGY,
        "energy_true": TRUE,
        "counts": np.zeros(3),
        "exposure": np.ones(2),
    }
    assert SpectrumDataset(**common).background is None
    with pytest.raises(DataError, match="background is -1"):
        SpectrumDataset(**common, background=np.array([0.0, -1.0, 0.0]))


def test_lost_energies_are_looked_for_one_by_one() -> None:
    """Exposures and rows of energy dispersion that are 0 or not, by chance, against a look at each true energy."""
    random, energy = np.random.default_rng(5), EnergyAxis(np.geomspace(1.0, 8.0, 4))
    for _ in range(200):
        n = int(random.integers(1, 8))
        true = EnergyAxis(np.geomspace(random.uniform(0.3, 5.0), random.uniform(6.0, 20.0), n + 1), "energy_true")
        edisp = random.integers(0, 2, (n, 1)) * np.full((n, 3), 0.3)
        exposure = 1e10 * random.integers(0, 2, n)
        dataset = on_off(energy=energy, energy_true=true, exposure=exposure, edisp=edisp)
        lost = [
            k for k in range(n) if 1.0 < true.center[k] < 8.0 and exposure[k] > 0 and not any(e > 0 for e in edisp[k])
        ]
        expected = (true.edges[lost[0]], true.edges[lost[-1] + 1]) if lost else None
        assert dataset.lost_energies() == expected
