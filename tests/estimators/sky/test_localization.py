"""Positions and sizes against minima and rises that are looked for one by one."""

from __future__ import annotations

from dataclasses import replace
from math import cos, radians

import numpy as np
import pytest

from gm.datasets import Datasets, MapDataset
from gm.errors import DataError, UsageError
from gm.estimators.sky.extension import ExtensionEstimator
from gm.estimators.sky.extension_result import Size
from gm.estimators.sky.localization import Localizer
from gm.estimators.sky.localization_result import SHARES, Ellipse
from gm.estimators.sky.size_limits import LIMIT, SizeLimit, Widening
from gm.fit import Fit
from gm.likelihood import predict_component
from gm.models import Models
from tests.map_samples import LAT, LON, background, cube, free, gauss, held, point, psf_map, source
from tests.samples import on_off


def dataset(size: float = 0.0, counts: float = 400.0) -> MapDataset:
    """A source off the centre of its pixel, a Gaussian with a size, and the counts that are expected of it."""
    empty = cube(response="psf only", background=0.2)
    empty = empty.with_(psf=psf_map(empty.energy_true, single_pixel=True), mask_safe=None)
    shape = gauss(LON + 0.02, LAT - 0.03, size) if size else point(LON + 0.02, LAT - 0.03)
    predicted = predict_component(empty, source(shape=shape), "exact")
    known = np.zeros(1) if empty.background is None else empty.background
    return empty.with_(counts=known + predicted * (counts / predicted.sum()))


def start(shape: str = "point") -> Models:
    model = held(point()) if shape == "point" else held(gauss())
    models = Models([source("x", model), background(norm=1.0, tilt=0.0)])
    edits = {"x.index": True, "cube-bkg.tilt": True, "x.lon_0": False, "x.lat_0": False}
    return models.with_parameters({name: {"frozen": is_frozen} for name, is_frozen in edits.items()})


def test_position_ellipse_and_surface() -> None:
    """Of expected counts: the truth to a thousandth of an error; the surface is of fits with the position held."""
    datasets = Datasets([dataset()])
    found = Localizer(source="x", n=3, sigma=2.0).run(datasets, start())
    assert found.lon is not None
    assert found.lat is not None
    assert found.ellipse is not None
    assert found.surface is not None
    error = found.ellipse.minor
    assert abs(found.lon - LON - 0.02) * cos(radians(LAT)) < 1e-3 * error
    assert abs(found.lat - LAT + 0.03) < 1e-3 * error
    assert found.moved == pytest.approx(np.hypot(0.02 * cos(radians(LAT)), 0.03), rel=1e-3)
    assert found.is_parabolic
    assert "describes the surface" in found.statement
    assert list(found.deviations) == list(SHARES)
    for row in found.surface.rows:
        lon, lat = row.values
        held_there = {"x.lon_0": {"value": lon, "frozen": True}, "x.lat_0": {"value": lat, "frozen": True}}
        there = start().with_parameters(held_there)
        expected = Fit(datasets, "exact").optimize(there).statistic
        assert row.stat == pytest.approx(expected, abs=1e-4)


def test_ellipse_is_on_the_sky() -> None:
    """Longitudes are narrower than their differences; angles go from north to east."""
    ellipse = Ellipse.of(np.diag([4e-4, 4e-4]), 60.0)
    assert (ellipse.major, ellipse.minor) == pytest.approx((0.02, 0.01))
    assert ellipse.angle % 180.0 == pytest.approx(0.0)
    tilted = Ellipse.of(np.array([[2.0, 1.0], [1.0, 2.0]]), 0.0)
    assert tilted.angle == pytest.approx(45.0)
    assert tilted.major**2 == pytest.approx(3.0)
    assert tilted.radius(0.68) ** 2 == pytest.approx(2.27887 * tilted.major * tilted.minor, rel=1e-5)


def test_few_counts_are_no_parabola() -> None:
    """Ten counts on nothing: the contours are told to be off the ellipse, or not whole."""
    few = dataset(counts=10.0)
    random = np.random.default_rng(4)
    few = few.with_(counts=random.poisson(few.counts * 0.2).astype(float), background=np.full(few.counts.shape, 1e-3))
    found = Localizer(source="x", n=3).run(Datasets([few]), start())
    assert not found.is_parabolic
    assert found.statement


@pytest.mark.parametrize("shape", ["gauss", "disk"])
def test_size_errors_and_limit(shape: str) -> None:
    """Each is where -2 ln L, everything else fitted again, has risen by as much."""
    datasets = Datasets([dataset(0.25)])
    whole, bands = ExtensionEstimator(source="x", shape=shape, n=3, ul="profile").run(datasets, start())
    assert bands == []
    assert whole.ul_method == "profile"
    assert whole.status == "ok"
    assert whole.size is not None
    assert whole.models is not None
    assert whole.errn is not None
    assert whole.errp is not None
    assert whole.ul is not None
    assert whole.stat is not None
    if shape == "gauss":
        assert whole.size == pytest.approx(0.25, abs=1e-3)
    name = f"x.{'sigma' if shape == 'gauss' else 'r_0'}"
    for size, rise in ((whole.size + whole.errp, 1.0), (whole.size - whole.errn, 1.0), (whole.ul, LIMIT)):
        there = whole.models.with_parameters({name: {"value": size, "frozen": True}})
        assert Fit(datasets, "exact").optimize(there).statistic - whole.stat == pytest.approx(rise, abs=0.01)
    point_like = Fit(datasets, "exact").optimize(start())
    assert whole.ts == pytest.approx(point_like.statistic - whole.stat, abs=1e-3)


