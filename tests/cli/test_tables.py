"""Text of numbers and links."""

from __future__ import annotations

import pytest

from gm.cli.terminal.tables import link_text


@pytest.mark.parametrize(
    ("scale", "offset", "text"),
    [
        (1.0, 0.0, "= a.index"),
        (-1.0, 0.0, "= -a.index"),
        (-0.5, 3.5, "= -0.5 a.index + 3.5"),
        (2.0, -1e-3, "= 2 a.index - 0.001"),
        (1.0, 0.5, "= a.index + 0.5"),
    ],
)
def test_a_link_is_told_whole(scale: float, offset: float, text: str) -> None:
    assert link_text({"equals": "a.index", "scale": scale, "offset": offset}) == text
