"""Images of counts, and what a source at any pixel predicts in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np
from scipy import fft

from gm.arrays import Array, BoolArray
from gm.likelihood.maps.folding.frequencies import ComplexArray, images_of, spectra_of


@final
@dataclass(frozen=True, eq=False)
class Plane:
    """One image of counts, and what a source of norm 1 at any pixel predicts there.

    The source at pixel ``p`` predicts ``kernel[i - p] * exposed[i] * sent[p]`` counts at pixel ``i``.

    counts, background : (n_y, n_x); exposed : (n_y, n_x) [counts], 0 in pixels that do not enter; kernel : (k_y, k_x),
    both odd; sent : (n_y, n_x), or None for 1.
    """

    counts: Array
    background: Array
    exposed: Array
    kernel: Array
    sent: Array | None = None

    @property
    def shape(self) -> tuple[int, int]:
        return self.counts.shape[0], self.counts.shape[1]

    @property
    def enters(self) -> BoolArray:
        """(n_y, n_x): pixels at which a source is fitted."""
        return self.background > 0

    @cached_property
    def has_counts(self) -> BoolArray:
        """(n_y, n_x): pixels with counts in which a source may be seen."""
        return (self.counts > 0) & (self.exposed > 0)

    @cached_property
    def rate(self) -> Array:
        """Signal over background for a kernel of 1, in the pixels with counts, else 0; (n_y, n_x)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.has_counts, self.exposed / self.background, 0.0)

    def with_(self, **changes: Array) -> Plane:
        """The same with another kernel or other counts."""
        return replace(self, **changes)

    def cut(self, y: slice, x: slice) -> Plane:
        """Some rows and columns."""
        sent = None if self.sent is None else self.sent[y, x]
        return replace(
            self, counts=self.counts[y, x], background=self.background[y, x], exposed=self.exposed[y, x], sent=sent
        )

    def seen_from(self, image: Array, power: int = 1) -> Array:
        """``sum over i of (kernel[i - p] * sent[p])^power * image[i]`` at every pixel ``p``, (n_y, n_x)."""
        return seen_from([self], [image], power)


def seen_from(planes: Sequence[Plane], images: Iterable[Array], power: int = 1) -> Array:
    """The sum of `Plane.seen_from` over planes, (n_y, n_x), with an image (n_y, n_x) for each: those that send alike
    are transformed back together."""
    shape = planes[0].shape
    half_y, half_x = (max(plane.kernel.shape[axis] for plane in planes) // 2 for axis in (0, 1))
    size = fft.next_fast_len(shape[0] + half_y, real=True), fft.next_fast_len(shape[1] + half_x, real=True)

    def back(spectrum: ComplexArray) -> Array:
        part = slice(half_y, half_y + shape[0]), slice(half_x, half_x + shape[1])
        return images_of(spectrum, size, part)

    total, alike = np.zeros(shape), np.zeros((size[0], size[1] // 2 + 1), dtype=np.complex128)
    for plane, image in zip(planes, images, strict=True):
        y, x = half_y - plane.kernel.shape[0] // 2, half_x - plane.kernel.shape[1] // 2
        kernel = np.zeros((y + plane.kernel.shape[0], x + plane.kernel.shape[1]))
        np.power(plane.kernel[::-1, ::-1], power, out=kernel[y:, x:])
        product = spectra_of(image, size) * spectra_of(kernel, size)
        if plane.sent is None:
            alike += product
        else:
            total += back(product) * plane.sent**power
    return total + back(alike) if any(plane.sent is None for plane in planes) else total
