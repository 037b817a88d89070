"""Real datasets: golden numbers, GADF and OGIP round trips, and damaged files."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from gm.datasets import Datasets, SpectrumDataset, SpectrumDatasetOnOff, read_dataset, write_dataset
from gm.datasets.files.formats import DatasetEntry
from gm.datasets.files.gadf_spectrum import gadf_tables
from gm.datasets.files.reading import _together, read_all
from gm.errors import DataError
from gm.io.fits import Extension
from gm.io.fits_writer import write_fits
from gm.irf.edisp import migra_matrix
from gm.maps.axes import EnergyAxis, NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.sky_region import SkyRegion
from gm.maps.writing import map_hdus
from tests.map_samples import on_off_cube
from tests.samples import JOINT_CRAB_RANGES, on_off, spectrum

ARRAYS = ("counts", "counts_off", "acceptance", "acceptance_off", "exposure", "edisp", "mask_safe", "mask_fit")


@pytest.mark.parametrize("folder", ["hess-crab-1d", "joint-crab", "hawc-crab"])
def test_what_files_have_in_common_is_read_once(folder: str, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if each was the first one: of files that are read one after the other, to the last bit."""
    entries = shared / "reference" / folder / "datasets.yaml"
    together = Datasets.read(entries), Datasets.read(entries)
    monkeypatch.setattr(Extension, "once", lambda self, read: read(self))
    alone = Datasets.read(entries)
    for one in together:
        assert [plain(dataset) for dataset in one] == [plain(dataset) for dataset in alone]


