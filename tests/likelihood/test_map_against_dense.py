"""Predicted counts and statistic of map datasets against the definitions, written out bin by bin in dense_maps.py.

Both sides do the same arithmetic in double precision, one with transforms and sums over bins: 1e-6 is what the
references ask for, 1e-9 of the largest bin is what rounding leaves.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import simpson

from gm.datasets import Datasets, MapDatasetOnOff
from gm.io.tables import Column, Table
from gm.likelihood import JointLikelihood
from gm.maps.map import Map
from gm.maps.writing import write_map
from gm.models import (
    BackgroundIRFModel,
    ConstantSpatialModel,
    DiskSpatialModel,
    ExpDecayTemporalModel,
    GaussianSpatialModel,
    GeneralizedGaussianSpatialModel,
    LogParabolaSpectralModel,
    Models,
    Parameter,
    PiecewiseNormSpatialModel,
    PointSpatialModel,
    PowerLawNormSpectralModel,
    Shell2SpatialModel,
    ShellSpatialModel,
    SkyModel,
    SpatialModel,
    TemplateNPredModel,
    TemplateSpatialModel,
)
from tests.likelihood.dense_maps import AnyMap, component_counts, predicted_counts, statistic, template_counts
from tests.map_samples import (
    GRIDS,
    LAT,
    LON,
    RESPONSES,
    background,
    cube,
    free,
    gauss,
    held,
    on_off_cube,
    point,
    psf_map,
    source,
    write_template,
)

AT = {"lon_0": f"{LON} deg", "lat_0": f"{LAT} deg"}
SHAPES: dict[str, SpatialModel | None] = {
    "point": point(83.42, 22.13),
    "point in galactic coordinates": PointSpatialModel(frame="galactic", lon_0="184.5 deg", lat_0="-5.8 deg"),
    "wide gauss": gauss(sigma=0.4),
    "narrow gauss": gauss(sigma=0.07),
    "elongated gauss": GaussianSpatialModel(**AT, sigma="0.3 deg", e=0.8, phi="30 deg"),
    "laplace": GeneralizedGaussianSpatialModel(**AT, r_0="0.15 deg", eta=0.9),
    "disk": DiskSpatialModel(**AT, r_0="0.5 deg"),
    "elongated disk": DiskSpatialModel(**AT, r_0="0.5 deg", e=0.7, phi="60 deg", edge_width=0.2),
    "shell": ShellSpatialModel(**AT, radius="0.4 deg", width="0.2 deg"),
    "shell2": Shell2SpatialModel(**AT, r_0="0.6 deg", eta=0.3),
    "flat sky": ConstantSpatialModel(value="50 sr-1"),
    "no shape": None,
}


def check(datasets: list[AnyMap], models: Models) -> None:
    """Every bin that enters, sums and statistics by dataset and component, and the value of all."""
    likelihood = JointLikelihood(Datasets(datasets), models)
    vector = likelihood.layout.start
    total = 0.0
    rows = zip(datasets, likelihood.predicted(vector), likelihood.summarize(vector), strict=True)
    for dataset, predicted, summary in rows:
        expected = predicted_counts(dataset, models)
        enters = dataset.mask
        if isinstance(dataset, MapDatasetOnOff):
            enters = enters & (dataset.acceptance > 0) & (dataset.acceptance_off > 0)
        scale = expected.max()
        np.testing.assert_allclose(predicted[enters], expected[enters], rtol=1e-9, atol=1e-9 * scale)
        assert not predicted[~enters].any()
        value = statistic(dataset, expected)
        assert summary.statistic == pytest.approx(value, rel=1e-10)
        for name, counts in summary.components.items():
            component = models[name]
            if isinstance(component, SkyModel):
                wanted = component_counts(dataset, component)[enters].sum()
            else:
                wanted = template_counts(dataset, component)[enters].sum()
            assert counts == pytest.approx(wanted, rel=1e-9, abs=1e-9 * scale)
        total += value
    assert likelihood.value(vector) == pytest.approx(total, rel=1e-10)


def nodes() -> PiecewiseNormSpatialModel:
    """A surface through nodes around the field."""
    places = {"lon": [81.0, 86.0, 81.0, 86.0, 83.0], "lat": [19.0, 19.0, 25.0, 25.0, 22.0]}
    norms = {f"norm_{k}": Parameter(f"norm_{k}", 0.8 + 0.1 * k) for k in range(5)}
    return PiecewiseNormSpatialModel(**{name: {"data": x, "unit": "deg"} for name, x in places.items()}, **norms)


def both(grid: str, response: str) -> list[AnyMap]:
    return [cube("cube", grid, response, 1), on_off_cube("on-off", grid, response, 2)]


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str, response: str) -> None:
    """Every shape on both kinds of datasets and both grids, with every kind of response."""
    shape = SHAPES[name]
    models = Models([source(shape=None if shape is None else held(shape)), background()])
    check([*both("icrs", response), cube("second", "galactic", response, 3)], models)


@pytest.mark.parametrize("with_energy", [False, True])
@pytest.mark.parametrize("frame", ["icrs", "galactic"])
@pytest.mark.parametrize("response", ["plain", "psf", "reco"])
def test_templates(tmp_path: Path, response: str, frame: str, with_energy: bool) -> None:
    path = write_template(tmp_path / "ridge.fits", with_energy=with_energy, frame=frame)
    models = Models([source(shape=TemplateSpatialModel(filename=str(path)))])
    check(both("icrs", response), models)


@pytest.mark.parametrize("exposure", [True, False])
@pytest.mark.parametrize("psf", [True, False])
@pytest.mark.parametrize("edisp", [True, False])
@pytest.mark.parametrize("response", ["psf", "reco"])
def test_responses_that_are_left_out(response: str, exposure: bool, psf: bool, edisp: bool) -> None:
    """Without exposure the flux is counts: an amplitude of that size."""
    apply = {"exposure": exposure, "psf": psf, "edisp": edisp}
    amplitude = "1e-11 TeV-1 s-1 cm-2" if exposure else "100 TeV-1 s-1 cm-2"
    for shape in (point(), gauss(sigma=0.1)):
        check(both("galactic", response), Models([source(shape=held(shape), amplitude=amplitude, apply_irf=apply)]))


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("x", [-3.0, -0.8, -0.3, 0.2, 25.9, 26.4, 29.0])
def test_sources_near_the_border_and_beyond(x: float, response: str) -> None:
    """Kernels and shapes are cut at the border of the map; a point beyond it is lost, half a pixel within shared."""
    lon, lat = (float(c) for c in GRIDS["icrs"].sky(x, 3.3))
    for shape in (point(lon, lat), gauss(lon, lat, 0.1), gauss(lon, lat, 0.4)):
        check([cube(response=response)], Models([source(shape=held(shape)), background()]))


def test_a_source_far_away_predicts_nothing() -> None:
    dataset = cube()
    for shape in (point(200.0, -40.0), gauss(200.0, -40.0)):
        likelihood = JointLikelihood(Datasets([dataset]), Models([source(shape=held(shape))]))
        assert likelihood.summarize(likelihood.layout.start)[0].components["source"] == 0.0


def test_a_psf_that_is_the_same_everywhere() -> None:
    dataset = cube()
    check([dataset.with_(psf=psf_map(dataset.energy_true, single_pixel=True))], Models([source(shape=held(gauss()))]))


def test_several_components() -> None:
    """A crowded field; one spectrum is no power law, and one component is for one dataset only."""
    curved = LogParabolaSpectralModel(amplitude="3e-12 TeV-1 s-1 cm-2", alpha=2.0, beta=0.2, reference="1 TeV")
    models = Models(
        [
            source("first", held(point())),
            source("second", held(gauss(84.2, 21.6)), index=1.8, datasets_names=["cube"]),
            SkyModel(name="third", spectral_model=curved, spatial_model=held(DiskSpatialModel(**AT, r_0="0.6 deg"))),
            source("sky", ConstantSpatialModel(value="30 sr-1"), datasets_names=["on-off", "elsewhere"]),
            background(),
        ]
    )
    check(both("icrs", "psf"), models)


def test_datasets_that_a_component_is_not_for() -> None:
    models = Models([source(shape=held(point()), datasets_names=["on-off"])])
    datasets = both("icrs", "psf")
    check(datasets, models)
    likelihood = JointLikelihood(Datasets(datasets), models)
    first, second = likelihood.summarize(likelihood.layout.start)
    assert first.components == {}
    assert second.components["source"] > 10


@pytest.mark.parametrize("tilt", [0.0, 0.4, -0.3])
@pytest.mark.parametrize("shape", [None, "gauss", "nodes"])
def test_factors_of_the_background(tilt: float, shape: str | None) -> None:
    """A norm, a tilt in reconstructed energy, and a factor of the position at pixel centres, which may be free."""
    factors = {None: None, "gauss": gauss(sigma=1.5), "nodes": nodes()}
    spatial = factors[shape]
    for such in (held, free):
        spatial_model = None if spatial is None else such(spatial)
        models = [source(shape=held(point())), background(norm=1.3, tilt=tilt, spatial_model=spatial_model)]
        check([cube()], Models(models))


def test_templates_of_predicted_counts(tmp_path: Path) -> None:
    """A map of counts with a norm and a tilt, for one of two datasets, with and without a factor of the position."""
    dataset = cube()
    values = np.random.default_rng(5).uniform(0.0, 0.3, dataset.counts.shape)
    write_map(tmp_path / "counts.fits", Map(dataset.geometry, (dataset.energy,), values))
    spectrum = PowerLawNormSpectralModel(norm=0.7, tilt=Parameter("tilt", 0.3))
    for shape in (None, held(gauss(sigma=1.0))):
        template = TemplateNPredModel(
            name="template",
            filename=str(tmp_path / "counts.fits"),
            spectral_model=spectrum,
            spatial_model=shape,
            datasets_names=["cube"],
        )
        check([dataset, cube("other", seed=2)], Models([source(shape=held(point())), template, background()]))


def test_variable_sources() -> None:
    """The average of an exponential decay over two intervals of good time, by Simpson's rule: 1e-9 of it."""
    table = Table(
        "GTI",
        (Column("START", np.array([0.0, 3 * 86400.0]), "s"), Column("STOP", np.array([86400.0, 5 * 86400.0]), "s")),
        {"MJDREFI": 55000, "MJDREFF": 0.0, "TIMESYS": "tt"},
    )
    decay = ExpDecayTemporalModel(t0="2 d", t_ref="55000 d", scale="tt")
    parts = [np.linspace(0.0, 1.0, 2001), np.linspace(3.0, 5.0, 4001)]
    average = sum(float(simpson(np.exp(-t / 2.0), x=t)) for t in parts) / 3.0
    steady, variable = (
        JointLikelihood(Datasets([dataset]), Models([source(shape=held(gauss()), temporal_model=model)]))
        for dataset, model in ((cube(), None), (cube(gti=table), decay))
    )
    counts = [
        likelihood.summarize(likelihood.layout.start)[0].components["source"] for likelihood in (steady, variable)
    ]
    assert counts[1] == pytest.approx(average * counts[0], rel=1e-9)


