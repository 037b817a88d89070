"""What a profile is a function of: parameters, or a quantity in the place of one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from gm.arrays import Array
from gm.errors import UsageError
from gm.estimators.quantity import Quantity
from gm.fit.ellipsoid import Ellipsoid, Interval
from gm.fit.profile import Profile, ProfilePoint
from gm.fit.reparametrised import Derived, Reparametrised
from gm.fit.run import FitRun
from gm.matrices import Covariance, substituted
from gm.units import convert

ON_A_LINE = 3  # points that a curve is led through: more of them would carry on what they are off by
_SHORTER = 0.7  # of the step to be made, by the last one: a curve is not followed so far beyond its points
_STEEP = 4.0  # times the rise of the parabola


@final
@dataclass(frozen=True, eq=False)
class Space:
    """The axes of a profile: ``scale * vector[chosen] + offset``, of a vector (n_active,) with the minimum at
    ``profile.vector``; lower, upper : (n_active,) limits; back : from such a vector to the parameters (n_active,)."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    chosen: tuple[int, ...]
    scale: Array
    offset: Array
    profile: Profile
    covariance: Covariance | None
    ellipsoid: Ellipsoid
    lower: Array
    upper: Array
    back: Callable[[Array], Array]

    def best(self, axis: int) -> float:
        return float(self.scale[axis] * self.profile.vector[self.chosen[axis]] + self.offset[axis])

    def error(self, axis: int) -> float | None:
        k = self.chosen[axis]
        variance = 0.0 if self.covariance is None else float(self.covariance[k, k])
        return abs(float(self.scale[axis])) * float(np.sqrt(variance)) if variance > 0 else None

    def between(self, axis: int, sigma: float) -> tuple[float, float]:
        """``sigma`` errors to both sides, within the limits. Raises `UsageError` without an error."""
        k, error, best = self.chosen[axis], self.error(axis), self.best(axis)
        if error is None:
            raise UsageError(f"{self.names[axis]} has no error to tell how far its profile goes; give its values")
        limits = sorted(self.scale[axis] * np.array([self.lower[k], self.upper[k]]) + self.offset[axis])
        return max(best - sigma * error, limits[0]), min(best + sigma * error, limits[1])

    def numbers(self, axis: int, values: object) -> Array:
        """Values of an axis as numbers in its unit. Raises `UnitError` and `UsageError`."""
        if not isinstance(values, Sequence | np.ndarray) or isinstance(values, str) or not len(values):
            raise UsageError(f"the values of {self.names[axis]} are a sequence of numbers")
        return np.array([convert(value, self.units[axis]) for value in values])

    def at(self, values: Sequence[float], known: Sequence[Sequence[ProfilePoint]] = ()) -> ProfilePoint:
        """The profile at values of the axes, from the minimum or from points that are known: on along the curve through
        those of a line, nearest first, or moved as the errors say from one alone. Raises `LowerMinimum`."""
        chosen, wanted = list(self.chosen), (np.array(values) - self.offset) / self.scale

        def moved(vector: Array) -> Array:
            return np.asarray(vector + self.ellipsoid.direction(chosen, wanted - vector[chosen]))

        starts = [_further(line, chosen, wanted) for line in known if len(line) > 1]
        if not starts:
            starts = [moved(line[0].best) for line in known] or [moved(self.profile.vector)]
        point = self.profile.at(chosen, wanted, starts)
        if not point.reason and not self._is_steep(point, wanted):
            return point
        neighbours = (line[0].best for line in known)
        again = self.profile.at(chosen, wanted, [self.profile.vector, moved(self.profile.vector), *neighbours])
        return again if not again.reason and (point.reason or again.value < point.value) else point

    def _is_steep(self, point: ProfilePoint, wanted: Array) -> bool:
        """Whether the profile is far above the parabola at a point: others that have lost their effect on the way, as
        the shape of an amplitude that goes through zero, lead astray."""
        expected = self.ellipsoid.rise(self.chosen, wanted - self.profile.vector[list(self.chosen)])
        return point.value - self.profile.least > _STEEP * (1.0 + expected)

    def interval(self, rise: float) -> Interval:
        """Of the only axis. Raises `LowerMinimum`."""
        return self.ellipsoid.interval(self.chosen[0], rise).scaled(float(self.scale[0]))

    def rays(self, rises: Sequence[float]) -> list[tuple[float, Array, str]]:
        """Contours of two axes, see `Ellipsoid.rays`. Raises `LowerMinimum`."""
        rows = self.ellipsoid.rays(list(self.chosen), rises)
        return [(rise, self.scale * points + self.offset, why) for rise, points, why in rows]


def _further(line: Sequence[ProfilePoint], chosen: Sequence[int], wanted: Array) -> Array:
    """On along the curve through points of a line, nearest first, to where the chosen parameters are as wanted,
    (n_active,): a straight line where the last step was a shorter one."""
    vectors = np.array([point.best for point in line])
    step = wanted - vectors[0, chosen]
    if not step.any():
        return np.asarray(vectors[0])
    at = (vectors[:, chosen] - vectors[0, chosen]) @ step / float(step @ step)
    if abs(at[1]) < _SHORTER:
        at, vectors = at[:2], vectors[:2]
    apart = at[:, None] - at + np.eye(at.size)
    if not apart.all():
        return np.asarray(vectors[0])
    weights = np.prod(np.where(np.eye(at.size) > 0, 1.0, 1.0 - at), axis=1) / np.prod(apart, axis=1)
    return np.asarray(weights @ vectors)


