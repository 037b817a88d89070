"""How far a norm can fall before less than nothing is predicted in some bin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gm.arrays import Array, IntArray
from gm.estimators.sky.planes import Plane


def lowest_norms(planes: Sequence[Plane], pixels: IntArray) -> Array:
    """``-min(background / signal)`` over all bins that enter, at pixels (n,) of the flat image; 0 without a signal.

    The largest ``signal / background`` of a window is that of its middle, or of a place where the background is less
    for its exposure. So offsets are looked at from the middle outwards, for the pixels that they can still make a
    difference to.
    """
    shares = [_share(plane) for plane in planes]
    best = np.zeros(pixels.size)
    order = sorted(range(len(planes)), key=lambda k: -float(planes[k].kernel.max() * shares[k].max(initial=0.0)))
    for k in order:
        _raise(best, planes[k], shares[k], pixels)
    return -np.divide(1.0, best, out=np.zeros_like(best), where=best > 0)


def _share(plane: Plane) -> Array:
    """Signal per kernel over background, (n_y, n_x); infinite where a signal is on no background."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = plane.exposed / plane.background
    return np.where(plane.exposed > 0, share, 0.0)


def _raise(best: Array, plane: Plane, share: Array, pixels: IntArray) -> None:
    """Where a source predicts more per background in this plane, what it predicts; ``best`` (n,) is changed."""
    from scipy.ndimage import maximum_filter

    half_y, half_x = plane.kernel.shape[0] // 2, plane.kernel.shape[1] // 2
    padded = np.pad(share, ((half_y, half_y), (half_x, half_x)))
    y, x = np.divmod(pixels, plane.shape[1])
    sent = np.ones(pixels.size) if plane.sent is None else plane.sent.ravel()[pixels]
    largest = maximum_filter(share, plane.kernel.shape, mode="constant").ravel()[pixels] * sent
    at, corner = np.arange(pixels.size), y * padded.shape[1] + x
    for offset in np.argsort(-plane.kernel, axis=None, kind="stable").tolist():
        dy, dx = divmod(offset, plane.kernel.shape[1])
        weight = plane.kernel[dy, dx]
        open_ = weight * largest[at] > best[at] if weight > 0 else np.zeros(at.size, dtype=np.bool_)
        at = at[open_]
        if not at.size:
            return
        found = padded.ravel()[corner[at] + (dy * padded.shape[1] + dx)] * (weight * sent[at])
        best[at] = np.maximum(best[at], found)
