"""An analysis of data files: spectra, maps, flux points, observations, and models or datasets that are listed."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gm.config_schemas.reader import read_document
from gm.datasets import Dataset, Datasets, read_dataset
from gm.datasets.files.recognition import file_type
from gm.datasets.kinds import is_map
from gm.errors import DataError, UsageError
from gm.io.ecsv import is_text_table
from gm.io.file_names import distinct
from gm.io.fits import read_fits
from gm.observations import DataStore, Observation
from gm.pipeline.analysis.kinds import document_kind
from gm.pipeline.commands.scaffold.draft import (
    Draft,
    background_component,
    energy,
    number,
    power_law,
    sky_component,
)
from gm.pipeline.commands.show_observations import is_index

SOURCE = "source"
_PER_DECADE = 4  # flux points
_RANGE = (0.1, 100.0)  # of a Cherenkov array [TeV]


@dataclass
class _Found:
    """The files by what they are; ``listed`` are the datasets of documents."""

    datasets: list[Dataset] = field(default_factory=list)
    listed: list[Dataset] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    observations: list[Path] = field(default_factory=list)
    documents: dict[str, list[Path]] = field(default_factory=lambda: {"models": [], "datasets": []})
    others: list[Path] = field(default_factory=list)

    def named(self) -> list[tuple[str, Dataset]]:
        """All datasets, by the names that they have in the analysis."""
        own = zip(distinct([dataset.name for dataset in self.datasets]), self.datasets, strict=True)
        return [*own, *((dataset.name, dataset) for dataset in self.listed)]


def draft_of(files: Sequence[Path], folder: Path) -> Draft:
    """The analysis of some files, whose names are written as seen from ``folder``.

    Raises `DataError` and `InvalidInput` for files that cannot be read, `UsageError` where none is of a kind that is
    analysed.
    """
    found = _Found()
    for file in files:
        _recognise(file, found)
    if not (found.datasets or found.observations or found.documents["datasets"]):
        names = ", ".join(map(str, found.others or files))
        raise UsageError(f"no data to analyse in {names}\n    spectra, maps, flux points, observations, datasets.yaml")
    found.listed = [dataset for file in found.documents["datasets"] for dataset in Datasets.read(file)]
    draft = Draft({"version": 1})
    if found.observations:
        _observe(found.observations, folder, draft)
    if found.datasets:
        draft.datasets = _entries(found, folder)
    _name_documents(found, folder, draft)
    if not found.documents["models"]:
        draft.models = {"components": list(_components(found, draft))}
    draft.config["fit"], every = {}, [dataset for _, dataset in found.named()]
    draft.config["flux_points"] = [{"source": SOURCE, "energy_edges": _edges(every)}]
    if found.documents["models"]:
        del draft.config["flux_points"]
        draft.notes.append("flux points need the name of a source: flux_points: [{source: ..., energy_edges: ...}]")
    if found.others:
        left_out = [file.name for file in found.others]
        shown = ", ".join(left_out[:3]) + (f", ... ({len(left_out)})" if len(left_out) > 3 else "")
        draft.notes.append(f"no data sets of their own, left out: {shown}")
    return draft


def _recognise(file: Path, found: _Found) -> None:
    if file.is_dir():
        found.observations.append(file)
        return
    try:
        with file.open("rb") as stream:
            start = stream.read(32)
    except OSError as error:
        raise DataError(f"{file}: {error.strerror or error}") from error
    if is_text_table(file, start):
        _add_dataset("FluxPointsDataset", file, found)
    elif start.startswith((b"SIMPLE  =", b"\x1f\x8b")):
        _recognise_fits(file, found)
    elif file.suffix in (".yaml", ".yml") and (kind := document_kind(read_document(file).data)):
        found.documents.get(kind, found.others).append(file)
    else:
        found.others.append(file)


def _recognise_fits(file: Path, found: _Found) -> None:
    content = read_fits(file)
    if is_index(content) or content.find("EVENTS") is not None:
        found.observations.append(file.parent if is_index(content) else file)
    elif kind := file_type(content):
        _add_dataset(kind, file, found)
    else:
        found.others.append(file)


def _add_dataset(kind: str, file: Path, found: _Found) -> None:
    found.datasets.append(read_dataset(kind, file))
    found.paths.append(file)


def _entries(found: _Found, folder: Path) -> list[dict[str, Any]]:
    """The rows of a datasets.yaml."""
    names = distinct([dataset.name for dataset in found.datasets])
    rows = []
    for name, dataset, path in zip(names, found.datasets, found.paths, strict=True):
        rows.append({"name": name, "type": dataset.type, "filename": _seen_from(folder, path)})
    return rows


def _name_documents(found: _Found, folder: Path, draft: Draft) -> None:
    """The ``datasets`` and ``models`` of the config."""
    for kind, own in (("datasets", draft.datasets), ("models", None)):
        given = [_seen_from(folder, file) for file in found.documents[kind]]
        files = [f"{kind}.yaml", *given] if own or (kind == "models" and not given) else given
        if files:
            draft.config[kind] = files[0] if len(files) == 1 else files


def _seen_from(folder: Path, path: Path) -> str:
    """A path as a document in the folder writes it: absolute where it was given so."""
    return str(path) if path.is_absolute() else os.path.relpath(path, folder)


def _components(found: _Found, draft: Draft) -> Iterable[dict[str, Any]]:
    """One source, where the maps have their centre, and the backgrounds of maps."""
    named = found.named()
    maps = [dataset for _, dataset in named if is_map(dataset)]
    spectral = power_law(*_energies([dataset for _, dataset in named]))
    if maps:
        geometry = maps[0].geometry
        yield sky_component(SOURCE, spectral, geometry.center(), geometry.frame)
        draft.notes.append(f"models.yaml: '{SOURCE}' is a point at the centre of {maps[0].name}; say where it is")
    else:
        yield sky_component(SOURCE, spectral)
    for name, dataset in named:
        if is_map(dataset) and dataset.known_background is not None:
            yield background_component(name)


def _energies(datasets: Iterable[Dataset]) -> tuple[float, float]:
    """Lowest and highest energy of all that enters [TeV]."""
    ranges = [dataset.energies_of(*_entering(dataset)) for dataset in datasets]
    return (min(low for low, _ in ranges), max(high for _, high in ranges)) if ranges else _RANGE


def _entering(dataset: Dataset) -> tuple[int, int]:
    """The first energy bin in which anything enters, and the one behind the last; all where nothing does."""
    n_energy = dataset.shape[0]
    kept = np.flatnonzero(dataset.mask.reshape(n_energy, -1).any(axis=1))
    return (int(kept[0]), int(kept[-1]) + 1) if kept.size else (0, n_energy)


def _edges(datasets: Sequence[Dataset]) -> dict[str, Any] | list[str]:
    """Those of flux points: four for a decade of energy at most, each of two bins of the data or more; of a single map
    with fewer bins than that asks for the bins themselves."""
    density = min(map(_density, datasets), default=2.0 * _PER_DECADE)
    if len(datasets) == 1 and is_map(datasets[0]) and density < 2 * _PER_DECADE:
        first, last = _entering(datasets[0])
        return [energy(datasets[0].energies_of(k, k)[0]) for k in range(first, last + 1)]
    e_min, e_max = _energies(datasets)
    per_decade = int(min(_PER_DECADE, max(1, density // 2)))
    return {"min": energy(e_min), "max": energy(e_max), "per_decade": per_decade}


def _density(dataset: Dataset) -> float:
    """Bins for each decade of energy."""
    low, high = dataset.energy_range()
    return dataset.shape[0] / math.log10(high / low) if high > low else 1.0


def _observe(paths: Sequence[Path], folder: Path, draft: Draft) -> None:
    """An entry of ``observations:`` that reduces everything to spectra with a measured background."""
    data = [_seen_from(folder, path) for path in dict.fromkeys(paths)]
    observations = DataStore.open(paths[0] if len(data) == 1 else list(paths)).observations()
    if not len(observations):
        raise DataError(f"{paths[0]}: no observation")
    first = observations[0]
    center, said = _target(first)
    is_pointed_at = center == tuple(map(number, first.pointing_icrs()))
    has_cuts, radius = first.has("rad_max"), _radius(first)
    circle = {"type": "circle", "center": list(center), "frame": "icrs", "radius": f"{radius:.7g} deg"}
    measured = {"type": "wobble", "n_off": 3} if has_cuts else {"type": "reflected"}
    background = {"type": "irf"} if is_pointed_at and first.has("bkg") else measured
    draft.config["observations"] = [
        {
            "name": "run-{obs_id}",
            "data": data[0] if len(data) == 1 else data,
            "within": {"center": list(center), "frame": "icrs", "radius": "2.5 deg"},
            "dataset": "spectrum",
            "region": {"type": "point", "center": list(center), "frame": "icrs"} if has_cuts else circle,
            "energy": {"min": energy(_RANGE[0]), "max": energy(_RANGE[1]), "per_decade": 8},
            "energy_true": {"min": energy(_RANGE[0] / 2), "max": energy(_RANGE[1] * 2), "per_decade": 16},
            **({} if has_cuts else {"containment_correction": first.has("psf")}),
            "exclude": [{**circle, "radius": "0.5 deg"}],
            "background": background,
            "safe_mask": [{"type": "aeff_max", "percent": 10}],
        }
    ]
    draft.notes.append(f"config.yaml: the region is {said}; its radius, exclusions and energies are guesses")


def _radius(observation: Observation) -> float:
    """Of a region [deg]: the cut of point-like responses where it is one, else a guess."""
    cut = observation.rad_max
    return float(cut.values.flat[0]) if cut is not None and cut.is_fixed else 0.11


def _target(observation: Observation) -> tuple[tuple[float, float], str]:
    """Where the source of an observation is said to be, ICRS [deg], and who says so; surveys write 0, 0."""
    header = observation.extension("events").header
    lon, lat = header.number("RA_OBJ"), header.number("DEC_OBJ")
    if lon is not None and lat is not None and (lon or lat):
        return (number(lon), number(lat)), f"at RA_OBJ and DEC_OBJ of observation {observation.obs_id}"
    lon, lat = observation.pointing_icrs()
    return (number(lon), number(lat)), f"where observation {observation.obs_id} points"
