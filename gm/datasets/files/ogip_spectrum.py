"""On/off spectra in OGIP files: PHA, background, ARF and RMF side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gm.arrays import Array
from gm.datasets.spectrum import SpectrumDatasetOnOff
from gm.errors import DataError
from gm.io.fits import FitsFile, read_fits
from gm.io.fits_writer import write_fits
from gm.io.ogip import Pha, pha_from, read_arf
from gm.io.ogip_channels import Channels
from gm.io.ogip_matrix import Rmf, read_rmf
from gm.io.ogip_writer import arf_tables, pha_tables, rmf_tables
from gm.irf.edisp import overlap_matrix
from gm.maps.axes import EnergyAxis
from gm.maps.regions import Region

SAME_ENERGY = 1e-5  # relative; files in single precision repeat an energy to 1e-7


def read_ogip(file: FitsFile, name: str) -> SpectrumDatasetOnOff:
    """The dataset of an opened PHA file and of the files that its header names. Raises `DataError`.

    Those files are looked for beside the PHA file, then from the working directory. Without RESPFILE energies count as
    measured exactly; without BACKFILE there is no off acceptance, so that no bin enters a fit. Channels are joined as
    GROUPING says. ``name`` empty: OBS_ID.

    ``predicted = flux ARF EXPOSURE AREASCAL``, and ``alpha`` is the ratio of EXPOSURE BACKSCAL AREASCAL, ON to OFF.
    """
    pha = pha_from(file)
    rmf = read_rmf(_beside(pha.path, pha.respfile)) if pha.respfile else None
    channels = pha.channels or (None if rmf is None else rmf.channels)
    if channels is None:
        raise DataError(f"{pha.path}: no HDU EBOUNDS and no RESPFILE: the energies of the channels are unknown")
    pha = pha if pha.channels is not None else pha.on(channels)
    edges_true, area, edisp = _responses(pha, rmf, channels)
    energy, energy_true = EnergyAxis(channels.edges, "energy"), EnergyAxis(edges_true, "energy_true")
    same_area = bool((pha.areascal == pha.areascal[0]).all())
    if not same_area:
        edisp = (overlap_matrix(energy_true, energy) if edisp is None else edisp) * pha.areascal
    dataset = SpectrumDatasetOnOff(
        name=name or pha.name,
        energy=energy,
        energy_true=energy_true,
        counts=pha.counts,
        acceptance=pha.backscal,
        exposure=area * (pha.exposure * pha.areascal[0] if same_area else pha.exposure),
        edisp=edisp,
        livetime=pha.exposure,
        gti=pha.gti,
        region=_region(pha),
        **_off(pha, channels),
    )
    groups = pha.groups()
    return dataset if groups is None else dataset.joined(dataset.name, groups)


def _responses(pha: Pha, rmf: Rmf | None, channels: Channels) -> tuple[Array, Array, Array | None]:
    """True-energy edges [TeV], area [cm2] and matrix, where there is one, of the files named."""
    rmf_path = _beside(pha.path, pha.respfile)
    if not pha.ancrfile and (rmf is None or rmf.area is None):
        raise DataError(f"{pha.path}: HDU SPECTRUM: no card ANCRFILE, the name of a file that is needed")
    if pha.ancrfile and rmf is not None and rmf.area is not None:
        hint = "remove the card ANCRFILE, or take a response without the area"
        raise DataError(f"{rmf_path}: includes the effective area, as does ANCRFILE {pha.ancrfile}\n    {hint}")
    if rmf is not None:
        _match("channels", rmf_path, rmf.channels.edges, pha.path, channels.edges)
        if rmf.area is not None:
            return rmf.edges_true, rmf.area, rmf.matrix
    arf_path = _beside(pha.path, pha.ancrfile)
    edges_true, area = read_arf(arf_path)
    if rmf is None:
        return edges_true, area, None
    _match("true-energy bins", rmf_path, rmf.edges_true, arf_path, edges_true)
    return edges_true, area, rmf.matrix


def _off(pha: Pha, channels: Channels) -> dict[str, Any]:
    """What the background file says, and which channels are good in both; the off acceptance is that of the ON run."""
    if not pha.backfile:
        nothing = np.zeros(len(pha.counts))
        return {"counts_off": nothing, "acceptance_off": nothing, "mask_safe": pha.good}
    off = pha_from(read_fits(_beside(pha.path, pha.backfile)))
    off = off if off.channels is not None else off.on(channels)
    if off.channels is not None:
        _match("channels", off.path, off.channels.edges, pha.path, channels.edges)
    longer = off.exposure / pha.exposure if pha.exposure else 1.0
    return {
        "counts_off": off.counts,
        "acceptance_off": off.backscal * (off.areascal / pha.areascal) * longer,
        "mask_safe": pha.good & off.good,
        "region_off": _region(off),
    }


def _match(what: str, path: Path, found: Array, other: Path, expected: Array) -> None:
    """Raise `DataError` unless both files have as many bins, at the same energies."""
    if len(found) != len(expected):
        differ = f"{len(found) - 1} {what}, {other.name} has {len(expected) - 1}"
    elif np.allclose(found, expected, rtol=SAME_ENERGY, atol=0):
        return
    else:
        at = int(np.argmax(np.abs(found / expected - 1.0)))
        differ = f"{what} have an edge at {found[at]:g} TeV, those of {other.name} at {expected[at]:g} TeV"
    raise DataError(f"{path}: {differ}\n    the files do not belong together")


def _beside(pha: Path, name: str) -> Path:
    beside = pha.parent / name
    return beside if beside.exists() or not Path(name).exists() else Path(name)


def _region(pha: Pha) -> Region | None:
    return Region.from_table(pha.region) if pha.region is not None else None


def companions(dataset: SpectrumDatasetOnOff, path: Path) -> dict[str, Path]:
    """The files that belong to the PHA file ``path`` of a dataset, by what they hold: ``arf``, ``bkg`` and ``rmf``."""
    parts = ["arf"] + (["bkg"] if dataset.acceptance_off.any() else []) + (["rmf"] if dataset.edisp is not None else [])
    suffix = "".join(path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:])
    stem = path.name.removesuffix(suffix)
    return {part: path.parent / f"{stem}_{part}{suffix}" for part in parts}


def write_ogip(dataset: SpectrumDatasetOnOff, path: Path, as_cards: bool = False) -> None:
    """Write ``x.fits``, ``x_arf.fits``, ``x_bkg.fits`` and ``x_rmf.fits``, without ``mask_fit`` and ``meta``.

    There is no ``x_bkg.fits`` without off acceptance, and no ``x_rmf.fits`` without energy dispersion.
    Raises `DataError` without a livetime, or when a file cannot be written.
    """
    if not dataset.livetime:
        raise DataError(f"dataset {dataset.name}: OGIP files need a livetime; GADF files do not")
    files = companions(dataset, path)
    cards = {"arf": "ANCRFILE", "bkg": "BACKFILE", "rmf": "RESPFILE"}
    good = np.ones(dataset.energy.n_bins, dtype=np.bool_) if dataset.mask_safe is None else dataset.mask_safe
    common: dict[str, Any] = {
        "good": good, "edges": dataset.energy.edges, "exposure": dataset.livetime, "name": dataset.name,
        "as_cards": as_cards,
    }  # fmt: skip
    write_fits(files["arf"], arf_tables(dataset.energy_true.edges, dataset.exposure / dataset.livetime))
    if dataset.edisp is not None:
        write_fits(files["rmf"], rmf_tables(dataset.energy_true.edges, dataset.energy.edges, dataset.edisp))
    region, region_off = (r.to_table("REGION") if r is not None else None for r in (dataset.region, dataset.region_off))
    if "bkg" in files:
        off: dict[str, Any] = {"counts": dataset.counts_off, "backscal": dataset.acceptance_off, "files": {}}
        write_fits(files["bkg"], pha_tables(**off, background=True, region=region_off, **common))
    names = {cards[part]: file.name for part, file in files.items()}
    on = pha_tables(
        counts=dataset.counts, backscal=dataset.acceptance, files=names, region=region, gti=dataset.gti, **common
    )
    write_fits(path, on)
