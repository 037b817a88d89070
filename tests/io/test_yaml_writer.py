"""What the writer writes is what every reader reads, and equal data are equal text."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gm.config_schemas.reader import read_document
from gm.config_schemas.scalars import control_character
from gm.io.yaml_writer import WIDTH, dump_yaml
from tests.work import calls

UNICODE = st.text(st.characters(exclude_categories=["Cs"]), max_size=40).filter(
    lambda text: not control_character(text)
)
TRICKY = st.sampled_from(
    [
        *(
            "",
            "on",
            "No",
            "y",
            "null",
            "~",
            "23523",
            "1e-3",
            "3.0",
            "0x1f",
            "12:30:45",
            "2008-11-01",
            "1_000",
            ".5",
            ".inf",
        ),
        *("a: b", "a #b", "- a", "?", "*x", "&x", "!x", "%x", "@x", "`x", "|", ">", "{", "[a]", "a,b", "'", '"', "\\"),
        *(
            "a\nb",
            "\n",
            "\t",
            "\u2028",
            "\ufeff",
            "---",
            "...",
            "--- a",
            "cm-2 s-1 TeV-1",
            "../a b.fits",
        ),
        *(
            "$X/y",
            " a",
            "a ",
            "=",
            "<<",
            "None",
            "TRUE",
            "nan",
            "1 / sr",
            "*-bkg.tilt",
            "lambda_@Ab12",
            "é",
        ),
    ]
)
SCALARS = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | UNICODE | TRICKY
KEYS = UNICODE | TRICKY
DATA = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=30
)


def same(a: Any, b: Any) -> bool:
    """Equality by type and value, in order, where NaN equals NaN and zeros have signs."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    return bool(a == b)


@given(DATA)
def test_both_versions_of_yaml_read_back_what_was_written(data: Any) -> None:
    text = dump_yaml(data, allow_nan=True)
    assert same(read_document("x.yaml", text).data, data)
    assert same(yaml.safe_load(text), data)
    assert dump_yaml(data, allow_nan=True) == text


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | UNICODE, min_size=1), st.integers(0, 3))
def test_long_lines_are_broken_between_values(values: list[Any], depth: int) -> None:
    data: Any = values
    for _ in range(depth):
        data = {"key": data}
    for line in dump_yaml(data).splitlines():
        assert len(line) <= WIDTH or line.count(", ") <= 1 or '"' in line


def test_the_layout_of_a_result() -> None:
    data = {
        "schema": "gm/fit/1",
        "statistic": {"total": 454.32, "datasets": {"fermi": 31.2, "23523": 1.0}},
        "parameters": [
            {
                "name": "crab.amplitude",
                "value": 3.845e-11,
                "unit": "cm-2 s-1 TeV-1",
                "frozen": False,
                "minos": {"lower": -1e22},
            },
            {"name": "crab.index", "prior": {"type": "GaussianPrior", "parameters": [{"name": "mu", "value": 2}]}},
        ],
        "covariance": {"parameters": ["a", "b"], "matrix": [[1.0, 0.5], [0.5, 1.0]]},
        "warnings": [],
        "reason": None,
    }
    assert dump_yaml(data) == (
        "schema: gm/fit/1\n"
        'statistic: {total: 454.32, datasets: {fermi: 31.2, "23523": 1.0}}\n'
        "parameters:\n"
        "  - {name: crab.amplitude, value: 3.845e-11, unit: cm-2 s-1 TeV-1, frozen: false, minos: {lower: -1.0e+22}}\n"
        "  - name: crab.index\n"
        "    prior:\n"
        "      type: GaussianPrior\n"
        "      parameters:\n"
        "        - {name: mu, value: 2}\n"
        "covariance:\n"
        "  parameters: [a, b]\n"
        "  matrix:\n"
        "    - [1.0, 0.5]\n"
        "    - [0.5, 1.0]\n"
        "warnings: []\n"
        "reason: null\n"
    )


@pytest.mark.parametrize(
    ("value", "text"), [(3e-11, "3.0e-11"), (1.0, "1.0"), (1e22, "1.0e+22"), (0.1, "0.1"), (-0.0, "-0.0")]
)
def test_floats_are_short_and_have_a_point(value: float, text: str) -> None:
    assert dump_yaml({"a": value}) == f"a: {text}\n"


def test_arrays_tuples_and_paths_are_written_plainly() -> None:
    data = {
        "a": np.array([[1.5, 2.0]]),
        "b": np.float64(1.5),
        "c": np.int32(3),
        "d": np.bool_(True),
        "e": (1, 2),
        "f": Path("x/y"),
    }
    assert read_document("x.yaml", dump_yaml(data)).data == {
        "a": [[1.5, 2.0]],
        "b": 1.5,
        "c": 3,
        "d": True,
        "e": [1, 2],
        "f": "x/y",
    }


@pytest.mark.parametrize("value", [math.nan, math.inf, np.float64("nan"), np.array([1.0, math.nan])])
def test_what_does_not_exist_is_none_not_nan(value: Any) -> None:
    with pytest.raises(ValueError, match="has no place in a result file: use None"):
        dump_yaml({"a": [value]})


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        ({1: 2}, TypeError, "a key must be a string, found 1"),
        ({"a": object()}, TypeError, "object has no plain YAML form"),
        ({"a": b"x"}, TypeError, "bytes has no plain YAML form"),
        ({"a": "\ud800"}, ValueError, "is not Unicode text"),
    ],
)
def test_what_yaml_cannot_hold_is_refused(value: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        dump_yaml(value)


def test_writing_takes_work_in_proportion_to_the_datasets() -> None:
    row = {"type": "SpectrumDatasetOnOff", "bins": 18, "counts": 2916, "predicted": 2910.4, "statistic": 31.2}
    data = {n: {"datasets": [{"name": f"run-{i}", **row} for i in range(n)]} for n in (100, 1000)}
    assert 100 < calls(lambda: dump_yaml(data[1000])) < 10.5 * calls(lambda: dump_yaml(data[100]))
