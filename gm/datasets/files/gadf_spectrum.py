"""Spectrum datasets in GADF files: one FITS file per dataset, as Gammapy writes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array, BoolArray
from gm.datasets.map_dataset import check_axis
from gm.datasets.spectrum import Spectrum, SpectrumDataset, SpectrumDatasetOnOff
from gm.errors import DataError
from gm.io.fits import Extension, FitsFile
from gm.io.fits_writer import write_fits
from gm.io.gadf import GadfAxis, RegionMap, axis_names, band_axes, map_tables, read_axes, read_values, require_tables
from gm.io.tables import CardValue, Column, Table
from gm.irf.edisp import migra_matrix
from gm.irf.edisp_map import edisp_from_map
from gm.maps.axes import EnergyAxis
from gm.maps.reading import read_map
from gm.maps.regions import Region
from gm.maps.sky_region import SkyRegion
from gm.units import factor

ON_OFF = ("COUNTS", "COUNTS_OFF", "ACCEPTANCE", "ACCEPTANCE_OFF", "EXPOSURE")
_ON_ENERGY = ("BACKGROUND", "COUNTS_OFF", "ACCEPTANCE", "ACCEPTANCE_OFF", "MASK_SAFE", "MASK_FIT", "EDISP")
KNOWN_BACKGROUND = ("COUNTS", "EXPOSURE")


def read_gadf(file: FitsFile, kind: str, name: str) -> Spectrum:
    """The dataset in an opened file. Raises `DataError`.

    A PSF is ignored: for a spectrum its effect is in the exposure. ``MASK_FIT`` is honoured for both kinds.
    """
    on_off = kind == SpectrumDatasetOnOff.type
    require_tables(file, ON_OFF if on_off else KNOWN_BACKGROUND, f"a {kind}")
    energy = file.get("COUNTS_BANDS").once(_measured)
    energy_true = file.get("EXPOSURE_BANDS").once(_true)
    n_energy = (energy.n_bins,)
    _check_energies(file, energy, energy_true)
    common: dict[str, Any] = {
        "name": name,
        "energy": energy,
        "energy_true": energy_true,
        "counts": read_values(file, "COUNTS", n_energy, ""),
        "exposure": read_values(file, "EXPOSURE", (energy_true.n_bins,), "cm2 s"),
        "edisp": _read_edisp(file, energy_true, energy),
        "mask_safe": _read_mask(file, "MASK_SAFE", n_energy),
        "mask_fit": _read_mask(file, "MASK_FIT", n_energy),
        "livetime": _livetime(file),
        "gti": _read_table(file, "GTI"),
        "region": _read_region(file, "COUNTS_REGION"),
        "meta": _read_meta(file),
    }
    if not on_off:
        return SpectrumDataset(**common, background=read_values(file, "BACKGROUND", n_energy, ""))
    parts: dict[str, Any] = {part.lower(): read_values(file, part, n_energy, "") for part in ON_OFF[1:4]}
    return SpectrumDatasetOnOff(**common, **parts, region_off=_read_region(file, "COUNTS_OFF_REGION"))


def _measured(bands: Extension) -> EnergyAxis:
    return _energy_axis(bands, "energy")


def _true(bands: Extension) -> EnergyAxis:
    return _energy_axis(bands, "energy_true")


def _energy_axis(bands: Extension, name: str) -> EnergyAxis:
    """The only axis of a map in TeV; an exposure axis called ``energy`` is taken for the true energy."""
    axes = band_axes(bands)
    if len(axes) != 1 or not axes[0].name.startswith("energy"):
        bands.fail(f"axes {', '.join(axis.name for axis in axes) or 'none'}, expected {name} alone")
    return EnergyAxis(axes[0].edges * _to_tev(bands, axes[0]), name, interp=axes[0].interp)


def _check_energies(file: FitsFile, energy: EnergyAxis, energy_true: EnergyAxis) -> None:
    """Raise `DataError` where a map has other energies than COUNTS, or the energy dispersion than EXPOSURE."""
    expected = {"energy": (energy, "COUNTS"), "energy_true": (energy_true, "EXPOSURE")}
    counts = bytes(file.get("COUNTS_BANDS").data)
    for name in _ON_ENERGY:
        bands = file.find(f"{name}_BANDS")
        if bands is None or file.find(name) is None or bytes(bands.data) == counts:
            continue
        for axis in band_axes(bands):
            if axis.name in expected:
                (wanted, of), edges = expected[axis.name], axis.edges * _to_tev(bands, axis)
                if not np.array_equal(edges, wanted.edges):
                    own = EnergyAxis(edges, axis.name)
                    check_axis(f"{file.path}: HDU {name}: the energies", own, wanted, of)


def _to_tev(bands: Extension, axis: GadfAxis) -> float:
    try:
        return factor(axis.unit, "TeV")
    except ValueError:
        bands.fail(f"axis {axis.name} is in '{axis.unit}', expected an energy")


def _read_edisp(file: FitsFile, energy_true: EnergyAxis, energy: EnergyAxis) -> Array | None:
    """The dispersion matrix, from a kernel map (energy, energy_true) or a migration map (migra, energy_true).

    Of a map of the sky, that of the pixel nearest to the centre of the region.
    """
    extension = file.find("EDISP")
    if extension is None:
        return None
    if not extension.is_table or extension.find("DATA") is None:
        return _edisp_of_sky(file, energy)
    names = axis_names(extension)
    if names == ["energy", "energy_true"]:
        return read_values(file, "EDISP", (energy_true.n_bins, energy.n_bins), "")
    if names != ["migra", "energy_true"]:
        extension.fail(f"axes {', '.join(names) or 'none'}, expected energy or migra, and energy_true")
    migra = read_axes(file, "EDISP")[0]
    density = read_values(file, "EDISP", (energy_true.n_bins, len(migra.edges) - 1))
    assert density is not None
    return migra_matrix(density, migra.edges, energy_true, energy, migra.interp)


def _edisp_of_sky(file: FitsFile, energy: EnergyAxis) -> Array:
    """The matrix of a map of the sky, as Gammapy writes the responses that it is given."""
    region = _read_region(file, "COUNTS_REGION")
    where = None if region is None else SkyRegion.from_file_region(region)
    try:
        edisp = edisp_from_map(read_map(file, "EDISP")).on(energy)
        return edisp.kernel(energy) if where is None else edisp.kernel(energy, *where.center(), where.frame)
    except DataError as error:
        raise DataError(f"{file.path}: HDU EDISP: {error}") from error


def _read_mask(file: FitsFile, name: str, shape: tuple[int, ...]) -> BoolArray | None:
    values = read_values(file, name, shape)
    return None if values is None else (values != 0) & ~np.isnan(values)


def _livetime(file: FitsFile) -> float | None:
    """Gammapy drops the livetime here; gm writes it as the card LIVETIME [s] of the exposure."""
    value = file.get("EXPOSURE").header.number("LIVETIME")
    return None if value is None else float(value)


def _read_table(file: FitsFile, name: str) -> Table | None:
    extension = file.find(name)
    return None if extension is None else extension.table()


def _read_region(file: FitsFile, name: str) -> Region | None:
    extension = file.find(name)
    region = None if extension is None else extension.once(_region)
    return None if region is None else replace(region, wcs=dict(region.wcs))


def _region(extension: Extension) -> Region:
    region = Region.from_table(extension.table())
    for column in region.columns:
        np.asarray(column.values).flags.writeable = False  # others have it too
    return region


def _read_meta(file: FitsFile) -> dict[str, Any]:
    """Columns of META_TABLE; a single cell as a plain value."""
    table = _read_table(file, "META_TABLE")
    columns = {} if table is None else {column.name: np.asarray(column.values) for column in table.columns}
    return {name: values[0].item() if values.shape == (1,) else values for name, values in columns.items()}


def write_gadf(dataset: Spectrum, path: Path) -> None:
    """Write the file that `read_gadf`, and Gammapy, read. Raises `DataError` when it cannot be written."""
    write_fits(path, gadf_tables(dataset), {"NAME": dataset.name})


def gadf_tables(dataset: Spectrum) -> list[Table]:
    """The tables of the file in Gammapy's order."""
    energy = GadfAxis("energy", dataset.energy.edges, "TeV", dataset.energy.interp)
    true = GadfAxis("energy_true", dataset.energy_true.edges, "TeV", dataset.energy_true.interp)
    region = dataset.region.to_table("REGION") if dataset.region is not None else None
    tables: list[Table] = []

    def add(name: str, data: NDArray[Any] | None, axes: tuple[GadfAxis, ...] = (energy,), unit: str = "") -> None:
        livetime = dataset.livetime if name == "EXPOSURE" else None
        header: dict[str, CardValue] = {} if livetime is None else {"LIVETIME": livetime}
        if data is not None:
            tables.extend(map_tables(RegionMap(name, axes, data, unit), off if "OFF" in name else region, header))

    off = region
    add("COUNTS", dataset.counts)
    add("EXPOSURE", dataset.exposure, (true,), "cm2 s")
    if dataset.has_known_background:
        add("BACKGROUND", dataset.known_background)
    if dataset.edisp is not None:
        squashed = GadfAxis("energy", dataset.energy.edges[[0, -1]], "TeV", dataset.energy.interp)
        add("EDISP", dataset.edisp, (energy, true))
        add("EDISP_EXPOSURE", dataset.exposure[:, None], (squashed, true), "cm2 s")
    add("MASK_SAFE", dataset.mask_safe)
    add("MASK_FIT", dataset.mask_fit)
    if dataset.gti is not None:
        tables.append(Table("GTI", dataset.gti.columns, dataset.gti.header))
    if dataset.meta:
        tables.append(Table("META_TABLE", tuple(_meta_column(name, value) for name, value in dataset.meta.items())))
    if not dataset.has_known_background:
        off = dataset.region_off.to_table("REGION") if dataset.region_off is not None else region
        for name in dataset.background_arrays:
            add(name.upper(), getattr(dataset, name))
    return tables


def _meta_column(name: str, value: Any) -> Column:
    return Column(name, np.atleast_1d(value), "deg" if name.endswith("_PNT") else "")
