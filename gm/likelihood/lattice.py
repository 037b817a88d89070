"""Grids of pixels on which positions have kinks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gm.arrays import Array


@dataclass(frozen=True)
class Lattice:
    """A position on a grid of pixels: the first of its two columns, and its place there.

    place : from the values of the shape to pixel coordinates (x, y), and their derivatives by the values (2, n_shape)
    """

    column: int
    place: Callable[[Array], tuple[Array, Array]]
