"""The commands that compute: which stages a command needs, which of them are up to date, and what comes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gm.errors import InvalidInput
from gm.io.locking import alone_in
from gm.pipeline.analysis.load import Analysis, load
from gm.pipeline.analysis.request import Request
from gm.pipeline.outputs import check_folder, check_writable
from gm.pipeline.reporter import Reporter
from gm.pipeline.session import Session
from gm.pipeline.stages.apply import Applying
from gm.pipeline.stages.base import Fitting, FluxPoints, Simulating, Stage, previous

_BAD = ("not_converged", "failed")


@dataclass(frozen=True)
class Product:
    """A result: its kind, its file, its content, and whether it was made just now or was there already."""

    kind: str
    path: Path
    document: dict[str, Any]
    ran: bool


@dataclass(frozen=True)
class Outcome:
    """What a command produced; ``message`` says why something asked for is not there."""

    products: tuple[Product, ...]
    exit_code: int
    message: str = ""

    def document(self) -> dict[str, Any]:
        """All results as one document; the only one of a fit or simulation as it is."""
        if len(self.products) == 1 and self.products[0].kind != "flux_points":
            return self.products[0].document
        several = [product.document for product in self.products if product.kind == "flux_points"]
        single = {product.kind: product.document for product in self.products if product.kind != "flux_points"}
        return {**single, "flux_points": several} if several or not single else single


def simulate(request: Request, reporter: Reporter) -> Outcome:
    """Draw the datasets that ``simulate:`` describes."""
    analysis = load(request)
    _demand(analysis, analysis.simulation is not None, "simulate", "gm simulate needs it")
    return _run(analysis, reporter, ("simulate",))


def fit(request: Request, reporter: Reporter) -> Outcome:
    """The joint fit, and the simulation before it when that is declared and not up to date."""
    return _run(load(request), reporter, ("fit",))


def apply(request: Request, reporter: Reporter) -> Outcome:
    """The dataset operations alone: new datasets, the edited models, and the list of the edits."""
    analysis = load(request)
    _demand(analysis, bool(analysis.operations), "operations", "gm apply needs it")
    return _run(analysis, reporter, ("apply",))


def flux_points(request: Request, reporter: Reporter) -> Outcome:
    """All flux points, from the best fit when the config has a ``fit:`` section."""
    analysis = load(request)
    _demand(analysis, bool(analysis.settings.flux_points), "flux_points", "gm flux-points needs it")
    return _run(analysis, reporter, ("flux_points",))


def run(request: Request, reporter: Reporter) -> Outcome:
    """Every stage that the config declares."""
    analysis = load(request)
    declared = declared_stages(analysis)
    _demand(analysis, bool(declared), "fit", "gm run runs what is declared: simulate, operations, fit, flux_points")
    return _run(analysis, reporter, declared)


def declared_stages(analysis: Analysis) -> tuple[str, ...]:
    """The stages with a section in the config, in the order in which they run."""
    settings = analysis.settings
    sections = {
        "simulate": analysis.simulation is not None,
        "apply": bool(analysis.operations),
        "fit": settings.fit is not None,
        "flux_points": bool(settings.flux_points),
    }
    return tuple(name for name, there in sections.items() if there)


def build_stages(analysis: Analysis, wanted: Sequence[str]) -> list[Stage]:
    """The wanted stages and those before them that the config declares, in order."""
    stages: list[Stage] = []
    if analysis.simulation is not None:
        stages.append(Simulating(analysis, asked="simulate" in wanted))
    if analysis.operations and set(wanted) - {"simulate"}:
        stages.append(Applying(analysis))
    if "fit" in wanted or ("flux_points" in wanted and analysis.settings.fit is not None):
        stages.append(Fitting(analysis))
    if "flux_points" in wanted:
        stages.extend(FluxPoints(analysis, entry) for entry in analysis.settings.flux_points)
    return stages


def check_stages(session: Session, stages: Iterable[Stage]) -> None:
    """Whether stages may write their files, as far as these are known before they run. Raises `InvalidInput`."""
    check_folder(session.analysis)
    for stage in stages:
        session.check(stage.key, stage.outputs())


def _run(analysis: Analysis, reporter: Reporter, wanted: Sequence[str]) -> Outcome:
    def wait() -> None:
        reporter.say(f"waiting for another gm that writes into {analysis.settings.output}")

    check_folder(analysis)
    with alone_in(analysis.settings.output, wait) as is_alone:
        session, stages = Session(analysis, reporter), build_stages(analysis, wanted)
        check_stages(session, stages)
        if is_alone:
            session.record.remove_temporaries()
        return _run_stages(session, stages, wanted)


def _run_stages(session: Session, stages: Iterable[Stage], wanted: Sequence[str]) -> Outcome:
    products = []
    exit_code = 0
    for stage in stages:
        product = _run_stage(stage, session, force=session.analysis.request.force and stage.name in wanted)
        if stage.name in wanted:
            products.append(product)
        status = product.document.get("status")
        if stage.name == "fit" and status in _BAD:
            missing = "flux points were not computed: the fit has no best point" if "flux_points" in wanted else ""
            return Outcome(tuple(products), 1, missing)
        if stage.name == "flux_points" and any(point["status"] == "failed" for point in product.document["points"]):
            exit_code = 1
    return Outcome(tuple(products), exit_code)


def _run_stage(stage: Stage, session: Session, *, force: bool) -> Product:
    """Run one stage, or take its result from before. ``force``: only what was asked for, not what comes before it."""
    inputs = stage.inputs(session)
    document, reason = previous(stage, session, inputs, force)
    if document is not None and not reason:
        session.reporter.say(f"{stage.label}: up to date")
        session.touch(stage.result)
        return Product(stage.name, stage.result, document, False)
    session.reporter.say(f"{stage.label}: {reason}")
    check_writable(stage.outputs())
    document, seconds = stage.run(session, inputs)
    session.finish(stage.key, inputs, seconds)
    return Product(stage.name, stage.result, document, True)


def _demand(analysis: Analysis, there: bool, key: str, why: str) -> None:
    if not there:
        raise InvalidInput([analysis.config.problem((), f"no section '{key}:'", why)])
