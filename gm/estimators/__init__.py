"""Estimators: what is asked of the data around a global model."""

from gm.estimators.flux_points import FluxPointsEstimator
from gm.estimators.light_curve import LightCurve, LightCurveEstimator, LightCurveRow
from gm.estimators.norm import NormEstimate
from gm.estimators.profiles import LikelihoodProfile, ProfileAxis, ProfileEstimator, ProfileRow
from gm.estimators.quantity import Quantity
from gm.estimators.result import FluxPoint, FluxPoints, PointDataset, ReferenceFlux

__all__ = [
    "FluxPoint",
    "FluxPoints",
    "FluxPointsEstimator",
    "LightCurve",
    "LightCurveEstimator",
    "LightCurveRow",
    "LikelihoodProfile",
    "NormEstimate",
    "PointDataset",
    "ProfileAxis",
    "ProfileEstimator",
    "ProfileRow",
    "Quantity",
    "ReferenceFlux",
]
