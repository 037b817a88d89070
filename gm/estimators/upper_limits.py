"""Conventions of upper limits on a norm. All hold with a probability of ``Phi(sigma_ul)`` where errors are Gaussian."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log, sqrt

from gm.errors import UsageError
from gm.estimators.choice import Choice
from gm.estimators.roots import rising_root


class LimitMethod(Choice, what="kind of upper limit"):
    """How far above the best norm a limit lies; for -2 ln L of a norm ``W(norm)`` with its minimum at ``best``:

    - ``likelihood``: ``W(limit) - W(best) = sigma_ul^2``, as Gammapy has it, also for a best norm below 0;
    - ``bounded``: ``W(limit) - W(max(best, 0)) = sigma_ul^2``: no norm below 0 is believed. Source: Rolke, Lopez &
      Conrad 2005, NIM A 551, 493;
    - ``cls``: ``CLs(limit) = 1 - Phi(sigma_ul)`` in the asymptotic form of Cowan, Cranmer, Gross & Vitells 2011, EPJC
      71, 1554, eqs. 62 to 66: never below what data without a source exclude.
    """

    LIKELIHOOD = "likelihood"
    BOUNDED = "bounded"
    CLS = "cls"

    def rise(self, sigma: float, norm: float, stat: float, stat_null: float) -> float:
        """By how much -2 ln L is above its minimum at the limit, where that decides it."""
        above = max(stat_null - stat, 0.0) if self is LimitMethod.BOUNDED and norm < 0 else 0.0
        return sigma**2 + above


def check_levels(**levels: float) -> None:
    """Raises `UsageError` where a number of standard deviations, by its name, is not above 0."""
    wrong = [f"{name} is {sigma}" for name, sigma in levels.items() if not 0 < sigma < inf]
    if wrong:
        raise UsageError(f"{', '.join(wrong)}: expected a number of standard deviations above 0")


def log_cls(observed: float, expected: float) -> float:
    """ln CLs of a norm: -2 ln L is ``observed`` above that of the best norm that is not below 0, and for data as
    expected without a source ``expected`` above that of none."""
    from scipy.special import log_ndtr

    if not expected > 0:
        return 0.0
    root, typical = sqrt(max(observed, 0.0)), sqrt(expected)
    if root <= typical:
        with_source, without = root, root - typical
    else:
        with_source = (observed + expected) / (2 * typical)
        without = (observed - expected) / (2 * typical)
    return float(log_ndtr(-with_source) - log_ndtr(-without))


def cls_limit(
    rise: Callable[[float], float],
    expected: Callable[[float], float | None],
    best: float,
    step: float,
    sigma: float,
    upper: float = inf,
) -> float | None:
    """The norm above ``best``, which is not below 0, whose CLs is ``1 - Phi(sigma)``; None where that is not known.

    rise : of -2 ln L above that at ``best``; expected : see `log_cls`; step : a typical error; upper : where norms end
    """
    from scipy.special import log_ndtr

    wanted = float(log_ndtr(-sigma))
    if expected(best + step) is None:
        return None

    def short_of(norm: float) -> float:
        """Rising through 0 at the limit."""
        if norm <= best:
            return wanted + log(0.5) if best > 0 else wanted
        return wanted - log_cls(rise(norm), expected(norm) or 0.0)

    return rising_root(short_of, best + sigma * step, step, -inf, upper)
