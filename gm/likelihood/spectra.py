"""Where images on the sky have light, and their spectra, which datasets that see the same images share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from gm.arrays import Array

ComplexArray = NDArray[np.complex128]
Part = tuple[slice, slice]
Size = tuple[int, int]

_DARK = 1e-10  # of an image's light: tails that no prediction feels
_FAINT = 1e-10  # of the amplitude of an image's spectrum: frequencies that no prediction feels
_KEPT = 2  # sets of images


def lit(images: Array) -> Part | None:
    """Rows and columns outside of which images (..., ny, nx) are as good as 0; None: dark."""
    light, part = np.abs(images).reshape(-1, *images.shape[-2:]), []
    for sums in (light.sum(axis=2), light.sum(axis=1)):
        dark = _DARK * sums.sum(axis=1, keepdims=True)
        from_below = (sums.cumsum(axis=1) > dark).any(axis=0)
        from_above = (sums[:, ::-1].cumsum(axis=1) > dark).any(axis=0)
        if not from_below.any():
            return None
        part.append(slice(int(from_below.argmax()), sums.shape[1] - int(from_above.argmax())))
    return part[0], part[1]


def band(spectra: ComplexArray) -> Size:
    """Frequencies in y and x up to which spectra (m, rows, columns) have all their light."""
    parts, highest = np.ascontiguousarray(spectra).view(np.float64).reshape(*spectra.shape, 2), []
    for axis in ("y", "x"):
        power = np.einsum(f"myxc,myxc->m{axis}", parts, parts)
        n = power.shape[1]
        both = power[:, : n // 2 + 1].copy()
        both[:, 1:] += power[:, : -(n // 2) - 1 : -1]
        beyond = both[:, ::-1].cumsum(axis=1)[:, ::-1]
        is_dark = (beyond <= _FAINT**2 * beyond[:, :1]).all(axis=0)
        highest.append(max(int(is_dark.argmax()) - 1, 0) if is_dark.any() else n // 2)
    return highest[0], highest[1]


class Spectra:
    """`lit` and spectra of images, kept for the last arrays of images that were asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: list[tuple[Array, dict[Any, Any]]] = []

    def lit(self, images: Array) -> Part | None:
        """As the function `lit`."""
        part: Part | None = self._of(images, "lit", lambda: lit(images))
        return part

    def whole(self, images: Array, part: Part, size: Size) -> tuple[ComplexArray, Size]:
        """Spectra (m, *size) of a part of images (m, ny, nx), which starts at the first pixel; their `band`."""

        def make() -> tuple[ComplexArray, Size]:
            spectra = fft.fft2(images[(..., *part)], s=size)
            return spectra, band(spectra)

        found: tuple[ComplexArray, Size] = self._of(images, (str(part), size), make)
        return found

    def _of(self, images: Array, what: Any, make: Callable[[], Any]) -> Any:
        with self._lock:
            known = next((known for own, known in self._known if own is images), None)
            if known is None:
                known = {}
                self._known = [(images, known), *self._known[: _KEPT - 1]]
            if what not in known:
                known[what] = make()
            return known[what]
