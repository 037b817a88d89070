"""Second derivatives and covariances of many parameters, most of which meet few others."""

from gm.matrices.bordered import BorderedHessian
from gm.matrices.covariance import (
    BorderedCovariance,
    Covariance,
    along,
    diagonal_covariance,
    no_covariance,
    not_covariance,
    placed,
    substituted,
)
from gm.matrices.dense import DenseHessian, as_hessian
from gm.matrices.grouping import Grouping
from gm.matrices.hessian import NOTHING, Hessian, Matrix

__all__ = [
    "NOTHING",
    "BorderedCovariance",
    "BorderedHessian",
    "Covariance",
    "DenseHessian",
    "Grouping",
    "Hessian",
    "Matrix",
    "along",
    "as_hessian",
    "diagonal_covariance",
    "no_covariance",
    "not_covariance",
    "placed",
    "substituted",
]
