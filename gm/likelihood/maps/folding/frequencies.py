"""The bounding box of images on the sky, and their frequency support."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from gm.arrays import Array, IntArray

ComplexArray = NDArray[np.complex128]
Part = tuple[slice, slice]
Size = tuple[int, int]

FAINT = 1e-10  # of the amplitude of an image's spectrum: frequencies that no prediction feels
_FAINT_TAIL = 1e-10  # of an image's flux: tails that no prediction feels
_NOISE = 1e-15  # of the norm of an image that is folded with a kernel whose sum is 1


@dataclass(frozen=True)
class Frequencies:
    """The low frequencies of transforms of ``size`` (rows, columns): from ``-lowest`` on, up to ``lowest`` or to where
    they repeat themselves.
    """

    size: Size
    lowest: Size

    @classmethod
    def up_to(cls, size: Size, highest: tuple[float, float]) -> Frequencies:
        """All up to the highest ones, or all that there are."""
        return cls(size, (min(ceil(highest[0]), size[0] // 2), min(ceil(highest[1]), size[1] // 2)))

    @property
    def shape(self) -> Size:
        return min(2 * self.lowest[0] + 1, self.size[0]), min(2 * self.lowest[1] + 1, self.size[1])

    @property
    def y(self) -> Array:
        """(n_y,)."""
        return np.arange(self.shape[0], dtype=np.float64) - self.lowest[0]

    @property
    def x(self) -> Array:
        """(n_x,)."""
        return np.arange(self.shape[1], dtype=np.float64) - self.lowest[1]

    @property
    def rows(self) -> IntArray:
        """(n_y,) where they are in transforms."""
        return self.y.astype(np.intp) % self.size[0]

    def cut(self, spectra: ComplexArray) -> ComplexArray:
        """These (..., n_y, n_x) of whole spectra (..., rows, columns)."""
        return np.take(np.take(spectra, self.rows, axis=-2), self.x.astype(np.intp) % self.size[1], axis=-1)

    @property
    def half(self) -> Array:
        """(n_half,) those in x that are not negative: of real images the others say the same."""
        return np.arange(self.lowest[1] + 1, dtype=np.float64)


def spectra_of(images: Array, size: Size) -> ComplexArray:
    """Transforms (..., rows, columns / 2 + 1) of real images (..., ny, nx), with zeros around them up to a size.

    As those of `scipy.fft.rfft2`, which transforms the rows of zeros too.
    """
    by_row = fft.rfft(images, n=size[1], axis=-1)
    return np.asarray(fft.fft(by_row, n=size[0], axis=-2, overwrite_x=True))


def images_of(spectra: ComplexArray, size: Size, part: Part) -> Array:
    """The reverse, (..., ny, nx), but for what is outside of a part; ``spectra`` are overwritten."""
    by_row = fft.ifft(spectra, axis=-2, overwrite_x=True)[..., part[0], :]
    return np.asarray(fft.irfft(by_row, n=size[1], axis=-1)[..., part[1]])


def noise_of(images: Array) -> Array:
    """What transforms of images (..., ny, nx) leave, (...), where a kernel reaches nothing of them.

    Cash takes +1e-17 counts for a prediction and cuts off -1e-17, 40 of -2 ln L apart, by the sign of a rounding.
    """
    return np.asarray(_NOISE * np.sqrt(np.einsum("...yx,...yx->...", images, images)))


def bounding_box(images: Array) -> Part | None:
    """Rows and columns outside of which images (..., ny, nx) are as good as 0; None: everywhere."""
    each, part = images.reshape(-1, *images.shape[-2:]), []
    rows, columns = (np.empty((len(each), n)) for n in images.shape[-2:])
    for image, by_row, by_column in zip(each, rows, columns, strict=True):
        flux = np.abs(image)
        flux.sum(axis=1, out=by_row)
        flux.sum(axis=0, out=by_column)
    for sums in (rows, columns):
        tail = _FAINT_TAIL * sums.sum(axis=1, keepdims=True)
        from_below = (sums.cumsum(axis=1) > tail).any(axis=0)
        from_above = (sums[:, ::-1].cumsum(axis=1) > tail).any(axis=0)
        if not from_below.any():
            return None
        part.append(slice(int(from_below.argmax()), sums.shape[1] - int(from_above.argmax())))
    return part[0], part[1]


def envelope(spectra: Iterable[ComplexArray]) -> Array:
    """What no spectrum (rows, columns) exceeds at a frequency or beyond, relative to its largest amplitude.

    (n_y, n_x) of the frequencies in y and x, to both sides alike, up to the last ones of the support.
    """
    power = np.zeros((1, 1))
    for spectrum in spectra:
        own = spectrum.real**2
        own += spectrum.imag**2
        own /= own.max() or 1.0
        power = np.maximum(power, own)
    y, x = (np.arange(n // 2 + 1) for n in power.shape)
    rows = np.maximum(power[y], power[-y])
    quadrant = np.maximum(rows[:, x], rows[:, -x])[::-1, ::-1]
    highest = np.sqrt(np.maximum.accumulate(np.maximum.accumulate(quadrant, axis=0), axis=1)[::-1, ::-1])
    n_y, n_x = (max(int(np.count_nonzero(edge > FAINT)), 1) for edge in (highest[:, 0], highest[0]))
    return np.asarray(highest[:n_y, :n_x])
