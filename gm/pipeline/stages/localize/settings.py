"""The entries of ``localize:`` as frozen settings."""

from __future__ import annotations

from dataclasses import dataclass

from gm.pipeline.analysis.sections import Section, patterns


@dataclass(frozen=True)
class LocalizeSettings:
    """One entry of ``localize:``."""

    source: str
    name: str
    datasets: tuple[str, ...]
    sigma: float
    n: int


def read_localize(section: Section) -> tuple[LocalizeSettings, ...]:
    """The settings of all entries."""
    return tuple(
        LocalizeSettings(
            source=entry["source"],
            name=entry["name"] or entry["source"],
            datasets=patterns(entry["datasets"]),
            sigma=float(entry["sigma"]),
            n=entry["n"],
        )
        for _, entry in section.entries()
    )
