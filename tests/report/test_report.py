"""The page of all results: what is in it, and what a browser makes of it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import gm
from gm.cli import main
from gm.config_schemas.reader import read_document
from gm.figures.results import Result
from gm.report.html import Cell, inline_figure, table
from gm.report.page import build_page
from gm.report.usual import usual_section
from tests.conftest import absent
from tests.map_samples import background, cube, point, source
from tests.samples import flux_points, on_off, power_law

pytest.importorskip("matplotlib", reason="a report has figures, which need Matplotlib")

CONFIG = """\
version: 1
name: "some <sources>"
datasets: datasets.yaml
models: models.yaml
output: results
fit: {contours: [[other.amplitude, other.index]], test: [star], minos: [other.index]}
flux_points:
  - {source: other, energy_edges: [1 TeV, 3 TeV, 10 TeV, 1000 TeV]}
profiles:
  - {parameter: other.index, name: index, sigma: 3, n: 7}
report: {title: "A & B"}
"""


def call(*arguments: str) -> Any:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An analysis of a map, a spectrum and flux points, all of it run."""
    folder = tmp_path_factory.mktemp("report")
    gm.Datasets([cube("cube"), on_off("run"), flux_points("old")]).write(folder / "datasets.yaml")
    star = source("star", point(), datasets_names=["cube"])
    models = gm.Models([star, background("cube"), power_law("other", datasets_names=["run", "old"])])
    models.write(folder / "models.yaml")
    (folder / "config.yaml").write_text(CONFIG)
    assert call("run", "-q", str(folder / "config.yaml")) == 0
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> Path:
    return folder / "results" / "report.html"


