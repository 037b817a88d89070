"""The container, and datasets.yaml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from gm.datasets import Datasets, SpectrumDataset, dataset_entries, datasets_from_dict
from gm.errors import DataError, InvalidInput, JsonPath
from gm.maps.axes import EnergyAxis
from tests import samples
from tests.map_samples import cube


def spectrum(name: str) -> SpectrumDataset:
    axis = np.array([1.0, 2.0, 4.0])
    return SpectrumDataset(
        name=name,
        energy=EnergyAxis(axis),
        energy_true=EnergyAxis(axis, "energy_true"),
        counts=np.array([3.0, 1.0]),
        exposure=np.array([1e10, 1e10]),
    )


def test_datasets_are_a_list_with_names() -> None:
    datasets = Datasets(map(spectrum, ("hess-1", "hess-2", "fermi")))
    assert len(datasets) == 3
    assert datasets[0] is datasets["hess-1"] is next(iter(datasets))
    assert datasets[-1].name == "fermi"
    assert datasets[1:].names == ["hess-2", "fermi"]
    assert datasets.select("hess-*").names == ["hess-1", "hess-2"]
    assert datasets.select(["fermi", "*-1"]).names == ["hess-1", "fermi"]
    assert datasets.select("veritas").names == []
    with pytest.raises(DataError, match=r"no dataset 'fermy'\n.*did you mean 'fermi'"):
        datasets["fermy"]


def test_names_are_unique() -> None:
    with pytest.raises(DataError, match="two datasets are called 'a'"):
        Datasets([spectrum("a"), spectrum("b"), spectrum("a")])


def test_written_and_read_again(tmp_path: Path) -> None:
    datasets = Datasets([spectrum("with space"), spectrum("a/b")])
    datasets.write(tmp_path / "sub" / "my.yaml")
    assert yaml.safe_load((tmp_path / "sub" / "my.yaml").read_text())["datasets"][0] == {
        "name": "with space",
        "type": "SpectrumDataset",
        "filename": "with_space.fits",
    }
    assert Datasets.read(tmp_path / "sub" / "my.yaml").names == datasets.names
    with pytest.raises(DataError, match="exists already"):
        datasets.write(tmp_path / "sub" / "my.yaml")
    datasets.write(tmp_path / "sub" / "my.yaml", overwrite=True)


@pytest.mark.parametrize(
    ("names", "kinds", "format"),
    [
        (["run 1", "run_1", "RUN_1"], "sss", "gadf"),
        (["$HOME", "~", "_"], "sss", "gadf"),
        (["1", "pha_obs1"], "os", "gadf"),
        (["x", "x_bkg", "x_arf"], "ooo", "ogip"),
        (["datasets", "a/b"], "oo", "ogip"),
    ],
)
def test_every_dataset_has_files_of_its_own(tmp_path: Path, names: list[str], kinds: str, format: str) -> None:
    made = [
        (samples.spectrum(name, seed) if kind == "s" else samples.on_off(name, seed)).with_(livetime=3600.0)
        for seed, (name, kind) in enumerate(zip(names, kinds, strict=True))
    ]
    Datasets(made).write(tmp_path, format=format)
    found = Datasets.read(tmp_path / "datasets.yaml")
    assert found.names == names
    for dataset, other in zip(made, found, strict=True):
        np.testing.assert_array_equal(dataset.counts, other.counts)  # type: ignore[union-attr]
    with pytest.raises(DataError, match="exists already"):
        Datasets(made).write(tmp_path, format=format)


def test_a_file_that_is_still_to_be_read_is_not_replaced_by_another_dataset(tmp_path: Path) -> None:
    pair = [cube(name) for name in "ab"]
    Datasets(pair).write(tmp_path)
    unread = Datasets.read(tmp_path / "datasets.yaml")
    swapped = Datasets([unread["a"].with_(name="b"), unread["b"].with_(name="a")])
    with pytest.raises(DataError, match=r"is still to be read for dataset '\w', and would be replaced by dataset '\w'"):
        swapped.write(tmp_path, overwrite=True)
    unread.write(tmp_path, overwrite=True)  # each over itself


def test_arrays_of_a_file_that_was_changed_meanwhile_are_not_taken(tmp_path: Path) -> None:
    Datasets([cube("a")]).write(tmp_path)
    unread = Datasets.read(tmp_path / "datasets.yaml")["a"]
    os.utime(next(tmp_path.glob("*a.fits")), (1, 1))
    with pytest.raises(DataError, match="was changed by another program"):
        _ = unread.counts  # type: ignore[union-attr]


def test_the_name_in_the_document_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Datasets([spectrum("stored")]).write(tmp_path)
    monkeypatch.setenv("GM_SPECTRA", str(tmp_path))
    entry = {"name": "mine", "type": "SpectrumDataset", "filename": "$GM_SPECTRA/stored.fits"}
    assert datasets_from_dict({"datasets": [entry]}, Path("elsewhere")).names == ["mine"]
    monkeypatch.chdir(tmp_path)
    assert Datasets.read({"datasets": [entry | {"filename": "stored.fits"}]}).names == ["mine"]


ENTRY = {"name": "a", "type": "SpectrumDataset", "filename": "a.fits"}
BAD_DOCUMENTS: list[tuple[Any, JsonPath, str, str]] = [
    ([], ("datasets",), "no list of datasets", ""),
    ({"datasets": 3}, ("datasets",), "no list of datasets", ""),
    ({"datasets": [3]}, ("datasets", 0), "is not a mapping", ""),
    ({"datasets": [{"name": "a", "type": "SpectrumDataset"}]}, ("datasets", 0), "'filename' has to be a text", ""),
    ({"datasets": [ENTRY | {"name": 23523}]}, ("datasets", 0, "name"), "'name' has to be a text", ""),
    ({"datasets": [ENTRY | {"type": "SpectrumDataSet"}]}, ("datasets", 0, "type"), "are not read", "did you mean"),
    ({"datasets": [ENTRY | {"type": "MapDataSet"}]}, ("datasets", 0, "type"), "are not read", "'MapDataset'"),
    ({"datasets": [ENTRY | {"stat_type": "chi"}]}, ("datasets", 0, "stat_type"), "not a statistic", "'chi2'"),
    ({"datasets": [ENTRY, ENTRY]}, ("datasets", 1, "name"), "two datasets are called 'a'", "unique"),
]


@pytest.mark.parametrize(("data", "path", "message", "hint"), BAD_DOCUMENTS)
def test_problems_of_the_document_are_reported_with_their_place(
    data: Any, path: JsonPath, message: str, hint: str
) -> None:
    reported: list[tuple[JsonPath, str, str]] = []
    dataset_entries(data, Path(), lambda *problem: reported.append(problem))
    assert [problem[0] for problem in reported] == [path]
    assert message in reported[0][1]
    assert hint in reported[0][2]
    with pytest.raises(DataError, match=message):
        dataset_entries(data, Path())


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        dataset_entries({"datasets": [3, ENTRY, ENTRY, ENTRY | {"type": "MapDataset"}]}, tmp_path)
    assert str(raised.value).count("$.datasets[") == 3
    with pytest.raises(DataError) as raised:
        Datasets.read({"datasets": [ENTRY, ENTRY | {"name": "b", "filename": "b.fits"}]})
    assert str(raised.value).splitlines() == ["a.fits: no such file", "b.fits: no such file"]


def test_documents_are_read_strictly(tmp_path: Path) -> None:
    """A key that is given twice would lose datasets; every problem of the document has its place."""
    with pytest.raises(DataError, match="no such file"):
        Datasets.read(tmp_path / "absent.yaml")
    path = tmp_path / "twice.yaml"
    path.write_text("datasets:\n- {name: a, type: MapDataset, filename: a.fits}\ndatasets: []\n")
    with pytest.raises(InvalidInput, match=r"twice.yaml:3:1: .*'datasets' is given twice"):
        Datasets.read(path)
    path.write_text(
        "datasets:\n- {name: a, type: MapDatset, filename: a.fits}\n- {name: b, type: MapDataset, filename: b.fits}\n"
        "- {name: b, type: MapDataset, filename: b.fits, x: 1}\n"
    )
    with pytest.raises(InvalidInput) as raised:
        Datasets.read(path)
    assert [(problem.line, problem.path) for problem in raised.value.problems] == [
        (2, "$.datasets[0].type"),
        (4, "$.datasets[2].name"),
        (4, "$.datasets[2].x"),
    ]
