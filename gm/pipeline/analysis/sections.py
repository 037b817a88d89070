"""The sections of a config as stages are given them, to read and to check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gm.errors import JsonPath, suggest
from gm.patterns import matching
from gm.pipeline.analysis.findings import Findings

if TYPE_CHECKING:
    from gm.config_schemas.reader import Document
    from gm.models import Models


Names = Sequence[str] | None
"""Names of datasets; None where they are not known before something has run, or where a problem hides them."""


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

    def check_names(self, names: Mapping[int, str], instead: Sequence[str]) -> None:
        """The results of the entries of a list have different names, by their positions, that files can have.

        instead : keys of an entry that a name follows from where it has none of its own
        """
        owners: dict[str, int] = {}
        for index, entry in self.entries():
            name = names[index]
            place = (index, next((key for key in ("name", *instead) if entry.get(key)), "name"))
            if name in owners:
                self.add(
                    place,
                    f"entry {owners[name]} is called '{name}' already",
                    "give each entry a name of its own: name: ...",
                )
            if name != name.strip() or name.startswith(".") or any(character in name for character in "/\\\0\n"):
                self.add(place, f"'{name}' cannot be the name of a file")
            owners.setdefault(name, index)


@dataclass(frozen=True)
class Known:
    """What is known when a section is checked; None where it is not known yet, or where a problem hides it.

    ``sky``: the names of the components that are sources; ``others``: of those that are not; ``models``: as they are
    when the section runs; ``given``: before stages edit them, none of which adds a source.
    """

    datasets: Names = None
    sky: Names = None
    others: Names = None
    models: Models | None = None
    given: Models | None = None

    def check_datasets(self, section: Section, path: JsonPath, value: Any) -> None:
        """Every pattern of a selection matches a dataset."""
        for place, pattern in texts(value, path) if self.datasets is not None else ():
            if not matching(self.datasets or (), pattern):
                hint = suggest(pattern, self.datasets or (), "datasets")
                section.add(place, f"no dataset matches '{pattern}'", hint)

    def check_source(self, section: Section, path: JsonPath, name: str) -> None:
        """A component of that name is on the sky."""
        if self.sky is None:
            return
        if name in (self.others or ()):
            section.add(path, f"'{name}' is not a sky component", suggest(name, self.sky, "sky components"))
        elif name not in self.sky:
            section.add(path, f"no component is called '{name}'", suggest(name, self.sky, "components"))


def texts(value: Any, path: JsonPath) -> Iterator[tuple[JsonPath, str]]:
    """A text, or the texts of a list, with their places; none for None."""
    if isinstance(value, str):
        yield path, value
        return
    for index, text in enumerate(value or ()):
        if text is not None:
            yield (*path, index), text


def sound_items(values: Any) -> list[Any]:
    """The items of a list that agree with the schema; none for None."""
    return [value for value in values or () if value is not None]


def patterns(value: Any) -> tuple[str, ...]:
    """One pattern or a list of them, as a tuple."""
    return tuple(text for _, text in texts(value, ()))
