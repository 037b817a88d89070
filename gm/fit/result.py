"""What a fit found, as a value that is written and read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from gm.config_schemas.result_documents import belonging_together, read_result_document
from gm.fit.document import (
    SCHEMA,
    component_from,
    component_row,
    contour_from,
    contour_row,
    covariance_from,
    covariance_rows,
    dataset_from,
    dataset_row,
    parameter_from,
    parameter_row,
)
from gm.fit.parts import Contour, FittedComponent, FittedParameter, MinimizerReport, Status
from gm.fit.spectra import FittedSpectrum
from gm.html import html_table
from gm.io.files import refuse_existing, write_atomic
from gm.io.yaml_writer import dump_yaml
from gm.likelihood import ByEnergy, DatasetSummary
from gm.matrices import Covariance
from gm.models import Models
from gm.values import finite

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes

    from gm.fit.pictures import AsDocument

MODELS = "models.yaml"
"""The best-fit models beside the document of a fit."""


@dataclass(frozen=True, eq=False, repr=False)
class FitResult:
    """A fit: its verdict, the best-fit global model with errors and covariance, and what was measured on the way.

    ``covariance`` holds the addresses of the free parameters that have an error and their matrix in the parameters' own
    units: an array, or a `BorderedCovariance` of many datasets with parameters of their own. Parameters held at a limit
    are not in it. ``by_energy``: counts and predictions in each energy, if asked for.
    """

    status: Status
    message: str
    warnings: tuple[str, ...]
    models: Models
    statistic: float
    statistic_start: float
    statistic_priors: float
    n_bins: int
    n_free: int
    parameters: tuple[FittedParameter, ...]
    minimizer: MinimizerReport
    datasets: tuple[DatasetSummary, ...]
    components: tuple[FittedComponent, ...]
    covariance: tuple[tuple[str, ...], Covariance] | None = None
    contours: tuple[Contour, ...] = ()
    by_energy: ByEnergy | None = None

    @property
    def success(self) -> bool:
        """The minimum was found; parameters may sit at their limits."""
        return self.status in ("converged", "at_limit")

    # As a document

    def to_dict(
        self,
        name: str = "fit",
        spectra: Mapping[str, FittedSpectrum] | None = None,
        inputs: Mapping[str, Any] | None = None,
        tables: str | None = None,
    ) -> dict[str, Any]:
        """The ``gm/fit/1`` document; numbers that do not exist are None.

        spectra : of components, by name; inputs : hashes of what the fit was made from, None from Python; tables : the
        file of what is too long for a document
        """
        deviances = [None] * len(self.datasets) if self.by_energy is None else self.by_energy.deviances()
        addresses = self.models.addresses()
        links = {addresses.short[addresses.resolve(link.parameter)]: link for link in self.models.links}
        priors = {name: p.prior for name, p in zip(addresses.short, self.models.parameters, strict=True)}
        return {
            "schema": SCHEMA,
            "name": name,
            "status": self.status,
            "message": self.message,
            "warnings": list(self.warnings),
            "start": {"statistic": finite(self.statistic_start)},
            "statistic": {
                "total": finite(self.statistic),
                "datasets": {summary.name: finite(summary.statistic) for summary in self.datasets},
                "priors": finite(self.statistic_priors),
                "bins": self.n_bins,
                "free_parameters": self.n_free,
            },
            "parameters": [parameter_row(p, links.get(p.name), priors.get(p.name)) for p in self.parameters],
            "covariance": None if self.covariance is None else covariance_rows(*self.covariance),
            "minimizer": {
                "name": self.minimizer.name,
                "edm": finite(self.minimizer.edm),
                "value_calls": self.minimizer.value_calls,
                "gradient_calls": self.minimizer.gradient_calls,
                "steps": self.minimizer.steps,
            },
            "datasets": [dataset_row(*row) for row in zip(self.datasets, deviances, strict=True)],
            "components": [component_row(one, (spectra or {}).get(one.name)) for one in self.components],
            "contours": [contour_row(contour) for contour in self.contours],
            **({} if tables is None else {"tables": tables}),
            "inputs": None if inputs is None else dict(inputs),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], models: Models) -> Self:
        """The result that a ``gm/fit/1`` document holds, with its best-fit ``models``."""
        total, types = data["statistic"], {component.name: component.tags[0] for component in models}
        return cls(
            status=data["status"],
            message=data["message"],
            warnings=tuple(data["warnings"]),
            models=models,
            statistic=_number(total["total"]),
            statistic_start=_number(data["start"]["statistic"]),
            statistic_priors=_number(total["priors"]),
            n_bins=total["bins"],
            n_free=total["free_parameters"],
            parameters=tuple(map(parameter_from, data["parameters"])),
            minimizer=MinimizerReport(**{**data["minimizer"], "edm": _number(data["minimizer"]["edm"])}),
            datasets=tuple(map(dataset_from, data["datasets"])),
            components=tuple(component_from(row, types.get(row["name"], "")) for row in data["components"]),
            covariance=None if data["covariance"] is None else covariance_from(data["covariance"]),
            contours=tuple(map(contour_from, data["contours"])),
        )

    def write(self, path: str | Path, overwrite: bool = False) -> None:
        """Write the document, and the best-fit models as ``models.yaml`` beside it. Raises `DataError`."""
        path = Path(path)
        writer = self.models.writer(path.with_name(MODELS))
        refuse_existing((path, *writer.files), overwrite)
        writer.write()
        write_atomic(path, dump_yaml(self.to_dict(path.stem)))

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """A result that `write` or ``gm fit`` has written, with the models beside it.

        What is in energy bins stays in the file of tables. Raises `InvalidInput` and `DataError`.
        """
        data, models = read_result_document(path, "fit"), Models.read(Path(path).with_name(MODELS))
        with belonging_together(path):
            return cls.from_dict(data, models)

    # In a notebook

    def to_table(self) -> Table:
        """The parameters as an astropy table: name, value, error, unit, frozen, min, max; what is not known is NaN."""
        from astropy.table import Table

        names = ("name", "value", "error", "unit", "frozen", "min", "max")
        numbers = ("value", "error", "min", "max")
        rows = [
            [_number(getattr(p, name)) if name in numbers else getattr(p, name) for name in names]
            for p in self.parameters
        ]
        meta = {"status": self.status, "statistic": self.statistic}
        return Table(rows=rows, names=names, meta=meta)

    def plot(self, figure: str | None = None, **look: Any) -> Axes:
        """Draw with pyplot: ``correlation``, ``contours`` or ``sed``, by default the first that there is; the axes.

        ``look`` as for `gm.plot`, which draws all figures of a fit from its files. Raises `UsageError`.
        """
        from gm.figures.registry import show
        from gm.figures.results import Result

        if figure == "sed":
            return self.plot_sed(**look)
        return show([Result("fit", self.to_dict(), Path())], figure, **look)

    def plot_sed(self, *points: AsDocument, energy: object = None, **look: Any) -> Axes:
        """Draw the spectra with bands of one standard deviation, and `FluxPoints`, with pyplot; the axes.

        energy : two energies, by default those that were fitted, which a fit with ``by_energy`` knows
        look : as for `gm.plot`; ``components`` are patterns of those that are drawn. Raises `UsageError`.
        """
        from gm.fit.pictures import plot_sed

        return plot_sed(self.models, self.by_energy, points, energy, look)

    def __repr__(self) -> str:
        return f"FitResult({self.status}, statistic {self.statistic:.2f}, {self.n_bins} bins, {self.n_free} free)"

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>" + html_table(
            {
                "parameter": p.name,
                "value": p.value,
                "error": p.error,
                "minos": None if p.minos is None else [p.minos[0], p.minos[1]],
                "unit": p.unit,
                "state": "frozen" if p.frozen else p.at_limit and f"at its {p.at_limit} limit",
            }
            for p in self.parameters
        )


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
