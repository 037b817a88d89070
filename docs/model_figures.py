"""A figure of every type of model, as gm evaluates it, at its default parameters or at those that show its shape."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import gm
from gm.models import SpatialModel, SpectralModel, TemporalModel
from gm.models.parametric import ParametricModel

_CURVE, _BAND = "#0b6e99", "#7f7f7f"
_EDGES = {"data": [0.1, 1.0, 10.0], "unit": "TeV"}


def _power_law() -> Any:
    return gm.PowerLawSpectralModel()


def _grid() -> dict[str, Any]:
    lon, lat = np.meshgrid([-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0])
    return {"lon": {"data": lon.ravel().tolist(), "unit": "deg"}, "lat": {"data": lat.ravel().tolist(), "unit": "deg"}}


SETTINGS: dict[str, Callable[[], dict[str, Any]]] = {
    "CompoundSpectralModel": lambda: {
        "model1": _power_law(),
        "model2": gm.LogParabolaNormSpectralModel(beta=0.2),
        "operator": "mul",
    },
    "BrokenPowerLawSpectralModel": lambda: {"index1": 1.7, "index2": 2.6},
    "SmoothBrokenPowerLawSpectralModel": lambda: {"index1": 1.7, "index2": 2.6},
    "LinearTemporalModel": lambda: {"alpha": 1.0, "beta": "0.1 d-1"},
    "LogParabolaNormSpectralModel": lambda: {"alpha": 0.1, "beta": 0.1},
    "PiecewiseNormSpectralModel": lambda: {"energy": _EDGES, "norm_1": 1.5},
    "PowerLaw2SpectralModel": lambda: {"index": 2.3},
    "PowerLawNormSpectralModel": lambda: {"tilt": 0.2},
    "PowerLawSpectralModel": lambda: {"index": 2.3},
    "TemplateSpectralModel": lambda: {
        "energy": {"data": [0.1, 0.5, 2.0, 10.0, 100.0], "unit": "TeV"},
        "values": {"data": [5e-10, 2e-11, 4e-13, 2e-14, 1e-17], "unit": "TeV-1 s-1 cm-2"},
    },
    "PiecewiseNormSpatialModel": _grid,
}
"""What models need that have no default for it, and what shows the shape of the others."""


def chosen(kind: type[ParametricModel]) -> str:
    """The values of a figure that are not the defaults, in words."""
    given = SETTINGS.get(kind.__name__, dict)()
    return ", ".join(f"{name} = {value}" for name, value in given.items() if name not in kind.setting_names)


def model_figure(kind: type[ParametricModel]) -> str | None:
    """The figure as SVG; None for a model whose values are in a file."""
    if "filename" in kind.setting_names:
        return None
    model = kind(**SETTINGS.get(kind.__name__, dict)())
    with mpl.rc_context({"svg.hashsalt": kind.__name__, "svg.fonttype": "none", "font.size": 10}):
        figure = Figure(figsize=(5.2, 3.4), layout="constrained")
        axes = figure.add_subplot()
        if isinstance(model, SpectralModel):
            _spectrum(axes, model)
        elif isinstance(model, SpatialModel):
            _image(figure, axes, model)
        elif isinstance(model, TemporalModel):
            _times(axes, model)
        svg = io.StringIO()
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return svg.getvalue()


def _spectrum(axes: Axes, model: SpectralModel) -> None:
    energy = np.geomspace(0.1, 100.0, 200)
    values = np.asarray(model(energy))
    shown = values if model.is_norm else energy**2 * values * 1.602176634
    axes.plot(energy, shown, color=_CURVE, lw=2)
    axes.set_xscale("log")
    if (shown > 0).all() and shown.max() > 3 * shown.min():
        axes.set_yscale("log")
        axes.set_ylim(max(shown.min(), shown.max() * 1e-6) / 2, shown.max() * 2)
    axes.set_xlabel("E [TeV]")
    axes.set_ylabel("factor" if model.is_norm else "E² dN/dE [erg cm⁻² s⁻¹]")
    axes.grid(alpha=0.3)


def _image(figure: Figure, axes: Axes, model: SpatialModel) -> None:
    half = 2.0 * max([p.value for p in model.parameters if p.unit == "deg" and "_0" not in p.name], default=1.0) or 1.0
    side = np.linspace(-half, half, 201)
    lon, lat = np.meshgrid(side, side)
    if isinstance(model, gm.PointSpatialModel):
        axes.plot(0, 0, "o", color=_CURVE)
        axes.set(xlim=(half, -half), ylim=(-half, half))
    else:
        image = axes.pcolormesh(lon, lat, np.asarray(model.at(lon % 360.0, lat)), cmap="viridis", rasterized=True)
        figure.colorbar(image, ax=axes, label="density [sr⁻¹]")
        axes.invert_xaxis()
    axes.set(xlabel="longitude [deg]", ylabel="latitude [deg]", aspect="equal")


def _times(axes: Axes, model: TemporalModel) -> None:
    elapsed = np.linspace(-2.0, 4.0, 400)
    with np.errstate(all="ignore"):
        values = np.asarray(model.evaluate(elapsed, model.values()))
    axes.plot(elapsed, np.where(np.isfinite(values), values, np.nan), color=_CURVE, lw=2)
    axes.axvline(0.0, color=_BAND, lw=0.8)
    axes.set(xlabel="time since the reference [d]", ylabel="factor")
    axes.grid(alpha=0.3)
