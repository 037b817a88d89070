"""Whole files: written entirely or not at all, and known by their hash."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

from gm.errors import DataError


def write_atomic(path: str | Path, content: bytes | str) -> None:
    """Write a file under a temporary name in its directory, then rename: whatever happens, no half of it is seen.

    Missing directories are made, a link is followed, and what is no regular file (``/dev/null``, a pipe) is written to
    directly. Raises `DataError` (disk full, not writable, a directory in the way); a file that was there is untouched.
    """
    target = Path(os.path.realpath(path))
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and not target.is_file():
            target.write_bytes(data)
        else:
            _write_and_rename(target, data)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}{_where(target, error)}") from error


def _write_and_rename(target: Path, data: bytes) -> None:
    temporary = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _where(target: Path, error: OSError) -> str:
    """What stands in the way, where the path alone does not say it."""
    if isinstance(error, FileExistsError | NotADirectoryError):
        blocking = next((parent for parent in target.parents if parent.exists() and not parent.is_dir()), None)
        return f" ('{blocking}' is a file)" if blocking else ""
    if isinstance(error, PermissionError):
        folder = next((parent for parent in target.parents if os.path.isdir(parent)), target.parent)
        return f" (no permission in '{folder}')"
    return ""


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, as 64 hexadecimal digits. Raises `DataError` where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
