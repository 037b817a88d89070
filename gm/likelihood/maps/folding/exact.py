"""From shapes to counts without Gammapy's approximations: exposure, then PSF, then energy dispersion, and the way back.

A shape is given by its shares at n^2 nodes inside of each pixel, see `gm.models.spatial.pixel_nodes`. Exposure is
interpolated to the nodes, and each node has its own kernel: the PSF of a source there, integrated over the pixels
around.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from math import ceil
from typing import final

import numpy as np

from gm.arrays import Array, IntArray
from gm.irf.point_spread import PointSpread
from gm.irf.positions import pixel_of
from gm.likelihood.maps.folding.folding import Folding
from gm.likelihood.maps.folding.frequencies import Part
from gm.likelihood.maps.folding.kernel_groups import trimmed
from gm.likelihood.maps.folding.node_convolution import (
    KEPT_BYTES,
    MixedImages,
    NodeConvolver,
    NodeImages,
    NoNodeConvolver,
    OwnImages,
)
from gm.likelihood.maps.folding.node_exposure import NodeExposure
from gm.likelihood.maps.folding.window import EnergyResponse, MapWindow, Response
from gm.likelihood.products import inner, times
from gm.maps.geometry import WcsGeometry
from gm.models.spatial.pixel_nodes import Nodes
from gm.parallel import add_all, side_by_side


def node_kernels(
    spread: PointSpread, geometry: WcsGeometry, nodes: Nodes, lon: float, lat: float, frame: str | None
) -> Array:
    """The PSF around each node of the pixel that holds a position [deg]: (n^2, n_energy, m, m), centred on the pixel.

    Pixels off the map are included, as far away as the map is large.
    """
    column, row = (round(at) for at in pixel_of(geometry, lon, lat, frame))
    reach = ceil(float(spread.radii.max()) / min(geometry.pixel_scales())) + 1
    half = min(reach, max(geometry.shape))
    window = geometry.window(slice(row - half, row + half + 1), slice(column - half, column + half + 1))
    size = 2 * half + 1
    y, x = (axis.ravel() for axis in np.mgrid[:size, :size])
    middle_lon, middle_lat = window.sky(half, half)
    points = spread.points(window, y, x, float(middle_lon), float(middle_lat))
    places = zip(*window.sky(half + nodes.x, half + nodes.y), strict=True)
    kernels = [spread.at(points, float(at_lon), float(at_lat)) for at_lon, at_lat in places]
    stack = trimmed(np.stack(kernels).reshape(-1, size, size))
    return np.array(stack, dtype=np.float64).reshape(len(nodes.x), -1, *stack.shape[1:])


def _on_nodes(image: Array, n_nodes: int) -> Array:
    """Shares (n_nodes, ny, nx), or (n_energy, n_nodes, ny, nx), from those of all nodes stacked along the rows."""
    return image.reshape(*image.shape[:-2], n_nodes, -1, image.shape[-1])


def _stacked(shares: Array) -> Array:
    """The reverse of `_on_nodes`."""
    return shares.reshape(*shares.shape[:-3], -1, shares.shape[-1])


@final
class ExactTrueFolding(Folding):
    """``counts[k] = sum_e edisp[e, k] flux[e] sum_j kernel[e, j] * (exposure[e, j] shares[j])`` over nodes j.

    True energies that no bin sees are not folded. ``kernels`` : (n^2, n_energy_true, m, m), or None;
    ``room`` : of a `NodeConvolver`.
    """

    def __init__(
        self,
        window: MapWindow,
        nodes: Nodes,
        kernels: Array | None,
        support: Part | None = None,
        room: float = KEPT_BYTES,
    ) -> None:
        self.window, self._made_of = window, (nodes, kernels, support, room)
        self._energies = EnergyResponse.of(window)
        self._exposure = NodeExposure.of(window.exposed, nodes, support, self._energies.seen)
        self._n_nodes = nodes.n**2
        self._convolver: NodeConvolver | NoNodeConvolver = NoNodeConvolver(self._energies.seen.size, self._n_nodes)
        if kernels is not None:
            self._convolver = NodeConvolver(kernels, window.shape, support, self._energies.seen, room)

    def cut(self, window: MapWindow) -> ExactTrueFolding:
        return ExactTrueFolding(window, *self._made_of)

    def _exposed(self, image: Array) -> NodeImages:
        shares, exposure = _on_nodes(image, self._n_nodes), self._exposure
        if shares.ndim == 4:
            return OwnImages(lambda k: exposure.of_energies(k) * shares[self._energies.seen[k]])
        if exposure.mixing is None:
            return OwnImages(lambda k: exposure.of_energies(k) * shares)
        return MixedImages(exposure.maps() * shares, exposure.mixing)

    def respond(self, image: Array) -> Response:
        return self.respond_in_full(image)[0]

    def respond_in_full(self, image: Array) -> tuple[Response, Array]:
        window, energies, (masks, mask_of) = self.window, self._energies, self.window.masks()
        entering, n_seen = masks.astype(np.float64), self._energies.seen.size
        matrix, totals = np.zeros((window.rows.size, n_seen)), np.zeros((len(window.mask), n_seen))

        def see(piece: Iterable[tuple[int, Array]]) -> None:
            for k, folded in piece:
                flat = folded.reshape(-1)
                matrix[:, k] = energies.edisp[k, window.energy] * flat[window.pixel]
                totals[:, k] = energies.edisp[k] * times(entering, flat)[mask_of]

        side_by_side(see, self._convolver.fold_in_pieces(self._exposed(image)))
        total = totals.sum(axis=0)
        response = Response(window.rows, energies.all_energies(matrix), energies.all_energies(total))
        return response, energies.all_energies(totals)

    def totals(self, image: Array) -> Array:
        return self.respond_in_full(image)[1]

    def counts(self, image: Array, spectrum: Array) -> Array:
        counts = np.zeros((len(self.window.mask), *self.window.shape))
        for k, folded in chain.from_iterable(self._convolver.fold_in_pieces(self._exposed(image))):
            true = spectrum[self._energies.seen[k]] * folded
            for counted, share in zip(counts, self._energies.edisp[k], strict=True):
                if share:
                    counted += share * true
        return counts

    def pull_back(self, spectrum: Array, weights: Array, slope: float, *, by_energy: bool) -> Array:
        window, seen, exposure = self.window, self._energies.seen, self._exposure
        by_bin = self._energies.edisp @ self._scattered(weights, slope)
        by_bin *= spectrum[seen, None]
        by_bin = by_bin.reshape(-1, *window.shape)
        if not by_energy and exposure.mixing is not None:
            back = self._convolver.send_back(by_bin, exposure.mixing)
            return _stacked((back * exposure.maps()).sum(axis=0))
        pieces = self._convolver.send_back_in_pieces(by_bin)
        if not by_energy:
            image = np.zeros(exposure.shape)

            def summed(piece: Callable[[], tuple[IntArray, Array]]) -> Array:
                k, back = piece()
                return np.asarray((back * exposure.of_energies(k)).sum(axis=0))

            add_all(image, summed, pieces)
            return _stacked(image)
        pulled = np.zeros((len(window.exposed), *exposure.shape))
        for piece in pieces:
            k, back = piece()
            pulled[seen[k]] = back * exposure.of_energies(k)
        return _stacked(pulled)


@final
class ExactRecoFolding(Folding):
    """``counts[k] = sum_j kernel[k, j] * sum_e edisp[e, k] flux[e] exposure[e, j] shares[j]`` over nodes j.

    ``room`` : of a `NodeConvolver`.
    """

    def __init__(
        self, window: MapWindow, nodes: Nodes, kernels: Array, support: Part | None = None, room: float = KEPT_BYTES
    ) -> None:
        self.window, self._made_of = window, (nodes, kernels, support, room)
        self._exposure = NodeExposure.of(window.exposed, nodes, support)
        self._n_nodes, self._n_energy = nodes.n**2, window.edisp.shape[1]
        self._convolver = NodeConvolver(kernels, window.shape, support, room=room)

    def cut(self, window: MapWindow) -> ExactRecoFolding:
        return ExactRecoFolding(window, *self._made_of)

    def _exposed(self, image: Array) -> tuple[Array, Array]:
        """Images (n, n_nodes, ny, nx), and for each true energy their factors (n_energy_true, n)."""
        shares, exposure = _on_nodes(image, self._n_nodes), self._exposure
        if shares.ndim == 3 and exposure.mixing is not None:
            return exposure.maps() * shares, exposure.mixing
        return exposure.of_energies(slice(None)) * shares, np.eye(exposure.n)

    def respond(self, image: Array) -> Response:
        return self.respond_in_full(image)[0]

    def respond_in_full(self, image: Array) -> tuple[Response, Array]:
        window, (images, mixing) = self.window, self._exposed(image)
        rows, sums = np.zeros((window.rows.size, len(images))), np.zeros((self._n_energy, len(images)))
        of_energy = [np.flatnonzero(window.energy == k) for k in range(self._n_energy)]

        def see(n: int) -> None:
            alone = MixedImages(images[n : n + 1], np.ones((self._n_energy, 1)))
            for k, folded in chain.from_iterable(self._convolver.fold_in_pieces(alone)):
                flat = folded.reshape(-1)
                rows[of_energy[k], n] = flat[window.pixel[of_energy[k]]]
                sums[k, n] = inner(window.mask[k].astype(np.float64), flat)

        side_by_side(see, range(len(images)))
        totals = window.edisp.T * (sums @ mixing.T)
        return Response(window.rows, window.edisp.T[window.energy] * (rows @ mixing.T), totals.sum(axis=0)), totals

    def totals(self, image: Array) -> Array:
        return self.respond_in_full(image)[1]

    def counts(self, image: Array, spectrum: Array) -> Array:
        images, mixing = self._exposed(image)
        counts = np.zeros((self._n_energy, *self.window.shape))
        by_energy = MixedImages(images, (self.window.edisp.T * spectrum) @ mixing)
        for k, folded in chain.from_iterable(self._convolver.fold_in_pieces(by_energy)):
            counts[k] = folded
        return counts

    def pull_back(self, spectrum: Array, weights: Array, slope: float, *, by_energy: bool) -> Array:
        window, exposure, edisp = self.window, self._exposure, self.window.edisp.T * spectrum
        scattered = self._scattered(weights, slope).reshape(self._n_energy, *window.shape)
        if by_energy or exposure.mixing is None:
            pulled = self._convolver.send_back(scattered, edisp)
            pulled *= exposure.of_energies(slice(None))
            return _stacked(pulled if by_energy else pulled.sum(axis=0))
        back = self._convolver.send_back(scattered, edisp @ exposure.mixing)
        return _stacked((back * exposure.maps()).sum(axis=0))
