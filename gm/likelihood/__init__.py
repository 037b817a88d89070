"""The likelihood: fluxes of the global model folded with responses and compared with counts."""

from gm.likelihood.by_energy import ByEnergy, ComponentByEnergy
from gm.likelihood.engine import Engine, LocalEngine, RepeatingEngine
from gm.likelihood.joint import JointLikelihood, PixelLattice
from gm.likelihood.prediction import predict_component, predicted_counts
from gm.likelihood.remarks import remarks
from gm.likelihood.report import TermReport
from gm.likelihood.summary import DatasetSummary
from gm.likelihood.terms import LocalTerms, Terms

__all__ = [
    "ByEnergy",
    "ComponentByEnergy",
    "DatasetSummary",
    "Engine",
    "JointLikelihood",
    "LocalEngine",
    "LocalTerms",
    "PixelLattice",
    "RepeatingEngine",
    "TermReport",
    "Terms",
    "predict_component",
    "predicted_counts",
    "remarks",
]
