"""What a fit found: plain values, one line of documentation each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gm.arrays import Array
from gm.likelihood import ByEnergy, DatasetSummary
from gm.matrices import Covariance
from gm.models import Models

Status = Literal["converged", "at_limit", "not_converged", "failed"]


@dataclass(frozen=True)
class FittedParameter:
    """One parameter of the global model after the fit, in its own unit; None where a number does not exist, and why.

    ``rise_at_2_sigma`` of the statistic is there where it is far from the 4 of a parabola.
    """

    name: str
    value: float
    error: float | None
    unit: str
    frozen: bool
    min: float | None = None
    max: float | None = None
    at_limit: Literal["lower", "upper"] | None = None
    link: str | None = None
    minos: tuple[float | None, float | None] | None = None
    error_reason: str = ""
    minos_reason: str = ""
    rise_at_2_sigma: float | None = None


@dataclass(frozen=True)
class FittedComponent:
    """A component: its predicted counts per dataset, and where asked for its test statistic against absence."""

    name: str
    type: str
    predicted: dict[str, float]
    degrees_of_freedom: int
    ts: float | None = None
    ts_reason: str = ""
    decorrelation_energy: float | None = None


@dataclass(frozen=True)
class Contour:
    """Points (n_points, 2) at which the profiled statistic has risen by ``delta_statistic``, and why some miss."""

    parameters: tuple[str, str]
    delta_statistic: float
    points: Array
    reason: str = ""


@dataclass(frozen=True)
class MinimizerReport:
    """How the minimum was found."""

    name: str
    edm: float
    value_calls: int
    gradient_calls: int
    steps: int


@dataclass(frozen=True, eq=False)
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
