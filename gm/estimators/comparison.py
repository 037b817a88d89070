"""Two results side by side: differences in standard deviations, and whether one model is a special case of another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt

from gm.estimators.spectral_starts import holds
from gm.models import Component, Layout, Models
from gm.models.spectral.base import SpectralModel

_EQUAL = 1e-9  # relative difference of numbers that are the same


@dataclass(frozen=True)
class Difference:
    """The second value minus the first; None where a number does not exist.

    independent : in standard deviations, when the two are measured from different data
    shared : when the data of one are among those of the other, or the same: the variance of the difference is then the
        difference of the variances. None for equal errors, of which nothing is left.
    """

    value: float | None
    independent: float | None
    shared: float | None


def difference(first: tuple[float | None, float | None], second: tuple[float | None, float | None]) -> Difference:
    """Of two values with errors. Source of ``shared``: Gratton & Challinor 2020, MNRAS 499, 3410, equation 12."""
    (a, error_a), (b, error_b) = first, second
    if a is None or b is None:
        return Difference(None, None, None)
    value = b - a
    if not error_a or not error_b:
        return Difference(value, None, None)
    both, left = error_a**2 + error_b**2, abs(error_b**2 - error_a**2)
    shared = value / sqrt(left) if left > _EQUAL * both else 0.0 if value == 0 else None
    return Difference(value, value / sqrt(both), shared)


def own_priors(models: Models, other: Models) -> float:
    """What the priors add to -2 ln L at the values of ``models`` that the ``other`` models do not have.

    No part of a comparison: a density has a unit, and nothing to be compared with.
    """
    theirs = dict(zip(other.parameters.addresses, other.parameters, strict=True))
    pairs = zip(models.parameters.addresses, models.parameters, strict=True)
    common = [p.prior is not None and name in theirs and theirs[name].prior == p.prior for name, p in pairs]
    flat = [replace(p, prior=None) if both else p for p, both in zip(models.parameters, common, strict=True)]
    layout = Layout(models.with_flat(flat))
    return layout.prior_value(layout.start)


def why_not_nested(poor: Models, rich: Models) -> str:
    """Why ``poor`` is no special case of ``rich``; empty where it is one, as far as components tell.

    Every component of the one is in the other, with the same shapes and datasets and a spectrum that can be the same,
    and what is fixed there is fixed here, at the same value; what is linked is linked. The other may have more
    components: their amplitudes may be 0.
    """
    for component in poor:
        if component.name not in rich:
            return f"'{component.name}' is not in the other"
        why = _why_not(component, rich[component.name])
        if why:
            return f"'{component.name}': {why}"
    if len(rich.parameters.free) <= len(poor.parameters.free):
        return "it has no fewer free parameters"
    links = {(link.parameter, link.equals, link.scale, link.offset) for link in poor.links}
    freed = [link for link in rich.links if (link.parameter, link.equals, link.scale, link.offset) not in links]
    return f"only the other has a link of '{freed[0].parameter}'" if freed else ""


def _why_not(poor: Component, rich: Component) -> str:
    if poor.datasets_names != rich.datasets_names:
        return "it is for other datasets"
    for one, other, what in (
        (poor.spatial_model, rich.spatial_model, "shape"),
        (poor.temporal_model, rich.temporal_model, "variation with time"),
    ):
        if (one is None) != (other is None) or (one is not None and other is not None and one.tags != other.tags):
            return f"its {what} is another one"
    if poor.spectral_model.tags != rich.spectral_model.tags:
        low, high = _energies(poor.spectral_model)
        if not holds(rich.spectral_model, poor.spectral_model, low, high):
            return f"{rich.spectral_model.tags[0]} cannot be {poor.spectral_model.tags[0]}"
        return ""
    for mine, theirs in zip(poor.parameters, rich.parameters, strict=True):
        if theirs.frozen and not (mine.frozen and abs(mine.value - theirs.value) <= _EQUAL * abs(theirs.value)):
            return f"'{theirs.name}' is fixed in the other"
    return ""


def _energies(model: SpectralModel) -> tuple[float, float]:
    """A decade to both sides of the reference energy [TeV]."""
    values = dict(zip(model.paths, model.values(), strict=True))
    reference = float(values.get("reference", 1.0))
    return reference / 10, reference * 10
