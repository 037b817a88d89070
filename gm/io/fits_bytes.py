"""The bytes of a file: in memory, unpacked from gzip as far as they are needed, or on disk until they are asked for.

Large files stay on disk and are read part by part. They are not mapped into memory: when another program cuts a mapped
file short this one is killed, whereas a read that comes back short is an error that can be told.
"""

from __future__ import annotations

import os
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NoReturn, TypeAlias, final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gm.errors import DataError

Buffer: TypeAlias = bytes | bytearray | memoryview
State: TypeAlias = tuple[int, int, int]
"""Size, time of the last change and number of a file: what differs when it is another one."""

ON_DISK = 1 << 24  # bytes from which on a file is not read as a whole
DEFLATE_LIMIT = 1032  # no gzip stream expands by more: a header that declares more lies
_PART = 1 << 20
_FIRST = 1 << 15


def state_of(file: BinaryIO | Path) -> State:
    """The state of a file as it is now. Raises `OSError`."""
    status = os.stat(file if isinstance(file, Path) else file.fileno())
    return status.st_size, status.st_mtime_ns, status.st_ino


def open_bytes(path: Path, file: BinaryIO) -> FileBytes:
    """The bytes of a file that was just opened."""
    state, magic = state_of(file), file.read(2)
    file.seek(0)
    if magic == b"\x1f\x8b":
        return GzipBytes(path, state, file)
    return BytesOnDisk(path, state, file) if state[0] >= ON_DISK else BytesInMemory(path, state, file)


class FileBytes(ABC):
    """What `read_fits` reads from. ``limit``: a number of bytes that the content does not exceed."""

    is_compressed: ClassVar[bool] = False
    limit: int

    def __init__(self, path: Path, state: State) -> None:
        self.path, self.state = path, state

    @abstractmethod
    def has(self, size: int) -> bool:
        """Whether that many bytes are there."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes that are known to be there."""

    @abstractmethod
    def read(self, start: int, size: int) -> Buffer:
        """Bytes that are there. Raises `DataError` when the file has changed."""

    def numbers(self, start: int, count: int, dtype: DTypeLike) -> NDArray[Any]:
        """Numbers of a type in native byte order, (n,) with n the ``count``, which nobody else holds."""
        stored = np.dtype(dtype)
        raw = self.read(start, count * stored.itemsize)
        return np.frombuffer(raw, stored).astype(stored.newbyteorder("="))

    def check_unchanged(self) -> None:
        """Raise `DataError` when the file is not any more what it was when it was opened."""
        try:
            same = state_of(self.path) == self.state
        except OSError:
            same = False
        if not same:
            self.fail_changed()

    def fail_changed(self) -> NoReturn:
        """Raise the `DataError` of a file that is another one now."""
        raise DataError(f"{self.path}: was changed by another program while it was read\n    run again when it is done")


@final
class BytesInMemory(FileBytes):
    """A small file, read as a whole."""

    def __init__(self, path: Path, state: State, file: BinaryIO) -> None:
        super().__init__(path, state)
        self._data = file.read()
        self.limit = len(self._data)

    def has(self, size: int) -> bool:
        return size <= len(self._data)

    @property
    def size(self) -> int:
        return len(self._data)

    def read(self, start: int, size: int) -> Buffer:
        return memoryview(self._data)[start : start + size]


@final
class BytesOnDisk(FileBytes):
    """A large file. ``file`` is used for as long as it is open; later the path is opened again for each part."""

    def __init__(self, path: Path, state: State, file: BinaryIO) -> None:
        super().__init__(path, state)
        self.limit, self._file = state[0], file

    def has(self, size: int) -> bool:
        return size <= self.limit

    @property
    def size(self) -> int:
        return self.limit

    def read(self, start: int, size: int) -> Buffer:
        data = bytearray(size)
        with self._opened(start) as file:
            self._fill(memoryview(data), file)
        return data

    def numbers(self, start: int, count: int, dtype: DTypeLike) -> NDArray[Any]:
        """A part at a time, which is turned while the processor has it at hand."""
        stored = np.dtype(dtype)
        values = np.empty(count, stored.newbyteorder("="))
        part = np.empty(min(_PART // stored.itemsize, count), stored)
        with self._opened(start) as file:
            for first in range(0, count, max(part.size, 1)):
                piece = part[: count - first]
                self._fill(piece.view(np.uint8).data, file)
                values[first : first + piece.size] = piece
        return values

    @contextmanager
    def _opened(self, start: int) -> Iterator[BinaryIO]:
        """The file as it was when it was opened first, and still is afterwards."""
        if not self._file.closed:
            self._file.seek(start)
            yield self._file
            return
        self.check_unchanged()
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(start)
                yield file
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read: {error.strerror or error}") from error
        self.check_unchanged()

    def _fill(self, data: memoryview, file: BinaryIO) -> None:
        while data:
            n_read = file.readinto(data)  # type: ignore[attr-defined]  # all files that are opened here have it
            if not n_read:
                self.fail_changed()
            data = data[n_read:]


@final
class GzipBytes(FileBytes):
    """A gzip file, unpacked as far as it is asked for while it is open."""

    is_compressed = True

    def __init__(self, path: Path, state: State, file: BinaryIO) -> None:
        super().__init__(path, state)
        self.limit, self._file = state[0] * DEFLATE_LIMIT + _PART, file
        self._inflate = zlib.decompressobj(wbits=31)
        self._data = bytearray()

    def has(self, size: int) -> bool:
        """Whether that many bytes are there, after unpacking as much as that takes."""
        while len(self._data) < size:
            if self._inflate.eof:  # a gzip file may be several streams in a row
                rest = self._inflate.unused_data.lstrip(b"\0")
                while len(rest) < 2 and (more := self._file.read(1 << 16)):
                    rest = (rest + more).lstrip(b"\0")
                if not rest:
                    return False
                if rest[:2] != b"\x1f\x8b":
                    raise DataError(f"{self.path}: bytes that are no gzip stream follow behind the last one")
                self._inflate = zlib.decompressobj(wbits=31)
            else:
                rest = self._inflate.unconsumed_tail or self._file.read(1 << 16)
                if not rest:
                    raise DataError(f"{self.path}: the gzip file is cut short\n    copy or download it again")
            try:
                part = _PART if self._data else _FIRST  # at first little, for who wants no more
                self._data += self._inflate.decompress(rest, max(size - len(self._data), part))
            except zlib.error as error:
                raise DataError(f"{self.path}: the gzip file is damaged ({error})") from error
        return True

    @property
    def size(self) -> int:
        return len(self._data)

    def read(self, start: int, size: int) -> Buffer:
        return memoryview(self._data)[start : start + size]
