"""The documentation builds as a site, without a warning, with a page for every model, command and key of the config."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from gm.cli.group import command_names
from gm.config_schemas.schema_files import load_schema
from gm.model_types import SECTIONS, model_types
from tests.conftest import absent

ROOT = Path(__file__).resolve().parent.parent


def test_the_site_has_a_page_for_everything(tmp_path: Path) -> None:
    if find_spec("sphinx") is None:
        absent("no Sphinx here to build the documentation with")
    done = subprocess.run(
        [sys.executable, "-m", "docs.site", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    models = {made.name for section in SECTIONS for made in model_types(section)}
    for folder, names in (
        ("models", models),
        ("commands", set(command_names())),
        ("config", set(load_schema("config")["properties"])),
    ):
        assert {page.stem for page in (tmp_path / "site" / folder).glob("*.html")} == names | {"index"}
    index = (tmp_path / "site" / "index.html").read_text()
    assert re.findall(r"<(?:script|link|img)[^>]*https?:", index) == []  # nothing is fetched from elsewhere
    assert "<img" in (tmp_path / "site/models/PowerLawSpectralModel.html").read_text()
