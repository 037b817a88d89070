"""The repository is whole: what its documents name exists, and a wheel holds what an installed gm needs."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import gm

ROOT = Path(__file__).resolve().parent.parent
TEXT = {".py", ".md", ".toml", ".yaml", ".txt", ".json", ".cfg", ""}
SKIPPED = {"build", "dist", "node_modules"}


def repository_files() -> list[Path]:
    """Every text file of the repository, without what git ignores; works without git."""
    found = []
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part != ".ci" for part in parts)
        if not hidden and not SKIPPED & set(parts) and "__pycache__" not in parts and path.suffix in TEXT:
            found.append(path)
    return [path for path in found if path.is_file()]


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_no_absolute_paths_of_one_machine() -> None:
    pattern = re.compile(r"(?<![\w.])/(?:home|Users|root|work|tmp/w)/")
    wrong = [f"{path.relative_to(ROOT)}: {found[0]}" for path in repository_files()
             if path != Path(__file__) and (found := pattern.search(path.read_text(errors="replace")))]  # fmt: skip
    assert wrong == []


def test_changelog_has_the_version() -> None:
    assert f"## {gm.__version__}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/quick-start.md"])
def test_make_commands_of_the_documents_exist(document: str) -> None:
    named = set(re.findall(r"\bmake ([a-z][a-z-]+)\b(?=[`\s]*(?:#|$|`))", (ROOT / document).read_text(), re.MULTILINE))
    assert named <= makefile_targets()
    assert named


def test_help_lists_every_target() -> None:
    described = set(re.findall(r"^([a-z][a-z-]*):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert described == makefile_targets()


def test_the_table_of_speeds_is_that_of_the_benchmarks() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "update_readme.py"), "--check"]
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_every_schema_is_documented() -> None:
    documentation = "\n".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
    schemas = [path.name.removesuffix(".schema.json") for path in (ROOT / "gm").rglob("*.schema.json")]
    assert schemas
    assert [name for name in schemas if f"gm schema {name}" not in documentation] == []


def test_links_between_documents_resolve() -> None:
    broken = []
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text()):
            if "://" not in target and not (document.parent / target).exists():
                broken.append(f"{document.relative_to(ROOT)}: {target}")
    assert broken == []


def lower_bounds() -> dict[str, str]:
    """Distribution -> lower bound, of the dependencies and of all extras that gm itself imports."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = {}
    extras = project["optional-dependencies"]
    for requirement in (*project["dependencies"], *extras["dask"], *extras["plot"]):
        name, bound = re.match(r"([\w.-]+)>=([\w.]+)", requirement).groups()  # type: ignore[union-attr]
        found[name.lower()] = bound
    return found


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text().splitlines()
    pairs = [line.split("#")[0].strip().split("==") for line in lines if "==" in line.split("#")[0]]
    return {pair[0].lower(): pair[1] for pair in pairs}


def test_lowest_constraints_are_the_lower_bounds() -> None:
    lowest = pins("constraints-lowest.txt")
    assert {name: lowest.get(name) for name in lower_bounds()} == lower_bounds()


def test_constraints_pin_every_dependency() -> None:
    assert lower_bounds().keys() <= pins("constraints.txt").keys()


def test_wheel_holds_schemas_examples_and_types(tmp_path: Path) -> None:
    hatch = pytest.importorskip("hatchling.builders.wheel", reason="hatchling builds the wheel")
    (wheel,) = hatch.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = set(zipfile.ZipFile(wheel).namelist())
    files = [*(ROOT / "gm").rglob("*.schema.json"), ROOT / "gm" / "py.typed"]
    wanted = {path.relative_to(ROOT).as_posix() for path in files}
    wanted |= {f"gm/{p.relative_to(ROOT).as_posix()}" for p in (ROOT / "example_configs").rglob("*") if p.is_file()}
    assert wanted <= names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "docs/"))]
