"""Map datasets written as GADF files, which Gammapy reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gm.datasets.finer_bins import FinerBins
from gm.datasets.map_dataset import SkyMap
from gm.io.fits_writer import write_fits
from gm.io.tables import Column, Image, Table
from gm.irf.edisp_map import EdispMap
from gm.irf.psf import PsfMap
from gm.maps.axes import EnergyAxis
from gm.maps.map import Map
from gm.maps.writing import map_hdus


def write_map_dataset(dataset: SkyMap, path: Path) -> None:
    """Write the file that `read_map_dataset`, and Gammapy, read; gzip when its name ends in ``.gz``.

    Raises `DataError` when it cannot be written.
    """
    write_fits(path, map_dataset_hdus(dataset), {"NAME": dataset.name})


def map_dataset_hdus(dataset: SkyMap) -> list[Image | Table]:
    """The extensions of the file in Gammapy's order."""
    hdus: list[Image | Table] = []

    def add(name: str, data: NDArray[Any] | None, axis: EnergyAxis = dataset.energy, **more: Any) -> None:
        if data is not None:
            hdus.extend(map_hdus(Map(dataset.geometry, (axis,), data, **more), name))

    livetime = {} if dataset.livetime is None else {"livetime": f"{dataset.livetime!r} s"}
    add("COUNTS", dataset.counts)
    add("EXPOSURE", dataset.exposure, dataset.energy_true, unit="cm2 s", meta=livetime)
    if dataset.has_known_background:
        add("BACKGROUND", dataset.known_background)
    hdus += _edisp_hdus("EDISP", dataset.edisp) + _psf_hdus("PSF", dataset.psf)
    for name in ("MASK_SAFE", "MASK_FIT"):
        mask = getattr(dataset, name.lower())
        add(name, None if mask is None else mask.astype(np.int16))  # Gammapy takes bytes for something else
    hdus += [Table("GTI", dataset.gti.columns, dataset.gti.header)] if dataset.gti is not None else []
    hdus += [Table("META_TABLE", dataset.meta.columns, dataset.meta.header)] if dataset.meta is not None else []
    if not dataset.has_known_background:
        for name in dataset.background_arrays:
            add(name.upper(), getattr(dataset, name))
    return hdus if dataset.finer is None else hdus + _finer_hdus(dataset.finer, dataset.energy_true)


def _finer_hdus(finer: FinerBins, energy_true: EnergyAxis) -> list[Image | Table]:
    """Extensions that Gammapy does not know: what it reads predicts with the averages."""
    places = ("to_energy", "to_y", "to_x")
    columns = [Column(name.upper(), getattr(finer, name)[None].astype(np.int32)) for name in places]
    return [
        *map_hdus(Map(finer.geometry, (finer.energy,), finer.mask.astype(np.int16)), "FINER_MASK"),
        *map_hdus(Map(finer.geometry, (energy_true,), finer.exposure, "cm2 s"), "FINER_EXPOSURE"),
        *_edisp_hdus("FINER_EDISP", finer.edisp),
        *_psf_hdus("FINER_PSF", finer.psf),
        Table("FINER_BINS", tuple(columns)),
    ]


def _edisp_hdus(name: str, edisp: EdispMap | None) -> list[Image | Table]:
    if edisp is None:
        return []
    return _response_hdus(name, Map(edisp.geometry, edisp.axes, edisp.data), edisp.exposure)


def _psf_hdus(name: str, psf: PsfMap | None) -> list[Image | Table]:
    if psf is None:
        return []
    return _response_hdus(name, Map(psf.geometry, psf.axes, psf.data, "sr-1"), psf.exposure)


def _response_hdus(name: str, response: Map, exposure: NDArray[Any] | None) -> list[Image | Table]:
    """A response and its exposure, whose second axis is one bin over the whole range."""
    hdus = map_hdus(response, name)
    if exposure is None:
        return hdus
    slow, fast = response.axes
    data = exposure[:, None]
    return hdus + map_hdus(Map(response.geometry, (slow, fast.squashed()), data, "cm2 s"), f"{name}_EXPOSURE")
