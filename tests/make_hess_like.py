"""The data store of the example ``hess-like``: four runs of a Cherenkov array, simulated.

``python -m tests.make_hess_like`` writes it again. Responses are those of ``gm.irf.parametric`` and its map, tabulated;
the events are drawn from the same formulas and from the example's models.yaml, by random numbers that are uniform and
nothing else, so that they do not depend on how a library turns these into other distributions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from gm import Models
from gm.arrays import Array
from gm.io.fits_writer import write_fits
from gm.io.tables import CardValue, Column, Table
from gm.irf.parametric import CherenkovArray, power_law_integral
from gm.irf.parametric_map import FIELD_SIGMA, ON_RADIUS, psf_sigma
from gm.maps.sphere import lon_lat, separation, unit_vectors
from tests.dl3_files import CLASSES, bins, gti, response, write_store

EXAMPLE = Path(__file__).resolve().parents[1] / "example_configs" / "hess-like"
SEED = 1054
SOURCE = (150.0, -30.0)
POINTINGS = {1: (150.0, -29.5), 2: (150.0, -30.5), 3: (149.4226, -30.0), 4: (150.5774, -30.0)}  # 0.5 deg away
DURATION, READY = 1680.0, 0.95  # [s] of a run, and the part of it in which the array is ready
E_MIN, E_MAX = 0.5, 50.0  # [TeV] of the events that are kept
FIELD = 2.0  # [deg] from the pointing within which there is background
BACKGROUND_INDEX = 2.7
ARRAY = CherenkovArray()
TRUE, OFFSET, MIGRA = np.geomspace(0.1, 100.0, 49), np.linspace(0.0, 2.5, 11), np.linspace(0.4, 2.2, 73)
GADF: dict[str, CardValue] = {
    "HDUCLASS": "GADF",
    "HDUDOC": "https://gamma-astro-data-formats.readthedocs.io",
    "HDUVERS": "0.3",
    "ORIGIN": "gm",
    "CREATOR": "tests/make_hess_like.py",
    "TELESCOP": "SIMULATED",
    "INSTRUME": "IACT",
}
TIMES: dict[str, CardValue] = {"TIMEUNIT": "s", "TIMEREF": "LOCAL", "TSTART": 0.0, "TSTOP": DURATION}
HDU_CLASSES = {**CLASSES, "PSF": ("psf", "psf_3gauss"), "BKG": ("bkg", "bkg_2d")}


class Drawn(NamedTuple):
    """Events of one kind, ``(n,)`` each: time [s], energy [TeV], right ascension and declination [deg]."""

    time: Array
    energy: Array
    lon: Array
    lat: Array


# responses


def acceptance(offset: Array) -> Array:
    """The part of gamma rays and of background that is left at offsets [deg] from the pointing."""
    return np.asarray(np.exp(-0.5 * (offset / FIELD_SIGMA) ** 2))


def background_rate() -> float:
    """Background on axis between the energies that are kept [s-1 deg-2]."""
    in_region = ARRAY.background(np.empty(0), np.array([E_MIN, E_MAX]), 1.0)[0]
    return float(in_region / (np.pi * ON_RADIUS**2))


def responses() -> dict[str, Table]:
    """The tables that all runs have, in single precision."""
    energy, offset = np.sqrt(TRUE[1:] * TRUE[:-1]), 0.5 * (OFFSET[1:] + OFFSET[:-1])
    migra = 0.5 * (MIGRA[1:] + MIGRA[:-1])
    axes = [*bins("ENERG", TRUE, "TeV"), *bins("THETA", OFFSET, "deg")]
    area = ARRAY.effective_area(energy) * acceptance(offset)[:, None] / 1e4
    spread = np.exp(-0.5 * (np.log(migra) / ARRAY.resolution) ** 2) / (np.sqrt(2.0 * np.pi) * ARRAY.resolution * migra)
    spread = np.broadcast_to(spread[:, None], (offset.size, migra.size, energy.size))
    edisp_axes = [*axes[:2], *bins("MIGRA", MIGRA, ""), *axes[2:]]
    edges = np.geomspace(E_MIN, E_MAX, 11)
    rate = power_law_integral(np.array([E_MIN, E_MAX]), 1.0, BACKGROUND_INDEX)[0]
    density = background_rate() / rate * np.sqrt(edges[1:] * edges[:-1]) ** -BACKGROUND_INDEX  # s-1 deg-2 TeV-1
    background = density * acceptance(offset)[:, None] / (1e6 * np.radians(1.0) ** 2)
    bkg_axes = [*axes[2:], *bins("ENERG", edges, "TeV")]
    tables = {
        "aeff": response("AEFF", axes, "EFFAREA", area, "m2", "EFF_AREA", "FULL-ENCLOSURE", "AEFF_2D",
                         LO_THRES=E_MIN, HI_THRES=E_MAX),
        "edisp": response("EDISP", edisp_axes, "MATRIX", spread, "", "EDISP", "FULL-ENCLOSURE", "EDISP_2D"),
        "psf": point_spread(axes, energy, offset),
        "bkg": response("BKG", bkg_axes, "BKG", background, "s-1 MeV-1 sr-1", "BKG", "FULL-ENCLOSURE", "BKG_2D"),
    }  # fmt: skip
    return {name: in_single_precision(table) for name, table in tables.items()}


def point_spread(axes: list[Column], energy: Array, offset: Array) -> Table:
    """One Gaussian out of the three that the format has."""
    sigma = np.broadcast_to(psf_sigma(energy), (offset.size, energy.size))
    table = response("PSF", axes, "SIGMA_1", sigma, "deg", "RPSF", "FULL-ENCLOSURE", "PSF_3GAUSS")
    zero, unit = np.zeros((1, *sigma.shape)), np.radians(1.0) ** 2
    others = [Column(name, zero, "deg" if name.startswith("SIGMA") else "")
              for name in ("SIGMA_2", "SIGMA_3", "AMPL_2", "AMPL_3")]  # fmt: skip
    scale = Column("SCALE", 1.0 / (2.0 * np.pi * sigma[None] ** 2 * unit), "sr-1")
    return Table(table.name, (*table.columns, *others, scale), table.header)


def in_single_precision(table: Table) -> Table:
    columns = tuple(Column(c.name, np.asarray(c.values, dtype=np.float32), c.unit) for c in table.columns)
    return Table(table.name, columns, {**GADF, **table.header})


# events


def arrivals(random: np.random.Generator, rate: float) -> Array:
    """Times [s] within a run of what arrives at a rate [s-1]."""
    expected = rate * DURATION
    gaps = -np.log1p(-random.random(int(expected + 10.0 * np.sqrt(expected) + 10.0))) / rate
    times = np.cumsum(gaps)
    return np.asarray(times[times < DURATION])


def gammas(random: np.random.Generator, pointing: tuple[float, float]) -> Drawn:
    """Gamma rays of the source, true energies from 0.2 TeV, seen with the resolution of the array."""
    energy = np.geomspace(0.2, TRUE[-1], 4001)
    spectrum = Models.read(EXAMPLE / "models.yaml").sources()[0].spectral_model(energy)
    offset = separation(*SOURCE, *pointing)
    density = spectrum * ARRAY.effective_area(energy) * acceptance(offset) * READY
    rate = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(energy))])
    time = arrivals(random, float(rate[-1]))
    true = np.exp(np.interp(random.random(time.size) * rate[-1], rate, np.log(energy)))
    seen = true * np.exp(ARRAY.resolution * ndtri(random.random(time.size)))
    distance = psf_sigma(true) * np.sqrt(-2.0 * np.log1p(-random.random(time.size)))
    return Drawn(time, seen, *around(SOURCE, distance, 2.0 * np.pi * random.random(time.size)))


def background(random: np.random.Generator, pointing: tuple[float, float]) -> Drawn:
    """Background in the field of view: a power law in energy, a Gaussian of the offset."""
    reached = 1.0 - acceptance(np.array(FIELD))
    time = arrivals(random, background_rate() * 2.0 * np.pi * FIELD_SIGMA**2 * float(reached))
    low, high = E_MIN ** (1.0 - BACKGROUND_INDEX), E_MAX ** (1.0 - BACKGROUND_INDEX)
    energy = (low + (high - low) * random.random(time.size)) ** (1.0 / (1.0 - BACKGROUND_INDEX))
    distance = FIELD_SIGMA * np.sqrt(-2.0 * np.log1p(-reached * random.random(time.size)))
    return Drawn(time, energy, *around(pointing, distance, 2.0 * np.pi * random.random(time.size)))


def around(center: tuple[float, float], distance: Array, angle: Array) -> tuple[Array, Array]:
    """Positions [deg] at distances [deg] from a centre, in directions [rad] from north towards east."""
    lon, lat = center
    north = unit_vectors(lon, lat + 90.0)[:, None]
    east = unit_vectors(lon + 90.0, 0.0)[:, None]
    away = np.cos(angle) * north + np.sin(angle) * east
    return lon_lat(np.cos(np.radians(distance)) * unit_vectors(lon, lat)[:, None] + np.sin(np.radians(distance)) * away)


def events(obs_id: int) -> Table:
    """The events of a run in order of time, positions and energies in single precision."""
    random, pointing = np.random.default_rng([SEED, obs_id]), POINTINGS[obs_id]
    drawn = [np.concatenate(pair) for pair in zip(gammas(random, pointing), background(random, pointing), strict=True)]
    keep = (drawn[1] >= E_MIN) & (drawn[1] < E_MAX)
    order = np.argsort(drawn[0][keep])
    time, energy, lon, lat = (column[keep][order] for column in drawn)
    columns = (
        Column("EVENT_ID", np.arange(1, time.size + 1)),
        Column("TIME", np.round(time, 3), "s"),
        Column("RA", lon.astype(np.float32), "deg"),
        Column("DEC", lat.astype(np.float32), "deg"),
        Column("ENERGY", energy.astype(np.float32), "TeV"),
    )
    return Table("EVENTS", columns, events_header(obs_id))


def events_header(obs_id: int) -> Mapping[str, Any]:
    lon, lat = POINTINGS[obs_id]
    return {**gti().header, **GADF, **TIMES, "HDUCLAS1": "EVENTS", "OBS_ID": obs_id, "OBS_MODE": "WOBBLE",
            "OBJECT": "source", "RA_OBJ": SOURCE[0], "DEC_OBJ": SOURCE[1], "RA_PNT": lon, "DEC_PNT": lat,
            "EQUINOX": 2000.0, "RADECSYS": "ICRS", "ONTIME": DURATION, "LIVETIME": READY * DURATION, "DEADC": READY,
            "GEOLON": 16.5, "GEOLAT": -23.27, "ALTITUDE": 1835.0}  # fmt: skip


def make(folder: Path) -> None:
    """Write the files of the data store into a folder."""
    tables = responses()
    files = {}
    for obs_id in POINTINGS:
        intervals = gti((0.0, DURATION), **GADF, **TIMES, OBS_ID=obs_id)
        files[obs_id] = folder / f"run-{obs_id}.fits.gz"
        write_fits(files[obs_id], [events(obs_id), intervals, *tables.values()])
    n, pointings = len(files), np.array(list(POINTINGS.values()))
    write_store(
        folder,
        files,
        classes=HDU_CLASSES,
        RA_PNT=(pointings[:, 0], "deg"),
        DEC_PNT=(pointings[:, 1], "deg"),
        TSTART=(np.zeros(n), "s"),
        TSTOP=(np.full(n, DURATION), "s"),
        ONTIME=(np.full(n, DURATION), "s"),
        LIVETIME=(np.full(n, READY * DURATION), "s"),
        DEADC=(np.full(n, READY), ""),
        OBJECT=(np.array(["source"] * n), ""),
    )


if __name__ == "__main__":
    make(EXAMPLE / "dl3")
