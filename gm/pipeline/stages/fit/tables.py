"""``fit.fits``: counts and predictions in each energy, images of maps, and spectra to draw, as tables and images.

``COUNTS`` has a row for each energy bin of each dataset, maps summed over the sky; ``COMPONENTS`` what each sky
component predicts there; ``POINTS`` flux points and what is predicted for them; ``SPECTRA`` spectra with errors.
``COUNTS_k`` and ``PREDICTED_k`` are images of the map datasets, summed over the energies that are fitted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array
from gm.datasets import Datasets
from gm.datasets.kinds import has_counts, is_map, is_points
from gm.datasets.map_dataset import SkyMap
from gm.fit.spectra import FittedSpectrum
from gm.io.fits_writer import write_fits
from gm.io.tables import Column, Image, Table
from gm.likelihood import ByEnergy
from gm.maps.map import Map
from gm.maps.writing import map_hdus

_DNDE = "cm-2 s-1 TeV-1"


def write_fit_tables(
    path: Path, datasets: Datasets, by_energy: ByEnergy, spectra: Mapping[str, FittedSpectrum]
) -> None:
    """Write the file. Raises `DataError` when it cannot be written."""
    tables = [_counts(datasets, by_energy), _components(by_energy), *_points(datasets, by_energy), _spectra(spectra)]
    maps = [dataset for dataset in datasets if is_map(dataset) and dataset.name in by_energy.images]
    images = [part for k, one in enumerate(maps) for part in _images(k, one, by_energy.images[one.name])]
    write_fits(path, [*tables, *images])


def _counts(datasets: Datasets, by_energy: ByEnergy) -> Table:
    counted = np.array([has_counts(dataset) for dataset in datasets], dtype=np.bool_)
    rows = counted[by_energy.dataset]
    columns = (
        *_where(by_energy, np.flatnonzero(rows)),
        Column("N_BINS", by_energy.n_bins[rows].astype(np.int32)),
        Column("COUNTS", by_energy.counts[rows]),
        Column("PREDICTED", by_energy.predicted[rows]),
        Column("BACKGROUND", by_energy.background[rows]),
        Column("RESIDUAL", by_energy.residual[rows]),
    )
    return Table("COUNTS", columns)


def _where(by_energy: ByEnergy, rows: NDArray[np.intp]) -> Sequence[Column]:
    """Dataset and energies of some rows."""
    return (
        Column("DATASET", _names(by_energy.names)[by_energy.dataset[rows]]),
        Column("E_MIN", by_energy.e_min[rows], "TeV"),
        Column("E_MAX", by_energy.e_max[rows], "TeV"),
    )


def _components(by_energy: ByEnergy) -> Table:
    parts = by_energy.components
    rows = np.concatenate([np.empty(0, dtype=np.intp), *(part.row for part in parts.values())])
    predicted = np.concatenate([np.empty(0), *(part.predicted for part in parts.values())])
    names = np.repeat(_names(parts), [part.row.size for part in parts.values()])
    return Table("COMPONENTS", (Column("COMPONENT", names), *_where(by_energy, rows), Column("PREDICTED", predicted)))


def _points(datasets: Datasets, by_energy: ByEnergy) -> Iterator[Table]:
    """What was measured as flux points, where there are any."""
    found: list[tuple[NDArray[np.intp], Sequence[Array]]] = []
    for k, dataset in enumerate(datasets):
        if is_points(dataset):
            rows, points = np.flatnonzero(by_energy.dataset == k), dataset.points
            low, high = points.errors()
            columns = points.energy, points.dnde, low, high, points.dnde_ul, points.is_ul.astype(np.float64)
            found.append((rows, [column[by_energy.bin[rows]] for column in columns]))
    if not found:
        return
    rows = np.concatenate([part for part, _ in found])
    e_ref, dnde, low, high, limit, is_limit = map(np.concatenate, zip(*(values for _, values in found), strict=True))
    fluxes = {"DNDE": dnde, "DNDE_ERRN": low, "DNDE_ERRP": high, "DNDE_UL": limit}
    yield Table(
        "POINTS",
        (
            *_where(by_energy, rows),
            Column("E_REF", e_ref, "TeV"),
            *(Column(name, values, _DNDE) for name, values in fluxes.items()),
            Column("IS_UL", is_limit > 0),
            Column("PREDICTED", by_energy.predicted[rows], _DNDE),
            Column("RESIDUAL", by_energy.residual[rows]),
        ),
    )


def _spectra(spectra: Mapping[str, FittedSpectrum]) -> Table:
    names = np.repeat(_names(spectra), [spectrum.energy.size for spectrum in spectra.values()])

    def column(name: str, unit: str, parts: Sequence[Array]) -> Column:
        return Column(name, np.concatenate([np.empty(0), *parts]), unit)

    errors = [np.full(s.energy.size, np.nan) if s.dnde_err is None else s.dnde_err for s in spectra.values()]
    return Table(
        "SPECTRA",
        (
            Column("COMPONENT", names),
            column("ENERGY", "TeV", [spectrum.energy for spectrum in spectra.values()]),
            column("DNDE", _DNDE, [spectrum.dnde for spectrum in spectra.values()]),
            column("DNDE_ERR", _DNDE, errors),
        ),
    )


def _images(number: int, dataset: SkyMap, predicted: Array) -> Iterator[Table | Image]:
    """Counts and predictions of a map, summed over the energies that are fitted; 0 where nothing is."""
    counts: NDArray[Any] = np.where(dataset.mask, dataset.counts, 0).sum(axis=0, dtype=np.float64)
    is_whole = bool((counts == np.rint(counts)).all() and counts.max(initial=0) < 1 << 31)
    parts = {"COUNTS": counts.astype(np.int32 if is_whole else np.float32), "PREDICTED": predicted.astype(np.float32)}
    for name, data in parts.items():
        yield from map_hdus(Map(dataset.geometry, (), data, meta={"dataset": dataset.name}), f"{name}_{number}")


def _names(names: Sequence[str] | Mapping[str, object]) -> NDArray[np.bytes_]:
    """As FITS has them."""
    return np.array([name.encode("ascii", "replace") for name in names] or [b""], dtype=np.bytes_)[: len(names)]
