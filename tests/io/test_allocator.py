"""Memory that is freed is used again without the system's help."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from gm.io.allocator import zeros_apart

CHURN = """
import platform, resource, sys
import numpy as np
from gm.io.allocator import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        arrays = [np.ones(3 << 18) for _ in range(3)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_freed_memory()
faults()
print(faults() if platform.libc_ver()[0] == "glibc" else "other")
"""


def test_arrays_of_megabytes_take_the_pages_of_those_before() -> None:
    """Without it 17 000 pages are cleared anew."""
    done = subprocess.run([sys.executable, "-c", CHURN], capture_output=True, text=True, check=True)
    if done.stdout.strip() == "other":
        pytest.skip("another C library")
    assert int(done.stdout) < 1000


THREADS = """
import platform
from threading import Barrier, Thread
import numpy as np
from gm.io.allocator import keep_freed_memory, share_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 >> 20

keep_freed_memory()
share_freed_memory(1)
done, before = Barrier(9), resident()

def work():
    array = np.ones(20 << 17)
    del array
    done.wait()

threads = [Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
    while thread.is_alive() and done.n_waiting <= threads.index(thread):
        pass
print(resident() - before if platform.libc_ver()[0] == "glibc" else "other")
done.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for resident pages")
def test_threads_take_what_others_have_freed() -> None:
    """20 MiB, one thread after the other: 160 where each has a heap of its own."""
    done = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, check=True)
    if done.stdout.strip() == "other":
        pytest.skip("another C library")
    assert int(done.stdout) < 60


GAPS = """
from gm.io.allocator import zeros_apart

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 >> 20

kept, most = [], 0
for size in range(5, 25):
    array = zeros_apart((size, 1 << 17))
    array += 1.0
    most = max(most, resident())
    kept.append(bytes(1 << 16))
    del array
print(resident() - most)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for resident pages")
def test_a_large_array_leaves_nothing_behind() -> None:
    """Though something small was allocated after each, which is kept."""
    done = subprocess.run([sys.executable, "-c", GAPS], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= -20


@pytest.mark.parametrize("shape", [(3, 2), (0, 5), (1024, 1025)])
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.complex128])
def test_zeros_apart(shape: tuple[int, ...], kind: type) -> None:
    """Small ones and large ones are arrays of zeros like any other."""
    array = zeros_apart(shape, kind)
    assert array.shape == shape
    assert array.dtype == kind
    assert array.flags.c_contiguous
    assert not array.any()
    array += 1.0
    assert array.sum() == array.size


COPY = """
import os
from gm.io.allocator import zeros_apart

array = zeros_apart((1 << 20,))
child = os.fork()
if child == 0:
    array[:] = 7.0
    os._exit(int(array[-1]))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), array.max())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_a_copy_of_the_process_has_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", COPY], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["7", "0.0"]


@pytest.mark.skipif(sys.platform == "win32", reason="NumPy's own error there")
def test_more_than_there_is() -> None:
    with pytest.raises(MemoryError, match="1073741824 MiB"):
        zeros_apart((1 << 47,))
