"""One spectrum said with the parameters of another model: starts of a fit, and whether a model holds another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gm.arrays import Array
from gm.models import Parameter
from gm.models.spectral.base import SpectralModel
from gm.units import UnitError, factor

_SLOPES = ("index", "index_1", "index1", "alpha")  # names of the slope at the reference energy, the first that there is
_NODES = 60
_SAME = 1e-5  # of ln f: what tells two spectra apart
_SCALES = ("reference", "emin", "emax")  # energies that are no feature of a spectrum
_NEUTRAL = {"beta": 0.0, "lambda_": 0.0, "expfactor": 0.0}
_CURVED = (-0.004, -0.12, -2.2, 0.0)  # ln f by ln E
_LEAST, _FAR = 1e-300, 1e3


@dataclass(frozen=True)
class Translation:
    """A spectrum in other words, and how far it is from the original: the largest difference of ln f."""

    model: SpectralModel
    distance: float


def translated(old: SpectralModel, new: SpectralModel, e_min: float, e_max: float) -> Translation:
    """``new`` with free parameters such that it is as close to ``old`` as it can be between two energies [TeV].

    By least squares of ln f at equal steps of ln E, from the parameters that mean the same in both (`carried`), with
    those that bend a spectrum once as they are and once without effect. Frozen parameters and limits stay.
    """
    energy = np.geomspace(e_min, e_max, _NODES)
    with np.errstate(all="ignore"):
        target = _ln(old.evaluate(energy, old.values()))
    return _closest_of([carried(old, new), _unbent(carried(old, new))], energy, target)


def bent(model: SpectralModel, e_min: float, e_max: float) -> list[SpectralModel]:
    """Other starts for a spectrum with a free energy of its own, such as a break: where data can tell, from ``e_min``
    to ``e_max`` [TeV], and bent there.

    A break beyond the data, or one between equal slopes, changes nothing, and no fit finds its way from there.
    """
    energies = [k for k, p in enumerate(model.parameters) if not p.frozen and p.name not in _SCALES and p.unit == "TeV"]
    if not energies:
        return []
    slope, found = _slope(model), []
    for share in (0.5, 0.25, 0.75):
        flat = list(model.parameters)
        for k in energies:
            flat[k] = replace(flat[k], value=float(np.clip(e_min ** (1 - share) * e_max**share, *flat[k].limits())))
        if slope == "index1" and not model.parameter("index2").frozen:
            k = model.paths.index("index2")
            flat[k] = replace(flat[k], value=float(np.clip(model.parameter(slope).value + 0.5, *flat[k].limits())))
        found.append(model.with_parameters(flat))
    return found


def holds(rich: SpectralModel, poor: SpectralModel, e_min: float, e_max: float) -> bool:
    """Whether ``rich`` can be what ``poor`` is from ``e_min`` to ``e_max`` [TeV], whatever the free parameters of that.

    It is tried: at the one of ``poor`` that is most like some curved spectrum, and beside that.
    """
    energy = np.geomspace(e_min, e_max, _NODES)
    x = np.log(energy / np.sqrt(e_min * e_max))
    curved = np.log(1e-12) + np.polyval(_CURVED, x)
    start = _with_defaults(poor)
    usual = _closest_of([start, _unbent(start)], energy, curved).model
    flat = [p if p.frozen else replace(p, value=_beside(p, k)) for k, p in enumerate(usual.parameters)]
    tried = usual, usual.with_parameters(flat)
    return all(translated(one, rich, e_min, e_max).distance < _SAME for one in tried)


def _closest_of(starts: Sequence[SpectralModel], energy: Array, target: Array) -> Translation:
    return min((_closest(start, energy, target) for start in starts), key=lambda found: found.distance)


def _with_defaults(model: SpectralModel) -> SpectralModel:
    """The model with the usual values of its free parameters."""
    usual = {default.name: default for default in model.defaults}
    return model.with_parameters([_usual(p, usual.get(p.name)) for p in model.parameters])


def _usual(parameter: Parameter, default: Parameter | None) -> Parameter:
    if default is None or parameter.frozen:
        return parameter
    try:
        value = default.value * factor(default.unit, parameter.unit)
    except UnitError:
        return parameter
    return replace(parameter, value=float(np.clip(value, *parameter.limits())))


def _beside(parameter: Parameter, k: int) -> float:
    """Another value within the limits."""
    low, high = parameter.limits()
    step = 0.07 * abs(parameter.value) or 0.07
    return float(np.clip(parameter.value + (step if k % 2 else -step), low, high))


def carried(old: SpectralModel, new: SpectralModel) -> SpectralModel:
    """``new`` with what ``old`` has of the same meaning: amplitude, slope at the reference, parameters of one name."""
    sources = dict(zip(old.paths, old.parameters, strict=True))
    slope_old, slope_new = _slope(old), _slope(new)
    if slope_old is not None:
        slope = sources.pop(slope_old)
        if slope_new is not None:
            sources[slope_new] = slope
    flat = [_given(parameter, sources.get(path)) for path, parameter in zip(new.paths, new.parameters, strict=True)]
    return new.with_parameters(flat)


def _slope(model: SpectralModel) -> str | None:
    return next((name for name in _SLOPES if name in model.paths), None)


def _given(parameter: Parameter, source: Parameter | None) -> Parameter:
    """The parameter as the source has it, with its limits and prior, where the units agree."""
    if source is None:
        return parameter
    try:
        factor(source.unit, parameter.unit)
    except UnitError:
        return parameter
    return replace(source, name=parameter.name)


def _unbent(model: SpectralModel) -> SpectralModel:
    """The model as a power law, where it can be one: without curvature and cut-off, with equal slopes."""
    neutral, slope = dict(_NEUTRAL), _slope(model)
    if slope == "index1":
        neutral["index2"] = model.parameter(slope).value
    flat = [
        replace(p, value=float(np.clip(neutral[p.name], *p.limits()))) if p.name in neutral and not p.frozen else p
        for p in model.parameters
    ]
    return model.with_parameters(flat)


@np.errstate(all="ignore")
def _closest(start: SpectralModel, energy: Array, target: Array) -> Translation:
    """From a start, over its free parameters."""
    from scipy.optimize import least_squares

    free = np.flatnonzero([not p.frozen for p in start.parameters])
    values = start.values()
    lower, upper = np.transpose([pair for block in start.blocks() for pair in block.limits()])
    factors = np.array(start.factors)
    amplitude = start.amplitude_position()
    if amplitude in free and np.isfinite(target).all():
        offset = np.mean(target - _ln(start.evaluate(energy, values)))
        values[amplitude] *= np.exp(np.clip(offset, -200.0, 200.0))

    def whole(x: Array) -> Array:
        full = values.copy()
        full[free] = x * scale
        return full

    def residual(x: Array) -> Array:
        return np.clip(_ln(start.evaluate(energy, whole(x))) - target, -_FAR, _FAR)

    scale = np.where(values[free] != 0, np.abs(values[free]), 1.0)
    low, high = lower[free] * factors[free] / scale, upper[free] * factors[free] / scale
    x = np.clip(values[free] / scale, low, high)
    if free.size and np.isfinite(residual(x)).all() and (low < high).all():
        x = least_squares(residual, x, bounds=(low, high), xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=200).x
    distance = float(np.max(np.abs(residual(x))))
    full = whole(x) / factors
    flat = [p if p.frozen else replace(p, value=float(v)) for p, v in zip(start.parameters, full, strict=True)]
    return Translation(start.with_parameters(flat), distance if np.isfinite(distance) else np.inf)


def _ln(f: Array) -> Array:
    return np.log(np.maximum(f, _LEAST))
