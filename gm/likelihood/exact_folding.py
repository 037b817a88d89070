"""From shapes to counts without Gammapy's approximations: exposure, then PSF, then energy dispersion, and the way back.

A shape is given by its shares at n^2 nodes inside of each pixel, see `gm.models.pixel_shares`. Exposure is interpolated
to the nodes, and each node has its own kernel: the PSF of a source there, integrated over the pixels around.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import final

import numpy as np

from gm.arrays import Array, IntArray
from gm.irf.point_spread import PointSpread
from gm.likelihood.convolution import Convolver
from gm.likelihood.folding import Folding
from gm.likelihood.sight import MapWindow, Response
from gm.maps.geometry import WcsGeometry
from gm.models.pixel_shares import PixelNodes

_KEPT_BYTES = 2e8  # of transformed kernels; beyond, they are made again each time


def node_kernels(
    spread: PointSpread, geometry: WcsGeometry, nodes: PixelNodes, lon: float, lat: float, frame: str | None
) -> Array:
    """The PSF around each node of the pixel that holds a position [deg]: (n^2, n_energy, m, m), centred on the pixel.

    Pixels off the map are included, as far away as the map is large.
    """
    column, row = (round(float(value)) for value in geometry.position(lon, lat, frame))
    reach = ceil(float(spread.radii.max()) / min(geometry.pixel_scales())) + 1
    half = min(reach, max(geometry.shape))
    window = geometry.window(slice(row - half, row + half + 1), slice(column - half, column + half + 1))
    size = 2 * half + 1
    y, x = (axis.ravel() for axis in np.mgrid[:size, :size])
    middle_lon, middle_lat = window.sky(half, half)
    points = spread.points(window, y, x, float(middle_lon), float(middle_lat))
    places = zip(*window.sky(half + nodes.x, half + nodes.y), strict=True)
    kernels = [spread.at(points, float(at_lon), float(at_lat)) for at_lon, at_lat in places]
    return np.stack(kernels).reshape(len(nodes.x), -1, size, size)


class _Nodes:
    """Shares, exposure and kernels at each node in turn; no kernels: nothing is spread."""

    def __init__(
        self,
        window: MapWindow,
        nodes: PixelNodes,
        kernels: Array | None,
        support: tuple[slice, slice] | None,
    ) -> None:
        self.window, self.nodes, self.kernels, self.support = window, nodes, kernels, support
        self._kept: list[Convolver | None] = [None] * nodes.n**2
        size = 0 if kernels is None else kernels.shape[0] * kernels.shape[1]
        self._keep = 16.0 * size * window.shape[0] * window.shape[1] < _KEPT_BYTES

    def __iter__(self) -> Iterator[tuple[int, Convolver | None]]:
        for node in range(self.nodes.n**2):
            yield node, self._convolver(node)

    def _convolver(self, node: int) -> Convolver | None:
        if self.kernels is None:
            return None
        found = self._kept[node] or Convolver(self.kernels[node], self.window.shape, self.support)
        if self._keep:
            self._kept[node] = found
        return found

    def exposure(self, node: int, energies: IntArray | slice) -> Array:
        """(n, ny, nx) at one node of each pixel: linear between pixel centres, and constant beyond the last ones."""
        exposure = self.window.exposure[energies].astype(np.float64).reshape(-1, *self.window.shape)
        return _shifted(_shifted(exposure, float(self.nodes.y[node]), 1), float(self.nodes.x[node]), 2)

    def split(self, image: Array) -> Array:
        """(n^2, ny, nx) from the shares of all nodes, stacked along the rows; (n_energy, n^2, ...) by energy."""
        return image.reshape(*image.shape[:-2], self.nodes.n**2, *self.window.shape)


def _shifted(values: Array, shift: float, axis: int) -> Array:
    """Values between pixels, ``shift`` (-1 to 1) pixels further along an axis."""
    if shift == 0:
        return values
    n, step = values.shape[axis], 1 if shift > 0 else -1
    beside = np.take(values, np.clip(np.arange(n) + step, 0, n - 1), axis=axis)
    return np.asarray((1 - abs(shift)) * values + abs(shift) * beside)


@final
class ExactTrueFolding(Folding):
    """``counts[k] = sum_e edisp[e, k] flux[e] sum_j kernel[e, j] * (exposure[e, j] shares[j])`` over nodes j.

    True energies that no bin sees are not folded. ``kernels`` : (n^2, n_energy_true, m, m), or None.
    """

    def __init__(
        self,
        window: MapWindow,
        nodes: PixelNodes,
        kernels: Array | None,
        support: tuple[slice, slice] | None = None,
    ) -> None:
        self.window = window
        self._made_of = nodes, kernels, support
        self._seen = np.flatnonzero((window.edisp @ window.mask).any(axis=1) & window.exposure.any(axis=1))
        self._nodes = _Nodes(window, nodes, None if kernels is None else kernels[:, self._seen], support)
        self._edisp = window.edisp[self._seen]

    def cut(self, window: MapWindow) -> ExactTrueFolding:
        return ExactTrueFolding(window, *self._made_of)

    def _fold(self, image: Array) -> Array:
        """(n_seen, n_pixels): what unit fluxes give in the pixels, before energy dispersion."""
        shares = self._nodes.split(image)
        folded = np.zeros((self._seen.size, *self.window.shape))
        for node, convolver in self._nodes:
            share = shares[node] if shares.ndim == 3 else shares[self._seen, node]
            exposed = self._nodes.exposure(node, self._seen) * share
            folded += exposed if convolver is None else convolver.fold(exposed)
        return folded.reshape(self._seen.size, -1)

    def _all(self, seen: Array) -> Array:
        """Zeros on the last axis for the true energies that are not seen."""
        whole = np.zeros((*seen.shape[:-1], len(self.window.exposure)))
        whole[..., self._seen] = seen
        return whole

    def respond(self, image: Array) -> Response:
        return self.respond_in_full(image)[0]

    def respond_in_full(self, image: Array) -> tuple[Response, Array]:
        window, folded = self.window, self._fold(image)
        matrix = self._edisp.T[window.energy] * folded.T[window.pixel]
        totals = self._edisp.T * (window.mask.astype(np.float64) @ folded.T)
        return Response(window.rows, self._all(matrix), self._all(totals.sum(axis=0))), self._all(totals)

    def totals(self, image: Array) -> Array:
        return self.respond_in_full(image)[1]

    def counts(self, image: Array, spectrum: Array) -> Array:
        true = spectrum[self._seen, None] * self._fold(image)
        return np.asarray(self._edisp.T @ true).reshape(-1, *self.window.shape)

    def pull_back(self, spectrum: Array, weights: Array, slope: float, *, by_energy: bool) -> Array:
        window, n = self.window, self._nodes.nodes.n**2
        by_bin = spectrum[self._seen, None] * (self._edisp @ self._scattered(weights, slope))
        by_bin = by_bin.reshape(-1, *window.shape)
        shape = (n, *window.shape)
        pulled = np.zeros((len(window.exposure), *shape) if by_energy else shape)
        for node, convolver in self._nodes:
            back = by_bin if convolver is None else convolver.fold_adjoint_each(by_bin)
            back = back * self._nodes.exposure(node, self._seen)
            if by_energy:
                pulled[self._seen, node] = back
            else:
                pulled[node] = back.sum(axis=0)
        return pulled.reshape(*pulled.shape[:-3], -1, window.shape[1])


@final
class ExactRecoFolding(Folding):
    """``counts[k] = sum_j kernel[k, j] * sum_e edisp[e, k] flux[e] exposure[e, j] shares[j]`` over nodes j."""

    def __init__(
        self, window: MapWindow, nodes: PixelNodes, kernels: Array, support: tuple[slice, slice] | None = None
    ) -> None:
        self.window = window
        self._made_of = nodes, kernels, support
        self._nodes = _Nodes(window, nodes, kernels, support)
        self._maps = (window.edisp.shape[1], *window.shape)

    def cut(self, window: MapWindow) -> ExactRecoFolding:
        return ExactRecoFolding(window, *self._made_of)

    def _exposed(self, shares: Array, node: int) -> Array:
        """(n_energy_true, ny, nx)."""
        share = shares[node] if shares.ndim == 3 else shares[:, node]
        return self._nodes.exposure(node, slice(None)) * share

    def _fold(self, image: Array) -> Iterator[Array]:
        """(n_energy, n_pixels) for one true energy after the other, before energy dispersion."""
        shares = self._nodes.split(image)
        exposed = [self._exposed(shares, node) for node in range(self._nodes.nodes.n**2)]
        for e in range(len(self.window.exposure)):
            folded = np.zeros(self._maps)
            for node, convolver in self._nodes:
                assert convolver is not None  # only made with kernels
                folded += convolver.fold(exposed[node][e])
            yield folded.reshape(self._maps[0], -1)

    def respond(self, image: Array) -> Response:
        return self.respond_in_full(image)[0]

    def respond_in_full(self, image: Array) -> tuple[Response, Array]:
        window = self.window
        matrix, totals = np.zeros((window.rows.size, len(window.exposure))), np.zeros(window.edisp.T.shape)
        for e, folded in enumerate(self._fold(image)):
            matrix[:, e] = folded[window.energy, window.pixel] * window.edisp[e, window.energy]
            totals[:, e] = window.edisp[e] * (window.mask * folded).sum(axis=1)
        return Response(window.rows, matrix, totals.sum(axis=0)), totals

    def totals(self, image: Array) -> Array:
        return self.respond_in_full(image)[1]

    def counts(self, image: Array, spectrum: Array) -> Array:
        shares, edisp = self._nodes.split(image), self.window.edisp * spectrum[:, None]
        counts = np.zeros(self._maps)
        for node, convolver in self._nodes:
            assert convolver is not None
            counts += convolver.fold(np.tensordot(edisp.T, self._exposed(shares, node), axes=1))
        return counts

    def pull_back(self, spectrum: Array, weights: Array, slope: float, *, by_energy: bool) -> Array:
        window, n = self.window, self._nodes.nodes.n**2
        scattered = self._scattered(weights, slope).reshape(self._maps)
        edisp = window.edisp * spectrum[:, None]
        shape = (n, *window.shape)
        pulled = np.zeros((len(window.exposure), *shape) if by_energy else shape)
        for node, convolver in self._nodes:
            assert convolver is not None
            back = np.tensordot(edisp, convolver.fold_adjoint_each(scattered), axes=1)
            back *= self._nodes.exposure(node, slice(None))
            if by_energy:
                pulled[:, node] = back
            else:
                pulled[node] = back.sum(axis=0)
        return pulled.reshape(*pulled.shape[:-3], -1, window.shape[1])
