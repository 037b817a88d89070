"""Files that are gone on one worker of several, in the middle of what is asked: each process sees a folder of its own
under the same path."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import gm
from gm.cli import main
from gm.engine.dask_pool import Cluster, DaskEngine
from gm.estimators import FluxPointsEstimator
from tests.engine.clusters import RunningCluster, running_cluster
from tests.engine.sameness import MAPS, SMOOTH, assert_same_fit

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no path that means a folder of each process")

OWN = "/proc/self/cwd"  # of whichever process looks
MODELS = gm.Models([SMOOTH["star"], SMOOTH["one-bkg"]])
CONFIG = """\
version: 1
datasets: datasets.yaml
models: models.yaml
output: results
fit: {}
flux_points:
  - {source: star, energy_edges: [1 TeV, 3 TeV, 20 TeV]}
"""


@contextmanager
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_workers: int) -> Iterator[RunningCluster]:
    """Workers, and this process, each in a folder of the same files."""
    here = tmp_path / "here"
    gm.Datasets(MAPS).write(here)
    entries = "".join(f"  - {{name: {one.name}, type: {one.type}, filename: {OWN}/{one.name}.fits}}\n" for one in MAPS)
    (here / "datasets.yaml").write_text(f"datasets:\n{entries}")
    MODELS.write(here / "models.yaml")
    (here / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(here)
    with running_cluster(tmp_path, 0) as cluster:
        for number in range(n_workers):
            shutil.copytree(here, tmp_path / f"worker-{number}")
            cluster.start_worker(tmp_path / f"worker-{number}")
        yield cluster


def lose(cluster: RunningCluster) -> None:
    """The file of `one` is gone where it was not read, but for one worker of three, and who has read it is killed."""
    with distributed.Client(scheduler_file=str(cluster.file), set_as_default=False) as client:
        folders, processes = client.run(os.getcwd), client.run(os.getpid)
        held = client.run(_shards)
    (reader,) = [worker for worker, numbers in held.items() if 0 in numbers]
    others = [worker for worker in sorted(held, key=lambda worker: len(held[worker])) if worker != reader]
    Path(folders[others[0]], "one.fits").unlink()
    os.kill(processes[reader], signal.SIGKILL)


def _shards(dask_worker: Any) -> set[int]:
    """The numbers of those that a worker has compiled; each map is one."""
    return {number for state in dask_worker.state.actors.values() for _, number in state.held if number >= 0}


def at_step(number: int, act: Callable[[], None]) -> Callable[[str, float], None]:
    """Does something in the middle of a fit."""
    steps = iter(range(1000))

    def progress(_what: str, _value: float) -> None:
        if next(steps) == number:
            act()

    return progress


def test_another_worker_sees_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fit goes on where the file is, with the same bits."""
    with places(tmp_path, monkeypatch, 3) as cluster:
        datasets = gm.Datasets.read("datasets.yaml")
        here, engine = gm.Fit(datasets).run(MODELS), DaskEngine(Cluster(str(cluster.file), n_workers=3))
        there = gm.Fit(datasets, engine=engine).run(MODELS, progress=at_step(2, lambda: lose(cluster)))
        assert_same_fit(there, here)
        engine.close()


def test_no_worker_sees_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The dataset and the cause are told, with exit code 5, and what was finished before is kept."""
    run = FluxPointsEstimator.run

    with places(tmp_path, monkeypatch, 2) as cluster:

        def sabotaged(self: FluxPointsEstimator, *arguments: Any, **more: Any) -> Any:
            lose(cluster)
            return run(self, *arguments, **more)

        monkeypatch.setattr(FluxPointsEstimator, "run", sabotaged)
        with pytest.raises(SystemExit) as ended:
            main(["run", "-q", "config.yaml", "--scheduler", str(cluster.file), "--workers", "2"])
    told = capsys.readouterr().err
    assert ended.value.code == 5, told
    assert "no worker can do one" in told
    assert f"one: {OWN}/one.fits: No such file or directory" in told
    assert gm.FitResult.read("results/fit/fit.yaml").status == "converged"
    assert not list(Path("results").rglob("flux_points/*"))
