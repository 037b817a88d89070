"""A bounded number of mutated inputs; ``benchmarks/fuzz.py`` tries as many as one has time for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.fuzzing import Ending, prepare, try_mutants
from tests.fuzzing_results import commands_on, files_and_drafts, prepare_results

N_MUTANTS, N_RESULTS = 300, 100


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("fuzz") / "corpus")


@pytest.mark.filterwarnings("default")  # warnings on damaged numbers are not what is tested
def test_mutated_inputs_end_as_the_contract_says(corpus: Path, tmp_path: Path) -> None:
    check(try_mutants(corpus, tmp_path / "scratch", 20261129, range(N_MUTANTS)))


@pytest.mark.filterwarnings("default")
def test_mutated_results_and_drafts_end_as_the_contract_says(tmp_path: Path) -> None:
    corpus, scratch = prepare_results(tmp_path / "corpus"), tmp_path / "scratch"
    check(try_mutants(corpus, scratch, 20261130, range(N_RESULTS), files_and_drafts, commands_on))


def check(tried: Iterable[tuple[int, str, Ending]]) -> None:
    faults = [
        f"mutant {number} of {name}: gm {' '.join(ending.command)}: {ending.fault}\n{ending.told}"
        for number, name, ending in tried
        if ending.fault
    ]
    assert not faults, "\n\n".join(faults)