def plain(value: Any) -> Any:
    """Everything in a dataset, as data that can be compared."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if is_dataclass(value):
        return type(value).__name__, {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def test_axes_that_differ_in_their_scale_are_not_shared() -> None:
    """The same edges, and other centres: between these exposures are interpolated."""
    one = spectrum("one")
    axes = {"energy": EnergyAxis(one.energy.edges, interp="lin"),
            "energy_true": EnergyAxis(one.energy_true.edges, "energy_true", nodes=one.energy_true.lo)}  # fmt: skip
    other, kept = one.with_(name="other", **axes), dict[Any, Any]()
    found = [dataset.shared(kept.setdefault) for dataset in (one, other, one.with_(name="third"))]
    assert [dataset.energy.interp for dataset in found] == ["log", "lin", "log"]
    assert found[1].energy_true.center[0] == one.energy_true.lo[0]
    assert found[2].energy is found[0].energy


def test_counts_of_the_joint_crab(shared: Path) -> None:
    """Counts in the fit ranges as in reference/joint-crab/expected_pl.json."""
    folder = shared / "reference/joint-crab"
    expected = json.loads((folder / "expected_pl.json").read_text())["datasets_start"]
    datasets = Datasets.read(folder / "datasets.yaml")
    assert set(datasets.names) == set(expected)
    for dataset in datasets:
        assert isinstance(dataset, SpectrumDatasetOnOff)
        keep = dataset.mask & dataset.energy.mask(*JOINT_CRAB_RANGES[dataset.name.split("-")[0]])
        assert dataset.counts[keep].sum() == expected[dataset.name]["counts"]


def test_counts_of_the_hess_runs(shared: Path) -> None:
    folder = shared / "reference/hess-crab-1d"
    expected = json.loads((folder / "expected.json").read_text())["datasets_start"]
    datasets = Datasets.read(folder / "datasets.yaml")
    assert datasets.names == ["23523", "23526", "23559", "23592"]
    for dataset in datasets:
        assert dataset.counts[dataset.mask].sum() == expected[dataset.name]["counts"]
        assert (dataset.energy.n_bins, dataset.energy_true.n_bins) == (27, 67)
        assert dataset.region.shapes == ("circle",)
        assert dataset.meta["TELESCOP"] == "HESS"
        assert dataset.gti.array("START").size == 1
    first = datasets["23523"]
    assert first.energy.edges[0] == pytest.approx(0.1, rel=1e-9)
    # EXPOSURE is stored in m2 s
    with fits.open(folder / "pha_obs23523.fits.gz") as hdus:
        np.testing.assert_allclose(first.exposure, hdus["EXPOSURE"].data["DATA"].ravel() * 1e4, rtol=1e-15)
        assert np.array_equal(first.edisp, hdus["EDISP"].data["DATA"][:, :, 0, 0])


def same(one: Any, other: Any, exact: tuple[str, ...] = ARRAYS) -> None:
    assert (one.name, one.type) == (other.name, other.type)
    assert np.array_equal(one.energy.edges, other.energy.edges)
    assert np.array_equal(one.energy_true.edges, other.energy_true.edges)
    for name in exact:
        mine, theirs = getattr(one, name, None), getattr(other, name, None)
        assert (mine is None) == (theirs is None), name
        assert mine is None or np.array_equal(mine, theirs), name


@pytest.mark.parametrize("case", ["joint-crab", "hess-crab-1d"])
def test_gadf_files_come_back_bit_for_bit(shared: Path, tmp_path: Path, case: str) -> None:
    datasets = Datasets.read(shared / "reference" / case / "datasets.yaml")
    datasets.write(tmp_path)
    back = Datasets.read(tmp_path / "datasets.yaml")
    for one, other in zip(datasets, back, strict=True):
        same(one, other)
        assert one.livetime == other.livetime
        assert dict(one.meta) == dict(other.meta)
        assert one.gti is None or one.gti.same_as(other.gti)
        for name in ("region", "region_off"):
            region = getattr(one, name)
            assert region is None or region.to_table("R").same_as(getattr(other, name).to_table("R"))
    back.write(tmp_path / "again")
    for path in tmp_path.glob("*.fits"):
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_ogip_files_come_back(shared: Path, tmp_path: Path) -> None:
    datasets = Datasets.read(shared / "reference/joint-crab/datasets.yaml").select("hess-*")
    datasets.write(tmp_path, format="ogip")
    assert sorted(p.name for p in tmp_path.glob("*23523*")) == [
        "pha_obshess-23523.fits",
        "pha_obshess-23523_arf.fits",
        "pha_obshess-23523_bkg.fits",
        "pha_obshess-23523_rmf.fits",
    ]
    back = Datasets.read(tmp_path / "datasets.yaml")
    for one, other in zip(datasets, back, strict=True):
        same(one, other, ("counts", "counts_off", "acceptance", "acceptance_off", "mask_safe", "edisp"))
        # the file holds exposure / livetime: one rounding each way
        np.testing.assert_allclose(one.exposure, other.exposure, rtol=4e-16)


def test_compressed_files_of_both_kinds(shared: Path, tmp_path: Path) -> None:
    dataset = read_dataset("SpectrumDatasetOnOff", shared / "reference/hess-crab-1d/pha_obs23523.fits.gz")
    assert dataset.name == "23523"
    dataset = dataset.with_(livetime=1500.0)
    for form in ("gadf", "ogip"):
        path = tmp_path / f"{form}.fits.gz"
        write_dataset(dataset, path, form)
        assert path.read_bytes()[:2] == b"\x1f\x8b"
        back = read_dataset("SpectrumDatasetOnOff", path, "other")
        assert back.name == "other"
        assert np.array_equal(back.counts, dataset.counts)
    assert (tmp_path / "ogip_arf.fits.gz").exists()


def test_masks_and_background_of_a_plain_spectrum(shared: Path, tmp_path: Path) -> None:
    source = read_dataset("SpectrumDatasetOnOff", shared / "reference/hess-crab-1d/pha_obs23523.fits.gz")
    dataset = SpectrumDataset(
        name="plain",
        energy=source.energy,
        energy_true=source.energy_true,
        counts=source.counts,
        exposure=source.exposure,
        background=source.counts_off / 12,
        mask_fit=source.energy.mask(1.0, 10.0),
    )
    write_dataset(dataset, tmp_path / "plain.fits")
    back = read_dataset("SpectrumDataset", tmp_path / "plain.fits")
    same(dataset, back, (*ARRAYS, "background"))
    with pytest.raises(DataError, match="is not written as 'ogip'"):
        write_dataset(dataset, tmp_path / "plain.fits", "ogip")


def test_without_a_livetime_ogip_is_refused(shared: Path, tmp_path: Path) -> None:
    dataset = read_dataset("SpectrumDatasetOnOff", shared / "reference/hess-crab-1d/pha_obs23523.fits.gz")
    with pytest.raises(DataError, match="need a livetime"):
        write_dataset(dataset, tmp_path / "x.fits", "ogip")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def run(shared: Path, tmp_path: Path) -> Path:
    """An uncompressed copy of one GADF run."""
    path = tmp_path / "run.fits"
    with fits.open(shared / "reference/hess-crab-1d/pha_obs23523.fits.gz") as hdus:
        hdus.writeto(path)
    return path


def edit(path: Path, change: Callable[[Any], None]) -> None:
    with fits.open(path, mode="update") as hdus:
        change(hdus)


def test_a_migration_map_becomes_a_matrix(run: Path) -> None:
    migra = np.linspace(0.2, 5, 49)
    centers = 0.5 * (migra[1:] + migra[:-1])
    density = np.tile(np.exp(-0.5 * ((centers - 1) / 0.2) ** 2) / (0.2 * np.sqrt(2 * np.pi)), (67, 1))
    true = np.tile(np.arange(67)[:, None], (1, 48)).ravel()

    def replace(hdus: Any) -> None:
        true_bands = hdus["EXPOSURE_BANDS"].data
        columns = [
            fits.Column("CHANNEL", "K", array=np.arange(67 * 48)),
            fits.Column("MIGRA", "D", array=np.tile(centers, 67)),
            fits.Column("MIGRA_MIN", "D", array=np.tile(migra[:-1], 67)),
            fits.Column("MIGRA_MAX", "D", array=np.tile(migra[1:], 67)),
            *(fits.Column(n, "D", unit="TeV", array=true_bands[n][true]) for n in true_bands.names[1:]),
        ]
        cards = {"AXCOLS1": "MIGRA_MIN,MIGRA_MAX", "INTERP1": "lin", "AXCOLS2": "ENERGY_TRUE_MIN,ENERGY_TRUE_MAX"}
        bands = fits.BinTableHDU.from_columns(columns, name="EDISP_BANDS")
        data = fits.Column("DATA", "48D", dim="(1,1,48)", array=density.reshape(67, 48, 1, 1))
        image = fits.BinTableHDU.from_columns([fits.Column("CHANNEL", "I", array=np.arange(67)), data], name="EDISP")
        for hdu in (bands, image):
            hdu.header.update(cards)
        hdus["EDISP"], hdus["EDISP_BANDS"] = image, bands

    edit(run, replace)
    dataset = read_dataset("SpectrumDatasetOnOff", run)
    assert np.array_equal(dataset.edisp, migra_matrix(density, migra, dataset.energy_true, dataset.energy))
    assert dataset.edisp[40].sum() == pytest.approx(1, abs=1e-3)


def test_energies_that_do_not_say_their_scale_are_told(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Gammapy takes them for linear, which moves statistics by tens: told once for a file."""

    def remove(hdus: Any) -> None:
        for hdu in hdus:
            hdu.header.remove("INTERP1", ignore_missing=True)

    before = read_dataset("SpectrumDatasetOnOff", run)
    edit(run, remove)
    assert not caplog.messages
    dataset = read_dataset("SpectrumDatasetOnOff", run)
    np.testing.assert_array_equal(dataset.energy.center, before.energy.center)
    (said,) = caplog.messages
    assert said.endswith(
        "HDU COUNTS_BANDS: no card INTERP1, its energies are taken for logarithmic (by Gammapy for linear)"
    )


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("kind", ["kernel", "migra"])
def test_the_energy_dispersion_of_a_spectrum_may_be_a_map_of_the_sky(tmp_path: Path, kind: str, sparse: bool) -> None:
    """That of the pixel in which the region lies is taken, as by Gammapy for a source there."""
    energy, energy_true = EnergyAxis(np.geomspace(1.0, 20.0, 4)), EnergyAxis(np.geomspace(0.5, 40.0, 5), "energy_true")
    migra = NodeAxis.from_edges("migra", np.linspace(0.0, 4.0, 9))
    second = energy if kind == "kernel" else migra
    values = np.random.default_rng(3).uniform(0.01, 0.2, (4, second.n_bins, 3, 2))
    held = Map(WcsGeometry.create(83.6, 22.0, 0.5, shape=(3, 2)), (energy_true, second), values, "")
    region = SkyRegion.from_mapping({"type": "circle", "center": [83.9, 22.5], "radius": 0.1})
    spectrum = SpectrumDataset(
        name="s",
        energy=energy,
        energy_true=energy_true,
        counts=np.ones(3),
        exposure=np.full(4, 1e13),
        region=region.to_file_region(),
    )
    write_fits(tmp_path / "s.fits", [*gadf_tables(spectrum), *map_hdus(held, "EDISP", sparse)])
    found = read_dataset("SpectrumDataset", tmp_path / "s.fits").edisp
    expected = values[:, :, 2, 0]  # in the north, at the higher longitude
    if kind == "migra":
        expected = migra_matrix(expected, migra.edges, energy_true, energy)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def set_value(hdu: str, column: str, row: int, value: float) -> Callable[[Any], None]:
    def change(hdus: Any) -> None:
        hdus[hdu].data[column][row] = value

    return change


