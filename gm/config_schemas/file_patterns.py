"""Entries of a datasets.yaml that stand for many files: ``filename: "pha_obs*.fits"``, ``name: "{stem}"``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from glob import glob, has_magic
from pathlib import Path
from typing import Any

from gm.config_schemas.reader import Document, Place
from gm.errors import Problem

STEM = "{stem}"
_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([^}]*)\})")
_ENDINGS = re.compile(r"(\.(fits?|pha|ecsv))?(\.gz)?$")
_COMPANION = re.compile(r"_(arf|rmf|bkg)$")  # of an OGIP spectrum, beside the file of its counts


def expand_entries(document: Document) -> tuple[Document, list[Problem]]:
    """The document with one entry for each file that a pattern means, sorted by path; and what is wrong with patterns.

    ``{stem}`` in a name stands for the file's name without its endings. Files of OGIP spectra that go with the counts
    (``X_arf``, ``X_rmf``, ``X_bkg`` where ``X`` is there) are no datasets of their own. Every entry keeps the place and
    the path of the pattern; one whose pattern is wrong is left out.
    """
    listed = document.data.get("datasets") if isinstance(document.data, dict) else None
    if not isinstance(listed, list) or not any(_is_pattern(entry) for entry in listed):
        return document, []
    problems: list[Problem] = []
    places = document.root.inside.get("datasets", document.root)
    entries, inside = list[Any](), dict[str | int, Place]()
    for index, entry in enumerate(listed):
        place = replace(places.inside.get(index, places), written=index)
        for expanded in _expanded(document, index, entry, problems):
            inside[len(entries)] = place
            entries.append(expanded)
    root = replace(document.root, inside={**document.root.inside, "datasets": replace(places, inside=inside)})
    return replace(document, data={**document.data, "datasets": entries}, root=root), problems


def _is_pattern(entry: Any) -> bool:
    """Whether an entry has a pattern for a file name, or a name that says the file's."""
    if not isinstance(entry, dict):
        return False
    filename, name = entry.get("filename"), entry.get("name")
    return isinstance(filename, str) and (has_magic(filename) or (isinstance(name, str) and STEM in name))


def _expanded(document: Document, index: int, entry: Any, problems: list[Problem]) -> Iterator[Any]:
    if not _is_pattern(entry):
        yield entry
        return
    filename, name = entry["filename"], entry.get("name")
    files = _matches(document.directory, filename)
    if not files:
        message = f"no file matches '{filename}'"
        meant = os.path.expanduser(os.path.expandvars(filename))
        stands = "paths are relative to this file" if meant == filename else f"it stands for {meant}"
        hint = why_missing(filename) or stands
        problems.append(document.problem(("datasets", index, "filename"), message, hint))
    elif len(files) > 1 and isinstance(name, str) and STEM not in name:
        message = f"{len(files)} files match '{filename}', and one name is given"
        hint = f'name: "{STEM}" names each by its file'
        problems.append(document.problem(("datasets", index, "name"), message, hint))
    else:
        for file in files:
            own = name.replace(STEM, _stem(file)) if isinstance(name, str) else name
            yield {**entry, "name": own, "filename": file}


def unset_variables(text: str) -> list[str]:
    """Names of the variables in a path, ``$VAR`` or ``${VAR}``, that are not set or empty."""
    names = (match[1] or match[2] for match in _VARIABLE.finditer(text))
    return [name for name in names if not os.environ.get(name)]


def why_missing(filename: str) -> str:
    """What a person may have forgotten, where a file of that name in a document is not there."""
    unset = unset_variables(filename)
    return f"the variable {unset[0]} is not set: export {unset[0]}=..." if unset else ""


def _matches(directory: Path, filename: str) -> list[str]:
    """The files of a pattern, as a document in that directory names them; a file of exactly that name is itself."""
    pattern = os.path.expanduser(os.path.expandvars(filename))
    if (directory / pattern).exists():
        return [filename]
    files = {file: _without_endings(file) for file in sorted(glob(pattern, root_dir=directory, recursive=True))}
    stems = set(files.values())
    return [file for file, stem in files.items() if not (_COMPANION.search(stem) and _COMPANION.sub("", stem) in stems)]


def _without_endings(file: str) -> str:
    return _ENDINGS.sub("", file)


def _stem(file: str) -> str:
    return os.path.basename(_without_endings(file))
