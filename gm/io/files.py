"""Whole files: written entirely or not at all, and known by their hash."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Collection, Iterable
from pathlib import Path

from gm.errors import DataError

_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{8}\.part", re.DOTALL)
_LONGEST = 200  # characters of a name that its temporary one repeats
_PIECE = 1 << 20

State = tuple[int, int, int, int]
"""Device, inode, size and time of a file: another one, or another content, has others."""


def refuse_existing(paths: Iterable[Path], overwrite: bool) -> None:
    """Raises `DataError` where one of the files is there already, unless it may be overwritten."""
    existing = None if overwrite else next((path for path in paths if path.exists()), None)
    if existing is not None:
        raise DataError(f"{existing}: exists already\n    pass overwrite=True to replace it")


def write_atomic(path: str | Path, content: bytes | str) -> None:
    """Write a file under a temporary name in its directory, then rename: whatever happens, no half of it is seen.

    Missing directories are made, a link is followed, and what is no regular file (``/dev/null``, a pipe) is written to
    directly. A file that is replaced hands on its permissions. Raises `DataError` (disk full, not writable, a directory
    in the way); a file that was there is untouched.
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
    temporary = target.with_name(f".{target.name[:_LONGEST]}.{secrets.token_hex(4)}.part")
    try:
        with open(temporary, "xb") as file:
            with contextlib.suppress(FileNotFoundError):
                os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
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


def kind_of(path: Path) -> str:
    """What is there instead of a folder: a file, or a link that leads nowhere."""
    if not path.is_symlink() or path.exists():
        return "a file"
    return f"a link to '{os.readlink(path)}', which is not there"


def remove_temporaries(directory: Path, names: Collection[str]) -> None:
    """Remove what killed processes have left of writing files of these names; nobody may be writing them now."""
    starts = {name[:_LONGEST] for name in names}
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            match = _TEMPORARY.fullmatch(entry.name)
            if match and match[1] in starts and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    os.unlink(entry)


def stamp_of(path: str | Path) -> tuple[int, ...] | None:
    """The state with the time of the last change of anything, which nobody can set back; None without a file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def state_of(path: str | Path) -> State | None:
    """What tells a file from another one that takes its place, and from itself after a change; None without one."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def same_content(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes; not so when one of them cannot be read."""
    try:
        if os.path.getsize(one) != os.path.getsize(other):
            return False
        with open(one, "rb") as first, open(other, "rb") as second:
            while (piece := first.read(_PIECE)) == second.read(_PIECE):
                if not piece:
                    return True
    except OSError:
        pass
    return False


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, as 64 hexadecimal digits. Raises `DataError` where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
