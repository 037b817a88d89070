"""What a stage declares of its section of the config.

Light, since the command line looks at what all stages declare before it knows what it is asked for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from copy import deepcopy
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

if TYPE_CHECKING:
    from gm.pipeline.analysis.sections import Known, Names, Section

S = TypeVar("S")


class Phase(IntEnum):
    """When a stage runs: it starts from what those of all earlier phases that the config declares have made."""

    REDUCTION = 0
    SIMULATION = 1
    OPERATIONS = 2
    FIT = 3
    MEASUREMENT = 4
    REPORT = 5


class Declaration(ABC, Generic[S]):
    """What a stage declares of its section: defaults, how it becomes settings, what no schema can see in it."""

    name: ClassVar[str]
    """How plan, record and results call the stage."""
    section: ClassVar[str]
    """The key in the config."""
    phase: ClassVar[Phase]
    is_list: ClassVar[bool] = False
    """Whether the section is a list of entries."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """Of the section, or of each entry."""
    is_always_shown: ClassVar[bool] = False
    """Whether a resolved config has the section even where nobody has written it."""
    shapes_later: ClassVar[bool] = False
    """Whether its section says how all later stages see the datasets."""
    makes_datasets: ClassVar[bool] = False
    """Whether the stages after it start from the datasets that it has written."""
    edits_models: ClassVar[bool] = False
    """Whether the global model is another one afterwards: what later sections ask of it is checked once it is there."""
    renames_datasets: ClassVar[bool] = False
    """Whether the models of the config speak of the datasets as they are called before the stage."""

    def resolve(self, data: Any) -> Any:
        """The section with its defaults written out."""
        if self.is_list:
            return [None if entry is None else filled(entry, self.defaults) for entry in data or ()]
        return filled(data or {}, self.defaults)

    @abstractmethod
    def read(self, section: Section) -> S:
        """The section as frozen settings; what is wrong with it goes to the section."""

    def check(self, section: Section, known: Known) -> None:
        """Whether names and patterns in the section mean something; problems go to the section."""

    def has_own_datasets(self, section: Section) -> bool:
        """Whether the stage makes datasets without any in the config."""
        return False

    def dataset_names(self, section: Section, settings: S, names: Names) -> Names:
        """The names of the datasets after the stage; ``names``: before it."""
        return names

    def parameters_to_come(self, section: Section, settings: S) -> tuple[str, ...]:
        """Patterns of the parameters that the stage will add to the global model: edits of the config may name them."""
        return ()

    def files(self, section: Section) -> Iterable[Path]:
        """The files that the section names."""
        return ()

    def read_files(self, section: Section) -> Iterable[Path]:
        """Those of them that are read, or may be, to make settings of the section."""
        return self.files(section)


def filled(data: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """``data``, which agree with the schema, over ``defaults``; mappings with a default mapping are filled in turn."""
    result = deepcopy({**defaults, **data})
    for key, default in defaults.items():
        if default and isinstance(default, dict):
            result[key] = filled(data.get(key) or {}, default)
    return result
