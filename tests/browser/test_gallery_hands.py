"""Many photos at once, from disk: selected, decided on, compared, saved; also by touch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from looks import THEMES
from playwright.sync_api import Locator, Page

from hotelviz.decisions import read_decisions, standing_decisions, undo
from hotelviz.gallery import Gallery, tag_caption
from hotelviz.gallery.html import head, script
from hotelviz.gallery.payload import as_text, packed

expect = pytest.importorskip("playwright.sync_api").expect


def frame_of(photos: pd.DataFrame) -> pd.DataFrame:
    """Seven pools that are predicted as bathrooms, and two other groups."""
    number = np.arange(30)
    kind = np.where(number % 3 == 0, "pools", np.where(number % 2 == 0, "even", "odd"))
    frame = photos.assign(kind=kind).drop(index=[0, 3, 6])
    return frame.sort_values("kind", ascending=False, kind="stable")


@pytest.fixture
def page(photos: pd.DataFrame, tmp_path: Path) -> Path:
    frame = frame_of(photos)
    maps = np.zeros((27, 7, 7), "float32")
    maps[:, 2:4, 2:4] = 1
    none = np.where(frame["label"].eq("Pool").to_numpy()[:, None, None], maps, np.nan)
    Gallery(
        frame, caption=tag_caption, group="kind", title="Tags",
        overlays={"predicted": maps, "true": none, "difference": none},
    ).save(tmp_path / "hands.html")  # fmt: skip
    return tmp_path / "hands.html"


def badges(view: Page) -> list[str]:
    return view.locator(".badge:not(:empty)").all_inner_texts()


def selected(view: Page) -> list[int]:
    return view.locator("figure.selected").evaluate_all(
        "all => all.map(one => Number(one.dataset.row))"
    )


def told(view: Page) -> str:
    return view.locator(".told").inner_text()


def exported(view: Page, file: Path) -> pd.DataFrame:
    with view.expect_download() as waiting:
        view.get_by_role("button", name="export decisions").click()
    waiting.value.save_as(file)
    return read_decisions(file)


class Counted:
    """Counts what a person does."""

    def __init__(self, view: Page) -> None:
        self.view, self.acts = view, 0

    def press(self, key: str) -> None:
        self.acts += 1
        self.view.keyboard.press(key)

    def click(self, what: Locator) -> None:
        self.acts += 1
        what.click()


def test_seven_photos_of_a_confusion_are_relabelled_by_few_keys_and_one_undo(
    open_page, page, tmp_path
):
    view = open_page(page.as_uri(), accept_downloads=True)
    hand = Counted(view)
    hand.click(view.locator(".matrix summary"))
    hand.click(view.get_by_role("button", name="Pool predicted as Bathroom: 7 photos"))
    hand.press("a")
    hand.press("1")
    assert hand.acts <= 5
    assert badges(view) == ["→ Bathroom"] * 7
    assert "7 of 7 decided" in told(view)
    assert "7 photos relabelled as Bathroom" in told(view)
    lines = exported(view, tmp_path / "decisions.csv")
    assert len(lines) == 7
    assert lines["time"].nunique() == 1
    hand = Counted(view)
    hand.press("u")
    assert hand.acts == 1
    assert badges(view) == []
    assert "0 of 7 decided" in told(view)
    # It means the same in the file.
    assert len(undo(tmp_path / "decisions.csv")) == 7
    again = exported(view, tmp_path / "again.csv")
    mine = read_decisions(tmp_path / "decisions.csv")
    said = ["image_id", "action", "label", "reason"]
    assert again[said].values.tolist() == mine[said].values.tolist()
    assert standing_decisions(again).empty


def test_hands_select_decide_undo_and_go_on_into_folded_groups(open_page, axe, page, tmp_path):
    view = open_page(page.as_uri(), accept_downloads=True)
    view.locator("figure .photo").first.focus()
    for key in ("Shift+ArrowRight", "Shift+ArrowRight", "ArrowRight", "ArrowRight", "Space"):
        view.keyboard.press(key)
    assert selected(view) == [0, 1, 2, 4]
    view.locator("figure[data-row='6'] .photo").click(modifiers=["Control"])
    view.locator("figure[data-row='1'] .photo").click(modifiers=["Control"])
    assert selected(view) == [0, 2, 4, 6]
    view.locator("figure[data-row='2'] .photo").click(modifiers=["Shift"])
    assert selected(view) == [1, 2]
    assert "2 selected" in view.locator(".selection").inner_text()
    view.keyboard.press("Escape")
    assert selected(view) == []
    assert not view.locator(".selection").is_visible()
    # One is labelled so already: to relabel it is to keep it.
    view.keyboard.press("a")
    assert axe(view) == []
    view.locator("select[aria-label='Relabel as']").select_option("Pool")
    assert badges(view) == ["kept"] * 7
    assert "7 of 27 decided" in told(view)
    # The next photo is in a folded group.
    expect(view.locator("figure[data-row='7'] .photo")).to_be_focused()
    for key in ("l", "x", "ArrowLeft", "k"):
        view.keyboard.press(key)
    assert badges(view) == ["kept"] * 7 + ["for later", "kept"]
    assert "8 of 27 decided, 1 for later" in told(view)
    assert "8 decisions, 1 for later in this browser" in told(view)
    for left in (["for later", "dropped"], ["for later"], []):
        view.keyboard.press("u")
        assert badges(view) == ["kept"] * 7 + left
    view.keyboard.press("u")
    assert badges(view) == []
    assert len(selected(view)) == 7
    view.keyboard.press("u")
    assert "Nothing to undo" in told(view)
    view.locator("select[aria-label='predicted label']").select_option("Bedroom")
    assert selected(view) == []


def test_hands_compare_photos_at_the_same_zoom_and_place(open_page, axe, page):
    view = open_page(page.as_uri())
    view.locator("figure .photo").first.focus()
    view.keyboard.press("c")
    assert "Select two to four photos" in told(view)
    view.keyboard.press("Shift+ArrowRight")
    view.keyboard.press("c")
    panes = view.locator(".compare .pane")
    expect(panes).to_have_count(2)
    expect(panes.first.locator(".quiet")).to_contain_text("pixels: all that this page carries")
    assert axe(view, ".compare") == []
    view.set_viewport_size({"width": 400, "height": 500})
    moved = "all => all.map(one => one.style.transform)"
    view.keyboard.press("z")
    assert view.locator(".compare .scale").inner_text() == "100 %"
    assert all(" scale(1)" in one for one in panes.locator("img").evaluate_all(moved))
    for _ in range(6):
        view.keyboard.press("+")
    before = panes.locator("img").evaluate_all(moved)
    box = panes.last.locator(".frame").bounding_box()
    view.mouse.move(box["x"] + 100, box["y"] + 60)
    view.mouse.down()
    view.mouse.move(box["x"] + 60, box["y"] + 40)
    view.mouse.up()
    after = panes.locator("img").evaluate_all(moved)
    assert all(old != new for old, new in zip(before, after, strict=True))
    view.keyboard.press("x")
    assert panes.locator(".decided").all_inner_texts() == ["", "dropped"]  # the one that was moved


def test_hands_cycle_maps_find_a_hotel_sort_and_save(open_page, page, photos, tmp_path):
    view = open_page(page.as_uri(), accept_downloads=True)
    view.locator("figure .photo").first.focus()
    for key in ("ArrowRight", "x", "ArrowLeft"):
        view.keyboard.press(key)

    def maps() -> int:
        return view.locator("figure:visible canvas").count()

    shows = view.locator("select.overlay")
    seen = []
    for _ in range(4):
        view.keyboard.press("o")
        seen.append((shows.evaluate("one => one.selectedOptions[0].text"), maps()))
    assert seen == [
        ("evidence for the predicted class", 7), ("evidence for the true class", 7),
        ("the difference: predicted rather than true", 7), ("photo", 0),
    ]  # fmt: skip
    view.keyboard.press("h")
    assert "7 of 27 photos" in told(view)
    assert "6 other photos of the hotel hotel 0 here" in told(view)
    with view.expect_download() as waiting:
        view.keyboard.press("s")
    waiting.value.save_as(tmp_path / "photos.csv")
    saved = pd.read_csv(tmp_path / "photos.csv")
    assert set(saved["hotel_id"]) == {"hotel 0"}
    assert saved["decision"].dropna().tolist() == ["drop"]
    assert saved["margin"].tolist() == pytest.approx(
        (saved["confidence"] - (1 - saved["confidence"]) / 2).tolist(), abs=1e-5
    )
    view.keyboard.press("h")
    assert told(view).startswith("27 photos")
    frame = frame_of(photos)
    wanted = frame.reset_index(drop=True).sort_values("score").index
    for sort in ("+margin", "-entropy"):
        view.locator("select.sort").select_option(sort)
        rows = view.locator("figure").evaluate_all(
            "all => all.sort((a, b) => a.style.order - b.style.order).map(one => +one.dataset.row)"
        )
        assert rows == list(wanted)


@pytest.mark.parametrize("theme", THEMES)
def test_hands_work_by_touch_on_a_phone(open_page, axe, shots, page, theme):
    view = open_page(page.as_uri(), width=400, height=800, theme=theme, has_touch=True)
    photos = view.locator("figure .photo")
    photos.first.scroll_into_view_if_needed()
    hold = {"pointerType": "touch", "bubbles": True}
    photos.nth(0).dispatch_event("pointerdown", hold)
    expect(view.locator("figure.selected")).to_have_count(1)
    photos.nth(0).dispatch_event("pointerup", hold)
    photos.nth(1).tap()
    assert selected(view) == [0, 1]
    assert axe(view) == []
    assert view.evaluate("document.documentElement.scrollWidth") <= 400
    view.screenshot(path=shots / f"hands_400_{theme}.png")
    bar = view.locator(".selection")
    bar.get_by_role("button", name="compare").tap()
    pane = view.locator(".compare .pane").first
    view.get_by_role("button", name="100 %").tap()
    pane.get_by_role("button", name="later").tap()
    assert axe(view, ".compare") == []
    view.screenshot(path=shots / f"hands_compare_400_{theme}.png")
    view.locator(".compare").get_by_role("button", name="Close").tap()
    bar.get_by_role("button", name="drop").tap()
    assert badges(view) == ["dropped", "dropped"]
    bar.get_by_role("button", name="undo").tap()
    assert badges(view) == ["for later"]
    bar.get_by_role("button", name="clear").tap()
    photos.nth(2).tap()
    expect(view.locator("dialog.large")).to_be_visible()


def test_a_catalogue_without_hotels_says_so_and_small_galleries_grow(open_page, photos, tmp_path):
    many = pd.concat([photos.drop(columns="hotel_id")] * 5, ignore_index=True)
    many["image_id"] = [f"{number}.jpg" for number in range(150)]
    Gallery(many, caption="label").save(tmp_path / "alone.html")
    view = open_page((tmp_path / "alone.html").as_uri())
    grows = "one => one.scrollHeight <= one.clientHeight + 1"
    assert not view.locator(".view").evaluate(grows)
    view.locator("select[aria-label='true label']").select_option("Pool")
    assert view.locator("figure").count() == 50
    assert view.locator(".view").evaluate(grows)
    view.locator("figure .photo").first.focus()
    view.keyboard.press("h")
    assert "Nothing is known of hotels here" in told(view)
    view.keyboard.press("Enter")
    assert view.get_by_role("button", name="other photos of this hotel").count() == 0


def test_a_hundred_thousand_photos_are_selected_decided_on_and_undone(open_page, photos, tmp_path):
    n = 100_000
    many = photos.iloc[np.arange(n) % 2][["path", "label"]].reset_index(drop=True)
    many["image_id"] = [f"hotel_{number // 100}/{number:06d}.jpg" for number in range(n)]
    # Without the work for so many files: each says that it is lost.
    content = Gallery(many).payload() | {"photos": None, "folder": "", "captions": None}
    content["errors"] = dict.fromkeys(range(n), "lost")
    # Without its encoding a browser guesses it, and the script may not be what its hash is of.
    (tmp_path / "many.html").write_text(
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f"{head(tmp_path / 'many.html')}</head><body>"
        "<section data-hotelviz-gallery><script type='application/json'>"
        f"{json.dumps(packed(content, as_text))}</script></section>{script()}</body></html>",
        encoding="utf-8",
    )
    view = open_page((tmp_path / "many.html").as_uri())
    view.locator("figure .photo").first.focus()
    view.keyboard.press("a")
    assert "100,000 selected" in view.locator(".selection").inner_text()
    view.keyboard.press("x")
    assert "100,000 of 100,000 decided" in told(view)
    view.reload()
    assert "100,000 decisions in this browser" in told(view)
    view.locator("figure .photo").first.focus()
    view.keyboard.press("u")
    assert "0 of 100,000 decided" in told(view)
