"""Parameters, formulae with their gradients, components, and the one global `Models`."""

from __future__ import annotations

from gm.models.addresses import Addresses
from gm.models.component import BackgroundIRFModel, Component, FoVBackgroundModel, SkyModel, TemplateNPredModel
from gm.models.errors import AddressError, LinkError, ModelError
from gm.models.layout import Layout
from gm.models.links import Link
from gm.models.models import Models, Parameters
from gm.models.parameter import Parameter
from gm.models.prior import GaussianPrior, GeneralizedGaussianPrior, LogUniformPrior, Prior, UniformPrior
from gm.models.registry import SPATIAL_MODELS, SPECTRAL_MODELS, TEMPORAL_MODELS
from gm.models.spatial.base import SpatialModel
from gm.models.spatial.constant import ConstantSpatialModel
from gm.models.spatial.disks import DiskSpatialModel, Shell2SpatialModel, ShellSpatialModel
from gm.models.spatial.gaussians import GaussianSpatialModel, GeneralizedGaussianSpatialModel
from gm.models.spatial.piecewise import PiecewiseNormSpatialModel
from gm.models.spatial.point import PointSpatialModel
from gm.models.spatial.templates import TemplateNDSpatialModel, TemplateSpatialModel
from gm.models.spectral.absorption import EBLAbsorptionNormSpectralModel
from gm.models.spectral.base import SpectralModel
from gm.models.spectral.compound import CompoundSpectralModel
from gm.models.spectral.cutoffs import (
    ExpCutoffPowerLaw3FGLSpectralModel,
    ExpCutoffPowerLawNormSpectralModel,
    ExpCutoffPowerLawSpectralModel,
    SuperExpCutoffPowerLaw3FGLSpectralModel,
    SuperExpCutoffPowerLaw4FGLDR3SpectralModel,
    SuperExpCutoffPowerLaw4FGLSpectralModel,
)
from gm.models.spectral.gaussian import GaussianSpectralModel
from gm.models.spectral.integration import EnergyBins
from gm.models.spectral.log_parabolas import (
    LogParabola2SpectralModel,
    LogParabolaNormSpectralModel,
    LogParabolaSpectralModel,
)
from gm.models.spectral.power_laws import (
    BrokenPowerLawSpectralModel,
    ConstantSpectralModel,
    PowerLaw2SpectralModel,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    SmoothBrokenPowerLawSpectralModel,
)
from gm.models.spectral.tables import PiecewiseNormSpectralModel, TemplateSpectralModel
from gm.models.spectral.templates import TemplateNDSpectralModel
from gm.models.temporal.base import ConstantTemporalModel, TemporalModel
from gm.models.temporal.formulae import (
    ExpDecayTemporalModel,
    GaussianTemporalModel,
    GeneralizedGaussianTemporalModel,
    LinearTemporalModel,
    PowerLawTemporalModel,
    SineTemporalModel,
)
from gm.models.temporal.intervals import TimeIntervals
from gm.models.temporal.templates import LightCurveTemplateTemporalModel, TemplatePhaseCurveTemporalModel

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
