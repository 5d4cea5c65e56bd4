"""The gallery in a real JupyterLab: decisions are in the file at once and outlive the kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from lab import Lab, run_all, running_lab, write_notebook
from PIL import Image

from hotelviz.catalog import read_catalog
from hotelviz.decisions import read_decisions

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with running_lab(tmp_path) as running:
        yield running


CELL = """
import pandas as pd
from hotelviz.gallery import Gallery, tag_caption
tags = pd.read_parquet("tags.parquet")
water = tags[["image_id"]].head(3).assign(concept=0, name="water", adds=1.5, x=0.5, y=0.5, side=0.4)
Gallery(tags, caption=tag_caption, decisions="decisions.csv", reviewer="Ada", concepts=water)
"""


def make_notebook(root: Path) -> None:
    rows = []
    for number in range(24):
        path = root / f"{number:02d}.jpg"
        size = (2000, 1500) if number == 0 else (160, 120)
        Image.new("RGB", size, (10 * number, 120, 200)).save(path)
        wrong = number % 4 == 0
        sure = 0.5 + number / 60
        rows.append(
            {
                "image_id": path.name, "path": str(path), "label": "Pool" if wrong else "Bedroom",
                "predicted": "Bathroom" if wrong else "Bedroom",
                "p_Bathroom": sure if wrong else 0.1, "p_Bedroom": 0.1 if wrong else sure,
                "p_Pool": np.nan if number == 5 else 0.1,
            }
        )  # fmt: skip
    pd.DataFrame(rows).to_parquet(root / "tags.parquet")
    write_notebook(root / "gallery.ipynb", CELL)


def open_notebook(view: Page, lab: Lab) -> Locator:
    """Run the notebook, and return its gallery."""
    make_notebook(lab.root)
    view.goto(f"{lab.url}/lab/tree/gallery.ipynb?token={lab.token}")
    view.locator(".jp-Notebook").wait_for()
    run_all(view, lab)
    gallery = view.locator(".hotelviz-gallery")
    gallery.wait_for(timeout=90_000)
    expect(gallery.locator(".count")).to_have_text("24 photos")
    return gallery


def decided(file: Path) -> list[list[str]]:
    return read_decisions(file)[["image_id", "action", "label", "reason"]].values.tolist()


def restart_kernel(view: Page) -> None:
    view.get_by_role("menuitem", name="Kernel", exact=True).click()
    view.locator(".lm-Menu-itemLabel", has_text=re.compile("^Restart Kernel…$")).click()
    view.get_by_role("button", name="Confirm Kernel Restart").click()
    expect(view.locator(".jp-Dialog")).to_have_count(0)


def use_dark_theme(view: Page) -> None:
    view.get_by_role("menuitem", name="Settings", exact=True).click()
    view.get_by_text("Theme", exact=True).hover()
    view.get_by_role("menuitem", name="JupyterLab Dark", exact=True).click()


def many_at_once(view: Page, gallery: Locator, root: Path) -> list[list[str]]:
    """Put six photos off, take that back, compare two from their files, save these."""
    view.keyboard.press("a")
    view.keyboard.press("l")
    expect(gallery.locator(".progress")).to_have_text("0 of 6 decided, 6 for later")
    expect(gallery.locator(".status")).to_have_text("0 decisions, 6 for later in decisions.csv")
    names = [f"{number:02d}.jpg" for number in range(0, 24, 4)]
    lines = read_decisions(root / "decisions.csv").tail(6)
    assert lines["time"].nunique() == 1
    view.keyboard.press("u")
    expect(gallery.locator(".status")).to_have_text("4 decisions in decisions.csv")
    expect(gallery.locator("figure.selected")).to_have_count(6)
    view.keyboard.press("Escape")
    view.keyboard.press("Shift+ArrowRight")
    view.keyboard.press("c")
    panes = gallery.locator(".compare .pane .quiet")
    expect(panes).to_have_text(
        ["2,000 × 1,500 pixels, from the file", "160 × 120 pixels, from the file"]
    )
    view.keyboard.press("z")
    expect(gallery.locator(".compare .scale")).to_have_text("100 %")
    view.keyboard.press("Escape")
    view.keyboard.press("s")
    for said in ("2 photos saved to ", "is there already; choose another name"):
        gallery.locator(".saving input").press("Enter")
        expect(gallery.locator(".saving [role=status]")).to_contain_text(said)
    view.keyboard.press("Escape")
    view.keyboard.press("Escape")
    saved = read_catalog(root / "photos.csv")
    assert saved["image_id"].tolist() == names[:2]
    assert saved["path"].tolist() == [str(root / name) for name in names[:2]]
    before = [["relabel", "Bedroom"], ["keep", ""], ["drop", ""], ["keep", ""], ["drop", ""]]
    # What was decided the same is brought together, in the order in which it first occurs.
    order = [0, 1, 3, 5, 2, 4]
    back = [
        [names[place], *(before[place] if place < 5 else ["keep", ""]), "undo"] for place in order
    ]
    return [[name, "later", "", "gallery"] for name in names] + back


def concept_leads_to_others(gallery: Locator) -> None:
    """What the large view lists shows the other photos with it, and the chip leads back."""
    gallery.locator("figure[data-row='1'] .photo").click()
    gallery.get_by_role("button", name="Photos with water").click()
    expect(gallery.locator(".count")).to_have_text("3 of 24 photos")
    gallery.get_by_role("button", name="Leave: 3 photos with water").click()
    expect(gallery.locator(".count")).to_have_text("24 photos")


def test_decisions_made_by_keys_are_in_the_file_and_outlive_the_kernel(lab, open_page, axe, shots):
    view = open_page(width=1300, height=1100, allowed="WebSocket|Kernel|404")
    gallery = open_notebook(view, lab)

    gallery.locator(".matrix summary").click()
    gallery.get_by_role("button", name="Pool predicted as Bathroom: 6 photos").click()
    expect(gallery.locator("figure")).to_have_count(6)
    expect(gallery.locator("figure img")).to_have_count(6)
    for key in ("2", "3", "x", "k", "u"):  # the second is labelled Pool, and is kept
        view.keyboard.press(key)
    file = lab.root / "decisions.csv"
    expect(gallery.locator(".status")).to_have_text("3 decisions in decisions.csv")
    wanted = [
        ["00.jpg", "relabel", "Bedroom", "gallery"],
        ["04.jpg", "keep", "", "gallery"],
        ["08.jpg", "drop", "", "gallery"],
        ["12.jpg", "keep", "", "gallery"],
        ["12.jpg", "keep", "", "undo"],
    ]
    assert decided(file) == wanted
    # The file cannot be written for a while: that is said, and nothing is lost.
    file.rename(lab.root / "aside.csv")
    file.mkdir()
    view.keyboard.press("ArrowRight")
    view.keyboard.press("x")
    expect(gallery.locator(".status")).to_contain_text("1 not written yet: decisions.csv: ")
    file.rmdir()
    (lab.root / "aside.csv").rename(file)
    expect(gallery.locator(".status")).to_have_text("4 decisions in decisions.csv", timeout=10_000)
    wanted.append(["16.jpg", "drop", "", "gallery"])
    assert decided(file) == wanted
    wanted += many_at_once(view, gallery, lab.root)
    assert decided(file) == wanted
    # The keys were the gallery's: the notebook still has its one cell.
    assert view.locator(".jp-Cell").count() == 1

    gallery.locator("select[aria-label=Decision]").select_option("open")
    gallery.get_by_role("button", name="clear filters").click()
    assert axe(view, ".hotelviz-gallery") == []
    view.screenshot(path=shots / "lab_light.png")
    concept_leads_to_others(gallery)

    restart_kernel(view)
    run_all(view, lab)
    badges = view.locator(".hotelviz-gallery .badge:not(:empty)")
    expect(badges).to_have_text(["→ Bedroom", "kept", "dropped", "dropped"], timeout=90_000)
    assert decided(file) == wanted
    shown = view.locator(".hotelviz-gallery figure")
    expect(shown.locator("img")).to_have_count(shown.count(), timeout=20_000)

    use_dark_theme(view)
    expect(view.locator(".hotelviz-gallery")).to_have_attribute("data-theme", "dark")
    for image in shown.locator("img").all():
        expect(image).not_to_have_js_property("naturalWidth", 0)
    expect(shown.locator("img")).to_have_count(shown.count(), timeout=20_000)
    assert axe(view, ".hotelviz-gallery") == []
    view.screenshot(path=shots / "lab_dark.png")
