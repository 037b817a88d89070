"""``gm validate``: configs with their models and datasets, data files included, checked without running anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gm.errors import DataError, GmError, InvalidInput, Problem
from gm.pipeline.analysis.load import Analysis, check_edited, load
from gm.pipeline.analysis.request import Request
from gm.pipeline.analysis.settings import plural
from gm.pipeline.reporter import Silent
from gm.pipeline.run import build_stages, check_stages, declared_stages
from gm.pipeline.session import Session
from gm.pipeline.stages.operations import apply_operations


@dataclass(frozen=True)
class Checked:
    """The verdict on one config: problems with a place, or a message about data, or what it holds when all is well."""

    config: str
    exit_code: int
    problems: tuple[Problem, ...] = ()
    message: str = ""


def validate(request: Request, more: Iterable[str] = ()) -> list[Checked]:
    """Check every config; one that is wrong does not keep the others from being checked."""
    return [_checked(replace(request, config=config)) for config in (request.config, *more)]


def _checked(request: Request) -> Checked:
    try:
        analysis = load(request)
        ask_again(analysis)
        check_results(analysis)
        read_data(analysis)
    except InvalidInput as error:
        return Checked(request.config, error.exit_code, tuple(error.problems))
    except DataError as error:
        return Checked(request.config, error.exit_code, message=str(error))
    except GmError as error:
        if error.exit_code == GmError.exit_code:
            raise
        return Checked(request.config, error.exit_code, message=str(error))
    return Checked(request.config, 0, message=_summary(analysis))


def ask_again(analysis: Analysis) -> None:
    """Have every document checked by `jsonschema` as well. Raises `InvalidInput`."""
    from gm.config_schemas.second_opinion import second_opinion

    documents = analysis.documents
    kinds = [("config", documents.config), *(("models", part.document) for part in documents.models)]
    kinds += [("datasets", part.document) for part in documents.datasets]
    problems = [problem for kind, document in kinds for problem in second_opinion(document, kind)]
    if problems:
        raise InvalidInput(problems)


def check_results(analysis: Analysis) -> None:
    """No result would replace an input, or what gm has not written. Raises `InvalidInput`."""
    check_stages(Session(analysis, Silent()), build_stages(analysis, declared_stages(analysis) or ("fit",)))


def read_data(analysis: Analysis) -> None:
    """Open every data file that the analysis starts from. Raises `DataError` for what cannot be used."""
    from gm.datasets.simulation import build_templates
    from gm.pipeline.analysis.build import fit_masks, read_parts
    from gm.pipeline.analysis.fit_checks import check_fit

    if analysis.documents.datasets:
        datasets, models = read_parts(analysis.documents.datasets, analysis.settings.workers), analysis.models
        if analysis.operations and analysis.simulation is None:
            last = apply_operations(analysis, datasets)[-1].outcome
            check_edited(analysis, last.models)
            datasets, models = last.datasets, last.models
        datasets = fit_masks(datasets, analysis.settings.fit)
        if analysis.settings.fit is not None and analysis.simulation is None:
            check_fit(analysis, datasets, models)
    if analysis.simulation is not None and analysis.simulation.recipes is not None:
        build_templates(analysis.simulation)


def _summary(analysis: Analysis) -> str:
    parameters = analysis.models.parameters
    return (
        f"{plural(len(analysis.dataset_names), 'dataset')}, {plural(len(analysis.models), 'component')}, "
        f"{plural(len(parameters), 'parameter')} ({len(parameters.free)} free)"
    )
