"""Mutated inputs in any number: ``python benchmarks/fuzz.py --n 100000``, or ``--results``.

Runs in processes of some hundred mutants each, which end at 4 GiB of memory. Prints every kind of fault once, with the
number of its first mutant (``--seed`` and that number make it again), and the table of how commands ended.
"""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import resource
import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.fuzzing import Ending, corpus_files, input_commands, prepare, try_mutants
from tests.fuzzing_results import commands_on, files_and_drafts, prepare_results

BATCH = 250
Found = tuple[int, str, Ending]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=10_000, help="number of mutants")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--results", action="store_true", help="mutate results and files to draft from, not inputs")
    parser.add_argument("--keep", type=Path, help="folder for the mutants that end in a fault")
    options = parser.parse_args()
    endings: collections.Counter[tuple[str, object]] = collections.Counter()
    faults: dict[tuple[str, ...], Found] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = options.keep or Path(folder)
        corpus = (prepare_results if options.results else prepare)(root / "corpus")
        numbers = range(options.first, options.first + options.n)
        batches = [numbers[at : at + BATCH] for at in range(0, len(numbers), BATCH)]
        with multiprocessing.Pool(1, maxtasksperchild=1) as pool:
            for found in pool.imap(_batch, [(corpus, root, options, batch) for batch in batches]):
                for number, name, ending in found:
                    endings[ending.command[0], ending.code] += 1
                    key = (ending.fault, *_where(ending.told))
                    if ending.fault and key not in faults:
                        faults[key] = number, name, ending
                        print(
                            f"mutant {number} of {name}: gm {' '.join(ending.command)}: {' | '.join(key)}", flush=True
                        )
    for (command, code), count in sorted(endings.items(), key=str):
        print(f"{command:12s} {code!s:>4s} {count:8d}")
    print(f"{sum(endings.values())} mutants, {len(faults)} kinds of faults")
    return 1 if faults else 0


def _batch(task: tuple[Path, Path, argparse.Namespace, range]) -> list[Found]:
    corpus, root, options, numbers = task
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    mutated = (files_and_drafts, commands_on) if options.results else (corpus_files, input_commands)
    return list(try_mutants(corpus, root / f"scratch-{numbers.start}", options.seed, numbers, *mutated))


def _where(told: str) -> list[str]:
    """The last lines of a traceback: where, and what."""
    lines = told.splitlines()
    return [line.strip()[-100:] for line in lines if "gm/" in line and ", line " in line][-1:] + lines[-1:]


if __name__ == "__main__":
    sys.exit(main())
