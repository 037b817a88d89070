"""Flux vectors of sources that keep their spectrum, while nuisances of instruments scale what is seen of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np

from gm.arrays import Array
from gm.likelihood import JointLikelihood
from gm.likelihood.flux_slopes import FluxSlopes


@final
class ScaledSignals:
    """Flux vectors (n, n_columns) of some ``sources``, as functions of all parameters, (n_par,) in internal units.

    signals : where the likelihood starts. Columns are ``signals F(values) / F(start)``, F being the factor that
    instruments make there; what is seen through none stays.
    """

    def __init__(self, likelihood: JointLikelihood, sources: Sequence[str], signals: Array) -> None:
        self._bank, self._sources, self._signals = likelihood.bank, tuple(sources), signals
        self.changes = any(map(self._bank.is_factored, sources))
        if self.changes:
            factor = self.factors(likelihood.layout.expand(likelihood.layout.start)).flux
            self._bare = np.divide(signals, factor, out=np.zeros_like(signals), where=factor != 0)

    def at(self, values: Array) -> Array:
        """(n, n_columns)."""
        return np.asarray(self._bare * self.factors(values).flux) if self.changes else self._signals

    def factors(self, values: Array) -> FluxSlopes:
        """What each column is multiplied by, with its derivatives."""
        return self._bank.factors(values, self._sources)

    def bare(self, norms: Array) -> Array:
        """What the factors multiply, (n_columns,), with norms (n,): ``norms @ signals`` where all factors are 1."""
        return np.asarray(norms @ self._bare)
