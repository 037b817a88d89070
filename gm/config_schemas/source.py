"""The text of a file or of stdin, or one clear reason why there is none."""

from __future__ import annotations

import os
import stat
import sys
from difflib import get_close_matches
from pathlib import Path

from gm.errors import DataError, InvalidInput, Problem

MAX_BYTES = 64 * 2**20

_MAGIC = (
    (b"SIMPLE  =", "a FITS file"),
    (b"XTENSION=", "a FITS file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"PK\x03\x04", "a zip file"),
    (b"%PDF", "a PDF file"),
    (b"\x89PNG", "an image"),
    (b"\x7fELF", "a program"),
)
_OTHER_UNICODE = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"), (b"\x00\x00\xfe\xff", "UTF-32"))


def read_text(path: str | Path, source: str) -> str:
    """The text of ``path`` (``-``: stdin), decoded from UTF-8, without its byte order mark.

    Raises `DataError` for what cannot be opened or is binary, `InvalidInput` for a file beyond 64 MiB or not in UTF-8.
    """
    try:
        raw = _read_stdin(source) if str(path) == "-" else _read_file(path, source)
    except OSError as error:
        raise DataError(_why_unreadable(Path(path), source, error)) from error
    if len(raw) > MAX_BYTES:
        raise _too_big(source, f"more than {MAX_BYTES // 2**20}")
    _check_is_text(raw, source)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        raise InvalidInput([Problem(source, line, column, "$", message, "save the file as UTF-8")]) from error


def _read_stdin(source: str) -> bytes:
    if sys.stdin is None:
        raise DataError(f"{source}: is closed, expected YAML")
    return sys.stdin.buffer.read(MAX_BYTES + 1)


def _read_file(path: str | Path, source: str) -> bytes:
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode) and status.st_size > MAX_BYTES:
            raise _too_big(source, f"{status.st_size / 2**20:.0f}")
        return file.read(MAX_BYTES + 1)


def _too_big(source: str, size: str) -> InvalidInput:
    message = f"{size} MiB is too big for a YAML file (at most {MAX_BYTES // 2**20} MiB)"
    return InvalidInput([Problem(source, 1, 1, "$", message, "is this the right file?")])


def _check_is_text(raw: bytes, source: str) -> None:
    """Raise `DataError` for the bytes of a binary format, `InvalidInput` for those of another Unicode encoding."""
    for mark, encoding in _OTHER_UNICODE:
        if raw.startswith(mark):
            message = f"the file is in {encoding}, expected UTF-8"
            raise InvalidInput([Problem(source, 1, 1, "$", message, "save the file as UTF-8")])
    kind = next((kind for magic, kind in _MAGIC if raw.startswith(magic)), None)
    position = raw.find(b"\0")
    if kind is not None:
        raise DataError(f"{source}: expected a YAML file, found {kind}")
    if position >= 0:
        raise DataError(f"{source}: expected a YAML file, found binary data (a NUL at byte {position})")


def _why_unreadable(path: Path, source: str, error: OSError) -> str:
    match error:
        case IsADirectoryError():
            files = sorted(entry.name for entry in path.glob("*.y*ml"))[:8]
            inside = f"\n    it holds: {', '.join(files)}" if files else ""
            return f"{source}: expected a YAML file, found a directory{inside}"
        case FileNotFoundError():
            if not path.parent.is_dir():
                return f"{source}: no such file: the directory '{path.parent}' does not exist"
            return f"{source}: no such file" + nearest_file(path)
    return f"{source}: cannot be read: {error.strerror or error}"


def nearest_file(path: Path) -> str:
    """A file of nearly that name in the same folder, as a hint on a line of its own; nothing where there is none."""
    try:
        names = sorted(entry.name for entry in os.scandir(path.parent) if entry.is_file())
    except OSError:
        return ""
    near = get_close_matches(path.name, names, n=1)
    return f"\n    did you mean '{path.parent / near[0]}'?" if near else ""
