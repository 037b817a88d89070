"""OGIP spectra: counts per channel (PHA and background files) and effective area (ARF).

Rows are put in the order of their energies; a channel is good where QUALITY is 0, and not where the file does not list
it; counts are what COUNTS says, or RATE times EXPOSURE. BACKSCAL, AREASCAL, QUALITY and GROUPING are columns, or header
cards that hold for every channel. Accepted beyond the standard: units other than keV and cm2, a PHA file without
EBOUNDS. SYS_ERR and CORRSCAL have no place in the statistics here: files that use them are warned of. Source: OGIP
memos 92-007.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array, BoolArray, IntArray
from gm.io.fits import Extension, FitsFile, first_extension, read_fits
from gm.io.ogip_channels import Channels, Numbered, channels, edges_of, tell_unit
from gm.io.tables import Table

log = logging.getLogger(__name__)
T = TypeVar("T", bound=np.generic)

SPECTRUM_OR_MAP = "SPECTRUM", "COUNTS_BANDS"
"""Of these extensions the first one tells an OGIP spectrum from a GADF dataset, whose axes are in the second."""

_COMPANIONS = ("ANCRFILE", "RESPFILE", "BACKFILE")
_NO = ("F", "FALSE", ".FALSE.", "N", "NO", "0")
_EXTENSION = re.compile(r"\s*(\[(SPECTRUM|SPECRESP|MATRIX|SPECRESP MATRIX)\]|\{1\})$", re.IGNORECASE)  # of HEASoft
_WHOLE = 1e-3  # counts: what a rate in single precision leaves of a whole number, up to 1e4


@dataclass(frozen=True, eq=False, kw_only=True)
class Pha:
    """Counts per channel, ``counts, backscal, areascal, good : (n_channels,)``, in the order of the energies that
    ``channels`` have. Where the file does not say these (None) channels are those that it lists, by number.

    exposure : live time [s]; goes_on : (n_channels,) which channels are in one group with the channel before. File
    names as the header has them, empty when absent.
    """

    path: Path
    counts: Array
    backscal: Array
    areascal: Array
    good: BoolArray
    goes_on: BoolArray
    numbered: Numbered
    channels: Channels | None
    exposure: float
    name: str
    ancrfile: str
    backfile: str
    respfile: str
    region: Table | None
    gti: Table | None

    def on(self, channels: Channels) -> Pha:
        """By the energies of these channels. Raises `DataError` where it has others."""
        at = channels.places(self.path, self.numbered)

        def placed(values: NDArray[T], elsewhere: float) -> NDArray[T]:
            whole = np.full(channels.n, elsewhere, dtype=values.dtype)
            whole[at] = values
            return whole

        goes_on = np.append(self.goes_on[1:], False) if channels.falls else self.goes_on
        return replace(
            self,
            counts=placed(self.counts, 0.0),
            backscal=placed(self.backscal, 1.0),
            areascal=placed(self.areascal, 1.0),
            good=placed(self.good, False),
            goes_on=placed(goes_on, False),
            channels=channels,
        )

    def groups(self) -> IntArray | None:
        """The channels at which groups begin and where the last one ends; None: channels are not grouped."""
        if not self.goes_on.any():
            return None
        return np.append(np.flatnonzero(~self.goes_on | (np.arange(self.goes_on.size) == 0)), self.goes_on.size)


def is_ogip(file: FitsFile) -> bool:
    """Whether a file holds an OGIP spectrum."""
    spectrum = file.find(*SPECTRUM_OR_MAP)
    return spectrum is not None and spectrum.name == "SPECTRUM" and "OGIP" in spectrum.header.text("HDUCLASS")


def named_files(path: Path) -> list[str]:
    """The files that the header of a PHA file names, which a dataset needs with it; none in other files.

    Raises `DataError`.
    """
    spectrum = first_extension(path, *SPECTRUM_OR_MAP)
    names = [_file_name(spectrum, card) for card in _COMPANIONS] if spectrum is not None else []
    return [name for name in names if name]


def pha_from(file: FitsFile) -> Pha:
    """The spectrum in an opened PHA or background file. Raises `DataError`."""
    spectrum, bounds = file.single("SPECTRUM"), file.find("EBOUNDS")
    _refuse_what_is_no_counts(spectrum)
    exposure = spectrum.header.number("EXPOSURE")
    if exposure is None or not 0 <= exposure < np.inf:
        spectrum.fail(f"card EXPOSURE is {spectrum.header.get('EXPOSURE')!r}, expected the live time in seconds")
    counts = _counts(spectrum, float(exposure))
    if counts.ndim != 1:
        spectrum.fail("holds several spectra (type II), expected one", "write each spectrum into a file of its own")
    _, order = channels(spectrum)

    def by_channel(name: str, default: float) -> Array:
        values = _per_channel(spectrum, name, default, len(counts))
        return values if order is None else values[order]

    good = by_channel("QUALITY", 0.0) == 0
    areascal = np.where(good, by_channel("AREASCAL", 1.0), 1.0)
    if not ((areascal > 0) & (areascal < np.inf)).all():
        spectrum.fail("AREASCAL has values that are not above 0", "flag channels without an area in QUALITY")
    region, gti = file.find("REGION"), file.find("GTI")
    pha = Pha(
        path=file.path,
        counts=counts if order is None else counts[order],
        backscal=by_channel("BACKSCAL", 1.0),
        areascal=areascal,
        good=good,
        goes_on=_goes_on(spectrum, by_channel("GROUPING", 0.0)),
        numbered=Numbered.of(spectrum, len(counts)),
        channels=None,
        exposure=float(exposure),
        name=spectrum.header.text("OBS_ID"),
        ancrfile=_file_name(spectrum, "ANCRFILE"),
        backfile=_file_name(spectrum, "BACKFILE"),
        respfile=_file_name(spectrum, "RESPFILE"),
        region=region.table() if region is not None else None,
        gti=gti.table() if gti is not None else None,
    )
    return pha if bounds is None else pha.on(Channels.of(bounds))


def _refuse_what_is_no_counts(spectrum: Extension) -> None:
    """Raise `DataError` where the Poisson statistics do not hold; warn of what they have no place for."""
    if "NET" in (spectrum.header.text(f"HDUCLAS{n}").upper() for n in (2, 3)):
        spectrum.fail(
            "the background is already subtracted (HDUCLAS2 is NET), expected the counts that were detected",
            "a difference of counts follows no Poisson distribution: use the TOTAL spectrum with its BACKFILE",
        )
    if spectrum.header.text("POISSERR", "True").upper() in _NO:
        spectrum.fail(
            "the errors are not those of counts (POISSERR is F), expected Poisson counts",
            "set POISSERR to T if the numbers are the counts that were detected",
        )
    if "POISSERR" not in spectrum.header and spectrum.find("STAT_ERR") is not None:
        log.warning("%s: STAT_ERR is ignored: the numbers are taken for Poisson counts", spectrum.path)
    if (_per_channel(spectrum, "SYS_ERR", 0.0, 1) != 0).any():
        log.warning("%s: SYS_ERR is ignored: Poisson statistics have no place for it", spectrum.path)
    if _file_name(spectrum, "CORRFILE"):
        log.warning("%s: CORRFILE %s is ignored", spectrum.path, _file_name(spectrum, "CORRFILE"))


def _counts(spectrum: Extension, exposure: float) -> Array:
    """COUNTS, or the whole numbers that are RATE times EXPOSURE."""
    if spectrum.find("COUNTS") is not None or spectrum.find("RATE") is None:
        return spectrum.floats("COUNTS", "ct", "ct")
    counts = spectrum.floats("RATE", "s-1", "s-1") * exposure
    whole = np.round(counts)
    if not (np.abs(counts - whole) <= _WHOLE * np.maximum(1.0, 1e-4 * whole)).all():
        spectrum.fail(
            "has a RATE column that is no whole numbers of counts in its EXPOSURE, expected COUNTS",
            "Poisson statistics need the counts that were detected",
        )
    return whole


def _goes_on(spectrum: Extension, flags: Array) -> BoolArray:
    """Where GROUPING says that a group goes on (-1); with 1 one begins, and 0 is a channel on its own."""
    if not np.isin(flags, (-1.0, 0.0, 1.0)).all():
        spectrum.fail("column GROUPING has values other than 1, 0 and -1")
    return np.asarray(flags == -1.0)


def _per_channel(spectrum: Extension, name: str, default: float, n_channels: int) -> Array:
    """A column; or a header card that holds for every channel."""
    if spectrum.find(name) is not None:
        return spectrum.numbers(name)
    value = spectrum.header.number(name) if name in spectrum.header else default
    if value is None:
        spectrum.fail(f"card {name} is {spectrum.header.get(name)!r}, expected a number")
    return np.full(n_channels, float(value))


def _file_name(spectrum: Extension, card: str) -> str:
    """The file that a card names, without the extension in it that is looked for anyway."""
    name = spectrum.header.text(card)
    return "" if name.lower() == "none" else _EXTENSION.sub("", name)


def read_arf(path: Path) -> tuple[Array, Array]:
    """True-energy edges ``(n + 1,) [TeV]`` and effective area ``(n,) [cm2]``. Raises `DataError`."""
    response = read_fits(path).single("SPECRESP")
    area = response.numbers("SPECRESP", "cm2", "cm2")
    tell_unit(response, "SPECRESP", "cm2")
    if not np.isfinite(area).all() or (area < 0).any():
        response.fail("column SPECRESP has values that are negative or not finite, expected an area")
    return edges_of(response, "ENERG_LO", "ENERG_HI"), area
