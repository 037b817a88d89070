"""``gm --help``, ``gm schema`` and completion answer at once: they import neither NumPy nor astropy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("numpy", "scipy", "astropy", "iminuit", "jsonschema", "rich", "gm.pipeline.run", "gm.models", "gm.datasets")

#: runs ``gm`` with the given arguments and then lists, on the last line, which heavy modules were imported
PROBE = """
import json, sys
from gm.cli import main
try:
    main(sys.argv[2:], prog_name="gm")
finally:
    heavy = json.loads(sys.argv[1])
    print(json.dumps([name for name in heavy if name in sys.modules]))
"""

COMPLETION = {"_GM_COMPLETE": "bash_complete", "COMP_WORDS": "gm flu", "COMP_CWORD": "1"}


def run(arguments: list[str], environment: dict[str, str]) -> tuple[str, list[str]]:
    """What a command printed, and which of the heavy modules it imported."""
    command = [sys.executable, "-c", PROBE, json.dumps(HEAVY), *arguments]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    *printed, imported = done.stdout.splitlines()
    return "\n".join(printed), json.loads(imported)


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["--help"], {}, "Usage: gm"),
        (["--version"], {}, "gm "),
        (["fit", "--help"], {}, "Usage: gm fit"),
        (["flux-points", "--help"], {}, "Usage: gm flux-points"),
        (["schema", "config"], {}, '"$schema"'),
        ([], {"_GM_COMPLETE": "bash_source"}, "complete"),
        ([], COMPLETION, "flux-points"),
    ],
    ids=["help", "version", "fit-help", "flux-points-help", "schema", "completion-script", "completion"],
)
def test_light_commands_import_no_numbers(arguments: list[str], environment: dict[str, str], expected: str) -> None:
    printed, heavy = run(arguments, environment)
    assert expected in printed
    assert heavy == []


def test_a_fit_of_spectra_imports_nothing_of_maps(tmp_path: Path) -> None:
    """SciPy alone, which folds maps, takes a third of the time of such a command."""
    folder = tmp_path / "crab"
    run(["init", str(folder), "--example", "crab", "--quiet"], {})
    run(["simulate", str(folder / "config.yaml"), "--quiet"], {})
    again = folder / "again.yaml"
    again.write_text("version: 1\ndatasets: results/datasets.yaml\nmodels: models.yaml\noutput: again\nfit: {}\n")
    _, heavy = run(["fit", str(again), "--quiet"], {})
    assert "iminuit" in heavy
    assert not {"scipy", "astropy", "jsonschema"} & set(heavy)
