"""TS, excess and residual maps against the likelihood itself, formulas written out, and Gammapy 2.1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.conventions import Conventions
from gm.datasets import Datasets, MapDataset
from gm.datasets.operations import to_image
from gm.errors import DataError, UsageError
from gm.estimators.sky.excess_map import ExcessMapEstimator, around, disk_of, told_of_circles
from gm.estimators.sky.peaks import candidates, find_peaks
from gm.estimators.sky.profile import RadialBins, SkyProfileEstimator
from gm.estimators.sky.ps_map import PSMapEstimator
from gm.estimators.sky.residual_map import ResidualMapEstimator
from gm.estimators.sky.result import SkyMaps
from gm.estimators.sky.sources import default_kernel, exposed_counts
from gm.estimators.sky.ts_map import TSMapEstimator, _patterns
from gm.irf.psf import PsfMap
from gm.likelihood import JointLikelihood, predict_component
from gm.maps.axes import NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.models import Models, PointSpatialModel, PowerLawSpectralModel, SkyModel
from gm.models.parameter import Parameter
from gm.statistics import Cash, WStat
from tests.map_samples import GRIDS, LAT, LON, background, cube, held, on_off_cube, point, psf_map, source
from tests.samples import on_off


def same_everywhere(name: str = "cube", seed: int = 1) -> MapDataset:
    """The same responses at all pixels, as TS maps take them."""
    dataset = cube(name, response="psf only", seed=seed)
    return dataset.with_(psf=psf_map(dataset.energy_true, single_pixel=True))


def at_pixel(y: int, x: int, norm: float) -> SkyModel:
    lon, lat = GRIDS["icrs"].sky(float(x), float(y))
    shape = held(PointSpatialModel(lon_0=f"{float(lon)} deg", lat_0=f"{float(lat)} deg"))
    spectrum = PowerLawSpectralModel(index=2.0, amplitude=Parameter("amplitude", norm * 1e-12, "TeV-1 s-1 cm-2"))
    return SkyModel(name="here", spectral_model=spectrum, spatial_model=shape)


@pytest.mark.parametrize("conventions", ["gammapy", "exact"])
def test_statistic_is_that_of_a_source_in_the_global_model(conventions: str) -> None:
    """TS and its rises at errors and limits, of two datasets, as -2 ln L says with a point source at the pixel.

    To 1e-6 with Gammapy's conventions. The exact ones have the exposure of the source's pixel where the likelihood has
    it there too; its kernels at the pixel differ from those in the middle by the projection, 1e-3.
    """
    datasets = Datasets([same_everywhere("one", 1), same_everywhere("two", 2)])
    rest = Models([background("one", 1.1, 0.1), source("known", held(point()))])
    maps = TSMapEstimator(sum_over_energy=False, conventions=conventions).run(datasets, rest)

    def statistic(y: int, x: int, norm: float) -> float:
        likelihood = JointLikelihood(datasets, Models([*rest, at_pixel(y, x, norm)]), conventions)
        return likelihood.value(likelihood.layout.start)

    close = 1e-6 if conventions == "gammapy" else 2e-3
    for y, x in ((11, 13), (5, 20), (15, 9), (12, 19)):
        norm = maps["norm"][0, y, x]
        best = statistic(y, x, norm)
        step = 0.02 * maps["norm_err"][0, y, x]
        assert maps["ts"][0, y, x] == pytest.approx(statistic(y, x, 0.0) - best, rel=close, abs=1e-4)
        assert best < min(statistic(y, x, norm - step), statistic(y, x, norm + step)) + close
        for end, rise in ((norm + maps["norm_errp"][0, y, x], 1.0), (maps["norm_ul"][0, y, x], 4.0)):
            assert statistic(y, x, end) - best == pytest.approx(rise, rel=20 * close)


def test_golden_ts_map(shared: Path) -> None:
    """3FHL Crab, formats/estimators.md 7: Gammapy's norm to its 1 %, its TS to 1e-6; ours is not lower."""
    folder = shared / "reference" / "fermi-3fhl-crab"
    models = Models(c for c in Models.read(folder / "models_start.yaml") if c.name != "Crab Nebula")
    datasets = Datasets.read(folder / "datasets.yaml")
    maps = TSMapEstimator(kernel_width=1.0, energy_edges=[0.01, 2.0]).run(datasets, models)
    found = {name: values[0, 20, 25] for name, values in maps.data.items()}
    assert found["ts"] == pytest.approx(25198.995, rel=1e-8)
    assert found["norm"] == pytest.approx(82.941266, rel=1e-3)
    assert found["norm_err"] == pytest.approx(1.680863, rel=1e-3)
    assert found["flux"] == pytest.approx(8.25266e-9, rel=1e-3)


