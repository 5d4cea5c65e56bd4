"""A report from disk in a real browser: its galleries run, and nothing else does."""

from __future__ import annotations

import nbformat
import pandas as pd
import pytest
from looks import THEMES, WIDTHS
from PIL import Image

from hotelviz.reports import run_report, write_index

expect = pytest.importorskip("playwright.sync_api").expect

CELLS = [
    'folder: str = ""  # the photos',
    """import pandas as pd
from hotelviz.gallery import Gallery
photos = pd.read_parquet(f"{folder}/photos.parquet")
Gallery(photos, caption="image_id", budget=budget)""",
    'Gallery(photos.head(2), caption="image_id", title="Two <b>")',
    "pd.DataFrame({'a': [1.0]})",
]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report with a gallery whose photos lie in a folder, and one that carries its own."""
    folder = tmp_path_factory.mktemp("report")
    rows = []
    for number in range(5):
        path = folder / f"{number}.jpg"
        Image.new("RGB", (200, 150), (40 * number, 120, 90)).save(path)
        rows.append({"image_id": path.name, "path": str(path), "label": "Pool"})
    pd.DataFrame(rows).to_parquet(folder / "photos.parquet")
    cells = [nbformat.v4.new_markdown_cell("# Two galleries\n\nSome text & more.")]
    for number, source in enumerate(CELLS):
        cell = nbformat.v4.new_code_cell(source.replace("budget=budget", "budget=1000"))
        cell.metadata["tags"] = ["parameters"] if number == 0 else []
        cells.append(cell)
    python = {
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "language_info": {"name": "python"},
    }
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=python)
    nbformat.write(notebook, folder / "two.ipynb")
    out = folder / "out" / "two.html"
    run_report(folder / "two.ipynb", {"folder": str(folder)}, out, progress=False)
    write_index(out.parent)
    return out


@pytest.mark.slow
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_report_is_accessible_and_its_galleries_share_decisions(
    report, open_page, axe, shots, width, theme
):
    view = open_page(report.as_uri(), width=width, theme=theme)
    expect(view.locator(".hotelviz-gallery")).to_have_count(2)
    expect(view.locator("figure img")).to_have_count(7)
    for image in view.locator("figure img").all():
        expect(image).not_to_have_js_property("naturalWidth", 0)
    view.locator("figure .photo").first.focus()
    view.keyboard.press("x")
    expect(view.locator(".badge:not(:empty)")).to_have_text(["dropped", "dropped"])
    assert view.locator("h3", has_text="Two <b>").count() == 1
    assert axe(view) == []
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    view.screenshot(path=shots / f"report_{width}_{theme}.png")


@pytest.mark.slow
def test_index_opens_and_links_the_report(report, open_page, axe, shots):
    view = open_page((report.parent / "index.html").as_uri())
    assert axe(view) == []
    view.screenshot(path=shots / "index.png")
    view.get_by_role("link").first.click()
    expect(view.locator("h1")).to_have_text("Two galleries")
