"""The map beside the photos, from disk: loop, legend, keys, hover, colours, more like this."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page

from hotelviz.gallery import Gallery, tag_caption

expect = pytest.importorskip("playwright.sync_api").expect


def columns_of_ten() -> np.ndarray:
    """Thirty photos in three columns of ten, the first row below; number 29 has no place."""
    number = np.arange(30)
    places = np.column_stack([number % 3, number // 3]).astype(float)
    places[29] = np.nan
    return places


def neighbours() -> np.ndarray:
    """The next three of the same column."""
    return (np.arange(30)[:, None] + [3, 6, 9]) % 30


@pytest.fixture
def page(photos: pd.DataFrame, tmp_path: Path) -> Path:
    Path(photos["path"][28]).write_bytes(b"no photo")
    Gallery(
        photos,
        caption=tag_caption,
        title="Tags",
        positions=columns_of_ten(),
        neighbours=neighbours(),
    ).save(tmp_path / "map.html")
    return tmp_path / "map.html"


def rows(view: Page, which: str = "figure") -> list[int]:
    found = view.locator(which).evaluate_all("all => all.map(one => Number(one.dataset.row))")
    return sorted(found)


def at(view: Page, x: float, y: float) -> tuple[float, float]:
    """Where a place on the map is in the window: the column and the line of the photo."""
    box = view.locator("canvas.map").bounding_box()
    assert box
    scale = (min(box["width"], box["height"]) - 28) / 9
    left = box["x"] + box["width"] / 2 + (x - 1) * scale
    return left, box["y"] + box["height"] / 2 - (y - 4.5) * scale


def draw_around(view: Page, corners: list[tuple[float, float]]) -> None:
    view.mouse.move(*at(view, *corners[0]))
    view.mouse.down()
    for corner in corners[1:]:
        view.mouse.move(*at(view, *corner), steps=4)
    view.mouse.up()


def test_a_loop_on_the_map_shows_and_selects_its_photos(open_page, axe, page):
    view = open_page(page.as_uri(), height=1400)
    assert "29 photos on the map. 1 photo has no place" in view.locator(".mapping").inner_text()
    assert "1 of 30 photos have no place on the map" in view.locator(".note").inner_text()
    view.get_by_role("button", name="lasso", exact=True).click()
    draw_around(view, [(-0.4, -0.4), (1.4, -0.4), (1.4, 1.4), (-0.4, 1.4)])
    assert rows(view) == rows(view, "figure.selected") == [0, 1, 3, 4]
    assert "4 selected" in view.locator("canvas.map").get_attribute("aria-label")
    # A second loop replaces the first; with Shift both count.
    draw_around(view, [(-0.4, 1.6), (0.4, 1.6), (0.4, 3.4), (-0.4, 3.4)])
    assert rows(view) == rows(view, "figure.selected") == [6, 9]
    view.get_by_role("button", name="rectangle", exact=True).click()
    view.keyboard.down("Shift")
    draw_around(view, [(1.6, -0.4), (2.4, 0.4)])
    view.keyboard.up("Shift")
    assert rows(view) == [2, 6, 9]
    assert axe(view) == []
    view.locator("canvas.map").focus()
    view.keyboard.press("Escape")
    assert (
        view.get_by_role("button", name="move", exact=True).get_attribute("aria-pressed") == "true"
    )
    view.get_by_role("button", name="Leave: only 3 selected photos").click()
    assert rows(view) == list(range(30))
    assert rows(view, "figure.selected") == [2, 6, 9]


def test_the_legend_filters_and_colours_change(open_page, axe, page):
    view = open_page(page.as_uri(), height=1400, theme="dark")
    legend = view.locator(".entries")
    assert legend.locator("button").all_text_contents() == ["Bedroom 20", "Pool 10"]
    legend.get_by_role("button", name="Pool").click()
    assert rows(view) == list(range(0, 30, 3))
    expect(legend.get_by_role("button", name="Pool")).to_be_focused()
    assert legend.get_by_role("button", name="Pool").get_attribute("aria-pressed") == "true"
    view.get_by_label("Colour by").select_option(label="right or wrong")
    # What filters stays, also under other colours.
    assert view.locator(".count").inner_text() == "10 of 30 photos"
    view.get_by_role("button", name="Leave: true label: Pool").click()
    legend.get_by_role("button", name="wrong").click()
    assert view.locator(".count").inner_text() == "10 of 30 photos"
    legend.get_by_role("button", name="right").click()
    assert view.locator(".count").inner_text() == "30 photos"
    view.get_by_label("Colour by").select_option(label="score")
    assert legend.locator("button").count() == 6
    view.get_by_label("Colour by").select_option(label="decision")
    view.locator("figure .photo").first.focus()
    view.keyboard.press("x")
    assert legend.locator("button").all_text_contents() == ["dropped 1", "undecided 29"]
    view.locator(".words summary").click()
    expect(view.locator(".words")).to_contain_text("dropped: 1 photo; lower middle 100 %")
    assert axe(view) == []


def test_the_map_begins_with_the_colours_that_are_asked_for(open_page, photos, tmp_path):
    file = tmp_path / "right.html"
    Gallery(photos, positions=columns_of_ten(), colour="right").save(file)
    view = open_page(file.as_uri(), height=1400)
    assert view.get_by_label("Colour by").evaluate("one => one.selectedOptions[0].text") == (
        "right or wrong"
    )
    entries = view.locator(".entries button").all_text_contents()
    assert [entry.split()[0] for entry in entries] == ["right", "wrong"]


def test_keys_and_the_mouse_walk_zoom_open_and_find_photos_like_one(open_page, page):
    view = open_page(page.as_uri(), height=1400)
    canvas, now = view.locator("canvas.map"), view.locator(".now")
    canvas.focus()
    for key in ("ArrowRight", "ArrowUp", "ArrowUp", "Space", "Shift+ArrowLeft"):
        view.keyboard.press(key)
    assert rows(view, "figure.selected") == [6, 7]
    assert "selected" in now.inner_text()
    expect(canvas).to_be_focused()
    view.keyboard.press("ArrowLeft")
    assert "No photo further" in now.inner_text()
    view.keyboard.press("Enter")
    assert "06.jpg" in view.locator("dialog.large dl").inner_text()
    view.keyboard.press("Escape")
    expect(canvas).to_be_focused()
    view.mouse.move(*at(view, 1, 3))
    card = view.locator(".hovering")
    expect(card.locator("img")).to_be_visible()
    assert "predicted Bedroom" in card.inner_text()
    view.mouse.move(*at(view, 1, 9))
    assert "28.jpg" in card.locator(".unread").inner_text()
    view.mouse.click(*at(view, 2, 4))
    assert "14.jpg" in view.locator("dialog.large dl").inner_text()
    view.get_by_role("button", name="more like this").click()
    assert not view.locator("dialog.large").is_visible()
    assert rows(view) == [14, 17, 20, 23]
    assert "3 photos like 14.jpg" in view.locator(".chips").inner_text()
    view.locator("figure .photo").first.focus()
    view.keyboard.press("m")
    assert len(rows(view)) == 30
    canvas.focus()
    # Zoomed in to a corner, `v` selects what is in view.
    for _ in range(4):
        view.mouse.move(*at(view, 0, 0))
        view.mouse.wheel(0, -400)
    view.keyboard.press("v")
    here = rows(view)
    assert 0 in here
    assert len(here) < 10
    view.keyboard.press("0")
    view.keyboard.press("?")
    assert "On the map" in view.locator("dialog.keys").inner_text()


def test_a_hundred_classes_photos_at_one_place_and_a_single_photo(open_page, photos, tmp_path):
    names = [f"class {number:03d}" for number in range(100)]
    many = photos.iloc[np.arange(100) % 28].reset_index(drop=True)
    many = many.assign(image_id=names, label=names).drop(columns="predicted")
    Gallery(many, positions=np.full((100, 2), 3.0)).save(tmp_path / "many.html")
    view = open_page((tmp_path / "many.html").as_uri(), width=400)
    assert view.locator(".entries button").count() == 9
    assert view.locator(".entries button").last.text_content() == "92 others 92"
    view.locator("canvas.map").focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "ArrowLeft", "ArrowUp"):
        view.keyboard.press(key)
    assert view.locator(".now").inner_text() == "class 001"
    assert view.evaluate("document.documentElement.scrollWidth") <= 400
    Gallery(photos[["path"]][:1], positions=[[5.0, 7.0]]).save(tmp_path / "one.html")
    view = open_page((tmp_path / "one.html").as_uri())
    view.locator("canvas.map").focus()
    view.keyboard.press("v")
    assert rows(view, "figure.selected") == [0]


def test_map_is_printed_in_its_own_shape(open_page, page):
    view = open_page(page.as_uri())
    canvas = view.locator("canvas.map")
    drawn = canvas.evaluate("one => one.width / one.height")
    view.emulate_media(media="print")
    box = canvas.bounding_box()
    assert abs(box["width"] / box["height"] / drawn - 1) < 0.02
