"""Strict YAML to plain data, with the place of every key and value.

Scalars follow the YAML 1.2 core schema: ``3e-11`` is a number; ``on``, ``+22:00:52`` and ``2008-11-01`` are strings.
Keys are strings and unique; tags, merge keys and object construction do not exist; depth, size and alias expansion
have bounds.
The events of PyYAML's parser are built into data with an explicit stack, so nesting cannot exhaust the interpreter's.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import yaml

from gm.config_schemas.scalars import ScalarError, control_character, describe, kind_of, plain_scalar
from gm.config_schemas.source import read_text
from gm.config_schemas.syntax import syntax_problem
from gm.errors import InvalidInput, JsonPath, Problem, format_path

MAX_DEPTH = 100
MAX_NODES = 2_000_000
MAX_ALIAS_NODES = 100_000


@dataclass(slots=True)
class Place:
    """Where a value starts (line and column count from 1), with the places of its keys and of the values inside it.

    source : what the value and all inside it were read from, where that is not the source of the document around it
    written : the item's position in its list as it was read, where one item has become many
    """

    line: int
    column: int
    keys: dict[str | int, tuple[int, int]] = field(default_factory=dict)
    inside: dict[str | int, Place] = field(default_factory=dict)
    source: str | None = None
    written: int | None = None


_NOWHERE = Place(1, 1)


@dataclass(frozen=True, eq=False)
class Document:
    """Plain data read from a YAML text, which knows the place of everything in it.

    ``data`` holds dicts, lists, strings, numbers, booleans and None; ``source`` is the file's name as people see it;
    paths inside the document are relative to ``directory``; ``prefix`` is where an inline document sits in its file.
    """

    data: Any
    source: str
    directory: Path
    root: Place = field(default_factory=lambda: Place(1, 1), repr=False)
    prefix: JsonPath = ()

    def place(self, path: JsonPath, *, key: bool = False) -> tuple[int, int]:
        """Line and column of the value at ``path`` (of its key with ``key``), else of its nearest existing ancestor."""
        return self._origin(path, key=key)[1:]

    def _origin(self, path: JsonPath, *, key: bool) -> tuple[str, int, int]:
        """Source, line and column, as in `place`."""
        here, source = self.root, self.root.source or self.source
        for depth, step in enumerate(path):
            inner = here.inside.get(step)
            own = inner.source if inner is not None else None
            if key and own is None and depth == len(path) - 1 and step in here.keys:
                return source, *here.keys[step]
            if inner is None:
                break
            here, source = inner, own or source
        return source, here.line, here.column

    def problem(self, path: JsonPath, message: str, hint: str = "", *, key: bool = False) -> Problem:
        """A `Problem` at ``path``, as it was written."""
        return Problem(*self._origin(path, key=key), format_path(self.prefix + self._written(path)), message, hint)

    def _written(self, path: JsonPath) -> JsonPath:
        """The path with positions in lists as the text has them."""
        steps, here = list[str | int](), self.root
        for step in path:
            here = here.inside.get(step, _NOWHERE)
            steps.append(step if here.written is None else here.written)
        return tuple(steps)

    def child(self, path: JsonPath) -> Document:
        """The part of the document at ``path``, as a document of its own that reports places in this file."""
        data, root = self.data, self.root
        for step in path:
            data = data[step]
            root = root.inside.get(step, root)
        return replace(self, data=data, source=self._origin(path, key=False)[0], root=root, prefix=self.prefix + path)


def read_document(
    path: str | Path,
    text: str | None = None,
    source: str | None = None,
    directory: Path | None = None,
    *,
    repeated: Collection[str] = ("metadata",),
) -> Document:
    """Read one YAML document from a file, from stdin (``-``), or from ``text``.

    ``repeated`` names top-level keys that may occur more than once (the last one wins): Gammapy repeats `metadata`.
    Raises `InvalidInput` with every duplicate key, tag and unreadable scalar at once; `DataError` for what is no text.
    """
    name = "<stdin>" if str(path) == "-" and text is None else str(path)
    source = source or name
    if text is None:
        text = read_text(path, source)
    if directory is None:
        directory = Path(".") if name == "<stdin>" else Path(path).parent
    builder = _Builder(source, frozenset(repeated))
    with _without_collections():
        try:
            for event in _events(text):
                builder.feed(event)
        except yaml.YAMLError as error:
            builder.problems.append(syntax_problem(error, source, text))
        except _Stop:
            pass
    if not builder.problems and builder.root is None:
        builder.report(1, 1, (), "the document is empty", "")
    if builder.problems or builder.root is None:
        raise InvalidInput(builder.problems)
    return Document(builder.data, source, directory, builder.root)


@contextmanager
def _without_collections() -> Iterator[None]:
    """Data refer to nothing around them: the collector of cycles would only go through all of them again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _Stop(Exception):
    """Reading on makes no sense: a bound is exceeded, or a second document starts."""


