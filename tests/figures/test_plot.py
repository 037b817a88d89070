"""Figures: what is asked for is drawn from the files of results, the same bytes again, and what cannot be is told."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import gm
from gm.cli import main
from gm.figures.counts import Counts, significance
from gm.figures.counts import _summed as summed
from gm.figures.labels import unit_label
from gm.figures.look import Look
from gm.figures.registry import draw, drawn_kinds, offers
from gm.figures.residual_map import ResidualImage, joined
from gm.figures.results import Result
from gm.maps.geometry import WcsGeometry
from gm.pipeline.stages.registry import STAGES
from tests.map_samples import background, cube, point, source
from tests.samples import flux_points, on_off, power_law

CONFIG = """\
version: 1
datasets: datasets.yaml
models: models.yaml
output: results
fit: {contours: [[other.amplitude, other.index]]}
flux_points:
  - {source: other, energy_edges: [1 TeV, 3 TeV, 10 TeV, 1000 TeV]}
profiles:
  - {parameter: other.index, name: index, sigma: 3, n: 7}
maps:
  - {type: residual, name: residual, correlation_radius: 0.2 deg}
"""
FIGURES = (
    "sed",
    "counts",
    "residual-map",
    "residual-histogram",
    "correlation",
    "contours",
    "profiles",
    "sky-map",
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a map, a spectrum and flux points, with all that figures are drawn of."""
    folder = tmp_path_factory.mktemp("plot")
    gm.Datasets([cube("cube"), on_off("run"), flux_points("old")]).write(folder / "datasets.yaml")
    star = source("star", point(), datasets_names=["cube"])
    gm.Models([star, background("cube"), power_law("other", datasets_names=["run", "old"])]).write(
        folder / "models.yaml"
    )
    (folder / "config.yaml").write_text(CONFIG)
    assert call("run", "-q", str(folder / "config.yaml")) == 0
    return folder / "results"


