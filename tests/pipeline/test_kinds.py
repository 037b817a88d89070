"""A file of another kind, given as a config, is called what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from gm.config_schemas.reader import read_document
from gm.errors import InvalidInput
from gm.pipeline.analysis.kinds import check_is_config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("components: []", "is a file of models, expected a config"),
        ("datasets: [{name: a, type: b, filename: c}]", "is a file of datasets, expected a config"),
        ("schema: gm/fit/1\nname: a", r"is a result \(gm/fit/1\), expected a config"),
        ("general: {log: {level: info}}\ndatasets: {type: 1d}", "is an AnalysisConfig of Gammapy, expected a config"),
        ("observations: {datastore: d}\ndatasets: {type: 3d}", "is an AnalysisConfig of Gammapy, expected a config"),
        ("datasets: {type: 1d}\nfit: {}", "is an AnalysisConfig of Gammapy, expected a config"),
        ("general: {}\ndataset1d: {}", "is a config of asgardpy, expected a config"),
        ("data: {}\nbinning: {}\nselection: {}", "is a config of fermipy, expected a config"),
    ],
)
def test_other_kinds_of_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as raised:
        check_is_config(read_document(tmp_path / "file.yaml", text))
    assert len(raised.value.problems) == 1


@pytest.mark.parametrize(
    "text", ["version: 1", "models: a", "[]", "fit: {}\ncomponents: []", "version: 1\ngeneral: {}", "{}"]
)
def test_a_config_with_a_fault_is_one(tmp_path: Path, text: str) -> None:
    check_is_config(read_document(tmp_path / "file.yaml", text))
