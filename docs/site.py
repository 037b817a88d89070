"""The documentation as a site: the pages of this folder, and those that are made from the code.

``python -m docs.site [FOLDER]`` writes both below ``build``, or below another folder: ``docs`` and ``site``. A
warning of Sphinx is an error. Made are the pages of models, with figures, of commands and of the keys of the config.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from sphinx.cmd.build import main as sphinx_build

from docs.model_figures import chosen, model_figure
from docs.models import entry
from gm.cli.group import Gm, command_names
from gm.config_schemas.schema_files import load_schema
from gm.model_types import SECTIONS
from gm.models.registry import all_models

ROOT = Path(__file__).resolve().parent.parent
_OUTSIDE = re.compile(
    r"\[([^]\n]+)\]\((?:\.\./)+((?:benchmarks|tests|gm|example_configs|[A-Z]+\.md)[^)\s]*)\)"
)  # links
_KEYS = "| key | value | what |\n| --- | --- | --- |\n"


def build(target: Path) -> int:
    """Write sources to ``target``/docs and the site to ``target``/site; returns the exit code of Sphinx."""
    sources = target / "docs"
    shutil.rmtree(sources, ignore_errors=True)
    shutil.copytree(ROOT / "docs", sources, ignore=shutil.ignore_patterns("__pycache__", "site.py", "model*.py"))
    made = dict(_made())
    for path, content in made.items():
        file = sources / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(content, "utf-8")
    for page in sources.rglob("*.md"):
        page.write_text(_OUTSIDE.sub(r"\1 (`\2`)", page.read_text("utf-8")), "utf-8")
    index = sources / "index.md"
    index.write_text(index.read_text("utf-8") + _contents(index.read_text("utf-8")), "utf-8")
    return sphinx_build(["-W", "--keep-going", "-q", "-b", "html", str(sources), str(target / "site")])


def _contents(index: str) -> str:
    """The table of contents: under each heading of the index the pages that it links, then the lists of made pages."""
    told = ""
    for part in re.split(r"^## ", index, flags=re.MULTILINE)[1:]:
        pages = list(dict.fromkeys(re.findall(r"\]\(([\w/-]+)\.md\)", part)))
        told += _toctree(pages, part.splitlines()[0])
    return told + _toctree(["models/index", "commands/index", "config/index"], "One page each")


def _toctree(pages: Iterable[str], caption: str = "") -> str:
    """What the side bar shows, without a list in the text."""
    options = ":hidden:\n" + (f":caption: {caption}\n" if caption else "")
    return f"\n```{{toctree}}\n{options}\n" + "\n".join(pages) + "\n```\n"


def _made() -> Iterator[tuple[str, str]]:
    listed = list[str]()
    for section in SECTIONS:
        rows = list[str]()
        for path, kind in _models(section):
            figure = model_figure(kind)
            yield path, _model_page(kind, figure is not None)
            rows.append(_model_row(kind, figure is not None))
            if figure is not None:
                yield path.replace(".md", ".svg"), figure
        listed.append(f"## {section.capitalize()}\n\n| | model |\n| --- | --- |\n" + "".join(rows))
    names = [path.stem for section in SECTIONS for path, _ in ((Path(p), k) for p, k in _models(section))]
    yield "models/index.md", "# Every model\n\n" + "\n".join(listed) + _toctree(names)
    for name in command_names():
        yield f"commands/{name}.md", _command_page(name)
    yield "commands/index.md", _list_page("Every command", "command", {n: _help(n) for n in command_names()}, "gm ")
    sections = load_schema("config")["properties"]
    for name, schema in sections.items():
        yield f"config/{name}.md", _section_page(name, schema)
    about = {name: schema.get("description", "") for name, schema in sections.items()}
    yield "config/index.md", _list_page("Every key of the config", "key", about)


def _list_page(title: str, head: str, about: Mapping[str, str], before: str = "") -> str:
    """A page that lists others of its folder, with a line of each."""
    rows = "".join(f"| [`{before}{name}`]({name}.md) | {_cell(text)} |\n" for name, text in about.items())
    return f"# {title}\n\n| {head} | what |\n| --- | --- |\n{rows}{_toctree(about)}"


def _model_row(kind: Any, has_figure: bool) -> str:
    """In the list of models: its figure, small, and what it is."""
    name = kind.__name__
    figure = f"![{name}]({name}.svg){{width=200px}}" if has_figure else ""
    first = (kind.__doc__ or "").strip().splitlines()[0]
    return f"| {figure} | [{name}]({name}.md)<br>{_cell(first)} |\n"


def _models(section: str) -> list[tuple[str, Any]]:
    """The page and the class of every type of model in a section."""
    kinds = sorted(all_models(section), key=lambda kind: kind.__name__)
    return [(f"models/{kind.__name__}.md", kind) for kind in kinds]


def _model_page(kind: Any, has_figure: bool) -> str:
    text = entry(kind).replace("### ", "# ", 1)
    if not has_figure:
        return f"{text}\nIts values are in a file.\n"
    values = chosen(kind)
    caption = f"With {values}, else at the defaults." if values else "At the defaults."
    return f"{text}\n![{kind.__name__}]({kind.__name__}.svg)\n\n{caption}\n"


def _help(name: str) -> str:
    """What a command does, in one line."""
    _, command = _command(name)
    return (command.help or "").split(chr(8))[0].strip().split("\n\n")[0].replace("\n", " ")


def _command(name: str) -> tuple[click.Context, click.Command]:
    group = Gm()
    context = click.Context(group, info_name="gm")
    command = group.get_command(context, name)
    assert command is not None
    return context, command


def _command_page(name: str) -> str:
    """The help of a command, as ``gm COMMAND --help`` has it."""
    context, command = _command(name)
    own = click.Context(command, info_name=name, parent=context, terminal_width=80)
    return f"# gm {name}\n\n{(command.help or '').split(chr(8))[0].strip()}\n\n```text\n{command.get_help(own)}\n```\n"


def _section_page(name: str, schema: dict[str, Any]) -> str:
    """A key of the config, with all keys inside it."""
    definitions = load_schema("config")["definitions"]
    rows = "".join(f"| `{path}` | {kind} | {text} |\n" for path, kind, text in _keys(name, schema, definitions, ()))
    return f"# {name}\n\n{schema.get('description', '')}.\n\n{_KEYS}{rows}"


def _keys(
    path: str, schema: dict[str, Any], definitions: dict[str, Any], inside: tuple[str, ...]
) -> Iterator[tuple[str, str, str]]:
    """Path, kind of value and description of a key and of those inside; definitions that hold themselves once."""
    reference = schema.get("$ref", "").rpartition("/")[2]
    if reference in inside:
        return
    text = schema.get("description", "")
    if reference:
        schema, inside = {**definitions[reference], **schema}, (*inside, reference)
    yield path, _kind(schema), _cell(text or schema.get("description", ""))
    for key, inner in schema.get("properties", {}).items():
        yield from _keys(f"{path}.{key}", inner, definitions, inside)
    if isinstance(schema.get("items"), dict) and _has_keys(schema["items"], definitions):
        yield from list(_keys(f"{path}[]", schema["items"], definitions, inside))[1:]
    for choice in schema.get("anyOf", ()):
        if _has_keys(choice, definitions):
            yield from list(_keys(path, choice, definitions, inside))[1:]


def _has_keys(schema: dict[str, Any], definitions: dict[str, Any]) -> bool:
    resolved = definitions.get(schema.get("$ref", "").rpartition("/")[2], schema)
    return any(key in resolved for key in ("properties", "items", "anyOf"))


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return _cell(
            ", ".join(f"`{value}`" for value in schema["enum"][:12]) + (", ..." if len(schema["enum"]) > 12 else "")
        )
    kinds = schema.get("type", schema.get("x-expected", ""))
    return _cell(schema.get("x-expected") or (kinds if isinstance(kinds, str) else ", ".join(kinds)))


def _cell(text: str) -> str:
    return str(text).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build"))
