"""The spectral energy distribution of a component: flux points as a value that is written, read, shown and drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from gm.arrays import Array
from gm.config_schemas.result_documents import belonging_together, read_result_document
from gm.errors import DataError, UsageError, suggest
from gm.estimators.point_rows import first_scan, matrix_from, matrix_rows, point_from, point_row, reference_model
from gm.estimators.points_method import PointsMethod
from gm.estimators.result import FluxPoint, PointStatus
from gm.estimators.sed_columns import check_sed_type, covariance_column, rows_of_an_axis, sed_columns, sed_header
from gm.estimators.sed_reading import points_from_table
from gm.estimators.told import Told
from gm.estimators.upper_limits import LimitMethod
from gm.io.files import refuse_existing, write_atomic
from gm.io.sed_table import read_sed, write_sed
from gm.io.yaml_writer import dump_yaml
from gm.models import Models, SkyModel, SpectralModel
from gm.readable import sources_of

if TYPE_CHECKING:
    from astropy.table import Table

SCHEMA = "gm/flux-points/1"
_KINDS: tuple[PointStatus, ...] = ("ok", "upper_limit", "no_data", "failed")
_YAML = (".yaml", ".yml")
_TABLES = (".fits", ".gz", ".ecsv")


@dataclass(frozen=True, eq=False, repr=False)
class FluxPoints(Told):
    """A spectral energy distribution of one component, relative to the ``reference_model`` of the global model.

    points : in order of energy; norm_scan : (n_norm,) norms of their profiles
    sigma, sigma_ul : how far errors and upper limits go, in standard deviations; ul : what a limit is
    sigma_sensitivity : the significance that ``norm_sensitivity`` expects
    nuisance_prior : how many errors wide the priors of the other parameters were in each band; None without these
    datasets : those that were used, by name; warnings : what a reader should know
    method : what was fitted at once, see `PointsMethod`; smoothness : weight of the penalty on it, see `Smoothness`
    covariance : between the norms of points, (n, n), of one sigma, NaN where there is none; None where points are
    independent
    """

    source: str
    reference_model: SkyModel
    points: tuple[FluxPoint, ...]
    norm_scan: Array
    sigma: float = 1.0
    sigma_ul: float = 2.0
    sigma_sensitivity: float = 5.0
    reoptimize: bool = False
    datasets: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    ul: LimitMethod = LimitMethod.LIKELIHOOD
    nuisance_prior: float | None = None
    method: PointsMethod = PointsMethod.BANDS
    smoothness: float = 0.0
    covariance: Array | None = None

    told_as: ClassVar[str] = "flux-points"

    @property
    def deabsorbed(self) -> bool:
        """Whether points are told without absorption on the way too."""
        return any(point.intrinsic is not None for point in self.points)

    @property
    def success(self) -> bool:
        """No band has failed; bands without data or with an upper limit are no failure."""
        return not any(point.status == "failed" for point in self.points)

    # As a document

    def to_dict(self, name: str = "", inputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The ``gm/flux-points/1`` document; numbers that do not exist are None.

        name : of the result, by default that of the source; inputs : hashes of what it was made from, None from Python
        """
        failed = sum(point.status == "failed" for point in self.points)
        return {
            "schema": SCHEMA,
            "name": name or f"{self.source}-sed",
            "source": self.source,
            "status": "ok" if not failed else "failed" if failed == len(self.points) else "incomplete",
            "message": f"{len(self.points)} bins: {self._counted()}",
            "warnings": list(self.warnings),
            "reference_model": Models([self.reference_model]).to_dict()["components"][0]["spectral"],
            "confidence": {
                "sigma": self.sigma,
                "sigma_ul": self.sigma_ul,
                "sigma_sensitivity": self.sigma_sensitivity,
            },
            "ul": {"method": self.ul.value, "level": round(NormalDist().cdf(self.sigma_ul), 12)},
            "reoptimize": self.reoptimize,
            **({} if self.nuisance_prior is None else {"nuisance_prior": self.nuisance_prior}),
            **({"deabsorbed": True} if self.deabsorbed else {}),
            **({} if self.method is PointsMethod.BANDS else {"method": self.method.value}),
            **({"smoothness": self.smoothness} if self.smoothness else {}),
            "datasets": list(self.datasets),
            "points": [point_row(point, self.norm_scan) for point in self.points],
            **({} if self.covariance is None else {"covariance": matrix_rows(self.covariance)}),
            **({} if inputs is None else {"inputs": dict(inputs)}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], directory: Path = Path(), source: str | None = None) -> Self:
        """The points that a ``gm/flux-points/1`` document holds, of ``source`` where it has several.

        directory : what names of files are relative to. Raises `DataError` for a reference model that cannot be made,
        for a source that is not there, and for several of which none is chosen.
        """
        source, reference = _chosen(data, source)
        rows = [k for k, row in enumerate(data["points"]) if row.get("source", source) == source]
        points, confidence = [data["points"][k] for k in rows], data["confidence"]
        scan = first_scan(points)
        return cls(
            source=source,
            reference_model=reference_model(source, reference, directory),
            points=tuple(point_from(row, scan) for row in points),
            norm_scan=scan,
            sigma=confidence["sigma"],
            sigma_ul=confidence["sigma_ul"],
            sigma_sensitivity=confidence.get("sigma_sensitivity", 5.0),
            reoptimize=data.get("reoptimize", False),
            datasets=tuple(data.get("datasets") or ()),
            warnings=tuple(data.get("warnings") or ()),
            ul=LimitMethod(data["ul"]["method"]) if "ul" in data else LimitMethod.LIKELIHOOD,
            nuisance_prior=data.get("nuisance_prior"),
            method=PointsMethod(data.get("method", "bands")),
            smoothness=data.get("smoothness", 0.0),
            covariance=matrix_from(data["covariance"])[np.ix_(rows, rows)] if "covariance" in data else None,
        )

    # In files

    @classmethod
    def read(cls, path: str | Path, reference_model: SpectralModel | None = None, source: str | None = None) -> Self:
        """A result of ``gm flux-points``, or an SED table (FITS, ECSV) of gm, Gammapy, fermipy or a catalogue.

        reference_model : what fluxes refer to where a table does not tell, by default ``E^-2``: what an energy flux
        between two energies is at one. source : of a result of several, which `JointFluxPoints.read` reads together.
        Raises `InvalidInput`, `DataError`, and `UsageError` for a reference that is given though the file has one, and
        for the source of a table.
        """
        path = Path(path)
        if path.suffix in _YAML and reference_model is None:
            data = read_result_document(path, cls.told_as)
            with belonging_together(path):
                return cls.from_dict(data, path.parent, source)
        if source is not None:
            raise UsageError(f"{path}: source='{source}' chooses among those of a result, and a table has one")
        try:
            return cls(**points_from_table(read_sed(path), path.name.partition(".")[0], reference_model))
        except DataError as error:
            raise DataError(str(error) if str(path) in str(error) else f"{path}: {error}") from error

    def write(self, path: str | Path, overwrite: bool = False, sed_type: str = "likelihood") -> None:
        """Write the document (``.yaml``), or the SED table of a type that Gammapy reads (``.fits``, ``.ecsv``).

        A band without data is no row of a table where its edges would be inside those of another, and edges are told
        where they make an axis. Raises `UsageError`, and `DataError` where a file is there, unless ``overwrite``.
        """
        path = Path(path)
        check_sed_type(sed_type)
        if path.suffix not in (*_YAML, *_TABLES):
            raise DataError(f"{path}: flux points are .yaml, .fits, .fits.gz or .ecsv")
        refuse_existing([path], overwrite)
        if path.suffix in _YAML:
            write_atomic(path, dump_yaml(self.to_dict(path.stem)))
            return
        rows, with_edges = rows_of_an_axis(self.points)
        columns = sed_columns(rows, self.norm_scan, self._counted_in(), sed_type, with_edges=with_edges)
        if self.covariance is not None:
            columns.append(covariance_column(self.points, rows, self.covariance, sed_type))
        write_sed(path, columns, sed_header(sed_type, self.sigma, self.sigma_ul))

    def _counted_in(self) -> tuple[str, ...]:
        """The datasets whose counts a table tells: events have no true energies."""
        return () if self.method is PointsMethod.UNFOLD else self.datasets

    # In a notebook

    def to_table(self, sed_type: str = "likelihood") -> Table:
        """All points as an astropy table of one type: ``likelihood``, ``dnde``, ``e2dnde``, ``flux``, ``eflux``.

        With errors, limits, references, profiles, and the verdict on each; what is not known is NaN. Raises
        `UsageError` for another type.
        """
        from astropy.table import Table

        table = Table(meta=sed_header(sed_type, self.sigma, self.sigma_ul))
        for column in sed_columns(self.points, self.norm_scan, self._counted_in(), sed_type):
            table[column.name] = np.asarray(column.values)
            if column.unit:
                table[column.name].unit = column.unit
        table["status"] = [point.status for point in self.points]
        table["reason"] = [point.reason or "" for point in self.points]
        return table

    def told(self) -> str:
        low = min((point.e_ref for point in self.points), default=float("nan"))
        high = max((point.e_ref for point in self.points), default=float("nan"))
        return f"{self.source!r}, {len(self.points)} points, {low:.4g} to {high:.4g} TeV: {self._counted()}"

    def shown_rows(self) -> Iterator[dict[str, object]]:
        """The points as differential fluxes."""
        names = ("e_min", "e_max", "dnde", "dnde_err", "dnde_ul", "ts", "status", "reason")
        for point in self.points:
            row = point_row(point, self.norm_scan)
            yield {name: row[name] for name in names}

    def _counted(self) -> str:
        """How many points are what."""
        numbers = Counter(point.status for point in self.points)
        return ", ".join(f"{numbers[kind]} {kind.replace('_', ' ')}" for kind in _KINDS if numbers[kind])


def _chosen(data: Mapping[str, Any], source: str | None) -> tuple[str, Any]:
    """A source and its spectrum. Raises `DataError` where it is not clear which, or not there."""
    sources = sources_of(data)
    if not sources:
        raise DataError("points of several sources, without their names")
    if source is None and len(sources) > 1:
        raise DataError(
            f"points of {len(sources)} sources: {', '.join(sources)}\n"
            f"    FluxPoints.read(file, source='{sources[0]}') reads those of one, JointFluxPoints.read(file) of all"
        )
    source = sources[0] if source is None else source
    if source not in sources:
        raise DataError(f"no points of '{source}'\n    {suggest(source, sources, 'sources')}")
    return source, (data.get("reference_models") or {}).get(source, data["reference_model"])
