"""Flux points that were fitted together, as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from gm.arrays import Array
from gm.errors import UsageError, suggest
from gm.estimators.point_rows import matrix_from, matrix_rows
from gm.estimators.points import FluxPoints
from gm.estimators.told import Told
from gm.readable import sources_of
from gm.values import finite

_SHARED = ("confidence", "ul", "reoptimize", "nuisance_prior", "deabsorbed", "method", "smoothness", "datasets")


@dataclass(frozen=True, eq=False, repr=False)
class JointFluxPoints(Told):
    """Flux points of one or several sources that were fitted together.

    tables : those of each source, in the order asked for, which have the covariance between their own points
    covariance : of all norms, of one sigma, (n, n) with n = n_sources * n_bands, source after source; NaN where there
    is none, and None where the points of one source are independent
    """

    tables: tuple[FluxPoints, ...]
    covariance: Array | None

    told_as: ClassVar[str] = "flux-points"

    def to_dict(self, name: str = "", inputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The ``gm/flux-points/1`` document: that of the one source, or the rows of all, which tell theirs."""
        if len(self.tables) == 1:
            return self.tables[0].to_dict(name, inputs)
        assert self.covariance is not None  # norms of several sources are fitted together
        documents = [table.to_dict(name, inputs) for table in self.tables]
        names, statuses = [table.source for table in self.tables], [document["status"] for document in documents]
        counted = [f"{source}: {one['message']}" for source, one in zip(names, documents, strict=True)]
        rows = [
            {"source": source, **row} for source, one in zip(names, documents, strict=True) for row in one["points"]
        ]
        return {
            "schema": documents[0]["schema"],
            "name": name or "-".join([*names, "sed"]),
            "source": None,
            "sources": names,
            "status": statuses[0] if len(set(statuses)) == 1 else "incomplete",
            "message": "; ".join(counted),
            "warnings": list(dict.fromkeys(text for table in self.tables for text in table.warnings)),
            "reference_model": None,
            "reference_models": {source: one["reference_model"] for source, one in zip(names, documents, strict=True)},
            **{key: documents[0][key] for key in _SHARED if key in documents[0]},
            "points": [self._with_correlations(row, k, self.covariance) for k, row in enumerate(rows)],
            "covariance": matrix_rows(self.covariance),
            **({} if inputs is None else {"inputs": dict(inputs)}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], directory: Path = Path()) -> Self:
        tables = tuple(FluxPoints.from_dict(data, directory, source) for source in sources_of(data))
        return cls(tables, matrix_from(data["covariance"]) if "covariance" in data else None)

    def __iter__(self) -> Iterator[FluxPoints]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)

    def __getitem__(self, source: str) -> FluxPoints:
        """Those of a source. Raises `UsageError`."""
        names = [table.source for table in self.tables]
        if source not in names:
            raise UsageError(f"no points of '{source}'; {suggest(source, names, 'sources')}")
        return self.tables[names.index(source)]

    def told(self) -> str:
        return "; ".join(table.told() for table in self.tables)

    def shown_rows(self) -> Iterator[dict[str, object]]:
        """The points of each source."""
        for table in self.tables:
            for row in table.shown_rows():
                yield {"source": table.source, **row}

    def _with_correlations(self, row: dict[str, Any], number: int, covariance: Array) -> dict[str, Any]:
        """With what the other sources have to do with it in its band."""
        n_bands = len(self.tables[0].points)
        error = np.sqrt(np.diag(covariance))
        found = {}
        for source, table in enumerate(self.tables):
            other = source * n_bands + number % n_bands
            if other != number:
                found[table.source] = finite(covariance[number, other] / (error[number] * error[other]))
        return {**row, "correlations": found}
