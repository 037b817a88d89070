"""The one global model: all components of an analysis, and the documents that it is read from and written to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np

from gm.config_schemas.reader import Document
from gm.errors import Problem
from gm.matrices import Covariance, placed
from gm.models.components.base import Component
from gm.models.composition import Composition
from gm.models.documents.covariance import read_covariance
from gm.models.documents.edits import apply_edits, apply_links
from gm.models.documents.parameter_reading import Report
from gm.models.documents.reading import models_from_dict, models_from_document, read_models
from gm.models.documents.writing import ModelsWriter, models_to_dict, write_models
from gm.models.links import Link


@final
class Models(Composition):
    """Components with unique names, in order. A value, as all that it holds: ``with_...`` return new ones.

    ``append`` and ``extend`` alone change it: they build one in a loop, as PIG 20 has it, component by component.
    """

    __slots__ = ()

    def append(self, component: Component) -> None:
        """Add a component at the end. Raises `ModelError` when its name is taken."""
        self.extend([component])

    def extend(self, components: Iterable[Component]) -> None:
        """Add components at the end. Raises `ModelError` when a name is taken, and adds none."""
        added = tuple(self._checked(components))
        if self.covariance is not None:
            self._covariance = _grown(self.covariance, [p.error for component in added for p in component.parameters])
        for k, component in enumerate(added, start=len(self)):
            self._by_name()[component.name] = k
        self._components, self._index, self._applying = self._components + added, None, None

    def with_parameters(self, edits: Mapping[str, object], report: Report | None = None) -> Models:
        """The same with edited parameters, such as ``{"crab.index": {"value": 2.3, "min": 1}, "*-bkg.norm": 1.1}``.

        Keys are addresses or patterns; a number or a quantity alone is a value. Fields: value, min, max, error, frozen,
        prior. Raises `ModelError`; with ``report(path, message, hint)`` problems go there.
        """
        return apply_edits(self, edits, report)

    def with_links(self, links: Sequence[Link | Mapping[str, object]], report: Report | None = None) -> Models:
        """The same with more links: `Link` or ``{"parameter": ..., "equals": ..., "scale": 1, "offset": "0.01 deg"}``.

        Raises `LinkError`; with ``report(path, message, hint)`` problems go there, and no link is added.
        """
        return apply_links(self, links, report)

    def with_covariance_file(self, path: Path) -> Models:
        """The same with the covariance of a file. Raises `DataError`."""
        return self.with_covariance(read_covariance(path, self))

    @classmethod
    def read(cls, path: str | Path) -> Models:
        """Read Gammapy's models.yaml with the covariance file that it names. Raises `InvalidInput`, `DataError`."""
        return read_models(cls, path)

    @classmethod
    def from_document(cls, document: Document) -> tuple[Models | None, list[Problem]]:
        """`Models` from a document, or None, and every problem with it: the schema's and those that it cannot see."""
        return models_from_document(cls, document)

    @classmethod
    def from_dict(cls, data: Any, report: Report, directory: Path) -> Models | None:
        """`Models` from the plain data of a document; problems go to ``report(path, message, hint)``, and make it None.

        ``directory`` is what file names in it are relative to.
        """
        return models_from_dict(cls, data, report, directory)

    def write(self, path: str | Path, overwrite: bool = False) -> None:
        """Write models.yaml, and ``<stem>_covariance.dat`` beside it when errors are known. Raises `DataError`."""
        write_models(self, path, overwrite)

    def writer(self, path: Path, own: Collection[Path] = ()) -> ModelsWriter:
        """What `write` does, with all files known before the first is written; copies may replace ``own`` files."""
        return ModelsWriter(self, path, own)

    def to_dict(self) -> dict[str, Any]:
        """The document of models.yaml, without covariance."""
        return models_to_dict(self)


def _grown(covariance: Covariance, errors: Sequence[float]) -> Covariance:
    n = len(covariance)
    variances = np.concatenate([np.zeros(n), np.square(errors)])
    source = np.where(np.arange(n + len(errors)) < n, np.arange(n + len(errors)), -1)
    return placed(covariance, source, variances=variances)
