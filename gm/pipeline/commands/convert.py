"""``gm convert``: flux points of one file in another, of another SED type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gm.errors import UsageError, suggest
from gm.estimators.points import FluxPoints
from gm.models import Models, SkyModel


def convert(
    points: str, output: str, sed_type: str, reference: str | None = None, source: str | None = None, *, force: bool
) -> dict[str, Any]:
    """Read, and write; what was written, and what a reader should know.

    reference, source : a models.yaml and its component whose spectrum fluxes refer to, where the file of the points
    tells none. Raises `UsageError`, `InvalidInput` and `DataError`.
    """
    file = Path(output)
    if file.exists() and not force:
        raise UsageError(f"{file} is there\n    another name, or --force")
    if file.exists() and file.samefile(points):
        raise UsageError(f"{file} is the file that is read\n    another name")
    spectrum = None if reference is None else _component(Models.read(reference), source).spectral_model
    if source is not None and reference is None:
        raise UsageError("--source is a component of the models that --reference names")
    found = FluxPoints.read(points, spectrum)
    found.write(file, overwrite=force, sed_type=sed_type)
    kind = "flux-points" if file.suffix in (".yaml", ".yml") else sed_type
    return {"file": str(file), "sed_type": kind, "points": len(found.points), "warnings": list(found.warnings)}


def _component(models: Models, name: str | None) -> SkyModel:
    """The one with a spectrum, or the one of that name. Raises `UsageError`."""
    known = {component.name: component for component in models.sources()}
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name is None:
        raise UsageError(f"which component is the reference? --source NAME\n    components: {', '.join(known)}")
    if name not in known:
        raise UsageError(f"no component is called '{name}'; {suggest(name, known, 'components')}")
    return known[name]
