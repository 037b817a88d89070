"""The publish stage: workspaces, and a text that says what they hold."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence

from gm.errors import DataError, UsageError
from gm.estimators.workspace import Workspace, WorkspaceBuilder
from gm.io.files import write_atomic
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Task
from gm.pipeline.stages.fit.datasets import datasets_of
from gm.pipeline.stages.publish.settings import PublishSettings
from gm.readable import plural

_HEAD = """\
# Likelihoods

Each file is a workspace of [pyhf](https://pyhf.readthedocs.io) (HistFactory JSON). In every bin of every spectrum the
source is a sum of bands of true energy, and each band has a parameter: the factor on the flux that the reference
spectrum has there. So the likelihood of any spectrum is that of its factors:

```python
import json, pyhf

model = pyhf.Workspace(json.load(open("NAME.json"))).model()
parameters = model.config.suggested_init()
parameters[model.config.par_slice("BAND")] = [1.3]  # this band's flux, relative to the reference
print(model.logpdf(parameters, pyhf.Workspace(json.load(open("NAME.json"))).data(model)))
```

Within a band a spectrum has the shape of the reference. Off counts are channels of their own ("... off"): their
background has a free factor in each bin, which is fitted along, and profiled over it the likelihood is the W statistic.
Channels hold the bins that were fitted, no others.
"""


def run_publish(session: Session, task: Task, settings: Sequence[PublishSettings]) -> dict[str, float]:
    """Compute all, then write all; return the wall times. Raises `DataError`."""
    began = time.perf_counter()
    workspaces, models = [], session.start.models()
    for entry in settings:
        datasets = datasets_of(session, entry.datasets, f"publish {entry.name}")
        conventions = session.analysis.settings.conventions
        builder = WorkspaceBuilder(
            source=entry.source, per_decade=entry.per_decade, conventions=conventions, engine=session.engine
        )
        try:
            workspaces.append(builder.run(datasets, models))
        except (DataError, UsageError) as error:
            raise DataError(f"publish {entry.name}: {error}") from error
    readme, *files = task.outputs()
    session.begin(task.key, task.outputs())
    for file, workspace in zip(files, workspaces, strict=True):
        write_atomic(file, json.dumps(workspace.document, indent=1) + "\n")
    parts = zip(settings, workspaces, strict=True)
    write_atomic(readme, "\n".join([_HEAD, *(line for entry, of in parts for line in _section(entry, of))]) + "\n")
    seconds = time.perf_counter() - began
    session.reporter.step("publish", plural(len(workspaces), "workspace"), seconds)
    return {**session.seconds, "publish": seconds}


def _section(entry: PublishSettings, workspace: Workspace) -> Iterator[str]:
    """What one workspace holds, as Markdown."""
    yield f"## {entry.name}.json\n"
    yield f"Source {workspace.source}; spectra: {', '.join(workspace.datasets)}."
    if workspace.fixed:
        yield f"As they are at the reference, without a parameter: {', '.join(workspace.fixed)}."
    if workspace.left_out:
        yield f"Not in it, since they are no spectra: {', '.join(workspace.left_out)}."
    yield "\n| parameter | from [TeV] | to [TeV] | reference flux [cm-2 s-1] | predicted counts |"
    yield "| --- | --- | --- | --- | --- |"
    names = (one["name"] for one in workspace.document["measurements"][0]["config"]["parameters"])
    edges = zip(workspace.edges[:-1], workspace.edges[1:], strict=True)
    for name, (low, high), flux, counts in zip(names, edges, workspace.reference, workspace.predicted, strict=False):
        yield f"| {name} | {low:.6g} | {high:.6g} | {flux:.6g} | {counts:.5g} |"
    yield "\nThe first and the last band hold the few counts from beyond, fewer than 0.1 each.\n"
