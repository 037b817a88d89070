"""gm fits gamma-ray astronomy data with one global model."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gm.conventions import Conventions
    from gm.datasets import (
        Datasets,
        FluxPointsDataset,
        MapDataset,
        MapDatasetOnOff,
        SpectrumDataset,
        SpectrumDatasetOnOff,
    )
    from gm.estimators import (
        Alternative,
        FluxPoints,
        FluxPointsEstimator,
        ImpactEstimator,
        Impacts,
        JointFluxPoints,
        LightCurve,
        LightCurveEstimator,
        LikelihoodProfile,
        ModelSelection,
        ProfileEstimator,
        Selection,
        Sensitivity,
        SensitivityEstimator,
        ToyFit,
        ToySummary,
        Truth,
        study_toys,
    )
    from gm.estimators.joint_points import JointFluxPointsEstimator
    from gm.estimators.posterior.result import Posterior
    from gm.estimators.posterior.sampler import PosteriorSampler
    from gm.estimators.sky.excess_map import ExcessMapEstimator
    from gm.estimators.sky.extension import ExtensionEstimator
    from gm.estimators.sky.extension_result import Extension
    from gm.estimators.sky.finding import SourceFinder
    from gm.estimators.sky.finding_result import FoundSources
    from gm.estimators.sky.localization import Localizer
    from gm.estimators.sky.localization_result import Localization
    from gm.estimators.sky.profile import SkyProfileEstimator
    from gm.estimators.sky.profile_result import SkyProfile
    from gm.estimators.sky.ps_map import PSMapEstimator
    from gm.estimators.sky.residual_map import ResidualMapEstimator
    from gm.estimators.sky.result import SkyMaps
    from gm.estimators.sky.ts_map import TSMapEstimator
    from gm.estimators.toys_result import Goodness
    from gm.estimators.workspace import Workspace, WorkspaceBuilder
    from gm.fit import Fit, FitResult
    from gm.irf.tables import (
        PSF3D,
        Background2D,
        Background3D,
        EffectiveAreaTable2D,
        EnergyDependentMultiGaussPSF,
        EnergyDispersion2D,
        PSFKing,
        RadMax2D,
    )
    from gm.likelihood.drawing import predicted, simulate
    from gm.makers.exclusion import Exclusion
    from gm.makers.fov import FoVBackgroundMaker
    from gm.makers.maps import MapDatasetMaker
    from gm.makers.phases import PhaseBackgroundMaker
    from gm.makers.reflected import ReflectedRegionsBackgroundMaker
    from gm.makers.region_finders import ReflectedRegionsFinder, WobbleRegionsFinder
    from gm.makers.rings import AdaptiveRingBackgroundMaker, RingBackgroundMaker
    from gm.makers.safe_mask import SafeMaskMaker
    from gm.makers.spectra import SpectrumDatasetMaker
    from gm.models import (
        AddressError,
        BackgroundIRFModel,
        Component,
        FoVBackgroundModel,
        GaussianPrior,
        GeneralizedGaussianPrior,
        InstrumentModel,
        InstrumentResponse,
        Link,
        LinkError,
        LogUniformPrior,
        ModelError,
        Models,
        Parameter,
        Parameters,
        Prior,
        SkyModel,
        SpatialModel,
        SpectralModel,
        TemplateNPredModel,
        TemporalModel,
        TimeIntervals,
        UniformPrior,
    )
    from gm.observations import GTI, DataStore, EventList, Observation, Observations, ObservationSelection
    from gm.pipeline.commands.plot import plot
    from gm.version import __version__ as __version__

if TYPE_CHECKING:
    # models, by docs/models.py
    from gm.models.spatial.constant import ConstantSpatialModel
    from gm.models.spatial.disks import DiskSpatialModel, Shell2SpatialModel, ShellSpatialModel
    from gm.models.spatial.gaussians import GaussianSpatialModel, GeneralizedGaussianSpatialModel
    from gm.models.spatial.piecewise import PiecewiseNormSpatialModel
    from gm.models.spatial.point import PointSpatialModel
    from gm.models.spatial.templates import TemplateNDSpatialModel, TemplateSpatialModel
    from gm.models.spectral.absorption import EBLAbsorptionNormSpectralModel
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
    from gm.models.temporal.base import ConstantTemporalModel
    from gm.models.temporal.formulae import (
        ExpDecayTemporalModel,
        GaussianTemporalModel,
        GeneralizedGaussianTemporalModel,
        LinearTemporalModel,
        PowerLawTemporalModel,
        SineTemporalModel,
    )
    from gm.models.temporal.templates import LightCurveTemplateTemporalModel, TemplatePhaseCurveTemporalModel
    # end of models

__all__ = [
    "GTI",
    "PSF3D",
    "AdaptiveRingBackgroundMaker",
    "AddressError",
    "Alternative",
    "Background2D",
    "Background3D",
    "BackgroundIRFModel",
    "Component",
    "Conventions",
    "DataStore",
    "Datasets",
    "EffectiveAreaTable2D",
    "EnergyDependentMultiGaussPSF",
    "EnergyDispersion2D",
    "EventList",
    "ExcessMapEstimator",
    "Exclusion",
    "Extension",
    "ExtensionEstimator",
    "Fit",
    "FitResult",
    "FluxPoints",
    "FluxPointsDataset",
    "FluxPointsEstimator",
    "FoVBackgroundMaker",
    "FoVBackgroundModel",
    "FoundSources",
    "GaussianPrior",
    "GeneralizedGaussianPrior",
    "Goodness",
    "ImpactEstimator",
    "Impacts",
    "InstrumentModel",
    "InstrumentResponse",
    "JointFluxPoints",
    "JointFluxPointsEstimator",
    "LightCurve",
    "LightCurveEstimator",
    "LikelihoodProfile",
    "Link",
    "LinkError",
    "Localization",
    "Localizer",
    "LogUniformPrior",
    "MapDataset",
    "MapDatasetMaker",
    "MapDatasetOnOff",
    "ModelError",
    "ModelSelection",
    "Models",
    "Observation",
    "ObservationSelection",
    "Observations",
    "PSFKing",
    "PSMapEstimator",
    "Parameter",
    "Parameters",
    "PhaseBackgroundMaker",
    "Posterior",
    "PosteriorSampler",
    "Prior",
    "ProfileEstimator",
    "RadMax2D",
    "ReflectedRegionsBackgroundMaker",
    "ReflectedRegionsFinder",
    "ResidualMapEstimator",
    "RingBackgroundMaker",
    "SafeMaskMaker",
    "Selection",
    "Sensitivity",
    "SensitivityEstimator",
    "SkyMaps",
    "SkyModel",
    "SkyProfile",
    "SkyProfileEstimator",
    "SourceFinder",
    "SpatialModel",
    "SpectralModel",
    "SpectrumDataset",
    "SpectrumDatasetMaker",
    "SpectrumDatasetOnOff",
    "TSMapEstimator",
    "TemplateNPredModel",
    "TemporalModel",
    "TimeIntervals",
    "ToyFit",
    "ToySummary",
    "Truth",
    "UniformPrior",
    "WobbleRegionsFinder",
    "Workspace",
    "WorkspaceBuilder",
    "plot",
    "predicted",
    "simulate",
    "study_toys",
]

__all__ += [
    # models, by docs/models.py
    "BrokenPowerLawSpectralModel",
    "CompoundSpectralModel",
    "ConstantSpatialModel",
    "ConstantSpectralModel",
    "ConstantTemporalModel",
    "DiskSpatialModel",
    "EBLAbsorptionNormSpectralModel",
    "ExpCutoffPowerLaw3FGLSpectralModel",
    "ExpCutoffPowerLawNormSpectralModel",
    "ExpCutoffPowerLawSpectralModel",
    "ExpDecayTemporalModel",
    "GaussianSpatialModel",
    "GaussianSpectralModel",
    "GaussianTemporalModel",
    "GeneralizedGaussianSpatialModel",
    "GeneralizedGaussianTemporalModel",
    "LightCurveTemplateTemporalModel",
    "LinearTemporalModel",
    "LogParabola2SpectralModel",
    "LogParabolaNormSpectralModel",
    "LogParabolaSpectralModel",
    "PiecewiseNormSpatialModel",
    "PiecewiseNormSpectralModel",
    "PointSpatialModel",
    "PowerLaw2SpectralModel",
    "PowerLawNormSpectralModel",
    "PowerLawSpectralModel",
    "PowerLawTemporalModel",
    "Shell2SpatialModel",
    "ShellSpatialModel",
    "SineTemporalModel",
    "SmoothBrokenPowerLawSpectralModel",
    "SuperExpCutoffPowerLaw3FGLSpectralModel",
    "SuperExpCutoffPowerLaw4FGLDR3SpectralModel",
    "SuperExpCutoffPowerLaw4FGLSpectralModel",
    "TemplateNDSpatialModel",
    "TemplateNDSpectralModel",
    "TemplatePhaseCurveTemporalModel",
    "TemplateSpatialModel",
    "TemplateSpectralModel",
    # end of models
]

_HOMES = {
    **{name: "gm.datasets" for name in __all__ if "Dataset" in name},
    **dict.fromkeys(("DataStore", "EventList", "GTI"), "gm.observations"),
    **{name: "gm.observations" for name in __all__ if name.startswith("Observation")},
    **dict.fromkeys(("EffectiveAreaTable2D", "EnergyDispersion2D", "RadMax2D"), "gm.irf.tables"),
    **dict.fromkeys(("PSF3D", "EnergyDependentMultiGaussPSF", "PSFKing"), "gm.irf.tables"),
    **dict.fromkeys(("Background2D", "Background3D"), "gm.irf.tables"),
    "plot": "gm.pipeline.commands.plot",
    "__version__": "gm.version",
    **dict.fromkeys(("predicted", "simulate"), "gm.likelihood.drawing"),
    "Exclusion": "gm.makers.exclusion",
    "FoVBackgroundMaker": "gm.makers.fov",
    "MapDatasetMaker": "gm.makers.maps",
    **dict.fromkeys(("AdaptiveRingBackgroundMaker", "RingBackgroundMaker"), "gm.makers.rings"),
    "PhaseBackgroundMaker": "gm.makers.phases",
    "ReflectedRegionsBackgroundMaker": "gm.makers.reflected",
    **dict.fromkeys(("ReflectedRegionsFinder", "WobbleRegionsFinder"), "gm.makers.region_finders"),
    "SafeMaskMaker": "gm.makers.safe_mask",
    "SpectrumDatasetMaker": "gm.makers.spectra",
    **dict.fromkeys(("Fit", "FitResult"), "gm.fit"),
    "Conventions": "gm.conventions",
    **dict.fromkeys(("FluxPoints", "FluxPointsEstimator", "ImpactEstimator", "LightCurveEstimator"), "gm.estimators"),
    "JointFluxPoints": "gm.estimators",
    "JointFluxPointsEstimator": "gm.estimators.joint_points",
    **dict.fromkeys(("ProfileEstimator", "SensitivityEstimator"), "gm.estimators"),
    **dict.fromkeys(("Impacts", "LightCurve", "LikelihoodProfile", "Selection", "Sensitivity"), "gm.estimators"),
    "ToySummary": "gm.estimators",
    "Goodness": "gm.estimators.toys_result",
    "SkyMaps": "gm.estimators.sky.result",
    "SkyProfile": "gm.estimators.sky.profile_result",
    "Localization": "gm.estimators.sky.localization_result",
    "Extension": "gm.estimators.sky.extension_result",
    "FoundSources": "gm.estimators.sky.finding_result",
    "TSMapEstimator": "gm.estimators.sky.ts_map",
    "ExcessMapEstimator": "gm.estimators.sky.excess_map",
    "ResidualMapEstimator": "gm.estimators.sky.residual_map",
    "PSMapEstimator": "gm.estimators.sky.ps_map",
    "SkyProfileEstimator": "gm.estimators.sky.profile",
    "Localizer": "gm.estimators.sky.localization",
    "ExtensionEstimator": "gm.estimators.sky.extension",
    "SourceFinder": "gm.estimators.sky.finding",
    **dict.fromkeys(("Alternative", "ModelSelection", "ToyFit", "Truth", "study_toys"), "gm.estimators"),
    **dict.fromkeys(("Workspace", "WorkspaceBuilder"), "gm.estimators.workspace"),
    "Posterior": "gm.estimators.posterior.result",
    "PosteriorSampler": "gm.estimators.posterior.sampler",
}
"""Where a public name is from, when that is not ``gm.models``."""

if not TYPE_CHECKING:  # for type checkers a name that is not there is an error

    def __getattr__(name: str) -> object:
        """Public names, loaded on first use, so that ``gm --help`` and completion import neither NumPy nor astropy."""
        if name in __all__ or name in _HOMES or name.endswith("Model"):
            try:
                return getattr(import_module(_HOMES.get(name, "gm.models")), name)
            except AttributeError:
                pass
        raise AttributeError(f"module 'gm' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_HOMES})
