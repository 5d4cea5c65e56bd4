"""The gallery in pages on disk, by a real browser: filters, keys, decisions, sizes, themes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from looks import EVIL, THEMES, WIDTHS, wait_until
from PIL import Image
from typer.testing import CliRunner

from hotelviz.audit import apply_decisions
from hotelviz.catalog import read_catalog, write_catalog
from hotelviz.cli import app
from hotelviz.decisions import read_decisions, standing_decisions
from hotelviz.gallery import Gallery, tag_caption

expect = pytest.importorskip("playwright.sync_api").expect


def concepts_of(photos: pd.DataFrame) -> pd.DataFrame:
    """Water in every third photo, a chair in the first and the fourth."""
    rows = [
        (name, 0, f"water {EVIL}", 0.1 * number) for number, name in enumerate(photos["image_id"])
    ]
    rows = [*rows[::3], *((photos["image_id"][number], 1, "chair", -2.0) for number in (0, 3))]
    table = pd.DataFrame(rows, columns=["image_id", "concept", "name", "adds"])
    return table.assign(x=0.9, y=0.5, side=0.5)


@pytest.fixture
def page(photos: pd.DataFrame, tmp_path: Path) -> Path:
    maps = np.zeros((30, 7, 7), "float32")
    maps[:, 2:4, 2:4] = 1
    Gallery(
        photos,
        caption=tag_caption,
        overlays=maps,
        distributions={"rated": np.full((30, 10), 0.1)},
        concepts=concepts_of(photos),
        title="Tags",
    ).save(tmp_path / "gallery.html")
    return tmp_path / "gallery.html"


def shown(view) -> list[str]:
    return view.eval_on_selector_all(
        "figure", "all => all.map(one => Number(one.dataset.row)).sort((a, b) => a - b)"
    )


def places(view) -> list[int]:
    """The rows of the photos, as they stand on the page."""
    return view.eval_on_selector_all(
        "figure",
        "all => all.map(one => [one.getBoundingClientRect(), Number(one.dataset.row)])"
        ".sort(([a], [b]) => a.top - b.top || a.left - b.left).map(([, row]) => row)",
    )


def test_confusion_walk_decide_undo_export_and_clean(open_page, page, photos, tmp_path):
    view = open_page(page.as_uri(), accept_downloads=True)
    view.locator(".reviewer").fill("Ada 🏨")
    view.locator(".matrix summary").click()
    view.get_by_role("button", name="Pool predicted as Bathroom: 10 photos").click()
    assert view.locator(".count").inner_text() == "10 of 30 photos"
    assert shown(view) == list(range(0, 30, 3))
    view.keyboard.press("2")  # photo 0 is a Bedroom; the next one has the cursor
    view.keyboard.press("3")  # photo 3 is labelled Pool, and is kept
    view.keyboard.press("x")  # photo 6
    view.keyboard.press("End")
    view.keyboard.press("k")  # photo 27, and undone
    view.keyboard.press("u")
    view.locator("select[aria-label='Decision']").select_option("open")
    assert view.locator(".count").inner_text() == "7 of 30 photos"
    view.get_by_role("button", name="clear filters").click()
    assert view.locator(".badge:not(:empty)").all_inner_texts() == [
        "→ Bedroom",
        "kept",
        "dropped",
    ]

    view.reload()
    assert view.locator(".badge:not(:empty)").all_inner_texts() == [
        "→ Bedroom",
        "kept",
        "dropped",
    ]
    with view.expect_download() as waiting:
        view.get_by_role("button", name="export decisions").click()
    exported = tmp_path / "decisions.csv"
    waiting.value.save_as(exported)
    lines = read_decisions(exported)
    assert lines[["image_id", "action", "label", "reason", "reviewer"]].values.tolist() == [
        ["00.jpg", "relabel", "Bedroom", "gallery", "Ada 🏨"],
        ["03.jpg", "keep", "", "gallery", "Ada 🏨"],
        ["06.jpg", "drop", "", "gallery", "Ada 🏨"],
        ["27.jpg", "keep", "", "gallery", "Ada 🏨"],
        ["27.jpg", "keep", "", "undo", "Ada 🏨"],
    ]

    catalog, cleaned = tmp_path / "catalog.csv", tmp_path / "cleaned.csv"
    write_catalog(photos[["image_id", "path", "hotel_id", "label"]], catalog)
    arguments = ["clean", str(catalog), "--decisions", str(exported), "--out", str(cleaned)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    after = read_catalog(cleaned, classes=None).set_index("image_id")["label"]
    assert len(after) == 29
    assert after["00.jpg"] == "Bedroom"
    assert "06.jpg" not in after.index


def test_large_view_shows_probabilities_ratings_and_the_overlay(open_page, page):
    view = open_page(page.as_uri())
    first = view.locator("figure .photo").first
    first.focus()
    assert view.locator("figure canvas").count() == 0
    view.keyboard.press("o")
    assert view.locator("figure canvas").count() == view.locator("figure img").count()
    view.keyboard.press("o")
    assert view.locator("figure canvas").count() == 0
    view.keyboard.press("Enter")
    dialog = view.locator("dialog.large")
    assert dialog.is_visible()
    assert dialog.locator(".place").inner_text() == "1 of 30"
    assert dialog.locator(".shares th").first.inner_text() == "Bathroom"
    assert dialog.locator("svg.scores").get_attribute("aria-label") == (
        "shares of the scores 1 to 10: rated " + ", ".join(["10%"] * 10)
    )
    view.keyboard.press("o")
    view.wait_for_selector("dialog .picture canvas")
    dialog.locator("input[type=range]").fill("0.2")
    assert dialog.locator(".picture canvas").evaluate("one => one.style.opacity") == "0.2"
    view.keyboard.press("ArrowRight")  # on the slider it moves the slider
    assert dialog.locator(".place").inner_text() == "1 of 30"
    dialog.get_by_role("button", name="Next photo").click()
    view.keyboard.press("x")
    assert dialog.locator(".place").inner_text() == "3 of 30"
    dialog.get_by_role("button", name="Previous photo").click()
    assert "dropped" in dialog.locator("dl").inner_text()
    view.keyboard.press("Escape")
    expect(view.locator("figure[data-row='1'] .photo")).to_be_focused()


def test_filters_sort_and_search_choose_the_photos(open_page, page):
    view = open_page(page.as_uri())
    view.locator("select[aria-label=hotel]").select_option("hotel 1")
    assert shown(view) == list(range(1, 30, 4))
    view.locator("[aria-label='score, at least']").fill("5")
    expect(view.locator(".count")).to_have_text("4 of 30 photos")
    assert shown(view) == [17, 21, 25, 29]
    view.get_by_role("button", name="clear filters").click()
    view.locator("select.sort").select_option("-score")
    assert places(view)[:3] == [29, 28, 27]
    view.locator("input[type=search]").fill("مسبح")
    expect(view.locator(".count")).to_have_text("1 of 30 photos")
    assert shown(view) == [29]


def test_ties_stand_in_the_order_of_the_table_whichever_way_photos_are_sorted(
    open_page, photos, tmp_path
):
    photos["score"] = [3.0, 5.0, None] * 10
    Gallery(photos).save(tmp_path / "ties.html")
    view = open_page((tmp_path / "ties.html").as_uri())
    low, high, none = (list(range(start, 30, 3)) for start in range(3))
    for sort, wanted in (("-score", high + low + none), ("+score", low + high + none)):
        view.locator("select.sort").select_option(sort)
        assert places(view) == wanted


def test_a_small_gallery_grows_with_its_photos_and_is_printed_with_folded_ones(
    open_page, photos, tmp_path
):
    Gallery(photos, group="label", open_groups=1).save(tmp_path / "small.html")
    view = open_page((tmp_path / "small.html").as_uri(), height=500)
    assert view.locator("figure:visible").count() == 10
    headings = view.locator(".heading [aria-expanded]")
    headings.last.click()
    assert view.locator("figure:visible").count() == 30
    assert view.locator(".view").evaluate("one => one.scrollHeight == one.clientHeight")
    view.locator("figure .photo").first.focus()
    for key, row in (("End", 29), ("Home", 0)):
        view.keyboard.press(key)
        photo = view.locator(f"figure[data-row='{row}'] .photo")
        expect(photo).to_be_focused()
        expect(photo).to_be_in_viewport(ratio=0.9)
    headings.first.click()
    headings.last.click()
    assert view.locator("figure:visible").count() == 0
    assert view.pdf().count(b"/DCTDecode") == 30
    # Each heading is read, and printed, before its photos.
    read = view.locator(".space > *").evaluate_all("all => all.map(one => one.tagName)")
    assert read == ["DIV"] + ["FIGURE"] * 10 + ["DIV"] + ["FIGURE"] * 20


def test_of_a_large_gallery_what_is_in_view_is_printed_and_that_is_said(
    open_page, photos, tmp_path
):
    Gallery(pd.concat([photos] * 5), caption="label").save(tmp_path / "large.html")
    view = open_page((tmp_path / "large.html").as_uri())
    assert view.locator(".view").evaluate("one => one.scrollHeight > one.clientHeight")
    assert not view.locator(".printed").is_visible()
    view.emulate_media(media="print")
    assert view.locator(".printed").is_visible()


def test_hotels_that_are_too_many_to_pick_are_typed(open_page, photos, tmp_path):
    many = pd.concat([photos] * 8, ignore_index=True).drop(columns="image_id")
    many["hotel_id"] = [f"hotel {number}" for number in range(len(many))]
    many.loc[0, "hotel_id"] = None
    Gallery(many, caption="label").save(tmp_path / "many.html")
    view = open_page((tmp_path / "many.html").as_uri())
    hotel = view.locator("input[aria-label=hotel]")
    for typed, found in (("hotel 7", "1 of 240 photos"), ("no such hotel", "0 of 240 photos")):
        hotel.fill(typed)
        hotel.press("Tab")
        expect(view.locator(".count")).to_have_text(found)


def test_data_that_looks_like_markup_stays_text(open_page, photos, tmp_path):
    photos["label"] = EVIL
    Gallery(photos, caption="image_id", title=EVIL, group="label").save(tmp_path / "evil.html")
    view = open_page((tmp_path / "evil.html").as_uri())
    assert view.title() == EVIL
    assert view.locator("h1").inner_text() == EVIL
    assert EVIL.replace("_", " ") in view.locator(".heading [aria-expanded]").inner_text()
    assert view.locator("figure img[src=x]").count() == 0


def test_a_photo_that_cannot_be_shown_says_why(open_page, photos, tmp_path):
    Path(photos.loc[1, "path"]).write_text("no image")
    Gallery(photos, caption=tag_caption).save(tmp_path / "lost.html")
    view = open_page((tmp_path / "lost.html").as_uri())
    assert view.locator(".note").inner_text() == "1 cannot be read"
    tile = view.locator("figure[data-row='1'] .photo")
    assert tile.inner_text().startswith(f"{photos.loc[1, 'path']}: not a JPEG")
    assert f"{photos.loc[1, 'path']}: not a JPEG" in tile.get_attribute("aria-label")


def test_the_overlay_key_does_nothing_where_there_are_no_overlays(open_page, photos, tmp_path):
    Gallery(photos, caption=tag_caption).save(tmp_path / "plain.html")
    view = open_page((tmp_path / "plain.html").as_uri())
    view.locator("figure .photo").first.focus()
    for key in "ox":
        view.keyboard.press(key)
    assert view.locator(".badge:not(:empty)").all_inner_texts() == ["dropped"]


def test_photos_beyond_the_budget_lie_in_a_folder_and_are_shown(open_page, photos, tmp_path):
    Gallery(photos, caption=tag_caption, budget=5_000).save(tmp_path / "page.html")
    folder = next((tmp_path / "page_photos").iterdir())
    assert len(list(folder.iterdir())) == 30
    view = open_page((tmp_path / "page.html").as_uri())
    for image in view.locator("figure img").all():
        expect(image).not_to_have_js_property("naturalWidth", 0)
    Gallery(photos.head(3), caption=tag_caption).save(tmp_path / "page.html")
    assert not (tmp_path / "page_photos").exists()


@pytest.mark.parametrize("name", ["run #2", "really? 100 %20", "10:30 a&b '<\"", "泳池 🏊"])
def test_photos_beside_a_page_are_shown_whatever_it_is_called(open_page, photos, tmp_path, name):
    Gallery(photos.head(2), budget=10).save(tmp_path / f"{name}.html")
    view = open_page((tmp_path / f"{name}.html").as_uri())
    assert view.locator("figure img").count() == 2
    for image in view.locator("figure img").all():
        expect(image).not_to_have_js_property("naturalWidth", 0)


def test_a_group_called_decision_is_filtered_beside_the_decisions(open_page, photos, tmp_path):
    photos["decision"] = np.where(np.arange(30) < 10, "مسبح 1", "open")
    Gallery(photos, group="decision", open_groups=2).save(tmp_path / "page.html")
    view = open_page((tmp_path / "page.html").as_uri())
    view.locator("select[aria-label='decision']").select_option("open")
    assert view.locator(".count").inner_text() == "20 of 30 photos"
    view.locator("select[aria-label='Decision']").select_option("drop")
    assert view.locator(".count").inner_text() == "0 of 30 photos"


def test_a_browser_that_keeps_nothing_says_so(open_page, page):
    view = open_page()
    view.add_init_script(
        "Storage.prototype.setItem = () => { throw new DOMException('', 'QuotaExceededError'); }"
    )
    view.goto(page.as_uri())
    view.locator("figure .photo").first.focus()
    view.keyboard.press("x")
    assert "export before closing" in view.locator(".status").inner_text()
    assert view.evaluate("document.querySelector('.badge:not(:empty)').textContent") == "dropped"


def test_large_view_lists_concepts_with_patches_and_leads_to_others(open_page, page, photos):
    view = open_page(page.as_uri())
    view.locator("figure[data-row='3'] .photo").click()
    dialog = view.locator("dialog.large")
    lines = dialog.locator(".concepts li")
    # What adds or takes most first; text from data is text.
    assert [one.split("\n")[-1] for one in lines.all_inner_texts()] == ["−2.00", "+0.30"]
    assert lines.nth(1).locator("button").inner_text() == f"water {EVIL}"
    expect(dialog.locator(".picture img")).to_be_visible()
    # The patch is cut out of the photo: its colour, not the canvas's empty black.
    colour = "one => [...one.getContext('2d').getImageData(28, 28, 1, 1).data]"
    wait_until(view, "document.querySelector('.patch').getContext('2d')"
                     ".getImageData(28, 28, 1, 1).data[3] === 255")  # fmt: skip
    with Image.open(photos["path"][3]) as image:
        wanted = image.getpixel((120, 60))
    assert lines.first.locator("canvas").evaluate(colour)[:3] == pytest.approx(wanted, abs=3)
    chair = dialog.get_by_role("button", name="Photos with chair")
    chair.focus()
    view.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    assert view.locator(".count").inner_text() == "2 of 30 photos"
    assert shown(view) == [0, 3]
    view.get_by_role("button", name="Leave: 2 photos with chair").click()
    assert view.locator(".count").inner_text() == "30 photos"
    view.locator("figure[data-row='1'] .photo").click()
    assert dialog.locator(".concepts").count() == 0


@pytest.mark.parametrize("theme", THEMES)
def test_concepts_are_tapped_on_a_phone(open_page, axe, shots, page, theme):
    view = open_page(page.as_uri(), width=400, height=800, theme=theme, has_touch=True)
    view.locator("figure[data-row='3'] .photo").tap()
    dialog = view.locator("dialog.large")
    chair = dialog.get_by_role("button", name="Photos with chair")
    chair.scroll_into_view_if_needed()
    # A finger hits it, and nothing of its line is cut off.
    box, line = chair.bounding_box(), dialog.locator(".concepts li").first.bounding_box()
    assert min(box["height"], box["width"]) >= 40
    assert 0 <= line["x"] <= line["x"] + line["width"] <= 400
    assert axe(view, "dialog.large") == []
    view.screenshot(path=shots / f"concepts_400_{theme}.png")
    chair.tap()
    expect(dialog).to_be_hidden()
    assert shown(view) == [0, 3]
    assert view.evaluate("document.documentElement.scrollWidth") <= 400
    view.get_by_role("button", name="Leave: 2 photos with chair").tap()
    assert view.locator(".count").inner_text() == "30 photos"


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_page_is_accessible_and_fits(
    open_page: Callable, axe: Callable, page: Path, shots: Path, width: int, theme: str
):
    view = open_page(page.as_uri(), width=width, theme=theme)
    assert axe(view) == []
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    view.screenshot(path=shots / f"gallery_{width}_{theme}.png")
    view.locator("figure .photo").nth(1).click()
    assert axe(view) == []
    view.screenshot(path=shots / f"gallery_large_{width}_{theme}.png")


def test_content_is_json_that_no_markup_can_end(photos, tmp_path):
    photos["image_id"] = [f"{number}{EVIL}" for number in range(30)]
    markup = Gallery(photos, caption="image_id").to_html(files=tmp_path / "files")
    inside = markup.split('<script type="application/json">')[1].split("</script>")[0]
    assert json.loads(inside)["ids"][3] == f"3{EVIL}"


def test_undo_takes_back_one_more_act_each_time_also_of_an_earlier_visit(
    open_page, photos, tmp_path
):
    names = ['a "b", c.jpg', "=1+1", "x\ny.jpg"]
    table = photos.head(3)[["path", "label"]].assign(image_id=names)
    Gallery(table, classes=["Pool", "Foyer"]).save(tmp_path / "odd.html")
    view = open_page((tmp_path / "odd.html").as_uri(), accept_downloads=True)
    view.locator("figure .photo").first.focus()
    for key in ("x", "ArrowLeft", "k", "x", "2"):
        view.keyboard.press(key)
    badges = view.locator(".badge:not(:empty)")
    assert badges.all_inner_texts() == ["kept", "dropped", "→ Foyer"]
    view.keyboard.press("u")
    view.reload()
    assert "2 decisions in this browser" in view.locator(".status").inner_text()
    view.locator("figure .photo").last.focus()
    left = []
    for _ in range(4):
        view.keyboard.press("u")
        left.append(badges.all_inner_texts())
    assert left == [["kept"], ["dropped"], [], []]
    view.keyboard.press("ArrowRight")
    view.keyboard.press("2")
    with view.expect_download() as waiting:
        view.get_by_role("button", name="export decisions").click()
    exported = tmp_path / "decisions.csv"
    waiting.value.save_as(exported)
    lines = read_decisions(exported)
    assert set(lines["image_id"]) == set(names)
    assert standing_decisions(lines)["action"].tolist() == ["relabel"]
    catalog = table.assign(hotel_id="h")
    cleaned = apply_decisions(catalog, lines)
    assert len(cleaned.catalog) == 3
    assert (cleaned.catalog["label"] == "Foyer").any()
    assert "unknown" not in set(cleaned.changes["change"])
