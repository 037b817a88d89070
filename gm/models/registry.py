"""Every model type that YAML may name, in order, and which of them this version evaluates."""

from __future__ import annotations

from gm.models.parametric import ParametricModel
from gm.models.spatial import constant, disks, gaussians, piecewise, point
from gm.models.spatial import templates as spatial_templates
from gm.models.spatial.base import SpatialModel
from gm.models.spectral import absorption, compound, cutoffs, gaussian, log_parabolas, power_laws, tables
from gm.models.spectral import templates as spectral_templates
from gm.models.spectral.base import SpectralModel
from gm.models.temporal import base, formulae
from gm.models.temporal import templates as temporal_templates

SPECTRAL_MODELS: tuple[type[SpectralModel], ...] = (
    power_laws.ConstantSpectralModel,
    power_laws.PowerLawSpectralModel,
    power_laws.PowerLaw2SpectralModel,
    power_laws.BrokenPowerLawSpectralModel,
    power_laws.SmoothBrokenPowerLawSpectralModel,
    cutoffs.ExpCutoffPowerLawSpectralModel,
    cutoffs.ExpCutoffPowerLaw3FGLSpectralModel,
    cutoffs.SuperExpCutoffPowerLaw3FGLSpectralModel,
    cutoffs.SuperExpCutoffPowerLaw4FGLSpectralModel,
    cutoffs.SuperExpCutoffPowerLaw4FGLDR3SpectralModel,
    log_parabolas.LogParabolaSpectralModel,
    log_parabolas.LogParabola2SpectralModel,
    gaussian.GaussianSpectralModel,
    tables.TemplateSpectralModel,
    compound.CompoundSpectralModel,
    power_laws.PowerLawNormSpectralModel,
    log_parabolas.LogParabolaNormSpectralModel,
    cutoffs.ExpCutoffPowerLawNormSpectralModel,
    tables.PiecewiseNormSpectralModel,
    absorption.EBLAbsorptionNormSpectralModel,
    spectral_templates.TemplateNDSpectralModel,
)

SPATIAL_MODELS: tuple[type[SpatialModel], ...] = (
    point.PointSpatialModel,
    gaussians.GaussianSpatialModel,
    gaussians.GeneralizedGaussianSpatialModel,
    disks.DiskSpatialModel,
    disks.ShellSpatialModel,
    disks.Shell2SpatialModel,
    constant.ConstantSpatialModel,
    spatial_templates.TemplateSpatialModel,
    spatial_templates.TemplateNDSpatialModel,
    piecewise.PiecewiseNormSpatialModel,
)

TEMPORAL_MODELS: tuple[type[base.TemporalModel], ...] = (
    base.ConstantTemporalModel,
    formulae.LinearTemporalModel,
    formulae.ExpDecayTemporalModel,
    formulae.GaussianTemporalModel,
    formulae.GeneralizedGaussianTemporalModel,
    formulae.PowerLawTemporalModel,
    formulae.SineTemporalModel,
    temporal_templates.LightCurveTemplateTemporalModel,
    temporal_templates.TemplatePhaseCurveTemporalModel,
)

#: Types that Gammapy's documents may hold and that this version reads but does not evaluate, with their short tags.
NOT_EVALUATED: dict[str, dict[str, str]] = {
    "spectral": {
        "ScaleSpectralModel": "scale",
        "NaimaSpectralModel": "naima",
    },
}

_BY_TAG: dict[str, dict[str, type[ParametricModel]]] = {
    section: {tag: model for model in models for tag in model.tags}
    for section, models in (
        ("spectral", SPECTRAL_MODELS),
        ("spatial", SPATIAL_MODELS),
        ("temporal", TEMPORAL_MODELS),
    )
}


def find_model(section: str, tag: object) -> type[ParametricModel] | None:
    """The class of a type tag, or None. The section tells apart short tags that are used twice."""
    return _BY_TAG[section].get(tag) if isinstance(tag, str) else None


def model_tags(section: str) -> list[str]:
    """All type tags of a section, long ones first."""
    tags = list(_BY_TAG[section])
    return sorted(tags, key=lambda tag: not tag.endswith("Model"))


def not_evaluated(section: str, tag: object) -> str | None:
    """The full name of a type that this version recognises but does not evaluate, or None."""
    for name, short in NOT_EVALUATED.get(section, {}).items():
        if tag in (name, short):
            return name
    return None
