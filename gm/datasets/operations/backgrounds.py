"""Background components under an operation: carried with their parameters, or baked into the counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from gm.datasets.base import Dataset
from gm.datasets.kinds import is_map
from gm.datasets.operations.kinds import as_counts
from gm.datasets.operations.outcome import Edit, Refused
from gm.datasets.operations.revision import Revision
from gm.models import BackgroundIRFModel, Models, Parameter, SpectralModel, TemplateNPredModel

Corrected: TypeAlias = BackgroundIRFModel | TemplateNPredModel
"""Components whose spectrum is a factor of counts that are there."""

NEUTRAL = {"norm": 1.0, "tilt": 0.0, "index": 0.0, "alpha": 0.0, "beta": 0.0, "lambda_": 0.0}
"""Values at which a norm model is 1 at every energy; other parameters do not matter there, and keep theirs."""


def backgrounds(models: Models) -> dict[str, BackgroundIRFModel]:
    """The components that correct backgrounds, by their dataset."""
    return models.backgrounds()


def has_background(dataset: Dataset) -> bool:
    """Whether the dataset holds background counts that a component can correct."""
    return dataset.known_background is not None


def corrected(dataset: Dataset, component: BackgroundIRFModel | None) -> Dataset:
    """The dataset with its background times the component at its values, in double precision."""
    known = dataset.known_background
    if component is None or known is None:
        return dataset
    factor = component.spectral_model(dataset.energies())
    if is_map(dataset):
        factor = factor[:, None, None]
        if component.spatial_model is not None:
            factor = factor * component.spatial_factor(dataset.geometry)
    return dataset.with_(background=known * factor)


def is_flat(component: Corrected) -> bool:
    """Whether the factor is one number at all energies, whatever a fit does: its other parameters are frozen at 0."""
    slopes = [
        p
        for p in component.spectral_model.parameters
        if p.name not in ("norm", "reference") and not _is_idle(p, component)
    ]
    return all(NEUTRAL.get(p.name) == 0.0 and p.frozen and p.value == 0.0 for p in slopes)


def _is_idle(parameter: Parameter, component: Corrected) -> bool:
    """The exponent of a cut-off, which does not matter while the cut-off is not there."""
    return parameter.name == "alpha" and any(p.name == "lambda_" for p in component.spectral_model.parameters)


def carry(revision: Revision, component: BackgroundIRFModel, name: str, *, keep: bool) -> Edit:
    """The component with its parameters for the dataset ``name``: instead of the old one, or as a copy beside it."""
    carried = replace(component, dataset_name=name)
    if keep:
        revision.copy(component.name, carried)
        text = f"copied to {carried.name} with its own parameters ({described(component)})"
        return Edit("copied", component.name, text, {"to": carried.name, "dataset": name, **values_of(component)})
    revision.replace(component.name, carried)
    text = f"carried to {carried.name} ({described(component)})"
    return Edit("carried", component.name, text, {"to": carried.name, "dataset": name, **values_of(component)})


def bake(revision: Revision, components: Sequence[BackgroundIRFModel], dataset: Dataset, *, keep: bool) -> list[Edit]:
    """One neutral component for the new dataset, whose background holds what the given ones made of theirs.

    Raises `Refused` when they are of different types.
    """
    if not components:
        return []
    name = dataset.name
    edits = _remove(revision, components, name, keep=keep)
    spectrum = neutral(components, name, as_counts(dataset, "bake").energy.n_bins)
    fresh = BackgroundIRFModel(spectral_model=spectrum, dataset_name=name)
    revision.add(components[0].name, fresh)
    edits.append(Edit("new", fresh.name, described(fresh), {"dataset": name, **values_of(fresh)}))
    return edits


def dissolve(revision: Revision, components: Sequence[BackgroundIRFModel], name: str, *, keep: bool) -> list[Edit]:
    """The given components become the fixed background of the dataset ``name``, which has no component then."""
    return _remove(revision, components, name, keep=keep, fixed="fixed ")


def _remove(
    revision: Revision, components: Sequence[BackgroundIRFModel], name: str, *, keep: bool, fixed: str = ""
) -> list[Edit]:
    edits = []
    for component in components:
        text = f"baked into the {fixed}background of {name} ({described(component)})"
        priors = [p.name for p in component.parameters if p.prior is not None]
        if keep:
            text += "; stays for its own dataset"
        else:
            text += f"; {dropped_priors(priors)}" if priors else ""
            revision.drop(component.name, f"baked into the background of {name}")
        data = {"dataset": name, "fixed": bool(fixed), **values_of(component)}
        edits.append(Edit("baked", component.name, text, data | ({"dropped_priors": priors} if not keep else {})))
    return edits


def dropped_priors(names: Sequence[str]) -> str:
    """What an edit says of priors that go with their parameters."""
    return f"prior{'s' if len(names) > 1 else ''} of {', '.join(names)} dropped"


def neutral(components: Sequence[Corrected], name: str, n_bins: int) -> SpectralModel:
    """The first spectrum at neutral values; a parameter is frozen when it is in all of them.

    A single energy bin says nothing about a slope: all but the norms are frozen there. Raises `Refused` when the
    components, which ``name`` is made of, are of different types.
    """
    first = components[0]
    for other in components[1:]:
        if _type(other.spectral_model) != _type(first.spectral_model):
            raise Refused(
                f"the backgrounds of {name} have different spectral types: "
                f"{first.name} {_tag(first.spectral_model)}, {other.name} {_tag(other.spectral_model)}",
                "give them one type, or operate on the datasets separately",
            )
    frozen = np.all([[p.frozen for p in c.spectral_model.parameters] for c in components], axis=0)
    spectrum = first.spectral_model
    parameters = []
    for parameter, default, is_frozen in zip(spectrum.parameters, spectrum.defaults, frozen, strict=True):
        value = NEUTRAL.get(parameter.name, 1.0 if parameter.name.startswith("norm_") else parameter.value)
        value = parameter.value if _is_idle(parameter, first) else value
        # no error, no prior, and the limits that the type has by itself: those of the old one were for other counts
        fixed = bool(is_frozen) or (n_bins == 1 and not parameter.name.startswith("norm"))
        parameters.append(replace(default, value=value, unit=parameter.unit, frozen=fixed))
    return spectrum.with_parameters(parameters)


def _type(model: SpectralModel) -> Any:
    """What two spectra of one type have in common: class, names, and the nodes where there are some."""
    return type(model), tuple(p.name for p in model.parameters), repr(sorted(model.settings.items(), key=str))


def _tag(model: SpectralModel) -> str:
    return model.tags[-1]


def described(component: Corrected) -> str:
    """The spectral type and the values, for people: ``pl-norm, norm 1, tilt 0``."""
    names = [p.name for p in component.parameters if p.name != "reference"]
    values = {p.name: p.value for p in component.parameters}
    ordered = sorted(names, key=lambda name: not name.startswith("norm"))
    return ", ".join([_tag(component.spectral_model), *(f"{name} {values[name]:.6g}" for name in ordered)])


def values_of(component: Corrected) -> dict[str, Any]:
    """The same as data."""
    spectrum = component.spectral_model
    return {"type": _tag(spectrum), "parameters": {p.name: p.value for p in spectrum.parameters}}
