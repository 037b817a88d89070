"""The YAML documents of an analysis: the config, and the models and datasets that it names or holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gm.config_schemas.file_patterns import expand_entries
from gm.config_schemas.reader import Document, read_document
from gm.config_schemas.validator import check, sound_part
from gm.errors import DataError, InvalidInput, JsonPath
from gm.pipeline.analysis.findings import Findings
from gm.pipeline.analysis.kinds import check_is_config
from gm.pipeline.analysis.overrides import apply_overrides
from gm.pipeline.analysis.paths import expand
from gm.pipeline.analysis.request import Request
from gm.pipeline.analysis.sections import texts


@dataclass(frozen=True, eq=False)
class Part:
    """One models or datasets document; ``file`` is None when it is inline in the config.

    Of datasets documents, what departs from the schema is left out; of models, whoever builds them tells.
    is_whole : all that its patterns stand for is in it
    """

    document: Document
    file: Path | None
    is_whole: bool = True

    def sound(self, schema: str) -> Part:
        """The part with what of it agrees with the schema of that name."""
        return replace(self, document=replace(self.document, data=sound_part(self.document.data, schema)))


@dataclass(frozen=True, eq=False)
class Documents:
    """All documents of one analysis.

    sound : what of the config agrees with its schema
    unread : ``models`` or ``datasets``, where a file of theirs cannot be read, or a pattern matches none
    """

    config: Document
    sound: dict[str, Any]
    stem: str
    models: tuple[Part, ...]
    datasets: tuple[Part, ...]
    unread: frozenset[str]


def read_documents(
    request: Request, findings: Findings, resolve: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> Documents:
    """Read and check everything; problems go to ``findings``. ``resolve`` fills a config's data with its defaults.

    Raises `InvalidInput` or `DataError` only where the config itself cannot be read.
    """
    config = read_document(request.config)
    check_is_config(config)
    config = apply_overrides(config, request.overrides, lambda data: resolve(sound_part(data, "config")))
    problems = check(config, "config")
    findings.extend(problems)
    sound = sound_part(config.data, "config") if problems else config.data
    if not isinstance(config.data, dict):
        findings.stop_if_any()
    parts = {role: tuple(_parts(config, sound, role, findings)) for role in ("models", "datasets")}
    return Documents(
        config=config,
        sound=sound,
        stem="stdin" if request.config == "-" else Path(request.config).stem,
        models=parts["models"],
        datasets=parts["datasets"],
        unread=frozenset(
            role
            for role, read in parts.items()
            if len(read) < _n_named(config.data.get(role)) or not all(part.is_whole for part in read)
        ),
    )


def _n_named(value: object) -> int:
    """How many documents a config names."""
    return len(value) if isinstance(value, list) else int(value is not None)


def _parts(config: Document, sound: Mapping[str, Any], role: str, findings: Findings) -> Iterator[Part]:
    if isinstance(config.data.get(role), dict):
        yield part_of(config.child((role,)), None, role, findings)
        return
    for place, name in texts(sound.get(role), (role,)):
        yield from _file_part(config, role, place, name, findings)


def _file_part(config: Document, role: str, place: JsonPath, name: str, findings: Findings) -> Iterator[Part]:
    """A document in a file of its own; nothing, and a problem, when it cannot be read.

    Models are checked against their schema where they are built, together with what no schema sees.
    """
    file = config.directory / expand(name)
    try:
        document = read_document(file, repeated=("metadata",))
    except InvalidInput as error:
        findings.extend(error.problems)
        return
    except DataError as error:
        findings.add_missing(config, place, str(error))
        return
    yield part_of(document, file, role, findings)


def part_of(document: Document, file: Path | None, role: str, findings: Findings) -> Part:
    """A document of its own; one of datasets with an entry for each file, without what departs from the schema."""
    if role != "datasets":
        return Part(document, file)
    problems = check(document, role) if file is not None else []  # one in the config is checked with it
    document, unmatched = expand_entries(document)
    findings.extend([*problems, *unmatched])
    part = Part(document, file, is_whole=not unmatched)
    return part.sound(role) if problems or unmatched or file is None else part
