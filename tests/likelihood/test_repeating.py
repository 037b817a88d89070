"""What is compiled once for many toys is bit by bit what each of them would have been compiled to."""

from __future__ import annotations

import numpy as np
import pytest

from gm.datasets import Datasets
from gm.estimators.toys import ToyFit, Truth
from gm.fit import Fit
from gm.likelihood import JointLikelihood, RepeatingEngine
from gm.models import Models
from tests.map_samples import background, cube, point, source
from tests.samples import flux_points, on_off, power_law, spectrum


@pytest.fixture(scope="module")
def truth() -> Truth:
    datasets = Datasets([on_off("a"), spectrum("b"), on_off("c", 2, n_energy=5), flux_points()])
    return Truth(datasets, Models([power_law("crab"), power_law("other", datasets_names="a")]))


def test_values_gradients_and_information_are_the_same_bits(truth: Truth) -> None:
    engine = RepeatingEngine()
    for number in range(5):
        datasets, models = truth.draw(1, number)
        anew, again = JointLikelihood(datasets, models), JointLikelihood(datasets, models, engine=engine)
        vector = anew.layout.start * np.linspace(0.9, 1.1, anew.layout.n_free)
        assert again.value(vector) == anew.value(vector)
        assert (again.gradient(vector) == anew.gradient(vector)).all()
        assert (again.information(vector) == anew.information(vector)).all()
        assert again.summarize(vector) == anew.summarize(vector)


def test_fits_are_the_same_bits_and_others_are_compiled(truth: Truth) -> None:
    repeating = ToyFit(test=["crab"], minos=["crab.index"])
    for number in range(4):
        datasets, models = truth.draw(1, number)
        anew = Fit(datasets).run(models, test=["crab"], minos=["crab.index"])
        toy = repeating.run(truth, 1, number)
        assert toy.statistic == anew.statistic
        assert toy.values == {row.name: row.value for row in anew.parameters if not row.frozen}
        assert toy.errors == {row.name: row.error for row in anew.parameters if not row.frozen}
        assert toy.ts["crab"] == next(row.ts for row in anew.components if row.name == "crab")


def test_only_one_compilation(truth: Truth, monkeypatch: pytest.MonkeyPatch) -> None:
    from gm.likelihood import engine as module

    compiled = list[int]()
    compile_terms = module.compile_terms

    def counting(*arguments: object) -> object:
        compiled.append(1)
        return compile_terms(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "compile_terms", counting)
    fit = ToyFit(errors=False)
    for number in range(5):
        assert fit.run(truth, 1, number).success
    assert len(compiled) == 1


def test_maps_are_compiled_for_each_toy() -> None:
    models = Models([source("crab", point()), background()])
    truth = Truth(Datasets([cube(), spectrum()]), models)
    for number in range(2):
        datasets, drawn = truth.draw(1, number)
        anew = Fit(datasets).optimize(drawn)
        assert ToyFit(errors=False).run(truth, 1, number).statistic == anew.statistic
