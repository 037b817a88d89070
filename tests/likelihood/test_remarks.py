"""What predictions take for granted or leave out is told, and by nothing else: ordinary data say nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gm.conventions import Conventions
from gm.datasets import Dataset, Datasets, MapDataset, operations, write_dataset
from gm.errors import DataError
from gm.fit import Fit
from gm.irf.edisp_map import EdispMigraMap
from gm.likelihood import JointLikelihood, predict_component, remarks
from gm.maps.axes import NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.writing import write_map
from gm.models import (
    Models,
    PiecewiseNormSpatialModel,
    PointSpatialModel,
    PowerLawNormSpectralModel,
    TemplateNPredModel,
    TemplateSpatialModel,
)
from tests.map_samples import LAT, LON, background, cube, gauss, point, source, with_off
from tests.samples import flux_points, on_off, power_law, spectrum


def test_nothing_is_said_of_ordinary_data() -> None:
    datasets: list[Dataset] = [cube("a"), with_off(cube("b", "galactic"), "b"), spectrum("c"), on_off("d")]
    models = Models([source(shape=gauss()), background("a")])
    assert remarks(datasets[:2], models, Conventions.GAMMAPY) == []
    assert remarks(datasets[2:], Models([power_law()]), Conventions.GAMMAPY) == []


def test_a_file_that_is_read_twice_counts_twice(tmp_path: Path) -> None:
    """Unless its datasets have masks that keep them apart."""
    write_dataset(on_off("run"), tmp_path / "run.fits")
    rows = [("a", "run.fits"), ("b", "./run.fits")]
    entries = [{"name": name, "type": "SpectrumDatasetOnOff", "filename": str(tmp_path / file)} for name, file in rows]
    first, second = Datasets.read({"datasets": entries})
    models = Models([power_law()])
    told = remarks([first, second, on_off("c")], models, Conventions.GAMMAPY)
    assert told == ["a, b: what run.fits holds counts 2 times"]
    low = np.arange(first.mask.size) < 3
    apart = first.with_(mask_fit=low), second.with_(mask_fit=~low)
    assert not [text for text in remarks(apart, models, Conventions.GAMMAPY) if "times" in text]


def test_models_beyond_the_scans_of_flux_points() -> None:
    """The truth is 1e-11 (E / TeV)^-2.3 from 0.4 to 25 TeV, the scans go from 0.2 to 5 times as much."""
    points = flux_points(stat_type="profile")

    def told(index: float, amplitude: str) -> list[str]:
        models = Models([power_law(index=index, amplitude=amplitude)])
        joint = JointLikelihood(Datasets([points, flux_points("errors"), spectrum()]), models)
        return joint.warnings(joint.layout.start)

    assert told(2.3, "1e-11 cm-2 s-1 TeV-1") == []
    above = int(np.count_nonzero(points.points.energy ** (2.3 - 1.5) > 5.0))
    assert 0 < above < 7
    beyond = "points: the model is beyond the likelihood scans of {}, which are extrapolated"
    assert told(1.5, "1e-11 cm-2 s-1 TeV-1") == [beyond.format(f"{above} points")]
    assert told(2.3, "1e-12 cm-2 s-1 TeV-1") == [beyond.format("7 points")]
    assert beyond.format("7 points") not in Fit(Datasets([points])).run(Models([power_law()])).warnings


@pytest.mark.parametrize("n_x", [360, 361])
def test_a_map_with_its_first_column_once_more(n_x: int) -> None:
    """Half of a source at l = 180 deg is lost there, since its two ends are not joined."""
    exposure = np.full((4, 3, n_x), 1e10)
    parts = {key: getattr(cube(), key) for key in ("energy", "energy_true", "psf", "edisp")}
    geometry = WcsGeometry.create(0.0, 0.0, 1.0, shape=(3, n_x), frame="galactic")
    whole = MapDataset(name="all", geometry=geometry, counts=np.zeros((3, 3, n_x)), exposure=exposure, **parts)
    told = [text for text in remarks([whole], Models([source(shape=point())]), Conventions.GAMMAPY) if "around" in text]
    words = (
        "all: more columns than there are around the sky: what is seen of a source at one end is not seen at the other"
    )
    assert told == ([words] if n_x == 361 else [])


def test_responses_that_files_do_not_have() -> None:
    datasets: list[Dataset] = [cube(name, response="plain") for name in "abcdef"]
    datasets += [spectrum("s", edisp=None), cube("psf", response="psf only")]
    told = remarks(datasets, Models([source(shape=point())]), Conventions.GAMMAPY)
    assert told == [
        "a, b, c, d, ... (6 datasets): no PSF: directions count as measured exactly",
        "a, b, c, d, ... (8 datasets): no energy dispersion: energies count as measured exactly",
    ]
    one = Datasets([datasets[0], cube("good")])
    likelihood = JointLikelihood(one, Models([source(shape=point())]))
    summaries = likelihood.summarize(likelihood.layout.start)
    assert [summary.missing_responses for summary in summaries] == [("psf", "edisp"), ()]


@pytest.mark.parametrize("factor", [3.0, 0.3])
def test_responses_that_do_not_add_up_to_1(factor: float) -> None:
    """A PSF is scaled, an energy dispersion is taken as it is: both are told, with the sum over all that may happen.

    Bins of energy may end before all that is reconstructed, so that a matrix is told only where it is above 1.
    """
    plain, matrix, run = cube("m", response="migra"), cube("k"), spectrum("s")
    assert isinstance(plain.edisp, EdispMigraMap)
    assert plain.psf is not None
    assert matrix.edisp is not None
    assert run.edisp is not None
    models = Models([source(shape=point())])
    sharp = plain.with_(psf=replace(plain.psf, data=factor * plain.psf.data))
    ring = 2.0 * np.pi * np.radians(plain.psf.rad.center) * np.radians(plain.psf.rad.width)
    total = factor * max(float((values * ring[:, None, None]).sum(axis=0).max()) for values in plain.psf.data)
    (told,) = remarks([sharp], models, Conventions.GAMMAPY)
    assert told == f"m: the PSF adds up to as much as {total:.3g}, expected 1: it is scaled to 1"
    counts = [predict_component(one, models[0]).sum() for one in (plain, sharp)]
    assert counts[1] == pytest.approx(counts[0], rel=1e-6)
    wide = plain.with_(edisp=replace(plain.edisp, data=factor * plain.edisp.data))
    total = factor * float((plain.edisp.data * plain.edisp.migra.width[:, None, None]).sum(axis=1).max())
    (told,) = remarks([wide], models, Conventions.GAMMAPY)
    assert told.startswith(f"m: the energy dispersion adds up to as much as {total:.3g}, expected 1")
    assert predict_component(wide, models[0]).sum() == pytest.approx(factor * counts[0], rel=1e-5)
    told_of = remarks(
        [
            matrix.with_(edisp=replace(matrix.edisp, data=factor * matrix.edisp.data)),
            run.with_(edisp=factor * run.edisp),
        ],
        Models([source(shape=point())]),
        Conventions.GAMMAPY,
    )
    assert len(told_of) == (2 if factor > 1 else 0)
    assert all("the energy dispersion adds up to as much as" in text for text in told_of)


def test_a_psf_that_adds_up_to_3_contains_nothing_that_is_known() -> None:
    plain = cube("m", grid="icrs")
    assert plain.psf is not None
    psf = replace(plain.psf, data=3.0 * plain.psf.data)
    with pytest.raises(
        DataError, match=r"the PSF adds up to as much as \S+, expected 1(.|\n)*containment_correction: false"
    ):
        psf.containment(0.1, plain.energy_true.center)


@pytest.mark.parametrize("response", ["psf", "migra"])
def test_energies_without_dispersion(response: str) -> None:
    """Nothing is predicted from there, which is told where it could have been counted."""
    plain = cube("m", response=response)
    assert plain.edisp is not None
    data = np.array(plain.edisp.data)
    data[[0, 2]] = 0.0  # the first is below the energies that are counted
    dataset = plain.with_(edisp=replace(plain.edisp, data=data))
    low, high = plain.energy_true.lo[2], plain.energy_true.hi[2]
    (told,) = remarks([dataset], Models([source(shape=point())]), Conventions.GAMMAPY)
    at = f"between {low:.3g} and {high:.3g} TeV"
    assert told == f"m: no energy dispersion at true energies {at}: nothing is predicted from there"
    run = spectrum("s")
    assert run.edisp is not None
    matrix = np.array(run.edisp)
    matrix[4] = 0.0
    (told,) = remarks([run.with_(edisp=matrix)], Models([power_law()]), Conventions.GAMMAPY)
    assert told.startswith("s: no energy dispersion at true energies between")


def test_a_source_without_a_shape_is_in_every_pixel_of_a_map() -> None:
    dataset, component = cube("m"), source("src")
    (told,) = remarks([dataset], Models([component]), Conventions.EXACT)
    assert told == "src on m: no shape on the sky: every pixel gets all of its flux"
    alone = predict_component(dataset, source("src", point()))
    assert predict_component(dataset, component).sum() > 100 * alone.sum()
    assert remarks([spectrum("s")], Models([component]), Conventions.GAMMAPY) == []


@pytest.mark.parametrize("shape", [point, gauss])
def test_a_source_beyond_the_border(shape: type) -> None:
    """Told where light would come in; the exact conventions count it."""
    dataset = cube("m")
    border = LAT + 23 * 0.1 / 2
    places = {border - 0.05: False, border + 0.1: True, border + 10.0: False}
    for lat, is_told in places.items():
        models = Models([source("src", shape(LON, lat))])
        found = remarks([dataset], models, Conventions.GAMMAPY)
        assert bool(found) is is_told, lat
        assert remarks([dataset], models, Conventions.EXACT) == []
    beyond = source("src", shape(LON, border + 0.1))
    assert "src on m: lies beyond the border" in remarks([dataset], Models([beyond]), Conventions.GAMMAPY)[0]
    lost, counted = (predict_component(dataset, beyond, conventions).sum() for conventions in ("gammapy", "exact"))
    assert lost < (0.7 if shape is point else 1.0) * counted
    assert remarks([cube("m", response="plain")], Models([beyond]), Conventions.EXACT)[0].startswith("m: no PSF")


@pytest.mark.parametrize(("projection", "is_torn"), [("AIT", True), ("MOL", True), ("CAR", False)])
def test_a_source_at_the_seam_of_a_projection(projection: str, is_torn: bool) -> None:
    """Where longitudes do not come again the other half of it is lost."""
    whole = WcsGeometry.create(0.0, 0.0, 2.0, shape=(90, 180), frame="galactic", projection=projection)
    plain = cube("m")
    shape = (plain.energy.n_bins, *whole.shape)
    sky = MapDataset(
        name="m",
        geometry=whole,
        energy=plain.energy,
        energy_true=plain.energy_true,
        counts=np.zeros(shape),
        exposure=np.ones((plain.energy_true.n_bins, *whole.shape)),
        psf=plain.psf,
        edisp=plain.edisp,
    )
    for lon, told in ((179.9, is_torn), (90.0, False)):
        place = PointSpatialModel(lon_0=lon, lat_0=0.5, frame="galactic")
        found = remarks([sky], Models([source("src", place)]), Conventions.GAMMAPY)
        assert any("tears the sky apart" in text for text in found) is told, lon


def test_a_cutout_knows_what_lies_beyond_its_border() -> None:
    component = source("src", point(LON, LAT + 0.4))
    outcome = operations.cutout(
        Datasets([cube("m")]), Models([component]), "m", name="part", center=(LON, LAT), width="0.6 deg"
    )
    assert remarks(list(outcome.datasets), outcome.models, Conventions.GAMMAPY) == []


def test_templates_with_values_and_energies_that_are_not_used(tmp_path: Path) -> None:
    grid = WcsGeometry.create(LON, LAT, 0.1, shape=(10, 10))
    data = np.ones((2, 10, 10))
    data[0, 0] = np.nan
    axis = NodeAxis.from_nodes("energy_true", [1.0, 2.0], "TeV", "log")
    write_map(tmp_path / "t.fits", Map(grid, (axis,), data, "sr-1"))
    component = source("src", TemplateSpatialModel(filename=str(tmp_path / "t.fits")))
    assert remarks([cube("m")], Models([component]), Conventions.GAMMAPY) == [
        f"src: {tmp_path / 't.fits'}: 10 of 200 values are no numbers, and taken for 0",
        "src on m: the template ends within the true energies: nothing is predicted beyond",
    ]
    dataset = cube("m")
    counts = dataset.counts.copy()
    counts[0, :2, 0] = np.nan
    write_map(tmp_path / "n.fits", Map(dataset.geometry, (dataset.energy,), counts))
    stored = TemplateNPredModel(
        name="n", filename=str(tmp_path / "n.fits"), spectral_model=PowerLawNormSpectralModel(), datasets_names="m"
    )
    (told,) = remarks([dataset], Models([stored]), Conventions.GAMMAPY)
    assert told == f"n: {tmp_path / 'n.fits'}: 2 of 1863 values are no numbers, and taken for 0"
    assert remarks([cube("other")], Models([stored]), Conventions.GAMMAPY) == []


def test_a_fit_says_it() -> None:
    dataset = cube("m", response="plain")
    result = Fit(Datasets([dataset])).run(Models([source("src", point()), background("m")]))
    assert result.warnings == (
        "m: no PSF: directions count as measured exactly",
        "m: no energy dispersion: energies count as measured exactly",
    )
    assert result.datasets[0].missing_responses == ("psf", "edisp")


def test_pixels_outside_of_the_nodes_of_a_surface() -> None:
    def told(reach: float) -> list[str]:
        corners = [(side_x, side_y) for side_x in (-reach, reach) for side_y in (-reach, reach)]
        lon, lat = ([at + side[k] for side in corners] for k, at in enumerate((LON, LAT)))
        shape = PiecewiseNormSpatialModel(lon={"data": lon}, lat={"data": lat})
        return remarks([cube()], Models([source("s", shape)]), Conventions.GAMMAPY)

    assert told(0.4) == ["s on cube: pixels outside of the hull of its nodes: nothing is predicted there"]
    assert told(4.0) == []


def test_a_background_with_a_shape_is_one_of_a_map() -> None:
    datasets = [cube("m"), spectrum("known")]
    shaped = [background(name, spatial_model=gauss()) for name in ("m", "known")]
    assert remarks(datasets, Models([source("src", point()), *shaped]), Conventions.GAMMAPY) == [
        "known-bkg: its shape on the sky is not used, known is no map"
    ]


def test_a_dataset_without_a_source() -> None:
    datasets = [cube("m"), cube("other")]
    near = Models([source("src", point(), datasets_names=["m"]), background("m"), background("other")])
    assert "other: no source of the models applies" in remarks(datasets, near, Conventions.GAMMAPY)
    without = Models([background("m"), background("other")])
    assert remarks(datasets, without, Conventions.GAMMAPY) == []
