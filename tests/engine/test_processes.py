"""Terms in several processes of this machine: the same bits, whatever their number, and whatever becomes of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import gm
from gm.conventions import Conventions
from gm.engine.pool import Lost
from gm.engine.processes import ProcessEngine, ProcessPool
from gm.engine.shard import ShardTerms
from gm.engine.shards import shards_of
from gm.engine.terms import ShardedTerms
from gm.engine.worker_state import WorkerState
from gm.errors import DataError, EngineError
from gm.likelihood import JointLikelihood
from gm.likelihood.treatment import Treatment
from gm.matrices import BorderedHessian
from gm.models import ExpDecayTemporalModel, Layout, Models
from gm.pipeline.analysis.engine import EngineSettings
from gm.pipeline.analysis.settings import Settings
from gm.pipeline.commands.distribution import distribution
from gm.pipeline.engines import build_engine
from tests.engine.sameness import DATASETS, DISK, MAPS, SKY, SMOOTH, assert_same_fit, many_spectra
from tests.map_samples import background, gauss, source
from tests.samples import on_off, power_law, spectrum


@pytest.fixture
def engine() -> Iterator[ProcessEngine]:
    made = ProcessEngine(2, deadline=3.0)
    yield made
    made.close()


def processes(engine: ProcessEngine) -> list[int]:
    """Those that are running."""
    assert engine.crew is not None
    return [int(name) for name in engine.crew.pool.workers()]


def at_step(number: int, act: Callable[[], None]) -> Callable[[str, float], None]:
    """Does something in the middle of a fit."""
    steps = iter(range(1000))

    def progress(_what: str, _value: float) -> None:
        if next(steps) == number:
            act()

    return progress


@pytest.mark.parametrize("n", [2, 3, 7])
def test_any_number_of_workers(n: int) -> None:
    """Three blocks of spectra, and maps."""
    datasets = gm.Datasets([*many_spectra(2200), *MAPS])
    models = Models([power_law(datasets_names=datasets.names[:2200]), *SMOOTH.select("one")])
    here = gm.Fit(datasets).run(models)
    engine = ProcessEngine(n)
    try:
        assert_same_fit(gm.Fit(datasets, engine=engine).run(models), here)
        assert len(processes(engine)) == n
    finally:
        engine.close()


@pytest.mark.parametrize("name", ["star", "other"])
def test_flux_points_of_a_source_that_some_shards_do_not_know(engine: ProcessEngine, name: str) -> None:
    """The star is on the maps alone, the other source in spectra and flux points alone."""
    estimator = {"source": name, "energy_edges": [1.0, 3.0, 10.0]}
    here = gm.FluxPointsEstimator(**estimator).run(DATASETS, SMOOTH)
    assert repr(gm.FluxPointsEstimator(**estimator, engine=engine).run(DATASETS, SMOOTH)) == repr(here)


def test_one_worker_is_this_process() -> None:
    engine = ProcessEngine(1)
    assert_same_fit(gm.Fit(DATASETS, engine=engine).run(SKY), gm.Fit(DATASETS).run(SKY))
    assert engine.crew is None


def test_a_shape_with_edges(engine: ProcessEngine) -> None:
    """Shared images, exact second derivatives, and what a likelihood at the end of a fit takes over."""
    datasets = gm.Datasets([*MAPS, on_off("run")])
    models = Models([*DISK, power_law("other", datasets_names=["run"])])
    here = JointLikelihood(datasets, models, for_fit=True)
    there = JointLikelihood(datasets, models, for_fit=True, engine=engine)
    start, steps = here.layout.start, 1e-3 * np.abs(here.layout.start)
    for vector in (start, start * 1.001):
        assert there.value(vector) == here.value(vector)
        np.testing.assert_array_equal(there.gradient(vector), here.gradient(vector))
        np.testing.assert_array_equal(there.information(vector), here.information(vector))
        np.testing.assert_array_equal(there.second_derivatives(vector, steps), here.second_derivatives(vector, steps))
    moved = models.with_parameters({"disk.r_0": {"value": 0.31}})
    again, known = here.under_conventions(moved), there.under_conventions(moved)
    assert again is not here
    assert known.value(start) == again.value(start)
    assert known.summarize(start) == again.summarize(start)
    told, expected = known.by_energy(start), again.by_energy(start)
    for name in ("dataset", "bin", "n_bins", "counts", "predicted", "background", "residual"):
        np.testing.assert_array_equal(getattr(told, name), getattr(expected, name))
    for name, image in expected.images.items():
        np.testing.assert_array_equal(told.images[name], image)


def test_parameters_of_their_own(engine: ProcessEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of spectra and of maps that share an image: second derivatives by dataset."""
    monkeypatch.setattr("gm.likelihood.own_parameters.MANY", 10)
    runs = [spectrum(f"own-{k}", seed=k) for k in range(30)]
    datasets = gm.Datasets([runs[0], *MAPS, *runs[1:]])
    norms = [background(run.name, tilt=0.1) for run in runs]
    models = Models([*DISK, power_law("other", datasets_names=[run.name for run in runs]), *norms])
    here = JointLikelihood(datasets, models, for_fit=True)
    there = JointLikelihood(datasets, models, for_fit=True, engine=engine)
    vector, steps = here.layout.start * 1.001, 1e-3 * np.abs(here.layout.start)
    np.testing.assert_array_equal(there.own_values(vector), here.own_values(vector))
    pairs = [(one.information(vector), one.second_derivatives(vector, steps)) for one in (there, here)]
    for found, expected in zip(*pairs, strict=True):
        assert isinstance(found, BorderedHessian)
        assert isinstance(expected, BorderedHessian)
        assert found.grouping.own.shape == (31, 2)
        for name in ("shared", "own", "cross"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


OWN = [spectrum(f"own-{k}", seed=k) for k in range(30)]


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_a_fit_with_parameters_of_their_own(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Norms and tilts of backgrounds, with priors, linked ones and one that is no power law: their spectra are computed
    where their datasets are, in fifteen shards, one of which is lost."""
    monkeypatch.setattr("gm.likelihood.own_parameters.MANY", 10)
    for module in ("gm.likelihood.blocks", "gm.likelihood.compilation"):
        monkeypatch.setattr(f"{module}.SPECTRA", 2)
    models = Models([power_law("other"), *(background(run.name, tilt=0.1) for run in OWN)])
    priors = {"norm": gm.GaussianPrior(1.0, 0.2), "tilt": gm.GaussianPrior(0.0, 0.2)}
    models = models.with_links([gm.Link("own-5-bkg.tilt", "own-4-bkg.tilt")])
    prior = {f"{run.name}-bkg.{name}": {"prior": priors[name]} for run in OWN for name in priors}
    del prior["own-5-bkg.tilt"]
    models = models.with_parameters(prior)
    datasets = gm.Datasets(OWN)
    here = gm.Fit(datasets).run(models)
    engine = ProcessEngine(n, deadline=3.0)
    act = at_step(2, lambda: os.kill(processes(engine)[0], signal.SIGKILL))
    try:
        assert_same_fit(gm.Fit(datasets, engine=engine).run(models, progress=act if n > 1 else None), here)
    finally:
        engine.close()


def test_fluxes_of_own_spectra_do_not_travel(engine: ProcessEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """But their three parameters do, and the derivatives by these."""
    monkeypatch.setattr("gm.likelihood.own_parameters.MANY", 10)
    monkeypatch.setattr("gm.likelihood.blocks.SPECTRA", 10)
    monkeypatch.setattr("gm.likelihood.compilation.SPECTRA", 10)
    models = Models([power_law("other"), *(background(run.name, tilt=0.1) for run in OWN)])
    here, there = (JointLikelihood(gm.Datasets(OWN), models, engine=one) for one in (None, engine))
    n_shared = here.bank.n_columns - 30 * OWN[0].energy.n_bins
    assert there.bank.n_columns == n_shared + 30 * 3
    start = here.layout.start
    there.value(start)
    assert engine.crew is not None
    before = engine.crew.traffic.sent, engine.crew.traffic.received
    there.value_and_gradient(start * 1.01)
    sent, received = (
        after - then
        for after, then in zip((engine.crew.traffic.sent, engine.crew.traffic.received), before, strict=True)
    )
    envelope = 3 * 600 + 2 * 8 * 3 * n_shared
    assert sent < 8 * 30 * 3 + envelope
    assert received < 8 * 30 * 3 + envelope


def test_flux_points_with_own_spectra(engine: ProcessEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gm.likelihood.own_parameters.MANY", 10)
    for module in ("gm.likelihood.blocks", "gm.likelihood.compilation"):
        monkeypatch.setattr(f"{module}.SPECTRA", 10)
    models = Models([power_law("other"), *(background(run.name, tilt=0.1) for run in OWN)])
    estimator = {"source": "other", "energy_edges": [1.0, 3.0, 10.0]}
    here = gm.FluxPointsEstimator(**estimator).run(gm.Datasets(OWN), models)
    assert repr(gm.FluxPointsEstimator(**estimator, engine=engine).run(gm.Datasets(OWN), models)) == repr(here)


@pytest.mark.parametrize("reoptimize", [False, True])
def test_flux_points(engine: ProcessEngine, reoptimize: bool) -> None:
    estimator = {"source": "star", "energy_edges": [1.0, 3.0, 10.0], "reoptimize": reoptimize}
    here = gm.FluxPointsEstimator(**estimator).run(gm.Datasets(MAPS), SKY)
    assert repr(gm.FluxPointsEstimator(**estimator, engine=engine).run(gm.Datasets(MAPS), SKY)) == repr(here)


def test_a_process_is_killed(engine: ProcessEngine) -> None:
    here = gm.Fit(DATASETS).run(SMOOTH)
    killed: list[int] = []

    def kill() -> None:
        killed.append(processes(engine)[0])
        os.kill(killed[0], signal.SIGKILL)

    assert_same_fit(gm.Fit(DATASETS, engine=engine).run(SMOOTH, progress=at_step(2, kill)), here)
    assert killed
    assert killed[0] not in processes(engine)


def test_a_process_is_killed_that_folds_a_free_shape(engine: ProcessEngine) -> None:
    """How images are folded is decided by the shapes that there were, and after the loss it is as if nothing had been
    lost."""
    datasets = gm.Datasets([*MAPS, on_off("run")])
    models = Models([source("wide", gauss()), background("one"), power_law("other", datasets_names=["run"])])
    here = JointLikelihood(datasets, models, for_fit=True)
    there = JointLikelihood(datasets, models, for_fit=True, engine=engine)
    start, at = here.layout.start, here.layout.free_addresses.index("wide.sigma")
    plans = []
    for k, sigma in enumerate([0.28, 0.08, 0.09, 0.095, 0.098, 0.3]):
        vector = np.where(np.arange(start.size) == at, sigma, start)
        assert there.value_and_gradient(vector)[0] == here.value_and_gradient(vector)[0]
        np.testing.assert_array_equal(there.gradient(vector), here.gradient(vector))
        np.testing.assert_array_equal(there.information(vector), here.information(vector))
        assert engine.crew is not None
        assert isinstance(there.terms, ShardedTerms)
        plans.append(sum(map(len, there.terms.recipe.root.past.values())))
        if k == 2:
            (name,) = [name for name, held in engine.crew.held.items() if any(number == 0 for _, number in held)]
            os.kill(int(name), signal.SIGKILL)
    assert plans[0] < plans[3] < plans[-1], "at the start, and again for shapes that are much smaller or larger"


def test_a_process_that_hangs(engine: ProcessEngine) -> None:
    here = gm.Fit(DATASETS).run(SMOOTH)
    stop = at_step(2, lambda: os.kill(processes(engine)[0], signal.SIGSTOP))
    assert_same_fit(gm.Fit(DATASETS, engine=engine).run(SMOOTH, progress=stop), here)


LARGE = b"x" * (1 << 24)  # far more than a pipe holds


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessPool]:
    """One copy, which answers what it is told."""
    monkeypatch.setattr(WorkerState, "serve", lambda _self, data: data)
    made = ProcessPool([], 1, deadline=0.5)
    yield made
    made.close()


def test_a_copy_that_takes_nothing_in(pool: ProcessPool) -> None:
    (name,) = pool.workers()
    assert pool.send(name, LARGE[:1000]).get(10.0) == LARGE[:1000]
    os.kill(int(name), signal.SIGSTOP)
    begin = time.monotonic()
    with pytest.raises(Lost, match="does not go on"):
        pool.send(name, LARGE)
    assert time.monotonic() - begin < 5.0
    pool.drop(name)
    assert name not in pool.workers(), "there is another one"


def test_a_copy_that_stops_in_the_middle_of_its_answer(pool: ProcessPool) -> None:
    (name,) = pool.workers()
    reply = pool.send(name, LARGE)
    time.sleep(0.2)  # it has begun, and waits for somebody to read
    os.kill(int(name), signal.SIGSTOP)
    with pytest.raises(Lost, match="does not go on"):
        reply.get(10.0)


def test_a_copy_that_ends_in_the_middle_of_its_answer(pool: ProcessPool) -> None:
    (name,) = pool.workers()
    reply = pool.send(name, LARGE)
    time.sleep(0.2)
    os.kill(int(name), signal.SIGKILL)
    with pytest.raises(Lost, match="SIGKILL"):
        reply.get(10.0)


def test_a_copy_that_owes_an_answer(pool: ProcessPool) -> None:
    """Nobody has waited for it, and the next question does not wait for ever."""
    (name,) = pool.workers()
    os.kill(int(name), signal.SIGSTOP)
    pool.send(name, b"first")
    with pytest.raises(Lost, match="does not go on"):
        pool.send(name, b"second")


def test_workers_that_always_end(engine: ProcessEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The datasets that they ended with are named, and how."""
    monkeypatch.setattr(WorkerState, "serve", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(EngineError, match=r"3 workers were lost with (one|two|run)[^\n]*\n.*SIGKILL"):
        gm.Fit(DATASETS, engine=engine).run(SMOOTH)


def test_too_little_memory_everywhere(engine: ProcessEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(ShardTerms, "facts", full)
    with pytest.raises(EngineError, match=r"no worker can do (one|two|run)[^\n]*\n.*does not fit into memory"):
        gm.Fit(DATASETS, engine=engine).run(SMOOTH)


def test_errors_of_the_data_come_back(engine: ProcessEngine) -> None:
    varying = Models([power_law(temporal_model=ExpDecayTemporalModel())])
    with pytest.raises(DataError, match="no good time intervals"):
        JointLikelihood(many_spectra(1001), varying, engine=engine)
    again = JointLikelihood(DATASETS, SMOOTH, engine=engine)
    assert again.value(again.layout.start) == JointLikelihood(DATASETS, SMOOTH).value(again.layout.start)


def test_what_is_not_needed_is_forgotten(engine: ProcessEngine) -> None:
    """Workers keep the terms of likelihoods that there still are."""
    likelihood = JointLikelihood(DATASETS, SMOOTH, engine=engine)
    start = likelihood.layout.start
    assert engine.crew is not None
    for _ in range(3):
        cut = likelihood.terms.cut(np.tile([0, 2], (len(DATASETS), 1)))
        assert cut is not None
        likelihood.value(start * 1.01)
        del cut
    assert {number for held in engine.crew.held.values() for number, _ in held} == {0}


@pytest.mark.parametrize(("processors", "is_worth"), [(2, False), (3, True)])
def test_where_processes_pay(monkeypatch: pytest.MonkeyPatch, processors: int, is_worth: bool) -> None:
    """What the command line takes, and what `gm plan` says of it: on two processors threads are as fast."""
    for module in ("gm.engine.processes", "gm.pipeline.commands.distribution"):
        monkeypatch.setattr(f"{module}.n_threads", lambda: processors)
    settings = EngineSettings(workers=2)
    layout = Layout(SMOOTH)
    shards = shards_of(DATASETS, SMOOTH, layout, Treatment(Conventions.GAMMAPY, for_fit=True))
    engine = build_engine(settings, lambda _done, _all: None)
    assert isinstance(engine, ProcessEngine)
    assert engine.is_worth(shards) is is_worth
    assert not engine.is_worth(shards[:1])
    told = distribution(
        list(DATASETS), SMOOTH, Settings("x", Path("x"), None, Conventions.GAMMAPY, {}, (), engine=settings)
    )
    assert ("shards" in told) is is_worth


def test_a_term_alone(engine: ProcessEngine) -> None:
    """A likelihood of one shard stays here: nothing is gained elsewhere."""
    JointLikelihood(gm.Datasets([on_off()]), Models([power_law()]), engine=engine)
    assert engine.crew is None
