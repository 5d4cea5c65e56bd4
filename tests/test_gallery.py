"""The gallery's markup: captions, groups, alternative text, and data that looks like markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hotelviz.gallery import Gallery, GalleryError, before_after, mistakes, tag_caption
from hotelviz.ranking import rank_hotel_photos


class Page(HTMLParser):
    """Tags with their attributes, and text."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(markup)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def photos(tmp_path: Path) -> pd.DataFrame:
    paths = []
    for number in range(4):
        path = tmp_path / f"{number}.jpg"
        Image.new("RGB", (300, 200), (60 * number, 90, 120)).save(path)
        paths.append(str(path))
    return pd.DataFrame(
        {
            "image_id": list("abcd"),
            "path": paths,
            "label": ["Pool", "Pool", "Foyer", "Bathroom"],
            "predicted": ["Bathroom", "Bathroom", "Foyer", "Reception"],
            "p_Bathroom": [0.6, 0.9, 0.0, 0.06],
            "p_Pool": [0.4, 0.1, 0.0, 0.0],
            "p_Foyer": [0.0, 0.0, 1.0, 0.0],
            "p_Reception": [0.0, 0.0, 0.0, 0.94],
        }
    )


def test_caption_is_the_talks(photos):
    assert tag_caption(photos.iloc[3]) == "predicted Reception 0.94, true Bathroom 0.06"
    assert tag_caption(photos.iloc[2]) == "predicted Foyer 1.00"


def test_caption_of_a_class_that_the_model_does_not_know_has_no_probability(photos):
    row = photos.iloc[3].copy()
    row["label"] = "View_of_Exterior"
    assert tag_caption(row) == "predicted Reception 0.94, true View of Exterior"


def test_mistakes_come_by_frequency_then_confidence(photos):
    wrong = mistakes(photos)
    assert wrong["image_id"].to_list() == ["b", "a", "d"]
    assert wrong["pair"].to_list() == ["Pool read as Bathroom"] * 2 + ["Bathroom read as Reception"]
    assert wrong["confidence"].to_list() == [0.9, 0.6, 0.94]


def test_every_photo_has_alternative_text_and_a_caption(photos):
    page = Page(Gallery(photos, caption=tag_caption).to_html())
    assert len(page.all("figure")) == 4
    assert [image["alt"] for image in page.all("img")][3] == tag_caption(photos.iloc[3])
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in page.all("img"))


def test_groups_are_details_with_their_numbers_and_only_the_first_is_open(photos):
    markup = Gallery(mistakes(photos), caption=tag_caption, group="pair").to_html()
    page = Page(markup)
    assert [("open" in details) for details in page.all("details")] == [True, False]
    summaries = re.findall(r"<summary>(.*?)</summary>", markup)
    assert summaries[0] == 'Pool read as Bathroom <span class="number">2</span>'


def test_overlays_stand_beside_their_photos(photos):
    maps = np.zeros((4, 7, 7))
    maps[0, :, :3] = 1
    page = Page(Gallery(photos, overlays=maps).to_html())
    assert len(page.all("img")) == 8
    assert page.all("img")[1]["alt"] == "Where the evidence is: a"
    assert "low" in page.text


def test_limit_says_how_many_there_are(photos):
    page = Page(Gallery(photos, limit=3).to_html())
    assert len(page.all("figure")) == 3
    assert "showing the first 3 of 4 photos" in page.text


def test_unreadable_photo_keeps_its_place_and_says_why(photos):
    Path(photos.loc[1, "path"]).write_text("no image")
    page = Page(Gallery(photos).to_html())
    assert len(page.all("figure")) == 4
    assert len(page.all("img")) == 3
    assert "not a JPEG" in page.text
    assert "1 cannot be read" in page.text


def test_no_photos_are_a_friendly_line():
    page = Page(Gallery(pd.DataFrame({"path": []})).to_html())
    assert "No photos here." in page.text


