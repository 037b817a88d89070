"""Parameters, formulae with their gradients, components, and the one global `Models`."""

from __future__ import annotations

from gm.models.absorption import EBLAbsorptionNormSpectralModel
from gm.models.addresses import Addresses
from gm.models.component import BackgroundIRFModel, Component, FoVBackgroundModel, SkyModel, TemplateNPredModel
from gm.models.compound import CompoundSpectralModel
from gm.models.cutoffs import (
    ExpCutoffPowerLaw3FGLSpectralModel,
    ExpCutoffPowerLawNormSpectralModel,
    ExpCutoffPowerLawSpectralModel,
    SuperExpCutoffPowerLaw3FGLSpectralModel,
    SuperExpCutoffPowerLaw4FGLDR3SpectralModel,
    SuperExpCutoffPowerLaw4FGLSpectralModel,
)
from gm.models.errors import AddressError, LinkError, ModelError
from gm.models.gaussian import GaussianSpectralModel
from gm.models.integration import EnergyBins
from gm.models.layout import Layout
from gm.models.links import Link
from gm.models.log_parabolas import LogParabola2SpectralModel, LogParabolaNormSpectralModel, LogParabolaSpectralModel
from gm.models.models import Models, Parameters
from gm.models.parameter import Parameter
from gm.models.power_laws import (
    BrokenPowerLawSpectralModel,
    ConstantSpectralModel,
    PowerLaw2SpectralModel,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    SmoothBrokenPowerLawSpectralModel,
)
from gm.models.prior import GaussianPrior, GeneralizedGaussianPrior, LogUniformPrior, Prior, UniformPrior
from gm.models.registry import SPATIAL_MODELS, SPECTRAL_MODELS, TEMPORAL_MODELS
from gm.models.spatial import SpatialModel
from gm.models.spatial_constant import ConstantSpatialModel
from gm.models.spatial_disks import DiskSpatialModel, Shell2SpatialModel, ShellSpatialModel
from gm.models.spatial_gaussians import GaussianSpatialModel, GeneralizedGaussianSpatialModel
from gm.models.spatial_piecewise import PiecewiseNormSpatialModel
from gm.models.spatial_point import PointSpatialModel
from gm.models.spatial_templates import TemplateNDSpatialModel, TemplateSpatialModel
from gm.models.spectral import SpectralModel
from gm.models.spectral_templates import TemplateNDSpectralModel
from gm.models.tables import PiecewiseNormSpectralModel, TemplateSpectralModel
from gm.models.temporal import ConstantTemporalModel, TemporalModel
from gm.models.temporal_formulae import (
    ExpDecayTemporalModel,
    GaussianTemporalModel,
    GeneralizedGaussianTemporalModel,
    LinearTemporalModel,
    PowerLawTemporalModel,
    SineTemporalModel,
)
from gm.models.temporal_templates import LightCurveTemplateTemporalModel, TemplatePhaseCurveTemporalModel
from gm.models.time_intervals import TimeIntervals

__all__ = [
    "SPATIAL_MODELS",
    "SPECTRAL_MODELS",
    "TEMPORAL_MODELS",
    "AddressError",
    "Addresses",
    "BackgroundIRFModel",
    "BrokenPowerLawSpectralModel",
    "Component",
    "CompoundSpectralModel",
    "ConstantSpatialModel",
    "ConstantSpectralModel",
    "ConstantTemporalModel",
    "DiskSpatialModel",
    "EBLAbsorptionNormSpectralModel",
    "EnergyBins",
    "ExpCutoffPowerLaw3FGLSpectralModel",
    "ExpCutoffPowerLawNormSpectralModel",
    "ExpCutoffPowerLawSpectralModel",
    "ExpDecayTemporalModel",
    "FoVBackgroundModel",
    "GaussianPrior",
    "GaussianSpatialModel",
    "GaussianSpectralModel",
    "GaussianTemporalModel",
    "GeneralizedGaussianPrior",
    "GeneralizedGaussianSpatialModel",
    "GeneralizedGaussianTemporalModel",
    "Layout",
    "LightCurveTemplateTemporalModel",
    "LinearTemporalModel",
    "Link",
    "LinkError",
    "LogParabola2SpectralModel",
    "LogParabolaNormSpectralModel",
    "LogParabolaSpectralModel",
    "LogUniformPrior",
    "ModelError",
    "Models",
    "Parameter",
    "Parameters",
    "PiecewiseNormSpatialModel",
    "PiecewiseNormSpectralModel",
    "PointSpatialModel",
    "PowerLaw2SpectralModel",
    "PowerLawNormSpectralModel",
    "PowerLawSpectralModel",
    "PowerLawTemporalModel",
    "Prior",
    "Shell2SpatialModel",
    "ShellSpatialModel",
    "SineTemporalModel",
    "SkyModel",
    "SmoothBrokenPowerLawSpectralModel",
    "SpatialModel",
    "SpectralModel",
    "SuperExpCutoffPowerLaw3FGLSpectralModel",
    "SuperExpCutoffPowerLaw4FGLDR3SpectralModel",
    "SuperExpCutoffPowerLaw4FGLSpectralModel",
    "TemplateNDSpatialModel",
    "TemplateNDSpectralModel",
    "TemplateNPredModel",
    "TemplatePhaseCurveTemporalModel",
    "TemplateSpatialModel",
    "TemplateSpectralModel",
    "TemporalModel",
    "TimeIntervals",
    "UniformPrior",
]
