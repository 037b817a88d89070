"""Estimators: what is asked of the data around a global model."""

from gm.estimators.flux_points import FluxPointsEstimator
from gm.estimators.impacts import ImpactEstimator
from gm.estimators.impacts_result import Impact, Impacts
from gm.estimators.joint_result import JointFluxPoints
from gm.estimators.light_curve import LightCurveEstimator
from gm.estimators.light_curve_result import LightCurve
from gm.estimators.light_curve_rows import LightCurveRow
from gm.estimators.norm import NormEstimate
from gm.estimators.points import FluxPoints
from gm.estimators.profile_result import LikelihoodProfile, ProfileAxis, ProfileRow
from gm.estimators.profiles import ProfileEstimator
from gm.estimators.quantity import Quantity
from gm.estimators.result import FluxPoint, PointDataset, ReferenceFlux
from gm.estimators.selection import Alternative, ModelSelection
from gm.estimators.selection_result import Selection
from gm.estimators.sensitivity import SensitivityEstimator
from gm.estimators.sensitivity_result import Sensitivity
from gm.estimators.toy_summary import study_toys, summarize
from gm.estimators.toys import Toy, ToyFit, Truth
from gm.estimators.toys_result import ToySummary

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
    "study_toys",
    "summarize",
]
