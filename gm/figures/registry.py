"""Which figures there are, and which of them results have: found in the folder of this package."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gm.errors import DataError, UsageError, suggest
from gm.figures.look import Look, check_matplotlib, look_of
from gm.figures.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Offer = Callable[[Result, Look], Iterable[Any]]
"""From a result to its parts of a figure."""


@lru_cache(maxsize=1)
def drawn_kinds() -> tuple[str, ...]:
    """The kinds of documents that have figures."""
    found = Path(__file__).parent.glob("of_*.py")
    return tuple(sorted(file.stem.removeprefix("of_").replace("_", "-") for file in found))


def offers(kind: str) -> Mapping[str, Offer]:
    """What a kind of document has, by figure; nothing where it has none."""
    if kind not in drawn_kinds():
        return {}
    parts: Mapping[str, Offer] = import_module(f"gm.figures.of_{kind.replace('-', '_')}").PARTS
    return parts


def figures_of(results: Sequence[Result]) -> list[str]:
    """The figures that any of the results can be in."""
    return list(dict.fromkeys(name for result in results for name in offers(result.kind)))


def parts_of(results: Sequence[Result], figure: str, look: Look) -> list[Any]:
    """What the results have for a figure. Raises `DataError`."""
    found = [(result, offers(result.kind).get(figure)) for result in results]
    parts = [(result, part) for result, offer in found if offer is not None for part in _offered(result, offer, look)]
    where: dict[tuple[type, str], set[Path]] = {}
    for result, part in parts:
        where.setdefault((type(part), part.label), set()).add(result.folder)
    return [
        part if len(where[type(part), part.label]) == 1 else replace(part, label=f"{part.label} ({_place(result)})")
        for result, part in parts
    ]


def _offered(result: Result, offer: Offer, look: Look) -> list[Any]:
    """Raises `DataError` where the document is not what gm writes."""
    try:
        return list(offer(result, look))
    except (LookupError, TypeError, ValueError) as error:
        what = f"{result.folder}: no figure of {result.name}: its numbers do not belong together ({error})"
        raise DataError(f"{what}\n    run gm again to write it anew") from error


def _place(result: Result) -> str:
    """What tells results of one name apart: the folder of the results."""
    return result.folder.absolute().parent.name


def choose(
    results: Sequence[Result], figure: str | None, look: Look, data: Mapping[str, Sequence[Any]] | None = None
) -> tuple[str, list[Any]]:
    """The figure that is asked for, or the first that there is anything for, and its parts.

    data : parts of datasets, by figure, which are drawn with those of the results. Raises `UsageError` where there is
    nothing to draw.
    """
    held = data or {}
    known = list(dict.fromkeys([*figures_of(results), *held]))
    kinds = ", ".join(
        dict.fromkeys([*(result.kind.replace("-", " ") for result in results), *(["datasets"] if held else [])])
    )
    if not known and not results:
        raise UsageError("nothing to draw: none of the bins of the datasets enters")
    if not known:
        have = ", ".join(kind.replace("-", " ") for kind in drawn_kinds())
        raise UsageError(f"no figure is drawn of {kinds}\n    there are figures of: {have}")
    if figure is not None and figure not in known:
        raise UsageError(f"no figure '{figure}' is drawn of {kinds}\n    {suggest(figure, known, 'figures')}")

    def parts(name: str) -> list[Any]:
        return [*parts_of(results, name, look), *held.get(name, ())]

    for name in known if figure is None else [figure]:
        if found := parts(name):
            return name, found
    others = [name for name in known if name != figure and parts(name)]
    raise UsageError(f"nothing to draw: the results hold nothing for {figure or 'any figure'}{_instead(others)}")


def _instead(others: Sequence[str]) -> str:
    return f"\n    they do for: {', '.join(others)}" if others else ""


def apart(name: str, parts: Sequence[Any]) -> list[Sequence[Any]]:
    """The parts of as many figures as a page has where there is no room for panels side by side."""
    split: Callable[[Sequence[Any]], list[Sequence[Any]]] | None
    split = getattr(import_module(f"gm.figures.{name.replace('-', '_')}"), "apart", None)
    return [parts] if split is None else split(parts)


def draw(figure: Figure, name: str, parts: Sequence[Any], look: Look) -> list[Axes]:
    """Draw the parts of a figure, under the look that is applied."""
    axes: list[Axes] = import_module(f"gm.figures.{name.replace('-', '_')}").draw(figure, parts, look)
    return axes


def show(results: Sequence[Result], figure: str | None = None, **look: Any) -> Axes:
    """Draw with pyplot; the first axes. Raises `UsageError`, for a word that is none of a `Look` too."""
    chosen = look_of(**look)
    return show_parts(*choose(results, figure, chosen), chosen)


def draw_parts(of: str, parts: Mapping[str, Sequence[Any]], figure: str | None, look: Mapping[str, Any]) -> Axes:
    """Draw with pyplot one of the figures that there are ``parts`` for, by default the first; the first axes.

    Raises `UsageError` where there is none.
    """
    chosen = look_of(**look)
    if not parts:
        raise UsageError(f"no figure is drawn of {of}")
    if figure is not None and figure not in parts:
        raise UsageError(f"no figure '{figure}' is drawn of {of}\n    {suggest(figure, parts, 'figures')}")
    name = figure or next(iter(parts))
    return show_parts(name, parts[name], chosen)


def show_parts(name: str, parts: Sequence[Any], look: Look) -> Axes:
    """Draw the parts of a figure with pyplot; the first axes."""
    check_matplotlib()
    from matplotlib import pyplot

    # loads the backend, whose choice to draw at once, as those of notebooks make it, the look would take back
    pyplot.draw_if_interactive()  # type: ignore[no-untyped-call,unused-ignore]  # has no types in some versions
    with look.applied():
        return draw(pyplot.figure(), name, parts, look)[0]
