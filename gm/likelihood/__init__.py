"""The likelihood: fluxes of the global model folded with responses and compared with counts."""

from gm.likelihood.joint import DatasetSummary, JointLikelihood

__all__ = ["DatasetSummary", "JointLikelihood"]
