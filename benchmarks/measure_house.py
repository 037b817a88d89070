#!/usr/bin/env python
"""The shape of the code in numbers: lengths, imports, circles, type switches.

    python benchmarks/measure_house.py [TREE ...]     # checkouts to compare; this one when none is given

Circles are groups of modules that import each other, directly or through others, with what functions import when they
run and with what is imported for type checkers only. Fan-out is how many other modules of gm a module imports. Shapes
and units are looked for in docstrings of functions and of their classes, by their brackets; no array has all kinds of
units, a Jacobian none at all.
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

_SHAPE = re.compile(r"\((\d|n|m|\.\.\.|\*)[\w .*+/^-]*,[^()]*\)|shape of|same shape")
_UNIT = re.compile(r"\[[\w^ /*-]+\]")


def _is_public(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")


def _has_arrays(function: ast.FunctionDef) -> bool:
    """Whether annotations of a function name an array."""
    named = [argument.annotation for argument in function.args.args + function.args.kwonlyargs] + [function.returns]
    return any("Array" in ast.unparse(annotation) for annotation in named if annotation is not None)


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

    def arrays(self) -> tuple[int, int, int]:
        """Public functions that take or give arrays: how many, and how many say shapes and units, there or in the
        docstring of their class."""
        n, shapes, units = 0, 0, 0
        for tree in self.trees.values():
            owners = [(tree, "")] + [(node, ast.get_docstring(node) or "") for node in tree.body if _is_public(node)]
            for owner, told in owners:
                for node in getattr(owner, "body", ()):
                    if isinstance(node, ast.FunctionDef) and _is_public(node) and _has_arrays(node):
                        text = f"{told} {ast.get_docstring(node) or ''}"
                        n, shapes, units = n + 1, shapes + bool(_SHAPE.search(text)), units + bool(_UNIT.search(text))
        return n, shapes, units

    def row(self) -> list[str]:
        """The numbers of the table."""
        lines = [text.count("\n") for text in self.sources.values()]
        functions = sorted(self.functions())
        fan_out = sorted(len(self.imports(name)) for name in self.trees if name not in self.packages)
        switches = sum(text.count("isinstance(") for text in self.sources.values())
        n, shapes, units = self.arrays()
        quantiles = statistics.quantiles(functions, n=10)
        return [
            str(len(lines)), str(sum(lines)), str(max(lines)),
            f"{statistics.median(functions):.0f} / {quantiles[-1]:.0f} / {functions[-1]}",
            f"{statistics.median(fan_out):.0f} / {fan_out[-1]}", str(self.in_circles()),
            f"{switches} ({1000 * switches / sum(lines):.1f})", f"{n} / {shapes} / {units}",
        ]  # fmt: skip


HEADER = [
    "tree", "modules", "lines", "largest file", "function length, median / 90 % / max", "fan-out, median / max",
    "modules in circles", "isinstance (per 1000 lines)", "public functions with arrays / told shapes / told units",
]  # fmt: skip


def main() -> None:
    """One row for each tree."""
    trees = [Path(argument) for argument in sys.argv[1:]] or [ROOT]
    print(table(HEADER, [[tree.resolve().name, *House(tree.resolve()).row()] for tree in trees]))


if __name__ == "__main__":
    main()
