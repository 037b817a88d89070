"""Sources whose flux is one per solid angle: what of it a spectrum or flux points see, nobody knows."""

from __future__ import annotations

from gm.datasets import Datasets
from gm.datasets.base import Dataset
from gm.datasets.kinds import is_map
from gm.datasets.left_out import listed
from gm.errors import DataError
from gm.models import Models, SkyModel


def check_fluxes(datasets: Datasets, models: Models) -> None:
    """Raises `DataError` where a spectrum alone has to be a flux and is none: it is a factor of a template in cm-2 s-1
    TeV-1 sr-1, or a flux per solid angle itself, and applies to what is no map."""
    one_dimensional = {dataset.name: dataset for dataset in datasets if not is_map(dataset)}
    if not one_dimensional:
        return
    for component in models.sources():
        if _is_flux(component):
            continue
        seen: list[Dataset] = component.applied(one_dimensional)
        if seen:
            names = listed([dataset.name for dataset in seen])
            who = (
                f"{names} is no map, and how much it sees"
                if len(seen) == 1
                else f"{names} are no maps, and what they see"
            )
            raise DataError(
                f"component {component.name}: {_what(component)}; {who} of that is not known\n"
                "    list the maps that it is for in its datasets_names"
            )


def _is_flux(component: SkyModel) -> bool:
    unit = component.spectral_model.result_unit()
    return bool(unit) and not unit.endswith("sr-1")


def _what(component: SkyModel) -> str:
    spectrum, shape = component.spectral_model, component.spatial_model
    if unit := spectrum.result_unit():
        return f"its spectrum is in {unit}"
    of = "no flux" if shape is None else f"a factor of its {shape.tags[0]}"
    return f"its {spectrum.tags[0]} is {of}"
