"""The background of a whole field of view, scaled to or fitted on counts outside of sources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, final

import numpy as np

from gm.datasets import Datasets, MapDataset
from gm.datasets.operations.backgrounds import corrected
from gm.errors import DataError
from gm.fit.fit import Fit
from gm.fit.result import FitResult
from gm.likelihood import Engine, JointLikelihood
from gm.makers.exclusion import Exclusion
from gm.makers.maker import NoBackground
from gm.matrices import along
from gm.models import BackgroundIRFModel, Component, Models, Role, SpatialModel, SpectralModel
from gm.models.spectral.power_laws import PowerLawNormSpectralModel


@final
@dataclass(frozen=True)
class FoVBackgroundMaker:
    """A component ``<dataset>-bkg`` of which counts outside of ``exclusion`` tell the parameters.

    ``scale``: its norm is the counts that no source predicts over the background; ``fit``: all of its free parameters
    are fitted, from that norm on. Not more than ``min_counts`` counts, or ``min_npred_background`` of background, tell
    nothing. ``spectral_model``, ``spatial_model``: those of the component, at their start. ``engine`` compiles
    its likelihood, by default in this process. Source: Gammapy 2.1,
    ``FoVBackgroundMaker``, which excludes what lies beyond an exclusion mask.
    """

    method: Literal["scale", "fit"] = "scale"
    exclusion: Exclusion = field(default_factory=Exclusion)
    spectral_model: SpectralModel = field(default_factory=PowerLawNormSpectralModel)
    spatial_model: SpatialModel | None = None
    min_counts: float = 0.0
    min_npred_background: float = 0.0
    conventions: str = "gammapy"
    engine: Engine | None = None

    def __post_init__(self) -> None:
        if self.method == "scale" and self.spectral_model.amplitude_position() is None:
            raise DataError(f"{self.spectral_model.tags[0]} has no norm to scale\n    method: fit")

    def run(
        self, dataset: MapDataset, observation: Any = None, models: Iterable[Component] = ()
    ) -> tuple[MapDataset, BackgroundIRFModel]:
        """The dataset as it is, and its component.

        Sources among ``models`` are taken as they are: their predicted counts are no background. Raises `NoBackground`
        when the counts do not tell one, and `DataError`.
        """
        keep = self.exclusion.keep(dataset.geometry)
        kept = np.broadcast_to(keep, dataset.counts.shape)
        masked = dataset.with_(mask_fit=kept if dataset.mask_fit is None else kept & dataset.mask_fit)
        sources = [c for c in models if c.applies_to(dataset.name) and c.role is not Role.BACKGROUND]
        component = self._component(dataset.name)
        counts, background = self._sums(masked, component, sources)
        if component.spectral_model.amplitude_position() is not None:
            component = _normed(component, counts / background, np.sqrt(counts) / background)
        return dataset, component if self.method == "scale" else self._fitted(masked, component, sources)

    def _component(self, name: str) -> BackgroundIRFModel:
        """The component at its start; with a norm of 1, whatever that of the model."""
        spectrum, spatial = self.spectral_model, self.spatial_model
        component = BackgroundIRFModel(dataset_name=name, spectral_model=spectrum, spatial_model=spatial)
        return component if spectrum.amplitude_position() is None else _normed(component, 1.0, 0.0)

    def _sums(
        self, masked: MapDataset, component: BackgroundIRFModel, sources: Sequence[Component]
    ) -> tuple[float, float]:
        """Counts that no source predicts, and background, in the bins of the mask. Raises `NoBackground`."""
        full = corrected(masked, component)
        known = full.known_background
        if known is None:
            raise DataError(f"dataset {masked.name}: has no background that could be scaled")
        mask = masked.mask
        counts = float(masked.counts.sum(where=mask, dtype=np.float64))
        background = float(known.sum(where=mask, dtype=np.float64))
        others = self._predicted(masked, sources) if sources and mask.any() else 0.0
        name, outside = masked.name, "outside of what is excluded"
        if not mask.any():
            raise NoBackground(f"dataset {name}: no safe bin lies {outside}")
        if not background > self.min_npred_background:
            limit = f"not more than min_npred_background ({self.min_npred_background:g})"
            raise NoBackground(f"dataset {name}: {background:g} background counts {outside}, {limit}")
        if not counts > self.min_counts:
            raise NoBackground(
                f"dataset {name}: {counts:g} counts {outside}, not more than min_counts ({self.min_counts:g})"
            )
        if not counts > others:
            raise NoBackground(f"dataset {name}: {counts:g} counts {outside}, of which sources predict {others:g}")
        return counts - others, background

    def _predicted(self, masked: MapDataset, sources: Sequence[Component]) -> float:
        alone = Datasets([masked.with_(background=None)])
        likelihood = JointLikelihood(alone, Models(sources), self.conventions, counts_alone=True, engine=self.engine)
        return float(likelihood.predicted(likelihood.layout.start)[0].sum())

    def _fitted(
        self, masked: MapDataset, component: BackgroundIRFModel, sources: Sequence[Component]
    ) -> BackgroundIRFModel:
        frozen = [c.with_parameters([replace(p, frozen=True) for p in c.parameters]) for c in sources]
        result = Fit(Datasets([masked]), self.conventions, self.engine).run(Models([*frozen, component]))
        if not result.success:
            raise NoBackground(f"dataset {masked.name}: the fit of its background {result.status}: {result.message}")
        return self._closest(masked, result).backgrounds()[component.dataset_name]

    def _closest(self, masked: MapDataset, result: FitResult) -> Models:
        """The models one step of Newton's beyond a fit, which ends within a thousandth of the errors."""
        models = result.models
        if result.covariance is None:
            return models
        likelihood = JointLikelihood(Datasets([masked]), models, self.conventions, engine=self.engine)
        layout, (names, covariance) = likelihood.layout, result.covariance
        value, gradient = likelihood.value_and_gradient(layout.start)
        there = layout.start - 0.5 * along(covariance, gradient)
        if tuple(layout.free_addresses) != tuple(names) or not likelihood.value(there) <= value:
            return models
        values = layout.expand(there).tolist()
        return models.with_flat([replace(p, value=v) for p, v in zip(models.parameters, values, strict=True)])


def _normed(component: BackgroundIRFModel, norm: float, error: float) -> BackgroundIRFModel:
    at = component.spectral_model.amplitude_position()
    flat = [replace(p, value=norm, error=error) if k == at else p for k, p in enumerate(component.parameters)]
    return component.with_parameters(flat)