def test_golden_excess_map(shared: Path) -> None:
    """3FHL Crab, formats/estimators.md 6."""
    folder = shared / "reference" / "fermi-3fhl-crab"
    models = Models(c for c in Models.read(folder / "models_start.yaml") if c.name != "Crab Nebula")
    datasets = Datasets.read(folder / "datasets.yaml")
    maps = ExcessMapEstimator(correlation_radius=0.3, energy_edges=[0.01, 0.1, 2.0]).run(datasets, models)
    at = slice(None), 20, 25
    assert maps["counts"][at].tolist() == [2014, 210]
    assert maps["npred_excess"][at] == pytest.approx([2009.5703, 209.80695], rel=1e-7)
    assert maps["ts"][at] == pytest.approx([20630.35486, 2516.98829], rel=1e-6)
    assert maps["norm"][at] == pytest.approx([76.573715, 60.668358], rel=1e-6)


def test_edges_that_are_moved_are_told() -> None:
    """Edges between those of bins go to the nearest, and two that go to the same leave no band between them."""
    dataset = cube()
    first, second, last = dataset.energy.edges[[0, 1, -1]].tolist()
    datasets, asked = Datasets([dataset]), [0.5 * first, second, 1.001 * second, last]
    maps = ExcessMapEstimator(correlation_radius=0.3, energy_edges=asked).run(datasets, Models())
    assert maps.energy.n_bins == 2
    said = (
        f"edges are those of energy bins [TeV]: {0.5 * first:.4g} is {first:.4g}, {1.001 * second:.4g} is {second:.4g}"
        "; bands that hold no bin are left out: 1"
    )
    assert said in maps.remarks
    rings = SkyProfileEstimator(bins=RadialBins((LON, LAT), np.linspace(0.0, 1.0, 4)), energy_edges=asked).run(
        datasets, Models()
    )
    assert said in rings.remarks
    unmoved = ExcessMapEstimator(correlation_radius=0.3, energy_edges=[first, second, last]).run(datasets, Models())
    assert not [text for text in unmoved.remarks if text.startswith("edges")]


def test_excess_is_a_sum_over_pixels() -> None:
    """Pixel by pixel, with the statistic at each end."""
    dataset = cube()
    models = Models([background()])
    maps = ExcessMapEstimator(correlation_radius=0.21).run(Datasets([dataset]), models)
    likelihood = JointLikelihood(Datasets([dataset]), models)
    [predicted] = likelihood.predicted(likelihood.layout.start)
    y, x = 12, 8
    rows, columns = np.ogrid[:23, :27]
    inside = (rows - y) ** 2 + (columns - x) ** 2 <= 2.1**2
    counts = float((dataset.counts * dataset.mask)[:, inside].sum())
    expected = float(predicted[:, inside].sum())
    assert maps["counts"][0, y, x] == counts
    assert maps["npred_excess"][0, y, x] == pytest.approx(counts - expected, rel=1e-9)
    statistic = Cash(np.array([counts]))
    ts = statistic.value(np.array([expected])) - statistic.value(np.array([counts]))
    assert maps["ts"][0, y, x] == pytest.approx(ts[0], rel=1e-9)
    per_norm = maps["npred_excess"][0, y, x] / maps["norm"][0, y, x]
    for name, sign, rise in (("norm_errp", 1, 1.0), ("norm_errn", -1, 1.0)):
        end = counts + sign * maps[name][0, y, x] * per_norm
        assert (statistic.value(np.array([end])) - statistic.value(np.array([counts])))[0] == pytest.approx(rise)
    end = maps["norm_ul"][0, y, x] * per_norm + expected
    assert (statistic.value(np.array([end])) - statistic.value(np.array([counts])))[0] == pytest.approx(4.0)
    assert np.isnan(maps["sqrt_ts"][0][~dataset.mask.any(axis=0)]).all()


