"""The sections of a config that stages own: what a stage declares of its section, and what it is given to read it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from gm.errors import JsonPath, suggest
from gm.patterns import matching
from gm.pipeline.analysis.findings import Findings

if TYPE_CHECKING:
    from gm.config_schemas.reader import Document
    from gm.models import Models

S = TypeVar("S")

Names = Sequence[str] | None
"""Names of datasets; None where they are not known before something has run, or where a problem hides them."""


class Phase(IntEnum):
    """When a stage runs: it starts from what those of all earlier phases that the config declares have made."""

    REDUCTION = 0
    SIMULATION = 1
    OPERATIONS = 2
    FIT = 3
    MEASUREMENT = 4
    REPORT = 5


@dataclass(frozen=True, eq=False)
class Section:
    """One section of a config while it is read and checked.

    data : as written, without what departs from the schema: such keys are left out, such items of lists are None
    resolved : the same with every default
    is_whole : whether nothing was left out
    """

    name: str
    data: Any
    resolved: Any
    is_whole: bool
    config: Document
    findings: Findings

    @property
    def directory(self) -> Path:
        """Where its relative paths start."""
        return self.config.directory

    def add(self, path: JsonPath, message: str, hint: str = "", *, key: bool = False) -> None:
        """Note a problem at a path below the section."""
        self.findings.add(self.config, (self.name, *path), message, hint, key=key)

    def entries(self) -> list[tuple[int, Mapping[str, Any]]]:
        """The entries of a list, with their defaults and positions."""
        return [(index, entry) for index, entry in enumerate(self.resolved or ()) if entry is not None]


@dataclass(frozen=True)
class Known:
    """What is known when a section is checked; None where it is not known yet, or where a problem hides it.

    ``sky``: the names of the components that are sources; ``others``: of those that are not.
    """

    datasets: Names = None
    sky: Names = None
    others: Names = None
    models: Models | None = None

    def check_datasets(self, section: Section, path: JsonPath, value: Any) -> None:
        """Every pattern of a selection matches a dataset."""
        for place, pattern in texts(value, path) if self.datasets is not None else ():
            if not matching(self.datasets or (), pattern):
                hint = suggest(pattern, self.datasets or (), "datasets")
                section.add(place, f"no dataset matches '{pattern}'", hint)

    def check_source(self, section: Section, path: JsonPath, name: str) -> None:
        """A component of that name is on the sky."""
        if self.sky is None or self.others is None:
            return
        if name in self.others:
            section.add(path, f"'{name}' is not a sky component", suggest(name, self.sky, "sky components"))
        elif name not in self.sky:
            section.add(path, f"no component is called '{name}'", suggest(name, self.sky, "components"))


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

    def files(self, section: Section) -> Iterable[Path]:
        """The files that the section names."""
        return ()


def texts(value: Any, path: JsonPath) -> Iterator[tuple[JsonPath, str]]:
    """A text, or the texts of a list, with their places; none for None."""
    if isinstance(value, str):
        yield path, value
        return
    for index, text in enumerate(value or ()):
        if text is not None:
            yield (*path, index), text


def patterns(value: Any) -> tuple[str, ...]:
    """One pattern or a list of them, as a tuple."""
    return tuple(text for _, text in texts(value, ()))


def filled(data: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """``data``, which agree with the schema, over ``defaults``; mappings with a default mapping are filled in turn."""
    result = deepcopy({**defaults, **data})
    for key, default in defaults.items():
        if default and isinstance(default, dict):
            result[key] = filled(data.get(key) or {}, default)
    return result
