"""Which datasets an operation takes, and what their results are called."""

from __future__ import annotations

from collections.abc import Sequence

from gm.datasets.datasets import Datasets
from gm.datasets.operations.outcome import Refused
from gm.datasets.reading import Dataset
from gm.errors import suggest


def selected(datasets: Datasets, which: str | Sequence[str]) -> list[Dataset]:
    """The datasets that a name, a pattern or a list of them means, in their own order. Raises `Refused` for none."""
    found: set[str] = set()
    for pattern in [which] if isinstance(which, str) else which:
        names = [pattern] if pattern in datasets.names else datasets.select(pattern).names
        if not names:
            raise Refused(f"no dataset matches '{pattern}'", suggest(pattern, datasets.names, "datasets"))
        found.update(names)
    if not found:
        raise Refused("no dataset is named", suggest("", datasets.names, "datasets"))
    return [dataset for dataset in datasets if dataset.name in found]


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


def in_place(datasets: Datasets, made: Sequence[tuple[Sequence[str], Dataset]], *, keep: bool) -> Datasets:
    """The datasets with each result behind the last of its inputs, and without the inputs unless they are kept."""
    after = {names[-1]: dataset for names, dataset in made}
    gone = set() if keep else {name for names, _ in made for name in names}
    rows: list[Dataset] = []
    for dataset in datasets:
        rows += [] if dataset.name in gone else [dataset]
        rows += [after[dataset.name]] if dataset.name in after else []
    return Datasets(rows)