def test_significance_of_off_counts_is_that_of_li_and_ma() -> None:
    """Li & Ma, 1983, eq. 17, with the mean alpha of the circle; errors where W has risen by 1."""
    dataset = on_off_cube()
    maps = ExcessMapEstimator(correlation_radius=0.25).run(Datasets([dataset]), Models())
    y, x = 10, 12
    on, off, alpha = (maps[name][0, y, x] for name in ("counts", "counts_off", "alpha"))
    share = alpha / (1 + alpha) * (on + off) / on, (on + off) / (1 + alpha) / off
    significance = np.sqrt(2 * (on * np.log(1 / share[0]) + off * np.log(1 / share[1])))
    assert abs(maps["sqrt_ts"][0, y, x]) == pytest.approx(significance, rel=1e-9)
    statistic, best = WStat(*(np.array([v]) for v in (on, off, alpha))), on - alpha * off
    per_norm = maps["npred_excess"][0, y, x] / maps["norm"][0, y, x]
    for end, rise in (
        (best + maps["norm_errp"][0, y, x] * per_norm, 1.0),
        (best - maps["norm_errn"][0, y, x] * per_norm, 1.0),
        (maps["norm_ul"][0, y, x] * per_norm, 4.0),
    ):
        risen = statistic.value(np.array([end])) - statistic.value(np.array([best]))
        assert risen[0] == pytest.approx(rise, rel=1e-6)


def test_residuals_of_the_truth_are_normal() -> None:
    """Of Poisson counts around what is predicted: mean 0 and width 1 within four of their errors."""
    geometry = cube().geometry
    random = np.random.default_rng(3)
    flat = np.full((3, *geometry.shape), 4.0)
    dataset = cube().with_(
        counts=random.poisson(flat).astype(np.float32), background=flat.astype(np.float32), mask_safe=None
    )
    maps, [found] = ResidualMapEstimator(correlation_radius=0.15).run(Datasets([dataset]), Models())
    assert found.n == 23 * 27
    assert found.counts.sum() + found.below + found.above == found.n
    assert found.mean is not None
    assert found.width is not None
    assert abs(found.mean) < 4 * (found.mean_err or 0)
    assert abs(found.width - 1) < 4 * (found.width_err or 0)
    assert maps.kind == "residual"
    assert set(maps.data) == {"counts", "npred", "residual", "sqrt_ts"}


def ts_map() -> SkyMaps:
    return TSMapEstimator(intervals=False).run(Datasets([same_everywhere()]), Models([background()]))


def test_peaks_become_sources() -> None:
    """The source of the sample, with about its flux: models that a fit may start from."""
    maps = ts_map()
    peaks = find_peaks(maps.geometry, maps["sqrt_ts"][0], 5.0, 0.5, maps["norm"][0])
    assert maps.geometry.separation(peaks[0].lon, peaks[0].lat).shape == (23, 27)
    assert abs(peaks[0].lon - 83.63) < 0.2
    assert abs(peaks[0].lat - 22.01) < 0.2
    found = candidates(peaks, default_kernel(), "icrs", taken=["peak-1"])
    assert found.names[0] == "peak-2"
    spectrum = found[0].spectral_model
    assert spectrum.parameter("amplitude").value == pytest.approx((peaks[0].norm or 0) * 1e-12)


def test_peaks_keep_their_distance() -> None:
    values = np.zeros((9, 9))
    values[4, 4], values[4, 6], values[1, 1] = 6.0, 5.5, 5.2
    geometry = GRIDS["icrs"].window(slice(0, 9), slice(0, 9))
    assert [(p.row, p.column) for p in find_peaks(geometry, values, 5.0)] == [(4, 4), (4, 6), (1, 1)]
    assert [(p.row, p.column) for p in find_peaks(geometry, values, 5.0, 0.25)] == [(4, 4), (1, 1)]
    assert find_peaks(geometry, np.full((9, 9), np.nan)) == []


