"""What a fit says of parameters, components and its own way: plain values, one line of documentation each."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from gm.arrays import Array
from gm.fit.decorrelation import FittedShape

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
    """A component: its predicted counts per dataset, and where asked for its test statistic against absence.

    shape : its spectrum, or the energy [TeV] where that is known best; None where there is none
    """

    name: str
    type: str
    predicted: dict[str, float]
    degrees_of_freedom: int
    ts: float | None = None
    ts_reason: str = ""
    shape: FittedShape | float | None = field(default=None, repr=False, compare=False)

    @cached_property
    def decorrelation_energy(self) -> float | None:
        """Where the relative error of the flux is smallest [TeV], looked for when it is asked for; None: nowhere."""
        return self.shape.decorrelation_energy() if isinstance(self.shape, FittedShape) else self.shape


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
