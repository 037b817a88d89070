"""A bounded number of mutated inputs; ``benchmarks/fuzz.py`` tries as many as one has time for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzzing import prepare, try_mutants

N_MUTANTS = 300


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("fuzz") / "corpus")


@pytest.mark.filterwarnings("default")  # warnings on damaged numbers are not what is tested
def test_mutated_inputs_end_as_the_contract_says(corpus: Path, tmp_path: Path) -> None:
    faults = [
        f"mutant {number} of {name}: gm {' '.join(ending.command)}: {ending.fault}\n{ending.told}"
        for number, name, ending in try_mutants(corpus, tmp_path / "scratch", 20261129, range(N_MUTANTS))
        if ending.fault
    ]
    assert not faults, "\n\n".join(faults)
