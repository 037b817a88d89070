"""What no schema can see in a ``fit:`` section: whether its names and patterns mean something."""

from __future__ import annotations

from gm.models.asked import contour_problems, minos_problems, test_problems
from gm.pipeline.analysis.sections import Known, Section, texts
from gm.pipeline.stages.fit.settings import ranges


def check_names(section: Section, known: Known) -> None:
    """Every pattern matches a dataset; parameters of ``minos`` and ``contours``, components of ``test`` exist."""
    fit = section.data or {}
    known.check_datasets(section, ("datasets",), fit.get("datasets"))
    for path, entry in ranges(fit.get("energy_range")):
        known.check_datasets(section, (*path, "datasets"), entry.get("datasets"))
    for index, entry in enumerate(fit.get("mask") or ()):
        known.check_datasets(section, ("mask", index, "datasets"), (entry or {}).get("datasets"))
    if known.models is None:
        return
    for place, pattern in texts(fit.get("minos"), ("minos",)):
        for problem in minos_problems(known.models, pattern):
            section.add(place, *problem)
    for place, pattern in texts(fit.get("test"), ("test",)):
        for problem in test_problems(known.models, pattern):
            section.add(place, *problem)
    for index, pair in enumerate(fit.get("contours") or ()):
        for place, address in texts(pair, ("contours", index)):
            for problem in contour_problems(known.models, address):
                section.add(place, *problem)
