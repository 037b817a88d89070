"""Datasets and models as people hold them in a notebook: read from a file, shown, written without loss."""

from __future__ import annotations

from pathlib import Path

import pytest

from gm import Datasets, FluxPointsDataset, MapDataset, Models, SpectrumDataset, SpectrumDatasetOnOff
from gm.errors import DataError
from gm.html import html_table
from tests.samples import on_off, power_law, spectrum


def test_a_dataset_is_read_by_its_class(tmp_path: Path) -> None:
    on_off("a", 1).write(tmp_path / "a.fits")
    read = SpectrumDatasetOnOff.read(tmp_path / "a.fits")
    assert (type(read), read.name) == (SpectrumDatasetOnOff, "a")
    assert SpectrumDatasetOnOff.read(tmp_path / "a.fits", name="b").name == "b"
    with pytest.raises(DataError, match=r"a.fits: .*MapDataset"):
        MapDataset.read(tmp_path / "a.fits")
    with pytest.raises(DataError, match="no such file"):
        FluxPointsDataset.read(tmp_path / "none.fits")


def test_no_write_replaces_a_file_unasked(tmp_path: Path) -> None:
    dataset, models = spectrum("a", 1), Models([power_law("crab")])
    targets = {
        "a.fits": dataset.write,
        "models.yaml": models.write,
        "datasets.yaml": Datasets([spectrum("b", 2)]).write,
    }
    for name, write in targets.items():
        file = tmp_path / name
        write(file)
        before = file.read_bytes()
        with pytest.raises(DataError, match="exists already\n    pass overwrite=True"):
            write(file)
        assert file.read_bytes() == before
        write(file, overwrite=True)


def test_one_line_for_each() -> None:
    dataset: SpectrumDataset = spectrum("a", 1)
    low, high = dataset.energy_range()
    assert repr(dataset) == f"SpectrumDataset('a', {low:.4g} to {high:.4g} TeV, {dataset.shape[0]} bins)"
    assert repr(Datasets([dataset, on_off("b", 2)])) == "Datasets('a', 'b')"


def test_tables_in_a_notebook() -> None:
    datasets = Datasets([spectrum("a & b", 1), on_off("c", 2)])
    html = datasets._repr_html_()
    assert html.count("<tr>") == 3
    assert "a &amp; b" in html
    assert "<th>e min [TeV]</th>" in html
    assert datasets["c"]._repr_html_().count("<tr>") == 2
    models = Models([power_law("crab")]).with_parameters({"crab.index": {"min": 1, "max": 5}})
    assert "<td>crab.index</td>" in models._repr_html_()
    assert "1 to 5" in models._repr_html_()


def test_cells() -> None:
    assert html_table([{"a": 1.23456789, "b": None}, {"b": [1.0, 2]}]) == (
        "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>"
        "<tr><td>1.2346</td><td></td></tr><tr><td></td><td>1, 2</td></tr></tbody></table>"
    )
