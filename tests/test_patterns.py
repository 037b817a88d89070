"""Names that shell patterns mean."""

from __future__ import annotations

import pytest

from gm import Datasets, Models
from gm.patterns import matching
from tests.samples import on_off, power_law


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ("run-*", ["run-1", "run-2"]),
        (["run-2", "run-1"], ["run-1", "run-2"]),
        ("run [1]", ["run [1]"]),
        ("run [[]1]", ["run [1]"]),
        (["run [1]", "run-[2]"], ["run-2", "run [1]"]),
        ("nothing", []),
    ],
)
def test_a_name_means_itself_before_it_is_a_pattern(patterns: str | list[str], expected: list[str]) -> None:
    assert matching(["run-1", "run-2", "run [1]", "run 1"], patterns) == expected


def test_datasets_and_parameters_are_found_by_names_with_brackets() -> None:
    datasets = Datasets([on_off("run [1]"), on_off("run 1")])
    assert datasets.select("run [1]").names == ["run [1]"]

    models = Models([power_law("HESS J1825 [A]"), power_law("HESS J1825 A")])
    first = [models.parameters.addresses[k] for k in models.addresses().match("HESS J1825 [A].*")]
    assert first == ["HESS J1825 [A].index", "HESS J1825 [A].amplitude", "HESS J1825 [A].reference"]
