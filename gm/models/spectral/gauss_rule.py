"""Integrals of spectra over energy bins to 1e-6 or better, for the ``exact`` conventions.

Gauss-Legendre nodes in ``u = ln E``: the integral over a bin is the sum of ``weight * E f(E)``. Bins wider than half a
unit of u are cut into equal parts. Six nodes on each integrate what varies as a polynomial of degree 11 in u; with
E f(E) falling as the tenth power of E over such a part, the error is 2e-8. Steps and kinks of a spectrum inside of a
bin are not resolved.
"""

from __future__ import annotations

import numpy as np

from gm.arrays import Array

_ORDER = 6
_WIDEST = 0.5


class GaussRule:
    """Nodes of some energy axes, and the rule that turns values at the nodes into integrals over the bins.

    nodes : (n_nodes,) [TeV]; the axes' nodes one after the other
    """

    def __init__(self, axes: list[Array]) -> None:
        t, w = np.polynomial.legendre.leggauss(_ORDER)
        nodes, weights, counts = [], [], []
        for edges in axes:
            low, ratio = np.log(edges[:-1]), np.log(edges[1:] / edges[:-1])
            n = max(int(np.ceil(float(ratio.max(initial=0.0)) / _WIDEST)), 1)
            at = ((np.arange(n)[:, None] + 0.5 * (t + 1.0)) / n).ravel()
            node = np.exp(low[:, None] + ratio[:, None] * at)
            nodes.append(node.ravel())
            weights.append((node * ratio[:, None] * np.tile(0.5 * w / n, n)).ravel())
            counts.append(np.full(len(ratio), len(at)))
        self.nodes: Array = np.concatenate(nodes)
        self._weights: Array = np.concatenate(weights)
        self._starts = np.concatenate([[0], np.cumsum(np.concatenate(counts))[:-1]])

    def integrate(self, y: Array) -> Array:
        """Integrals over the bins, (n_bins,), of a function with values ``y`` (n_nodes,) at the nodes."""
        return np.add.reduceat(y * self._weights, self._starts)

    def integrate_with_gradient(self, y: Array, d_y: Array) -> tuple[Array, Array]:
        """Integrals (n_bins,), derivatives (n_par, n_bins), from ``y`` (n_nodes,) and ``d_y`` (n_par, n_nodes)."""
        return self.integrate(y), np.add.reduceat(d_y * self._weights, self._starts, axis=1)
