"""The ``fit.mask`` section: which pixels of which maps are fitted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gm.errors import DataError, JsonPath

if TYPE_CHECKING:
    from gm.maps.sky_region import SkyRegion

Report = Callable[[JsonPath, str, str], None]


@dataclass(frozen=True)
class SkyMask:
    """One entry: pixels of some datasets inside ``include``, outside ``exclude``, where the image ``file`` is not 0."""

    datasets: tuple[str, ...]
    include: SkyRegion | None = None
    exclude: SkyRegion | None = None
    file: Path | None = None


def read_sky_masks(entries: Any, directory: Path, report: Report) -> tuple[SkyMask, ...]:
    """The entries of a section that agrees with the schema; what the schema cannot see goes to ``report``."""
    found = []
    for index, entry in enumerate(entries or ()):
        path: JsonPath = ("fit", "mask", index)
        names = entry.get("datasets", "*")
        regions = {key: _region(entry.get(key), (*path, key), directory, report) for key in ("include", "exclude")}
        file = None
        if "filename" in entry:
            file = directory / _expand(entry["filename"])
            if not file.is_file():
                report((*path, "filename"), f"no such file: {file}", "")
        if not entry.keys() & {*regions, "filename"}:
            report(path, "says nothing about the sky", "give include, exclude or filename")
        found.append(SkyMask((names,) if isinstance(names, str) else tuple(names), **regions, file=file))
    return tuple(found)


def _region(data: Mapping[str, Any] | None, path: JsonPath, directory: Path, report: Report) -> SkyRegion | None:
    if data is None:
        return None
    from gm.maps.sky_region import SkyRegion

    try:
        return SkyRegion.from_mapping({**data, **_expanded(data)}, directory)
    except DataError as error:
        message, _, hint = str(error).partition("\n")
        report(path, message, hint.strip())
        return None


def _expanded(data: Mapping[str, Any]) -> dict[str, str]:
    return {"filename": _expand(data["filename"])} if isinstance(data.get("filename"), str) else {}


def mask_files(entries: Any, directory: Path) -> Iterator[Path]:
    """The files that the entries name: images, and files of regions."""
    for entry in entries if isinstance(entries, list) else ():
        for part in (entry, entry.get("include"), entry.get("exclude")):
            if isinstance(part, dict) and isinstance(part.get("filename"), str):
                yield directory / _expand(part["filename"])


def _expand(path: str) -> str:
    return os.path.expanduser(os.path.expandvars(path))
