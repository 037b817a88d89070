"""A cluster of a scheduler and three workers: what it computes is what one process computes, bit by bit."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import gm
from gm.cli import main
from gm.engine import parcels
from gm.engine.dask_pool import Certificates, Cluster, DaskEngine
from gm.errors import EngineError
from gm.likelihood import JointLikelihood
from tests.conftest import ROOT, absent
from tests.engine.clusters import RunningCluster, running_cluster
from tests.engine.sameness import DATASETS, DISK, MAPS, SMOOTH, assert_same_fit

pytest.importorskip("distributed")

RANGES = """\
  energy_range:
    - {datasets: "fermi*", min: 0.03 TeV, max: 3 TeV}
    - {datasets: "hess*", min: 0.7 TeV, max: 20 TeV}
"""
JOINT_CRAB = f"fit:\n  minos: [crab.alpha]\n  test: [crab]\n{RANGES}"


def points(source: str, edges: str) -> str:
    return f"flux_points:\n  - {{source: {source}, energy_edges: {edges}}}\n"


FERMI, CTA, MSH = points("Crab Nebula", "[10 GeV, 83 GeV, 0.7 TeV]"), points("gc", "[1 TeV, 10 TeV]"), "[1 TeV, 10 TeV]"
CRAB = points("crab", "[1 TeV, 3 TeV, 10 TeV]")
REFERENCES = {
    "joint Crab, log-parabola": (
        "joint-crab/models_start_lp.yaml",
        JOINT_CRAB + points("crab", "{min: 30 GeV, max: 20 TeV, n_bins: 4}"),
    ),
    "joint Crab, power law": ("joint-crab/models_start_pl.yaml", f"fit:\n{RANGES}" + CRAB),
    "joint Crab, cut-off": ("joint-crab/models_start_ecpl.yaml", f"fit:\n{RANGES}" + CRAB),
    "H.E.S.S. Crab, power law": (
        "hess-crab-1d/models_start.yaml",
        "fit: {contours: [[crab.amplitude, crab.index]]}\n" + CRAB,
    ),
    "H.E.S.S. Crab, log-parabola": ("hess-crab-1d/models_start_lp.yaml", "fit: {}\n" + CRAB),
    "flux points, log-parabola": ("flux-points/models_start.yaml", "fit: {}\n"),
    "flux points, power law": ("flux-points/models_start_pl.yaml", "fit: {}\n"),
    "Fermi Crab": ("fermi-3fhl-crab/models_start.yaml", "fit: {}\n" + FERMI),
    "Fermi Crab, free position": ("fermi-3fhl-crab/models_start_pos.yaml", "fit: {}\n" + FERMI),
    "Fermi Galactic centre": (
        "fermi-3fhl-gc/models_start.yaml",
        "fit: {}\n" + points("source-gc", "[10 GeV, 50 GeV, 2 TeV]"),
    ),
    "CTA, 3 pointings": ("cta1dc-gc-joint/models_start.yaml", "fit: {}\n" + CTA),
    "CTA, 3 pointings, diffuse template": ("cta1dc-gc-joint/models_start_diffuse.yaml", "fit: {}\n" + CTA),
    "CTA, stacked": ("cta1dc-gc-stacked/models_start.yaml", "fit: {}\n" + CTA),
    "CTA, stacked, diffuse template": ("cta1dc-gc-stacked/models_start_diffuse.yaml", "fit: {}\n" + CTA),
    "HAWC Crab": ("hawc-crab/models_start.yaml", "fit: {}\n" + CRAB),
    "HAWC Crab, backgrounds": ("hawc-crab/models_start_bkg.yaml", "fit: {}\n" + CRAB),
    "MSH 15-52, stacked": ("hess-msh1552-stacked/models_start.yaml", "fit: {}\n" + points("msh1552", MSH)),
    "MSH 15-52, 19 runs": ("hess-msh1552-runs/models.yaml", "fit: {}\n" + points("msh1552", MSH)),
    "MSH 15-52, 19 runs, tilts": ("hess-msh1552-runs/models_tilt.yaml", "fit: {}\n"),
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster"), 3) as running:
        yield running


@pytest.fixture(scope="module")
def engine(cluster: RunningCluster) -> Iterator[DaskEngine]:
    made = DaskEngine(Cluster(str(cluster.file), n_workers=3))
    yield made
    made.close()


def test_a_fit_of_everything(engine: DaskEngine) -> None:
    """Maps with kinks, spectra and flux points, on three workers."""
    here = gm.Fit(DATASETS).run(SMOOTH)
    assert_same_fit(gm.Fit(DATASETS, engine=engine).run(SMOOTH), here)
    assert engine.crew is not None
    assert len(engine.crew.held) == 3


def test_a_shape_with_edges(engine: DaskEngine) -> None:
    assert_same_fit(gm.Fit(gm.Datasets(MAPS), engine=engine).run(DISK), gm.Fit(gm.Datasets(MAPS)).run(DISK))


@pytest.mark.parametrize("name", list(REFERENCES))
def test_a_reference(name: str, shared: Path, cluster: RunningCluster, tmp_path: Path) -> None:
    """All files of results but the record: fits, errors, tests of components, flux points."""
    path, more = REFERENCES[name]
    models, reference = shared / "reference" / path, (shared / "reference" / path).parent
    for side, arguments in {"here": [], "there": ["--scheduler", str(cluster.file)]}.items():
        (tmp_path / side).mkdir()
        text = f"version: 1\nname: x\ndatasets: {reference}/datasets.yaml\nmodels: {models}\noutput: results\n"
        (tmp_path / side / "config.yaml").write_text(text + more)
        assert run(["run", "-q", str(tmp_path / side / "config.yaml"), *arguments]) == 0
    assert_same_files(tmp_path / "here" / "results", tmp_path / "there" / "results")
    record = (tmp_path / "there" / "results" / "provenance.yaml").read_text()
    assert "engine: {kind: dask}" in record
    assert str(cluster.file) not in record
    assert cluster.address not in record
    assert run(["run", "-q", str(tmp_path / "there" / "config.yaml")]) == 0
    assert (tmp_path / "there" / "results" / "provenance.yaml").read_text() == record, "up to date, whatever the engine"


def run(arguments: list[str]) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


def assert_same_files(here: Path, there: Path) -> None:
    names = sorted(path.relative_to(here) for path in here.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(there) for path in there.rglob("*") if path.is_file())
    for name in names:
        if name.name != "provenance.yaml":
            assert (here / name).read_bytes() == (there / name).read_bytes(), name


def test_data_are_read_where_they_are_used(shared: Path, engine: DaskEngine) -> None:
    """Paths travel, with masks; not arrays."""
    read = gm.Datasets.read(shared / "reference" / "hess-crab-1d" / "datasets.yaml")
    assert not any(parcels.travels(dataset) for dataset in read)
    masked = gm.Datasets(dataset.with_(mask_fit=dataset.energy.mask(1.0, 10.0)) for dataset in read)
    models = gm.Models.read(shared / "reference" / "hess-crab-1d" / "models_start.yaml")
    assert engine.crew is not None
    before = engine.crew.traffic.sent
    there = JointLikelihood(masked, models, engine=engine)
    start = there.layout.start
    assert there.value(start) == JointLikelihood(masked, models).value(start)
    assert engine.crew.traffic.sent - before < sum(os.path.getsize(path) for path in paths(read))


def paths(datasets: gm.Datasets) -> list[str]:
    return [parcels.Packing().pack(dataset).path for dataset in datasets]


def test_a_file_that_a_worker_does_not_see(
    shared: Path, engine: DaskEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One error with all of them, before anything is compiled."""
    source = shared / "reference" / "hess-crab-1d"
    read = gm.Datasets.read(source / "datasets.yaml")
    models = gm.Models.read(source / "models_start.yaml")
    packed = parcels.Packing.pack

    def elsewhere(self: parcels.Packing, dataset: gm.Dataset) -> parcels.Parcel:
        parcel = packed(self, dataset)
        assert isinstance(parcel, parcels.FromFile)
        moved = Path("/nowhere") / parcel.entry.path.name
        return parcels.FromFile(type(parcel.entry)(dataset.name, parcel.entry.type, moved), {str(moved): ""}, {})

    monkeypatch.setattr(parcels.Packing, "pack", elsewhere)
    with pytest.raises(EngineError, match="workers do not see files") as failed:
        JointLikelihood(read, models, engine=engine)
    for name in read.names:
        assert f"{name}: /nowhere/" in str(failed.value)


