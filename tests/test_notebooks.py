"""Each notebook, executed: as a report of the product, and by plain papermill."""

from __future__ import annotations

import re
from pathlib import Path

import papermill
import pytest
from typer.testing import CliRunner

from hotelviz.cli import app
from hotelviz.reports import notebook_directory, run_report


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `hotelviz demo` leaves, in its smallest form."""
    out = tmp_path_factory.mktemp("reports")
    result = CliRunner().invoke(app, ["demo", "--out", str(out), "--hotels", "6", "--epochs", "1"])
    assert result.exit_code == 0, result.output
    return out


@pytest.mark.slow
def test_demo_ends_in_an_index_that_links_the_reports(pages):
    index = (pages / "index.html").read_text()
    assert re.findall(r'href="([^"]+)"', index) == ["tagger_report.html", "tagger_training.html"]
    assert "top-1 accuracy" in index
    assert (pages / "demo" / "tagger.keras").is_file()
    assert (pages / "demo" / "tags.parquet").is_file()


@pytest.mark.slow
def test_reports_say_that_the_demo_starts_from_scratch(pages):
    for name in ("tagger_report", "tagger_training"):
        assert "from scratch" in (pages / f"{name}.html").read_text()


@pytest.mark.slow
def test_tagger_report_has_its_figures_and_galleries(pages):
    text = (pages / "tagger_report.html").read_text()
    alternatives = re.findall(r'alt="([^"]*)"', text)
    for start in ("Precision, recall and F1", "Confusion matrix of", "Reliability:", "predicted "):
        assert any(alternative.startswith(start) for alternative in alternatives), start
    assert len(re.findall("<img ", text)) == len(alternatives)
    assert '<section class="hotelviz-gallery">' in text
    assert " read as " in text
    assert len(text) < 12_000_000
    assert not re.search(r"(?:src|href)=[\"']?https?:", text)
    assert "<script" not in text


@pytest.mark.slow
def test_every_notebook_is_executed_by_a_test(pages):
    run = {page.stem for page in pages.glob("*.html")} - {"index"}
    assert run == {path.stem for path in notebook_directory().glob("*.ipynb")}


@pytest.mark.slow
def test_plain_papermill_runs_a_report_too(pages, tmp_path):
    papermill.execute_notebook(
        str(notebook_directory() / "tagger_report.ipynb"),
        str(tmp_path / "out.ipynb"),
        parameters={
            "catalog": str(pages / "demo" / "catalog.csv"),
            "model": str(pages / "demo" / "tagger.keras"),
            "split": "val",
            "gallery_limit": 4,
        },
        progress_bar=False,
    )
    assert (tmp_path / "out.ipynb").is_file()


@pytest.mark.slow
def test_label_with_markup_stays_text_in_a_report(pages, tmp_path):
    catalog = (pages / "demo" / "catalog.csv").read_text()
    evil = "<script>alert(1)</script>"
    changed = pages / "demo" / "evil.csv"
    changed.write_text(catalog.replace(",Pool,drawn,test", f",{evil},drawn,test"))
    out = run_report(
        "tagger_report",
        {"catalog": str(changed), "model": str(pages / "demo" / "tagger.keras")},
        tmp_path / "evil.html",
        progress=False,
    )
    assert evil not in out.read_text()
    assert "&lt;script&gt;alert(1)" in out.read_text()
