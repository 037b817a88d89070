"""Temporal models given as tables: light curves in time, and phase curves of a pulsar."""

from __future__ import annotations

from functools import cached_property
from math import isnan

import numpy as np

from gm.arrays import Array
from gm.errors import DataError
from gm.io.fits import Extension
from gm.models.errors import ModelError
from gm.models.parametric import Default
from gm.models.templates.files import first_table, read_curve, read_template
from gm.models.temporal.base import TemporalModel
from gm.models.temporal.intervals import DAY, TimeIntervals, is_date, reference_date, tt_minus
from gm.models.temporal.polyline import Polyline
from gm.units import UnitError, factor

_NONE = np.zeros(())


class LightCurveTemplateTemporalModel(TemporalModel):
    """A light curve from a file: straight lines between its times, never below 0, and 0 before and after.

    ``format: table`` has columns TIME and NORM, ``format: map`` a time axis in SKYMAP_BANDS; both count from MJDREFI +
    MJDREFF, which is t_ref where none is given. The file is read on first use, and is a `DataError` when damaged.
    """

    tags = ("LightCurveTemplateTemporalModel", "template")
    setting_names = ("scale", "filename", "format", "unit")
    t_ref = Default(float("nan"), "d", frozen=True)

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]  # scale is checked with the document
        if self.settings.get("format", "table") not in ("table", "map"):
            raise ModelError(f"format is {self.settings['format']!r}; allowed: table, map")

    @cached_property
    def table(self) -> tuple[float, Polyline, tuple[str, ...]]:
        """Reference time [d, on the model's scale], the norm by days since then, and remarks on it."""
        file = read_template(str(self.settings.get("filename", "")))
        if self.settings.get("format") != "map":
            times = first_table(file)
            days, norm = read_curve(times, "TIME", "NORM")
            first, last = days[:1], days[-1:]
        else:
            times, values = file.get("SKYMAP_BANDS"), file.get("SKYMAP")
            name = next((name for name in ("TIME", "TIME_MIN") if times.find(name)), "TIME")
            days, norm = times.floats(name).ravel(), values.floats("DATA", "").ravel()
            if times.find("ENERGY") or times.find("ENERGY_MIN") or times.find("E_MIN"):
                times.fail("a light curve that depends on energy cannot be averaged over time")
            first, last = days[:1], days[-1:]
            if name == "TIME_MIN":
                ends = times.floats("TIME_MAX").ravel()
                days, last = 0.5 * (days + ends), ends[-1:]
            if len(days) < 2 or len(days) != len(norm) or (np.diff(days) <= 0).any():
                times.fail(f"{len(days)} times and {len(norm)} norms, expected at least two, increasing")
        unit = _day_factor(times)
        curve = Polyline(days * unit, norm, (float(first[0]) * unit, float(last[0]) * unit))
        return self._reference_time(times, curve.ends[0]), curve, _negative(times, norm)

    def remarks(self) -> tuple[str, ...]:
        return self.table[2]

    def _reference_time(self, times: Extension, first: float) -> float:
        """On the model's scale, of a curve that begins ``first`` [d] after it."""
        header = times.header
        try:
            reference = sum(reference_date(header))
        except DataError as error:
            times.fail(str(error), "the Modified Julian Date that TIME counts from")
        own, day = header.text("TIMESYS", "utc").lower(), _day(reference, first)
        on_scale = reference + tt_minus(own, day) - tt_minus(self.scale, day)
        if not np.isfinite(on_scale):
            times.fail(f"MJD {reference:g}, which its times count from, is no date of the time scale {own}")
        return on_scale

    def _scale_day(self, reference: float) -> float:
        return _day(reference, self.table[1].ends[0])

    def reference(self, values: Array) -> float:
        return self.table[0] if isnan(values[0]) else float(values[0])

    def covered(self, intervals: TimeIntervals, values: Array) -> float:
        first, last = self.table[1].ends
        start, stop = (np.clip(elapsed, first, last) for elapsed in self._elapsed(intervals, values))
        return float(np.sum(stop - start) / intervals.total)

    def evaluate(self, elapsed: Array, values: Array) -> Array:
        return self.table[1].evaluate(elapsed)

    def integral(self, start: Array, stop: Array, values: Array) -> Array:
        return self.table[1].primitive(stop) - self.table[1].primitive(start)

    def integral_gradient(self, start: Array, stop: Array, values: Array) -> tuple[Array, list[Array]]:
        return self.integral(start, stop, values), [_NONE]


