"""Terms that take over what has not moved: bit by bit those that are compiled anew."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
import pytest

from gm.arrays import Array
from gm.datasets import Datasets
from gm.likelihood import JointLikelihood
from gm.likelihood.maps.folding.window import Response
from gm.likelihood.maps.source_builder import SourceBuilder
from gm.likelihood.maps.sources.image import ImageSource, MapSource
from gm.models import Models
from tests.likelihood.other_process import OtherProcess
from tests.map_samples import LAT, LON, background, cube, edged, gauss, held, on_off_cube, point, source
from tests.samples import spectrum

MOVING = {"point": point(83.2, 21.8), "gauss": gauss(83.2, 21.8, 0.08), "disk": edged()["disk"]}


def datasets(response: str) -> Datasets:
    maps = [cube("one", "icrs", response), cube("two", "galactic", response, 2), on_off_cube("off", "icrs", response)]
    return Datasets([*maps, spectrum("flat")])


def sky(kind: str, lon: float = 0.0) -> Models:
    """A source that moves between two that stay, so that columns and rows of these are others where its shape is held.

    ``lon`` : by how much it has moved [deg], while the spectrum of another one has changed
    """
    still = source("still", held(gauss(84.1, 22.3, 0.1))), source("spot", held(point(LON, LAT + 0.4)))
    models = Models([still[0], source("moving", MOVING[kind]), still[1], background("one"), background("two")])
    if not lon:
        return models
    at = models.parameters[models.parameters.addresses.index("moving.lon_0")].value
    return models.with_parameters({"moving.lon_0": {"value": at + lon}, "still.amplitude": {"value": 2e-11}})


@pytest.mark.parametrize("conventions", ["gammapy", "exact"])
@pytest.mark.parametrize("response", ["plain", "psf", "reco"])
@pytest.mark.parametrize("kind", MOVING)
@pytest.mark.parametrize("frozen_shapes", [True, False])
def test_bit_by_bit(
    kind: str, response: str, conventions: str, frozen_shapes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at the end of a fit, and as where a fit goes on from where a source has moved to."""
    data, there = datasets(response), sky(kind, 0.23)
    before = JointLikelihood(data, sky(kind), conventions, for_fit=True)
    before.value_and_gradient(before.layout.start)
    shapes = {"for_fit": not frozen_shapes, "frozen_shapes": frozen_shapes}
    anew, built, build = JointLikelihood(data, there, conventions, **shapes), list[str](), SourceBuilder.build

    def counted(self: SourceBuilder) -> MapSource:
        built.append(self.component.name)
        return build(self)

    with monkeypatch.context() as patch:
        patch.setattr(SourceBuilder, "build", counted)
        again = JointLikelihood(data, there, conventions, before=before.terms, **shapes)
    assert built == ["moving"] * 3
    vector = anew.layout.start
    for one, other in zip(anew.predicted(vector), again.predicted(vector), strict=True):
        np.testing.assert_array_equal(other, one)
    for factor in (1.0, 1.001):
        (value, gradient), (found, slope) = (joint.value_and_gradient(vector * factor) for joint in (anew, again))
        assert found == value
        np.testing.assert_array_equal(slope, gradient)
        np.testing.assert_array_equal(again.information(vector * factor), anew.information(vector * factor))
    assert repr(again.summarize(vector)) == repr(anew.summarize(vector))
    values, norms = anew.layout.expand(vector), np.array([-0.5, 0.5, 2.0])
    for name in ("still", "moving"):
        signal = anew.bank.fluxes(values, [name])
        lines = (joint.terms.lines(anew.bank.fluxes(values) - signal, signal) for joint in (anew, again))
        for one_line, other_line in zip(*lines, strict=True):
            np.testing.assert_array_equal(other_line.values(norms), one_line.values(norms))


def test_the_terms_before_stay_as_they_are() -> None:
    data = datasets("plain")
    before, alone = (JointLikelihood(data, sky("gauss"), for_fit=True) for _ in range(2))
    vector = before.layout.start
    before.value(vector)
    JointLikelihood(data, sky("gauss", 0.3), frozen_shapes=True, before=before.terms).summarize(vector)
    assert before.value(vector * 1.001) == alone.value(vector * 1.001)
    for one, other in zip(alone.predicted(vector), before.predicted(vector), strict=True):
        np.testing.assert_array_equal(other, one)


@pytest.mark.parametrize("conventions", ["gammapy", "exact"])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_was_forgotten_is_made_again(conventions: str, elsewhere: bool) -> None:
    """To the precision to which images and their second derivatives are folded (1e-5), here and in another process."""
    data, models = datasets("psf"), sky("gauss")
    with OtherProcess() if elsewhere else nullcontext() as engine:
        kept = JointLikelihood(data, models, conventions, for_fit=True)
        joint = JointLikelihood(data, models, conventions, for_fit=True, engine=engine)
        for factor in (1.0, 1.0001):
            vector = kept.layout.start * factor
            joint.forget()
            (value, gradient), (found, slope) = kept.value_and_gradient(vector), joint.value_and_gradient(vector)
            assert found == pytest.approx(value, rel=1e-12)
            np.testing.assert_allclose(slope, gradient, rtol=1e-6, atol=1e-6 * np.abs(gradient).max())
            joint.forget()
            steps = 1e-4 * np.abs(vector)
            bent, again = kept.second_derivatives(vector, steps), joint.second_derivatives(vector, steps)
            assert bent is not None
            assert again is not None
            scale = np.sqrt(np.abs(np.diag(bent)))
            np.testing.assert_allclose(again / scale / scale[:, None], bent / scale / scale[:, None], atol=1e-5)
        for one, other in zip(kept.predicted(vector), joint.predicted(vector), strict=True):
            np.testing.assert_array_equal(other, one)


def test_derivatives_by_other_shapes_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of many maps take most of the memory of a fit: never twice at a time, and kept while the shape stays."""
    joint = JointLikelihood(datasets("psf"), sky("gauss"), for_fit=True)
    here, steps = joint.layout.start, 1e-4 * np.abs(joint.layout.start)
    there = here.copy()
    there[joint.layout.free_addresses.index("moving.sigma")] *= 2.0
    made, alive = list[weakref.ref[Array]](), list[bool]()
    respond = ImageSource._respond_slopes

    def followed(source: ImageSource, values: Array) -> Sequence[Response | None]:
        alive.extend(matrix() is not None for matrix in before)
        slopes = respond(source, values)
        matrices = (slope.matrix for slope in slopes if slope is not None)
        made.extend(weakref.ref(matrix if matrix.base is None else matrix.base) for matrix in matrices)
        return slopes

    monkeypatch.setattr(ImageSource, "_respond_slopes", followed)
    for is_anew, use in [
        (True, lambda: joint.information(here)),
        (False, lambda: joint.information(here)),
        (False, lambda: joint.second_derivatives(here, steps)),
        (True, lambda: joint.second_derivatives(there, steps)),
        (False, lambda: joint.information(there)),
        (True, lambda: joint.information(here)),
    ]:
        before = list(made)
        use()
        assert (len(made) > len(before)) == is_anew
    assert not any(alive)
