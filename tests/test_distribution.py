"""What a package index shows: no link of the README leads nowhere, and all lead to one address once there is one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="hatchling builds the distribution")
from hatch_build import absolute

README = Path(__file__).resolve().parent.parent / "README.md"


def targets(text: str) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", text)


def test_without_an_address_links_to_files_are_their_words() -> None:
    text = absolute(README.read_text(), "", "1.2")
    assert [target for target in targets(text) if not target.startswith(("http://", "https://", "#"))] == []
    assert "architecture" in text
    assert "![" not in text


def test_with_an_address_links_lead_to_the_files_of_the_version() -> None:
    own = [target for target in targets(README.read_text()) if "://" not in target]
    assert own
    text = absolute(README.read_text(), "https://code.example/gm", "1.2")
    shown = targets(text)
    for target in own:
        kind = "raw" if target.endswith((".svg", ".png")) else "blob"
        assert f"https://code.example/gm/{kind}/v1.2/{target}" in shown
    assert absolute("[a](https://b.example/c) [d](#e)", "", "1") == "[a](https://b.example/c) [d](#e)"
