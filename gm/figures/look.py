"""How figures look: colours that everybody can tell apart, on light and dark; and files with the same bytes again."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from gm.errors import UsageError, suggest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31")
"""Okabe and Ito, 2008: seven hues told apart by all kinds of colour vision."""

MARKERS = ("o", "s", "D", "^", "v", "P", "X")
FORMATS = ("pdf", "svg", "png")
_SCHEMES = {"light": ("#1a1a1a", "#ffffff"), "dark": ("#e8e8e8", "#14171a")}
_CLIP = re.compile(rb'<clipPath id="(p[0-9a-f]{10})">(.*?)</clipPath>', re.DOTALL)
_METADATA: Mapping[str, Mapping[str, Any]] = {
    "pdf": {"Creator": "gm", "Producer": None, "CreationDate": None},
    "svg": {"Creator": "gm", "Date": None},
    "png": {"Software": "gm"},
}
_BASE: Mapping[str, Any] = {
    "figure.figsize": (5.6, 4.0),
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 200,
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
    "errorbar.capsize": 0,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "pdf.fonttype": 42,
    "svg.hashsalt": "gm",
}


@final
@dataclass(frozen=True)
class Look:
    """What a user chooses. energy, flux : units of SEDs; style : a style file of Matplotlib over gm's own; radius [deg]
    over which counts of residual maps are summed; datasets, components : patterns of those that are drawn."""

    scheme: str = "light"
    style: str | None = None
    energy: str = "TeV"
    flux: str = "erg cm-2 s-1"
    radius: float = 0.1
    datasets: Sequence[str] = ("*",)
    components: Sequence[str] = ("*",)
    colors: tuple[str, str] | None = field(default=None, compare=False)

    @property
    def ink(self) -> str:
        """What text and axes are drawn in."""
        return (self.colors or _SCHEMES[self.scheme])[0]

    @property
    def paper(self) -> str:
        return (self.colors or _SCHEMES[self.scheme])[1]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """While this holds Matplotlib draws so. Raises `UsageError` for a style that is none."""
        check_matplotlib()
        import matplotlib
        import matplotlib.style
        from cycler import cycler

        ink, paper = self.ink, self.paper
        names = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "grid.color")
        own: dict[Any, Any] = {**_BASE, **dict.fromkeys(names, ink), "axes.prop_cycle": cycler(color=COLORS)}
        own |= {"figure.facecolor": paper, "axes.facecolor": paper, "savefig.facecolor": paper}
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(own)
            if self.style is not None:
                try:
                    matplotlib.style.use(self.style)
                except (OSError, ValueError) as error:
                    raise UsageError(f"style '{self.style}': {str(error).splitlines()[0]}") from error
            yield


def look_of(**chosen: Any) -> Look:
    """A `Look` of what a user chooses. Raises `UsageError` for a word that is none of its fields."""
    names = [field.name for field in fields(Look) if field.compare]
    if wrong := [name for name in chosen if name not in names]:
        raise UsageError(f"'{wrong[0]}' is nothing to choose of a figure; {suggest(wrong[0], names, 'known')}")
    return Look(**chosen)


def color_of(number: int) -> str:
    """Of a line or set of points; they come again after seven."""
    return COLORS[number % len(COLORS)]


def marker_of(number: int) -> str:
    """Another one with each colour, and another again when colours repeat."""
    return MARKERS[(number + number // len(COLORS)) % len(MARKERS)]


def dash_of(number: int) -> str:
    """Whole lines first; dashed ones when colours repeat."""
    return ("-", "--", ":", "-.")[number // len(COLORS) % 4]


def check_matplotlib() -> None:
    """Raises `UsageError` where Matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise UsageError('figures need Matplotlib\n    pip install "gamma-global-model[plot]"') from error


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """The file of a figure as ``pdf``, ``svg`` or ``png``; the same figure gives the same bytes."""
    held = io.BytesIO()
    with warnings.catch_warnings():  # of a busy machine: Matplotlib says so after a second
        warnings.filterwarnings("ignore", 'Creating legend with loc="best" can be slow')
        figure.savefig(held, format=kind, metadata=dict(_METADATA[kind]))
    return _clips_by_content(held.getvalue()) if kind == "svg" else held.getvalue()


def _clips_by_content(svg: bytes) -> bytes:
    """Clip paths called by what they are: Matplotlib before 3.10 calls some by where they lie in memory."""
    for name, content in _CLIP.findall(svg):
        svg = svg.replace(name, b"p" + sha256(content).hexdigest()[:10].encode())
    return svg


def is_own(path: Path) -> bool:
    """Whether a file is a figure that gm has written."""
    data = path.read_bytes()
    marks = (b"/Creator (gm)", b"<dc:title>gm</dc:title>", b"Software\0gm")
    return any(mark in data for mark in marks)
