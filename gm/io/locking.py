"""One process at a time in a folder, for files that have to agree with each other."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gm.errors import DataError

if sys.platform != "win32":
    import fcntl


@contextmanager
def alone_in(folder: Path, tell: Callable[[], None]) -> Iterator[bool]:
    """Hold a folder, which is made where it is missing, and gone again if nothing has come into it.

    Another process that asks for it waits; ``tell`` is called before that. The lock ends with the process, however that
    ends. Gives whether there is one: not on Windows, nor on network disks that cannot lock folders. Raises `DataError`
    where the folder cannot be made.
    """
    is_new = not folder.is_dir()
    try:
        descriptor, is_alone = _hold(folder, tell)
    except OSError as error:
        raise DataError(f"{folder}: cannot hold results: {error.strerror or error}") from error
    try:
        yield is_alone
    finally:
        if is_new:
            with suppress(OSError):
                folder.rmdir()
        if descriptor is not None:
            os.close(descriptor)


def _hold(folder: Path, tell: Callable[[], None]) -> tuple[int | None, bool]:
    """A descriptor of the folder, and whether the lock is on it."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        if sys.platform == "win32":
            return None, False
        with suppress(FileNotFoundError):  # the process before has left it empty, and removed it
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                is_locked = _lock(descriptor, tell)
                if os.path.samestat(os.fstat(descriptor), os.stat(folder)):
                    return descriptor, is_locked
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)


def _lock(descriptor: int, tell: Callable[[], None]) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        tell()
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        return False
    return True
