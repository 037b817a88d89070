"""The simulation stage: templates, predictions of the global model, drawn datasets, files."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gm.arrays import Array
from gm.datasets import Datasets, FluxPointsDataset, MapDataset, MapDatasetOnOff, write_dataset
from gm.datasets.simulation import build_templates, draw
from gm.io.files import write_atomic
from gm.io.yaml_writer import dump_yaml
from gm.likelihood import JointLikelihood
from gm.models import Models
from gm.pipeline.build import read_parts
from gm.pipeline.load import Analysis

if TYPE_CHECKING:
    from gm.pipeline.session import Session


def run_simulation(session: Session) -> tuple[dict[str, Any], list[str]]:
    """Draw all datasets and write them; returns the summary and the files, relative to the folder of the results."""
    analysis = session.analysis
    simulation, output = analysis.simulation, analysis.settings.output
    assert simulation is not None
    start = time.perf_counter()
    given = read_parts(analysis.documents.datasets, analysis.settings.workers) if simulation.recipes is None else None
    templates = build_templates(simulation, given)
    predicted = predict(
        Datasets([template.dataset for template in templates]), analysis.models, analysis.settings.conventions
    )
    asimov = simulation.asimov or analysis.request.asimov
    rows, files = [], []
    for number, (template, counts) in enumerate(zip(templates, predicted, strict=True)):
        dataset = draw(template, counts, simulation.seed, asimov)
        file = f"datasets/{file_stem(dataset.name)}.fits"
        write_dataset(dataset, output / file)
        row = {"name": dataset.name, "type": dataset.type, "filename": file}
        if isinstance(dataset, FluxPointsDataset) and dataset.stat_type != "chi2":
            row["stat_type"] = dataset.stat_type
        rows.append(row)
        files.append(file)
        session.reporter.progress("simulate", number + 1, len(templates))
    analysis.models.write(output / "models.yaml", overwrite=True)
    write_atomic(output / "datasets.yaml", dump_yaml({"datasets": rows}))
    kind = "expected counts" if asimov else f"seed {simulation.seed}"
    text = f"{len(rows)} dataset{'' if len(rows) == 1 else 's'}, {kind}"
    session.reporter.step("simulate", text, time.perf_counter() - start)
    outputs = ["datasets.yaml", "models.yaml", *files]
    return simulation_document(analysis, outputs), outputs


def predict(datasets: Datasets, models: Models, conventions: str = "gammapy") -> Iterator[Array]:
    """Expected counts of every dataset in all of its bins (fluxes, for flux points) at the models' values.

    Spectra are predicted together, maps one by one, so that the responses of one map at a time are in memory.
    """
    others = Datasets(dataset for dataset in datasets if not isinstance(dataset, MapDataset | MapDatasetOnOff))
    together = iter(_predict(others, models, conventions) if len(others) else ())
    for dataset in datasets:
        if isinstance(dataset, MapDataset | MapDatasetOnOff):
            yield from _predict(Datasets([dataset]), models, conventions)
        else:
            yield next(together)


def _predict(datasets: Datasets, models: Models, conventions: str) -> list[Array]:
    likelihood = JointLikelihood(datasets, models, conventions)
    return likelihood.predicted(likelihood.layout.start)


def simulation_document(analysis: Analysis, outputs: Sequence[str]) -> dict[str, Any]:
    """What a simulation has made, as plain data."""
    output = analysis.settings.output
    return {"datasets": list(analysis.dataset_names), "files": [(output / file).as_posix() for file in outputs]}


def file_stem(name: str) -> str:
    """A dataset's name as the stem of a file: what cannot be in one becomes ``_``."""
    return "".join("_" if character in '/\\\0 :*?"<>|' else character for character in name).lstrip(".") or "_"
