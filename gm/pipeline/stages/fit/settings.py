"""The ``fit:`` section as frozen settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gm.errors import JsonPath
from gm.pipeline.analysis.energies import read_range
from gm.pipeline.analysis.sections import Section, patterns
from gm.pipeline.stages.fit.sky_masks import SkyMask, read_sky_masks


@dataclass(frozen=True)
class EnergyRange:
    """Which bins of some datasets are fitted; ``min`` and ``max`` in TeV, ``None`` for no bound."""

    datasets: tuple[str, ...]
    min: float | None
    max: float | None


@dataclass(frozen=True)
class FitSettings:
    """What is fitted, and what is computed besides the best fit."""

    datasets: tuple[str, ...] = ("*",)
    energy_range: tuple[EnergyRange, ...] = ()
    mask: tuple[SkyMask, ...] = ()
    minos: tuple[str, ...] = ()
    contours: tuple[tuple[str, str], ...] = ()
    contour_levels: tuple[float, ...] | None = None
    test: tuple[str, ...] = ()


def read_fit(section: Section) -> FitSettings:
    """The settings; what the schema cannot see goes to the section."""
    data = section.resolved
    return FitSettings(
        datasets=patterns(data["datasets"]),
        energy_range=tuple(
            EnergyRange(patterns(entry.get("datasets", "*")), *read_range(entry, path, section.add))
            for path, entry in ranges(data["energy_range"])
        ),
        mask=read_sky_masks(data["mask"], section),
        minos=patterns(data["minos"]),
        contours=tuple((pair[0], pair[1]) for pair in data["contours"] if pair is not None),
        contour_levels=tuple(map(float, data["contour_levels"])) if data["contour_levels"] else None,
        test=patterns(data["test"]),
    )


def ranges(value: Any) -> Iterator[tuple[JsonPath, Mapping[str, Any]]]:
    """The entries of ``energy_range``, one mapping or a list of them, with their places."""
    if isinstance(value, dict):
        yield ("energy_range",), value
        return
    for index, entry in enumerate(value or ()):
        if entry is not None:
            yield ("energy_range", index), entry
