"""Hashes of inputs, and what they say about a result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gm.io.fits_writer import write_fits
from gm.io.tables import Column, Table
from gm.pipeline.analysis.paths import data_file
from gm.pipeline.commands.deps import makefile
from gm.pipeline.inputs import fingerprint, labels, stage_inputs, why_stale, with_companions

FILES = {"models.yaml": "a", "run.fits": "b"}


def test_fingerprints_see_content_only() -> None:
    assert fingerprint({"a": 1, "b": [2.0]}) == fingerprint({"b": [2.0], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


@pytest.mark.parametrize(
    ("config", "files", "reason"),
    [
        ({"x": 1}, FILES, ""),
        ({"x": 2}, FILES, "config changed"),
        ({"x": 1}, {**FILES, "run.fits": "c"}, "run.fits changed"),
        ({"x": 1}, {**FILES, "new.fits": "c"}, "new.fits is new"),
        ({"x": 1}, {"models.yaml": "a"}, "run.fits is gone"),
        ({"x": 2}, {"models.yaml": "z"}, "config changed, models.yaml changed, run.fits is gone"),
        ({"x": 2}, {"1": "z", "2": "z"}, "config changed, 1 is new and 3 more changes"),
    ],
)
def test_why_a_result_is_out_of_date(config: object, files: dict[str, str], reason: str) -> None:
    assert why_stale(stage_inputs({"x": 1}, FILES), stage_inputs(config, files)) == reason


@pytest.mark.parametrize("recorded", [None, 3, {}, {"files": []}])
def test_a_result_without_a_record_is_out_of_date(recorded: object) -> None:
    assert why_stale(recorded, stage_inputs({}, {})) == "the result does not say what it was made from"


def test_another_version_makes_results_anew() -> None:
    recorded = {**stage_inputs({}, {}), "gm": "0.0.1"}
    assert why_stale(recorded, stage_inputs({}, {})).startswith("made by gm 0.0.1")


def test_files_are_called_by_where_they_are_seen_from(tmp_path: Path) -> None:
    files = [tmp_path / "results" / "a", tmp_path / "b", tmp_path / "sub" / "c", Path("/else/where")]
    assert labels(files, tmp_path / "results", tmp_path) == ["a", "b", "sub/c", "/else/where"]


def test_files_beside_the_config_folder_are_named_as_in_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for config in (Path(), tmp_path / "here", Path("../here")):
        files = [config / "../data/more/../run.fits", tmp_path / "here" / "run.fits"]
        assert labels(files, config / "results", config) == ["../data/run.fits", "run.fits"]


def test_ogip_companions_are_found(shared: Path) -> None:
    folder = shared / "data" / "joint-crab" / "spectra" / "hess"
    found = with_companions(folder / "pha_obs23523.fits")
    assert sorted(path.name for path in found) == [
        f"{kind}_obs23523.fits" for kind in ("arf", "bkg", "pha", "rmf")
    ]  # fmt: skip


def test_only_an_ogip_spectrum_has_companions(tmp_path: Path) -> None:
    """What comes first decides: a spectrum with the cards that name its files, or the axes of a GADF dataset."""
    counts = np.zeros(2, np.int32)
    pha = Table("SPECTRUM", (Column("COUNTS", counts),), {"ANCRFILE": "arf.fits", "BACKFILE": "none"})
    axes = Table("COUNTS_BANDS", (Column("CHANNEL", counts),))
    (tmp_path / "arf.fits").write_text("")
    for name, tables, n_files in (
        ("pha", [pha, axes], 2),
        ("gadf", [axes, pha], 1),
        ("rmf", [Table("EBOUNDS", ())], 1),
    ):
        for suffix in (".fits", ".fits.gz"):
            file = tmp_path / f"{name}{suffix}"
            write_fits(file, tables)
            assert with_companions(file) == [file, tmp_path / "arf.fits"][:n_files]
    (tmp_path / "text.fits").write_text("no spectrum")
    assert with_companions(tmp_path / "text.fits") == [tmp_path / "text.fits"]


def test_data_files_are_beside_the_document_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.fits").write_text("")
    (tmp_path / "sub").mkdir()
    assert data_file(tmp_path / "sub", "here.fits") == Path("here.fits")
    (tmp_path / "sub" / "here.fits").write_text("")
    assert data_file(tmp_path / "sub", "here.fits") == tmp_path / "sub" / "here.fits"
    monkeypatch.setenv("WHERE", "sub")
    assert data_file(tmp_path, "$WHERE/here.fits") == tmp_path / "sub" / "here.fits"


def test_names_are_escaped_for_make() -> None:
    rule = {"target": "my 100% $x.yaml", "inputs": ["a b", "c#d", "e:f"]}
    assert makefile([rule]) == "my\\ 100\\%\\ $$x.yaml: a\\ b \\\n  c\\#d \\\n  e\\:f"
