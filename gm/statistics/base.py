"""The contract of a fit statistic."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import numpy as np

from gm.arrays import Array, BoolArray, IntArray


class Statistic(ABC):
    """-2 ln L per bin as a function of what a model predicts there; holds the measured values, shape (n_bins,).

    Bins marked `linear` cost ``slope * predicted + intercept`` as long as nothing predicted is negative: their sum is
    computed once, which is why the cost of a likelihood follows the bins with counts.
    """

    profiles_background: ClassVar[bool] = False
    """Whether the background is not predicted, but the most probable one in each bin."""

    knows_curvature: ClassVar[bool] = True
    """Whether `curvature` is the second derivative everywhere, negative where that is."""

    @property
    def counts(self) -> Array | None:
        """(n_bins,), None where nothing is counted."""
        return None

    def background(self, predicted: Array) -> Array:
        """The most probable background counts, (n_bins,), that come on top of ``predicted`` where they are profiled."""
        return np.zeros_like(predicted)

    def extrapolated(self, predicted: Array) -> BoolArray | None:
        """Where -2 ln L was not measured so far as is predicted, (n_bins,); None where it is known everywhere."""
        return None

    @abstractmethod
    def value_and_derivative(self, predicted: Array) -> tuple[Array, Array]:
        """-2 ln L and its derivative with respect to ``predicted``, both (n_bins,)."""

    def value(self, predicted: Array) -> Array:
        """-2 ln L, (n_bins,)."""
        return self.value_and_derivative(predicted)[0]

    def derivative(self, predicted: Array) -> Array:
        """The derivative of -2 ln L with respect to ``predicted``, (n_bins,), alone."""
        return self.value_and_derivative(predicted)[1]

    def total_and_derivative(self, predicted: Array) -> tuple[float, Array]:
        """-2 ln L summed over the bins, and its derivative, (n_bins,)."""
        value, derivative = self.value_and_derivative(predicted)
        return float(np.add.reduce(value)), derivative

    def total(self, predicted: Array) -> float:
        """-2 ln L summed over the bins."""
        return float(np.add.reduce(self.value(predicted)))

    def residuals(self, predicted: Array) -> Array:
        """Signed square roots of what -2 ln L is above that of the best prediction of each bin alone, (n_bins,).

        Positive where more is measured than predicted; about normal with a width of 1 where counts are many.
        """
        value, derivative = self.value_and_derivative(predicted)
        return np.asarray(-np.sign(derivative) * np.sqrt(np.maximum(value, 0.0)))

    def joined(self, groups: IntArray, n_groups: int) -> Statistic:
        """The statistic of groups of bins that are counted as one, (n_groups,); ``groups`` (n_bins,): which one each
        bin is in. Raises `TypeError` where nothing is counted."""
        raise TypeError(f"{type(self).__name__} counts nothing that could be joined")

    @abstractmethod
    def curvature(self, predicted: Array) -> Array:
        """Second derivative of -2 ln L with respect to ``predicted``, (n_bins,)."""

    @abstractmethod
    def expected_curvature(self, predicted: Array) -> Array:
        """`curvature` averaged over data that the prediction would give, (n_bins,): positive where it has a slope."""

    @abstractmethod
    def take(self, bins: IntArray | BoolArray) -> Self:
        """The same statistic on a selection of bins."""

    def expected_ts(self, null: Array, predicted: Array) -> float | None:
        """-2 ln L of ``null`` above ``predicted``, on data equal to the latter; None where there are no counts."""
        return None

    def saturated(self) -> float:
        """-2 ln L of a model that predicts in every bin what was measured, summed: 0 where that is left out of it."""
        return 0.0

    def least(self) -> Array | None:
        """What must be predicted in each bin, (n_bins,): below, -2 ln L is cut off; None where it never is."""
        return None

    def linear(self) -> tuple[BoolArray, float, Array] | None:
        """Which bins are linear, the slope common to all of them, and the intercept of each; None when none can be."""
        return None
