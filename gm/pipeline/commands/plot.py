"""``gm plot`` and ``gm.plot``: a figure of results and datasets, from their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gm.config_schemas.reader import Document, read_document
from gm.config_schemas.validator import check
from gm.errors import DataError, InvalidInput, UsageError, suggest
from gm.figures.look import FORMATS, Look, figure_bytes, is_own, look_of
from gm.figures.registry import choose, draw, drawn_kinds, show_parts
from gm.figures.results import Result
from gm.io.ecsv import is_text_table
from gm.io.files import write_atomic
from gm.patterns import matching
from gm.pipeline.analysis.kinds import document_kind
from gm.pipeline.commands.files import first_bytes, is_fits, listed_datasets
from gm.pipeline.results import as_mapping
from gm.pipeline.stages.registry import STAGES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gm.datasets import Dataset


@dataclass(frozen=True)
class Drawn:
    """What a figure is drawn of: results, and the parts that datasets have for each figure; names of both, in order."""

    results: list[Result]
    data: Mapping[str, Sequence[Any]]
    names: list[str]

    def choose(self, figure: str | None, look: Look) -> tuple[str, list[Any]]:
        """The figure that is asked for, or the first that there is anything for, and its parts. Raises `UsageError`."""
        return choose(self.results, figure, look, self.data)


def read_drawn(paths: Sequence[str | Path], datasets: Sequence[str] = ("*",)) -> Drawn:
    """Results, SED tables and datasets in files, and of a folder all results that figures are drawn of.

    datasets : patterns of those that are drawn. Raises `InvalidInput`, `DataError` and `UsageError`.
    """
    results: list[Result] = []
    data: list[Dataset] = []
    for path in map(Path, paths):
        if path.is_dir():
            results += _results_in(path)
            continue
        start = b"" if str(path) == "-" else first_bytes(path)
        is_table = is_text_table(path, start)
        if is_fits(start) or is_table:
            dataset = None if is_table else _dataset(path)
            if dataset is None:
                results.append(_points(path))
            else:
                data.append(dataset)
            continue
        document = read_document(path)
        if _kind(document.data) is None and document_kind(document.data) == "datasets":
            data += listed_datasets(document)
        else:
            results.append(_result(document, path))
    if not data:
        return Drawn(results, {}, [result.name for result in results])
    from gm.datasets.datasets import pictures_of

    drawn = set(matching([dataset.name for dataset in data], datasets))
    if not drawn:
        raise UsageError(f"no dataset matches {', '.join(datasets)}: {', '.join(dataset.name for dataset in data[:8])}")
    data = [dataset for dataset in data if dataset.name in drawn]
    return Drawn(results, pictures_of(data), [*(result.name for result in results), *(one.name for one in data)])


def _kind(data: Any) -> str | None:
    """The kind of a result; None for another document."""
    schemas = {stage.schema: stage.kind for stage in STAGES if stage.kind}
    return schemas.get(as_mapping(data).get("schema", ""))


def _results_in(folder: Path) -> list[Result]:
    """All that figures are drawn of. Raises `DataError` where there is none."""
    documents = ((file, read_document(file)) for file in sorted(folder.rglob("*.yaml")))
    found = [_result(document, file) for file, document in documents if _kind(document.data) in drawn_kinds()]
    if not found:
        raise DataError(f"{folder}: no result in this folder that a figure is drawn of")
    return found


def _result(document: Document, file: Path) -> Result:
    kind = _kind(document.data)
    if kind is None:
        other = document_kind(document.data)
        what = f"this is a {other} file, and no figure is drawn of it" if other else "no result of gm"
        names = ", ".join(kind.replace("-", " ") for kind in drawn_kinds())
        hint = f"figures are drawn of datasets, SED tables and results: {names}"
        raise InvalidInput([document.problem((), what, "gm run makes its results" if other == "config" else hint)])
    if problems := check(document, kind):
        raise InvalidInput(problems)
    return Result(kind, document.data, file.parent)


def _points(path: Path) -> Result:
    """The flux points of an SED table. Raises `DataError`."""
    from gm.estimators.points import FluxPoints

    return Result("flux-points", FluxPoints.read(path).to_dict(path.name.partition(".")[0]), path.parent)


def _dataset(path: Path) -> Dataset | None:
    """The dataset of a FITS file; None for an SED table. Raises `DataError` for a file that holds neither."""
    from gm.datasets import FluxPointsDataset, read_dataset
    from gm.datasets.files.recognition import file_type
    from gm.io.fits import read_fits

    kind = file_type(read_fits(path))
    if kind is None:
        raise DataError(
            f"{path}: no dataset and no SED table, of which figures are drawn\n    gm show {path} says what it holds"
        )
    return None if kind == FluxPointsDataset.type else read_dataset(kind, path)


def write_plot(
    paths: Sequence[str], output: str | None, figure: str | None, look: Look, *, force: bool = False
) -> dict[str, Any]:
    """Draw a figure into a file; which one, and where. Raises `UsageError`, `InvalidInput` and `DataError`."""
    drawn = read_drawn(paths, look.datasets)
    with look.applied():
        from matplotlib.figure import Figure

        name, parts = drawn.choose(figure, look)
        file = Path(output or f"{Path(paths[0].removesuffix('.gz')).stem}-{name}.pdf")
        kind = file.suffix.removeprefix(".").lower()
        if kind not in FORMATS:
            raise UsageError(f"-o {file}: figures are pdf, svg or png\n    {suggest(kind, FORMATS, 'formats')}")
        if file.exists() and not force and not (file.is_file() and is_own(file)):
            raise UsageError(f"{file} is there, and no figure of gm\n    another name, or --force")
        held = Figure()
        draw(held, name, parts, look)
        write_atomic(file, figure_bytes(held, kind))
    return {"figure": name, "file": str(file), "results": drawn.names}


def plot(*results: str | Path, figure: str | None = None, **look: Any) -> Axes:
    """The figure that ``gm plot`` draws, with pyplot; its first axes.

    ``results`` : files of results or datasets, or folders of results; ``figure`` : its kind, by default the first that
    there is anything for; others as for `Look`: scheme, style, energy, flux, radius, datasets, components. Raises
    `UsageError`, `InvalidInput` and `DataError`.
    """
    chosen = look_of(**look)
    return show_parts(*read_drawn(results, chosen.datasets).choose(figure, chosen), chosen)
