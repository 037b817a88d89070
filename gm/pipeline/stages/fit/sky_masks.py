"""The ``fit.mask`` section: which pixels of which maps are fitted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gm.errors import DataError, JsonPath
from gm.pipeline.analysis.paths import expand
from gm.pipeline.analysis.sections import Section, patterns

if TYPE_CHECKING:
    from gm.maps.sky_region import SkyRegion


@dataclass(frozen=True)
class SkyMask:
    """One entry: pixels of some datasets inside ``include``, outside ``exclude``, where the image ``file`` is not 0."""

    datasets: tuple[str, ...]
    include: SkyRegion | None = None
    exclude: SkyRegion | None = None
    file: Path | None = None


def read_sky_masks(entries: Any, section: Section) -> tuple[SkyMask, ...]:
    """The entries of the list; what the schema cannot see goes to the ``section``."""
    found = []
    for index, entry in enumerate(entries):
        if entry is None:
            continue
        path: JsonPath = ("mask", index)
        regions = {key: _region(entry[key], (*path, key), section) for key in ("include", "exclude") if key in entry}
        file = None
        if "filename" in entry:
            file = section.directory / expand(entry["filename"])
            if not file.is_file():
                section.add((*path, "filename"), f"no such file: {file}")
        if not entry.keys() & {"include", "exclude", "filename"}:
            section.add(path, "says nothing about the sky", "give include, exclude or filename")
        found.append(SkyMask(patterns(entry.get("datasets", "*")), **regions, file=file))
    return tuple(found)


def _region(data: Mapping[str, Any], path: JsonPath, section: Section) -> SkyRegion | None:
    from gm.maps.sky_region import SkyRegion

    try:
        return SkyRegion.from_mapping({**data, **_expanded(data)}, section.directory)
    except DataError as error:
        message, _, hint = str(error).partition("\n")
        section.add(path, message, hint.strip())
        return None


def _expanded(data: Mapping[str, Any]) -> dict[str, str]:
    return {"filename": expand(data["filename"])} if "filename" in data else {}


def mask_files(entries: Iterable[Mapping[str, Any]], directory: Path) -> Iterator[Path]:
    """The files that the entries name: images, and files of regions."""
    for entry in entries:
        for part in (entry, entry.get("include"), entry.get("exclude")):
            if part is not None and "filename" in part:
                yield directory / expand(part["filename"])
