"""Real map datasets against astropy and Gammapy's counts; round trips; damaged files; laziness and memory."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from gm.datasets import Datasets, MapDataset, SpectrumDataset, read_dataset, write_dataset
from gm.datasets.files import map_reading as reading
from gm.datasets.files.formats import DatasetEntry
from gm.datasets.files.reading import read_all
from gm.errors import DataError
from gm.io.fits import read_fits
from tests.map_samples import with_off

CASES = (
    *("fermi-3fhl-crab", "fermi-3fhl-gc", "cta1dc-gc-joint", "cta1dc-gc-stacked"),
    *("hess-msh1552-runs", "hess-msh1552-stacked", "hawc-crab"),
)
ARRAYS = ("counts", "background", "exposure", "mask_safe", "mask_fit")


def first_file(shared: Path, case: str) -> Path:
    files = {"fermi-3fhl-crab": "Fermi-LAT", "cta1dc-gc-joint": "obs110380", "hess-msh1552-runs": "run20136"}
    if case == "hawc-crab":
        return shared / "data/hawc/DL4/nHit-5.fits.gz"
    name = files.get(case, "stacked" if "stacked" in case else case)
    return shared / "reference" / case / f"{name}.fits.gz"


@pytest.fixture
def run(shared: Path, tmp_path: Path) -> Path:
    """The small Fermi cube, not compressed: a file that may be damaged."""
    file = tmp_path / "cube.fits"
    file.write_bytes(gzip.decompress(first_file(shared, "fermi-3fhl-crab").read_bytes()))
    return file


@pytest.mark.parametrize("case", CASES)
def test_counts_and_background_inside_the_masks(shared: Path, case: str) -> None:
    """As Gammapy counts them, in reference/<case>/expected.json, with the norms of the start models."""
    folder = shared / "reference" / case
    expected = json.loads((folder / "expected.json").read_text())["datasets_start"]
    datasets = Datasets.read(folder / "datasets.yaml")
    assert datasets.names == list(expected)
    for dataset in datasets:
        assert isinstance(dataset, MapDataset)
        assert dataset.counts[dataset.mask].sum() == expected[dataset.name]["counts"]
        if dataset.background is not None:
            norm = {"Fermi-LAT": 1.3004625872247901}.get(dataset.name, 1.0)
            background = norm * dataset.background[dataset.mask].sum(dtype=np.float64)
            assert background == pytest.approx(expected[dataset.name]["background"], rel=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_arrays_are_those_of_the_file(shared: Path, case: str) -> None:
    file = first_file(shared, case)
    dataset = read_dataset("MapDataset", file)
    assert isinstance(dataset, MapDataset)
    with fits.open(file) as hdus:
        for name in ARRAYS:
            mine = getattr(dataset, name)
            assert (mine is None) == (name.upper() not in hdus), name
            if mine is None:
                continue
            theirs = hdus[name.upper()]
            scale = 1e4 if theirs.header.get("BUNIT") == "m2 s" else 1.0
            np.testing.assert_allclose(mine, np.clip(theirs.data * scale, 0.0, None), rtol=1e-7)
            if theirs.data.dtype.kind == "f":
                assert mine.dtype.itemsize == theirs.data.dtype.itemsize
        assert dataset.name == hdus[0].header["NAME"]
        for name, response in (("PSF", dataset.psf), ("EDISP", dataset.edisp)):
            shape = hdus[name].data.shape if hdus[name].is_image else hdus[name].data["DATA"].shape
            assert response is not None
            assert response.data.size == np.prod(shape)


def test_what_surrounds_the_arrays(shared: Path) -> None:
    """Livetime, times and pointing of a H.E.S.S. run and of the stack of 19."""
    run = read_dataset("MapDataset", first_file(shared, "hess-msh1552-runs"))
    stack = read_dataset("MapDataset", first_file(shared, "hess-msh1552-stacked"))
    assert isinstance(run, MapDataset)
    assert isinstance(stack, MapDataset)
    assert run.livetime == pytest.approx(1521.0268800705694)
    assert stack.livetime == pytest.approx(28440.90071112664)
    assert stack.gti is not None
    assert stack.gti.array("START").shape == (19,)
    assert stack.meta is not None
    assert stack.meta.array("TELESCOP").tolist() == [["HESS"] * 19]
    assert stack.meta.array("OBS_ID")[0, 0] == 20136


def test_an_exposure_of_nodes_keeps_them(shared: Path) -> None:
    dataset = read_dataset("MapDataset", first_file(shared, "fermi-3fhl-gc"))
    assert isinstance(dataset, MapDataset)
    assert not dataset.energy_true.has_edges
    assert dataset.energy_true.center[[0, -1]] == pytest.approx([0.01, 0.5])  # 10 and 500 GeV in the file


def same(one: Any, other: Any) -> None:
    assert (one.name, one.type, one.livetime) == (other.name, other.type, other.livetime)
    assert one.geometry.same_as(other.geometry)
    assert one.energy.same_as(other.energy)
    assert one.energy_true.same_as(other.energy_true)
    for name in (*ARRAYS, "counts_off", "acceptance", "acceptance_off"):
        mine, theirs = getattr(one, name, None), getattr(other, name, None)
        assert (mine is None) == (theirs is None), name
        assert mine is None or (mine.dtype == theirs.dtype and np.array_equal(mine, theirs)), name
    for name in ("psf", "edisp"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine is None) == (theirs is None), name
        if mine is not None:
            assert mine.geometry.same_as(theirs.geometry)
            np.testing.assert_array_equal(mine.data, theirs.data)
            assert (mine.exposure is None) == (theirs.exposure is None)
            assert mine.exposure is None or np.array_equal(mine.exposure, theirs.exposure)
    for name in ("gti", "meta"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine is None) == (theirs is None), name
        assert mine is None or mine.same_as(theirs), name


@pytest.mark.parametrize("case", CASES)
def test_round_trip(shared: Path, tmp_path: Path, case: str) -> None:
    dataset = read_dataset("MapDataset", first_file(shared, case))
    write_dataset(dataset, tmp_path / "a.fits")
    again = read_dataset("MapDataset", tmp_path / "a.fits")
    same(dataset, again)
    write_dataset(again, tmp_path / "b.fits")
    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()


def test_round_trip_with_off_counts(shared: Path, tmp_path: Path) -> None:
    given = read_dataset("MapDataset", first_file(shared, "fermi-3fhl-crab"))
    assert isinstance(given, MapDataset)
    dataset = with_off(given, "on off")
    Datasets([dataset]).write(tmp_path)
    assert (tmp_path / "on_off.fits").is_file()
    same(dataset, Datasets.read(tmp_path / "datasets.yaml")["on off"])


def test_a_map_of_one_region_is_a_spectrum(shared: Path, tmp_path: Path) -> None:
    given = Datasets.read(shared / "reference/hess-crab-1d/datasets.yaml")[0]
    spectrum = SpectrumDataset(
        name="s", energy=given.energy, energy_true=given.energy_true, counts=given.counts, exposure=given.exposure
    )
    write_dataset(spectrum, tmp_path / "s.fits")
    read = read_dataset("MapDataset", tmp_path / "s.fits", "s")
    assert isinstance(read, SpectrumDataset)
    assert np.array_equal(read.counts, spectrum.counts)


def test_compressed_files_are_read_at_once_and_others_when_used(
    shared: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def counted(path: Path) -> Any:
        opened.append(path)
        return read_fits(path)

    monkeypatch.setattr(reading, "read_fits", counted)
    compressed = read_dataset("MapDataset", first_file(shared, "fermi-3fhl-crab"))
    plain = read_dataset("MapDataset", run)
    assert isinstance(compressed, MapDataset)
    assert isinstance(plain, MapDataset)
    assert plain.geometry.shape == (40, 50)
    assert plain.energy.n_bins == 5
    assert not opened
    same(compressed, plain)
    assert opened == [run]
    plain.release()
    compressed.release()
    assert plain.counts.sum() == compressed.counts.sum()
    assert len(opened) == 3


def test_a_file_that_is_gone_is_told_when_it_is_used(run: Path) -> None:
    dataset = read_dataset("MapDataset", run)
    run.unlink()
    assert isinstance(dataset, MapDataset)
    with pytest.raises(DataError, match="no such file"):
        assert dataset.counts is None


def test_memory_is_that_of_the_arrays(shared: Path) -> None:
    """19 runs of 200 x 200 x 10 bins; a hundred of twice as many bins stay below 2 GB."""
    folder = shared / "reference/hess-msh1552-runs"
    tracemalloc.start()
    datasets = Datasets.read(folder / "datasets.yaml")
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / len(datasets) * 2 * 100 < 2e9
    assert peak < held + 60e6  # a few files are open at once, never all of them
    assert datasets[0].geometry is datasets[2].geometry  # equal pointings
    assert datasets[0].energy is datasets[18].energy
    for dataset in datasets:
        dataset.release()


def test_any_number_of_workers_reads_the_same(shared: Path) -> None:
    entries = [DatasetEntry(case, "MapDataset", first_file(shared, case)) for case in CASES[:4]]
    for one, four in zip(read_all(entries, 1), read_all(entries, 4), strict=True):
        same(one, four)


def edit(file: Path, change: Callable[[Any], object]) -> None:
    with fits.open(file, mode="update") as hdus:
        change(hdus)


def nan(name: str, at: tuple[int, ...] = (2, 20, 25)) -> Callable[[Any], object]:
    return lambda hdus: hdus[name].data.__setitem__(at, np.nan)


def card(name: str, key: str, value: object) -> Callable[[Any], object]:
    return lambda hdus: hdus[name].header.__setitem__(key, value)


def cut(name: str) -> Callable[[Any], object]:
    return lambda hdus: setattr(hdus[name], "data", hdus[name].data[..., :-1])


DAMAGE: dict[str, tuple[Callable[[Any], object], str]] = {
    "no counts": (lambda hdus: hdus.__delitem__("COUNTS"), "no HDU COUNTS, needed for a MapDataset"),
    "no exposure": (lambda hdus: hdus.__delitem__("EXPOSURE"), "no HDU EXPOSURE, needed for a MapDataset"),
    "no axes": (lambda hdus: hdus.__delitem__("COUNTS_BANDS"), "no HDU COUNTS_BANDS"),
    "not a number": (nan("BACKGROUND"), "HDU BACKGROUND is nan in bin 2, 20, 25"),
    "exposure": (nan("EXPOSURE"), "HDU EXPOSURE is nan in bin 2, 20, 25"),
    "no PSF there": (nan("PSF", (2, 20, 0, 0)), "HDU PSF: is nan in bin energy_true 2, rad 20, y 0"),
    "no dispersion there": (nan("EDISP", (2, 3, 0, 0)), "HDU EDISP: is nan in bin energy_true 2, energy 3"),
    "PSF lost": (lambda hdus: hdus.__delitem__("PSF"), "HDU PSF_(BANDS|EXPOSURE) is there, but not HDU PSF"),
    "dispersion renamed": (card("EDISP", "EXTNAME", "EDISQ"), "HDU EDISP_(BANDS|EXPOSURE) is there, but not HDU EDISP"),
    "mask renamed": (card("MASK_SAFE", "EXTNAME", "MASK_SAGE"), "HDU MASK_SAFE_BANDS is there, but not HDU MASK_SAFE"),
    "mask": (
        lambda hdus: setattr(hdus["MASK_SAFE"], "data", np.where(hdus["MASK_SAFE"].data, np.nan, 0.0)),
        "HDU MASK_SAFE: .* values are no numbers, expected 0 or 1",
    ),
    "exposure unit": (card("EXPOSURE", "BUNIT", "TeV"), "HDU EXPOSURE is in 'TeV', expected a unit of 'cm2 s'"),
    "counts unit": (card("COUNTS", "BUNIT", "cm"), "HDU COUNTS is in 'cm', expected a unit of ''"),
    "psf unit": (card("PSF", "BUNIT", "TeV"), "HDU PSF: .*TeV"),
    "another grid": (card("BACKGROUND", "CRVAL1", 10.0), "HDU BACKGROUND: is not on the pixels of COUNTS"),
    "mask of another grid": (card("MASK_SAFE", "CRPIX1", 10.0), "HDU MASK_SAFE: is not on the pixels of COUNTS"),
    "no sky": (card("COUNTS", "CTYPE1", "ENERGY"), "HDU COUNTS: CTYPE1 'ENERGY'"),
    "energy unit": (card("COUNTS_BANDS", "TUNIT3", "cm"), "HDU COUNTS: .*cm"),
    "unsafe shape": (card("COUNTS", "WCSSHAPE", "__import__('os')"), "WCSSHAPE is"),
    "dispersion axes": (card("EDISP_BANDS", "AXCOLS1", "RAD_MIN,RAD_MAX"), "HDU EDISP"),
    "livetime": (card("EXPOSURE", "META", '{"livetime": "soon"}'), "livetime is 'soon', expected a time"),
    "metadata": (card("EXPOSURE", "META", "{"), "HDU EXPOSURE: card META is not a JSON object"),
}


@pytest.mark.filterwarnings("ignore")  # astropy complains about what is being broken on purpose
@pytest.mark.parametrize("case", DAMAGE)
def test_damage_gives_one_clear_message(run: Path, case: str) -> None:
    change, message = DAMAGE[case]
    edit(run, change)
    with pytest.raises(DataError, match=message) as raised:
        read_dataset("MapDataset", run).counts  # noqa: B018  # arrays are read when they are used
    assert str(run) in str(raised.value)
    assert len(str(raised.value).splitlines()) <= 2


@pytest.mark.parametrize("size", [2000, 60_000, 150_000, 400_000])
def test_truncated_files(run: Path, size: int) -> None:
    run.write_bytes(run.read_bytes()[:size])
    with pytest.raises(DataError, match=r"cube\.fits.*(truncated|needed for)"):
        read_dataset("MapDataset", run).counts  # noqa: B018
    packed = run.with_suffix(".fits.gz")
    packed.write_bytes(gzip.compress(b"\0" * 10) if size == 2000 else gzip.compress(run.read_bytes())[: size // 8])
    with pytest.raises(DataError, match=r"cube\.fits\.gz"):
        read_dataset("MapDataset", packed)


def test_a_flipped_bit_in_the_first_card_of_an_extension(run: Path) -> None:
    """What follows it would be lost, responses among it."""
    content = run.read_bytes()
    at = [match.start() for match in re.finditer(rb"XTENSION= 'IMAGE", content)]
    assert len(at) > 5
    for place in at:
        damaged = bytearray(content)
        damaged[place] ^= 1
        run.write_bytes(damaged)
        with pytest.raises(DataError, match=rf"cube\.fits: after {place} bytes of extensions, something follows"):
            read_dataset("MapDataset", run)


def test_a_file_that_lost_its_last_extensions(run: Path) -> None:
    """Files written here say how many there are."""
    write_dataset(read_dataset("MapDataset", run), run)
    content = run.read_bytes()
    for match in re.finditer(rb"XTENSION= '", content):
        run.write_bytes(content[: match.start()])
        with pytest.raises(DataError, match=r"HDU PRIMARY: card NEXTEND is \d+, \d+ extensions are there"):
            read_dataset("MapDataset", run)


def test_a_file_that_was_replaced_after_it_was_opened(run: Path) -> None:
    dataset = read_dataset("MapDataset", run)
    shutil.copy(run, run.with_name("other.fits"))
    run.with_name("other.fits").replace(run)
    with pytest.raises(DataError, match=r"cube\.fits: was changed by another program"):
        dataset.counts  # noqa: B018


def test_what_is_wrong_with_several_files_is_told_at_once(run: Path, tmp_path: Path) -> None:
    entries = [DatasetEntry("a", "MapDataset", tmp_path / "a.fits"), DatasetEntry("b", "MapDatasetOnOff", run)]
    with pytest.raises(DataError, match=r"(?s)a\.fits: no such file.*no HDU COUNTS_OFF, ACCEPTANCE, ACCEPTANCE_OFF"):
        read_all(entries)


def test_region_counts_with_a_psf_are_refused(shared: Path, run: Path) -> None:
    region = shared / "reference/hess-crab-1d/pha_obs23523.fits.gz"
    with pytest.raises(DataError, match="HDU COUNTS: holds the counts of a region"):
        read_dataset("MapDatasetOnOff", region)
