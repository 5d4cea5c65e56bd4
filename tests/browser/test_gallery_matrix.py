"""The gallery's confusion matrix: a cell opens its photos."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from looks import CLASSES, THEMES

from hotelviz.gallery import Gallery, tag_caption

expect = pytest.importorskip("playwright.sync_api").expect


def test_a_cell_of_the_matrix_unfolds_its_photos_and_keys_need_a_photo(open_page, photos, tmp_path):
    frame = photos.assign(kind=photos["label"]).sort_values("label", kind="stable")
    Gallery(frame, caption=tag_caption, group="kind", open_groups=0).save(tmp_path / "groups.html")
    view = open_page((tmp_path / "groups.html").as_uri())
    headings = view.locator(".heading [aria-expanded]")
    assert [one.get_attribute("aria-expanded") for one in headings.all()] == ["false", "false"]
    view.locator("input[type=search]").press("Escape")
    headings.first.focus()
    view.keyboard.press("x")
    assert view.locator(".badge:not(:empty)").count() == 0
    headings.last.click()  # the cursor is in the group that stays folded
    view.locator(".view").focus()
    view.keyboard.press("ArrowDown")
    expect(view.locator("figure[data-row='20'] .photo")).to_be_focused()
    view.locator(".matrix summary").click()
    view.get_by_role("button", name="Pool predicted as Bathroom: 10 photos").click()
    assert headings.first.get_attribute("aria-expanded") == "true"
    assert view.locator("figure").count() == 10
    view.keyboard.press("x")
    assert view.locator(".badge:not(:empty)").count() == 1


def test_errors_are_shaded_by_their_share_of_the_true_class(open_page, photos, tmp_path):
    # Eight of twenty bedrooms are more photos than five of ten pools, but a smaller share.
    photos.loc[photos.index[photos["label"] == "Bedroom"][:8], "predicted"] = "Pool"
    photos.loc[photos.index[photos["label"] == "Pool"][:5], "predicted"] = "Pool"
    Gallery(photos, caption=tag_caption).save(tmp_path / "shares.html")
    view = open_page((tmp_path / "shares.html").as_uri())
    view.locator(".matrix summary").click()
    cell = "Pool predicted as Bathroom: 5 photos", "Bedroom predicted as Pool: 8 photos"
    light = [
        view.get_by_role("button", name=name).evaluate(
            "one => getComputedStyle(one.parentElement).backgroundColor.match(/\\d+/g).map(Number)"
        )
        for name in cell
    ]
    pools, bedrooms = (np.dot(rgb, [0.2126, 0.7152, 0.0722]) for rgb in light)
    assert pools > bedrooms
    assert "50 % of the true class" in view.locator(".legend").first.inner_text()


@pytest.mark.parametrize("theme", THEMES)
def test_matrix_of_all_judged_photos_opens_those_that_are_here(
    open_page, axe, shots, photos, tmp_path, theme
):
    wrong = photos[photos["label"] != photos["predicted"]]
    counts = [[4, 1, 0], [2, 18, 0], [12, 1, 17]]
    matrix = pd.DataFrame(counts, CLASSES, CLASSES)
    Gallery(wrong, caption=tag_caption, group="label", open_groups=0, matrix=matrix).save(
        tmp_path / "matrix.html"
    )
    view = open_page((tmp_path / "matrix.html").as_uri(), theme=theme)
    assert view.locator(".matrix summary").count() == 0
    cells = view.locator(".matrix td")
    assert cells.all_inner_texts()[6:] == ["40 %\n12", "3 %\n1", "57 %\n17"]
    shades = [
        [int(part) for part in re.findall(r"\d+", colour)]
        for colour in cells.evaluate_all("all => all.map(one => getComputedStyle(one).background)")
    ]
    light = [shade[:3] @ np.array([0.2126, 0.7152, 0.0722]) for shade in shades]
    errors = [place for place in range(9) if place not in (0, 4, 8)]
    assert max(errors, key=lambda place: light[place]) == 6
    assert [len(set(shades[place][:3])) for place in (0, 4, 8)] == [1, 1, 1]
    only = view.locator(".matrix button")
    assert only.count() == 1
    said = "12 of 30 Pool photos predicted as Bathroom; 10 of them here"
    assert only.get_attribute("aria-label") == said
    assert cells.nth(3).get_attribute("aria-label") == (
        "2 of 20 Bedroom photos predicted as Bathroom; not in this gallery"
    )
    assert axe(view) == []
    view.screenshot(path=shots / f"matrix_{theme}.png")
    only.focus()
    view.keyboard.press("Enter")
    expect(view.locator("figure")).to_have_count(10)
    expect(view.locator("figure[data-row='0'] .photo")).to_be_focused()
    expect(view.locator("figure[data-row='0']")).to_be_in_viewport()


def test_matrix_is_printed_whole_and_one_that_is_folded_is_not(open_page, photos, tmp_path):
    names = [f"Area number {place}" for place in range(14)]
    matrix = pd.DataFrame(np.arange(196).reshape(14, 14), names, names)
    Gallery(photos, caption=tag_caption, matrix=matrix).save(tmp_path / "judged.html")
    Gallery(photos, caption=tag_caption).save(tmp_path / "folded.html")
    view = open_page((tmp_path / "judged.html").as_uri(), width=680)  # A4 without its margins
    view.emulate_media(media="print")
    expect(view.locator(".matrix td").last).to_be_visible()
    assert view.locator(".matrix table").bounding_box()["width"] <= 680
    view.goto((tmp_path / "folded.html").as_uri())
    expect(view.locator(".matrix")).to_have_count(1)
    expect(view.locator(".matrix")).not_to_be_visible()
