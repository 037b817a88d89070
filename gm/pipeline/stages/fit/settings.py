"""The ``fit:`` section as frozen settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gm.errors import JsonPath
from gm.pipeline.analysis.energies import read_energy, read_range
from gm.pipeline.analysis.sections import Section, patterns, sound_items
from gm.pipeline.stages.fit.sky_masks import SkyMask, read_sky_masks


@dataclass(frozen=True)
class EnergyRange:
    """Which bins of some datasets are fitted; ``min`` and ``max`` in TeV, ``None`` for no bound."""

    datasets: tuple[str, ...]
    min: float | None
    max: float | None


@dataclass(frozen=True)
class FitSettings:
    """What is fitted, and what is computed besides the best fit.

    flux_ranges : [TeV] between which fluxes are told, None for the energies that are fitted
    """

    datasets: tuple[str, ...] = ("*",)
    energy_range: tuple[EnergyRange, ...] = ()
    mask: tuple[SkyMask, ...] = ()
    minos: tuple[str, ...] = ()
    contours: tuple[tuple[str, str], ...] = ()
    contour_levels: tuple[float, ...] | None = None
    test: tuple[str, ...] = ()
    flux_ranges: tuple[tuple[float, float], ...] | None = None


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
        contour_levels=tuple(map(float, sound_items(data["contour_levels"]))) if data["contour_levels"] else None,
        test=patterns(data["test"]),
        flux_ranges=None if data["flux_ranges"] is None else tuple(_flux_ranges(data["flux_ranges"], section)),
    )


def _flux_ranges(pairs: Sequence[Any], section: Section) -> Iterator[tuple[float, float]]:
    """Pairs of energies in TeV."""
    for index, pair in enumerate(pairs):
        if pair is not None:
            low, high = (read_energy(pair[k], ("flux_ranges", index, k), section.add) for k in (0, 1))
            if low is None or high is None:
                continue
            if low < high:
                yield low, high
            else:
                section.add(("flux_ranges", index, 1), f"{pair[1]} is not above {pair[0]}", "[1 TeV, 10 TeV]")


def ranges(value: Any) -> Iterator[tuple[JsonPath, Mapping[str, Any]]]:
    """The entries of ``energy_range``, one mapping or a list of them, with their places."""
    if isinstance(value, dict):
        yield ("energy_range",), value
        return
    for index, entry in enumerate(value or ()):
        if entry is not None:
            yield ("energy_range", index), entry
