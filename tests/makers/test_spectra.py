"""Makers of spectra on made observations: against slow ones, by what they conserve, and what they refuse."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gm.datasets import MapDatasetOnOff, SpectrumDataset
from gm.errors import DataError
from gm.io.tables import Table
from gm.makers.exclusion import Exclusion
from gm.makers.maker import NoBackground
from gm.makers.maps import MapDatasetMaker
from gm.makers.phases import PhaseBackgroundMaker, wrapped
from gm.makers.reflected import ReflectedRegionsBackgroundMaker
from gm.makers.region_finders import ReflectedRegionsFinder, RegionsFinder, WobbleRegionsFinder
from gm.makers.remarks import remarks
from gm.makers.safe_mask import SafeMaskMaker, energy_bias, first_crossing
from gm.makers.spectra import SpectrumDatasetMaker, empty_spectrum
from gm.makers.target import empty_map
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.sky_region import SkyRegion
from gm.maps.sphere import offset_north, position_angle, separation
from gm.observations import DataStore, Observation
from gm.observations.events import in_phases
from tests.dl3_files import ENERGY, MIGRA, OFFSET, aeff, bins, edisp, psf, response, write_observation

AXIS, TRUE = EnergyAxis(np.geomspace(0.2, 50.0, 9)), EnergyAxis(np.geomspace(0.1, 100.0, 13), "energy_true")
POINTING = (83.6, 22.5)


def region(kind: str = "circle", lon: float = 83.6, lat: float = 22.0, **sizes: Any) -> SkyRegion:
    sizes = sizes or {"radius": 0.2}
    return SkyRegion.from_mapping({"type": kind, "center": [lon, lat], "frame": "icrs", **sizes})


def empty(where: SkyRegion | None = None) -> SpectrumDataset:
    return empty_spectrum("run", AXIS, TRUE, where or region())


@pytest.fixture(scope="module")
def observation(tmp_path_factory: pytest.TempPathFactory) -> Observation:
    from tests.dl3_files import events

    path = write_observation(tmp_path_factory.mktemp("dl3") / "run.fits", events=events(20000))
    return DataStore.open(path).observation(1)


def point_like(folder: Path, **parts: Table) -> Observation:
    path = write_observation(folder / "run.fits", **{"aeff": aeff(point_like=True, RAD_MAX=0.2), **parts})
    return DataStore.open(path).observation(1)


def rad_max() -> Table:
    """From 0.4 deg at the lowest energies to 0.15 at the highest."""
    cell = np.broadcast_to(np.linspace(0.4, 0.15, len(ENERGY) - 1), (len(OFFSET) - 1, len(ENERGY) - 1)).copy()
    axes = [*bins("ENERG", ENERGY, "TeV"), *bins("THETA", OFFSET, "deg")]
    return response("RAD_MAX", axes, "RAD_MAX", cell, "deg", "RAD_MAX", "POINT-LIKE", "RAD_MAX_2D")


# spectra


def test_a_spectrum_holds_what_is_in_its_region(observation: Observation) -> None:
    dataset, component = SpectrumDatasetMaker().run(empty(), observation)
    assert component is None
    events = observation.events
    inside = events.energy[separation(83.6, 22.0, events.lon, events.lat) < 0.2]
    assert dataset.counts.tolist() == np.histogram(inside, AXIS.edges)[0].tolist()
    assert (dataset.name, dataset.livetime, dataset.mask_safe.all()) == ("run", 900.0, True)  # type: ignore[union-attr]
    assert dataset.meta["OBS_ID"] == 1
    assert_allclose(dataset.exposure, 900.0 * observation.aeff.evaluate(TRUE.center, 0.5))
    corrected, _ = SpectrumDatasetMaker(containment_correction=True).run(empty(), observation)
    assert_allclose(corrected.exposure, dataset.exposure * observation.psf.containment(0.2, TRUE.center, 0.5))


def test_responses_that_are_linear_have_the_average_of_the_centre(
    observation: Observation,
) -> None:
    average, _ = SpectrumDatasetMaker(use_region_center=False).run(empty(), observation)
    center, _ = SpectrumDatasetMaker().run(empty(), observation)
    assert_allclose(average.exposure, center.exposure, rtol=5e-3)
    assert_allclose(average.background, center.background, rtol=1e-2)


def test_background_does_not_depend_on_parts_of_bins_that_are_power_laws(observation: Observation) -> None:
    once, _ = SpectrumDatasetMaker().run(empty(), observation)
    fine, _ = SpectrumDatasetMaker(background_oversampling=7).run(empty(), observation)
    assert_allclose(fine.background[1:-1], once.background[1:-1], rtol=1e-9)  # type: ignore[index]


def test_only_what_is_selected_is_made(observation: Observation) -> None:
    dataset, _ = SpectrumDatasetMaker(selection=("counts",)).run(empty(), observation)
    assert (dataset.edisp, dataset.background, dataset.exposure.any(), dataset.counts.any()) == (
        None,
        None,
        False,
        True,
    )
    with pytest.raises(DataError, match="observation 1: no bkg"):
        SpectrumDatasetMaker().run(empty(), Observation(1, {k: v for k, v in observation.hdus.items() if k != "bkg"}))
    with pytest.raises(DataError, match="selection of psf"):
        SpectrumDatasetMaker(selection=("counts", "psf"))


def test_a_selection_of_events_goes_through(observation: Observation) -> None:
    dataset, _ = SpectrumDatasetMaker().run(empty(), observation.select(energy=(1.0, 5.0), phase=((0.0, 0.5),)))
    assert dataset.livetime == 450.0
    assert dataset.counts[AXIS.hi < 1.0].sum() + dataset.counts[AXIS.lo >= 5.0].sum() == 0


def test_makers_are_values(observation: Observation) -> None:
    off = ReflectedRegionsBackgroundMaker(WobbleRegionsFinder(3), Exclusion((region(radius=0.1),)))
    for maker in (SpectrumDatasetMaker(), SafeMaskMaker(), off, PhaseBackgroundMaker([(0, 0.2)], [(0.4, 0.9)])):
        assert copy.deepcopy(maker) == maker
        assert pickle.loads(pickle.dumps(maker)) == maker
    start = empty()
    before = start.counts.copy()
    SpectrumDatasetMaker().run(start, observation)
    assert start.counts.tolist() == before.tolist()


@pytest.mark.parametrize(
    ("where", "maker", "message"),
    [
        (region("point"), SpectrumDatasetMaker(), "only point-like responses with RAD_MAX"),
        (
            region("ellipse", width=0.3, height=0.2),
            SpectrumDatasetMaker(containment_correction=True),
            "containment correction needs a circle",
        ),
    ],
)
def test_regions_for_which_responses_do_not_hold(
    observation: Observation, where: SkyRegion, maker: SpectrumDatasetMaker, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        maker.run(empty(where), observation)


@pytest.mark.parametrize(
    ("where", "maker", "message"),
    [
        (region(radius=0.3), SpectrumDatasetMaker(), "a circle of 0.3 deg, but the responses are for RAD_MAX 0.2"),
        (region("rectangle", width=0.3, height=0.3), SpectrumDatasetMaker(), "hold for a point, or for a circle"),
        (region(), SpectrumDatasetMaker(containment_correction=True), "have their containment in them"),
    ],
)
def test_regions_for_which_point_like_responses_do_not_hold(
    tmp_path: Path, where: SkyRegion, maker: SpectrumDatasetMaker, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        maker.run(empty(where), point_like(tmp_path))


# off regions


def slow_run(finder: ReflectedRegionsFinder, on: SkyRegion, exclude: SkyRegion | None) -> list[tuple[float, float]]:
    """Centres found with all pixels of the image, one angle after the other."""
    off = finder.run(on, *POINTING, None)
    grid, shape = off.grid, on.shapes[0].to_pixels(off.grid)
    x, y = np.meshgrid(np.arange(grid.shape[1], dtype=float), np.arange(grid.shape[0], dtype=float))
    excluded = np.zeros(grid.shape, bool) if exclude is None else exclude.contains(grid)
    inside = shape.contains(x, y)
    angles = np.unwrap(np.sort(np.arctan2(off.x - x[inside], off.y - y[inside])))
    step, found, angle = float(np.ptp(angles)) + finder.min_distance, [], 0.0
    angle = step + finder.min_distance_input
    while angle < 2 * np.pi - step - finder.min_distance_input and len(found) < finder.max_region_number:
        turned = shape.rotated(off.x, off.y, angle)
        if (turned.contains(x, y) & excluded).any():
            angle += finder.angle_increment
            continue
        found.append((float(turned.x[0]), float(turned.y[0])))
        angle += step
    return found


@pytest.mark.parametrize(
    "on", [region(), region("ellipse", width=0.4, height=0.2, angle=20.0)], ids=["circle", "ellipse"]
)
@pytest.mark.parametrize(
    "exclude",
    [None, region(lon=84.1, lat=22.6, radius=0.15), region("rectangle", lat=23.0, width=2.0, height=0.1)],
    ids=["nothing", "circle", "rectangle"],
)
@pytest.mark.parametrize("finder", [ReflectedRegionsFinder(), ReflectedRegionsFinder(0.03, 0.2, 0.5, 3, 0.02)], ids=str)
def test_reflected_regions_are_those_found_with_the_whole_image(
    on: SkyRegion, exclude: SkyRegion | None, finder: ReflectedRegionsFinder
) -> None:
    found = finder.run(on, *POINTING, None if exclude is None else Exclusion((exclude,)))
    centers = [(float(shape.x[0]), float(shape.y[0])) for shape in found.shapes]
    assert_allclose(centers, slow_run(finder, on, exclude), atol=1e-9)
    sky = found.to_sky().shapes
    distances = [separation(*POINTING, shape.lon[0], shape.lat[0]) for shape in sky]
    assert_allclose(distances, separation(*POINTING, 83.6, 22.0), atol=1e-9)


def test_wobble_regions_divide_the_circle() -> None:
    off = WobbleRegionsFinder(3).run(region(), *POINTING)
    sky = off.to_sky().shapes
    angles = sorted(float(position_angle(*POINTING, shape.lon[0], shape.lat[0])) for shape in sky)
    assert_allclose(np.mod(angles, 360.0), [0.0, 90.0, 270.0] if angles[0] < 1 else angles, atol=1e-6)
    assert off.n == 3
    excluded = Exclusion((region(lat=23.0, radius=0.05),))
    assert WobbleRegionsFinder(3).run(region(), *POINTING, excluded).n == 2
    assert WobbleRegionsFinder(20).run(region(), *POINTING).n == 0  # they would overlap


def test_off_counts_are_those_of_all_regions(observation: Observation) -> None:
    made, _ = SpectrumDatasetMaker().run(empty(), observation)
    finder = ReflectedRegionsFinder()
    dataset, component = ReflectedRegionsBackgroundMaker(finder).run(made, observation)
    events, sky = observation.events, finder.run(region(), *POINTING).to_sky().shapes
    inside = np.any([separation(s.lon[0], s.lat[0], events.lon, events.lat) < 0.2 for s in sky], axis=0)
    inside &= events.energy >= AXIS.edges[0]
    assert component is None
    assert abs(dataset.counts_off.sum() - inside.sum()) <= 2  # circles on the sky and in pixels differ at the rim
    assert (dataset.acceptance_off == len(sky)).all()
    assert (dataset.counts.tolist(), dataset.livetime) == (made.counts.tolist(), 900.0)


@pytest.mark.parametrize(
    ("maker", "where", "message"),
    [
        (ReflectedRegionsBackgroundMaker(), region(lat=22.45), "no off region: the region takes .* no place beside it"),
        (
            ReflectedRegionsBackgroundMaker(exclusion=Exclusion((region(lat=22.5, radius=3.0),))),
            region(),
            "no off region: every place around the pointing touches what is excluded",
        ),
        (ReflectedRegionsBackgroundMaker(WobbleRegionsFinder(20)), region(), "no off region: 21 regions .* overlap"),
    ],
)
def test_no_place_for_off_regions(
    observation: Observation, maker: ReflectedRegionsBackgroundMaker, where: SkyRegion, message: str
) -> None:
    with pytest.raises(NoBackground, match=message):
        maker.run(SpectrumDatasetMaker().run(empty(where), observation)[0], observation)


def test_settings_that_find_nothing_are_refused() -> None:
    with pytest.raises(DataError, match="angle_increment is 0 rad"):
        ReflectedRegionsFinder(angle_increment=0.0)
    with pytest.raises(DataError, match="a point, without a size"):
        ReflectedRegionsFinder().run(region("point"), *POINTING)
    with pytest.raises(DataError, match="the region lies 63 deg from the pointing"):
        ReflectedRegionsFinder().run(region(lat=-40.3), *POINTING)
    with pytest.raises(DataError, match="no pixel of their image"):
        ReflectedRegionsFinder().run(region(lat=22.003, radius=0.001), *POINTING)


def test_rad_max_is_the_radius_at_each_energy(tmp_path: Path) -> None:
    from tests.dl3_files import events

    observation = point_like(tmp_path, rad_max=rad_max(), events=events(20000))
    made, _ = SpectrumDatasetMaker(("counts", "exposure")).run(empty(region("point", lat=21.7)), observation)
    found = observation.events
    cut = observation.rad_max.evaluate(found.energy, 0.8)  # type: ignore[union-attr]
    inside = separation(83.6, 21.7, found.lon, found.lat) <= cut
    assert made.counts.tolist() == np.histogram(found.energy[inside], AXIS.edges)[0].tolist()
    dataset, _ = ReflectedRegionsBackgroundMaker(WobbleRegionsFinder(1)).run(made, observation)
    opposite = separation(83.6, 23.3, found.lon, found.lat) <= cut
    assert abs(dataset.counts_off.sum() - np.histogram(found.energy[opposite], AXIS.edges)[0].sum()) <= 1
    with pytest.raises(NoBackground, match=r"regions of RAD_MAX 0.4 deg overlap, 0.612 deg apart"):
        ReflectedRegionsBackgroundMaker(WobbleRegionsFinder(7)).run(made, observation)


# phases


def test_phases_on_and_off(observation: Observation) -> None:
    made, _ = SpectrumDatasetMaker().run(empty(), observation)
    dataset, component = PhaseBackgroundMaker([(0.9, 1.1)], [(0.2, 0.5), (0.6, 0.7)]).run(made, observation)
    events = observation.events
    inside = separation(83.6, 22.0, events.lon, events.lat) < 0.2
    phase = events.column("PHASE")
    on, off = (phase >= 0.9) | (phase < 0.1), ((phase >= 0.2) & (phase < 0.5)) | ((phase >= 0.6) & (phase < 0.7))
    for counts, part in ((dataset.counts, on), (dataset.counts_off, off)):
        assert counts.tolist() == np.histogram(events.energy[inside & part], AXIS.edges)[0].tolist()
    assert_allclose([dataset.acceptance[0], dataset.acceptance_off[0]], [0.2, 0.4], rtol=1e-12)
    assert (component, dataset.name, dataset.livetime) == (None, "run", 900.0)


def test_phases_of_a_map_are_those_of_its_regions(observation: Observation) -> None:
    """No background is needed; counts are those of a spectrum, summed over the pixels of its region."""
    geometry = WcsGeometry.create(83.6, 22.0, 0.02, (0.6, 0.6), projection="TAN")
    target = empty_map("map", geometry, AXIS, TRUE)
    made, _ = MapDatasetMaker(("counts", "exposure")).run(target, observation)
    maker = PhaseBackgroundMaker([(0.9, 1.1)], [(0.2, 0.5), (0.6, 0.7)])
    dataset, component = maker.run(made, observation)
    assert isinstance(dataset, MapDatasetOnOff)
    assert (component, dataset.name, dataset.livetime) == (None, "map", 900.0)
    events = observation.events
    phase, held = events.column("PHASE"), geometry.index(events.lon, events.lat, "icrs")[0] >= 0
    on, off = (phase >= 0.9) | (phase < 0.1), ((phase >= 0.2) & (phase < 0.5)) | ((phase >= 0.6) & (phase < 0.7))
    for counts, part in ((dataset.counts, on), (dataset.counts_off, off)):
        assert counts.sum(axis=(1, 2)).tolist() == np.histogram(events.energy[held & part], AXIS.edges)[0].tolist()
        assert counts.sum() > 0
    assert_allclose([dataset.acceptance.min(), dataset.acceptance_off.max()], [0.2, 0.4], rtol=1e-6)


@pytest.mark.parametrize("turns", [-1.0, 0.0, 7.0])
def test_whole_turns_of_a_phase_do_not_count(turns: float) -> None:
    """Columns from -0.5 to 0.5, or with the number of the pulse, lost the events of which the live time was kept."""
    phase = np.array([0.0, 0.05, 0.25, 0.75, 0.95])
    shifted = np.where(phase < 0.5, phase + turns, phase + turns - 1.0)
    for part in ([(0.9, 1.1)], [(0.2, 0.8)], [(0.0, 1.0)]):
        np.testing.assert_array_equal(in_phases(shifted, wrapped(part)), in_phases(phase, wrapped(part)))
    assert in_phases(shifted, wrapped([(0.9, 1.1)])).tolist() == [True, True, False, False, True]


def test_phases_that_pass_one_go_on_at_zero() -> None:
    assert_allclose(wrapped([(0.9, 1.1)]), [(0.0, 0.1), (0.9, 1.0)])
    assert_allclose(wrapped([(-0.2, 0.1), (0.3, 0.4)]), [(0.0, 0.1), (0.3, 0.4), (0.8, 1.0)])
    assert wrapped([(0.0, 1.0)]) == ((0.0, 1.0),)
    for bad, message in (
        ([(0.2, 0.1)], "longer than 1"),
        ([(0.0, 1.2)], "longer than 1"),
        ([(0.1, 0.3), (0.2, 0.4)], "phases overlap"),
        ([], "no interval"),
    ):
        with pytest.raises(DataError, match=message):
            wrapped(bad)


# tables that do not add up to 1


def times(factor: float, table: Table) -> Table:
    """A table with its values, in the last column, scaled."""
    *axes, values = table.columns
    return Table(table.name, (*axes, replace(values, values=factor * np.asarray(values.values))), table.header)


def test_tables_that_do_not_add_up_to_1_are_scaled_and_told(observation: Observation, tmp_path: Path) -> None:
    """Datasets get them scaled, as from Gammapy; a containment cannot be read from such a PSF."""
    parts = {"edisp": times(3.0, edisp()), "psf": times(0.5, psf())}
    odd = DataStore.open(write_observation(tmp_path / "odd.fits", **parts)).observation(1)
    axes = EnergyAxis(AXIS.edges), EnergyAxis(AXIS.edges, "energy_true")
    target = empty_map("map", WcsGeometry.create(83.6, 22.0, 0.1, shape=(5, 5)), *axes)
    maps = [MapDatasetMaker().run(target, one)[0] for one in (observation, odd)]
    for part in ("edisp", "psf"):
        assert_allclose(*(getattr(one, part).data for one in maps), rtol=1e-5)
    assert list(remarks(maps[0], observation)) == []
    assert [text.partition(" adds up to as much as ")[::2] for text in remarks(maps[1], odd)] == [
        ("the table of the energy dispersion", "3, expected 1: it is scaled to 1"),
        ("the table of the PSF", "0.508, expected 1: it is scaled to 1"),
    ]
    of_bins = times(MIGRA[1] - MIGRA[0], edisp())
    known = DataStore.open(write_observation(tmp_path / "bins.fits", edisp=of_bins)).observation(1)
    assert list(remarks(MapDatasetMaker().run(target, known)[0], known)) == []
    wide = DataStore.open(write_observation(tmp_path / "wide.fits", psf=times(3.0, psf()))).observation(1)
    with pytest.raises(DataError, match=r"the PSF adds up to as much as 3.*\n.*containment_correction"):
        SpectrumDatasetMaker(containment_correction=True).run(empty(), wide)


def ending_early(at: slice, rad: int, table: Table) -> Table:
    """A PSF table with nothing beyond some distances, at some energies."""
    *axes, values = table.columns
    cut = np.array(values.values)
    cut[..., rad:, :, at] = 0.0
    return Table(table.name, (*axes, replace(values, values=cut)), table.header)


def test_a_psf_that_ends_early_at_some_energies_is_told(observation: Observation, tmp_path: Path) -> None:
    """Also where its containment corrects a spectrum; not where no photons are expected."""
    middle, rad = len(ENERGY) // 2, 2
    axes = EnergyAxis(AXIS.edges), EnergyAxis(AXIS.edges, "energy_true")
    target = empty_map("map", WcsGeometry.create(83.6, 22.0, 0.1, shape=(5, 5)), *axes)
    early = ending_early(slice(middle, middle + 2), rad, psf())
    short = DataStore.open(write_observation(tmp_path / "short.fits", psf=early)).observation(1)
    least = float(short.psf.containment(10.0, np.sqrt(ENERGY[middle : middle + 1] * ENERGY[middle + 1]), 0.5)[0])
    told = f"the table of the PSF adds up to {least:.3g} at some energies or offsets"
    assert 0.1 < least < 0.9
    assert list(remarks(MapDatasetMaker().run(target, short)[0], short)) == [
        f"{told}, where it ends early: it is scaled to 1"
    ]
    made = SpectrumDatasetMaker(containment_correction=True).run(empty(), short)[0]
    assert f"{told}: no more than that is taken to be in the region" in list(remarks(made, short, is_corrected=True))
    assert not any("PSF" in text for text in remarks(made, short))
    below = DataStore.open(write_observation(tmp_path / "below.fits", psf=ending_early(slice(0, 1), rad, psf())))
    first = EnergyAxis(AXIS.edges[AXIS.edges > ENERGY[1]], "energy_true")
    above = empty_map("map", WcsGeometry.create(83.6, 22.0, 0.1, shape=(5, 5)), axes[0], first)
    one = below.observation(1)
    assert not any("PSF" in text for text in remarks(MapDatasetMaker().run(above, one)[0], one))


# safe masks


def test_safe_masks_are_cut_by_every_method(observation: Observation) -> None:
    made, _ = SpectrumDatasetMaker().run(empty(), observation)
    default, _ = SafeMaskMaker().run(made, observation)
    assert default.mask_safe.tolist() == ((AXIS.lo >= 0.5 * (1 - 1e-6)) & (AXIS.hi <= 50.0 * (1 + 1e-6))).tolist()
    half = made.with_(mask_safe=np.arange(8) < 4)
    both, _ = SafeMaskMaker().run(half, observation)
    assert both.mask_safe.tolist() == (default.mask_safe & half.mask_safe).tolist()
    assert SafeMaskMaker(methods=["offset-max"], offset_max=0.51).run(made, observation)[0].mask_safe.all()
    assert not SafeMaskMaker(methods=["offset-max"], offset_max=0.49).run(made, observation)[0].mask_safe.any()
    few, _ = SafeMaskMaker(methods=["aeff-max"], aeff_percent=50.0).run(made, observation)
    energy = 0.5 * made.exposure.max() / (900.0 * 1e9 * (1 - 0.5 / 4))  # the area is proportional to the energy
    assert few.mask_safe.tolist() == (AXIS.lo >= energy).tolist()
    peak, _ = SafeMaskMaker(methods=["bkg-peak"]).run(made, observation)
    assert int(np.argmax(peak.mask_safe)) == int(np.argmax(made.background))


def test_bins_without_background_are_not_safe(observation: Observation) -> None:
    made, _ = SpectrumDatasetMaker().run(empty(), observation)
    background = made.background.copy()  # type: ignore[union-attr]
    background[3] = 0.0
    masked, _ = SafeMaskMaker(methods=()).run(made.with_(background=background), observation)
    assert masked.mask_safe.tolist() == (np.arange(8) != 3).tolist()


def test_no_effective_area_leaves_no_safe_bin(observation: Observation) -> None:
    masked, _ = SafeMaskMaker(methods=["aeff-max"]).run(empty(), observation)
    assert not masked.mask_safe.any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"methods": ["aeff_max"]}, "method 'aeff_max' is not known(.|\n)*did you mean 'aeff-max'"),
        ({"position": (83.0, 22.0, "icrs"), "fixed_offset": 0.5}, "not at both"),
    ],
)
def test_settings_of_masks_that_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        SafeMaskMaker(**settings)


@pytest.mark.parametrize(("method", "message"), [("edisp-bias", "no energy dispersion"), ("bkg-peak", "no background")])
def test_methods_need_what_they_look_at(observation: Observation, method: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        SafeMaskMaker(methods=[method]).run(empty(), observation)


def test_the_bias_is_that_of_the_mean_energy() -> None:
    true, reco = EnergyAxis(np.array([1.0, 4.0, 9.0])), EnergyAxis(np.array([1.0, 4.0, 16.0]))
    assert_allclose(energy_bias(np.array([[0.5, 0.5], [0.0, 0.0]]), reco, true), [(2.0 + 8.0) / 2 / 2 - 1, -1.0])


def test_the_first_crossing_lies_on_a_power_law() -> None:
    energy, values = np.array([1.0, 10.0, 100.0, 1000.0]), np.array([1.0, 100.0, 1.0, 0.0])
    assert_allclose(first_crossing(energy, values, 10.0), 10.0**0.5)
    assert_allclose(first_crossing(energy[1:], values[1:], 10.0), 10.0**1.5)
    assert first_crossing(energy, values, 101.0) is None
    assert first_crossing(energy, values, 100.0) == pytest.approx(10.0)
    assert 100.0 <= (first_crossing(energy[2:], values[2:], 0.5) or 0.0) < 101.0  # there is nothing behind


def test_a_position_north_of_another() -> None:
    assert_allclose(offset_north(83.0, 22.0, 1.5), (83.0, 23.5))
    assert_allclose(offset_north(83.0, 89.0, 2.0), (263.0, 89.0))


def test_finders_are_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        RegionsFinder()  # type: ignore[abstract]
