#!/usr/bin/env python
"""What one value and gradient costs, against datasets, bins, true energies, events and parameters.

    python benchmarks/bench_scaling.py

Writes ``results/scaling.md`` with the exponents and ``results/scaling.svg`` with the curves. Each point is the fastest
of some evaluations at new parameters, shapes included; an exponent is the slope of the last points in log-log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from alternate import table, write_results
from cases import DATA, RESULTS

from gm.datasets import Datasets, MapDataset, SpectrumDataset
from gm.datasets.operations import cutout
from gm.irf.parametric import CherenkovArray, log_normal_edisp
from gm.likelihood import JointLikelihood
from gm.maps.axes import EnergyAxis
from gm.models import GaussianSpatialModel, Models, PointSpatialModel, PowerLawSpectralModel, SkyModel

REPEATS = 15
TOLERANCE = 0.1  # of an exponent: what still counts as linear
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9")


@dataclass(frozen=True)
class Curve:
    """Seconds of one value and gradient against a size; ``linear`` is the exponent of growth in proportion."""

    name: str
    sizes: list[int]
    seconds: list[float]
    linear: int = 1

    @property
    def exponent(self) -> float:
        """Slope of the second half of the points, in log-log."""
        half = len(self.sizes) // 2
        return float(np.polyfit(np.log(self.sizes[half:]), np.log(self.seconds[half:]), 1)[0])


def seconds(datasets: Datasets, models: Models) -> float:
    """Least time of a value and gradient, each at parameters that were not seen before."""
    likelihood = JointLikelihood(datasets, models)
    start = likelihood.layout.start
    likelihood.value_and_gradient(start)
    times = []
    for k in range(REPEATS):
        vector = start * (1 + 1e-7 * (k + 1))
        begin = time.perf_counter()
        likelihood.value_and_gradient(vector)
        times.append(time.perf_counter() - begin)
    return min(times)


def curve(name: str, sizes: Iterable[int], make: Callable[[int], tuple[Datasets, Models]], *, linear: int = 1) -> Curve:
    measured = [(size, seconds(*make(size))) for size in sizes]
    return Curve(name, [size for size, _ in measured], [time for _, time in measured], linear)


def verdict(curves: list[Curve]) -> str:
    """Which curves are steeper than a straight line."""
    steep = [f"{c.name} ({c.exponent:.2f})" for c in curves if c.exponent > c.linear + TOLERANCE]
    found = "these do: " + ", ".join(steep) if steep else "none does"
    return f"Faster than linear is an exponent more than {TOLERANCE:g} above 1, or 2 for pixels per side: {found}.\n"


def msh() -> tuple[MapDataset, Models]:
    """One H.E.S.S. run, and an extended source with everything free."""
    run = Datasets.read(DATA / "reference/hess-msh1552-runs/datasets.yaml")[0]
    assert isinstance(run, MapDataset)
    shape = GaussianSpatialModel(lon_0="228.55 deg", lat_0="-59.17 deg", sigma="0.06 deg", frame="icrs")
    spectrum = PowerLawSpectralModel(index=2.3, amplitude="7e-12 cm-2 s-1 TeV-1")
    return run, Models([SkyModel(name="msh", spectral_model=spectrum, spatial_model=shape)])


def datasets(n: int) -> tuple[Datasets, Models]:
    """Runs with responses of their own, from 20 on again the first."""
    runs = Datasets.read(DATA / "reference/hess-msh1552-runs/datasets.yaml")
    return Datasets(runs[k % len(runs)].with_(name=f"run-{k}") for k in range(n)), msh()[1]


def bins(width: int) -> tuple[Datasets, Models]:
    """A square of ``width`` pixels of 0.02 deg around the source."""
    run, models = msh()
    center, width_deg = ("228.55 deg", "-59.17 deg"), f"{0.02 * width} deg"
    chosen = cutout(Datasets([run]), models, run.name, name="cut", center=center, width=width_deg)
    return chosen.datasets, chosen.models


def events(percent: int) -> tuple[Datasets, Models]:
    """The run with its events thinned out or multiplied, drawn from its background."""
    run, models = msh()
    counts = np.random.default_rng(1).poisson(np.asarray(run.background) * percent / 100).astype(np.float32)
    return Datasets([run.with_(counts=counts)]), models


def true_energies(n: int) -> tuple[Datasets, Models]:
    """A spectrum with ``n`` bins of true energy."""
    array = CherenkovArray()
    energy = EnergyAxis(np.geomspace(0.5, 50.0, 31))
    true = EnergyAxis(np.geomspace(0.1, 100.0, n + 1), "energy_true")
    spectrum = SpectrumDataset(
        name="array",
        energy=energy,
        energy_true=true,
        counts=np.random.default_rng(1).poisson(20.0, energy.n_bins).astype(float),
        exposure=array.exposure(true.edges, 1e5),
        edisp=log_normal_edisp(true.edges, energy.edges, array.resolution),
    )
    return Datasets([spectrum]), Models([SkyModel(name="source", spectral_model=PowerLawSpectralModel())])


def parameters(n_free: int) -> tuple[Datasets, Models]:
    """The Fermi Crab cube with points that have four free parameters each, two of the spectrum and the position."""
    chosen = Datasets.read(DATA / "reference/fermi-3fhl-crab/datasets.yaml")
    lon, lat = 184.55, -5.78
    sources = [
        SkyModel(
            name=f"s{k}",
            spectral_model=PowerLawSpectralModel(index=2.2, amplitude="1e-12 cm-2 s-1 TeV-1"),
            spatial_model=PointSpatialModel(
                lon_0=f"{lon + 0.3 * (k % 5 - 2)} deg", lat_0=f"{lat + 0.3 * (k // 5 - 1)} deg", frame="galactic"
            ),
        )
        for k in range(n_free // 4)
    ]
    return chosen, Models(sources)


def svg(curves: list[Curve]) -> str:
    """The curves in log-log, both axes relative to their first point."""
    width, height, left, bottom = 640, 420, 60, 50
    x_max = max(np.log2(c.sizes[-1] / c.sizes[0]) for c in curves)
    y_max = max(x_max, max(np.log2(c.seconds[-1] / c.seconds[0]) for c in curves))

    def place(x: float, y: float) -> str:
        return (
            f"{left + x / x_max * (width - left - 20):.1f},{height - bottom - y / y_max * (height - bottom - 20):.1f}"
        )

    size = f'width="{width}" height="{height}"'
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">']
    lines.append(f'<rect {size} fill="white"/>')
    lines.append(
        f'<polyline points="{place(0, 0)} {place(x_max, x_max)}" stroke="#999" stroke-dasharray="4" fill="none"/>'
    )
    for k, (line, color) in enumerate(zip(curves, COLORS, strict=True)):
        points = [
            place(np.log2(size / line.sizes[0]), max(np.log2(t / line.seconds[0]), 0.0))
            for size, t in zip(line.sizes, line.seconds, strict=True)
        ]
        lines.append(f'<polyline points="{" ".join(points)}" stroke="{color}" stroke-width="2" fill="none"/>')
        label = f"{line.name}: exponent {line.exponent:.2f}"
        lines.append(f'<text x="{left + 12}" y="{36 + 18 * k}" fill="{color}">{label}</text>')
    axis = f"size over the smallest, 1 to {2**x_max:.0f} (log)"
    lines.append(f'<text x="{width / 2 - 100}" y="{height - 16}">{axis}</text>')
    up = f'transform="rotate(-90)" x="{-height / 2 - 80}" y="24"'
    lines.append(f"<text {up}>time over that of the smallest (log)</text>")
    lines.append(f'<text x="{width - 130}" y="{height - bottom - 8}" fill="#999">dashed: linear</text></svg>')
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure every curve, write ``results/scaling.*``."""
    curves = [
        curve("datasets", [1, 2, 4, 8, 16, 32, 64], datasets),
        curve("pixels per side of a map", [50, 70, 100, 140, 200], bins, linear=2),
        curve("true energies", [25, 50, 100, 200, 400, 800], true_energies),
        curve("events, percent of the run", [25, 50, 100, 200, 400, 800], events),
        curve("free parameters", [4, 8, 16, 32, 64], parameters),
    ]
    rows = [
        [c.name, ", ".join(map(str, c.sizes)), ", ".join(f"{t * 1e3:.3g}" for t in c.seconds), f"{c.exponent:.2f}"]
        for c in curves
    ]
    text = "# Cost of one value and gradient\n\nEach at parameters not seen before. Pixels are counted per side, "
    text += "so that linear in bins is an exponent of 2.\n\n"
    text += table(["against", "sizes", "ms", "exponent"], rows) + "\n" + verdict(curves) + "\n![curves](scaling.svg)\n"
    write_results("scaling", {"curves": [vars(c) | {"exponent": c.exponent} for c in curves]}, text)
    (RESULTS / "scaling.svg").write_text(svg(curves))


if __name__ == "__main__":
    main()
