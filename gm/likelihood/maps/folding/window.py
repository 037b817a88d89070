"""What a map dataset sees of an image on the sky: a window of its pixels, and counts per flux that falls there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from gm.arrays import Array, BoolArray, IntArray, MapArray


@dataclass(frozen=True, eq=False)
class MapWindow:
    """A rectangle of a map dataset, and which of the dataset's bins with counts lie in it.

    y, x : the rectangle in the map; exposed : (n_energy_true, ny, nx) [cm2 s], of a large one a part of the map's
    exposure, not a copy; edisp : (n_energy_true, n_energy);
    mask : (n_energy, n_pixels), bins that enter; rows : (n_rows,) positions among the dataset's bins with counts;
    energy, pixel : (n_rows,) energy bin and pixel of each, pixels counted within the rectangle.
    """

    y: slice
    x: slice
    exposed: MapArray
    edisp: Array
    mask: BoolArray
    rows: IntArray
    energy: IntArray
    pixel: IntArray

    def cut(self, kept: IntArray, first: int, last: int) -> MapWindow:
        """The window with energy bins ``first:last`` only; ``kept``: which of the dataset's bins with counts remain."""
        mask = np.zeros_like(self.mask)
        mask[first:last] = self.mask[first:last]
        here = np.isin(self.rows, kept)
        rows = np.searchsorted(kept, self.rows[here])
        return replace(self, mask=mask, rows=rows, energy=self.energy[here], pixel=self.pixel[here])

    @property
    def exposure(self) -> MapArray:
        """(n_energy_true, n_pixels) [cm2 s]."""
        return self.exposed.reshape(len(self.exposed), -1)

    @property
    def shape(self) -> tuple[int, int]:
        return self.y.stop - self.y.start, self.x.stop - self.x.start

    def masks(self) -> tuple[BoolArray, IntArray]:
        """The masks (n, n_pixels) without repetitions from one energy to the next, and which each energy has."""
        is_new = np.append(True, (self.mask[1:] != self.mask[:-1]).any(axis=1))
        return self.mask[is_new], np.cumsum(is_new) - 1

    def entering(self, edisp: Array) -> Array:
        """``edisp @ mask``, (n, n_pixels): energies whose masks are equal are added first."""
        masks, mask_of = self.masks()
        starts = np.searchsorted(mask_of, np.arange(len(masks)))
        return np.asarray(np.einsum("eg,gp->ep", np.add.reduceat(edisp, starts, axis=1), masks))

    def holds(self, x: int, y: int) -> bool:
        """Whether a pixel, counted from the window's first, lies in it."""
        return 0 <= x < self.shape[1] and 0 <= y < self.shape[0]


@dataclass(frozen=True, eq=False)
class Response:
    """Predicted counts per unit flux: ``matrix`` (n_rows, n_energy_true) at ``rows``, ``total`` (n_energy_true,).

    is_negative : whether some of them, in any bin, may be less than 0
    """

    rows: IntArray
    matrix: Array
    total: Array
    is_negative: bool = False


@dataclass(frozen=True, eq=False)
class EnergyResponse:
    """Exposure and energy dispersion of a window at the true energies that contribute: ``seen`` (n_seen,) of all."""

    window: MapWindow
    seen: IntArray

    @classmethod
    def of(cls, window: MapWindow) -> EnergyResponse:
        """Of all true energies that a bin sees and that are exposed."""
        entering = window.mask.any(axis=1)
        return cls(window, np.flatnonzero(window.edisp[:, entering].any(axis=1) & window.exposed.any(axis=(1, 2))))

    @cached_property
    def edisp(self) -> Array:
        """(n_seen, n_energy)."""
        return self.window.edisp[self.seen]

    @property
    def n_rows(self) -> int:
        """Bins with counts."""
        return self.window.rows.size

    def per_row(self) -> Array:
        """Counts in the bins with counts per flux there, (n_rows, n_seen)."""
        per_row = np.take(np.ascontiguousarray(self.edisp.T), self.window.energy, axis=0)
        by_pixel = self.window.exposed[self.seen].reshape(self.seen.size, self.window.mask.shape[1])
        per_row *= np.take(np.ascontiguousarray(by_pixel.T), self.window.pixel, axis=0)
        return per_row

    @property
    def pixels(self) -> tuple[IntArray, IntArray]:
        """Rows ``y`` and columns ``x`` of the bins with counts in the window, (n_rows,) each."""
        y, x = np.divmod(self.window.pixel, self.window.shape[1])
        return y, x

    def per_pixel(self, some: slice = slice(None)) -> Array:
        """Counts in all bins that enter, per flux in a pixel of the window, (n_some, ny, nx) at some true energies."""
        per_pixel = self.window.entering(self.edisp[some]).reshape(-1, *self.window.shape)
        per_pixel *= self.window.exposed[self.seen[some]]
        return per_pixel

    def all_energies(self, values: Array) -> Array:
        """Values of the energies that are seen, on the last axis, with 0 for the others."""
        if self.seen.size == len(self.window.exposed):
            return values
        whole = np.zeros((*values.shape[:-1], len(self.window.exposed)), values.dtype)
        whole[..., self.seen] = values
        return whole
