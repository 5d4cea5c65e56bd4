"""The deck in a real browser: keys, clicks and swipes turn slides, and it prints one on a page."""

from __future__ import annotations

import re

import pytest
from looks import THEMES

from hotelviz import plots
from hotelviz.plots.alt_text import set_alt
from hotelviz.reports.slides import write_slides

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A title and three slides: a wide figure, a square one, two side by side."""
    folder = tmp_path_factory.mktemp("deck")
    for report, name, size in (
        ("cleaning_effect", "stage_comparison", (8, 4)),
        ("cleaning_effect", "confusion_cleaned", (5, 5)),
        ("cleaning_effect", "per_class_cleaned", (5, 4)),
        ("tagger_report", "confusion_matrix", (5, 5)),
    ):  # fmt: skip
        figure = plots.new_figure(size)
        figure.subplots().plot([1, 2])
        plots.exported(set_alt(figure, f"{name} <b>."), folder / "figures" / report, name)
    return write_slides(folder, folder / "slides").page


def shown(view):
    return view.locator(".slide:not([hidden]) :is(h1, h2)")


@pytest.mark.parametrize("theme", THEMES)
def test_keys_clicks_and_the_address_turn_slides(page, open_page, axe, shots, theme):
    view = open_page(page.as_uri(), width=1280, height=720, theme=theme)
    expect(shown(view)).to_have_text("What the models see in hotels' photos")
    for key, title in (
        ("ArrowRight", "What the data are worth"), ("End", "Which areas it knows"),
        ("ArrowRight", "Which areas it knows"), ("ArrowLeft", "Cleaned"),
    ):  # fmt: skip
        view.keyboard.press(key)
        expect(shown(view)).to_have_text(title)
        expect(shown(view)).to_be_focused()
        assert axe(view) == []
        for image in view.locator(".slide:not([hidden]) img").all():
            expect(image).not_to_have_js_property("naturalWidth", 0)
            box = image.bounding_box()
            assert box["y"] + box["height"] <= 720
            assert box["height"] > 300
    assert view.locator(".slide:not([hidden]) footer").inner_text().endswith("3 / 4")
    view.screenshot(path=shots / f"slides_{theme}.png")
    view.mouse.click(1000, 400)
    expect(shown(view)).to_have_text("Which areas it knows")
    view.mouse.click(100, 400)
    expect(shown(view)).to_have_text("Cleaned")
    view.keyboard.press("Home")
    assert view.evaluate("location.hash") == "#1"
    view.goto(f"{page.as_uri()}#2")
    view.reload()
    expect(shown(view)).to_have_text("What the data are worth")
    view.get_by_role("button", name="Next").focus()
    view.keyboard.press("Enter")
    expect(shown(view)).to_have_text("Cleaned")
    paper = view.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(255, 255, 255)"


def test_swipes_turn_slides_on_a_phone(page, open_page, axe, shots):
    view = open_page(page.as_uri(), width=400, height=800, has_touch=True)
    swipe = """right => {
      const at = x => [new Touch({identifier: 1, target: document.body, clientX: x, clientY: 300})];
      document.body.dispatchEvent(new TouchEvent("touchstart", {touches: at(200), bubbles: true}));
      const ended = {changedTouches: at(200 + right), bubbles: true};
      document.body.dispatchEvent(new TouchEvent("touchend", ended));
    }"""
    view.evaluate(swipe, -120)
    expect(shown(view)).to_have_text("What the data are worth")
    view.evaluate(swipe, 120)
    expect(shown(view)).to_have_text("What the models see in hotels' photos")
    view.touchscreen.tap(300, 400)
    expect(shown(view)).to_have_text("What the data are worth")
    view.keyboard.press("ArrowRight")
    assert axe(view) == []
    assert view.evaluate("document.documentElement.scrollWidth") <= 400
    # Both figures stand below the text and above the foot.
    boxes = [one.bounding_box() for one in view.locator(".slide:not([hidden]) img").all()]
    text, foot = (
        view.locator(f".slide:not([hidden]) {name}").bounding_box() for name in ("header", "footer")
    )
    assert boxes[0]["y"] >= text["y"] + text["height"] - 1
    assert boxes[1]["y"] + boxes[1]["height"] <= foot["y"] + 1
    view.screenshot(path=shots / "slides_400.png")


def test_each_slide_is_printed_on_a_page_of_its_own(page, open_page):
    view = open_page(page.as_uri(), width=1280, height=720)
    printed = view.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 4
    assert re.search(rb"/MediaBox\s*\[0 0 9(60|59\.\d+) 540", printed)
