"""The likelihood: fluxes of the global model folded with responses and compared with counts."""

from gm.likelihood.contract import LikelihoodTerm
from gm.likelihood.joint import DatasetSummary, JointLikelihood
from gm.likelihood.report import TermReport

__all__ = ["DatasetSummary", "JointLikelihood", "LikelihoodTerm", "TermReport"]
