"""From files to a drafted analysis in a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gm.config_schemas.reader import read_document
from gm.errors import UsageError
from gm.io.yaml_writer import dump_yaml
from gm.pipeline.analysis.kinds import foreign_kind
from gm.pipeline.commands.scaffold import asgardpy_config, data_files, fermipy_config, gammapy_config
from gm.pipeline.commands.scaffold.draft import Draft
from gm.pipeline.commands.scaffold.writing import language_server_line, write_new

_CONFIGS: Mapping[str, Callable[[dict[str, Any]], Draft]] = {
    "asgardpy": asgardpy_config.draft_of,
    "fermipy": fermipy_config.draft_of,
    "Gammapy": gammapy_config.draft_of,
}


def scaffold(files: Sequence[str], target: str) -> tuple[list[Path], list[str]]:
    """Draft an analysis of files into a folder; returns the files written, and notes for who goes on with it.

    Raises `UsageError`, `InvalidInput` and `DataError`; nothing is overwritten.
    """
    draft = _draft([Path(file) for file in files], Path(target))
    name = {"name": Path(target).resolve().name or "analysis"}  # what results and reports are called
    documents: dict[str, Any] = {"config": {"version": 1, **name, **draft.config, "output": "results"}}
    if draft.models is not None:
        documents["models"] = draft.models
    if draft.datasets is not None:
        documents["datasets"] = {"datasets": draft.datasets}
    texts = {kind: language_server_line(kind) + dump_yaml(data) for kind, data in documents.items()}
    if draft.notes:
        notes = "".join(f"# - {note}\n" for note in draft.notes)
        texts["config"] = texts["config"].replace("\n", f"\n# Drafted by gm init --from. To look at:\n{notes}", 1)
    return write_new({Path(f"{kind}.yaml"): text.encode() for kind, text in texts.items()}, target), draft.notes


def _draft(files: Sequence[Path], folder: Path) -> Draft:
    for file in files:
        if file.suffix in (".yaml", ".yml"):
            data = read_document(file).data
            if kind := foreign_kind(data):
                if len(files) > 1:
                    raise UsageError(f"{file} is {kind}: give it alone")
                return next(make for name, make in _CONFIGS.items() if name in kind)(data)
    return data_files.draft_of(files, folder)
