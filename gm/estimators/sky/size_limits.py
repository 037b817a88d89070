"""How limits on the size of a source see its position, which follows the counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, final

import numpy as np

from gm.estimators.choice import Choice
from gm.estimators.sky.sources import position_of
from gm.fit import FitResult

LIMIT = 2.705543454095404
"""Rise of -2 ln L at a limit of 95 % confidence, one-sided: the square of 1.645."""


class SizeLimit(Choice, what="kind of limit on a size"):
    """What has risen by `LIMIT` at the limit on a size, from where it is at the best size:

    - ``marginal``: -2 ln of the likelihood integrated over the position, in Laplace's approximation: ``-2 ln L - ln det
      C(size)`` with the covariance ``C`` of the position at that size, everything else fitted again. A fitted position
      follows the counts, around which they then scatter less than around the true one, so that the profile alone
      prefers small sources, the more the fewer counts there are. Source: Cox & Reid 1987, J. R. Stat. Soc. B 49, 1;
    - ``profile``: -2 ln L itself.
    """

    MARGINAL = "marginal"
    PROFILE = "profile"


@final
class Widening:
    """How much more room a position has at a size than at the best: ``ln det C(size) - ln det C(best)``.

    source : whose position; fitted : the fit with errors at a size [deg], which is asked once for each
    reason : why it is not taken, None as long as it is
    """

    def __init__(self, source: str, best: float, fitted: Callable[[float], FitResult], method: SizeLimit) -> None:
        self._source, self._fitted, self._known = source, fitted, dict[float, tuple[int, float]]()
        self._best, self.reason = best, None if method is SizeLimit.MARGINAL else "as asked"
        if method is SizeLimit.MARGINAL and not self._spread(best)[0]:
            self.reason = "the position is not free"

    @property
    def method(self) -> Literal["marginal", "profile"]:
        """What limits are now."""
        return "marginal" if self.reason is None else "profile"

    def at(self, size: float) -> float | None:
        """At a size [deg]; None, and the ``reason``, where the position has another number of errors there."""
        if self.reason is not None:
            return None
        (n, there), (n_best, best) = self._spread(size), self._spread(self._best)
        if n != n_best:
            self.reason = f"the position has no errors at a size of {size:.3g} deg"
            return None
        return there - best

    def _spread(self, size: float) -> tuple[int, float]:
        """Of how many coordinates there are errors, and ln det of their covariance."""
        if size not in self._known:
            fit = self._fitted(size)
            names, matrix = fit.covariance or ((), np.zeros((0, 0)))
            at = np.array([names.index(a) for a in position_of(fit.models, self._source).addresses if a in names])
            block = matrix[at[:, None], at] if at.size else np.eye(1)
            sign, value = np.linalg.slogdet(block)
            self._known[size] = (at.size, float(value)) if sign > 0 and np.isfinite(value) else (0, 0.0)
        return self._known[size]
