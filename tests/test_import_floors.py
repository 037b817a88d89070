"""Imports point down only, between packages and inside them, in functions and for type checkers too; some libraries
have one importer."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "gm"

FLOORS = {
    "errors": 0, "conventions": 0, "model_types": 0, "values": 0, "units": 0, "readable": 0, "arrays": 0, "patterns": 0,
    "parallel": 0, "html": 0, "version": 0,
    "io": 1, "config_schemas": 1,
    "maps": 2, "statistics": 2, "matrices": 2,
    "models": 3, "irf": 3, "figures": 3,
    "datasets": 4, "observations": 4,
    "likelihood": 5,
    "engine": 6,
    "fit": 7,
    "estimators": 8, "makers": 8, "report": 8,
    "pipeline": 9,
    "cli": 10, "__main__": 11,
}  # fmt: skip

STAGE_FILES = sorted((PACKAGE / "pipeline" / "stages").glob("*/stage.py"))  # all stages are on one floor

#: package -> its floors, lowest first: a module imports from its own floor and from those below
INNER_FLOORS = {
    "cli": (
        "terminal",
        "completion failures",
        "options",
        "rendering",
        "screen",
        "commands",
        "group",
    ),
    "cli.terminal": ("output", "room", "tables"),
    "models": (
        "errors prior parameter documents.plain",
        "links parametric templates documents.parameter_reading",
        "registry spatial spectral temporal",
        "instrument",
        "documents.block_reading",
        "components",
        "addresses asked composition sky_flux",
        "documents",
        "models",
        "layout",
        "spectrum_errors",
    ),
    "datasets": (
        (
            "acceptances deferred finer_bins measurement origin"
            " sed sed_covariance sed_errors sed_limits sed_profiles sed_units"
        ),
        "base",
        "counts flux_points map_dataset spectrum",
        "kinds left_out map_simulation masks",
        "files",
        "datasets",
        "operations simulation",
        "redrawn",
    ),
    "datasets.files": (
        "flux_points gadf_spectrum map_reading map_writing ogip_spectrum recognition",
        "formats",
        "index reading",
    ),
    "datasets.operations": (
        "outcome times",
        "energy grids kinds naming points revision",
        "backgrounds pixels region_sums scopes stacking stacking_maps stacking_spectra templates",
        "driver",
        "functions to_spectrum",
    ),
    "likelihood": (
        "energy_parts factors flux_slopes lattice line products times treatment maps.folding maps.sources.losses",
        "flux_plan instruments sky_fluxes",
        "flux_shares",
        "fluxes blocks report remarks by_dataset dark",
        "by_energy contract own_parameters bending summary",
        "spectra maps",
        "terms",
        "compilation",
        "engine",
        "joint",
        "prediction",
        "drawing",
    ),
    "likelihood.maps": (
        "bins limits folding positivity",
        "sources",
        "view prediction",
        "by_energy",
        "term source_builder",
        "compilation",
    ),
    "engine": (
        "columns parcels shard shards",
        "worker_state pool",
        "messages",
        "recipes placement",
        "crew",
        "terms",
        "sharded",
        "processes dask_pool",
    ),
    "pipeline": (
        "journal reporter results provenance memory",
        "analysis",
        "engines inputs outputs sources start",
        "loading",
        "session",
        "stages",
        "run",
        "commands",
    ),
    "pipeline.stages": (
        "base reading",
        "safe_masks pixels",
        " ".join(path.parent.name for path in STAGE_FILES),
        "registry",
    ),
}

#: library -> the only part of gm that may import it
SOLE_IMPORTERS = {
    "iminuit": "fit",
    "click": "cli",
    "rich": "cli",
    "jsonschema": "config_schemas",
    "gammapy": None,
    "distributed": "engine",
}


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


@pytest.mark.parametrize("package", INNER_FLOORS)
def test_imports_inside_packages_point_down(package: str) -> None:
    inside = {name for name in MODULES if name.startswith(f"gm.{package}.")}
    floors = {f"gm.{package}.{part}": k for k, floor in enumerate(INNER_FLOORS[package]) for part in floor.split()}
    wrong = []
    for name in sorted(inside):
        here = inner_floor(name, floors)
        for target, line in imports(name):
            if target in inside and here < inner_floor(target, floors):
                wrong.append(f"{MODULES[name].relative_to(ROOT)}:{line}: imports {target}, from above")
    assert wrong == []


def inner_floor(name: str, floors: dict[str, int]) -> int:
    """The floor of the longest entry that a module is, or is part of; sub-packages themselves are below all."""
    parts = name.split(".")
    known = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
    return next((floors[entry] for entry in known if entry in floors), -1)


@pytest.mark.parametrize("package", INNER_FLOORS)
def test_every_module_has_an_inner_floor(package: str) -> None:
    entries = {f"gm.{package}.{part}" for floor in INNER_FLOORS[package] for part in floor.split()}
    assert {name for name in entries if name not in MODULES} == set()
    inside = {name for name in MODULES if name.startswith(f"gm.{package}.")}
    assert {name for name in inside if not any(f"{name}.".startswith(f"{entry}.") for entry in entries)} == set()


def circles(walk: Callable[[ast.Module], Iterator[ast.AST]]) -> dict[str, list[str]]:
    """The modules that import themselves by way of others, and what they import on that way."""
    graph = {n: {t for t, _ in imports(n, walk) if t in MODULES and t not in ("gm", n)} for n in MODULES}
    reached: dict[str, set[str]] = {}
    for name in graph:
        found, pending = set[str](), [name]
        while pending:
            new = graph[pending.pop()] - found
            found |= new
            pending += new
        reached[name] = found
    return {n: sorted(t for t in graph[n] if n in reached[t]) for n in graph if n in reached[n]}


def test_no_circles_when_imported() -> None:
    assert circles(when_imported) == {}


def test_no_circles_by_imports_in_functions_and_for_type_checkers() -> None:
    assert circles(ast.walk) == {}
