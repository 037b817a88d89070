"""What a prediction takes for granted or leaves out, in words: what people have to know to trust its numbers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import numpy as np

from gm.conventions import Conventions
from gm.datasets import Dataset
from gm.datasets.kinds import is_map, is_spectrum
from gm.datasets.left_out import LeftOut, data_warnings, listed
from gm.datasets.map_dataset import SkyMap
from gm.datasets.origin import origin_of
from gm.irf.scaled_edisp import ScaledDispersion
from gm.likelihood.times import uncovered
from gm.maps.pixel_grid import PixelGrid
from gm.models import Models, SkyModel
from gm.models.spatial.piecewise import PiecewiseNormSpatialModel
from gm.models.spatial.templates import TemplateShape

_WORDS = {"psf": "PSF", "edisp": "energy dispersion"}
_AROUND = 2.0  # [deg] from a position that are looked at
_TORN = 20.0  # times the distance that a projection stretches nowhere


def remarks(
    datasets: Sequence[Dataset],
    models: Models,
    conventions: Conventions,
    known: Sequence[Sequence[LeftOut]] | None = None,
) -> list[str]:
    """One sentence for each: of data that are left out, of responses that are missing, of files with values that are
    not used, of datasets without a source, of sources without a shape or beyond the border of a map, of templates that
    end before the data do.

    known : what is left out of each dataset, where that is known
    """
    told: dict[str, list[str]] = {}
    for dataset in datasets:
        for text in (*dataset.remarks(), *_of_responses(dataset)):
            told.setdefault(text, []).append(dataset.name)
    for name, text in _of_scales(datasets, models):
        told.setdefault(text, []).append(name)
    texts = data_warnings(datasets, known) + [f"{listed(names)}: {text}" for text, names in told.items()]
    texts += [
        f"{listed(names)}: what {file} holds counts {len(names)} times" for file, names in _counted_again(datasets)
    ]
    sources = {component.name: component for component in models.sources()}
    alone = [d.name for d in datasets if not any(component.applies_to(d.name) for component in sources.values())]
    if sources and alone:
        texts.append(f"{listed(alone)}: no source of the models applies")
    by_name = {dataset.name: dataset for dataset in datasets}
    for component in models:
        seen = component.applied(by_name)
        if seen:
            texts += [f"{component.name}: {text}" for text in component.remarks()]
        if seen and component.name in sources:
            texts += _on_maps(sources[component.name], seen, conventions)
            texts += _in_time(sources[component.name], seen)
    texts += [
        f"{component.name}: its shape on the sky is not used, {name} is no map"
        for name, component in models.backgrounds().items()
        if component.spatial_model is not None and name in by_name and not is_map(by_name[name])
    ]
    followers = [link for link in models.links if link.unused]
    return texts + [f"{link.parameter} follows {link.equals}; not used of its own: {link.unused}" for link in followers]


def _of_responses(dataset: Dataset) -> Iterable[str]:
    for name in dataset.missing_responses():
        yield f"no {_WORDS[name]}: {'directions' if name == 'psf' else 'energies'} count as measured exactly"
    if (lost := dataset.lost_energies()) is not None:
        at = f"between {lost[0]:.3g} and {lost[1]:.3g} TeV"
        yield f"no energy dispersion at true energies {at}: nothing is predicted from there"
    if is_map(dataset) and dataset.geometry.columns_on_sky() is not None:
        yield "more columns than there are around the sky: what is seen of a source at one end is not seen at the other"


def _counted_again(datasets: Sequence[Dataset]) -> Iterable[tuple[str, list[str]]]:
    """Files that several datasets were read from, with their names, unless their masks keep them apart."""
    by_file: dict[str, list[Dataset]] = {}
    for dataset in datasets:
        if (origin := origin_of(dataset)) is not None and not origin.changed & {"counts", "points"}:
            by_file.setdefault(os.path.normpath(origin.entry.path), []).append(dataset)
    for file, same in by_file.items():
        if len(same) > 1 and (np.sum([dataset.mask for dataset in same], axis=0) > 1).any():
            yield os.path.basename(file), [dataset.name for dataset in same]


def _of_scales(datasets: Sequence[Dataset], models: Models) -> Iterable[tuple[str, str]]:
    """Names of datasets whose energies have a scale that bins of energy are too wide for, with what there is to say."""
    if not any("energy_scale" in component.response.told() for component in models.instruments()):
        return
    for dataset in datasets:
        scales = [c for c in models.instruments(dataset.name) if "energy_scale" in c.response.told()]
        if scales and is_spectrum(dataset):
            low, high = dataset.energy_edges()
            dispersion = ScaledDispersion(dataset.matrix(), np.append(low, high[-1]))
            if n := dispersion.n_unresolved():
                name = f"{scales[0].name}.energy_scale"
                yield (
                    dataset.name,
                    f"{n} true energies are each reconstructed in one bin, where {name} has little effect",
                )


def _on_maps(component: SkyModel, datasets: Iterable[Dataset], conventions: Conventions) -> Iterable[str]:
    maps = [dataset for dataset in datasets if is_map(dataset)]
    shape = component.spatial_model
    for what, names in (
        ("no shape on the sky: every pixel gets all of its flux", [d.name for d in maps if shape is None]),
        ("the template ends within the true energies: nothing is predicted beyond", _not_covered(component, maps)),
        ("pixels outside of the hull of its nodes: nothing is predicted there", _outside_of_nodes(component, maps)),
        (
            "lies beyond the border: what its PSF brings in is not counted (conventions: exact counts it)",
            [d.name for d in maps if not conventions.is_exact and _is_beyond(component, d)],
        ),
        (
            "lies where the projection tears the sky apart: what is on its other side is not counted",
            [d.name for d in maps if _is_torn(component, d)],
        ),
    ):
        if names:
            yield f"{component.name} on {listed(names)}: {what}"


def _in_time(component: SkyModel, datasets: Iterable[Dataset]) -> Iterable[str]:
    """Datasets whose good time begins before the light curve of a component, or goes on after it."""
    if component.temporal_model is not None:
        missing = {dataset.name: uncovered(component, dataset) for dataset in datasets}
        names = [name for name, part in missing.items() if part > 0]
        if names:
            parts = ", ".join(sorted({f"{100 * missing[name]:.3g} %" for name in names}))
            what = f"0 in the good time that its light curve does not cover, {parts}"
            yield f"{component.name} on {listed(names)}: {what}"


def _not_covered(component: SkyModel, maps: Iterable[SkyMap]) -> list[str]:
    """Maps with true energies that a template has no values for, and that are seen."""
    shape = component.spatial_model
    if not isinstance(shape, TemplateShape) or shape.template.energy_axis is None:
        return []
    return [
        dataset.name
        for dataset in maps
        if (~shape.template.covers(dataset.energy_true.center) & dataset.exposure.any(axis=(1, 2))).any()
    ]


def _outside_of_nodes(component: SkyModel, maps: Iterable[SkyMap]) -> list[str]:
    """Maps with pixels for which the nodes of a surface say nothing."""
    shape = component.spatial_model
    if not isinstance(shape, PiecewiseNormSpatialModel):
        return []
    skies = {d.name: PixelGrid(d.geometry).sky(shape.frame, *np.indices(d.geometry.shape)[::-1]) for d in maps}
    return [d.name for d in maps if (~shape.covers(skies[d.name]) & d.exposure.any(axis=0)).any()]


def _is_torn(component: SkyModel, dataset: SkyMap) -> bool:
    """Whether directions around the position are far from it on the map, where longitudes do not come again."""
    shape, bins = component.spatial_model, dataset.finer or dataset
    place = None if shape is None else shape.position(shape.values())
    if shape is None or place is None or bins.geometry.projection.period is not None:
        return False
    scale = max(bins.geometry.pixel_scales())
    reach = min(max(0.0 if bins.psf is None else float(bins.psf.rad.edges[-1]), scale), _AROUND)
    turn = np.linspace(0.0, 2.0 * np.pi, 8, endpoint=False)
    east = reach * np.cos(turn) / max(np.cos(np.radians(place[1])), 0.1)
    lat = np.clip(place[1] + reach * np.sin(turn), -90.0, 90.0)
    x, y = bins.geometry.position(np.append(place[0], place[0] + east), np.append(place[1], lat), shape.frame)
    inside = bool(-0.5 <= x[0] < bins.geometry.shape[1] - 0.5 and -0.5 <= y[0] < bins.geometry.shape[0] - 0.5)
    distance = np.nan_to_num(np.hypot(x[1:] - x[0], y[1:] - y[0]))
    return inside and bool(distance.max() > _TORN * reach / scale)


def _is_beyond(component: SkyModel, dataset: SkyMap) -> bool:
    """Whether the position is not on the map, and light from there reaches it through the PSF."""
    shape, bins = component.spatial_model, dataset.finer or dataset
    if shape is None or bins.psf is None or not component.apply_irf["psf"]:
        return False
    place = shape.position(shape.values())
    if place is None:
        return False
    at = np.array([float(value) for value in bins.geometry.position(*place, shape.frame)])
    size = np.array(bins.geometry.shape[::-1])
    beyond = np.maximum(np.maximum(-0.5 - at, at - (size - 0.5)), 0.0) * bins.geometry.pixel_scales()
    reach = float(bins.psf.rad.edges[-1]) + (shape.evaluation_radius(shape.values()) or 0.0)
    return bool(0.0 < np.hypot(*beyond) < reach)
