"""Which datasets an operation takes, and what their results are called."""

from __future__ import annotations

from collections.abc import Sequence

from gm.datasets.base import Dataset
from gm.datasets.datasets import Datasets
from gm.datasets.operations.outcome import Refused
from gm.errors import suggest
from gm.patterns import matching as meant


def matching(names: Sequence[str], which: str | Sequence[str]) -> list[str]:
    """The names that a name, a pattern or a list of them means, in their own order. Raises `Refused` for none."""
    for pattern in [which] if isinstance(which, str) else which:
        if not meant(names, pattern):
            raise Refused(f"no dataset matches '{pattern}'", suggest(pattern, names, "datasets"))
    found = meant(names, which)
    if not found:
        raise Refused("no dataset is named", suggest("", names, "datasets"))
    return found


def selected(datasets: Datasets, which: str | Sequence[str]) -> list[Dataset]:
    """The datasets that a name, a pattern or a list of them means, in their own order. Raises `Refused` for none."""
    return [datasets[name] for name in matching(datasets.names, which)]


def new_names(datasets: Sequence[str], chosen: Sequence[str], name: str | None, suffix: str | None) -> list[str]:
    """The name of each result: ``name`` for one, ``<name>suffix`` for several. Raises `Refused`."""
    if name is not None and suffix is not None:
        raise Refused("both name and suffix are given", "name for one dataset, suffix for several")
    if suffix:
        names = [f"{old}{suffix}" for old in chosen]
    elif not name:
        raise Refused("the result has no name", "name: ... for one dataset, suffix: ... for several")
    elif len(chosen) > 1:
        listed = ", ".join(chosen[:4]) + (", ..." if len(chosen) > 4 else "")
        raise Refused(f"'{name}' is one name for {len(chosen)} datasets ({listed})", "give suffix instead of name")
    else:
        names = [name]
    for new in names:
        if new in datasets:
            raise Refused(f"a dataset '{new}' exists already", "give a name that no dataset has")
    return names


def names_after(names: Sequence[str], made: Sequence[tuple[Sequence[str], str]], *, keep: bool) -> list[str]:
    """The names with each result behind the last of its inputs, and without the inputs unless they are kept."""
    after = {inputs[-1]: output for inputs, output in made}
    gone = set() if keep else {name for inputs, _ in made for name in inputs}
    rows: list[str] = []
    for name in names:
        rows += [] if name in gone else [name]
        rows += [after[name]] if name in after else []
    return rows


def in_place(datasets: Datasets, made: Sequence[tuple[Sequence[str], Dataset]], *, keep: bool) -> Datasets:
    """The datasets and the results, in the order of `names_after`."""
    found = {dataset.name: dataset for dataset in [*datasets, *(output for _, output in made)]}
    order = names_after(datasets.names, [(inputs, output.name) for inputs, output in made], keep=keep)
    return Datasets(found[name] for name in order)
