"""What maps alone can have: counts by position, and fluxes per solid angle, of which no spectrum tells what it sees."""

from __future__ import annotations

from collections.abc import Sequence

from gm.datasets import Datasets
from gm.datasets.base import Dataset
from gm.datasets.kinds import is_map
from gm.datasets.left_out import listed
from gm.errors import DataError
from gm.models import Models, SkyModel


def check_fluxes(datasets: Datasets, models: Models) -> None:
    """Raises `DataError` for components that apply to what is no map and say nothing of it.

    A source whose spectrum is no flux: a factor of a template in cm-2 s-1 TeV-1 sr-1, or a flux per solid angle; and a
    map of counts that is listed for such a dataset.
    """
    others: dict[str, Dataset] = {dataset.name: dataset for dataset in datasets if not is_map(dataset)}
    if not others:
        return
    for source in models.sources():
        if not _is_flux(source) and (seen := source.applied(others)):
            unknown = "how much it sees of that is" if len(seen) == 1 else "what they see of that is"
            raise _refusal(source.name, f"{_what(source)}; {_no_maps(seen)}, and {unknown} not known")
    for template in models.counts_templates():
        if template.datasets_names is not None and (seen := template.applied(others)):
            raise _refusal(template.name, f"it is a map of counts, and {_no_maps(seen)}")


def _refusal(name: str, why: str) -> DataError:
    return DataError(f"component {name}: {why}\n    list the maps that it is for in its datasets_names")


def _no_maps(datasets: Sequence[Dataset]) -> str:
    names = listed([dataset.name for dataset in datasets])
    return f"{names} is no map" if len(datasets) == 1 else f"{names} are no maps"


def _is_flux(component: SkyModel) -> bool:
    unit = component.spectral_model.result_unit()
    return bool(unit) and not unit.endswith("sr-1")


def _what(component: SkyModel) -> str:
    spectrum, shape = component.spectral_model, component.spatial_model
    if unit := spectrum.result_unit():
        return f"its spectrum is in {unit}"
    of = "no flux" if shape is None else f"a factor of its {shape.tags[0]}"
    return f"its {spectrum.tags[0]} is {of}"
