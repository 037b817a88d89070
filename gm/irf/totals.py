"""What responses add up to: probabilities to 1, or to less where not all energies or distances are listed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from gm.errors import DataError

_NOTHING = 0.01
LEAST, MOST = 0.9, 1.1  # the largest total of a response; rounding, coarse bins and cuts leave it in between


def strange_total(totals: ArrayLike, *, is_whole: bool = True) -> float | None:
    """The largest of the totals of a response, any shape, where no probability has it; else None, as without a total.

    is_whole : whether everything that may happen is listed, so that the largest total is not far below 1 either
    """
    largest = float(np.asarray(totals).max(initial=0.0))
    is_strange = largest > MOST or (is_whole and 0.0 < largest < LEAST)
    return largest if is_strange else None


def short_total(totals: ArrayLike) -> float | None:
    """The smallest of the totals of a response, any shape, where that is far below 1 and others are not: its table ends
    before probabilities do. Next to nothing, as interpolation leaves it beyond a table, is none."""
    found = np.asarray(totals, dtype=np.float64)
    least = float(np.min(found, initial=np.inf, where=found > _NOTHING))
    return least if least < LEAST <= np.max(found, initial=0.0) else None


def check_contained(total: float | None) -> None:
    """Raises `DataError` where a PSF with this strange total does not say which part of it is within a radius."""
    if total is not None and total > MOST:
        raise DataError(
            f"the PSF adds up to as much as {total:.3g}, expected 1: it does not say what is contained in the region"
            "\n    correct the file, or leave the correction out: containment_correction: false"
        )