class TemplatePhaseCurveTemporalModel(TemporalModel):
    """A phase curve from a file with columns PHASE and NORM; the phase is a cubic polynomial of time.

    ``phase = phi_ref + dt (f0 + dt / 2 (f1 + dt / 3 f2))``, of which the fraction counts. Straight lines between the
    rows, the end ones continued to phases 0 and 1; with ``normalize`` its mean over a turn is 1. Integrals take the
    frequency as constant within an interval, at the number of turns per duration.
    """

    tags = ("TemplatePhaseCurveTemporalModel", "template-phase")
    setting_names = ("scale", "filename", "normalize")
    t_ref = Default(48442.5, "d", frozen=True)
    phi_ref = Default(0.0, frozen=True)
    f0 = Default(29.946923, "s-1", frozen=True)
    f1 = Default(0.0, "s-2", frozen=True)
    f2 = Default(0.0, "s-3", frozen=True)

    @cached_property
    def curve(self) -> tuple[Polyline, float, tuple[str, ...]]:
        """Norm by phase, its mean over a turn, and remarks on it."""
        table = first_table(read_template(str(self.settings.get("filename", ""))))
        phase, norm = read_curve(table, "PHASE", "NORM")
        if phase[0] < 0 or phase[-1] > 1:
            table.fail(f"phases from {phase[0]:g} to {phase[-1]:g}, expected 0 to 1")
        curve = Polyline(phase, norm)
        mean = _turn(curve)
        if self.settings.get("normalize", True) is False:
            return curve, mean, _negative(table, norm)
        if not mean > 0:
            table.fail("the norms add up to 0, which cannot be normalised")
        return Polyline(phase, norm / mean), 1.0, _negative(table, norm)

    def remarks(self) -> tuple[str, ...]:
        return self.curve[2]

    def phase(self, elapsed: Array, values: Array) -> Array:
        """Turns since phase 0, at times [d] of any shape since the reference time."""
        dt = elapsed * DAY
        return np.asarray(values[1] + dt * (values[2] + dt / 2 * (values[3] + dt / 3 * values[4])))

    def evaluate(self, elapsed: Array, values: Array) -> Array:
        return self.curve[0].evaluate(self.phase(elapsed, values) % 1.0)

    def integral(self, start: Array, stop: Array, values: Array) -> Array:
        first, last = self.phase(start, values), self.phase(stop, values)
        turns = last - first
        still = np.abs(turns) < 1e-12
        mean = (self._sum(last) - self._sum(first)) / np.where(still, 1.0, turns)
        return (stop - start) * np.where(still, self.evaluate(start, values), mean)

    def integral_gradient(self, start: Array, stop: Array, values: Array) -> tuple[Array, list[Array]]:
        integral = self.integral(start, stop, values)
        turns = self.phase(stop, values) - self.phase(start, values)
        mean = integral / (stop - start)
        scale = (stop - start) / np.where(np.abs(turns) < 1e-12, np.inf, turns)
        at_start = mean - self.evaluate(start, values)
        at_stop = self.evaluate(stop, values) - mean
        rows = []
        for power, share in ((0, 1.0), (1, 1.0), (2, 0.5), (3, 1.0 / 6.0)):
            rows.append(scale * share * (at_stop * (stop * DAY) ** power + at_start * (start * DAY) ** power))
        return integral, [_NONE, *rows]

    def _sum(self, phase: Array) -> Array:
        """Integral of the norm from phase 0, whole turns included."""
        curve, mean, _ = self.curve
        whole = np.floor(phase)
        return np.asarray(whole * mean + curve.primitive(phase - whole) - curve.primitive(np.zeros(1)))


def _day(reference: float, first: float) -> float:
    """Whose leap seconds count for a curve that begins ``first`` [d] after a reference date: its own where it has dates
    (often since MJD 0)."""
    return float(np.floor(reference + first if is_date(reference) else reference))


def _negative(table: Extension, norm: Array) -> tuple[str, ...]:
    """What to say of norms that no source has."""
    n = int((norm < 0).sum())
    return (f"{table.path}: {n} of {norm.size} norms are negative, and taken for 0",) if n else ()


def _turn(curve: Polyline) -> float:
    ends = curve.primitive(np.array([0.0, 1.0]))
    return float(ends[1] - ends[0])


def _day_factor(times: Extension) -> float:
    unit = times.unit("TIME") or times.unit("TIME_MIN") or times.header.text("TIMEUNIT")
    try:
        return factor(unit, "d")
    except UnitError as error:
        raise DataError(f"{times.path}: HDU {times.name or '(unnamed)'}: column TIME: {error}") from error
