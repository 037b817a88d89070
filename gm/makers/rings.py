"""The background of each pixel of a map from a ring around it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from gm.arrays import Array, BoolArray, MapArray
from gm.datasets import MapDataset, MapDatasetOnOff
from gm.datasets.map_dataset import stored
from gm.errors import DataError
from gm.makers.exclusion import Exclusion
from gm.makers.maker import NoBackground, safe_bins

_SHARED = ("name", "geometry", "energy", "energy_true", "counts", "exposure", "psf", "edisp", "mask_fit", "gti", "meta",
           "finer", "livetime")  # fmt: skip


@final
@dataclass(frozen=True)
class RingBackgroundMaker:
    """Off counts from a ring around each pixel: radii from ``r_in`` to ``r_in + width`` [deg], less what is excluded.

    Acceptances are the dataset's background in the pixel and summed over the ring; a factor of energy that corrects it
    cancels. Pixels without off acceptance are not safe. Source: Gammapy 2.1, ``RingBackgroundMaker``, whose off maps
    are NaN where an exclusion mask does not cover the map.
    """

    r_in: float
    width: float
    exclusion: Exclusion = field(default_factory=Exclusion)

    def __post_init__(self) -> None:
        _check_ring(self.r_in, self.width)

    def run(self, dataset: MapDataset, observation: Any = None) -> tuple[MapDatasetOnOff, None]:
        """The dataset with an off measurement instead of a background. Raises `NoBackground`, `DataError`."""
        off = _Off.of(dataset, self.exclusion)
        scale, aspect = _scale(dataset)
        ring = ring_kernel(self.r_in / scale, self.width / scale, aspect)
        counts_off, acceptance_off = off.over(_Plane.of(dataset.geometry.shape, ring))(ring)
        return _measured(dataset, counts_off, off.background, acceptance_off), None


@final
@dataclass(frozen=True)
class AdaptiveRingBackgroundMaker:
    """`RingBackgroundMaker` with rings that grow in steps of ``stepsize`` [deg] until the acceptance within ``theta``
    of a pixel is not more than ``threshold_alpha`` of that of the ring; what has no such ring is not safe.

    ``fixed_width``: the ring moves out until it ends at ``r_out_max`` [deg]; ``fixed_r_in``: it gets wider until then.
    Source: Gammapy 2.1, ``AdaptiveRingBackgroundMaker``, which takes a theta of less than a pixel for any that is
    given (it multiplies by the size of a pixel), and images of one energy bin alone.
    """

    r_in: float
    r_out_max: float
    width: float
    stepsize: float = 0.02
    threshold_alpha: float = 0.1
    theta: float = 0.22
    method: Literal["fixed_width", "fixed_r_in"] = "fixed_width"
    exclusion: Exclusion = field(default_factory=Exclusion)

    def __post_init__(self) -> None:
        _check_ring(self.r_in, self.width)
        if not (self.stepsize > 0.0 and self.theta >= 0.0 and self.r_out_max > self.r_in + self.width):
            raise DataError("adaptive ring: stepsize above 0, theta not below, and r_out_max above r_in + width needed")

    def run(self, dataset: MapDataset, observation: Any = None) -> tuple[MapDatasetOnOff, None]:
        """The dataset with an off measurement instead of a background. Raises `NoBackground`, `DataError`."""
        off = _Off.of(dataset, self.exclusion)
        scale, aspect = _scale(dataset)
        inside = kernel_sums(off.background, ring_kernel(0.0, self.theta / scale, aspect))
        counts_off, acceptance_off = np.zeros(inside.shape), np.zeros(inside.shape)
        missing = np.ones(inside.shape, dtype=np.bool_)
        largest = ring_kernel(0.0, (self.r_out_max + self.stepsize) / scale, aspect)
        sums = off.over(_Plane.of(dataset.geometry.shape, largest), keep=True)
        for r_in, width in self._rings(scale):
            counts, acceptance = sums(ring_kernel(r_in, width, aspect))
            found = missing & (acceptance > 0.0) & (inside <= self.threshold_alpha * acceptance)
            counts_off[found], acceptance_off[found] = counts[found], acceptance[found]
            missing &= ~found
            if not missing.any():
                break
        return _measured(dataset, counts_off, off.background, acceptance_off), None

    def _rings(self, scale: float) -> Iterator[tuple[float, float]]:
        """Inner radius and width of one ring after the other, in pixels of the size ``scale`` [deg]."""
        r_in, r_out_max, width, step = (x / scale for x in (self.r_in, self.r_out_max, self.width, self.stepsize))
        if self.method == "fixed_width":
            yield from ((inner, width) for inner in np.arange(r_in, r_out_max - width, step).tolist())
        else:
            yield from ((r_in, wide) for wide in np.arange(width, r_out_max - r_in, step).tolist())


def _check_ring(r_in: float, width: float) -> None:
    if not (0.0 <= r_in < np.inf and 0.0 < width < np.inf):
        raise DataError(f"ring: r_in {r_in:g} deg and width {width:g} deg, expected 0 or more, and above 0")


@dataclass(frozen=True, eq=False)
class _Off:
    """What is summed over rings: counts and background (n_energy, n_y, n_x), and whether a pixel has any of the latter
    that is not excluded."""

    counts: MapArray
    background: MapArray
    keep: BoolArray

    @classmethod
    def of(cls, dataset: MapDataset, exclusion: Exclusion) -> _Off:
        if dataset.background is None:
            raise DataError(f"dataset {dataset.name}: a ring needs the background of the response as its acceptance")
        keep = exclusion.keep(dataset.geometry)
        if not keep.any():
            raise NoBackground(f"dataset {dataset.name}: all pixels are excluded, no ring is left")
        return cls(dataset.counts, dataset.background, keep)

    def over(self, plane: _Plane, *, keep: bool = False) -> Callable[[Array], tuple[Array, Array]]:
        """What gives off counts and off acceptance of a kernel; the latter is exactly 0 where no pixel has any.

        keep : the transforms, for more kernels than one
        """
        is_whole = np.array_equal(self.counts, np.rint(self.counts))
        images = (self.counts * self.keep, self.background * self.keep, self._seen().astype(np.float64))
        transforms = [list(plane.transforms(of)) for of in images] if keep else None

        def sums(kernel: Array) -> tuple[Array, Array]:
            counts, acceptance, n_seen = plane.sums(transforms or map(plane.transforms, images), kernel)
            acceptance = np.where(np.rint(n_seen) > 0.0, acceptance, 0.0)
            return np.maximum(np.rint(counts) if is_whole else counts, 0.0), np.maximum(acceptance, 0.0)

        return sums

    def _seen(self) -> BoolArray:
        """``(n_energy or 1, n_y, n_x)``: pixels that have an acceptance; one image where all energies have the same."""
        seen = self.keep & (self.background > 0.0)
        return seen[:1] if (seen == seen[0]).all() else seen


def _scale(dataset: MapDataset) -> tuple[float, float]:
    """Width of a pixel [deg], and its height over that."""
    width, height = dataset.geometry.pixel_scales()
    return width, height / width


def ring_kernel(r_in: float, width: float, aspect: float = 1.0) -> Array:
    """``(n_y, n_x)``, both odd: 1 from ``r_in`` to ``r_in + width`` from the middle, in widths of pixels.

    aspect : height of a pixel over its width. Rounding decides on borders, as in ``astropy.convolution.Ring2DKernel``.
    """
    r_out = r_in + width
    x, y = (
        np.arange(-half, half + 1, dtype=np.float64) for half in (ceil(2.0 * r) // 2 for r in (r_out, r_out / aspect))
    )
    squared = x**2 + (aspect * y[:, None]) ** 2
    return np.asarray((squared >= r_in**2) & (squared <= r_out**2), dtype=np.float64)


@dataclass(frozen=True)
class _Plane:
    """Where images ``shape`` (n_y, n_x) are convolved: of a ``size`` that holds them and the largest kernel."""

    shape: tuple[int, ...]
    size: tuple[int, ...]

    @classmethod
    def of(cls, shape: tuple[int, ...], largest: Array) -> _Plane:
        halves = [n // 2 for n in largest.shape]
        size = (fft.next_fast_len(max(n + h, 2 * h + 1), real=True) for n, h in zip(shape, halves, strict=True))
        return cls(shape, tuple(size))

    def transforms(self, images: MapArray) -> Iterator[NDArray[np.complex128] | None]:
        """Of every image (n, n_y, n_x); None for an empty one."""
        for image in images:
            yield fft.rfft2(image.astype(np.float64), s=self.size) if image.any() else None

    def sums(self, transforms: Iterable[Iterable[NDArray[np.complex128] | None]], kernel: Array) -> list[Array]:
        """``(n, n_y, n_x)`` of each group of images, convolved with a kernel of odd size, 0 beyond their border."""
        middle = tuple(slice(n // 2, n // 2 + size) for n, size in zip(kernel.shape, self.shape, strict=True))
        spectrum, nothing = fft.rfft2(kernel, s=self.size), np.zeros(self.shape)
        return [
            np.stack(
                [
                    nothing if one is None else fft.irfft2(one * spectrum, s=self.size, overwrite_x=True)[middle]
                    for one in group  # one after the other: the processor's cache holds one
                ]
            )
            for group in transforms
        ]


def kernel_sums(images: MapArray, kernel: Array) -> Array:
    """``(n, n_y, n_x)``: every image convolved with a kernel of odd size, 0 beyond its border; double precision."""
    plane = _Plane.of(images.shape[-2:], kernel)
    return plane.sums([plane.transforms(images)], kernel)[0]


def _measured(dataset: MapDataset, counts_off: Array, acceptance: MapArray, acceptance_off: Array) -> MapDatasetOnOff:
    """Safe where the off measurement has an acceptance."""
    safe = safe_bins(dataset) & (acceptance_off > 0.0)
    if not safe.any():
        raise NoBackground(f"dataset {dataset.name}: no safe pixel has an off acceptance in its ring")
    return on_off_map(dataset, stored(counts_off), acceptance, acceptance_off, safe)


def on_off_map(
    dataset: MapDataset, counts_off: MapArray, acceptance: MapArray, acceptance_off: MapArray, safe: BoolArray
) -> MapDatasetOnOff:
    """The dataset with an off measurement, in the shape of its counts, instead of a background; another safe mask."""
    shared = {name: getattr(dataset, name) for name in _SHARED}
    return MapDatasetOnOff(
        **shared, counts_off=counts_off, acceptance=acceptance, acceptance_off=acceptance_off, mask_safe=safe
    )
