"""``gm models convert``: a models.yaml as Gammapy reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gm.errors import UsageError
from gm.io.files import refuse_existing
from gm.models import InstrumentModel, Models


def convert_models(models: str, output: str, *, force: bool) -> dict[str, Any]:
    """Write the models without what Gammapy has no component for; what was written, and what was dropped.

    Raises `UsageError`, `InvalidInput`, `DataError`, and `ModelError` where a parameter follows one that goes.
    """
    file = Path(output)
    if file.exists() and file.samefile(models):
        raise UsageError(f"{file} is the file that is read\n    another name")
    read = Models.read(models)
    kept, dropped = read, read.instruments()
    for component in dropped:
        kept = kept.without(component.name)
    writer = kept.writer(file)
    refuse_existing(writer.files, force)
    writer.write()
    return {
        "file": str(file),
        "components": kept.names,
        "dropped": [component.name for component in dropped],
        "warnings": [_words(component) for component in dropped],
    }


def _words(component: InstrumentModel) -> str:
    response = component.response
    lost = [
        f"{p.name} {p.value:.6g}" for p, d in zip(response.parameters, response.defaults, strict=True)
        if p.name in response.acting and p.value != d.value
    ]  # fmt: skip
    why = f"{component.name} is dropped: Gammapy has no nuisance parameters of instruments"
    return f"{why}; without {', '.join(lost)} it predicts otherwise" if lost else why
