"""Whether the wheel works on a Python as it is installed, with nothing of the source tree in reach.

    python -m tests.try_wheel [PYTHON...]

Without arguments every Python from 3.11 on that is found on the path, or among those of pyenv, is tried, one of each
version. The wheel is built once; each Python installs it with its extras into an environment of its own, under a
temporary folder, from ``constraints.txt``, runs every example, a figure and a report there, and the tests of the
packages that need no file of the repository.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
TESTED = ("tests/io", "tests/matrices", "tests/statistics", "tests/pipeline/test_joint_crab.py")
EXTRAS = "dask,plot,report,sample"


def pythons() -> list[str]:
    """One of each version that runs; those that are not there are said."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = []
    for version in VERSIONS:
        own = sorted(map(str, pyenv.glob(f"{version}.*/bin/python")))
        name = next((name for name in [shutil.which(f"python{version}"), *own] if name and runs(name)), None)
        if name is None:
            print(f"Python {version}: not here")
        else:
            found.append(name)
    return found


def runs(python: str) -> bool:
    """Whether a Python runs; a shim of pyenv may not."""
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def run(*command: str | Path, folder: Path, variables: dict[str, str] | None = None) -> str:
    """What a command prints; its failure ends the program."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "MAKEFLAGS")}
    environment |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", **(variables or {})}
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def build(folder: Path) -> Path:
    """The wheel."""
    constraints = {name: str(ROOT / "constraints.txt") for name in ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT")}
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "-w",
        folder,
        ROOT,
        folder=folder,
        variables=constraints,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def try_wheel(python: str, wheel: Path, folder: Path) -> str:
    """Install, run every example, test; what was done, in words."""
    began = time.perf_counter()
    folder.mkdir()
    run(python, "-m", "venv", "venv", folder=folder)
    own = folder / "venv" / "bin" / "python"
    constraints = ["-c", ROOT / "constraints.txt"]
    run(own, "-m", "pip", "install", "-q", *constraints, f"{wheel}[{EXTRAS}]", folder=folder)
    version = run(own, "-c", "import platform; print(platform.python_version())", folder=folder).strip()
    gm = own.with_name("gm")
    examples = [line.split()[0] for line in run(gm, "init", "--list", folder=folder).splitlines() if line.strip()]
    for name in examples:
        run(gm, "init", name, "--example", name, "-q", folder=folder)
        run(gm, "run", "-q", f"{name}/config.yaml", folder=folder)
    run(gm, "plot", "crab/results", "--kind", "sed", "-o", "sed.pdf", folder=folder)
    run(gm, "report", "-q", "crab/config.yaml", folder=folder)
    run(own, "-m", "pip", "install", "-q", *constraints, "pytest", "hypothesis", folder=folder)
    tests = copied_tests(folder)
    told = run(own, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, folder=folder, variables=data())
    last = told.strip().splitlines()[-1]
    return f"Python {version}: {len(examples)} examples, {last}, {time.perf_counter() - began:.0f} s in all"


def copied_tests(folder: Path) -> Sequence[str]:
    """Copy tests with what they share, where no ``gm`` of the source tree is beside them."""
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    (folder / "pyproject.toml").write_text(text[text.index("[tool.pytest.ini_options]") :])
    return TESTED


def data() -> dict[str, str]:
    """Where real data are, as seen from elsewhere."""
    return {"GM_TEST_DATA": os.environ.get("GM_TEST_DATA") or str(ROOT.parent / "shared")}


def main() -> None:
    asked = sys.argv[1:] or pythons()
    with tempfile.TemporaryDirectory(prefix="gm-wheel-") as name:
        folder = Path(name)
        wheel = build(folder)
        for number, python in enumerate(asked):
            print(try_wheel(python, wheel, folder / str(number)), flush=True)


if __name__ == "__main__":
    main()
