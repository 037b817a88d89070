"""Memory that is freed and soon asked for again.

The C library of Linux hands large blocks back to the system as soon as they are free, and gets them again with every
page to be cleared: a fifth of the time of a program that makes arrays of megabytes one after the other.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from contextlib import suppress
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENAS = -1, -3, -8  # numbers of parameters in <malloc.h> of glibc
_LARGEST_BLOCK = 32 << 20  # [bytes] the most that glibc takes; larger ones are mapped, each by itself
_KEPT = 128 << 20
_APART = 4 << 20  # [bytes] arrays for which their own pages are worth the clearing


def keep_freed_memory() -> None:
    """From here on this process, and copies of it, keep up to 128 MiB that are free; elsewhere than on glibc nothing.

    What a program needs at most stays the same, since it is used again before more is asked for.
    """
    if sys.platform != "linux":
        return
    with suppress(AttributeError, OSError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _LARGEST_BLOCK)
        mallopt(_TRIM_THRESHOLD, _KEPT)


def share_freed_memory(n: int) -> None:
    """From here on no more than ``n`` heaps are made for the threads of this process; elsewhere than on glibc nothing.

    It makes eight for each processor, and what is free in one is not used by the threads of another.
    """
    if sys.platform != "linux":
        return
    with suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).mallopt(_ARENAS, n)


def give_back_freed_memory() -> None:
    """What is free goes back to the system, in between what is in use too; elsewhere than on glibc nothing.

    It takes milliseconds, and pages to be cleared again: for where much more is asked for than fits between.
    """
    if sys.platform != "linux":
        return
    with suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def zeros_apart(shape: tuple[int, ...], dtype: DTypeLike = np.float64) -> NDArray[Any]:
    """An array of zeros; a large one has pages of its own, which go back to the system with it.

    For arrays that stay while others come and go: between those that are freed around them, and those that take their
    place, memory would be left over. A page that is never written takes none.
    """
    kind = np.dtype(dtype)
    size = prod(shape) * kind.itemsize
    if size < _APART or sys.platform == "win32":
        return np.zeros(shape, dtype=kind)
    try:
        pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # a copy of the process has its own
    except OSError as error:
        raise MemoryError(f"no {size / 2**20:.0f} MiB for an array of shape {shape}") from error
    return np.frombuffer(pages, dtype=kind).reshape(shape)
