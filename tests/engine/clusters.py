"""A Dask cluster of processes, as somebody else may have started it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import ROOT

_LINES = {"scheduler": "distributed.cli.dask_scheduler", "worker": "distributed.cli.dask_worker"}


@dataclass
class RunningCluster:
    """``file``: what the scheduler has written; ``processes``: the scheduler, then the workers."""

    file: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    options: Sequence[str] = ()

    def start(self, what: str, *options: str, folder: Path | None = None) -> None:
        """A scheduler, or a worker, in a folder."""
        command = [sys.executable, "-m", _LINES[what], "--scheduler-file", str(self.file), "--no-dashboard", *options]
        self.processes.append(
            subprocess.Popen(
                [*command, *self.options],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )

    def start_worker(self, folder: Path | None = None) -> None:
        self.start("worker", "--no-nanny", "--nthreads", "1", "--host", "127.0.0.1", folder=folder)

    def wait_for_file(self) -> None:
        while not self.file.is_file() or not self.file.read_text():
            assert self.processes[0].poll() is None, "the scheduler has ended"
            time.sleep(0.05)

    @property
    def address(self) -> str:
        return str(json.loads(self.file.read_text())["address"])


@contextmanager
def running_cluster(folder: Path, n_workers: int, options: Sequence[str] = ()) -> Iterator[RunningCluster]:
    """A scheduler and workers, which end with the block."""
    cluster = RunningCluster(folder / "scheduler.json", options=options)
    try:
        cluster.start("scheduler", "--host", "tls://127.0.0.1" if options else "127.0.0.1", "--port", "0")
        cluster.wait_for_file()
        for _ in range(n_workers):
            cluster.start_worker()
        yield cluster
    finally:
        for process in reversed(cluster.processes):
            process.kill()
        for process in cluster.processes:
            process.wait()
