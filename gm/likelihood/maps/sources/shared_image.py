"""The image of a component, and what was evaluated for the last few shapes, for all datasets that see it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations_with_replacement
from typing import Generic, Protocol, TypeVar

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.io.allocator import zeros_apart
from gm.parallel import Lock

T = TypeVar("T")
_RECENT = 3


class Image(Protocol):
    """A shape on the sky as flux fractions per pixel of a window.

    may_be_negative : whether its density may be; parts of pixels are not asked
    """

    may_be_negative: bool

    def pixels(self, values: Array) -> Array:
        """(ny, nx), or (n_energy_true, ny, nx) where the shape changes with energy."""

    def pixels_gradient(self, values: Array) -> Array:
        """(n_shape, ...) as `pixels`."""


class Recent(Generic[T]):
    """Results for the values (n_shape,) of the last few shapes. The one asked for most stays: differences around it
    come and go."""

    def __init__(self, n: int = _RECENT) -> None:
        self._n = n
        self._kept: dict[bytes, tuple[int, T]] = {}

    def get(self, values: Array, make: Callable[[Array], T]) -> T:
        key = values.tobytes()
        asked, result = self._kept.get(key, (0, None))
        if result is None:
            if self._n == 0:
                return make(values)
            if len(self._kept) >= self._n:
                del self._kept[min(self._kept, key=lambda old: self._kept[old][0])]
            result = make(values)
        self._kept[key] = asked + 1, result
        return result

    def clear(self, *, but: Array | None = None) -> None:
        """Nothing is kept any more, or the result of some values alone."""
        kept = {} if but is None else {key: self._kept[key] for key in (but.tobytes(),) if key in self._kept}
        self._kept = kept

    def __contains__(self, values: Array) -> bool:
        return values.tobytes() in self._kept


class SharedImage:
    """An image, and what was evaluated for the last ``n`` shapes, for all datasets that see it."""

    def __init__(self, image: Image, n: int = 2) -> None:
        self._image, self._lock = image, Lock()
        self._alone: Recent[Array] = Recent(n)
        self._changes: Recent[tuple[IntArray, Array]] = Recent(n)
        self._bends: Recent[Array] = Recent(min(n, 1))

    def pixels(self, values: Array) -> Array:
        """As `Image.pixels`."""
        return np.asarray(self.alone(values)[0])

    def is_negative(self, pixels: Array) -> bool:
        """Whether it is somewhere, with these pixels, (ny, nx) or (n_energy_true, ny, nx)."""
        return self._image.may_be_negative and bool(pixels.min() < 0)

    def alone(self, values: Array) -> Array:
        """The image as the only one of several, (1, ...): the same array for the same shape."""
        with self._lock:
            return self._alone.get(values, lambda _: self._image.pixels(values)[None])

    def changes(self, values: Array, moves: BoolArray | None) -> tuple[IntArray, Array]:
        """Which values of the shape (n_par,) move and change the image, (n,), and its derivatives by them, (n, ...)."""

        def make(_: Array) -> tuple[IntArray, Array]:
            d_image = self._image.pixels_gradient(values)
            may = np.ones(len(d_image), dtype=bool) if moves is None else moves
            changes = np.flatnonzero([moved and image.any() for moved, image in zip(may, d_image, strict=True)])
            return changes, d_image if changes.size == len(d_image) else d_image[changes]

        with self._lock:
            return self._changes.get(values if moves is None else np.append(values, moves), make)

    def bends(self, values: Array, steps: Array) -> Array:
        """Second derivatives, (n_pairs, ...), with respect to the values (n_par,) that have ``steps`` (n_par,), by
        differences over them: the n (n + 1) / 2 of the upper triangle."""

        def make(_: Array) -> Array:
            self._changes.clear()
            chosen = np.flatnonzero(steps > 0)
            place = {pair: at for at, pair in enumerate(combinations_with_replacement(range(chosen.size), 2))}
            bends = np.zeros(0)
            for i, (k, step) in enumerate(zip(chosen, np.diag(steps)[chosen], strict=True)):
                high, low = self._image.pixels_gradient(values + step), self._image.pixels_gradient(values - step)
                if not bends.size:
                    bends = zeros_apart((len(place), *high.shape[1:]))
                for j, other in enumerate(chosen):
                    rise = (high[other] - low[other]) / (2 * steps[k])
                    bends[place[min(i, j), max(i, j)]] += (1.0 if i == j else 0.5) * rise
                del high, low  # not in memory beside the next
            return bends

        with self._lock:
            return self._bends.get(np.append(values, steps), make)

    def forget_slopes(self) -> None:
        """Derivatives go."""
        with self._lock:
            self._changes.clear()
            self._bends.clear()
