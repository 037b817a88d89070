"""The ``toys:`` section as frozen settings, and what no schema can see in it."""

from __future__ import annotations

from dataclasses import dataclass

from gm.pipeline.analysis.sections import Known, Section, patterns, texts

RETRY = "retry-failed"


@dataclass(frozen=True)
class ToySettings:
    """How many toys, of what, and what is done with each.

    minos : parameters with asymmetric errors; None: those of the fit
    test, limits : components that are tested, sources that get an upper limit
    """

    n: int = 1000
    seed: int = 1
    from_best_fit: bool = True
    minos: tuple[str, ...] | None = None
    test: tuple[str, ...] = ("*",)
    limits: tuple[str, ...] = ("*",)
    sigma_ul: float = 2.0


def read_toys(section: Section) -> ToySettings:
    """The settings."""
    data = section.resolved
    return ToySettings(
        n=data["n"],
        seed=data["seed"],
        from_best_fit=data["from"] == "best-fit",
        minos=None if data["minos"] is None else patterns(data["minos"]),
        test=patterns(data["test"]),
        limits=patterns(data["limits"]),
        sigma_ul=float(data["sigma_ul"]),
    )


def check_toys(section: Section, known: Known) -> None:
    """Every pattern means a parameter that may have asymmetric errors, or a source."""
    from gm.models.asked import minos_problems, test_problems
    from gm.patterns import matching

    if known.models is None:
        return
    for place, pattern in texts(section.resolved["minos"], ("minos",)):
        for problem in minos_problems(known.models, pattern):
            section.add(place, *problem)
    for key in ("test", "limits"):
        for place, pattern in texts(section.resolved[key], (key,)):
            if pattern != "*" and not matching(known.sky or (), pattern):
                known.check_source(section, place, pattern)
    for place, name in texts(section.resolved["test"], ("test",)):
        if name in (known.sky or ()):  # of a pattern those are tested that can be
            for problem in test_problems(known.models, name):
                section.add(place, *problem)
