"""A report from disk in a real browser: its galleries run, and nothing else does."""

from __future__ import annotations

import io

import nbformat
import numpy as np
import pandas as pd
import pytest
from looks import THEMES, WIDTHS, wait_until
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
    """from IPython.display import Markdown, display
display(Markdown("- written to /" + "a_long_name/" * 12 + "decisions.csv"))
display(pd.DataFrame({f'a column with a number {n}': [1.0] for n in range(16)}))
texts = {f'above random order {n}': ['0.11 (0.01 to 0.24)'] for n in range(8)}
pd.DataFrame({'method': ['gradcam'], **texts})""",
    """import numpy as np
from hotelviz import plots
from hotelviz.reports import Card, NextStep, Verdict
sure = pd.DataFrame({"label": ["Pool", "Foyer"], "split": "train"})
display = plots.class_counts(sure, ax=plots.new_figure((8, 4)).subplots())
display.ax_.figure.add_axes((0.5, 0.3, 0.3, 0.3)).imshow(np.ones((4, 4, 3)), aspect='auto')
display""",
    """Verdict("Right on 17 of 20 photos.", cards=[Card("right", "17", "of 20")] * 4,
    next_steps=[NextStep("Look at the photos", "#Photos")])""",
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
    headings = {1: "## Photos", 3: "## A wide table", 4: "## A figure"}
    for number, source in enumerate(CELLS):
        if number in headings:
            cells.append(nbformat.v4.new_markdown_cell(headings[number]))
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


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (400, 800)])
def test_verdict_cards_and_next_steps_are_in_the_first_screen(report, open_page, width, height):
    view = open_page(report.as_uri(), width=width, height=height)
    for part in (".said", ".cards", ".next"):
        expect(view.locator(f".verdict {part}")).to_be_in_viewport(ratio=1)


def test_contents_follow_the_reader(report, open_page):
    view = open_page(report.as_uri(), width=1280)
    current = view.locator(".contents [aria-current]")
    expect(current).to_have_count(0)
    view.get_by_role("link", name="Photos", exact=True).click()
    expect(current).to_have_text("Photos")
    view.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(current).to_have_text("Appendix")
    # It cannot reach the top of the window: the page ends below it.
    view.get_by_role("link", name="A figure").click()
    expect(current).to_have_text("A figure")
    expect(view.locator(".contents")).to_be_in_viewport(ratio=1)


def test_table_that_scrolls_sideways_has_the_keys_and_one_that_fits_does_not(report, open_page):
    view = open_page(report.as_uri(), width=1280)
    table = view.get_by_role("region", name="A wide table")
    table.focus()
    view.keyboard.press("ArrowRight")
    wait_until(view, "document.activeElement.scrollLeft > 0")
    view.set_viewport_size({"width": 2560, "height": 900})
    expect(table).to_have_count(0)


@pytest.mark.parametrize("width", [400, 1280, 2560])
def test_figures_turn_dark_with_the_page_but_photos_in_them_do_not(report, open_page, width):
    # As tall as the page, and on a phone as wide as what scrolls in it.
    view = open_page(report.as_uri(), width=width, height=4000, theme="dark")
    figure = view.locator(".drawn")
    assert figure.bounding_box()["width"] == figure.locator("img").bounding_box()["width"]
    if width == 400:
        assert view.get_by_role("region", name="A figure").evaluate("one => one.scrollWidth") == 520
        figure.evaluate("one => one.closest('.scroll').style.overflow = 'visible'")
    with Image.open(io.BytesIO(figure.screenshot())) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    paper = view.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(23, 23, 23)"
    assert np.abs(pixels[3:6, 3:-3] - 23).max() <= 2  # what was white is the page's paper
    white = (pixels == 255).all(axis=2)
    assert 0.03 < white.mean() < 0.15  # the photo, of 9 per cent of the figure


def test_print_is_light_and_cuts_no_table(report, open_page):
    view = open_page(report.as_uri(), width=700, theme="dark")
    view.emulate_media(media="print")
    assert view.evaluate("getComputedStyle(document.body).color") == "rgb(28, 36, 48)"
    fits = "[...document.querySelectorAll('.scroll')].every(one => one.scrollWidth <= innerWidth)"
    assert view.evaluate(fits)
    for hidden in (".contents", ".appendix", ".drawn > i"):
        expect(view.locator(hidden).first).not_to_be_visible()


def test_print_breaks_no_word_and_no_small_table_and_says_where_links_lead(report, open_page):
    view = open_page(report.as_uri(), width=680)
    view.emulate_media(media="print")
    table = view.locator(".scroll table").nth(1)
    assert table.evaluate("one => getComputedStyle(one).breakInside") == "avoid"
    assert table.bounding_box()["width"] <= 680
    pieces = table.locator("th, td").evaluate_all("""all => all.flatMap(one =>
        [...one.textContent.matchAll(/\\S+/g)].map(word => {
            const range = document.createRange();
            range.setStart(one.firstChild, word.index);
            range.setEnd(one.firstChild, word.index + word[0].length);
            return range.getClientRects().length;
        }))""")
    assert len(pieces) >= 2 * (1 + 8 * 4)
    assert set(pieces) == {1}
    after = "one => getComputedStyle(one, '::after').content"
    assert view.locator(".next a").first.evaluate(after) == '" (below)"'


def test_index_opens_and_links_the_report(report, open_page, axe, shots):
    view = open_page((report.parent / "index.html").as_uri())
    assert axe(view) == []
    view.screenshot(path=shots / "index.png")
    view.get_by_role("link").first.click()
    expect(view.locator("h1")).to_have_text("Two galleries")