def test_what_cannot_be_mapped_is_refused() -> None:
    with pytest.raises(DataError, match="has no pixels"):
        TSMapEstimator().run(Datasets([on_off()]), Models())
    with pytest.raises(DataError, match=r"off counts measure.*\n.*ts, excess and residual take off counts"):
        PSMapEstimator().run(Datasets([on_off_cube()]), Models())
    with pytest.raises(DataError, match="with and without off counts"):
        TSMapEstimator().run(Datasets([cube(), on_off_cube()]), Models())
    with pytest.raises(DataError, match="on different pixels"):
        TSMapEstimator().run(Datasets([cube(), cube("other", grid="galactic")]), Models())
    with pytest.raises(DataError, match="with and without off counts"):
        ExcessMapEstimator().run(Datasets([cube(), on_off_cube()]), Models())
    with pytest.raises(UsageError, match="at least two positive energies"):
        TSMapEstimator(energy_edges=[1.0]).run(Datasets([cube()]), Models())
    with pytest.raises(UsageError, match="no dataset"):
        TSMapEstimator().run(Datasets(), Models())


def test_a_circle_larger_than_the_map_is_the_map() -> None:
    """Whatever the radius, no more is summed than there is: a larger one takes neither time nor memory."""
    geometry = WcsGeometry.create(83.63, 22.01, 0.02, shape=(9, 12))
    image = np.random.default_rng(1).random(geometry.shape)
    disk = disk_of(geometry, 180.0, Conventions.GAMMAPY)
    assert disk.size < 1000
    np.testing.assert_allclose(around(image, disk), image.sum(), rtol=1e-12)


@pytest.mark.parametrize("shape", [(30, 50), (4, 9), (25, 3), (90, 70)])
@pytest.mark.parametrize("radius", [0.5, 4.0, 6.3, 33.0])
def test_sums_over_circles_are_those_of_their_pixels(shape: tuple[int, int], radius: float) -> None:
    """Of small circles row by row, of large ones by a transform; also where a circle is larger than the map."""
    image = np.random.default_rng(3).random(shape)
    disk = disk_of(WcsGeometry.create(0.0, 0.0, 1.0, shape=shape), radius, Conventions.EXACT)
    y, x = (place.ravel() for place in np.mgrid[: shape[0], : shape[1]])
    within = (y[:, None] - y) ** 2 + (x[:, None] - x) ** 2 <= radius**2
    np.testing.assert_allclose(around(image, disk).ravel(), within @ image.ravel(), rtol=1e-11)


@pytest.mark.parametrize("steps", [(0.1, 0.25), (0.3, 0.1)])
def test_circles_on_pixels_that_are_no_squares(steps: tuple[float, float]) -> None:
    """They are circles on the sky, or it is said that they are not."""
    geometry = WcsGeometry.create(10.0, 0.0, steps, shape=(61, 61), frame="galactic", projection="TAN")
    image = np.zeros(geometry.shape)
    image[30, 30] = 1.0
    inside = geometry.separation(*geometry.center(), "galactic") < 1.02
    exact, usual = (around(image, disk_of(geometry, 1.02, c)) for c in (Conventions.EXACT, Conventions.GAMMAPY))
    assert np.array_equal(exact > 0.5, inside)
    assert not np.array_equal(usual > 0.5, inside)
    assert told_of_circles(geometry, Conventions.EXACT) == ()
    (said,) = told_of_circles(geometry, Conventions.GAMMAPY)
    assert said.startswith(f"pixels are {steps[0]:g} x {steps[1]:g} deg: circles have a radius in pixels")
    assert told_of_circles(WcsGeometry.create(0.0, 0.0, 0.02, width=10.0), Conventions.GAMMAPY) == ()
    sky = WcsGeometry.create(0.0, 0.0, 2.0, shape=(90, 180), frame="galactic", projection="CAR")
    assert told_of_circles(sky, Conventions.GAMMAPY)[0].endswith("circles are as many pixels everywhere")


