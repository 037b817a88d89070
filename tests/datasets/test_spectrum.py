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


def test_the_mask_is_what_both_masks_keep() -> None:
    assert on_off().mask.all()
    safe, wanted = np.array([True, True, False]), np.array([False, True, True])
    assert on_off(mask_safe=safe, mask_fit=wanted).mask.tolist() == [False, True, False]
    assert on_off(mask_fit=wanted).mask.tolist() == wanted.tolist()


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