@pytest.mark.parametrize(
    "evil", ["<script>alert(1)</script>", '" onerror="alert(1)', "a 🏊 'x' & <b>"]
)
def test_markup_in_data_stays_text(photos, evil):
    photos["image_id"] = evil
    photos["label"] = evil
    page = Page(Gallery(photos, group="label", title=evil, caption="image_id").to_html())
    assert page.all("script") == []
    assert page.all("b") == []
    assert all(set(image) == {"src", "alt", "loading"} for image in page.all("img"))
    assert page.all("img")[0]["alt"] == evil
    assert evil in page.text


def test_nothing_is_fetched_from_anywhere(photos):
    markup = Gallery(photos, overlays=np.ones((4, 7, 7))).to_html()
    assert "http" not in markup
    assert "url(" not in markup


def test_missing_column_is_named_with_those_there_are(photos):
    with pytest.raises(GalleryError, match="no column 'paar'; it has image_id, path"):
        Gallery(photos, group="paar")


def test_overlays_of_another_number_are_refused(photos):
    with pytest.raises(GalleryError, match=r"shape \(3, 7, 7\); expected \(4, h, w\)"):
        Gallery(photos, overlays=np.zeros((3, 7, 7)))


def test_saved_page_stands_alone(photos, tmp_path):
    Gallery(photos, title="Pools").save(tmp_path / "pools.html")
    page = Page((tmp_path / "pools.html").read_text(encoding="utf-8"))
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("img")) == 4


def test_photos_are_made_small_enough_for_a_report(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((1600, 1200)).save(tmp_path / "big.jpg")
    markup = Gallery(pd.DataFrame({"path": [str(tmp_path / "big.jpg")]})).to_html()
    assert len(markup) < 30_000


def test_distributions_are_drawn_with_their_numbers(tmp_path):
    frame = pd.DataFrame({"path": [str(tmp_path / "lost.jpg")] * 2, "note": ["a", "b"]})
    rated, predicted = np.full((2, 10), 0.1), np.eye(10)[[3, 4]]
    rated[1] = np.nan
    page = Gallery(
        frame, caption="note", distributions={"rated": rated, "predicted": predicted}
    ).to_html()
    assert page.count("<svg") == 2
    assert page.count("<rect") == 30
    assert "rated 10%, 10%" in page
    assert "predicted 0%, 0%, 0%, 100%" in page


def test_distributions_that_do_not_fit_are_refused(tmp_path):
    frame = pd.DataFrame({"path": [str(tmp_path / "lost.jpg")]})
    with pytest.raises(GalleryError, match=r"'rated' have the shape \(2, 10\)"):
        Gallery(frame, distributions={"rated": np.ones((2, 10))})


def test_before_after_shows_both_orders_unfolded_with_reasons(tmp_path):
    scores = pd.DataFrame({"image_id": ["a", "b"], "hotel_id": "h", "score": [4.0, 6.0]})
    catalog = pd.DataFrame(
        {"image_id": ["a", "b"], "position": [1, 2], "path": [str(tmp_path / "lost.jpg")] * 2}
    )
    ranked = rank_hotel_photos(scores, catalog=catalog)
    page = before_after(ranked, catalog, title="Hotel <h>").to_html()
    assert page.count("<details open>") == 2
    assert page.index("today <span") < page.index("new order <span")
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page)
    assert captions == [
        "predicted: 4.000; rank 2/2 (today 1); by score",
        "predicted: 6.000; rank 1/2 (today 2); by score",
        "predicted: 6.000; rank 1/2 (today 2); by score",
        "predicted: 4.000; rank 2/2 (today 1); by score",
    ]
    assert "Hotel &lt;h&gt;" in page
    both = pd.concat([ranked, ranked.assign(hotel_id="i")])
    with pytest.raises(GalleryError, match="one hotel"):
        before_after(both, catalog)