def test_a_worker_is_killed_in_the_middle_of_a_fit(engine: DaskEngine, cluster: RunningCluster) -> None:
    """Its datasets are compiled on another one, and no bit is another one."""
    here = gm.Fit(DATASETS).run(SMOOTH)
    steps = iter(range(1000))

    def progress(_what: str, _value: float) -> None:
        if next(steps) == 2:
            cluster.processes[1].send_signal(signal.SIGKILL)

    assert_same_fit(gm.Fit(DATASETS, engine=engine).run(SMOOTH, progress=progress), here)
    assert engine.crew is not None
    assert len(engine.crew.pool.workers()) == 2


def test_the_scheduler_is_gone(tmp_path: Path) -> None:
    with running_cluster(tmp_path, 1) as cluster:
        engine = DaskEngine(Cluster(cluster.address, n_workers=1))
        likelihood = JointLikelihood(DATASETS, SMOOTH, engine=engine)
        for process in cluster.processes:
            process.kill()
        with pytest.raises(EngineError, match=f"the scheduler at {cluster.address} is gone"):
            likelihood.value(likelihood.layout.start)
        engine.close()


def _with_interrupts() -> None:
    """A shell's jobs in the background, these tests among them, are started deaf to interrupts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _interrupted(command: list[str], folder: Path) -> tuple[int, bytes, set[psutil.Process]]:
    """Exit code and standard error of a command that is interrupted once its workers start, and these."""
    started: set[psutil.Process] = set()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stderr=subprocess.PIPE, preexec_fn=_with_interrupts
    ) as running:
        while len(started) < 3 and running.poll() is None:  # two workers, and what multiprocessing needs itself
            started.update(psutil.Process(running.pid).children(recursive=True))
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=60)
    return running.returncode, told, started


def test_an_interrupt_ends_the_cluster(shared: Path, tmp_path: Path) -> None:
    """Ctrl-C in the middle of a fit with a cluster of its own: nothing goes on, and nothing is half written."""
    reference = shared / "reference" / "hess-crab-1d"
    text = f"version: 1\ndatasets: {reference}/datasets.yaml\nmodels: {reference}/models_start.yaml\noutput: results\n"
    (tmp_path / "config.yaml").write_text(text + REFERENCES["H.E.S.S. Crab, power law"][1])
    command = [sys.executable, "-m", "gm", "fit", "config.yaml", "--engine", "dask", "--workers", "2"]
    code, told, started = _interrupted(command, tmp_path)
    assert code == 130, told
    assert b"interrupted" in told
    assert b"Traceback" not in told, told.decode()
    assert psutil.wait_procs(started, timeout=20)[1] == []
    assert not (tmp_path / "results" / "fit" / "fit.yaml").exists()


def test_an_encrypted_connection(tmp_path: Path) -> None:
    """With certificates that an authority of the user has signed, and not without."""
    files = certificates(tmp_path)
    options = ["--tls-ca-file", files.ca, "--tls-cert", files.cert, "--tls-key", files.key]
    with running_cluster(tmp_path, 1, list(map(str, options))) as cluster:
        assert cluster.address.startswith("tls://")
        engine = DaskEngine(Cluster(cluster.address, files, 1))
        there, here = JointLikelihood(DATASETS, SMOOTH, engine=engine), JointLikelihood(DATASETS, SMOOTH)
        assert there.value(there.layout.start) == here.value(here.layout.start)
        engine.close()
        with pytest.raises(EngineError, match="an encrypted connection needs certificates"):
            JointLikelihood(DATASETS, SMOOTH, engine=DaskEngine(Cluster(cluster.address)))


def certificates(folder: Path) -> Certificates:
    if shutil.which("openssl") is None:
        absent("no openssl to make certificates with")
    cert, key = folder / "cert.pem", folder / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=gm", "-days", "2"]
    subprocess.run([*made, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return Certificates(cert, cert, key)