def call(*arguments: str) -> Any:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure(results: Path, tmp_path: Path, figure: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / f"{figure}.svg"
    assert call("plot", str(results), "-k", figure, "-o", str(file)) == 0
    assert capsys.readouterr().out == f"{file}\n"
    text = file.read_text()
    assert text.rstrip().endswith("</svg>")
    assert "<dc:date>" not in text


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_the_same_bytes_again(results: Path, tmp_path: Path, kind: str, start: bytes) -> None:
    file = tmp_path / f"figure.{kind}"
    found = []
    for _ in range(2):
        assert call("plot", str(results / "fit/fit.yaml"), "-o", str(file), "-q") == 0  # the second replaces the first
        found.append(file.read_bytes())
    assert found[0].startswith(start)
    assert found[0] == found[1]


def test_what_is_in_an_sed(results: Path) -> None:
    """Bands, points that were fitted, and flux points of another result, in the units that were asked for."""
    axes = gm.plot(results / "fit/fit.yaml", results / "flux_points/other-sed.yaml", energy="GeV", flux="TeV cm-2 s-1")
    labels = axes.get_legend_handles_labels()[1]
    assert sorted(labels) == ["old", "other", "other-sed", "star"]
    assert axes.get_xlabel() == r"Energy [$\mathrm{GeV}$]"
    assert axes.get_ylabel().endswith(r"[$\mathrm{TeV}\,\mathrm{cm}^{-2}\,\mathrm{s}^{-1}$]")
    line = next(line for line in axes.get_lines() if line.get_label() == "other")
    energy, flux = (np.asarray(values) for values in line.get_data())
    model = gm.Models.read(results / "fit/models.yaml")["other"].spectral_model
    np.testing.assert_allclose(flux, (energy / 1000) ** 2 * model(energy / 1000), rtol=1e-9)
    assert axes.get_xscale() == axes.get_yscale() == "log"


def test_what_is_in_a_light_curve() -> None:
    """Fluxes with errors, limits as arrows, and the constant that fits best."""
    numbers = (
        (1.0, 2.0, 4.0, 1.0, 6.0),
        (2.0, 4.0, 2.0, 0.5, 3.0),
        (4.0, 5.0, 0.1, 1.0, 2.0),
        (None,) * 5,
        (None,) * 5,
    )
    names = ("time_min_utc", "time_max_utc", "flux", "flux_err", "flux_ul")
    statuses = ("ok", "ok", "upper_limit", "failed", "ok")
    rows = [
        {"status": status, **dict(zip(names, row, strict=True))} for status, row in zip(statuses, numbers, strict=True)
    ]
    document = {"name": "lc", "points": [{"e_min": 1.0, "e_max": 10.0, **row} for row in rows]}
    (part,) = offers("light-curve")["light-curve"](Result("light-curve", document, Path()), Look())
    assert part.flux.tolist() == [4.0, 2.0, 0.1]
    assert part.is_limit.tolist() == [False, False, True]
    assert part.mean() == pytest.approx((4.0 + 2.0 * 4) / 5)
    with Look().applied():
        (axes,) = draw(Figure(), "light-curve", [part], Look())
    assert axes.get_legend_handles_labels()[1] == ["lc, 1 - 10 TeV"]
    assert axes.get_ylim()[0] == 0.0


def test_two_results_of_one_name(results: Path, tmp_path: Path) -> None:
    """They are told apart by the folder of their results."""
    other = tmp_path / "second"
    assert call("fit", "-q", str(results.parent / "config.yaml"), "-o", str(other)) == 0
    axes = gm.plot(results / "fit/fit.yaml", other / "fit/fit.yaml", components=["other"], datasets=[])
    assert axes.get_legend_handles_labels()[1] == ["other (results)", "other (second)"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-k", "sedd"], "no figure 'sedd' is drawn of"),
        (["-o", "figure.jpeg"], "figures are pdf, svg or png"),
        (["--flux-unit", "m"], "unit 'm'"),
        (["--style", "no-such-style"], "style 'no-such-style'"),
        (["-k", "sed", "--datasets", "none", "--components", "none"], "hold nothing for sed"),
    ],
)
def test_what_cannot_be_drawn(
    results: Path, tmp_path: Path, monkeypatch: Any, capsys: Any, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("plot", str(results / "fit/fit.yaml"), *arguments) == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_files_of_others_stay(results: Path, tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "mine.png"
    file.write_bytes(b"mine")
    assert call("plot", str(results / "fit/fit.yaml"), "-o", str(file)) == 2
    assert "no figure of gm" in capsys.readouterr().err
    assert file.read_bytes() == b"mine"
    assert call("plot", str(results / "fit/fit.yaml"), "-o", str(file), "--force") == 0
    assert file.read_bytes().startswith(b"\x89PNG")


def test_files_that_are_no_results(results: Path, tmp_path: Path, capsys: Any) -> None:
    assert call("plot", str(results / "fit/models.yaml"), "-o", str(tmp_path / "a.png")) == 3
    assert "no figure is drawn of it" in capsys.readouterr().err
    assert call("plot", str(tmp_path), "-o", str(tmp_path / "a.png")) == 4
    assert "no result in this folder" in capsys.readouterr().err


def test_without_matplotlib(results: Path, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert call("plot", str(results / "fit/fit.yaml"), "-o", str(tmp_path / "a.png")) == 2
    assert 'pip install "gamma-global-model[plot]"' in capsys.readouterr().err


def test_every_module_is_for_a_kind_of_document() -> None:
    kinds = {stage.kind for stage in STAGES}
    assert set(drawn_kinds()) <= kinds
    for kind in drawn_kinds():
        assert offers(kind)


def test_datasets_on_the_same_energies_are_summed() -> None:
    edges = np.array([1.0, 2.0]), np.array([2.0, 4.0])
    one, two = np.array([3.0, 1.0]), np.array([2.5, 1.5])
    parts = [Counts(f"run-{k}", *edges, one, two, two / 2, one - two, {"crab": two / 2}) for k in range(7)]
    (total,) = summed(parts)
    np.testing.assert_allclose(total.counts, 7 * one)
    np.testing.assert_allclose(total.components["crab"], 3.5 * two)
    np.testing.assert_allclose(total.residual, significance(7 * one, 7 * two))
    assert total.label == "run-0 and 6 more"


def test_images_on_the_same_pixels_are_summed() -> None:
    """Cut-outs of one grid: each pixel holds the counts of the same sky."""
    whole = WcsGeometry.create(83.0, 22.0, 0.1, shape=(12, 14))
    cards = dict(whole.cards)
    shifted = {**cards, "CRPIX1": cards["CRPIX1"] - 3, "CRPIX2": cards["CRPIX2"] + 2}
    first = ResidualImage("one", whole, np.full(whole.shape, 2.0), np.ones(whole.shape))
    second = ResidualImage("two", WcsGeometry((5, 6), shifted), np.ones((5, 6)), np.ones((5, 6)))
    other = ResidualImage("three", WcsGeometry.create(84.5, 22.0, 0.07, shape=(4, 4)), np.ones((4, 4)), np.ones((4, 4)))
    total, alone = joined([first, second, other])
    assert alone is other
    assert total.counts.sum() == 2 * 12 * 14 + 30
    for part, each in ((first, 2.0), (second, 1.0)):
        y, x = total.geometry.index(*part.geometry.sky(np.array([0.0, 3.0]), np.array([0.0, 4.0])))
        assert (total.counts[y, x] >= each).all()
        assert (total.predicted[y, x] >= 1.0).all()


def test_units_are_written_with_exponents() -> None:
    assert unit_label("cm-2 s-1 TeV-1") == r"$\mathrm{cm}^{-2}\,\mathrm{s}^{-1}\,\mathrm{TeV}^{-1}$"
    assert unit_label("erg cm-2 s-1") == r"$\mathrm{erg}\,\mathrm{cm}^{-2}\,\mathrm{s}^{-1}$"
    assert unit_label("") == ""


def test_dark_figures_are_dark(results: Path) -> None:
    axes = gm.plot(results / "fit/fit.yaml", scheme="dark")
    assert axes.get_facecolor()[:3] == pytest.approx((0x14 / 255, 0x17 / 255, 0x1A / 255))
    assert Look(scheme="dark").ink != Look().ink
