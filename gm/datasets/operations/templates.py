"""Templates under an operation: maps of counts go along with the bins, shapes lose energies that are summed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gm.arrays import Array
from gm.datasets.base import Dataset
from gm.datasets.datasets import Datasets
from gm.datasets.map_dataset import SkyMap
from gm.datasets.operations.backgrounds import described, dropped_priors, neutral, values_of
from gm.datasets.operations.kinds import as_map
from gm.datasets.operations.outcome import Edit, Outcome, Predict, Refused
from gm.datasets.operations.revision import Revision
from gm.irf.edisp import overlap_matrix
from gm.maps.map import Map
from gm.models import Models, SkyModel, TemplateNPredModel
from gm.models.spatial.templates import TemplateSpatialModel
from gm.models.spectral.integration import EnergyBins
from gm.models.templates.counts import CountsTemplate

# SkyMap of counts


def templates_of(models: Models, dataset: Dataset) -> list[TemplateNPredModel]:
    """The maps of counts that are predicted for a dataset."""
    return models.counts_templates(dataset.name)


def check_templates(models: Models, datasets: Datasets, inputs: Sequence[str], *, joined: bool, keep: bool) -> None:
    """Refuse a map of counts for all datasets when some change their bins and others do not: it is one map."""
    for component in models.counts_templates():
        if component.datasets_names is None:
            stay = [name for name in datasets.names if keep or name not in inputs]
            if stay or (len(inputs) > 1 and not joined):
                raise Refused(
                    f"{component.name} is one map of counts for all datasets, and these would have different bins",
                    "give each dataset a template of its own, by datasets_names",
                )


def _bare(dataset: SkyMap, counts: Array) -> SkyMap:
    """A dataset of these counts alone, without responses and background."""
    return dataset.with_(counts=counts, psf=None, edisp=None)


def move_template(
    revision: Revision,
    component: TemplateNPredModel,
    dataset: Dataset,
    output: Dataset,
    make: Callable[[SkyMap, str], Any],
    *,
    is_baked: bool,
    keep: bool,
) -> Edit:
    """A map of counts made as the dataset's counts are; beside the old one when the dataset stays.

    is_baked : the spectrum at its values is put into the counts, since it has no place on the new bins
    """
    before = as_map(dataset, "predict")
    counts = _counts_of(component, before)
    if is_baked:
        counts = component.template(before.geometry, before.energy)
        counts = counts * component.spectral_model(before.energy.center)[:, None, None]
    name = f"{component.name}-{output.name}" if keep else component.name
    result = as_map(output, "predict")
    moved = _with_counts(component, name, result, make(_bare(before, counts), output.name).counts)
    filename, priors = moved.filename, [p.name for p in component.parameters if p.prior is not None]
    data = {"to": name, "dataset": output.name, "filename": filename, **values_of(component)}
    where = f"its counts on the bins of {output.name}, {filename} ({described(component)})"
    if is_baked:
        spectrum = neutral([component], output.name, result.energy.n_bins)
        moved = replace(moved, spectral_model=spectrum, spatial_model=None)
        if not keep:
            revision.drop(component.name, f"baked into its counts on the bins of {output.name}")
            where += f"; {dropped_priors(priors)}" if priors else ""
        revision.add(component.name, moved)
        return Edit("baked", component.name, f"baked into {where}", data | {"dropped_priors": [] if keep else priors})
    if keep:
        revision.copy(component.name, moved)
        return Edit("copied", component.name, f"copied to {name} with {where}", data)
    revision.replace(component.name, moved)
    return Edit("carried", component.name, f"carried with {where}", data)


def stacked_template(
    revision: Revision,
    component: TemplateNPredModel,
    datasets: Sequence[Dataset],
    output: Dataset,
    make: Callable[[Sequence[SkyMap], str], Any],
    *,
    keep: bool,
) -> Edit:
    """The map of counts of one input, or of all, under the safe masks of those that it is for."""
    maps = [as_map(dataset, "predict") for dataset in datasets]
    own = next(dataset for dataset in maps if component.applies_to(dataset.name))
    zero = {d.name: np.zeros(d.counts.shape) for d in maps if not component.applies_to(d.name)}
    parts = [_bare(d, zero[d.name] if d.name in zero else _counts_of(component, d)) for d in maps]
    return move_template(revision, component, own, output, lambda _, name: make(parts, name), is_baked=False, keep=keep)


def _counts_of(component: TemplateNPredModel, dataset: SkyMap) -> Array:
    assert component.counts is not None
    return component.counts.on(dataset.geometry, dataset.energy)


def _with_counts(component: TemplateNPredModel, name: str, dataset: SkyMap, counts: Array) -> TemplateNPredModel:
    filename = _file_name(component.name, dataset.name)
    counts = np.asarray(counts, dtype=np.float64)
    template = CountsTemplate(filename, Map(dataset.geometry, (dataset.energy,), counts))
    is_for_all = component.datasets_names is None and name == component.name
    scope = None if is_for_all else (dataset.name,)
    return replace(component, name=name, filename=filename, counts=template, datasets_names=scope)


def _file_name(component: str, dataset: str) -> str:
    return re.sub(r"[^\w.+-]", "_", f"{component}-{dataset}") + ".fits"


# Shapes with energies


def collapse_shapes(datasets: Datasets, outcome: Outcome, predict: Predict | None) -> Outcome:
    """Shapes that are maps with energies as images, for components that apply to one image only.

    The image is the mean over true energies, weighted at each position with exposure and spectrum of the component, at
    its values, and what of it is measured in safe energies: before the PSF the predicted counts stay in each pixel.
    With ``predict`` the image is scaled such that they stay in all, whatever the PSF does.
    """
    revision, edits = Revision(outcome.models), list[Edit]()
    for product in outcome.products:
        before, image = datasets[product.inputs[0]], outcome.datasets[product.output]
        for component in outcome.models.sources():
            names = outcome.datasets.names if component.datasets_names is None else list(component.datasets_names)
            if names == [image.name] and _has_energies(component):
                collapsed = _collapsed(component, as_map(before, "predict").where_measured(), image, predict)
                revision.replace(component.name, collapsed)
                edits.append(_told(component, collapsed, image.name))
    return replace(outcome, models=revision.finish(), edits=(*outcome.edits, *edits)) if edits else outcome


def _has_energies(component: SkyModel) -> bool:
    shape = component.spatial_model
    is_map = isinstance(shape, TemplateSpatialModel) and shape.template.geometry.pixel_grid is not None
    return is_map and shape is not None and shape.is_energy_dependent


def _collapsed(component: SkyModel, dataset: SkyMap, image: Dataset, predict: Predict | None) -> SkyModel:
    shape = component.spatial_model
    assert isinstance(shape, TemplateSpatialModel)
    filename = _file_name(component.name, image.name)

    def scaled(values: Array) -> SkyModel:
        made = Map(shape.template.geometry, (), values, shape.template.unit)
        return replace(component, spatial_model=shape.with_map(filename, made))

    mean = _mean(component, shape, dataset)
    if predict is None:
        return scaled(mean)
    old, new = _safe_sum(dataset, predict(dataset, component)), _safe_sum(image, predict(image, scaled(mean)))
    return scaled(mean * (old / new)) if old > 0 and new > 0 else scaled(mean)


def _safe_sum(dataset: Any, counts: Array) -> float:
    return float(np.sum(counts, where=True if dataset.mask_safe is None else dataset.mask_safe))


def _mean(component: SkyModel, shape: TemplateSpatialModel, dataset: SkyMap) -> Array:
    """``sum_k w_k T_k / sum_k w_k`` on the pixels of the template, with w = spectrum x exposure x what is measured."""
    spectrum, true = component.spectral_model, dataset.energy_true
    flux = spectrum.band_integrals(EnergyBins(true.edges), spectrum.values())
    if component.apply_irf["edisp"]:
        flux = flux * _measured(dataset)
    template = shape.template
    assert template.geometry.pixel_grid is not None
    lon, lat = template.geometry.pixel_grid.grid()
    place, center = shape.position(shape.values()), template.center()
    x, y = dataset.geometry.position(lon + place[0] - center[0], lat + place[1] - center[1], template.frame)
    n_y, n_x = dataset.geometry.shape
    column, row = (
        np.clip(np.round(np.nan_to_num(at)), 0, size - 1).astype(np.intp) for at, size in ((x, n_x), (y, n_y))
    )
    weighted, weight, plain = (np.zeros(template.geometry.shape) for _ in range(3))
    for k, energy in enumerate(true.center):
        value = template.evaluate(lon, lat, np.array([energy]))[0]
        exposed = flux[k] * (dataset.exposure[k][row, column] if component.apply_irf["exposure"] else 1.0)
        weighted += exposed * value
        weight += exposed
        plain += value / true.n_bins
    return np.divide(weighted, weight, out=plain, where=weight > 0)


def _measured(dataset: SkyMap) -> Array:
    """(n_true,): the part of each true energy that is measured in energies that are safe somewhere."""
    if dataset.edisp is None:
        matrix = overlap_matrix(dataset.energy_true, dataset.energy)
    else:
        energy = dataset.energy
        lon, lat = dataset.geometry.center()
        matrix = dataset.edisp.kernel(energy, lon, lat, dataset.geometry.frame)
    safe = None if dataset.mask_safe is None else dataset.mask_safe.any(axis=(1, 2))
    return np.asarray(np.sum(matrix if safe is None else matrix[:, safe], axis=1))


def _told(component: SkyModel, collapsed: SkyModel, dataset: str) -> Edit:
    old, new = (
        Path(str(model.spatial_model.settings["filename"])).name
        for model in (component, collapsed)
        if model.spatial_model is not None
    )
    text = f"its shape {old} has no energies any more: {new}, weighted with the exposure and its spectrum"
    return Edit("collapsed", component.name, text, {"dataset": dataset, "filename": new, "from_file": old})
