"""Files of a new analysis: nothing is overwritten, and editors find the schemas beside the documents."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from gm.config_schemas.schema_files import schema_text
from gm.errors import DataError
from gm.io.files import kind_of, write_atomic

MAKEFILE = """GM ?= gm

results/fit/fit.yaml: config.yaml
\t$(GM) run config.yaml

-include deps.mk    # written by: gm deps config.yaml > deps.mk
"""
_SCHEMA = re.compile(rb"^# yaml-language-server: \$schema=gm-([a-z-]+)\.schema\.json")


def language_server_line(kind: str) -> str:
    """The first line of a document, by which an editor knows its schema."""
    return f"# yaml-language-server: $schema=gm-{kind}.schema.json\n"


def write_new(contents: Mapping[Path, bytes], target: str | Path) -> list[Path]:
    """Write files into a folder, which is made when needed, with a Makefile and the schemas that they name.

    Returns the files written. Raises `DataError` when a file is in the way: nothing is overwritten.
    """
    folder = Path(target)
    contents = {Path("Makefile"): MAKEFILE.encode(), **contents}
    kinds = {found[1].decode() for text in contents.values() if (found := _SCHEMA.match(text))}
    contents |= {Path(f"gm-{kind}.schema.json"): schema_text(kind).encode() for kind in sorted(kinds)}
    if os.path.lexists(folder) and not folder.is_dir():
        raise DataError(f"{folder}: is {kind_of(folder)}, expected a folder to write into")
    existing = [folder / file for file in contents if (folder / file).exists()]
    if existing:
        raise DataError(f"{existing[0]}: exists already; nothing was written\n    choose another folder, or remove it")
    for file, content in contents.items():
        write_atomic(folder / file, content)
    return [folder / file for file in contents]
