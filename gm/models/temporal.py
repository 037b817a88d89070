"""Temporal models: their parameters, limits and settings.

Only the constant one is evaluated, as a factor of 1. The others are records with the defaults of Gammapy 2.1,
``gammapy.modeling.models.temporal``; reference times are days of Modified Julian Date.
"""

from __future__ import annotations

from typing import ClassVar

from gm.models.parameter import Parameter
from gm.models.parametric import ParametricModel

_T_REF = Parameter("t_ref", 51544.0, "d", frozen=True)
_T_REF_FREE = Parameter("t_ref", 51544.0, "d")


class TemporalModel(ParametricModel):
    """Variation of a component with time; ``scale`` is the time scale of its reference time."""

    section = "temporal"
    setting_names: ClassVar[tuple[str, ...]] = ("scale",)

    def __init__(self, *, scale: str = "utc", **settings: object) -> None:
        super().__init__(**{name: value for name, value in settings.items() if name not in self.setting_names})
        self.settings = {"scale": scale} | {n: settings[n] for n in self.setting_names if n in settings}


class ConstantTemporalModel(TemporalModel):
    """No variation: the factor is 1."""

    tags = ("ConstantTemporalModel", "const")


class LinearTemporalModel(TemporalModel):
    """``alpha + beta (t - t_ref)``."""

    tags = ("LinearTemporalModel", "linear")
    defaults = (Parameter("alpha", 1.0), Parameter("beta", 0.0, "d-1"), _T_REF)


class ExpDecayTemporalModel(TemporalModel):
    """``exp(-(t - t_ref) / t0)``."""

    tags = ("ExpDecayTemporalModel", "exp-decay")
    defaults = (Parameter("t0", 1.0, "d"), _T_REF)


class GaussianTemporalModel(TemporalModel):
    """``exp(-(t - t_ref)^2 / (2 sigma^2))``."""

    tags = ("GaussianTemporalModel", "gauss")
    defaults = (_T_REF_FREE, Parameter("sigma", 1.0, "d"))


class GeneralizedGaussianTemporalModel(TemporalModel):
    """``exp(-(|t - t_ref| / tau)^(1/eta) / 2)`` with tau = ``t_rise`` before t_ref, ``t_decay`` after."""

    tags = ("GeneralizedGaussianTemporalModel", "gengauss")
    defaults = (_T_REF_FREE, Parameter("t_rise", 1.0, "d"), Parameter("t_decay", 1.0, "d"), Parameter("eta", 0.5))


class PowerLawTemporalModel(TemporalModel):
    """``((t - t_ref) / t0)^alpha``."""

    tags = ("PowerLawTemporalModel", "powerlaw")
    defaults = (Parameter("alpha", 1.0), _T_REF, Parameter("t0", 1.0, "d", frozen=True))


class SineTemporalModel(TemporalModel):
    """``1 + amp sin(omega (t - t_ref))``."""

    tags = ("SineTemporalModel", "sinus")
    defaults = (Parameter("amp", 1.0), Parameter("omega", 1.0, "rad / d"), _T_REF_FREE)


class LightCurveTemplateTemporalModel(TemporalModel):
    """A light curve from a file."""

    tags = ("LightCurveTemplateTemporalModel", "template")
    setting_names = ("scale", "filename", "format", "unit")
    defaults = (_T_REF,)


class TemplatePhaseCurveTemporalModel(TemporalModel):
    """A phase curve from a file, with the phase a cubic polynomial of time."""

    tags = ("TemplatePhaseCurveTemporalModel", "template-phase")
    setting_names = ("scale", "filename", "normalize")
    defaults = (
        Parameter("t_ref", 48442.5, "d", frozen=True),
        Parameter("phi_ref", 0.0, frozen=True),
        Parameter("f0", 29.946923, "s-1", frozen=True),
        Parameter("f1", 0.0, "s-2", frozen=True),
        Parameter("f2", 0.0, "s-3", frozen=True),
    )
