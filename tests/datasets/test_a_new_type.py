"""A dataset type that this file alone declares is read, fitted, masked, described and written."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

import numpy as np
import pytest

import gm
from gm.arrays import Array, BoolArray, IntArray
from gm.datasets import Dataset
from gm.datasets import operations as ops
from gm.datasets.base import WRITERS, OneDimensional, Seen
from gm.datasets.files.formats import DATASET_TYPES, DatasetEntry, DatasetType
from gm.datasets.left_out import data_warnings
from gm.datasets.masks import mask_from
from gm.datasets.measurement import MeasuredColumns, Measurement
from gm.maps.axes import EnergyAxis
from gm.statistics import Chi2
from tests.samples import flux_points, on_off, power_law


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class LightDataset(OneDimensional):
    """Photon fluxes between energies with Gaussian errors. flux, error : (n_energy,) [cm-2 s-1]."""

    energy: EnergyAxis
    flux: Array
    error: Array

    type: ClassVar[str] = "LightDataset"
    stat_type: ClassVar[str] = "chi2"
    responses: ClassVar[tuple[str, ...]] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        return self.flux.shape

    def unusable(self) -> Sequence[tuple[str, BoolArray]]:
        return [("without an error above 0", ~(self.error > 0))]

    def measurement(self) -> Measurement:
        return MeasuredColumns((self.flux, self.error), Chi2)

    def seen(self, through: Collection[str]) -> Seen:
        return Seen("integral", self.energy.edges, edisp=np.eye(self.flux.size))

    def energies(self) -> Array:
        return self.energy.center

    def energy_edges(self) -> tuple[Array, Array]:
        return self.energy.lo, self.energy.hi

    def energy_range(self) -> tuple[float, float]:
        return self.energies_of(0, self.energy.n_bins)

    def energies_of(self, first: int, last: int) -> tuple[float, float]:
        return float(self.energy.edges[first]), float(self.energy.edges[last])

    def nearest_bins(self, energies: Array) -> IntArray:
        return np.searchsorted(self.energy.edges, energies * (1 - 1e-6))

    def energy_mask(self, e_min: float | None = None, e_max: float | None = None) -> BoolArray:
        return self.energy.mask(e_min, e_max)

    def without_data(self) -> LightDataset:
        return self.with_(mask_safe=None, mask_fit=None)


def read(entry: DatasetEntry) -> Dataset:
    edges, flux, error = np.load(entry.path).values()
    return LightDataset(name=entry.name, energy=EnergyAxis(edges), flux=flux, error=error)


def write(dataset: LightDataset, path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, edges=dataset.energy.edges, flux=dataset.flux, error=dataset.error)


@pytest.fixture(autouse=True)
def _row(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row of the table in `gm/datasets/files/formats.py`."""
    monkeypatch.setitem(DATASET_TYPES, LightDataset.type, DatasetType(read, {"gadf": write}))
    monkeypatch.setitem(WRITERS, LightDataset.type, write)


def light(error: float = 0.1) -> LightDataset:
    """What a power law of index 2.3 shines, without noise: ``1e-11 (E1^-1.3 - E2^-1.3) / 1.3``."""
    energy = EnergyAxis(np.geomspace(1.0, 10.0, 5))
    flux = 1e-11 * (energy.lo**-1.3 - energy.hi**-1.3) / 1.3
    return LightDataset(name="light", energy=energy, flux=flux, error=error * flux)


def test_it_is_fitted_beside_others() -> None:
    datasets = gm.Datasets([light(), on_off(), flux_points()])
    models = gm.Models([power_law(index=2.0)])
    result = gm.Fit(gm.Datasets([light()])).run(models)
    assert result.statistic == pytest.approx(0.0, abs=5e-6)  # the distance at which a fit is done
    assert result.models.parameters["source.index"].value == pytest.approx(2.3, abs=1e-3)
    assert gm.Fit(datasets).run(models).datasets[0].bins == 4
    points = gm.FluxPointsEstimator(source="source", energy_edges=["1 TeV", "10 TeV"]).run(datasets, models).points
    assert points[0].datasets["light"].e_max == pytest.approx(10.0)


def test_it_says_what_it_holds_and_leaves_out() -> None:
    dataset = light().with_(error=np.array([0.0, 1.0, 1.0, 1.0]))
    assert dataset.summary() == {"name": "light", "type": "LightDataset", "bins": 3}
    assert data_warnings([dataset]) == ["light: 1 point left out: without an error above 0"]
    assert mask_from(dataset, (1.5, None)).tolist() == [False, True, True, True]
    assert (dataset.n_counts(), dataset.missing_responses(), dataset.known_background) == (None, (), None)


def test_it_is_written_and_read(tmp_path: Path) -> None:
    gm.Datasets([light()]).write(tmp_path)
    entries = {"datasets": [light().entry(str(tmp_path / "light.fits"))]}
    again = gm.Datasets.read(entries)["light"]
    assert isinstance(again, LightDataset)
    np.testing.assert_array_equal(again.flux, light().flux)


def test_operations_take_it_or_say_why_not() -> None:
    datasets, models = gm.Datasets([light(), on_off("run")]), gm.Models([power_law()])
    assert ops.copy(datasets, models, "light", name="again").datasets.names == ["light", "again", "run"]
    for operation, more in (
        (ops.stack, {"name": "s"}),
        (ops.to_image, {"suffix": "-s"}),
        (ops.to_masked, {"suffix": "-s"}),
    ):
        with pytest.raises(ops.Refused, match="light is a LightDataset"):
            operation(datasets, models, "light", **more)


def test_what_does_not_answer_cannot_be_made() -> None:
    class Dumb(OneDimensional):
        type = "Dumb"

    with pytest.raises(TypeError, match="abstract"):
        Dumb(name="dumb")
