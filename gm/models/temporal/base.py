"""Temporal models: a factor that depends on time, and its average over good time intervals with all derivatives.

Only the average enters predicted counts: ``sum of integrals / sum of durations``. A model is a function f of the time
``u`` elapsed since ``t_ref`` [d]; ``values`` are the parameters in internal units, in the order of ``parameters``.
Integrals are exact. Defaults as in Gammapy 2.1, ``gammapy.modeling.models.temporal``, whose sums over 100 points are
1 % too large, whose sine is integrated to a sine, and which reads times in TT as UTC: none of that is done here.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from gm.arrays import Array
from gm.errors import suggest
from gm.models.errors import ModelError
from gm.models.parametric import Default, ParametricModel
from gm.models.temporal.intervals import SCALES, TimeIntervals, tt_minus

_J2000 = 51544.0  # MJD
T_REF = Default(_J2000, "d", frozen=True)
T_REF_FREE = Default(_J2000, "d")


class TemporalModel(ParametricModel):
    """Variation of a component with time; ``scale`` is the time scale of its reference time."""

    section = "temporal"
    varies: ClassVar[bool] = True
    setting_names: ClassVar[tuple[str, ...]] = ("scale",)

    def __init__(self, *, scale: str = "utc", **settings: object) -> None:
        if scale not in SCALES:
            raise ModelError(f"{scale!r} is not a time scale", suggest(scale, SCALES, "scales"))
        self.settings = {"scale": scale} | {n: settings[n] for n in self.setting_names if n in settings}
        super().__init__(**{name: value for name, value in settings.items() if name not in self.setting_names})

    @property
    def scale(self) -> str:
        return str(self.settings["scale"])

    def values(self) -> Array:
        """The parameters' values in internal units, (n_par,)."""
        return np.array([p.value * f for p, f in zip(self.parameters, self.factors, strict=True)])

    def remarks(self) -> tuple[str, ...]:
        """What of its file is not used as it stands there. Raises `DataError` for a file that cannot be used."""
        return ()

    def average(self, intervals: TimeIntervals, values: Array) -> float:
        """Mean of f over the intervals. values : (n_par,)"""
        start, stop = self._elapsed(intervals, values)
        return float(np.sum(self.integral(start, stop, values)) / intervals.total)

    def average_gradient(self, intervals: TimeIntervals, values: Array) -> tuple[float, Array]:
        """`average`, and its derivatives by every parameter, (n_par,)."""
        start, stop = self._elapsed(intervals, values)
        integral, rows = self.integral_gradient(start, stop, values)
        gradient = np.array([np.sum(row) for row in rows])
        if "t_ref" in self.paths:
            ends = self.evaluate(start, values) - self.evaluate(stop, values)
            gradient[self.paths.index("t_ref")] = np.sum(ends)
        return float(np.sum(integral) / intervals.total), gradient / intervals.total

    def covered(self, intervals: TimeIntervals, values: Array) -> float:
        """Part of the intervals in which the model says what f is; elsewhere it is 0. values : (n_par,)"""
        return 1.0

    def reference(self, values: Array) -> float:
        """Reference time, a Modified Julian Date [d] on the model's scale. values : (n_par,)"""
        return float(values[self.paths.index("t_ref")]) if "t_ref" in self.paths else _J2000

    def _elapsed(self, intervals: TimeIntervals, values: Array) -> tuple[Array, Array]:
        """Starts and stops [d] since the reference time."""
        reference = self.reference(values)
        offset = tt_minus(self.scale, self._scale_day(reference))
        return intervals.start - reference - offset, intervals.stop - reference - offset

    def _scale_day(self, reference: float) -> float:
        """The Modified Julian Date on which the scale is read: that of the reference time."""
        return float(np.floor(reference))

    @abstractmethod
    def evaluate(self, elapsed: Array, values: Array) -> Array:
        """f at times [d] since the reference time, of any shape. values : (n_par,)"""

    @abstractmethod
    def integral(self, start: Array, stop: Array, values: Array) -> Array:
        """Integral of f [d] from ``start`` to ``stop`` [d] since the reference time, (n,)."""

    @abstractmethod
    def integral_gradient(self, start: Array, stop: Array, values: Array) -> tuple[Array, list[Array]]:
        """`integral`, and its derivatives by every parameter, the same shape each; that by t_ref is left to
        `average_gradient`."""


class ConstantTemporalModel(TemporalModel):
    """No variation: the factor is 1."""

    tags = ("ConstantTemporalModel", "const")
    varies = False

    def evaluate(self, elapsed: Array, values: Array) -> Array:
        return np.ones_like(elapsed)

    def integral(self, start: Array, stop: Array, values: Array) -> Array:
        return stop - start

    def integral_gradient(self, start: Array, stop: Array, values: Array) -> tuple[Array, list[Array]]:
        return stop - start, []
