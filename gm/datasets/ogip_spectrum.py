"""On/off spectra in OGIP files: PHA, background, ARF and RMF side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gm.datasets.spectrum import SpectrumDatasetOnOff
from gm.errors import DataError
from gm.io.fits import FitsFile, read_fits
from gm.io.fits_writer import write_fits
from gm.io.ogip import Pha, arf_tables, pha_from, pha_tables, read_arf, read_rmf, rmf_tables
from gm.maps.axes import EnergyAxis
from gm.maps.regions import Region


def read_ogip(file: FitsFile, name: str) -> SpectrumDatasetOnOff:
    """The dataset of an opened PHA file and of the files that its header names. Raises `DataError`.

    Those files are looked for beside the PHA file, then from the working directory. Without RESPFILE energies count as
    measured exactly. ``name`` empty: OBS_ID.
    """
    pha = pha_from(file)
    if not pha.ancrfile or not pha.backfile:
        missing = "ANCRFILE" if not pha.ancrfile else "BACKFILE"
        raise DataError(f"{pha.path}: HDU SPECTRUM: no card {missing}, the name of a file that is needed")
    off = pha_from(read_fits(_beside(pha.path, pha.backfile)))
    if len(off.counts) != len(pha.counts):
        raise DataError(f"{off.path}: {len(off.counts)} channels, {pha.path.name} has {len(pha.counts)}")
    arf_path = _beside(pha.path, pha.ancrfile)
    edges_true, area = read_arf(arf_path)
    edges, edisp = pha.edges, None
    if pha.respfile:
        rmf_path = _beside(pha.path, pha.respfile)
        _, rmf_edges, edisp = read_rmf(rmf_path)
        edges = rmf_edges if edges is None else edges
        _match(rmf_path, "true-energy bins", edisp.shape[0], arf_path, len(area))
        _match(rmf_path, "channels", edisp.shape[1], pha.path, len(pha.counts))
    if edges is None:
        raise DataError(f"{pha.path}: no HDU EBOUNDS and no RESPFILE: the energies of the channels are unknown")
    return SpectrumDatasetOnOff(
        name=name or pha.name,
        energy=EnergyAxis(edges, "energy"),
        energy_true=EnergyAxis(edges_true, "energy_true"),
        counts=pha.counts,
        counts_off=off.counts,
        acceptance=pha.backscal,
        acceptance_off=off.backscal,
        exposure=area * pha.exposure,
        edisp=edisp,
        mask_safe=pha.good,
        livetime=pha.exposure,
        gti=pha.gti,
        region=_region(pha),
        region_off=_region(off),
    )


def _match(path: Path, what: str, found: int, other: Path, expected: int) -> None:
    if found != expected:
        raise DataError(f"{path}: {found} {what}, {other.name} has {expected}\n    the files do not belong together")


def _beside(pha: Path, name: str) -> Path:
    beside = pha.parent / name
    return beside if beside.exists() or not Path(name).exists() else Path(name)


def _region(pha: Pha) -> Region | None:
    return Region.from_table(pha.region) if pha.region is not None else None


def companions(dataset: SpectrumDatasetOnOff, path: Path) -> dict[str, Path]:
    """The files that belong to the PHA file ``path`` of a dataset, by what they hold: ``arf``, ``bkg`` and ``rmf``."""
    parts = ["arf", "bkg"] + (["rmf"] if dataset.edisp is not None else [])
    suffix = "".join(path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:])
    stem = path.name.removesuffix(suffix)
    return {part: path.parent / f"{stem}_{part}{suffix}" for part in parts}


def write_ogip(dataset: SpectrumDatasetOnOff, path: Path) -> None:
    """Write ``x.fits``, ``x_arf.fits``, ``x_bkg.fits`` and ``x_rmf.fits``, without ``mask_fit`` and ``meta``.

    Raises `DataError` without a livetime, or when a file cannot be written.
    """
    if not dataset.livetime:
        raise DataError(f"dataset {dataset.name}: OGIP files need a livetime; GADF files do not")
    files = companions(dataset, path)
    cards = {"arf": "ANCRFILE", "bkg": "BACKFILE", "rmf": "RESPFILE"}
    good = np.ones(dataset.energy.n_bins, dtype=np.bool_) if dataset.mask_safe is None else dataset.mask_safe
    common: dict[str, Any] = {
        "good": good, "edges": dataset.energy.edges, "exposure": dataset.livetime, "name": dataset.name,
    }  # fmt: skip
    write_fits(files["arf"], arf_tables(dataset.energy_true.edges, dataset.exposure / dataset.livetime))
    if dataset.edisp is not None:
        write_fits(files["rmf"], rmf_tables(dataset.energy_true.edges, dataset.energy.edges, dataset.edisp))
    region, region_off = (r.to_table("REGION") if r is not None else None for r in (dataset.region, dataset.region_off))
    off_counts: dict[str, Any] = {"counts": dataset.counts_off, "backscal": dataset.acceptance_off, "files": {}}
    off = pha_tables(**off_counts, background=True, region=region_off, **common)
    write_fits(files["bkg"], off)
    names = {cards[part]: file.name for part, file in files.items()}
    on = pha_tables(
        counts=dataset.counts, backscal=dataset.acceptance, files=names, region=region, gti=dataset.gti, **common
    )
    write_fits(path, on)
