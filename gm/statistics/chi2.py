"""Statistics of flux points: chi-square, asymmetric errors with upper limits, and likelihood profiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.statistics.base import Statistic


@final
@dataclass(frozen=True, eq=False)
class Chi2(Statistic):
    """``((predicted - dnde) / error)^2``."""

    dnde: Array
    error: Array

    def value_and_derivative(self, predicted: Array) -> tuple[Array, Array]:
        pull = (predicted - self.dnde) / self.error
        return pull**2, 2.0 * pull / self.error

    def curvature(self, predicted: Array) -> Array:
        return 2.0 / self.error**2

    expected_curvature = curvature

    def take(self, bins: IntArray | BoolArray) -> Self:
        return type(self)(self.dnde[bins], self.error[bins])


@final
@dataclass(frozen=True, eq=False)
class Distribution(Statistic):
    """Asymmetric Gaussian errors for points, a complementary error function for upper limits (Gammapy's ``distrib``).

    Points: ``((m - dnde) / sigma)^2`` with the positive error where ``m >= dnde`` and the negative one below.
    Upper limits: ``2 ln[erfc((ul - m) / ul) / erfc(1)]``, which is 0 at ``m = 0`` and grows with ``m``.
    """

    knows_curvature = False

    dnde: Array
    error_low: Array
    error_high: Array
    upper_limit: Array
    is_upper_limit: BoolArray

    def value_and_derivative(self, predicted: Array) -> tuple[Array, Array]:
        from scipy.special import erfcx, log_ndtr

        error = np.where(predicted >= self.dnde, self.error_high, self.error_low)
        pull = (predicted - self.dnde) / error
        # ln erfc(x) = ln 2 + log_ndtr(-x sqrt 2) and exp(-x^2) / erfc(x) = 1 / erfcx(x) hold where erfc underflows.
        x = (self.upper_limit - predicted) / self.upper_limit
        limit = 2.0 * (log_ndtr(-np.sqrt(2.0) * x) - log_ndtr(-np.sqrt(2.0)))
        limit_slope = 4.0 / np.sqrt(np.pi) / (erfcx(x) * self.upper_limit)
        value = np.where(self.is_upper_limit, limit, pull**2)
        return value, np.where(self.is_upper_limit, limit_slope, 2.0 * pull / error)

    def curvature(self, predicted: Array) -> Array:
        """Curvature of the points; upper limits are left out, where it is negative."""
        error = np.where(predicted >= self.dnde, self.error_high, self.error_low)
        return np.where(self.is_upper_limit, 0.0, 2.0 / error**2)

    expected_curvature = curvature

    def take(self, bins: IntArray | BoolArray) -> Self:
        errors = self.error_low[bins], self.error_high[bins]
        return type(self)(self.dnde[bins], *errors, self.upper_limit[bins], self.is_upper_limit[bins])


@final
@dataclass(frozen=True, eq=False)
class Profile(Statistic):
    """Likelihood profile of each point, ``|stat_scan - stat|`` against ``norm = predicted / dnde_ref``.

    A quadratic spline through the scan values, extrapolated beyond them (Gammapy's ``profile``). ``norm_scan`` and
    ``delta_scan`` have shape (n_bins, n_norm).
    """

    knows_curvature = False

    dnde_ref: Array
    norm_scan: Array
    delta_scan: Array

    def extrapolated(self, predicted: Array) -> BoolArray:
        norm = predicted / self.dnde_ref
        return np.asarray((norm < self.norm_scan.min(axis=-1)) | (norm > self.norm_scan.max(axis=-1)))

    def value_and_derivative(self, predicted: Array) -> tuple[Array, Array]:
        norm = predicted / self.dnde_ref
        return self._evaluate(norm, 0), self._evaluate(norm, 1) / self.dnde_ref

    def curvature(self, predicted: Array) -> Array:
        norm = predicted / self.dnde_ref
        return np.maximum(self._evaluate(norm, 2), 0.0) / self.dnde_ref**2

    expected_curvature = curvature

    def _evaluate(self, norm: Array, order: int) -> Array:
        by_bin = np.moveaxis(norm, -1, 0)
        return np.stack([spline(x, order) for spline, x in zip(self._splines, by_bin, strict=True)], axis=-1)

    @cached_property
    def _splines(self) -> list[Callable[..., Any]]:
        from scipy.interpolate import make_interp_spline

        return [make_interp_spline(x, y, k=2) for x, y in zip(self.norm_scan, self.delta_scan, strict=True)]

    def take(self, bins: IntArray | BoolArray) -> Self:
        return type(self)(self.dnde_ref[bins], self.norm_scan[bins], self.delta_scan[bins])
