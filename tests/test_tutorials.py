"""Every tutorial and how-to runs as it is written, on the real data that it names."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TUTORIALS = sorted(page for folder in ("tutorials", "how-to") for page in (ROOT / "docs" / folder).glob("*.md"))


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_runs(tutorial: Path, shared: Path, tmp_path: Path) -> None:
    """Blocks that name a file are written to it, blocks of commands are run, in the order of the page."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, options in (("gm", " -m gm"), ("python3", "")):  # as in the environment that gm is installed in
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}"{options} "$@"\n')
        (programs / name).chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    python_path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    variables = {**os.environ, "DATA": str(shared / "data"), "PATH": path, "PYTHONPATH": python_path}
    for language, text in re.findall(r"^```(yaml|console)\n(.*?)^```", tutorial.read_text(), re.MULTILINE | re.DOTALL):
        if language == "yaml":
            file = re.match(r"# (\S+\.yaml)\n", text)
            assert file is not None, f"a block of {tutorial.name} names no file"
            (work / file[1]).write_text(text)
        else:
            done = subprocess.run(["bash", "-ec", text], cwd=work, env=variables, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
