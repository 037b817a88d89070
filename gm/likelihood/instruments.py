"""Which nuisance parameters of instruments act on which datasets, and where they cannot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

from gm.datasets import Dataset
from gm.errors import DataError
from gm.likelihood.factors import FactorKey
from gm.models import BackgroundIRFModel, InstrumentModel, Layout, Models
from gm.models.instrument import Effect


@final
@dataclass(frozen=True)
class Effects:
    """What acts on one dataset: factors of its exposure, and of its known background; the component, by name, that has
    the scale of its energies."""

    exposure: FactorKey = ()
    background: FactorKey = ()
    energy: str | None = None

    def corrected_by(self, correction: BackgroundIRFModel | None) -> str | None:
        """The component, by name, that the known background is a factor of; None where nothing changes it."""
        if correction is not None:
            return correction.name
        return self.background[0][0] if self.background else None


NOTHING = Effects()


@final
class Instruments:
    """The nuisances of instruments in a global model. ``layout`` : of the models

    A parameter acts where it is free, follows one that is, or is not at its neutral value; others change no bit.
    """

    def __init__(self, models: Models, layout: Layout) -> None:
        self._models = models
        self._acting = {component.name: tuple(_acting(component, layout)) for component in models.instruments()}

    def on(self, dataset: Dataset) -> Effects:
        """What acts on a dataset. Raises `DataError` where it is not a dataset that this could act on."""
        if not any(self._acting.values()):
            return NOTHING
        found: Mapping[Effect, list[tuple[str, Effect]]] = {"exposure": [], "background": [], "energy": []}
        for component in self._models.instruments(dataset.name):
            for name in self._acting[component.name]:
                if (why := dataset.refused_nuisances.get(name)) is not None:
                    raise DataError(
                        f"dataset {dataset.name}: {component.name}.{name} cannot act on it: {why[0]}\n    {why[1]}"
                    )
                effect = component.response.acting[name]
                if (component.name, effect) not in found[effect]:
                    found[effect].append((component.name, effect))
        scales = [name for name, _ in found["energy"]]
        if len(scales) > 1:
            raise DataError(
                f"dataset {dataset.name}: its energies have several scales: {', '.join(scales)}\n"
                "    one of them, by datasets_names"
            )
        return Effects(tuple(found["exposure"]), tuple(found["background"]), next(iter(scales), None))


def _acting(component: InstrumentModel, layout: Layout) -> Iterator[str]:
    """Names of the parameters that do something."""
    first, response = layout.slots(component.name).start, component.response
    for k, (parameter, default) in enumerate(zip(response.parameters, response.defaults, strict=True)):
        is_free = layout.free_position(first + k) is not None
        if parameter.name in response.acting and (is_free or parameter.value != default.value):
            yield parameter.name