class Elements(HTMLParser):
    """The tags of a page, their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_nothing_is_from_elsewhere(page: Path) -> None:
    """No address, but the names of namespaces that nobody asks for; figures, styles and script are in the page."""
    text = page.read_text()
    elements = Elements(text)
    for tag, attributes in elements.found:
        for name in ("src", "href", "xlink:href", "data", "action"):
            target = attributes.get(name)
            assert target is None or target.startswith(("#", "data:")), (tag, target)
    assert not re.search(r"@import|url\((?!#|\"data:)", text)
    assert set(re.findall(r"https?://[^\"' <)]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert sum(tag == "svg" for tag, _ in elements.found) >= 8
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_what_is_told(folder: Path, page: Path) -> None:
    """Title, verdicts, parameters with units, fluxes, tests, the config, versions and inputs."""
    text = Elements(page.read_text()).text
    for word in ("A & B", "converged", "other.amplitude", "cm-2 s-1 TeV-1", "erg cm-2 s-1", "TS", "some <sources>"):
        assert word in text, word
    assert "numpy" in text
    assert "datasets.yaml" in text
    result = json.loads(json.dumps(gm.Models.read(folder / "results/fit/models.yaml").to_dict()))
    assert result["components"]
    assert "<sources>" not in page.read_text()  # what comes from outside is escaped


def test_the_same_bytes_again_and_up_to_date(folder: Path, page: Path, capsys: Any) -> None:
    before = {file: file.read_bytes() for file in [page, *sorted((page.parent / "figures").iterdir())]}
    assert len(before) >= 9
    assert call("report", str(folder / "config.yaml")) == 0
    assert "report: up to date" in capsys.readouterr().err
    assert call("report", "-q", "--force", str(folder / "config.yaml")) == 0
    assert [file.name for file in before if file.read_bytes() != before[file]] == []
    assert b"2026-" not in before[page]
    assert call("report", "--json", str(folder / "config.yaml")) == 0
    document = json.loads(capsys.readouterr().out.split("report.html\n", 1)[-1])
    assert document["status"] == "ok"
    assert len(document["figures"]) == len(before) - 1


def test_warnings_are_at_the_top(folder: Path) -> None:
    """Those of the result, and what a fit has left out."""
    document = read_document(folder / "results/fit/fit.yaml").data
    left = [{"reason": "without acceptance", "bins": 3, "counts": 1}]
    document |= {"warnings": ["beware of <this>"], "datasets": [document["datasets"][0] | {"left_out": left}]}
    text = build_page("a", [Result("fit", document, folder / "results/fit")], "", {}).text
    assert text.index("2 warnings<") < text.index("beware of &lt;this&gt;") < text.index("<nav")
    assert "3 bins or points left out: without acceptance" in text


def test_without_results(tmp_path: Path, folder: Path, capsys: Any) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "results")
    (tmp_path / "config.yaml").write_text("version: 1\ndatasets: datasets.yaml\nmodels: models.yaml\nreport: {}\n")
    assert call("report", "-q", str(tmp_path / "config.yaml")) == 4
    assert "no result to report of" in capsys.readouterr().err


def test_tables_and_figures() -> None:
    found = table(["a", "b [TeV]"], [["<x>", Cell("1.0", 1.0, "note", "bad")]])
    assert '<td data-head="a">&lt;x&gt;</td>' in found
    assert '<td data-head="b [TeV]" data-order="1.0" class="bad">1.0 <small>note</small></td>' in found
    assert table(["a"], []) == ""
    svg = '<?xml ?><svg id="a"><metadata>http://x</metadata><use href="#b" style="fill: #010203"/></svg>'
    drawn = inline_figure(svg, 3, "one & two")
    assert 'id="f3-a"' in drawn
    assert 'href="#f3-b" style="fill: currentColor"' in drawn
    assert "one &amp; two" in drawn
    assert "http" not in drawn


def test_documents_without_a_section_of_their_own() -> None:
    document = {
        "schema": "x",
        "name": "n",
        "criterion": "AIC",
        "rows": [{"e_min": 1.0, "energy_unit": "TeV", "ok": True}],
    }
    found = usual_section(document)
    assert "AIC" in found
    assert "e min [TeV]" in found
    assert "yes" in found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window, that tells of every request."""
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        absent("no chromium and chromedriver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is a tool of development")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def open_page(browser: Any, page: Path, width: int, scheme: str = "light", *, scripts: bool = True) -> list[str]:
    """Open it; the addresses of all requests."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
    browser.get_log("performance")
    browser.get(page.as_uri())
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [message for message in messages if message["method"] == "Network.requestWillBeSent"]
    return [message["params"]["request"]["url"] for message in sent]


@pytest.mark.parametrize("width", [1280, 900, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(browser: Any, page: Path, width: int, scheme: str) -> None:
    """No request but for the page, nothing on the console, nothing beyond the width, in the colours asked for."""
    requests = [url for url in open_page(browser, page, width, scheme) if not url.startswith("data:")]
    assert requests == [page.as_uri()]
    assert [entry for entry in browser.get_log("browser") if entry["level"] != "INFO"] == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    widest = "return Math.max(...[...document.querySelectorAll('body *')].map(e => e.getBoundingClientRect().right))"
    assert browser.execute_script(widest) <= width + 0.5
    paper = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 26)"}[scheme]
    ink = browser.execute_script("return getComputedStyle(document.querySelector('svg')).color")
    assert ink == {"light": "rgb(26, 26, 26)", "dark": "rgb(232, 232, 232)"}[scheme]


def test_tables_are_sorted_by_a_click(browser: Any, page: Path) -> None:
    open_page(browser, page, 1280)
    column = (
        "const table = [...document.querySelectorAll('table')].find(t => t.tHead.rows[0].cells[0].textContent === "
        "'energies'); const head = table.tHead.rows[0].cells[1]; head.click(); if (arguments[0]) head.click();"
        "return [...table.tBodies[0].rows].map(r => Number(r.cells[1].dataset.order))"
    )
    rising, falling = browser.execute_script(column, False), browser.execute_script(column, False)
    assert rising == sorted(rising)
    assert falling == sorted(rising, reverse=True)


def test_it_is_read_without_scripts(browser: Any, page: Path) -> None:
    """All of its text, and its figures, are seen."""
    open_page(browser, page, 1280, scripts=False)
    try:
        shown = browser.find_element("tag name", "main").text
        for word in ("other.amplitude", "Parameters", "SED of other-sed", "upper limit"):
            assert word in shown, word
        assert all(figure.size["height"] > 50 for figure in browser.find_elements("tag name", "figure"))
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
