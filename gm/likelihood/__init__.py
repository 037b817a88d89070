"""The likelihood: fluxes of the global model folded with responses and compared with counts."""

from gm.likelihood.contract import LikelihoodTerm
from gm.likelihood.joint import DatasetSummary, JointLikelihood, PixelLattice
from gm.likelihood.prediction import predict_component, predicted_counts
from gm.likelihood.remarks import remarks
from gm.likelihood.report import TermReport

__all__ = [
    "DatasetSummary",
    "JointLikelihood",
    "LikelihoodTerm",
    "PixelLattice",
    "TermReport",
    "predict_component",
    "predicted_counts",
    "remarks",
]
