"""Observations with responses that are maps of the sky: events of a detector that does not move, beside DL4 files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gm.io.fits_writer import write_fits
from gm.io.tables import Column, Table
from tests.dl3_files import gti, with_card

REFERENCE = {"MJDREFI": 51544, "MJDREFF": 0.5, "TIMESYS": "tt"}
DAYS = 20
CLASSES = {
    "EXPOSURE": ("aeff", "map"),
    "BACKGROUND": ("bkg", "map"),
    "EDISP": ("edisp", "edisp_kernel_map"),
    "PSF": ("psf", "psf_map_reco"),
}


def sky_events(n: int = 4000, obs_id: int = 1) -> Table:
    """Events within 3 deg of the Crab nebula over 20 days, without a card DEADC."""
    rng = np.random.default_rng(obs_id)
    lon, lat = rng.uniform(80.7, 86.6, n), rng.uniform(19.1, 24.9, n)
    columns = (
        Column("TIME", np.sort(rng.uniform(0.0, DAYS * 86400.0, n)), "s"),
        Column("RA", lon, "deg"),
        Column("DEC", lat, "deg"),
        Column("ENERGY", 1.0 * rng.random(n) ** -0.6, "TeV"),
    )
    cards = {"HDUCLAS1": "EVENTS", "OBS_ID": obs_id, "OBS_MODE": "DRIFT", "AZ_PNT": 0.0, "ALT_PNT": 90.0}
    site = {"TELESCOP": "HAWC", "GEOLON": -97.3, "GEOLAT": 19.0, "ALTITUDE": 4096.6}
    return Table("EVENTS", columns, {**REFERENCE, **cards, **site})


def write_sky_store(folder: Path, responses: Mapping[int, Path], **kinds: str) -> Path:
    """A store of observations with the responses of map datasets, on their own paths; ``kinds``: classes of these."""
    classes = {**CLASSES, **{hdu: (CLASSES[hdu][0], kind) for hdu, kind in kinds.items()}}
    folder.mkdir(exist_ok=True)
    rows = []
    for number, file in responses.items():
        times = with_card(gti((0.0, DAYS * 86400.0)), **REFERENCE)
        write_fits(folder / f"{number}.fits", [sky_events(obs_id=number), times])
        rows += [(number, kind, kind, "", f"{number}.fits", kind.upper()) for kind in ("events", "gti")]
        rows += [(number, *kind, str(file.parent), file.name, hdu) for hdu, kind in classes.items()]
    names = ("OBS_ID", "HDU_TYPE", "HDU_CLASS", "FILE_DIR", "FILE_NAME", "HDU_NAME")
    index = tuple(Column(name, np.array(cells)) for name, cells in zip(names, zip(*rows, strict=True), strict=True))
    write_fits(folder / "hdu-index.fits.gz", [Table("HDU_INDEX", index)])
    return folder
