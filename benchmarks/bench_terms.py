#!/usr/bin/env python
"""Second derivatives of many small maps beside the gradient, and the likelihood at the end of a fit, compiled twice.

    python benchmarks/bench_terms.py

Writes ``results/terms.md``. Times are of the processor, the fastest of some repeats, of derivatives at parameters that
were not seen before. The likelihood that the numbers of a fit are told from is compiled anew, and with what has not
moved taken over.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from alternate import table, write_results
from bench_scaling import bins
from cases import MAP_CASES

from gm.datasets import Datasets
from gm.fit import Fit
from gm.likelihood import JointLikelihood
from gm.models import BackgroundIRFModel, Models, PowerLawNormSpectralModel

REPEATS = 5
WIDTH = 21  # pixels of a small map
SIZES = (1, 8, 64, 512)


def seconds(work: Callable[[int], object]) -> float:
    """Least processor time of work that is told the number of its repeat."""
    times = []
    for k in range(REPEATS):
        start = time.process_time()
        work(k)
        times.append(time.process_time() - start)
    return min(times)


def small_maps(n: int) -> JointLikelihood:
    """A run cut to a small map, ``n`` times, each with a background of its own, and a source whose shape is held."""
    (run,), models = bins(WIDTH)
    held = {f"msh.{name}": {"frozen": True} for name in ("lon_0", "lat_0", "sigma")}
    backgrounds = [
        BackgroundIRFModel(spectral_model=PowerLawNormSpectralModel(), dataset_name=f"map-{k}") for k in range(n)
    ]
    maps = Datasets(run.with_(name=f"map-{k}") for k in range(n))
    return JointLikelihood(maps, Models([*models.with_parameters(held), *backgrounds]))


def second_derivatives() -> list[list[str]]:
    rows = []
    for n in SIZES:
        likelihood = small_maps(n)
        start = likelihood.layout.start
        likelihood.value_and_gradient(start)
        gradient = seconds(lambda k, start=start, of=likelihood: of.value_and_gradient(start * (1 + 1e-5 * (k + 1))))
        information = seconds(lambda k, start=start, of=likelihood: of.information(start * (1 + 1e-6 * (k + 1))))
        times = [f"{1e3 * time:.2f}" for time in (gradient, information)]
        rows.append([str(n), str(likelihood.layout.n_free), *times, f"{information / gradient:.1f}"])
    return rows


def ends() -> list[list[str]]:
    rows = []
    for name, (case, _) in MAP_CASES.items():
        datasets, models = Datasets.read(case.datasets_file), Models.read(case.models_file)
        best = Fit(datasets).run(models).models
        fit = JointLikelihood(datasets, models, for_fit=True)
        if fit.under_conventions(best) is fit:
            continue
        whole = seconds(lambda _, datasets=datasets, models=models: Fit(datasets).run(models))
        anew = seconds(lambda _, datasets=datasets, best=best: JointLikelihood(datasets, best, frozen_shapes=True))
        again = seconds(lambda _, fit=fit, best=best: fit.under_conventions(best))
        rows.append([name, *(f"{1e3 * time:.0f}" for time in (whole, anew, again))])
    return rows


def main() -> None:
    derivatives, compiled = second_derivatives(), ends()
    texts = [
        table(["small maps", "free parameters", "value and gradient [ms]", "information [ms]", "ratio"], derivatives),
        table(["fit with positions that move", "whole fit [ms]", "its end anew [ms]", "its end now [ms]"], compiled),
    ]
    write_results("terms", {"second_derivatives": derivatives, "ends": compiled}, "\n".join(texts))


if __name__ == "__main__":
    main()
