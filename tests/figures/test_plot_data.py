"""``gm plot`` of data: spectra, maps, SED tables and lists of datasets draw what their objects draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gm
from gm.cli import main
from gm.datasets.files.formats import write_dataset
from gm.figures.look import figure_bytes
from tests.map_samples import cube
from tests.samples import flux_points, on_off

matplotlib = pytest.importorskip("matplotlib", reason="figures need Matplotlib")


def code_of(*arguments: object) -> object:
    """Of the command, as the entry point runs it."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of a map, two spectra and flux points; the first spectrum as an OGIP file too."""
    folder = tmp_path_factory.mktemp("data")
    gm.Datasets([cube("cube"), on_off("run", 1), on_off("other", 2), flux_points("old")]).write(
        folder / "datasets.yaml"
    )
    write_dataset(on_off("run", 1, livetime=1800.0), folder / "pha_run.fits", "ogip")
    return folder


@pytest.mark.parametrize("kind", ["counts", "residual-map", "sed"])
def test_a_list_of_datasets_draws_itself(data: Path, kind: str) -> None:
    axes = gm.Datasets.read(data / "datasets.yaml").plot(kind), gm.plot(data / "datasets.yaml", figure=kind)
    drawn = [figure_bytes(one.figure, "png") for one in axes]
    matplotlib.pyplot.close("all")
    assert drawn[0] == drawn[1]


def test_spectra_of_both_formats_and_patterns(data: Path) -> None:
    axes = gm.plot(data / "pha_run.fits")
    assert axes.texts[0].get_text() == "run"
    axes = gm.plot(data / "datasets.yaml", figure="counts", datasets=["oth*"])
    assert [text.get_text() for text in axes.texts] == ["other"]
    assert len(axes.figure.axes) == 2
    matplotlib.pyplot.close("all")


def test_data_share_a_figure_with_results(data: Path, tmp_path: Path) -> None:
    """Published points beside those of a result, in a file whose name tells the first."""
    gm.FluxPoints.read(data / "old.fits").write(tmp_path / "points.yaml")
    axes = gm.plot(tmp_path / "points.yaml", data / "old.fits", data / "datasets.yaml", figure="sed")
    assert len(axes.get_legend_handles_labels()[1]) == 3
    matplotlib.pyplot.close("all")


def test_the_command(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert code_of("plot", data / "pha_run.fits") == 0
    assert capsys.readouterr().out == "pha_run-counts.pdf\n"
    assert (tmp_path / "pha_run-counts.pdf").is_file()


REFUSED = [
    (["pha_run.fits", "-k", "sed"], 2, "no figure 'sed' is drawn of datasets\n    figures: counts"),
    (["datasets.yaml", "--datasets", "x*"], 2, "no dataset matches x*: cube, run, other, old"),
    (["pha_run_arf.fits"], 4, "pha_run_arf.fits: no dataset and no SED table"),
    (["config.yaml"], 3, "config.yaml:1:1: $: this is a config file, and no figure is drawn of it\n    gm run makes"),
    (
        ["models.yaml"],
        3,
        "models.yaml:1:1: $: this is a models file, and no figure is drawn of it\n    figures are drawn",
    ),
    (["text.yaml"], 3, "text.yaml:1:1: $: no result of gm"),
    (["nothing.fits"], 4, "nothing.fits: No such file"),
]


@pytest.mark.parametrize(("words", "code", "message"), REFUSED)
def test_what_cannot_be_drawn(
    data: Path, words: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "config.yaml").write_text("version: 1\ndatasets: datasets.yaml\nmodels: models.yaml\n")
    (data / "models.yaml").write_text("components: []\n")
    (data / "text.yaml").write_text("a: 1\n")
    assert code_of("plot", data / words[0], *words[1:]) == code
    assert message in capsys.readouterr().err


def test_a_dataset_without_bins_has_no_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_dataset(on_off("run", mask_safe=np.zeros(6, dtype=bool)), tmp_path / "run.fits")
    assert code_of("plot", tmp_path / "run.fits") == 2
    assert "none of the bins of the datasets enters" in capsys.readouterr().err
