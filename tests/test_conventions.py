"""Conventions are a type: a word that is none is refused, in Python in the words of the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import gm
from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.conventions import Conventions
from gm.errors import UsageError
from gm.likelihood import JointLikelihood
from gm.likelihood.prediction import predict_component
from tests.samples import on_off, power_law

TAKES_CONVENTIONS: dict[str, Callable[[str], object]] = {
    "Conventions": Conventions,
    "Fit": lambda word: gm.Fit(gm.Datasets([on_off()]), word),
    "FluxPointsEstimator": lambda word: gm.FluxPointsEstimator(source="source", conventions=word),
    "JointLikelihood": lambda word: JointLikelihood(gm.Datasets([on_off()]), gm.Models([power_law()]), word),
    "predict_component": lambda word: predict_component(on_off(), power_law(), word),
}


@pytest.mark.parametrize("name", TAKES_CONVENTIONS)
def test_a_misspelt_word_is_refused_as_in_a_config(name: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("version: 1\nconventions: exakt\n")
    (problem,) = (p for p in check(read_document(file), "config") if p.path == "$.conventions")
    with pytest.raises(UsageError) as caught:
        TAKES_CONVENTIONS[name]("exakt")
    assert str(caught.value) == f"{problem.message}; {problem.hint}"


def test_words_and_members_are_the_same() -> None:
    assert [member.value for member in Conventions] == ["gammapy", "exact"]
    assert gm.Fit(gm.Datasets([on_off()]), "exact").conventions is Conventions.EXACT
    assert JointLikelihood(gm.Datasets([on_off()]), gm.Models([power_law()]), "exact").conventions is Conventions.EXACT
