"""Imports point down only, function-level imports included; some libraries have one importer."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "gm"

FLOORS = {
    "errors": 0, "conventions": 0, "model_types": 0, "units": 0, "arrays": 0, "patterns": 0, "parallel": 0,
    "io": 1, "config_schemas": 1,
    "maps": 2, "statistics": 2,
    "models": 3, "irf": 3,
    "datasets": 4, "observations": 4,
    "likelihood": 5,
    "engine": 6,
    "fit": 7,
    "estimators": 8, "makers": 8, "report": 8,
    "pipeline": 9,
    "cli": 10, "__main__": 11,
}  # fmt: skip

#: library -> the only part of gm that may import it
SOLE_IMPORTERS = {"iminuit": "fit", "click": "cli", "rich": "cli", "jsonschema": "config_schemas", "gammapy": None}


def module_name(path: Path) -> str:
    """``gm/fit/__init__.py`` -> ``gm.fit``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def when_imported(tree: ast.Module) -> Iterator[ast.AST]:
    """The statements that run when a module is imported: no function bodies, nothing for type checkers only."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            pending.extend(ast.iter_child_nodes(node))


def imports(name: str, walk: Callable[[ast.Module], Iterator[ast.AST]] = ast.walk) -> Iterator[tuple[str, int]]:
    """Every imported module of a module with its line; ``from gm.a import b`` is ``gm.a.b`` where that is a module."""
    path = MODULES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield (inner if inner in MODULES else base), node.lineno


def part(name: str) -> str:
    """The part of gm that a module belongs to: ``gm.fit.result`` -> ``fit``; empty for the root package."""
    return name.split(".")[1] if "." in name else ""


def test_every_part_has_a_floor() -> None:
    assert {part(name) for name in MODULES} - {""} <= FLOORS.keys()


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name: str) -> None:
    here = part(name)
    wrong = []
    for target, line in imports(name):
        there = part(target) if target.split(".")[0] == "gm" else ""
        if here and there not in ("", here) and FLOORS[there] >= max(FLOORS[here], 1):  # ground floor is one
            wrong.append(f"{MODULES[name].relative_to(ROOT)}:{line}: floor {FLOORS[here]} imports {target}")
    assert wrong == []


def test_the_root_package_imports_nothing_of_gm_when_imported() -> None:
    assert [target for target, _ in imports("gm", when_imported) if target.startswith("gm.")] == []


@pytest.mark.parametrize("library", SOLE_IMPORTERS)
def test_libraries_with_a_single_importer(library: str) -> None:
    importers = {part(name) for name in MODULES for target, _ in imports(name) if target.split(".")[0] == library}
    assert importers <= {SOLE_IMPORTERS[library]}


def test_no_cycles_when_imported() -> None:
    graph = {n: {t for t, _ in imports(n, when_imported) if t in MODULES and t not in ("gm", n)} for n in MODULES}
    changed = True
    while changed:  # modules that import nothing left, or that nothing left imports, are in no cycle
        imported = set().union(*graph.values())
        inner = {name for name, targets in graph.items() if targets & graph.keys() and name in imported}
        changed = len(inner) < len(graph)
        graph = {name: graph[name] & inner for name in inner}
    assert {name: sorted(targets) for name, targets in graph.items()} == {}
