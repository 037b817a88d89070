"""What is written down of the classes of models: the page docs/models.md, and their names in gm/__init__.py.

``python docs/models.py`` writes them again; a test compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from inspect import cleandoc
from pathlib import Path

from gm.model_types import SECTIONS, model_types
from gm.models.instrument import InstrumentResponse
from gm.models.parametric import ParametricModel
from gm.models.registry import all_models

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "models.md"
NAMES = ROOT / "gm" / "__init__.py"

_HEAD = """\
# Models

The types of models with their parameters and defaults, as `docs/models.py` writes them. In YAML `type` is the heading
or the short name in brackets; in Python the class is in `gm`.
"""
_INSTRUMENT = """\
## Instruments

A component `type: InstrumentModel` with `name`, `datasets_names` (none: all datasets) and `parameters` is what the
instrument of these datasets may be off by; in Python it is `gm.InstrumentModel(name=..., datasets_names=[...],
response=...)`. It is gm's own: `gm models convert MODELS --to gammapy -o FILE` writes models without it, and says which
were dropped.
"""
_BLOCK = r"(?ms)(# models, by docs/models.py\n).*?(^ *# end of models$)"


def page() -> str:
    """The text of docs/models.md."""
    parts = [_HEAD]
    for section in SECTIONS:
        parts.append(f"## {section.capitalize()} models\n")
        parts += [entry(model) for model in sorted(all_models(section), key=lambda model: model.__name__)]
    parts += [_INSTRUMENT, entry(InstrumentResponse)]
    return "\n".join(parts)


def entry(model: type[ParametricModel]) -> str:
    tags = ", ".join(f"`{tag}`" for tag in model.tags[1:])
    text = cleandoc(model.__doc__ or "").replace("``", "`")
    rows = "".join(
        f"| `{p.name}` | {p.value:g} | {p.unit} | {_limits(p.min, p.max)} | {'yes' if p.frozen else ''} |\n"
        for p in model.defaults
    )
    table = f"| parameter | default | unit | limits | frozen |\n| --- | --- | --- | --- | --- |\n{rows}" if rows else ""
    settings = ", ".join(f"`{name}`" for name in model.setting_names)
    keys = settings and f"Other keys: {settings}."
    parts = (f"### {model.__name__}" + (f" ({tags})" if tags else ""), text, keys, table)
    return "\n\n".join(part.rstrip() for part in parts if part) + "\n"


def _limits(low: float, high: float) -> str:
    return "" if (low, high) == (float("-inf"), float("inf")) else f"{low:g} to {high:g}"


def names() -> str:
    """The text of gm/__init__.py."""
    types = [made for section in SECTIONS for made in model_types(section)]
    by_module = {made.module: sorted(t.name for t in types if t.module == made.module) for made in types}
    imports = "".join(_import(module, by_module[module]) for module in sorted(by_module))
    listed = "".join(f'    "{name}",\n' for name in sorted(made.name for made in types))
    blocks = iter((imports, listed))
    return re.sub(_BLOCK, lambda found: found[1] + next(blocks) + found[2], NAMES.read_text("utf-8"))


def _import(module: str, classes: list[str]) -> str:
    line = f"    from {module} import {', '.join(classes)}\n"
    if len(line) <= 120:
        return line
    return f"    from {module} import (\n" + "".join(f"        {name},\n" for name in classes) + "    )\n"


def written() -> Iterable[tuple[Path, str]]:
    """The files, with the text that each should have."""
    return (PAGE, page()), (NAMES, names())


if __name__ == "__main__":
    for path, text in written():
        path.write_text(text, "utf-8")
