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
    from gm.estimators import FluxPointsEstimator
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
    from gm.makers.phases import PhaseBackgroundMaker
    from gm.makers.reflected import ReflectedRegionsBackgroundMaker
    from gm.makers.region_finders import ReflectedRegionsFinder, WobbleRegionsFinder
    from gm.makers.safe_mask import SafeMaskMaker
    from gm.makers.spectra import SpectrumDatasetMaker
    from gm.models import (
        AddressError,
        BackgroundIRFModel,
        BrokenPowerLawSpectralModel,
        Component,
        CompoundSpectralModel,
        ConstantSpatialModel,
        ConstantSpectralModel,
        ConstantTemporalModel,
        DiskSpatialModel,
        EBLAbsorptionNormSpectralModel,
        ExpCutoffPowerLaw3FGLSpectralModel,
        ExpCutoffPowerLawNormSpectralModel,
        ExpCutoffPowerLawSpectralModel,
        ExpDecayTemporalModel,
        FoVBackgroundModel,
        GaussianPrior,
        GaussianSpatialModel,
        GaussianSpectralModel,
        GaussianTemporalModel,
        GeneralizedGaussianPrior,
        GeneralizedGaussianSpatialModel,
        GeneralizedGaussianTemporalModel,
        LightCurveTemplateTemporalModel,
        LinearTemporalModel,
        Link,
        LinkError,
        LogParabola2SpectralModel,
        LogParabolaNormSpectralModel,
        LogParabolaSpectralModel,
        LogUniformPrior,
        ModelError,
        Models,
        Parameter,
        Parameters,
        PiecewiseNormSpatialModel,
        PiecewiseNormSpectralModel,
        PointSpatialModel,
        PowerLaw2SpectralModel,
        PowerLawNormSpectralModel,
        PowerLawSpectralModel,
        PowerLawTemporalModel,
        Prior,
        Shell2SpatialModel,
        ShellSpatialModel,
        SineTemporalModel,
        SkyModel,
        SmoothBrokenPowerLawSpectralModel,
        SpatialModel,
        SpectralModel,
        SuperExpCutoffPowerLaw3FGLSpectralModel,
        SuperExpCutoffPowerLaw4FGLDR3SpectralModel,
        SuperExpCutoffPowerLaw4FGLSpectralModel,
        TemplateNDSpatialModel,
        TemplateNDSpectralModel,
        TemplateNPredModel,
        TemplatePhaseCurveTemporalModel,
        TemplateSpatialModel,
        TemplateSpectralModel,
        TemporalModel,
        TimeIntervals,
        UniformPrior,
    )
    from gm.observations import GTI, DataStore, EventList, Observation, Observations, ObservationSelection

__version__ = "0.1.0"

__all__ = [
    "GTI",
    "PSF3D",
    "AddressError",
    "Background2D",
    "Background3D",
    "BackgroundIRFModel",
    "BrokenPowerLawSpectralModel",
    "Component",
    "CompoundSpectralModel",
    "ConstantSpatialModel",
    "ConstantSpectralModel",
    "ConstantTemporalModel",
    "Conventions",
    "DataStore",
    "Datasets",
    "DiskSpatialModel",
    "EBLAbsorptionNormSpectralModel",
    "EffectiveAreaTable2D",
    "EnergyDependentMultiGaussPSF",
    "EnergyDispersion2D",
    "EventList",
    "ExpCutoffPowerLaw3FGLSpectralModel",
    "ExpCutoffPowerLawNormSpectralModel",
    "ExpCutoffPowerLawSpectralModel",
    "ExpDecayTemporalModel",
    "Fit",
    "FitResult",
    "FluxPointsDataset",
    "FluxPointsEstimator",
    "FoVBackgroundModel",
    "GaussianPrior",
    "GaussianSpatialModel",
    "GaussianSpectralModel",
    "GaussianTemporalModel",
    "GeneralizedGaussianPrior",
    "GeneralizedGaussianSpatialModel",
    "GeneralizedGaussianTemporalModel",
    "LightCurveTemplateTemporalModel",
    "LinearTemporalModel",
    "Link",
    "LinkError",
    "LogParabola2SpectralModel",
    "LogParabolaNormSpectralModel",
    "LogParabolaSpectralModel",
    "LogUniformPrior",
    "MapDataset",
    "MapDatasetOnOff",
    "ModelError",
    "Models",
    "Observation",
    "ObservationSelection",
    "Observations",
    "PSFKing",
    "Parameter",
    "Parameters",
    "PhaseBackgroundMaker",
    "PiecewiseNormSpatialModel",
    "PiecewiseNormSpectralModel",
    "PointSpatialModel",
    "PowerLaw2SpectralModel",
    "PowerLawNormSpectralModel",
    "PowerLawSpectralModel",
    "PowerLawTemporalModel",
    "Prior",
    "RadMax2D",
    "ReflectedRegionsBackgroundMaker",
    "ReflectedRegionsFinder",
    "SafeMaskMaker",
    "Shell2SpatialModel",
    "ShellSpatialModel",
    "SineTemporalModel",
    "SkyModel",
    "SmoothBrokenPowerLawSpectralModel",
    "SpatialModel",
    "SpectralModel",
    "SpectrumDataset",
    "SpectrumDatasetMaker",
    "SpectrumDatasetOnOff",
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
    "WobbleRegionsFinder",
]

_HOMES = {
    **{name: "gm.datasets" for name in __all__ if "Dataset" in name},
    **dict.fromkeys(("DataStore", "EventList", "GTI"), "gm.observations"),
    **{name: "gm.observations" for name in __all__ if name.startswith("Observation")},
    **dict.fromkeys(("EffectiveAreaTable2D", "EnergyDispersion2D", "RadMax2D"), "gm.irf.tables"),
    **dict.fromkeys(("PSF3D", "EnergyDependentMultiGaussPSF", "PSFKing"), "gm.irf.tables"),
    **dict.fromkeys(("Background2D", "Background3D"), "gm.irf.tables"),
    "PhaseBackgroundMaker": "gm.makers.phases",
    "ReflectedRegionsBackgroundMaker": "gm.makers.reflected",
    **dict.fromkeys(("ReflectedRegionsFinder", "WobbleRegionsFinder"), "gm.makers.region_finders"),
    "SafeMaskMaker": "gm.makers.safe_mask",
    "SpectrumDatasetMaker": "gm.makers.spectra",
    **dict.fromkeys(("Fit", "FitResult"), "gm.fit"),
    "Conventions": "gm.conventions",
    "FluxPointsEstimator": "gm.estimators",
}
"""Where a public name is from, when that is not ``gm.models``."""

if not TYPE_CHECKING:  # for type checkers a name that is not there is an error

    def __getattr__(name: str) -> object:
        """Public names, loaded on first use, so that ``gm --help`` and completion import neither NumPy nor astropy."""
        if name in __all__:
            return getattr(import_module(_HOMES.get(name, "gm.models")), name)
        raise AttributeError(f"module 'gm' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
