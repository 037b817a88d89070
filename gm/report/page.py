"""The whole page: what must be known first, then a section for each result, then where everything is from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from typing import Any, final

from gm.figures.look import Look, figure_bytes
from gm.figures.registry import apart, draw, offers
from gm.figures.results import Result
from gm.readable import sources_of
from gm.report.html import COLORS, Cell, inline_figure, light_file, paragraph, table
from gm.report.usual import usual_section

LOOK = Look(colors=COLORS)
_TOLD = ("warnings", "deviations")
_WITH_BAND = ("flux-points", "sensitivity")  # of one source, whose spectrum is drawn beside
_GOOD, _WARN = ("ok", "converged", "done"), ("at_limit", "incomplete")


@final
@dataclass(frozen=True)
class Page:
    """The page, and the figures in it as files by their names."""

    text: str
    figures: Mapping[str, str]


def build_page(title: str, results: Sequence[Result], config: str, stages: Mapping[str, Any]) -> Page:
    """Of the results of one analysis; ``config``: resolved, as YAML; ``stages``: what is recorded of each.

    Raises `DataError` where tables are gone.
    """
    drawn, figures = _draw(results)
    sections = [_section(k, result, drawn.get(k, ())) for k, result in enumerate(results)]
    contents = [f'<a href="#s{k}">{escape(_title(result))}</a>' for k, result in enumerate(results)]
    contents += ['<a href="#config">Config</a>', '<a href="#provenance">Provenance</a>']
    sections.append(f'<section id="config"><h2>Config</h2>\n<pre>{escape(config)}</pre></section>\n')
    sections.append(f'<section id="provenance"><h2>Provenance</h2>\n{_provenance(stages)}</section>\n')
    parts = {
        "title": escape(title),
        "summary": table(["result", "status", "what"], [_verdict(result) for result in results if _told(result)]),
        "warnings": _warnings(results),
        "contents": " ".join(contents),
        "sections": "".join(sections),
    }
    text = files("gm.report").joinpath("page.html").read_text("utf-8")
    return Page(re.sub(r"@(\w+)@", lambda found: parts[found[1]], text), figures)


def _title(result: Result) -> str:
    kind = result.kind.replace("-", " ")
    return f"{kind[:1].upper()}{kind[1:]}" + ("" if result.kind == result.name else f": {result.name}")


def _told(result: Result) -> bool:
    """Whether it says how it ended."""
    return bool(result.document.get("status"))


def _verdict(result: Result) -> list[str | Cell]:
    """One line at the top of the page."""
    status = str(result.document["status"])
    kind = "good" if status in _GOOD else "warn" if status in _WARN else "bad"
    return [_title(result), Cell(status.replace("_", " "), state=kind), str(result.document.get("message") or "")]


def _warnings(results: Iterable[Result]) -> str:
    """All that readers must know, of all results."""
    told = [
        f"<li>{escape(_title(result))}: {escape(text)}</li>\n"
        for result in results
        for text in [*_left_out(result), *(text for key in _TOLD for text in result.document.get(key) or ())]
    ]
    title = f"{len(told)} warning{'s' * (len(told) != 1)}"
    return f'<div class="warnings"><strong>{title}</strong><ul>\n{"".join(told)}</ul></div>' if told else ""


def _left_out(result: Result) -> Iterable[str]:
    """Bins and points that a fit could not use."""
    if result.kind == "fit":
        for row in result.document["datasets"]:
            for part in row.get("left_out") or ():
                yield f"{row['name']}: {part['bins']} bins or points left out: {part['reason']}"


def _section(number: int, result: Result, figures: Sequence[str]) -> str:
    name = f"gm.report.of_{result.kind.replace('-', '_')}"
    own = import_module(name).section if find_spec(name) is not None else usual_section
    drawn = f'<div class="figures">{"".join(figures)}</div>\n' if figures else ""
    body = own(result.document)
    return f'<section id="s{number}"><h2>{escape(_title(result))}</h2>\n{drawn}{body}</section>\n'


def _draw(results: Sequence[Result]) -> tuple[dict[int, list[str]], dict[str, str]]:
    """All figures, by the result that they stand with, and as files. SEDs hold the models of the fit and all points."""
    from matplotlib.figure import Figure

    inline: dict[int, list[str]] = {}
    written: dict[str, str] = {}
    fits = [result for result in results if result.kind == "fit"]
    with LOOK.applied():
        for k, result in enumerate(results):
            for name, offer in offers(result.kind).items():
                beside = fits if name == "sed" and result.kind in _WITH_BAND else []
                parts = [p for fit in beside for p in _bands(fit, result)] + list(offer(result, LOOK))
                for number, own in enumerate(apart(name, parts) if parts else ()):
                    figure = Figure()
                    draw(figure, name, own, LOOK)
                    svg = figure_bytes(figure, "svg").decode()
                    caption = _caption(name, result, own)
                    inline.setdefault(k, []).append(inline_figure(svg, len(written), caption))
                    file = f"{result.kind}-{result.name}-{name}{f'-{number + 1}' if number else ''}"
                    written[_distinct(file, written)] = light_file(svg)
    return inline, written


def _caption(name: str, result: Result, parts: Sequence[Any]) -> str:
    """What a figure is of: the one part that it has, or the result."""
    what = "SED" if name == "sed" else name.replace("-", " ").capitalize()
    return f"{what} of {parts[0].label if len(parts) == 1 else result.name}"


def _bands(fit: Result, points: Result) -> Iterable[Any]:
    """The spectra of the sources that points were measured of."""
    return offers("fit")["sed"](fit, Look(colors=COLORS, components=sources_of(points.document), datasets=[]))


def _distinct(name: str, taken: Mapping[str, str]) -> str:
    stem = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
    found, number = f"{stem}.svg", 2
    while found in taken:
        found, number = f"{stem}-{number}.svg", number + 1
    return found


def _provenance(stages: Mapping[str, Any]) -> str:
    """Versions, and what every result was made from; times are in provenance.yaml alone."""
    versions: dict[str, str] = {}
    inputs: dict[str, str] = {}
    for record in stages.values():
        versions |= record.get("versions") or {}
        inputs |= (record.get("inputs") or {}).get("files") or {}
    told = paragraph("How long each stage took, and when it ran, is in provenance.yaml.", "soft")
    told += table(["program", "version"], [[name, str(version)] for name, version in versions.items()])
    rows = [[name, digest] for name, digest in sorted(inputs.items())]
    listed = table(["input file", "SHA-256"], rows)
    return told + (f"<details><summary>{len(rows)} input files</summary>{listed}</details>" if rows else "")
