"""Maps from formulae and from existing datasets: what an array sees, and what is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.datasets import Datasets, MapDataset, MapDatasetOnOff, operations, read_dataset, write_dataset
from gm.datasets.simulation import Simulation, Template, build_templates, draw, template_of
from gm.errors import JsonPath
from gm.irf.parametric import CherenkovArray
from gm.irf.parametric_map import field_of_view, psf_sigma
from gm.likelihood.prediction import predict_component
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.models import Models
from gm.pipeline.stages.simulate.reading import simulation_from_dict
from tests.datasets.operations.cases import LAT, LON, sky_map, source
from tests.map_samples import with_off

GRID: dict[str, Any] = {"center": [228.5, -59.2], "width": ["3 deg", "2 deg"], "binsz": "0.1 deg"}
CUBE: dict[str, Any] = {
    "name": "array",
    "response": "iact",
    "livetime": "10 h",
    "geometry": GRID,
    "energy": {"min": "1 TeV", "max": "10 TeV", "per_decade": 5},
}


def simulation(tmp_path: Path, *entries: Mapping[str, Any]) -> Simulation:
    made = simulation_from_dict(
        {"seed": 3, "datasets": list(entries)}, tmp_path, lambda *problem: pytest.fail(str(problem))
    )
    assert made is not None
    return made


def template(tmp_path: Path, **changes: Any) -> Template:
    return build_templates(simulation(tmp_path, CUBE | changes))[0]


def test_the_recipe_is_followed(tmp_path: Path) -> None:
    blank = template(tmp_path).dataset
    assert isinstance(blank, MapDataset)
    assert (blank.geometry.shape, blank.geometry.frame) == ((20, 30), "icrs")
    assert blank.geometry.center() == pytest.approx((228.5, -59.2))
    assert (blank.energy.n_bins, blank.livetime) == (5, 36000.0)
    assert blank.energy_true.edges[[0, -1]] == pytest.approx([1 / 3, 30.0])  # a factor of three on either side
    assert blank.counts.sum() == 0.0
    assert blank.mask.all()


def test_acceptance_falls_off_with_the_offset() -> None:
    """On axis the exposure is that of the spectra; half of it is left two degrees away."""
    array, energy = CherenkovArray(), EnergyAxis.from_bounds(1.0, 10.0, 3)
    true = EnergyAxis.from_bounds(0.3, 30.0, 6, name="energy_true")
    grid = WcsGeometry.create(83.63, 22.01, 0.5, shape=(9, 9), projection="TAN")
    view = field_of_view(array, grid, energy, true, 3600.0)
    on_axis = array.exposure(true.edges, 3600.0)
    assert view.exposure[:, 4, 4] == pytest.approx(on_axis)
    assert view.exposure[:, 4, 0] / on_axis == pytest.approx(np.full(6, 0.5), abs=2e-3)
    away = field_of_view(array, grid, energy, true, 3600.0, pointing=(83.63, 24.01))
    assert away.exposure[:, 8, 4] == pytest.approx(on_axis)


def test_background_is_that_of_a_spectrum_per_solid_angle() -> None:
    """Pixels in a circle of 0.1 deg around the pointing hold what the ON region of a spectrum does."""
    array, energy = CherenkovArray(), EnergyAxis.from_bounds(1.0, 10.0, 3)
    true = EnergyAxis.from_bounds(0.3, 30.0, 6, name="energy_true")
    grid = WcsGeometry.create(83.63, 22.01, 0.002, shape=(120, 120), projection="TAN")
    view = field_of_view(array, grid, energy, true, 3600.0)
    inside = view.background[:, grid.separation(83.63, 22.01) < 0.1].sum(axis=1)
    # 0.1 % for the edge of the circle in pixels, and as much for the acceptance that falls off inside
    assert inside == pytest.approx(array.background(true.edges, energy.edges, 3600.0), rel=3e-3)


def test_the_psf_is_normalised_and_68_percent_lie_within_a_tenth_of_a_degree_at_1_tev() -> None:
    energy = EnergyAxis.from_bounds(1.0, 10.0, 3)
    true = EnergyAxis.from_bounds(0.5, 30.0, 20, name="energy_true")
    psf = field_of_view(CherenkovArray(), WcsGeometry.create(0.0, 0.0, 0.1, width=2.0), energy, true, 1.0).psf
    rad = np.radians(psf.rad.center)
    total = (2.0 * np.pi * rad * np.radians(psf.rad.width) * psf.data[:, :, 0, 0]).sum(axis=1)
    # the midpoint rule in bins of 0.01 deg: 0.5 % of a PSF of 0.03 deg
    assert total == pytest.approx(np.ones(20), abs=6e-3)
    r68 = np.sqrt(-2.0 * np.log(0.32)) * psf_sigma(np.array([1.0, 10.0]))
    assert r68 == pytest.approx([0.1013, 0.0536], abs=1e-4)


def test_counts_are_drawn_around_the_prediction(tmp_path: Path) -> None:
    made = template(tmp_path)
    predicted = np.asarray(made.dataset.background, dtype=np.float64)
    drawn = draw(made, predicted, seed=3)
    assert isinstance(drawn, MapDataset)
    assert drawn.counts.dtype == np.float32
    chi2 = ((drawn.counts - predicted) ** 2 / predicted).sum()
    assert abs(chi2 - predicted.size) < 5.0 * np.sqrt(2.0 * predicted.size + (1.0 / predicted).sum())
    assert np.array_equal(drawn.counts, draw(made, predicted, seed=3).counts)
    assert not np.array_equal(drawn.counts, draw(made, predicted, seed=4).counts)
    assert np.allclose(draw(made, predicted, 3, asimov=True).counts, predicted, rtol=1e-7)


def test_a_simulated_map_can_be_read_again(tmp_path: Path) -> None:
    made = template(tmp_path)
    drawn = draw(made, np.asarray(made.dataset.background, dtype=np.float64), seed=3)
    write_dataset(drawn, tmp_path / "array.fits")
    again = read_dataset("MapDataset", tmp_path / "array.fits")
    assert isinstance(drawn, MapDataset)
    assert isinstance(again, MapDataset)
    assert np.array_equal(drawn.counts, again.counts)
    assert np.array_equal(drawn.psf.data, again.psf.data)
    assert again.livetime == 36000.0


def test_responses_of_a_file_scale_with_the_livetime(tmp_path: Path, shared: Path) -> None:
    file = shared / "reference/hess-msh1552-runs/run20136.fits.gz"
    response = {"filename": str(file), "type": "MapDataset"}
    as_is, longer = build_templates(
        simulation(
            tmp_path, {"name": "a", "response": response}, {"name": "b", "response": response, "livetime": "5 h"}
        )
    )
    given = read_dataset("MapDataset", file)
    assert isinstance(given, MapDataset)
    scale = 18000.0 / given.livetime
    assert np.array_equal(as_is.dataset.exposure, given.exposure)
    assert np.array_equal(as_is.mask_safe, given.mask_safe)
    assert as_is.dataset.mask_safe is None
    assert longer.dataset.exposure == pytest.approx(given.exposure * scale, rel=1e-6)
    assert longer.dataset.background == pytest.approx(given.background * scale, rel=1e-6)


def test_sources_are_drawn_in_the_finer_bins_of_a_file(tmp_path: Path) -> None:
    """A cutout has light from beyond its border, twice as much in twice the livetime."""
    cut = operations.cutout(
        Datasets([sky_map("run", livetime=3600.0)]), Models(), "run", name="cut", center=(LON, LAT), width="0.9 deg"
    )
    dataset, crab = cut.datasets["cut"], source("crab", LON + 0.5)
    write_dataset(dataset, tmp_path / "cut.fits")
    response = {"filename": str(tmp_path / "cut.fits"), "type": "MapDataset"}
    again, longer = build_templates(
        simulation(
            tmp_path, {"name": "a", "response": response}, {"name": "b", "response": response, "livetime": "2 h"}
        )
    )
    expected = predict_component(dataset, crab)
    assert np.array_equal(predict_component(again.dataset, crab), expected)
    assert predict_component(longer.dataset, crab) == pytest.approx(2 * expected, rel=1e-6)
    assert not np.allclose(predict_component(again.dataset.with_(finer=None), crab), expected, rtol=1e-3)


def test_maps_with_off_counts_are_drawn_again(shared: Path) -> None:
    given = read_dataset("MapDataset", shared / "reference/fermi-3fhl-crab/Fermi-LAT.fits.gz")
    assert isinstance(given, MapDataset)
    dataset = with_off(given)
    made = template_of(dataset)
    assert made.dataset.background == pytest.approx(given.counts)
    expected = draw(made, given.counts.astype(np.float64), seed=0, asimov=True)
    assert isinstance(expected, MapDatasetOnOff)
    assert expected.counts_off == pytest.approx(dataset.counts_off)
    assert np.array_equal(expected.acceptance_off, dataset.acceptance_off)


PROBLEMS: list[tuple[dict[str, Any], JsonPath, str]] = [
    ({"type": "SpectrumDataset"}, ("geometry",), "a SpectrumDataset has no geometry"),
    ({"type": "MapDatasetOnOff"}, ("type",), "maps with off counts are simulated like a file only"),
    ({"response": "fermi-lat"}, ("response",), "only the instrument 'iact' is known on maps"),
    ({"acceptance": 2.0}, ("acceptance",), "only On/Off datasets have acceptances"),
    ({"geometry": GRID | {"binsz": "0 deg"}}, ("geometry", "binsz"), "0 deg is not a positive number"),
    ({"geometry": GRID | {"width": ["3 deg", "1 s"]}}, ("geometry", "width", 1), "'s' does not convert to 'deg'"),
    ({"geometry": GRID | {"binsz": "1e-5 deg"}}, ("geometry",), "more than 4000000 pixels"),
    ({"geometry": GRID | {"center": [0.0, 91.0]}}, ("geometry",), "the latitude 91 deg is no point of the sky"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "path", "message"), PROBLEMS)
def test_every_mistake_has_its_place(change: dict[str, Any], path: JsonPath, message: str, tmp_path: Path) -> None:
    problems: list[tuple[JsonPath, str, str]] = []
    entry = CUBE | change
    assert simulation_from_dict({"datasets": [entry]}, tmp_path, lambda *p: problems.append(p)) is None
    assert [problem[:2] for problem in problems] == [(("datasets", 0, *path), message)]


def test_a_map_needs_a_geometry_and_a_file_its_own_type(tmp_path: Path) -> None:
    (tmp_path / "x.fits").write_bytes(b"")
    problems: list[str] = []
    entries = [
        {"name": "a", "type": "MapDataset", "response": "iact"},
        {"name": "b", "type": "SpectrumDataset", "response": {"filename": "x.fits", "type": "MapDataset"}},
    ]
    simulation_from_dict({"datasets": entries}, tmp_path, lambda path, message, hint: problems.append(message))
    assert problems == ["a MapDataset needs a geometry", "a SpectrumDataset cannot have the responses of a MapDataset"]
