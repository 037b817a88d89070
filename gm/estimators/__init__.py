"""Estimators: what is asked of the data around a global model."""

from gm.estimators.flux_points import FluxPointsEstimator
from gm.estimators.impacts import Impact, ImpactEstimator, Impacts
from gm.estimators.joint_result import JointFluxPoints
from gm.estimators.light_curve import LightCurve, LightCurveEstimator, LightCurveRow
from gm.estimators.norm import NormEstimate
from gm.estimators.points import FluxPoints
from gm.estimators.profiles import LikelihoodProfile, ProfileAxis, ProfileEstimator, ProfileRow
from gm.estimators.quantity import Quantity
from gm.estimators.result import FluxPoint, PointDataset, ReferenceFlux
from gm.estimators.selection import Alternative, ModelSelection, Selection
from gm.estimators.sensitivity import Sensitivity, SensitivityEstimator
from gm.estimators.toy_summary import ToySummary, summarize
from gm.estimators.toys import Toy, ToyFit, Truth

__all__ = [
    "Alternative",
    "FluxPoint",
    "FluxPoints",
    "FluxPointsEstimator",
    "Impact",
    "ImpactEstimator",
    "Impacts",
    "JointFluxPoints",
    "LightCurve",
    "LightCurveEstimator",
    "LightCurveRow",
    "LikelihoodProfile",
    "ModelSelection",
    "NormEstimate",
    "PointDataset",
    "ProfileAxis",
    "ProfileEstimator",
    "ProfileRow",
    "Quantity",
    "ReferenceFlux",
    "Selection",
    "Sensitivity",
    "SensitivityEstimator",
    "Toy",
    "ToyFit",
    "ToySummary",
    "Truth",
    "summarize",
]
