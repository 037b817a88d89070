"""The makers that ``safe_mask:`` means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.makers.safe_mask import SafeMaskMaker
from gm.pipeline.stages.reading import Reader, position

OFFSET_MAX = 3.0  # [deg]


def safe_mask_makers(reader: Reader) -> list[SafeMaskMaker]:
    """One maker for each condition. Notes problems."""
    makers = []
    for k, data in enumerate(reader.data.get("safe_mask") or ()):
        path = ("safe_mask", k)
        _check_place(reader, data, path)
        with reader.at(*path):
            makers.append(
                SafeMaskMaker(
                    methods=(data["type"].replace("_", "-"),),
                    aeff_percent=data.get("percent", 10.0),
                    bias_percent=data.get("percent", 10.0),
                    position=position(data, "position") if "position" in data else None,
                    fixed_offset=reader.angle(data, "fixed_offset", path) if "fixed_offset" in data else None,
                    offset_max=reader.angle(data, "offset", path, OFFSET_MAX),
                    irfs=data.get("irfs", "DL4"),
                )
            )
    return makers


def _check_place(reader: Reader, data: Mapping[str, Any], path: tuple[str | int, ...]) -> None:
    """Note a place where responses are to be taken that have one already: those of a spectrum."""
    if "geometry" in reader.data or data.get("irfs") == "DL3":
        return
    for key in ("position", "fixed_offset"):
        if key in data:
            told = f"'{key}' is for a map: the responses of a spectrum are those of its region"
            reader.note((*path, key), told, "remove it, or irfs: DL3 for those of the observation there")
