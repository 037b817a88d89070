"""The datasets of an analysis: ordered, with unique names, and free of models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final, overload

from gm.config_schemas.file_patterns import expand_entries
from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.datasets.base import SUMMARY_UNITS, Dataset
from gm.datasets.files.formats import DATASET_TYPES, write_dataset
from gm.datasets.files.index import Report, check_replaced, dataset_entries, files_apart
from gm.datasets.files.reading import read_all
from gm.errors import DataError, InvalidInput, JsonPath, format_path, suggest
from gm.figures.registry import draw_parts
from gm.html import html_table
from gm.io.files import refuse_existing, write_atomic
from gm.io.yaml_writer import dump_yaml
from gm.models import Models, Parameter
from gm.patterns import matching

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@final
class Datasets(Sequence[Dataset]):
    """An immutable list of datasets, indexed by position or by name.

    Nothing but a global model can be bound to it afterwards, as the loop of PIG 20 does; copies have none.
    """

    __slots__ = ("_bound", "_datasets", "_index")

    def __init__(self, datasets: Iterable[Dataset] = ()) -> None:
        self._datasets = tuple(datasets)
        self._index = {dataset.name: index for index, dataset in enumerate(self._datasets)}
        if len(self._index) != len(self._datasets):
            names = self.names
            twice = next(name for name in names if names.count(name) > 1)
            raise DataError(f"two datasets are called '{twice}'\n    dataset names are unique")
        self._bound: Models | None = None

    def set_models(self, models: Models) -> None:
        """Bind a global model to these datasets, for `gm.likelihood.predicted_counts`; no dataset holds any of it."""
        self._bound = Models(models)

    def set_models_parameters(self, parameters: Iterable[Parameter]) -> None:
        """Push the values of parameters, all in order, into the bound model. Raises `DataError` without one."""
        values = list(parameters)
        bound = self.bound_models
        if len(values) != len(bound.parameters):
            raise DataError(f"{len(values)} parameters for a model that has {len(bound.parameters)}")
        self._bound = bound.with_flat(values)

    @property
    def bound_models(self) -> Models:
        """The bound global model with the values that were pushed last. Raises `DataError` when none is bound."""
        if self._bound is None:
            raise DataError("no models are bound to these datasets\n    datasets.set_models(models)")
        return self._bound

    @property
    def names(self) -> list[str]:
        """Names in order."""
        return [dataset.name for dataset in self._datasets]

    def __len__(self) -> int:
        return len(self._datasets)

    def __iter__(self) -> Iterator[Dataset]:
        return iter(self._datasets)

    @overload
    def __getitem__(self, key: int | str) -> Dataset: ...
    @overload
    def __getitem__(self, key: slice) -> Datasets: ...
    def __getitem__(self, key: int | str | slice) -> Dataset | Datasets:
        if isinstance(key, slice):
            return Datasets(self._datasets[key])
        if isinstance(key, int):
            return self._datasets[key]
        if key not in self._index:
            raise DataError(f"no dataset '{key}'\n    {suggest(key, self.names, 'datasets')}")
        return self._datasets[self._index[key]]

    def __repr__(self) -> str:
        return f"Datasets({', '.join(map(repr, self.names))})"

    def plot(self, figure: str | None = None, **look: Any) -> Axes:
        """Draw the data of all with pyplot, as each `Dataset` draws its own; the first axes. Raises `UsageError`."""
        return draw_parts(f"{len(self)} datasets", pictures_of(self), figure, look)

    def _repr_html_(self) -> str:
        return html_table([dataset.summary() for dataset in self._datasets], SUMMARY_UNITS)

    def select(self, patterns: str | Sequence[str]) -> Datasets:
        """Those whose name fits a shell pattern, or any of several, in the order they have here."""
        return Datasets(self._datasets[self._index[name]] for name in matching(self.names, patterns))

    @classmethod
    def read(cls, source: str | Path | Mapping[str, Any], workers: int | None = None) -> Datasets:
        """Read the datasets of a datasets.yaml, or of such a document (relative to the working directory).

        Raises `InvalidInput` with every problem of the document and its place, and `DataError` with everything that is
        wrong with the files.
        """
        if isinstance(source, Mapping):
            return datasets_from_dict(dict(source), Path(), None, workers)
        document = read_document(source)
        problems = check(document, "datasets")
        document, unmatched = expand_entries(document)
        problems += unmatched
        known = {problem.path for problem in problems}

        def report(path: JsonPath, message: str, hint: str) -> None:
            if format_path(path) not in known:
                problems.append(document.problem(path, message, hint))

        entries = dataset_entries(document.data, document.directory, report)
        if problems:
            raise InvalidInput(problems)
        return cls(read_all(entries, workers))

    def write(self, target: str | Path, overwrite: bool = False, format: str = "gadf") -> None:
        """Write every dataset and the datasets.yaml that lists them, with Gammapy's file names.

        ``target``: the YAML file, or the directory that gets a ``datasets.yaml``. Raises `DataError`.
        """
        target = Path(target)
        index = target if target.suffix in (".yaml", ".yml") else target / "datasets.yaml"
        formats = {d.name: DATASET_TYPES[d.type].format_of(format) for d in self._datasets}
        files = files_apart(self._datasets, index.parent, formats)
        refuse_existing((index, *(path for paths in files.values() for path in paths)), overwrite)
        check_replaced(self._datasets, files)
        for dataset in self._datasets:
            write_dataset(dataset, files[dataset.name][0], formats[dataset.name])
        entries = [dataset.entry(files[dataset.name][0].name) for dataset in self._datasets]
        write_atomic(index, dump_yaml({"datasets": entries}))


def datasets_from_dict(
    data: Any, directory: Path, report: Report | None = None, workers: int | None = None
) -> Datasets:
    """The datasets of a datasets.yaml document; paths are relative to ``directory``. The name in the document wins.

    What is wrong with the document itself goes to ``report(path, message, hint)``, entry by entry, and such entries are
    left out; without ``report`` it is a `DataError`, as is everything that is wrong with the files.
    """
    return Datasets(read_all(dataset_entries(data, directory, report), workers))


def pictures_of(datasets: Iterable[Dataset]) -> dict[str, list[Any]]:
    """What figures are drawn of some datasets, each with the parts of all."""
    parts: dict[str, list[Any]] = {}
    for dataset in datasets:
        for name, own in dataset.pictures().items():
            parts.setdefault(name, []).extend(own)
    return parts