@pytest.mark.parametrize("n_energy", [3, 40])
def test_pixels_are_told_apart_by_the_energies_that_enter(n_energy: int) -> None:
    """Of many energies, too, where their kinds do not fit into one number."""
    random = np.random.default_rng(4)
    mask = (random.random((4, n_energy, 1)) < 0.5)[random.integers(0, 4, 30)].reshape(5, 6, n_energy).transpose(2, 0, 1)
    found = list(_patterns(mask))
    assert sum(pixels.sum() for _, pixels in found) == mask.any(axis=0).sum()
    assert len({energies.tobytes() for energies, _ in found}) == len(found)
    for energies, pixels in found:
        assert (mask[:, pixels] == energies[:, None]).all()


@pytest.mark.parametrize("response", ["psf", "psf only", "reco"])
@pytest.mark.parametrize("make", [cube, on_off_cube])
def test_counts_of_a_flux_in_every_pixel_are_those_of_a_component_without_a_shape(make: Any, response: str) -> None:
    dataset = make("one", response=response)
    flat = SkyModel(
        name="flat",
        spectral_model=default_kernel().spectral_model,
        apply_irf={"exposure": True, "psf": False, "edisp": True},
    )
    expected = predict_component(dataset.without_data(), flat, "gammapy")
    found = exposed_counts(dataset, default_kernel(), Conventions.GAMMAPY, Models([flat]))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14 * expected.max())


def test_a_ts_without_any_background_beside_it_has_no_end_and_says_so() -> None:
    """All counts are the source's: ``-2 ln L = 2 N (u - ln u)``, u the norm over the best one, cut off below."""
    dataset = same_everywhere()
    bare = Datasets([dataset.with_(background=np.zeros_like(dataset.counts))])
    found = TSMapEstimator().run(bare, Models([source(shape=held(point()), amplitude="1e-30 TeV-1 s-1 cm-2")]))
    norm, ts, error, down, up, limit = (
        found[name][0] for name in ("norm", "ts", "norm_err", "norm_errn", "norm_errp", "norm_ul")
    )
    seen = np.isfinite(norm)
    assert seen.any()
    assert np.isfinite(ts[seen]).all()
    assert ts[seen].min() > 1000.0
    n_counts = (norm / error) ** 2
    for end, rise in ((norm - down, 1.0), (norm + up, 1.0), (limit, 4.0)):
        share = end / norm
        assert 2 * (n_counts * (share - 1 - np.log(share)))[seen] == pytest.approx(rise, rel=1e-5)
    [told] = [text for text in found.remarks if "has no end" in text]
    assert told.startswith("cube: without a source nothing is predicted for the counts of")
    assert not any("has no end" in text for text in ts_map().remarks)


def test_an_image_with_a_psf_of_reconstructed_energy_is_that_of_its_energies() -> None:
    """Of 0.3 to 0.06 deg: joined energies had the PSF in their middle, and half of the norm."""
    given = cube("m", response="plain").with_(mask_safe=None)
    sigma = np.array([0.3, 0.15, 0.06])[:, None]
    rad = NodeAxis.from_edges("rad", np.linspace(0.0, 1.5, 301), "deg")
    profile = np.exp(-0.5 * (rad.center / sigma) ** 2) / (2 * np.pi * np.radians(sigma) ** 2)
    one = WcsGeometry.create(LON, LAT, 180.0, shape=(1, 1))
    dataset = given.with_(psf=PsfMap(one, given.energy, rad, profile[..., None, None]))
    image = to_image(Datasets([dataset]), Models(), "m", name="image").datasets
    maps = TSMapEstimator(conventions="exact", intervals=False)
    summed, joined = (maps.run(datasets, Models()) for datasets in (Datasets([dataset]), image))
    for name in ("norm", "norm_err", "ts"):
        np.testing.assert_allclose(joined.data[name], summed.data[name], rtol=2e-3, atol=2e-3 * summed.data[name].max())
