"""What a map dataset accepts, and how its fields behave that are still in a file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gm.datasets import MapDataset, MapDatasetOnOff
from gm.datasets.deferred import Deferred
from gm.errors import DataError
from gm.irf.edisp import overlap_matrix
from gm.irf.edisp_map import EdispKernelMap
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry

GRID = WcsGeometry.create(83.63, 22.01, 0.5, shape=(3, 4))
ENERGY = EnergyAxis(np.array([1.0, 3.0, 10.0]))
TRUE = EnergyAxis(np.array([0.5, 2.0, 5.0, 20.0]), "energy_true")
BINS = (2, 3, 4)


def make(**changes: Any) -> MapDataset:
    given = {
        "name": "crab",
        "geometry": GRID,
        "energy": ENERGY,
        "energy_true": TRUE,
        "counts": np.ones(BINS, dtype=np.float32),
        "exposure": np.ones((3, 3, 4)),
    }
    return MapDataset(**(given | changes))


def edisp(energy: EnergyAxis = ENERGY, true: EnergyAxis = TRUE) -> EdispKernelMap:
    spot = WcsGeometry.create(83.63, 22.01, 2.0, shape=(1, 1))
    return EdispKernelMap(spot, true, energy, overlap_matrix(true, energy)[:, :, None, None])


def test_arrays_keep_their_precision() -> None:
    dataset = make()
    assert dataset.counts.dtype == np.float32
    assert dataset.exposure.dtype == np.float64
    assert dataset.stat_type == "cash"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("counts", np.ones((2, 3, 3)), r"counts has the shape \(2, 3, 3\), expected \(2, 3, 4\)"),
        ("exposure", np.ones(BINS), r"exposure has the shape \(2, 3, 4\), expected \(3, 3, 4\)"),
        ("background", -np.ones(BINS), "background is -1 in bin 0, 0, 0, expected a number that is not negative"),
        ("counts", np.full(BINS, np.nan), "counts is nan in bin 0, 0, 0"),
        ("exposure", np.full((3, 3, 4), np.inf), "exposure is inf in bin 0, 0, 0"),
        ("mask_safe", np.ones((3, 4), dtype=np.bool_), r"mask_safe has the shape \(3, 4\)"),
        ("mask_fit", np.ones((1, 3, 4), dtype=np.bool_), r"mask_fit has the shape \(1, 3, 4\)"),
        ("edisp", edisp(true=EnergyAxis(TRUE.edges[:-1], "energy_true")), "true energies have 2 bins, .* exposure 3"),
        ("edisp", edisp(energy=EnergyAxis(ENERGY.edges * 1.01)), "the energies have an edge at 1.01 TeV, .* at 1 TeV"),
    ],
)
def test_what_does_not_fit_is_refused(field: str, value: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"dataset crab: .*{message}"):
        make(**{field: value})


def test_energies_in_single_precision_are_those_of_the_counts() -> None:
    rounded = EnergyAxis(ENERGY.edges.astype(np.float32).astype(np.float64) * (1 + 1e-7))
    assert make(edisp=edisp(energy=rounded)).edisp.energy is ENERGY


def test_values_that_are_no_counts_do_not_matter_outside_the_safe_mask() -> None:
    safe = np.ones(BINS, dtype=np.bool_)
    safe[:, 0, 0] = False
    background, exposure = np.ones(BINS), np.ones((3, 3, 4))
    background[0, 0, 0] = np.nan
    exposure[:, 0, 0] = -1.0
    dataset = make(background=background, exposure=exposure, mask_safe=safe)
    assert dataset.background[0, 0, 0] == 0.0
    assert dataset.exposure[0, 0, 0] == 0.0
    assert np.isnan(background[0, 0, 0])  # the array that was given is left alone
    with pytest.raises(DataError, match="background is nan in bin 0, 0, 0"):
        make(background=background)


def test_rounding_below_zero_counts_as_zero() -> None:
    background = np.ones(BINS)
    background[1, 2, 3] = -1e-12  # Fourier transforms leave such numbers
    assert make(background=background).background[1, 2, 3] == 0.0


def test_masks_hold_together() -> None:
    safe, fit = np.zeros(BINS, dtype=np.bool_), np.ones(BINS, dtype=np.bool_)
    safe[0], fit[:, 0] = True, False
    assert make().mask.all()
    assert make(mask_safe=safe).mask is safe
    assert np.array_equal(make(mask_safe=safe, mask_fit=fit).mask, safe & fit)


def test_alpha_of_a_map_with_off_counts() -> None:
    """0 / 0 is 0 and x / 0 the largest number of the array's precision (formats/likelihood.md, section 3)."""
    acceptance, off = np.ones(BINS, dtype=np.float32), np.full(BINS, 10.0, dtype=np.float32)
    off[0, 0, :2] = 0.0
    acceptance[0, 0, 0] = 0.0
    dataset = MapDatasetOnOff(
        name="crab",
        geometry=GRID,
        energy=ENERGY,
        energy_true=TRUE,
        counts=np.ones(BINS),
        exposure=np.ones((3, 3, 4)),
        counts_off=np.ones(BINS),
        acceptance=acceptance,
        acceptance_off=off,
    )
    assert dataset.stat_type == "wstat"
    assert dataset.alpha()[0, 0, :3] == pytest.approx([0.0, np.finfo(np.float32).max, 0.1])


class Shelf:
    """A loader that counts how often it is asked to read."""

    def __init__(self, **values: Any) -> None:
        self.values, self.reads, self.held = values, 0, False

    def load(self, name: str) -> Any:
        self.reads += not self.held
        self.held = True
        return self.values[name]

    def release(self) -> None:
        self.held = False


def test_deferred_fields_are_read_when_asked_for_and_can_be_released() -> None:
    shelf = Shelf(counts=np.full(BINS, 2.0))
    dataset = make(counts=Deferred(shelf, "counts"))
    copy = dataset.with_(name="other", mask_fit=np.ones(BINS, dtype=np.bool_))
    assert shelf.reads == 0
    assert copy.name == "other"
    assert dataset.counts.sum() == copy.counts.sum() == 48.0
    assert shelf.reads == 1
    dataset.release()
    assert not shelf.held
    assert dataset.counts[0, 0, 0] == 2.0
    assert shelf.reads == 2


def test_required_fields_are_required() -> None:
    with pytest.raises(TypeError, match="counts"):
        MapDataset(name="x", geometry=GRID, energy=ENERGY, energy_true=TRUE, exposure=np.ones((3, 3, 4)))
    with pytest.raises(AttributeError):
        make().counts = np.zeros(BINS)
    assert replace(make(), name="y").name == "y"
