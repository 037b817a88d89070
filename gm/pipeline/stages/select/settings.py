"""The entries of ``select:`` as frozen settings, and what no schema can see in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from gm.pipeline.analysis.sections import Known, Section

if TYPE_CHECKING:
    from gm.errors import JsonPath
    from gm.estimators.selection import Alternative
    from gm.estimators.selection_result import Criterion
    from gm.models.spectral.base import SpectralModel


@dataclass(frozen=True)
class SelectSettings:
    """One entry of ``select:``."""

    component: str
    name: str
    alternatives: tuple[Alternative, ...]
    criterion: Criterion
    sigma: float


def read_select(section: Section) -> tuple[SelectSettings, ...]:
    """The settings of all entries; what the schema cannot see goes to the section."""
    return tuple(
        SelectSettings(
            component=entry["component"],
            name=_name(entry),
            alternatives=_alternatives(entry["spectral"], (index, "spectral"), section),
            criterion=entry["criterion"],
            sigma=float(entry["sigma"]),
        )
        for index, entry in section.entries()
    )


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry["name"] or f"{entry['component']}-spectrum")


def _alternatives(items: Any, path: JsonPath, section: Section) -> tuple[Alternative, ...]:
    """The alternatives that can be read, with names of their own."""
    from gm.estimators.selection import Alternative

    found: dict[str, Alternative] = {}
    for k, item in enumerate(items or ()):
        if item is None:
            continue
        data: dict[str, Any] = dict(item) if isinstance(item, dict) else {"type": item}
        name = data.pop("name", None)
        model = _spectrum(data, isinstance(item, str), (*path, k), section)
        if model is None:
            continue
        name = name or (item if isinstance(item, str) else model.tags[-1])
        if name in found:
            hint = "give one of them another: {name: ..., type: ...}"
            section.add((*path, k), f"two alternatives are called '{name}'", hint)
            continue
        found[name] = Alternative(name, model, has_values=bool(data.get("parameters")))
    return tuple(found.values())


def _spectrum(data: dict[str, Any], is_tag: bool, path: JsonPath, section: Section) -> SpectralModel | None:
    """The spectrum of a document, or of a tag alone."""
    from gm.models.documents.block_reading import BlockReader

    def report(where: JsonPath, message: str, hint: str) -> None:
        section.add(path if is_tag else where, message, hint)

    reader = BlockReader(report, section.directory, [])
    return cast("SpectralModel | None", reader.read_block("spectral", data, path, "spectral"))


def check_select(section: Section, known: Known) -> None:
    """Every component is there, no two entries have one name, and each spectrum is a flux or a factor as before."""
    section.check_names({index: _name(entry) for index, entry in section.entries()}, ("component",))
    for index, entry in section.entries():
        name = entry["component"]
        known.check_source(section, (index, "component"), name)
        component = known.models[name] if known.models is not None and name in known.models else None
        if component is None:
            continue
        for k, item in enumerate(entry["spectral"] or ()):
            data = dict(item) if isinstance(item, dict) else {"type": item}
            _check_kind(section, (index, "spectral", k), data.get("type"), component.spectral_model)


def _check_kind(section: Section, path: JsonPath, tag: object, own: SpectralModel) -> None:
    from gm.models.registry import find_model

    model = cast("type[SpectralModel] | None", find_model("spectral", tag))
    if model is not None and model.is_norm != own.is_norm:
        words = {True: "a factor", False: "a flux"}
        message = (
            f"{model.tags[0]} is {words[model.is_norm]}, and the spectrum of the component is {words[own.is_norm]}"
        )
        section.add(path, message)
