"""Parameters, formulae with their gradients, components, and the one global `Models`.

Classes of models, such as ``PowerLawSpectralModel``, are here too, whose modules are imported with the first of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gm.models.addresses import Addresses
from gm.models.components.background import BackgroundIRFModel, FoVBackgroundModel
from gm.models.components.base import Component, Role
from gm.models.components.counts import TemplateNPredModel
from gm.models.components.instrument import InstrumentModel
from gm.models.components.sky import SkyModel
from gm.models.composition import Parameters
from gm.models.errors import AddressError, LinkError, ModelError
from gm.models.instrument import InstrumentResponse
from gm.models.layout import Layout
from gm.models.links import Link
from gm.models.models import Models
from gm.models.parameter import Parameter
from gm.models.parametric import Default
from gm.models.prior import GaussianPrior, GeneralizedGaussianPrior, LogUniformPrior, Prior, UniformPrior
from gm.models.registry import model_named
from gm.models.spatial.base import SpatialModel
from gm.models.spectral.base import SpectralModel
from gm.models.spectral.integration import EnergyBins
from gm.models.temporal.base import TemporalModel
from gm.models.temporal.intervals import TimeIntervals

__all__ = [
    "AddressError",
    "Addresses",
    "BackgroundIRFModel",
    "Component",
    "Default",
    "EnergyBins",
    "FoVBackgroundModel",
    "GaussianPrior",
    "GeneralizedGaussianPrior",
    "InstrumentModel",
    "InstrumentResponse",
    "Layout",
    "Link",
    "LinkError",
    "LogUniformPrior",
    "ModelError",
    "Models",
    "Parameter",
    "Parameters",
    "Prior",
    "Role",
    "SkyModel",
    "SpatialModel",
    "SpectralModel",
    "TemplateNPredModel",
    "TemporalModel",
    "TimeIntervals",
    "UniformPrior",
]

if not TYPE_CHECKING:  # type checkers see them in their modules, and in `gm`

    def __getattr__(name: str) -> object:
        try:
            return model_named(name)
        except KeyError:
            raise AttributeError(f"module 'gm.models' has no attribute '{name}'") from None
