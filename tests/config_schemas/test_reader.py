"""The strict reader: scalars, places, bounds, and what is no text at all."""

from __future__ import annotations

import contextlib
import io
import math
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gm.config_schemas.reader import MAX_ALIAS_NODES, read_document
from gm.config_schemas.source import MAX_BYTES
from gm.errors import DataError, InvalidInput, Problem


def read(text: str) -> Any:
    """The data of a YAML text."""
    return read_document("test.yaml", text).data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3e-11", 3e-11),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("+1.", 1.0),
        ("12", 12),
        ("+012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("No", "No"),
        ("y", "y"),
        ("+22:00:52", "+22:00:52"),
        ("12:30", "12:30"),
        ("2008-11-01", "2008-11-01"),
        ("2008-11-01T00:00:00", "2008-11-01T00:00:00"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("tRUE", "tRUE"),
        ("1e", "1e"),
        ("=", "="),
        ("'12'", "12"),
        ('"null"', "null"),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: Any) -> None:
    # YAML 1.2.2, section 10.3.2
    found = read(f"a: {text}")["a"]
    assert found == value
    assert type(found) is type(value)


def test_nan_and_the_empty_value() -> None:
    data = read("a: .NaN\nb:\n")
    assert math.isnan(data["a"])
    assert data["b"] is None


def test_places_of_keys_and_values() -> None:
    document = read_document("x.yaml", "a:\n  - b: 1\n    ça: [2, 3]\n", source="shown.yaml")
    assert document.place(("a",)) == (2, 3)
    assert document.place(("a",), key=True) == (1, 1)
    assert document.place(("a", 0, "ça", 1)) == (3, 13)
    assert document.place(("a", 0, "ça"), key=True) == (3, 5)
    assert document.place(("a", 0, "missing", "deeper")) == (2, 5)
    problem = document.problem(("a", 0, "b"), "wrong", "hint")
    assert str(problem) == "shown.yaml:2:8: $.a[0].b: wrong\n    hint"


def test_a_child_keeps_its_places_and_its_path() -> None:
    document = read_document("x.yaml", "models:\n  components:\n    - name: a\n")
    child = document.child(("models",)).child(("components",))
    assert child.data == [{"name": "a"}]
    assert str(child.problem((0, "name"), "wrong")) == "x.yaml:3:13: $.models.components[0].name: wrong"


def test_an_alias_is_a_copy_with_its_own_place() -> None:
    document = read_document("x.yaml", "a: &x {b: [1]}\nc: *x\n")
    document.data["a"]["b"].append(2)
    assert document.data["c"] == {"b": [1]}
    assert document.place(("c",)) == (2, 4)
    assert document.place(("c", "b")) == (1, 11)


def test_every_problem_is_reported_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        read("a: 1\na: 2\nb: !x 3\n4: 5\nb: 1e999\n]\n")
    assert [problem.line for problem in caught.value.problems] == [2, 3, 4, 5, 5, 6]


def test_a_syntax_error_keeps_the_problems_before_it() -> None:
    with pytest.raises(InvalidInput, match=r"(?s)given twice.*not YAML"):
        read("a: 1\na: 2\nb: [1\n")


def test_the_bomb_costs_no_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    tracemalloc.start()
    with pytest.raises(InvalidInput, match=f"expand to more than {MAX_ALIAS_NODES} values"):
        read("\n".join(lines))
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "[{" * 50_000 + "}]" * 50_000])
def test_deep_nesting_is_one_problem(text: str) -> None:
    with pytest.raises(InvalidInput, match="nested deeper than 100 levels"):
        read(text)


def test_aliases_cannot_nest_deeper_than_the_bound() -> None:
    with pytest.raises(InvalidInput, match="nested deeper than 100 levels"):
        read("a: &a " + "[" * 60 + "]" * 60 + "\nb: " + "[" * 60 + "*a" + "]" * 60)


@given(st.text(max_size=80))
def test_any_text_is_data_or_problems(text: str) -> None:
    problems: list[Problem] = []
    try:
        assert read_document("x.yaml", text).place(()) >= (1, 1)
    except InvalidInput as error:
        problems = error.problems
    assert all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in problems)


@given(st.binary(max_size=200))
def test_any_bytes_are_data_or_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "bytes.yaml"
    file.write_bytes(content)
    with contextlib.suppress(InvalidInput, DataError):
        read_document(file)


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("a: 1")
    with pytest.raises(DataError, match=r"confg.yaml: no such file\n    did you mean '.*config.yaml'"):
        read_document(tmp_path / "confg.yaml")
    with pytest.raises(DataError, match=r"the directory '.*nowhere' does not exist"):
        read_document(tmp_path / "nowhere" / "config.yaml")
    with pytest.raises(DataError, match="cannot be read: Not a directory"):
        read_document(tmp_path / "config.yaml" / "config.yaml")


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("a: 1")
    with pytest.raises(DataError, match=r"found a directory\n    it holds: config.yaml"):
        read_document(tmp_path)


def test_a_file_without_permission(held_back: Path) -> None:
    file = held_back / "config.yaml"
    file.write_text("a: 1")
    file.chmod(0)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        read_document(file)


def test_a_gigabyte_is_refused_without_reading_it(tmp_path: Path) -> None:
    file = tmp_path / "garbage.yaml"
    with file.open("wb") as stream:
        stream.truncate(2**30)
    tracemalloc.start()
    with pytest.raises(InvalidInput, match=r"garbage.yaml:1:1: \$: 1024 MiB is too big for a YAML file"):
        read_document(file)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


def test_an_endless_stdin_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            assert 0 < size <= MAX_BYTES + 1
            return b"#" * size

    monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": Endless()}))
    with pytest.raises(InvalidInput, match=r"<stdin>:1:1: \$: more than 64 MiB is too big"):
        read_document("-")


def test_stdin_is_read_relative_to_the_current_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": io.BytesIO(b"a: 1\n")}))
    document = read_document("-")
    assert (document.data, document.source, document.directory) == ({"a": 1}, "<stdin>", Path("."))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"SIMPLE  =                    T", "found a FITS file"),
        (b"\x1f\x8b\x08\x00", "found a gzip file"),
        (b"a: 1\n\x00\x00", r"found binary data \(a NUL at byte 5\)"),
    ],
)
def test_binary_files_are_named(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_document(file)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: 1\nb: é".encode("latin-1"), r"config.yaml:2:4: \$: byte 0xe9 is not UTF-8"),
        ("a: 1".encode("utf-16"), r"config.yaml:1:1: \$: the file is in UTF-16, expected UTF-8"),
    ],
)
def test_other_encodings_are_named(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(content)
    with pytest.raises(InvalidInput, match=words):
        read_document(file)


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    document = read_document(file)
    assert document.data == {"a": 1, "b": 2}
    assert document.place(("b",)) == (2, 4)
    assert document.directory == tmp_path