def integrated(datasets: Datasets, found: Size, size: float) -> float:
    """-2 ln of the likelihood summed over 5 x 5 positions to 3 errors, everything else fitted again at each."""
    assert found.models is not None
    held_size = found.models.with_parameters({"x.sigma": {"value": size, "frozen": True}})
    best = Fit(datasets, "exact").run(held_size)
    errors = [
        best.models.parameters[k].error for k in (best.models.addresses().resolve(f"x.{c}_0") for c in ("lon", "lat"))
    ]
    shape = best.models["x"].spatial_model
    assert shape is not None
    at = shape.values()[:2]
    stats = []
    for east in np.linspace(-3.0, 3.0, 5) * errors[0]:
        for north in np.linspace(-3.0, 3.0, 5) * errors[1]:
            place = {"x.lon_0": at[0] + east, "x.lat_0": at[1] + north}
            there = best.models.with_parameters({k: {"value": v, "frozen": True} for k, v in place.items()})
            stats.append(Fit(datasets, "exact").optimize(there).statistic)
    weight = np.exp(-0.5 * (np.array(stats) - min(stats))).sum() * errors[0] * errors[1]
    return float(min(stats) - 2.0 * np.log(weight))


def test_marginal_limit_integrates_over_the_position() -> None:
    """Summed over positions one by one the likelihood falls by as much; that of the best position has a lower limit."""
    few = dataset(0.25, 60.0)
    datasets = Datasets([few.with_(counts=np.random.default_rng(3).poisson(few.counts).astype(float))])
    found, _ = ExtensionEstimator(source="x", n=3).run(datasets, start("gauss"))
    profile, _ = ExtensionEstimator(source="x", n=3, ul="profile").run(datasets, start("gauss"))
    assert (found.ul_method, profile.ul_method) == ("marginal", "profile")
    assert found.ul is not None
    assert found.size is not None
    assert profile.ul is not None
    assert found.ul > profile.ul
    risen = integrated(datasets, found, found.ul) - integrated(datasets, found, found.size)
    assert risen == pytest.approx(LIMIT, abs=0.05)


def test_what_has_no_error_is_not_integrated_over() -> None:
    """A position that is held, or has no error at a size: the limit is that of the profile, and the result says so."""
    datasets = Datasets([dataset(0.25)])
    held_position = start("gauss").with_parameters({f"x.{name}": {"frozen": True} for name in ("lon_0", "lat_0")})
    found, _ = ExtensionEstimator(source="x", n=3).run(datasets, held_position)
    profile, _ = ExtensionEstimator(source="x", n=3, ul="profile").run(datasets, held_position)
    assert (found.ul_method, found.missing) == ("profile", {"marginal": "the position is not free"})
    assert (found.ul, profile.missing) == (profile.ul, {})
    best = Fit(datasets, "exact").run(start("gauss"))
    wider = Widening(
        "x", 0.2, lambda size: replace(best, covariance=best.covariance if size < 0.3 else None), SizeLimit("marginal")
    )
    assert (wider.at(0.25), wider.method) == (0.0, "marginal")
    assert (wider.at(0.4), wider.method) == (None, "profile")
    assert wider.reason == "the position has no errors at a size of 0.4 deg"
    with pytest.raises(UsageError, match="'feldman' is no kind of limit on a size"):
        ExtensionEstimator(source="x", ul="feldman")


def test_a_point_has_a_limit() -> None:
    whole, _ = ExtensionEstimator(source="x", n=3).run(Datasets([dataset()]), start("gauss"))
    assert whole.status == "upper_limit"
    assert whole.size is not None
    assert whole.size < 0.02
    assert whole.errn is None
    assert whole.missing is not None
    assert "errn" in whole.missing
    assert whole.ul is not None
    assert 0.02 < whole.ul < 0.2


def test_bands_have_sizes_of_their_own() -> None:
    """The counts of the highest band alone are spread; one without bins has failed, and says why."""
    wide, narrow = dataset(0.3), dataset(0.05)
    counts = np.concatenate([narrow.counts[:2], wide.counts[2:]])
    masked = narrow.with_(counts=counts, mask_safe=None)
    estimator = ExtensionEstimator(source="x", n=3, energy_edges=[*masked.energy.edges[[0, 2, 3]]])
    _, bands = estimator.run(Datasets([masked]), start())
    assert [band.e_max for band in bands] == pytest.approx(masked.energy.edges[2:])
    assert bands[0].size == pytest.approx(0.05, abs=0.03)
    assert bands[1].size == pytest.approx(0.3, abs=0.03)
    gone = np.ones(counts.shape, dtype=bool)
    gone[2] = False
    _, [_, nothing] = estimator.run(Datasets([masked.with_(mask_safe=gone)]), start())
    assert (nothing.status, nothing.reason) == ("failed", "no bin of a map enters here")


def test_what_has_no_place_is_refused() -> None:
    with pytest.raises(UsageError, match="no source is called 'y'"):
        Localizer(source="y").run(Datasets([dataset()]), start())
    everywhere = Models([replace(source("x"), spatial_model=None)])
    with pytest.raises(UsageError, match="has no position"):
        Localizer(source="x").run(Datasets([dataset()]), everywhere)
    linked = Models([source("x", free(point())), source("y", free(point()))])
    linked = linked.with_links([{"parameter": "x.lon_0", "equals": "y.lon_0"}])
    with pytest.raises(UsageError, match="follows another parameter"):
        Localizer(source="x").run(Datasets([dataset()]), linked)
    with pytest.raises(DataError, match="needs maps"):
        ExtensionEstimator(source="x").run(Datasets([on_off()]), start())
    with pytest.raises(UsageError, match="'box' is no shape"):
        ExtensionEstimator(source="x", shape="box")
