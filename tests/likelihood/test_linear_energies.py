"""Datasets whose energies are on a linear scale, as those of a ``MapAxis`` of Gammapy by default."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from gm.datasets import Datasets, MapDataset, SpectrumDataset
from gm.errors import DataError
from gm.likelihood.drawing import predict
from gm.maps.axes import EnergyAxis, NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.reading import read_map
from gm.maps.writing import write_map
from gm.models import BackgroundIRFModel, Models, PowerLawNormSpectralModel, TemplateSpatialModel

EDGES = np.array([1.0, 3.0, 6.0, 10.0])
ENERGY, TRUE = EnergyAxis(EDGES, interp="lin"), EnergyAxis(EDGES, "energy_true", interp="lin")
GRID = WcsGeometry.create(10.0, 5.0, 0.5, shape=(2, 3))


def spectrum() -> SpectrumDataset:
    ones = np.ones(3)
    return SpectrumDataset(
        name="run", energy=ENERGY, energy_true=TRUE, counts=ones, exposure=ones, background=100 * ones, livetime=1.0
    )


def cube() -> MapDataset:
    ones = np.ones((3, *GRID.shape), np.float32)
    return MapDataset(
        name="run", geometry=GRID, energy=ENERGY, energy_true=TRUE, counts=ones, exposure=ones, background=100 * ones
    )


@pytest.mark.parametrize("dataset", [spectrum(), cube()], ids=lambda dataset: dataset.type)
def test_a_background_is_tilted_at_the_middle_of_its_bins(
    tmp_path: Path, dataset: SpectrumDataset | MapDataset
) -> None:
    """At 2, 4.5 and 8 TeV; in files too, which keep the scale."""
    Datasets([dataset]).write(tmp_path / "datasets.yaml")
    (read,) = Datasets.read(tmp_path / "datasets.yaml")
    assert read.energy.interp == read.energy_true.interp == "lin"
    tilted = PowerLawNormSpectralModel(norm=1.2, tilt=0.4)
    models = Models([BackgroundIRFModel(spectral_model=tilted, dataset_name="run")])
    expected = 100 * 1.2 * np.array([2.0, 4.5, 8.0]) ** -0.4
    for one in (dataset, read):
        found = next(predict(Datasets([one]), models)).reshape(3, -1)
        np.testing.assert_allclose(found, np.broadcast_to(expected[:, None], found.shape), rtol=1e-6)


def test_a_template_has_its_values_at_the_middle_of_its_bins(tmp_path: Path) -> None:
    values = TRUE.center[:, None, None] ** -2.3 * np.ones(GRID.shape)
    write_map(tmp_path / "t.fits", Map(GRID, (TRUE,), values, "cm-2 s-1 TeV-1 sr-1"))
    shape = TemplateSpatialModel(filename=str(tmp_path / "t.fits"), normalize=False)
    lon, lat = (np.array([angle]) for angle in GRID.center())
    half_way = np.sqrt(values[0, 0, 0] * values[1, 0, 0])  # of the logarithms, at the edge between both
    found = shape.template.evaluate(lon, lat, np.array([2.0, 3.0, 4.5, 8.0])).ravel()
    np.testing.assert_allclose(found, [values[0, 0, 0], half_way, values[1, 0, 0], values[2, 0, 0]], rtol=1e-10)


@pytest.mark.parametrize("dataset", [spectrum(), cube()], ids=lambda dataset: dataset.type)
@pytest.mark.parametrize("to", [5.0, 7.0])
def test_bins_that_leave_gaps_or_overlap(tmp_path: Path, dataset: SpectrumDataset | MapDataset, to: float) -> None:
    Datasets([dataset]).write(tmp_path / "datasets.yaml")
    (file,) = tmp_path.glob("*.fits*")
    with fits.open(file, mode="update") as hdus:
        hdus["COUNTS_BANDS"].data["E_MAX"][1] = to
    with pytest.raises(DataError, match="HDU COUNTS_BANDS: the bins of axis energy leave gaps or overlap"):
        Datasets.read(tmp_path / "datasets.yaml")


def test_rows_of_two_axes_in_another_order_than_the_values(tmp_path: Path) -> None:
    width = NodeAxis.from_nodes("width", [1.0, 2.0])
    write_map(tmp_path / "t.fits", Map(GRID, (TRUE, width), np.ones((3, 2, *GRID.shape)), "sr-1"))
    assert len(read_map(tmp_path / "t.fits").axes) == 2
    with fits.open(tmp_path / "t.fits", mode="update") as hdus:
        bands = next(hdu for hdu in hdus if hdu.name.endswith("_BANDS"))
        bands.data[:] = bands.data[::-1].copy()
    with pytest.raises(DataError, match="column WIDTH does not increase from row to row"):
        read_map(tmp_path / "t.fits")


@pytest.mark.parametrize("part", ["BACKGROUND", "EDISP"])
def test_parts_of_a_spectrum_with_energies_of_another(tmp_path: Path, part: str) -> None:
    """Of as many bins, so that sizes do not tell."""
    Datasets([spectrum().with_(edisp=np.eye(3))]).write(tmp_path / "datasets.yaml")
    (file,) = tmp_path.glob("*.fits*")
    with fits.open(file, mode="update") as hdus:
        for column in ("E_MIN", "E_MAX"):
            hdus[f"{part}_BANDS"].data[column] *= 1.2
    with pytest.raises(DataError, match=f"HDU {part}: the energies have an edge at .* those of COUNTS at"):
        Datasets.read(tmp_path / "datasets.yaml")
