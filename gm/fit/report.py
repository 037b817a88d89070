"""From a finished fit to the rows of its result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from gm.arrays import BoolArray
from gm.fit.covariance import Errors
from gm.fit.decorrelation import FittedShape
from gm.fit.ellipsoid import Interval
from gm.fit.parts import FittedComponent, FittedParameter
from gm.likelihood import DatasetSummary, JointLikelihood
from gm.models import Component, Layout, Models, Role
from gm.models.spectrum_errors import KnownErrors


def fitted_parameters(
    models: Models,
    layout: Layout,
    active: BoolArray,
    errors: Errors,
    minos: Mapping[str, Interval],
    shapes: Mapping[int, float],
) -> Iterable[FittedParameter]:
    """All parameters in order; active : (n_free,) those that ``errors`` and ``shapes`` are of."""
    positions, parameters, roots = np.cumsum(active) - 1, models.parameters, models.roots()
    targets = {models.addresses().resolve(link.parameter): link.equals for link in models.links}
    for k, (address, parameter) in enumerate(zip(parameters.addresses, parameters, strict=True)):
        interval, free, position, why, side = minos.get(address), layout.free_position(k), None, "", None
        if free is None and k in targets:
            why = f"it follows {targets[k]}, which is not free" if roots[k].scale else "its link has a scale of 0"
        elif free is not None and not active[free]:
            why = "no dataset depends on it"
        elif free is not None:
            position = int(positions[free])
            why, side = errors.why_none(position), errors.side(position) if k == layout.free[free] else None
        low, high = parameter.limits()
        yield FittedParameter(
            name=address,
            value=parameter.value,
            error=parameter.error if position is not None and errors.covariance is not None and not why else None,
            unit=parameter.unit,
            frozen=parameter.frozen,
            min=_finite(low),
            max=_finite(high),
            at_limit=side,
            link=targets.get(k),
            minos=None if interval is None else (interval.lower, interval.upper),
            error_reason=why,
            minos_reason="" if interval is None else interval.reason,
            rise_at_2_sigma=None if position is None else shapes.get(position),
        )


def fitted_components(
    models: Models,
    likelihood: JointLikelihood,
    active: BoolArray,
    summaries: Sequence[DatasetSummary],
    tested: Mapping[str, tuple[float | None, str]],
) -> Iterable[FittedComponent]:
    """All components in order; tested : TS by name, or None and why. active : (n_free,)"""
    layout, errors = likelihood.layout, KnownErrors(models)
    free = {int(position) for position in layout.free[active]}
    by_component: dict[str, dict[str, float]] = {}
    for summary in summaries:
        for name, counts in summary.components.items():
            by_component.setdefault(name, {})[summary.name] = counts
    ranges = {dataset.name: dataset.energy_range() for dataset in likelihood.datasets}
    for component in models:
        slots, predicted = layout.slots(component.name), by_component.get(component.name, {})
        ts, why = tested.get(component.name, (None, ""))
        yield FittedComponent(
            name=component.name,
            type=component.tags[0],
            predicted=predicted if component.role is Role.SOURCE else {},
            degrees_of_freedom=sum(position in free for position in range(slots.start, slots.stop)),
            ts=ts,
            ts_reason=why,
            shape=_fitted_shape(component, errors, ranges),
        )


def _fitted_shape(
    component: Component, errors: KnownErrors, ranges: Mapping[str, tuple[float, float]]
) -> FittedShape | None:
    """Of a sky component, between the energies of the datasets that it applies to, of which all have ``ranges``."""
    seen = component.applied(ranges) if component.role is Role.SOURCE else []
    if not seen:
        return None
    return FittedShape(component, errors, min(low for low, _ in seen), max(high for _, high in seen))


def _finite(number: float) -> float | None:
    return number if np.isfinite(number) else None
