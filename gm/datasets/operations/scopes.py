"""Sky components under an operation: which datasets they apply to afterwards."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from gm.datasets.operations.outcome import Edit, Refused
from gm.datasets.operations.revision import Revision
from gm.models import Component, Models, Role

OnOrphan = Literal["drop", "keep"]


def rescope(revision: Revision, models: Models, renamed: Mapping[str, str], *, keep: bool) -> list[Edit]:
    """Sources and instruments with a list of datasets follow ``renamed`` (input -> result); with ``keep`` the inputs
    stay listed."""
    followed = [component for component in models if component.role in (Role.SOURCE, Role.INSTRUMENT)]
    return rescoped(revision, followed, renamed, keep=keep)


def rescoped(
    revision: Revision, components: Iterable[Component], renamed: Mapping[str, str], *, keep: bool
) -> list[Edit]:
    """The same for some components."""
    edits = []
    for component in components:
        if component.datasets_names is None:
            continue
        names: list[str] = []
        for name in component.datasets_names:
            names += [name] if keep or name not in renamed else []
            names += [renamed[name]] if name in renamed else []
        names = list(dict.fromkeys(names))
        _check_scale(component, [name for name in component.datasets_names if name in renamed])
        if any(name in renamed for name in component.datasets_names):
            edits.append(set_scope(revision, component, names))
    return edits


def _check_scale(component: Component, inputs: Sequence[str]) -> None:
    """Raises `Refused` where the energies of datasets have a scale: other bins know their energies otherwise."""
    scale = next((p.value for p in component.parameters if p.name == "energy_scale"), 1.0)
    if component.role is Role.INSTRUMENT and inputs and scale != 1.0:
        raise Refused(
            f"{component.name}.energy_scale is {scale:g}, which is only kept to the precision of bins of energy by "
            f"what changes {_listed(inputs)}",
            "set it to 1, and fit it after the operation",
        )


def set_scope(revision: Revision, component: Component, names: Sequence[str]) -> Edit:
    """The component applies to these datasets from now on."""
    current = revision.current(component.name)
    if component.role is Role.COUNTS and len(names) != 1:
        raise Refused(
            f"{component.name} is a template of counts: it is for one dataset or for all, not for {_listed(names)}",
            "give each dataset a template of its own, by datasets_names",
        )
    revision.replace(component.name, replace(current, datasets_names=tuple(names)))
    before = None if component.datasets_names is None else list(component.datasets_names)
    text = f"datasets_names {_listed(before)} -> {_listed(names)}"
    return Edit("rescoped", component.name, text, {"before": before, "after": list(names)})


def scope_of(revision: Revision, name: str) -> tuple[str, ...] | None:
    """The datasets that a component applies to by now; None for all."""
    names = revision.current(name).datasets_names
    return None if names is None else tuple(names)


def copy_scoped(revision: Revision, models: Models, original: str, name: str) -> list[Edit]:
    """For a copy of a dataset: components of the original alone are copied, shared ones apply to the copy too."""
    edits = []
    for component in models:
        if component.role is Role.BACKGROUND or component.datasets_names is None:
            continue
        if tuple(component.datasets_names) == (original,):
            twin = replace(component, name=f"{component.name}-{name}", datasets_names=(name,))
            revision.copy(component.name, twin)
            text = f"copied to {twin.name} with its own parameters, for {name} alone"
            edits.append(Edit("copied", component.name, text, {"to": twin.name, "dataset": name}))
        elif component.role in (Role.SOURCE, Role.INSTRUMENT) and original in component.datasets_names:
            edits.append(set_scope(revision, component, [*(scope_of(revision, component.name) or ()), name]))
    return edits


def check_whole(models: Models, inputs: Sequence[str], name: str) -> None:
    """Refuse a stack in which a component of some inputs would apply to the whole."""
    for component in (*models.sources(), *models.instruments()):
        if component.datasets_names is None:
            continue
        missing = [n for n in inputs if n not in component.datasets_names]
        if missing and len(missing) < len(inputs):
            raise Refused(
                f"{component.name} applies to some of the inputs and would apply to the whole of {name}; "
                f"not to {_listed(missing)}",
                "allow_partial: true accepts that; or add the datasets to its datasets_names, or leave them out",
            )


def _listed(names: Collection[str] | None) -> str:
    if names is None:
        return "all"
    shown = list(names)
    return f"[{', '.join(shown[:4])}{f', ... ({len(shown)})' if len(shown) > 4 else ''}]"