def parameter_space(run: FitRun, addresses: Sequence[str]) -> Space:
    """The axes are parameters, linked ones scales of those that they follow. Raises `UsageError`, `AddressError`."""
    layout, models, profile = run.layout, run.likelihood.models, run.profile(points_are_near=True)
    indices = [models.resolve(address) for address in addresses]
    free = [layout.free_position(index) for index in indices]
    active, chosen = run.objective.active, list[int]()
    for address, position in zip(addresses, free, strict=True):
        if position is None or not active[position]:
            why = "is not free" if position is None else "changes no dataset"
            raise UsageError(f"{address} {why}: it has no profile")
        chosen.append(int(np.count_nonzero(active[:position])))
    if len(set(chosen)) < len(chosen):
        raise UsageError(f"{' and '.join(addresses)} are one parameter, by their links: there is no surface of them")
    scale, offset = np.array([layout.line(index) for index in indices]).T
    names = tuple(layout.addresses[index] for index in indices)
    units = tuple(str(models.parameters[index].unit) for index in indices)
    axes = names, units, tuple(chosen), scale, offset
    return Space(
        *axes, profile, run.errors.whole_covariance(), run.ellipsoid(profile), run.lower, run.upper, lambda v: v
    )


def quantity_space(run: FitRun, quantity: Quantity) -> Space:
    """The axis is a quantity, in the place of the amplitude that it is proportional to, or else of the parameter that
    it depends on most. Raises `UsageError`."""
    if problem := quantity.problem(run.likelihood.models):
        raise UsageError("; ".join(problem))
    derived, minimum = derived_of(run, quantity), run.minimum
    k = _pivot(run, quantity, derived)
    objective = Reparametrised(run.objective, derived, k, minimum.vector)
    vector, slopes = objective.there(minimum.vector), objective.slopes(minimum.vector)
    lower, upper = run.lower.copy(), run.upper.copy()
    lower[k], upper[k] = _limits(run, quantity, k, float(vector[k]), float(slopes[k]))
    own = run.profile(points_are_near=True)
    names = [str(quantity) if i == k else name for i, name in enumerate(run.names)]
    profile = own.of(objective, vector, lower, upper, names, objective.back)
    of_parameters = run.errors.whole_covariance()
    covariance = None if of_parameters is None else substituted(of_parameters, k, slopes)
    sizes = run.minimizer.scale.copy()
    sizes[k] *= abs(slopes[k])
    one = np.ones(1), np.zeros(1)
    axes = (str(quantity),), (quantity.unit,), (k,), *one
    ellipsoid = Ellipsoid(profile, covariance, sizes)
    return Space(*axes, profile, covariance, ellipsoid, lower, upper, objective.back)


def derived_of(run: FitRun, quantity: Quantity) -> Derived:
    """The quantity as a function of the active parameters."""
    layout, likelihood, restricted = run.layout, run.likelihood, run.objective
    component = next(c for c in likelihood.models.sources() if c.name == quantity.source)
    slots, of = layout.slots(component.name), quantity.of(component, likelihood.conventions)

    def derived(vector: Array) -> tuple[float, Array]:
        values = layout.expand(restricted.full(vector))
        number, own = of(values[slots])
        slopes = np.zeros(values.size)
        slopes[slots] = own
        return number, layout.reduce(slopes)[restricted.active]

    return derived


def _limits(run: FitRun, quantity: Quantity, k: int, best: float, slope: float) -> tuple[float, float]:
    """Those of the amplitude, of which the quantity is ``slope`` times as much. Where the shape of the spectrum is free
    too only its sign is kept, and does not change: towards a flux of 0 it takes all flux elsewhere, and beyond it is
    another one."""
    low, high = -np.inf, np.inf
    if k == _amplitude(run, quantity.source):
        low, high = sorted((slope * float(run.lower[k]), slope * float(run.upper[k])))
    spectrum = run.layout.slots(quantity.source, "spectral")
    found = (run.layout.free_position(index) for index in range(spectrum.start, spectrum.stop))
    free = {int(np.count_nonzero(run.objective.active[:p])) for p in found if p is not None and run.objective.active[p]}
    if not free - {k}:
        return low, high
    return (0.0 if best > 0 or low >= 0 else -np.inf), (0.0 if best < 0 or high <= 0 else np.inf)


def _amplitude(run: FitRun, source: str) -> int | None:
    """The active parameter that a source's spectrum is proportional to; None where there is none."""
    layout, active = run.layout, run.objective.active
    position = run.likelihood.models[source].spectral_model.amplitude_position()
    if position is None:
        return None
    index = layout.slots(source, "spectral").start + position
    free = layout.free_position(index)
    if free is None or not active[free] or layout.line(index)[1]:  # one that follows another at a distance
        return None
    return int(np.count_nonzero(active[:free]))


def _pivot(run: FitRun, quantity: Quantity, derived: Derived) -> int:
    """The active parameter in whose place the quantity is. Raises `UsageError` where it depends on none."""
    _, slopes = derived(run.minimum.vector)
    amplitude = _amplitude(run, quantity.source)
    if amplitude is not None and slopes[amplitude]:
        return amplitude
    effect = np.abs(slopes) * run.minimizer.scale if slopes.size else slopes
    if not effect.any():
        raise UsageError(f"{quantity} depends on no free parameter: it has no profile")
    return int(np.argmax(effect))
