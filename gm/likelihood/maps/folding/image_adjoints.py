"""Derivatives along images that several datasets see: their parts are added first, and transformed once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from gm.arrays import Array, IntArray

if TYPE_CHECKING:  # spectra do without the transforms
    from gm.likelihood.maps.folding.dataset_blocks import DatasetAdjoint
    from gm.likelihood.maps.folding.shared_kernels import SharedKernels


@final
@dataclass(frozen=True, eq=False)
class ImageAdjoint:
    """What one dataset adds to the derivatives along images (m, *support).

    kernels : of all datasets that see the images; columns : of the flux vector, whose values the images are derivatives
    with respect to, (m,), or (m, 2) for second derivatives; precision : of the images folded, relative to the brightest
    pixel
    """

    kernels: SharedKernels
    images: Array
    columns: IntArray
    precision: float
    part: DatasetAdjoint


def summed(parts: Iterable[ImageAdjoint]) -> Iterator[tuple[IntArray, Array]]:
    """Columns, as in `ImageAdjoint`, and derivatives (m,) with respect to the values there, of all datasets."""
    groups: dict[tuple[int, int], list[ImageAdjoint]] = {}
    for part in parts:
        groups.setdefault((id(part.kernels), id(part.images)), []).append(part)
    for group in groups.values():
        first = group[0]
        yield first.columns, first.kernels.along(first.images, [one.part for one in group], first.precision)