def test_a_background_without_a_model_counts_as_it_is() -> None:
    check([cube()], Models([source(shape=held(point()))]))
    check([cube()], Models([]))


def test_a_dataset_without_background() -> None:
    check([cube(background=0.3).with_(background=None)], Models([source(shape=held(gauss(sigma=1.0))), background()]))


def test_the_statistic_of_a_background_model_is_unknown_to_on_off_data() -> None:
    dataset = on_off_cube()
    plain = JointLikelihood(Datasets([dataset]), Models([source(shape=held(point()))]))
    corrected = Models([source(shape=held(point())), BackgroundIRFModel(dataset_name="on-off")])
    likelihood = JointLikelihood(Datasets([dataset]), corrected)
    assert likelihood.value(likelihood.layout.start) == plain.value(plain.layout.start)


def test_masks() -> None:
    """All bins, one energy, a single bin with and without counts, and none."""
    dataset = cube()
    models = Models([source(shape=held(gauss())), background()])
    one_energy = np.zeros(dataset.counts.shape, dtype=bool)
    one_energy[1] = True
    busiest = np.zeros_like(one_energy)
    busiest[np.unravel_index(np.argmax(dataset.counts), busiest.shape)] = True
    empty = np.zeros_like(one_energy)
    empty[np.unravel_index(np.argmin(dataset.counts), empty.shape)] = True
    for mask in (None, one_energy, busiest, empty):
        check([dataset.with_(mask_safe=mask)], models)
    check([dataset.with_(mask_fit=one_energy)], models)
    nothing = JointLikelihood(Datasets([dataset.with_(mask_fit=np.zeros_like(empty))]), models)
    assert nothing.n_bins == 0
    assert nothing.value(nothing.layout.start) == 0.0


def test_free_shapes_are_those_that_are_held() -> None:
    """A free shape has a wider window to move in, and so some of its tail beyond 5 sigma: 4e-6 of the flux."""
    dataset = cube()
    for shape in filter(None, SHAPES.values()):
        models = [Models([source(shape=such(shape))]) for such in (held, free)]
        fixed, moving = (JointLikelihood(Datasets([dataset]), m) for m in models)
        assert moving.layout.n_free == fixed.layout.n_free + len(shape.parameters)
        expected = fixed.predicted(fixed.layout.start)[0]
        found = moving.predicted(moving.layout.start)[0]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * expected.max())
