"""A light curve as one fit: a flux for each bin of time, and all else of the source shared by the bins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gm.arrays import Array
from gm.datasets import Datasets
from gm.errors import DataError, UsageError
from gm.estimators.fitted_flux import (
    FluxFit,
    amplitude_of,
    fitted_point,
    fitted_values,
    flux_covariance,
    in_band,
    left_out,
    summaries_of,
)
from gm.estimators.quantity import Quantity
from gm.estimators.reference import Reference
from gm.estimators.result import FittedValue, FluxPoint
from gm.fit import Fit
from gm.models import Link, Models, SkyModel


@dataclass(frozen=True, eq=False)
class JointFit:
    """A point for each bin of time, None where no bin of energy enters; the covariance of their norms, (n, n), NaN
    there; what else was fitted; -2 ln L, and that of the same fit with one flux for all."""

    points: tuple[FluxPoint | None, ...]
    covariance: Array
    parameters: tuple[FittedValue, ...]
    stat: float
    stat_constant: float
    warnings: tuple[str, ...]


def joint_fit(
    bins: Sequence[Datasets],
    models: Models,
    source: str,
    edges: Array,
    reference: Reference,
    make: Callable[[Datasets, Models], FluxFit],
) -> JointFit:
    """The fit of all ``bins`` between two ``edges`` of energy, (2,) [TeV]; ``make`` gives that of datasets and models.

    Raises `UsageError` where the source has no amplitude of its own, `DataError` where no dataset sees it, and what a
    fit raises.
    """
    groups = [in_band(inside, models[source], float(edges[0]), float(edges[1])) for inside in bins]
    seen = [(k, kept, energies) for k, (kept, energies) in enumerate(groups) if energies is not None]
    if not seen:
        raise DataError(f"joint light curve of '{source}': no dataset of any time bin sees it in the band")
    free = models.with_parameters({amplitude_of(models, source): {"frozen": False, "prior": None}})
    parts, copies = joint_models(free, source, [kept.names for _, kept, _ in seen])
    quantities = [Quantity("flux", name, energies) for name, (_, _, energies) in zip(copies, seen, strict=True)]
    references = reference.fluxes(np.array([quantity.energies for quantity in quantities]))
    datasets = Datasets(dataset for _, kept, _ in seen for dataset in kept)
    fit, fluxes = make(datasets, parts), np.array([one.flux for one in references])
    run, estimates = fit.run(quantities, fluxes.tolist())
    points: list[FluxPoint | None] = [None] * len(bins)
    covariance = np.full((len(bins), len(bins)), np.nan)
    numbers = [k for k, _, _ in seen]
    covariance[np.ix_(numbers, numbers)] = flux_covariance(run, quantities) / np.outer(fluxes, fluxes)
    summaries = summaries_of(run)
    for k, quantity, estimate, flux in zip(numbers, quantities, estimates, references, strict=True):
        points[k] = fitted_point(run, quantity, estimate, flux, fit.sigma_ul, summaries)
    amplitudes = {amplitude_of(parts, copy) for copy in copies}
    others = fitted_values(run, [name for name in run.names if name not in amplitudes])
    named = tuple(replace(one, name=one.name.replace(f"{copies[0]}.", f"{source}.", 1)) for one in others)
    one_flux = Fit(datasets, fit.conventions, fit.engine).optimize(free, check=False).statistic
    told = (*left_out(models, source), *run.warnings)
    return JointFit(tuple(points), covariance, named, run.statistic, one_flux, told)


def joint_models(models: Models, source: str, groups: Sequence[Sequence[str]]) -> tuple[Models, list[str]]:
    """The global model with a copy of the source for each group of datasets, and the names of the copies.

    Copies have amplitudes of their own; every other parameter that is free follows that of the first copy, which has
    its prior, and so do parameters elsewhere that followed one of the source. Raises `UsageError` where something
    follows the amplitude.
    """
    amplitude, old = models.resolve(amplitude_of(models, source)), models[source]
    assert isinstance(old, SkyModel)  # it has a flux
    slots = models.slots()[source, None]
    names = _names(models, source, len(groups))
    bare = old.with_parameters([replace(parameter, prior=None) for parameter in old.parameters])
    copies = [
        replace(bare if k else old, name=name, datasets_names=tuple(d for d in group if old.applies_to(d)))
        for k, (name, group) in enumerate(zip(names, groups, strict=True))
    ]
    grown = Models([part for one in models for part in (copies if one.name == source else [one])])
    short, starts = grown.addresses().short, [grown.slots()[name, None].start for name in names]
    links, followers = list[Link](), dict[int, Link]()
    for link in models.links:
        target, equals = models.resolve(link.parameter), models.resolve(link.equals)
        if equals == amplitude:
            raise UsageError(f"'{link.parameter}' follows '{link.equals}', of which each bin would have its own")
        equals_now = short[_moved(models, grown, equals, slots, starts[0])]
        if slots.start <= target < slots.stop:
            followers[target] = link
            targets = [short[start + target - slots.start] for start in starts]
        else:
            targets = [short[_moved(models, grown, target, slots, starts[0])]]
        links += [replace(link, parameter=address, equals=equals_now) for address in targets]
    for k in range(slots.start, slots.stop):
        if k == amplitude or k in followers or models.parameters[k].frozen:
            continue
        first, *others = [short[start + k - slots.start] for start in starts]
        links += [Link(address, first) for address in others]
    return grown.with_links(links), names


def _moved(models: Models, grown: Models, k: int, slots: slice, first: int) -> int:
    """Where parameter ``k`` is among those of the model with copies; of the source that of the first copy."""
    if slots.start <= k < slots.stop:
        return first + k - int(slots.start)
    return k if k < slots.start else k + len(grown.parameters) - len(models.parameters)


def _names(models: Models, source: str, n: int) -> list[str]:
    """Of copies: source-1, source-2, ..., with more hyphens where these are taken."""
    hyphens = "-"
    while any(f"{source}{hyphens}{k}" in models for k in range(1, n + 1)):
        hyphens += "-"
    return [f"{source}{hyphens}{k}" for k in range(1, n + 1)]
