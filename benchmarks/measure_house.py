#!/usr/bin/env python
"""The shape of the code in numbers: lengths, imports, circles, type switches.

    python benchmarks/measure_house.py [TREE ...]     # checkouts to compare; this one when none is given

Circles are groups of modules that import each other, directly or through others, with what functions import when they
run and with what is imported for type checkers only. Fan-out is how many other modules of gm a module imports.

Shapes are looked for in the docstrings of public functions that take or give arrays, units in those of functions with
an argument that is a quantity by its name (an energy, a position, a time), there or in the docstring of their class. A
method counts where it is declared and not in each class that has one of its own; one of a protocol nowhere, since the
classes that it speaks of are declared elsewhere.
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from alternate import table
from cases import ROOT

_SHAPE = re.compile(
    r"\((\d|n|m|k|\.\.\.|\*)[\w .*+/^-]*,[^()]*\)|[Ii]n the shape|shape of|same shape|any shape|broadcast|[Aa]s `"
)
_UNIT = re.compile(r"\[[\w^ /*-]+\]|\bin (TeV|deg|cm|cm2|s|d|sr)\b|[Aa]s `")
_QUANTITIES = re.compile(
    r"energy|energies|energy_true|e_(min|max|ref)|edges|edges_true|(center_|other_)?(lon|lat)|rad|radius|offset|"
    r"separation|exposure|livetime|elapsed|pixel_size"
)


def _is_public(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")


def _arguments(function: ast.FunctionDef) -> list[tuple[str, str]]:
    """Names and annotations of the arguments, and of what is returned."""
    every = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
    named = [(argument.arg, argument.annotation) for argument in every] + [("", function.returns)]
    return [(name, ast.unparse(annotation)) for name, annotation in named if annotation is not None]


def _has_arrays(function: ast.FunctionDef) -> bool:
    return any("Array" in annotation for _, annotation in _arguments(function))


def _has_quantities(function: ast.FunctionDef) -> bool:
    """Whether an argument is an energy, a position or a time, as numbers."""
    numbers = ("Array", "ArrayLike", "float")
    return any(
        _QUANTITIES.fullmatch(name) and annotation.startswith(numbers) for name, annotation in _arguments(function)
    )


def _bases(owner: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> list[str]:
    """Names of all classes above one, those of other packages too."""
    found: list[str] = []
    pending = [owner]
    while pending:
        for base in pending.pop().bases:
            name = ast.unparse(base).partition("[")[0].rpartition(".")[2]
            if name not in found:
                found.append(name)
                pending += [classes[name]] if name in classes else []
    return found


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    """What can be reached from a module in one step or more."""
    found: set[str] = set()
    pending = [start]
    while pending:
        new = graph[pending.pop()] - found
        found |= new
        pending.extend(new)
    return found


class House:
    """All modules of one tree."""

    def __init__(self, tree: Path) -> None:
        self.sources = {path: path.read_text() for path in sorted((tree / "gm").rglob("*.py"))}
        self.trees = {self._name(path, tree): ast.parse(text) for path, text in self.sources.items()}
        self.packages = {self._name(path, tree) for path in self.sources if path.name == "__init__.py"}

    @staticmethod
    def _name(path: Path, tree: Path) -> str:
        parts = path.relative_to(tree).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def imports(self, name: str) -> set[str]:
        """Modules of gm that a module imports, anywhere in it."""
        found = set()
        for node in ast.walk(self.trees[name]):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= {one if one in self.trees else node.module for one in inner}
        return {one for one in found if one in self.trees and one not in ("gm", name)}

    def in_circles(self) -> int:
        """Modules that import themselves in the end."""
        graph = {name: self.imports(name) for name in self.trees}
        return sum(name in _reached(graph, name) for name in graph)

    def functions(self) -> Iterator[int]:
        """Length of every function [lines], its docstring left out."""
        for tree in self.trees.values():
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    first = node.body[0]
                    has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
                    docstring = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
                    yield (node.end_lineno or 0) - node.lineno + 1 - docstring

    def declared(self) -> Iterator[tuple[ast.FunctionDef, str]]:
        """Public functions, and methods where they are declared first, with what is told of them there and of their
        class."""
        classes = {
            node.name: node for tree in self.trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
        }
        for tree in self.trees.values():
            owners = [node for node in tree.body if isinstance(node, ast.ClassDef) and _is_public(node)]
            for owner in (tree, *owners):
                above = [] if isinstance(owner, ast.Module) else _bases(owner, classes)
                if "Protocol" in above:
                    continue
                known = {getattr(node, "name", "") for name in above if name in classes for node in classes[name].body}
                told = "" if isinstance(owner, ast.Module) else ast.get_docstring(owner) or ""
                for node in owner.body:
                    if isinstance(node, ast.FunctionDef) and _is_public(node) and node.name not in known:
                        yield node, f"{told} {ast.get_docstring(node) or ''}"

    def told(self) -> tuple[int, int, int, int]:
        """Public functions with arrays, those of them that tell shapes; functions with quantities, those that tell
        units."""
        declared = list(self.declared())
        arrays = [text for node, text in declared if _has_arrays(node)]
        quantities = [text for node, text in declared if _has_quantities(node)]
        return (
            len(arrays), sum(bool(_SHAPE.search(text)) for text in arrays),
            len(quantities), sum(bool(_UNIT.search(text)) for text in quantities),
        )  # fmt: skip

    def row(self) -> list[str]:
        """The numbers of the table."""
        lines = [text.count("\n") for text in self.sources.values()]
        functions = sorted(self.functions())
        fan_out = sorted(len(self.imports(name)) for name in self.trees if name not in self.packages)
        switches = sum(text.count("isinstance(") for text in self.sources.values())
        arrays, shapes, quantities, units = self.told()
        quantiles = statistics.quantiles(functions, n=10)
        return [
            str(len(lines)), str(sum(lines)), str(max(lines)),
            f"{statistics.median(functions):.0f} / {quantiles[-1]:.0f} / {functions[-1]}",
            f"{statistics.median(fan_out):.0f} / {fan_out[-1]}", str(self.in_circles()),
            f"{switches} ({1000 * switches / sum(lines):.1f})", f"{shapes} of {arrays}", f"{units} of {quantities}",
        ]  # fmt: skip


HEADER = [
    "tree", "modules", "lines", "largest file", "function length, median / 90 % / max", "fan-out, median / max",
    "modules in circles", "isinstance (per 1000 lines)", "functions with arrays that tell shapes",
    "functions with quantities that tell units",
]  # fmt: skip


def main() -> None:
    """One row for each tree."""
    trees = [Path(argument) for argument in sys.argv[1:]] or [ROOT]
    print(table(HEADER, [[tree.resolve().name, *House(tree.resolve()).row()] for tree in trees]))


if __name__ == "__main__":
    main()
