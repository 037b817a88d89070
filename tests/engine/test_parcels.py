"""Datasets on their way to workers: the file that a worker sees has to be the one that the fit started with."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import gm
from gm.datasets import write_dataset
from gm.engine.parcels import FromFile, Packing, Whole, travels, unseen
from gm.io.files import sha256
from tests.samples import on_off


def listed(folder: Path, filename: str = "pha_obsrun.fits") -> gm.Dataset:
    entry = f"{{name: run, type: SpectrumDatasetOnOff, filename: {filename}}}"
    (folder / "datasets.yaml").write_text(f"datasets: [{entry}]\n")
    return gm.Datasets.read(folder / "datasets.yaml")[0]


@pytest.fixture
def ogip(tmp_path: Path) -> gm.Dataset:
    """A spectrum with its response and background files."""
    write_dataset(on_off("run").with_(livetime=600.0), tmp_path / "pha_obsrun.fits", "ogip")
    return listed(tmp_path)


def packed(dataset: gm.Dataset) -> FromFile:
    parcel = Packing().pack(dataset)
    assert isinstance(parcel, FromFile)
    assert unseen([parcel]) == []
    return parcel


def test_a_file_of_the_same_size_that_holds_something_else(tmp_path: Path) -> None:
    """As a copy of another version on the disk of a node: numbers would be others, and nobody would know."""
    gm.Datasets([on_off("run", seed=1)]).write(tmp_path)
    read = gm.Datasets.read(tmp_path / "datasets.yaml")
    file = Path(packed(read[0]).path)
    parcel, size = packed(read[0]), file.stat().st_size
    gm.Datasets([on_off("run", seed=2)]).write(tmp_path, overwrite=True)
    assert file.stat().st_size == size
    assert unseen([parcel]) == [f"run: {file}: holds something else than where the command runs"]


@pytest.mark.parametrize("kind", ["arf", "bkg", "rmf"])
def test_files_that_a_file_names(ogip: gm.Dataset, kind: str) -> None:
    parcel = packed(ogip)
    (file,) = (Path(path) for path in parcel.hashes if kind in path)
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"x")
    assert unseen([parcel]) == [f"run: {file}: holds something else than where the command runs"]
    file.unlink()
    assert unseen([parcel]) == [f"run: {file}: No such file or directory"]
    assert len(parcel.hashes) == 4


def test_files_that_are_found_from_the_working_directory_alone(
    ogip: gm.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker has another one: the dataset travels itself."""
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "pha_obsrun.fits", tmp_path / "elsewhere" / "pha_obsrun.fits")
    monkeypatch.chdir(tmp_path)
    read = listed(tmp_path, "elsewhere/pha_obsrun.fits")
    assert isinstance(Packing().pack(read), Whole)
    assert travels(read)


def test_a_file_that_was_written_anew_is_hashed_anew(tmp_path: Path) -> None:
    packing = Packing()
    for seed in (1, 2):
        gm.Datasets([on_off("run", seed=seed)]).write(tmp_path, overwrite=True)
        read = gm.Datasets.read(tmp_path / "datasets.yaml")
        assert unseen([packing.pack(read[0])]) == []


def test_a_file_that_many_name_is_read_once(ogip: gm.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the response of all runs; what is wrong with it is told of each."""
    parcel = packed(ogip)
    others = [FromFile(replace(parcel.entry, name=f"run-{k}"), parcel.hashes, {}) for k in range(3)]
    asked = list[str]()

    def counted(path: str) -> str:
        asked.append(path)
        return sha256(path)

    monkeypatch.setattr("gm.engine.parcels.sha256", counted)
    assert unseen(others) == []
    assert sorted(asked) == sorted(parcel.hashes)
    (response,) = (path for path in parcel.hashes if "rmf" in path)
    Path(response).unlink()
    assert unseen(others) == [f"run-{k}: {response}: No such file or directory" for k in range(3)]
