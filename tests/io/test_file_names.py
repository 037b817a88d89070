"""Names of files that are possible everywhere, and apart."""

from __future__ import annotations

import pytest

from gm.io.file_names import distinct, file_stem, numbered


@pytest.mark.parametrize(
    ("name", "stem"),
    [("run 1", "run_1"), ("a/b\\c:d", "a_b_c_d"), ("$HOME", "_HOME"), ("~", "_"), ("..", "_"), ("a\n\x7f", "a__")],
)
def test_what_cannot_be_in_a_file_name_or_is_expanded_is_replaced(name: str, stem: str) -> None:
    assert file_stem(name) == stem


def test_a_name_that_is_taken_is_numbered() -> None:
    assert distinct(["a", "b", "a", "A", "a-2"]) == ["a", "b", "a-2", "A-3", "a-2-2"]
    assert distinct(["\u00e9", "e\u0301"]) == ["\u00e9", "e\u0301-2"]  # one name on a Mac
    assert [name for name, _ in zip(numbered("t.fits.gz"), range(3), strict=False)] == [
        "t.fits.gz",
        "t-2.fits.gz",
        "t-3.fits.gz",
    ]
