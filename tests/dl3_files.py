"""DL3 files made by tests: one observation in one file, and data stores of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array
from gm.io.fits_writer import write_fits
from gm.io.tables import CardValue, Column, Table

REFERENCE: dict[str, CardValue] = {"MJDREFI": 53000, "MJDREFF": 0.25, "TIMESYS": "TT"}
OFFSET, ENERGY, MIGRA = np.array([0.0, 1.0, 2.0]), np.geomspace(0.1, 100.0, 7), np.linspace(0.2, 1.8, 9)
RAD, FIELD = np.linspace(0.0, 0.5, 11), np.linspace(-2.0, 2.0, 5)


def bins(prefix: str, edges: Array, unit: str) -> list[Column]:
    return [Column(f"{prefix}_LO", edges[None, :-1], unit), Column(f"{prefix}_HI", edges[None, 1:], unit)]


def response(name: str, axes: list[Column], column: str, cell: Array, unit: str, *classes: str, **cards: Any) -> Table:
    """A table with one row; ``classes``: HDUCLAS2, HDUCLAS3, HDUCLAS4."""
    header = {"HDUCLAS1": "RESPONSE", **{f"HDUCLAS{i}": text for i, text in enumerate(classes, start=2)}, **cards}
    return Table(name, (*axes, Column(column, cell[None], unit)), header)


def aeff(point_like: bool = False, **cards: Any) -> Table:
    """Effective area [m2]: 1e5 E (1 - offset / 4)."""
    energy, offset = np.sqrt(ENERGY[1:] * ENERGY[:-1]), 0.5 * (OFFSET[1:] + OFFSET[:-1])
    cell = 1e5 * energy * (1.0 - offset[:, None] / 4.0)
    kind = "POINT-LIKE" if point_like else "FULL-ENCLOSURE"
    axes = [*bins("ENERG", ENERGY, "TeV"), *bins("THETA", OFFSET, "deg")]
    cards = {"LO_THRES": 0.5, "HI_THRES": 50.0, "TELESCOP": "TEST", **cards}
    return response("AEFF", axes, "EFFAREA", cell, "m2", "EFF_AREA", kind, "AEFF_2D", **cards)


def edisp() -> Table:
    """A Gaussian in migra of width 0.2."""
    migra = 0.5 * (MIGRA[1:] + MIGRA[:-1])
    density = np.exp(-0.5 * ((migra - 1.0) / 0.2) ** 2) / (0.2 * np.sqrt(2.0 * np.pi))
    cell = np.broadcast_to(density[:, None], (len(OFFSET) - 1, len(migra), len(ENERGY) - 1)).copy()
    axes = [*bins("ENERG", ENERGY, "TeV"), *bins("MIGRA", MIGRA, ""), *bins("THETA", OFFSET, "deg")]
    return response("EDISP", axes, "MATRIX", cell, "", "EDISP", "FULL-ENCLOSURE", "EDISP_2D")


def psf(sigma: float = 0.08) -> Table:
    """A Gaussian of width ``sigma`` [deg]."""
    rad = 0.5 * (RAD[1:] + RAD[:-1])
    density = np.exp(-0.5 * (rad / sigma) ** 2) / (2.0 * np.pi * np.radians(sigma) ** 2)
    cell = np.broadcast_to(density[:, None, None], (len(rad), len(OFFSET) - 1, len(ENERGY) - 1)).copy()
    axes = [*bins("ENERG", ENERGY, "TeV"), *bins("THETA", OFFSET, "deg"), *bins("RAD", RAD, "deg")]
    return response("PSF", axes, "RPSF", cell, "sr-1", "RPSF", "FULL-ENCLOSURE", "PSF_TABLE")


def bkg_cell() -> Array:
    """Rates [s-1 MeV-1 sr-1] as (energy, lat, lon): a power law, more towards positive latitudes and longitudes."""
    energy, field = np.sqrt(ENERGY[1:] * ENERGY[:-1]), 0.5 * (FIELD[1:] + FIELD[:-1])
    shape = np.exp(0.3 * field[:, None] + 0.1 * field)
    return np.asarray(1e-6 * energy[:, None, None] ** -2.7 * shape)


def bkg(cell: Array | None = None, **cards: Any) -> Table:
    """A background table; ``cell``: as the file has it, by default energy first and DETX fastest."""
    axes = [*bins("DETX", FIELD, "deg"), *bins("DETY", FIELD, "deg"), *bins("ENERG", ENERGY, "TeV")]
    cell = bkg_cell() if cell is None else cell
    return response("BKG", axes, "BKG", cell, "s-1 MeV-1 sr-1", "BKG", "FULL-ENCLOSURE", "BKG_3D", **cards)


def events(n: int = 500, obs_id: int = 1, pointing: tuple[float, float] = (83.6, 22.5), **cards: Any) -> Table:
    """Events around a pointing within 2 deg, over 1000 s, with a column PHASE."""
    rng = np.random.default_rng(obs_id)
    distance, angle = 2.0 * np.sqrt(rng.random(n)), rng.uniform(0.0, 2.0 * np.pi, n)
    lat = pointing[1] + distance * np.sin(angle)
    columns = (
        Column("EVENT_ID", np.arange(n)),
        Column("TIME", np.sort(rng.uniform(0.0, 1000.0, n)), "s"),
        Column("RA", pointing[0] + distance * np.cos(angle) / np.cos(np.radians(lat)), "deg"),
        Column("DEC", lat, "deg"),
        Column("ENERGY", 0.1 * rng.random(n) ** -0.6, "TeV"),
        Column("PHASE", rng.random(n), ""),
    )
    header = {
        **REFERENCE,
        "HDUCLAS1": "EVENTS",
        "OBS_ID": obs_id,
        "RA_PNT": pointing[0],
        "DEC_PNT": pointing[1],
        "DEADC": 0.9,
        "TELESCOP": "TEST",
        "OBJECT": "Crab",
        "TSTART": 0.0,
        "TSTOP": 1000.0,
        "LIVETIME": 900.0,
        "GEOLON": 16.5,
        "GEOLAT": -23.27,
        "ALTITUDE": 1835.0,
        **cards,
    }
    return Table("EVENTS", columns, header)


def gti(*intervals: tuple[float, float], **cards: Any) -> Table:
    pairs = np.array(intervals or [(0.0, 1000.0)]).reshape(-1, 2)
    columns = Column("START", pairs[:, 0], "s"), Column("STOP", pairs[:, 1], "s")
    return Table("GTI", columns, {**REFERENCE, "HDUCLAS1": "GTI", **cards})


def without(table: Table, *names: str) -> Table:
    """A table without some columns and cards."""
    columns = tuple(column for column in table.columns if column.name not in names)
    return Table(table.name, columns, {name: value for name, value in table.header.items() if name not in names})


def with_card(table: Table, **cards: CardValue) -> Table:
    return Table(table.name, table.columns, {**table.header, **cards})


def typed_events(table: Table, types: NDArray[Any]) -> Table:
    """Events with a column EVENT_TYPE."""
    return Table(table.name, (*table.columns, Column("EVENT_TYPE", types)), table.header)


def write_observation(path: Path, obs_id: int = 1, **parts: Table | None) -> Path:
    """A file with one observation; ``parts`` replaces tables by type, None leaves one out."""
    usual: Mapping[str, Table | None] = {
        "events": events(obs_id=obs_id),
        "gti": gti(),
        "aeff": aeff(),
        "edisp": edisp(),
        "psf": psf(),
        "bkg": bkg(),
    }
    write_fits(path, [table for table in {**usual, **parts}.values() if table is not None])
    return path


CLASSES = {"EVENTS": ("events", "events"), "GTI": ("gti", "gti"), "AEFF": ("aeff", "aeff_2d"),
           "EDISP": ("edisp", "edisp_2d"), "PSF": ("psf", "psf_table"), "BKG": ("bkg", "bkg_3d")}  # fmt: skip


def write_store(
    folder: Path,
    files: Mapping[int, Path],
    suffix: str = ".fits.gz",
    classes: Mapping[str, tuple[str, str]] = CLASSES,
    **columns: Any,
) -> Path:
    """Index files for files in a folder; ``classes``: of the extensions; ``columns``: of the index of observations."""
    rows = [(number, *classes[hdu], file.name, hdu) for number, file in files.items() for hdu in classes]
    numbers, kinds, classes, names, hdus = (np.array(column) for column in zip(*rows, strict=True))
    index = (
        Column("OBS_ID", numbers),
        Column("HDU_TYPE", kinds),
        Column("HDU_CLASS", classes),
        Column("FILE_DIR", np.array(["."] * len(rows))),
        Column("FILE_NAME", names),
        Column("HDU_NAME", hdus),
    )
    write_fits(folder / f"hdu-index{suffix}", [Table("HDU_INDEX", index)])
    cells = (Column("OBS_ID", np.array(list(files))), *(Column(name, *value) for name, value in columns.items()))
    write_fits(folder / f"obs-index{suffix}", [Table("OBS_INDEX", cells, REFERENCE)])
    return folder