def cut(hdu: str) -> Callable[[Any], None]:
    def change(hdus: Any) -> None:
        hdus[hdu].data = hdus[hdu].data[:5]

    return change


def card(hdu: str, name: str, value: Any) -> Callable[[Any], None]:
    return lambda hdus: hdus[hdu].header.set(name, value)


BAD_RUNS = {
    "NaN counts": (set_value("COUNTS", "DATA", 14, np.nan), "counts is nan in bin 14"),
    "negative counts": (set_value("COUNTS", "DATA", 14, -1), "counts is -1 in bin 14"),
    "negative off counts": (set_value("COUNTS_OFF", "DATA", 14, -1), "counts_off is -1 in bin 14"),
    "NaN exposure": (set_value("EXPOSURE", "DATA", 3, np.nan), "exposure is nan in bin 3"),
    "NaN dispersion": (set_value("EDISP", "DATA", 30, np.nan), "edisp is nan in bin 30, 9"),
    "negative dispersion": (set_value("EDISP", "DATA", 30, -0.1), "edisp is -0.1 in bin 30, 9"),
    "infinite acceptance": (set_value("ACCEPTANCE_OFF", "DATA", 14, np.inf), "acceptance_off is inf in bin 14"),
    "no counts": (lambda hdus: hdus.__delitem__("COUNTS"), "no HDU COUNTS, needed for a SpectrumDatasetOnOff"),
    "no exposure": (lambda hdus: hdus.__delitem__("EXPOSURE"), "no HDU EXPOSURE"),
    "no off counts": (lambda hdus: hdus.__delitem__("COUNTS_OFF"), "no HDU COUNTS_OFF"),
    "no bands": (lambda hdus: hdus.__delitem__("COUNTS_BANDS"), "no HDU COUNTS_BANDS"),
    "no column": (lambda hdus: hdus["COUNTS"].columns.change_name("DATA", "DATUM"), "no column DATA"),
    "counts too short": (cut("COUNTS"), "HDU COUNTS: 5 values, expected 27"),
    "dispersion too short": (cut("EDISP"), "HDU EDISP: 135 values, expected 67 x 27"),
    "energies": (set_value("COUNTS_BANDS", "E_MIN", 3, 50.0), "E_MIN does not increase"),
    "NaN energy": (set_value("COUNTS_BANDS", "E_MIN", 3, np.nan), "not finite"),
    "energy zero": (set_value("COUNTS_BANDS", "E_MIN", 0, 0.0), "above 0"),
    "energy unit": (card("COUNTS_BANDS", "TUNIT3", "cm"), "axis energy is in 'cm', expected an energy"),
    "exposure unit": (card("EXPOSURE", "TUNIT2", "TeV"), "is in 'TeV', expected a unit of 'cm2 s'"),
    "exposure without unit": (lambda hdus: hdus["EXPOSURE"].header.remove("TUNIT2"), "expected a unit of 'cm2 s'"),
    "counts unit": (card("COUNTS", "TUNIT2", "TeV"), "expected a unit of ''"),
    "unsafe shape": (card("COUNTS_REGION", "WCSSHAPE", "__import__('os')"), "WCSSHAPE is"),
    "dispersion axes": (card("EDISP", "AXCOLS1", "RAD_MIN,RAD_MAX"), "axes rad, energy_true, expected energy or migra"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # astropy complains about what is being broken on purpose
@pytest.mark.parametrize("case", BAD_RUNS)
def test_damage_gives_one_clear_message(run: Path, case: str) -> None:
    change, message = BAD_RUNS[case]
    edit(run, change)
    with pytest.raises(DataError, match=message) as raised:
        read_dataset("SpectrumDatasetOnOff", run, "run")
    assert str(run) in str(raised.value)
    assert len(str(raised.value).splitlines()) <= 2


def test_the_wrong_type_or_file(run: Path, shared: Path) -> None:
    with pytest.raises(DataError, match="holds the counts of a region, with a PSF or off counts"):
        read_dataset("MapDataset", run)
    with pytest.raises(DataError, match="is an OGIP spectrum, expected a SpectrumDataset"):
        read_dataset("SpectrumDataset", shared / "data/joint-crab/spectra/fermi/pha_obs0.fits")
    with pytest.raises(DataError, match="no HDU COUNTS, EXPOSURE"):
        read_dataset("SpectrumDataset", shared / "reference/flux-points/hess.fits.gz")


@pytest.mark.parametrize("kind", ["SpectrumDataset", "MapDataset"])
def test_off_counts_are_not_passed_over(tmp_path: Path, kind: str) -> None:
    """Without them no background would be known, and all counts be taken for the source's."""
    path = tmp_path / "run.fits"
    write_dataset(on_off() if kind == "SpectrumDataset" else on_off_cube("map"), path)
    with pytest.raises(DataError, match=rf"run.fits: has off counts(.|\n)*its type is {kind}OnOff"):
        read_dataset(kind, path)


def test_many_files_share_what_is_equal_and_keep_their_order(shared: Path) -> None:
    folder = shared / "reference/hess-crab-1d"
    paths = sorted(folder.glob("*.fits.gz"))
    entries = [DatasetEntry(f"r{n}", "SpectrumDatasetOnOff", paths[n % 4]) for n in range(40)]
    one, two = read_all(entries, 1), read_all(entries, 2)
    for datasets in (one, two):
        assert [d.name for d in datasets] == [entry.name for entry in entries]
        assert len({id(d.energy) for d in datasets}) == 1
        assert len({id(d.edisp) for d in datasets}) == 4
    for a, b in zip(one, two, strict=True):
        same(a, b)


def test_what_datasets_share_is_sent_once(shared: Path) -> None:
    """By a copy of the process that reads some files: as much for each dataset as is its own."""
    runs = sorted((shared / "reference/hess-crab-1d").glob("pha_obs*.fits.gz"))
    entries = [DatasetEntry(f"d{n}", "SpectrumDatasetOnOff", runs[n % 4]) for n in range(24)]
    there = pickle.loads(pickle.dumps(_together(entries), pickle.HIGHEST_PROTOCOL))
    assert len({id(dataset.edisp) for dataset, _ in there}) == 4
    assert len({id(dataset.energy) for dataset, _ in there}) == 1
    for (dataset, problem), entry in zip(there, entries, strict=True):
        assert problem == ""
        same(dataset, read_dataset(entry.type, entry.path, entry.name))


def test_every_bad_file_is_reported(run: Path) -> None:
    other = run.with_name("other.fits")
    shutil.copyfile(run, other)
    edit(other, set_value("COUNTS", "DATA", 14, -1))
    paths = [run, other, run.with_name("absent.fits")] * 15
    entries = [DatasetEntry(f"d{n}", "SpectrumDatasetOnOff", path) for n, path in enumerate(paths)]
    for workers in (1, 2):
        with pytest.raises(DataError) as raised:
            read_all(entries, workers)
        assert str(raised.value).count("no such file") == 1
        assert str(raised.value).count("counts is -1") == 15