@dataclass(slots=True)
class _Node:
    """A finished value: its data, its place, how many nodes it holds, how deep it is, whether it has no quotes."""

    data: Any
    place: Place
    size: int = 1
    height: int = 0
    is_plain: bool = False


@dataclass(slots=True)
class _Open:
    """A mapping or list still being read. ``key`` is the one whose value comes next (None: a key comes next)."""

    node: _Node
    anchor: str | None
    is_mapping: bool
    key: str | int | None = None
    is_dropped: bool = False  # the value of ``key`` belongs to a key that was refused


class _Builder:
    """Data and places from parser events."""

    def __init__(self, source: str, repeated: frozenset[str]) -> None:
        self.source = source
        self.repeated = repeated
        self.problems: list[Problem] = []
        self.data: Any = None
        self.root: Place | None = None
        self._stack: list[_Open] = []
        self._anchors: dict[str, _Node | None] = {}
        self._n_nodes = 0
        self._n_alias_nodes = 0

    def report(self, line: int, column: int, path: JsonPath, message: str, hint: str) -> None:
        self.problems.append(Problem(self.source, line, column, format_path(path), message, hint))

    def feed(self, event: yaml.Event) -> None:
        """Take the next event. Raises `_Stop` when a bound is exceeded."""
        match event:
            case yaml.ScalarEvent():
                place = _place(event)
                self._check_tag(event, place)
                self._finish(_Node(self._scalar(event, place), place, is_plain=not event.style), event.anchor)
            case yaml.MappingStartEvent():
                self._open(event, _Open(_Node({}, _place(event)), event.anchor, True, None))
            case yaml.SequenceStartEvent():
                self._open(event, _Open(_Node([], _place(event)), event.anchor, False, 0))
            case yaml.CollectionEndEvent():
                closed = self._stack.pop()
                self._finish(closed.node, closed.anchor)
            case yaml.AliasEvent():
                self._finish(self._alias(event), None)
            case yaml.DocumentStartEvent() if self.root is not None:
                self._stop(_place(event), "a second document starts here", "a file holds one document")

    def _open(self, event: Any, opened: _Open) -> None:
        self._check_tag(event, opened.node.place)
        if len(self._stack) >= MAX_DEPTH:
            self._stop_at_depth(opened.node.place)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._stack.append(opened)

    def _path(self) -> JsonPath:
        return tuple(parent.key for parent in self._stack if parent.key is not None)

    def _stop(self, place: Place, message: str, hint: str = "") -> NoReturn:
        self.report(place.line, place.column, self._path(), message, hint)
        raise _Stop

    def _stop_at_depth(self, place: Place) -> NoReturn:
        self._stack.clear()  # a path of a hundred keys helps nobody
        self._stop(place, f"nested deeper than {MAX_DEPTH} levels")

    def _check_tag(self, event: Any, place: Place) -> None:
        if event.tag is not None:
            hint = "values are plain YAML: remove the tag"
            self.report(place.line, place.column, self._path(), f"tags such as '{event.tag}' are not allowed", hint)

    def _scalar(self, event: yaml.ScalarEvent, place: Place) -> Any:
        control = control_character(event.value)
        if control is not None:
            hint = "names, paths and texts are made of characters that can be seen"
            self.report(place.line, place.column, self._path(), f"holds the control character {control}", hint)
        if event.style:
            return event.value
        try:
            return plain_scalar(event.value)
        except ScalarError as error:
            self.report(place.line, place.column, self._path(), str(error), "")
            return event.value

    def _alias(self, event: Any) -> _Node:
        """The value an alias stands for, as an independent copy."""
        place = _place(event)
        if event.anchor not in self._anchors:
            self._stop(place, f"alias '*{event.anchor}' has no anchor '&{event.anchor}' before it")
        node = self._anchors[event.anchor]
        if node is None:
            self._stop(place, f"alias '*{event.anchor}' refers to a value that contains it")
        self._n_alias_nodes += node.size
        if self._n_alias_nodes > MAX_ALIAS_NODES:
            self._stop(place, f"the aliases expand to more than {MAX_ALIAS_NODES} values", "write the values out")
        if len(self._stack) + node.height > MAX_DEPTH:
            self._stop_at_depth(place)
        inside = Place(place.line, place.column, node.place.keys, node.place.inside)
        return _Node(_copied(node.data), inside, node.size, node.height)

    def _finish(self, node: _Node, anchor: str | None) -> None:
        """Put a finished value where it belongs: under its key, in its list, as a key, or as the whole document."""
        self._n_nodes += 1
        if self._n_nodes > MAX_NODES:
            self._stop(node.place, f"more than {MAX_NODES} values")
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._stack:
            self.data, self.root = node.data, node.place
            return
        parent = self._stack[-1]
        parent.node.size += node.size
        parent.node.height = max(parent.node.height, node.height + 1)
        if not parent.is_mapping:
            assert isinstance(parent.key, int)
            parent.node.data.append(node.data)
            parent.node.place.inside[parent.key] = node.place
            parent.key += 1
        elif parent.key is None:
            self._take_key(parent, node)
        else:
            if not parent.is_dropped:
                parent.node.data[parent.key] = node.data
                parent.node.place.inside[parent.key] = node.place
            parent.key = None

    def _take_key(self, parent: _Open, node: _Node) -> None:
        line, column, key = node.place.line, node.place.column, node.data
        parent.is_dropped = True
        if not isinstance(key, str):
            self._refuse_key(node)
            parent.key = str(key)
        elif key == "<<" and node.is_plain:
            hint = "write the keys out; an alias (*name) can stand for a whole value"
            self.report(line, column, (*self._path(), key), "merge keys ('<<') are not YAML 1.2", hint)
            parent.key = key
        elif key in parent.node.data and not (len(self._stack) == 1 and key in self.repeated):
            first = parent.node.place.keys[key][0]
            message = f"key '{key}' is given twice (first on line {first})"
            self.report(line, column, (*self._path(), key), message, "keep one of them")
            parent.key = key
        else:
            parent.key, parent.is_dropped = key, False
            parent.node.place.keys[key] = (line, column)

    def _refuse_key(self, node: _Node) -> None:
        if kind_of(node.data) in ("object", "array"):
            hint = "a value that starts with '{' or '[' must be in quotes to be a string"
        else:
            hint = f"write '{node.data}' in quotes" if node.data is not None else "a key is missing before ':'"
        message = f"a key must be a string, found {describe(node.data)}"
        self.report(node.place.line, node.place.column, self._path(), message, hint)


def _events(text: str) -> Iterator[Any]:
    """The parser's events, from libyaml where PyYAML has it."""
    loader: Callable[..., Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    yield from yaml.parse(text, Loader=loader)  # type: ignore[arg-type]  # the stubs know one of the two loader classes


def _place(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


def _copied(data: Any) -> Any:
    match data:
        case dict():
            return {key: _copied(value) for key, value in data.items()}
        case list():
            return [_copied(value) for value in data]
    return data
