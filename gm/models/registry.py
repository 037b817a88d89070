"""The classes of models by what YAML calls them; a module is imported when one of its classes is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from gm.model_types import NOT_EVALUATED, SECTIONS, ModelType, model_types
from gm.models.parametric import CLASSES, ParametricModel


def find_model(section: str, tag: object) -> type[ParametricModel] | None:
    """The class of a type tag, or None. The section tells apart short tags that are used twice."""
    return next((_made(section, found) for found in model_types(section) if tag in found.tags), None)


def all_models(section: str) -> tuple[type[Any], ...]:
    """The classes of a section, in the order of `gm.model_types.model_types`."""
    return tuple(_made(section, found) for found in model_types(section))


def model_tags(section: str) -> list[str]:
    """All type tags of a section, names of classes first."""
    types = model_types(section)
    return [found.name for found in types] + [tag for found in types for tag in found.tags[1:]]


def not_evaluated(section: str, tag: object) -> str | None:
    """The full name of a type that this version recognises but does not evaluate, or None."""
    for name, short in NOT_EVALUATED.get(section, {}).items():
        if tag in (name, short):
            return name
    return None


def model_named(name: str) -> type[ParametricModel]:
    """The class of that name. Raises `KeyError`."""
    made = {found.name: (section, found) for section in SECTIONS for found in model_types(section)}
    return _made(*made[name])


def _made(section: str, found: ModelType) -> type[ParametricModel]:
    if (section, found.name) not in CLASSES:
        import_module(found.module)
    return CLASSES[section, found.name]
