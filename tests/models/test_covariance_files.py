"""Covariances: by the names of rows, along links and edits, and nothing that is no covariance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gm.arrays import Array
from gm.errors import InvalidInput
from gm.models import ModelError, Models
from gm.models.documents.covariance import format_covariance
from gm.models.spectrum_errors import SpectrumWithErrors
from tests.samples import power_law

# index, amplitude, reference of a and b
ERRORS = np.array([0.1, 1e-12, 0.0, 0.3, 4e-13, 0.0])
CORRELATION = np.eye(6)
for row, column, value in ((0, 1, 0.6), (3, 4, -0.5), (0, 3, 0.2), (1, 4, 0.3)):
    CORRELATION[row, column] = CORRELATION[column, row] = value
MATRIX = np.asarray(CORRELATION * np.outer(ERRORS, ERRORS))


def models(*names: str) -> Models:
    return Models([power_law(name) for name in names]).with_covariance(MATRIX)


def flux_error(found: Models, name: str) -> float | None:
    [spectrum] = [one for one in SpectrumWithErrors.all_of(found) if one.component.name == name]
    return spectrum.flux(1.0, 10.0)[1]


def direct(matrix: Array, slopes: Array) -> float:
    """Of a power law between 1 and 10 TeV: F = A (1 - 10^(1 - G)) / (G - 1), differences for its slope in G."""

    def flux(index: float, amplitude: float) -> float:
        return amplitude * (1 - 10 ** (1 - index)) / (index - 1)

    step = 1e-6
    by_index = (flux(2.3 + step, 1e-11) - flux(2.3 - step, 1e-11)) / (2 * step)
    along = slopes @ np.array([by_index, flux(2.3, 1.0)])
    return float(np.sqrt(along @ matrix @ along))


def test_the_error_of_a_flux() -> None:
    both = models("a", "b")
    for name, rows in (("a", [0, 1]), ("b", [3, 4])):
        assert flux_error(both, name) == pytest.approx(direct(MATRIX[np.ix_(rows, rows)], np.eye(2)), rel=1e-6)


def test_a_link_that_comes_later() -> None:
    """b.index = 2 a.index - 2.3: the error of b's flux is made of that of a.index, and of what a.index and b.amplitude
    have in common, which was 0."""
    linked = models("a", "b").with_links([{"parameter": "b.index", "equals": "a.index", "scale": 2.0, "offset": -2.3}])
    assert linked.parameters["b.index"].value == pytest.approx(2.3)
    expected = direct(MATRIX[np.ix_([0, 4], [0, 4])], np.diag([2.0, 1.0]))
    assert flux_error(linked, "b") == pytest.approx(expected, rel=1e-6)
    assert linked.covariance is not None
    np.testing.assert_allclose(np.sqrt(linked.covariance.diagonal()), [p.error for p in linked.parameters], rtol=1e-12)


def test_an_error_that_is_edited() -> None:
    """Correlations stay; a parameter that had none has nothing in common with others."""
    edited = models("a", "b").with_parameters({"a.index": {"error": 0.05}, "b.reference": {"error": 0.2}})
    assert edited.covariance is not None
    scale = np.diag([0.5, 1, 1, 1, 1, 1])
    expected = scale @ MATRIX @ scale + np.diag([0, 0, 0, 0, 0, 0.04])
    np.testing.assert_allclose(np.asarray(edited.covariance), expected, rtol=1e-12)
    assert flux_error(edited, "a") == pytest.approx(direct(expected[:2, :2], np.eye(2)), rel=1e-6)


def written(folder: Path, matrix: Array = MATRIX, names: tuple[str, ...] | None = None) -> Path:
    """Models a and b with another covariance file."""
    models("a", "b").write(folder / "models.yaml")
    full = models("a", "b").addresses().full
    (folder / "models_covariance.dat").write_text(format_covariance(names or full, matrix))
    return folder / "models.yaml"


def test_rows_in_another_order(tmp_path: Path) -> None:
    order = [4, 0, 5, 1, 3, 2]
    full = models("a", "b").addresses().full
    found = Models.read(written(tmp_path, MATRIX[np.ix_(order, order)], tuple(full[k] for k in order)))
    np.testing.assert_array_equal(np.asarray(found.covariance), MATRIX)


def test_components_with_other_names(tmp_path: Path) -> None:
    """Where the errors that models.yaml states are those of the rows."""
    file = written(tmp_path)
    file.write_text(file.read_text().replace("name: a\n", "name: x\n").replace("name: b\n", "name: y\n"))
    np.testing.assert_array_equal(np.asarray(Models.read(file).covariance), MATRIX)
    order = [3, 4, 5, 0, 1, 2]
    full = models("a", "b").addresses().full
    rows = format_covariance(tuple(full[k] for k in order), MATRIX[np.ix_(order, order)])
    (tmp_path / "models_covariance.dat").write_text(rows)
    with pytest.raises(InvalidInput, match=r"row 'b.spectral.index' is for no parameter of the models"):
        Models.read(file)


@pytest.mark.parametrize(
    ("row", "column", "factor", "why"),
    [
        (0, 0, -1.0, "a variance is not negative"),
        (0, 1, 1.2, "it is another one in the other triangle"),
        (0, 1, 2.0, "it is larger than the product of both errors"),
    ],
)
def test_what_is_no_covariance(tmp_path: Path, row: int, column: int, factor: float, why: str) -> None:
    matrix = MATRIX.copy()
    matrix[row, column] *= factor
    with pytest.raises(ModelError, match=why):
        models("a", "b").with_covariance(matrix)
    with pytest.raises(InvalidInput, match=rf"row 'a.spectral.index', column {column}: .*{why}"):
        Models.read(written(tmp_path, matrix))


@pytest.mark.parametrize(("stated", "is_another"), [(0.104, False), (0.0, False), (0.2, True)])
def test_a_file_of_another_fit(tmp_path: Path, stated: float, is_another: bool) -> None:
    """Errors that the models state, rounded by hand or not, and another one."""
    path = written(tmp_path)
    text = path.read_text("utf-8")
    assert text.count("error: 0.1}") == 1
    path.write_text(text.replace("error: 0.1}", f"error: {stated}}}"), "utf-8")
    if is_another:
        with pytest.raises(InvalidInput, match=r"an error of 0\.1, where the models state 0\.2: the files are of"):
            Models.read(path)
    else:
        assert Models.read(path).parameters["a.index"].error == pytest.approx(0.1)
