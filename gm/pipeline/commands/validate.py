"""``gm validate``: configs with their models and datasets, data files included, checked without running anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gm.errors import DataError, GmError, InvalidInput, Problem
from gm.pipeline.analysis.load import Analysis, load
from gm.pipeline.analysis.request import Request
from gm.pipeline.reporter import Silent
from gm.pipeline.run import check_tasks, declared, usual_tasks
from gm.pipeline.session import Session
from gm.pipeline.stages.registry import STAGES
from gm.pipeline.start import Start
from gm.readable import plural


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
        analysis = load(request, STAGES)
        ask_again(analysis)
        check_results(analysis)
        read_model_files(analysis)
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
    check_tasks(Session(analysis, Silent()), usual_tasks(analysis))


def read_model_files(analysis: Analysis) -> None:
    """Read the files that components take shapes and light curves from. Raises `DataError` with all that is wrong."""
    wrong = []
    for component in analysis.models:
        try:
            list(component.remarks())
        except DataError as error:
            wrong.append(str(error))
    if wrong:
        raise DataError("\n".join(wrong))


def read_data(analysis: Analysis) -> None:
    """Open every data file that the analysis starts from, as far as it can be known before anything runs.

    Raises `DataError` and `InvalidInput` for what cannot be used.
    """
    start: Start | None = Session(analysis, Silent()).given
    if start is not None and start.is_there():
        start.datasets()
    for stage in declared(analysis):
        start = stage.check_data(analysis, stage.seen(analysis, start)) if start is not None else None


def _summary(analysis: Analysis) -> str:
    parameters, names = analysis.models.parameters, analysis.dataset_names
    datasets = plural(len(names), "dataset") if names else "datasets to be made"
    return (
        f"{datasets}, {plural(len(analysis.models), 'component')}, "
        f"{plural(len(parameters), 'parameter')} ({len(parameters.free)} free)"
    )
