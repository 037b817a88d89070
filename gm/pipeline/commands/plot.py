"""``gm plot`` and ``gm.plot``: a figure of results, from their files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.errors import DataError, InvalidInput, UsageError, suggest
from gm.figures.look import FORMATS, Look, figure_bytes, is_own
from gm.figures.registry import choose, draw, drawn_kinds, show
from gm.figures.results import Result
from gm.io.files import write_atomic
from gm.pipeline.results import as_mapping
from gm.pipeline.stages.registry import STAGES

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def read_results(paths: Sequence[str | Path]) -> list[Result]:
    """The results in files, and of a folder all that figures are drawn of. Raises `InvalidInput` and `DataError`."""
    results = []
    for path in map(Path, paths):
        files = sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
        found = [result for file in files if (result := _read(file, is_alone=file == path)) is not None]
        if not found:
            raise DataError(f"{path}: no result in this folder that a figure is drawn of")
        results += found
    return results


def _read(file: Path, *, is_alone: bool) -> Result | None:
    """One result; of those in a folder only what figures are drawn of."""
    document = read_document(file)
    schemas = {stage.schema: stage.kind for stage in STAGES if stage.kind}
    kind = schemas.get(as_mapping(document.data).get("schema", ""))
    if not is_alone and kind not in drawn_kinds():
        return None
    if kind is None:
        names = ", ".join(kind.replace("-", " ") for kind in drawn_kinds())
        raise InvalidInput([document.problem((), "no result of gm", f"figures are drawn of: {names}")])
    problems = check(document, kind)
    if problems:
        raise InvalidInput(problems)
    return Result(kind, document.data, file.parent)


def write_plot(
    paths: Sequence[str], output: str | None, figure: str | None, look: Look, *, force: bool = False
) -> dict[str, Any]:
    """Draw a figure into a file; which one, and where. Raises `UsageError`, `InvalidInput` and `DataError`."""
    results = read_results(paths)
    with look.applied():
        from matplotlib.figure import Figure

        name, parts = choose(results, figure, look)
        file = Path(output or f"{Path(paths[0]).stem}-{name}.pdf")
        kind = file.suffix.removeprefix(".").lower()
        if kind not in FORMATS:
            raise UsageError(f"-o {file}: figures are pdf, svg or png\n    {suggest(kind, FORMATS, 'formats')}")
        if file.exists() and not force and not (file.is_file() and is_own(file)):
            raise UsageError(f"{file} is there, and no figure of gm\n    another name, or --force")
        held = Figure()
        draw(held, name, parts, look)
        write_atomic(file, figure_bytes(held, kind))
    return {"figure": name, "file": str(file), "results": [result.name for result in results]}


def plot(*results: str | Path, figure: str | None = None, **look: Any) -> Axes:
    """The figure that ``gm plot`` draws, with pyplot; its first axes.

    ``results`` : files or folders; ``figure`` : its kind, by default the first that they have anything for; others as
    for `Look`: scheme, style, energy, flux, radius, datasets, components. Raises `UsageError`, `InvalidInput` and
    `DataError`.
    """
    return show(read_results(results), figure, **look)
