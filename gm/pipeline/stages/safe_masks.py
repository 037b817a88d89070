"""The makers that ``safe_mask:`` means."""

from __future__ import annotations

from gm.makers.safe_mask import SafeMaskMaker
from gm.pipeline.stages.reading import Reader, position

OFFSET_MAX = 3.0  # [deg]


def safe_mask_makers(reader: Reader) -> list[SafeMaskMaker]:
    """One maker for each condition. Notes problems."""
    makers = []
    for k, data in enumerate(reader.data.get("safe_mask") or ()):
        path = ("safe_mask", k)
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
