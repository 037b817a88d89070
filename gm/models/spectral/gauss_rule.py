"""Integrals of spectra over energy bins to 1e-6 or better, for the ``exact`` conventions.

Gauss-Legendre nodes in ``u = ln E``: the integral over a bin is the sum of ``weight * E f(E)``. Bins wider than half a
unit of u are cut into equal parts. Six nodes on each integrate what varies as a polynomial of degree 11 in u; with
E f(E) falling as the tenth power of E over such a part, the error is 2e-8. Bins are cut at the energies where a
spectrum says that it has kinks, since no polynomial has one. Between kinks that are near each other, as those of a
table, three or four nodes do, for what falls there as the twentieth power of E: the error of n nodes over a width h of
u is ``(20 h)^2n (n!)^4 / ((2n + 1) (2n)!^3)``.
"""

from __future__ import annotations

import numpy as np

from gm.arrays import Array

_ORDER = 6
WIDEST = 0.5
_NARROW = {3: 0.05, 4: 0.12}  # nodes that do between kinks, up to a width
_NONE = np.empty(0)


class GaussRule:
    """Nodes of some energy axes, and the rule that turns values at the nodes into integrals over the bins.

    kinks, cuts : (n,) [TeV] where bins are cut, since a function has a kink, or falls steeply
    nodes : (n_nodes,) [TeV]; the axes' nodes one after the other
    """

    def __init__(self, axes: list[Array], kinks: Array = _NONE, cuts: Array = _NONE) -> None:
        nodes, weights, counts = [], [], []
        is_steep, kinks = bool(cuts.size), np.concatenate([kinks, cuts])
        for whole in axes:
            edges = np.union1d(whole, kinks[(kinks > whole[0]) & (kinks < whole[-1])]) if kinks.size else whole
            low, ratio = np.log(edges[:-1]), np.log(edges[1:] / edges[:-1])
            widest = float(ratio.max(initial=0.0))
            n = max(int(np.ceil(widest / WIDEST)), 1)
            few = (order for order, width in _NARROW.items() if edges is not whole and widest < width and not is_steep)
            t, w = np.polynomial.legendre.leggauss(next(few, _ORDER))
            at = ((np.arange(n)[:, None] + 0.5 * (t + 1.0)) / n).ravel()
            node = np.exp(low[:, None] + ratio[:, None] * at)
            nodes.append(node.ravel())
            weights.append((node * ratio[:, None] * np.tile(0.5 * w / n, n)).ravel())
            counts.append(len(at) * np.diff(np.searchsorted(edges, whole)))
        self.nodes: Array = np.concatenate(nodes)
        self._weights: Array = np.concatenate(weights)
        self._starts = np.concatenate([[0], np.cumsum(np.concatenate(counts))[:-1]])

    def integrate(self, y: Array) -> Array:
        """Integrals over the bins, (n_bins,), of a function with values ``y`` (n_nodes,) at the nodes."""
        return np.add.reduceat(y * self._weights, self._starts)

    def integrate_with_gradient(self, y: Array, d_y: Array) -> tuple[Array, Array]:
        """Integrals (n_bins,), derivatives (n_par, n_bins), from ``y`` (n_nodes,) and ``d_y`` (n_par, n_nodes)."""
        return self.integrate(y), np.add.reduceat(d_y * self._weights, self._starts, axis=1)
