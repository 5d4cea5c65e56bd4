"""The gallery's markup: captions, groups, alternative text, and data that looks like markup."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter
from PIL import Image

from hotelviz import metrics
from hotelviz.attribution import overlay
from hotelviz.errors import GalleryError, OutputError
from hotelviz.gallery import (
    Gallery,
    bundle,
    compare_orders,
    issue_caption,
    rank_caption,
    score_caption,
    tag_caption,
)
from hotelviz.gallery.page_form import FILES_MIME, load_ipython_extension
from hotelviz.gallery.photo_provider import PhotoProvider
from hotelviz.ranking import current_and_new, rank_hotel_photos


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


def content_of(gallery: Gallery, files: Path) -> dict:
    """What the page's script is given, with the photos."""
    markup = gallery.to_html(files=files)
    return json.loads(markup.split('<script type="application/json">')[1].split("</script>")[0])


def codes(content: dict, name: str) -> list[str | None]:
    """The values of a category, by row."""
    column = next(one for one in content["columns"] if one["name"] == name)
    numbers = np.frombuffer(base64.b64decode(column["codes"]), "int32")
    return [None if code < 0 else column["values"][code] for code in numbers]


def test_every_photo_comes_with_its_caption(photos, tmp_path):
    content = content_of(Gallery(photos, caption=tag_caption), tmp_path)
    assert content["captions"][3] == tag_caption(photos.iloc[3])
    sizes = [Image.open(io.BytesIO(base64.b64decode(one))).size for one in content["photos"]]
    assert sizes == [(300, 200)] * 4
    assert content["ids"] == list("abcd")


def test_a_live_gallery_knows_its_captions_as_its_page_does(photos, tmp_path):
    gallery = Gallery(photos, caption=tag_caption)
    assert gallery.widget().content["captions"] == content_of(gallery, tmp_path)["captions"]


def test_what_can_be_filtered_by_is_coded_and_the_confusion_named(photos, tmp_path):
    content = content_of(Gallery(photos.assign(hotel_id=["h", None, "h", "i"])), tmp_path)
    assert codes(content, "label") == ["Pool", "Pool", "Foyer", "Bathroom"]
    assert codes(content, "hotel_id") == ["h", None, "h", "i"]
    assert codes(content, "confusion") == [
        "Pool predicted as Bathroom", "Pool predicted as Bathroom", None,
        "Bathroom predicted as Reception",
    ]  # fmt: skip
    sure = next(one for one in content["columns"] if one["name"] == "confidence")
    numbers = np.frombuffer(base64.b64decode(sure["data"]), "float32")
    assert numbers == pytest.approx([0.6, 0.9, 1.0, 0.94])
    assert content["labels"] == content["classes"] == ["Bathroom", "Pool", "Foyer", "Reception"]


def test_groups_come_in_the_order_in_which_they_occur(photos, tmp_path):
    gallery = Gallery(
        metrics.misclassified(photos), caption=tag_caption, group="confusion", open_groups=1
    )
    content = content_of(gallery, tmp_path)
    column = next(one for one in content["columns"] if one["name"] == "confusion")
    assert column["values"] == ["Pool predicted as Bathroom", "Bathroom predicted as Reception"]
    assert (content["group"], content["open_groups"]) == ("confusion", 1)


def test_maps_become_small_bytes_with_the_colours_of_overlays(photos, tmp_path):
    maps = np.zeros((4, 112, 224))
    maps[0, :, :112] = 1
    content = content_of(Gallery(photos, overlays=maps), tmp_path)
    assert content["maps_size"] == [28, 56]
    first = np.frombuffer(base64.b64decode(content["maps"]["data"]), "uint8").reshape(4, 28, 56)[0]
    assert first[:, :28].min() == 255
    assert first[:, 28:].max() == 0
    ramp = np.frombuffer(base64.b64decode(content["ramp"]), "uint8").reshape(256, 3)
    assert overlay(np.zeros((1, 1, 3), "uint8"), np.ones((1, 1)), alpha=1)[0, 0] == pytest.approx(
        ramp[255]
    )


def test_several_maps_come_by_name_and_a_photo_may_lack_one(photos, tmp_path):
    maps = np.zeros((4, 7, 7))
    none = maps + np.array([1, 1, np.nan, 1])[:, None, None]
    content = content_of(Gallery(photos, overlays={"predicted": maps, "rails": none}), tmp_path)
    assert content["overlays"] == ["evidence for the predicted class", "rails"]
    here = np.frombuffer(base64.b64decode(content["mapped"]), "uint8").reshape(4, 2)
    assert here.tolist() == [[1, 1], [1, 1], [1, 0], [1, 1]]
    data = np.frombuffer(base64.b64decode(content["maps"]["data"]), "uint8").reshape(4, 2, 7, 7)
    assert data[:, :, 0, 0].tolist() == [[0, 255], [0, 255], [0, 0], [0, 255]]
    with pytest.raises(GalleryError, match=r"'rails' have the shape \(4, 3, 3\); those before"):
        Gallery(photos, overlays={"predicted": maps, "rails": np.zeros((4, 3, 3))})


def test_margin_and_entropy_are_there_to_sort_by(photos, tmp_path):
    content = content_of(Gallery(photos), tmp_path)
    found = {
        one["name"]: np.frombuffer(base64.b64decode(one["data"]), "float32")
        for one in content["columns"] if one["kind"] == "number"
    }  # fmt: skip
    assert found["margin"] == pytest.approx([0.2, 0.8, 1.0, 0.88])
    bits = -(0.6 * np.log2(0.6) + 0.4 * np.log2(0.4))
    assert found["entropy"][[0, 2]] == pytest.approx([bits, 0])


def test_cut_gallery_says_how_many_there_are(photos, tmp_path):
    content = content_of(Gallery(photos, max_photos=3), tmp_path)
    assert content["size"] == len(content["photos"]) == 3
    assert content["note"] == "showing the first 3 of 4 photos"


def test_unreadable_photo_keeps_its_place_and_says_why(photos, tmp_path):
    Path(photos.loc[1, "path"]).write_text("no image")
    content = content_of(Gallery(photos), tmp_path)
    assert content["errors"]["1"].startswith(f"{photos.loc[1, 'path']}: not a JPEG")
    assert [bool(photo) for photo in content["photos"]] == [True, False, True, True]
    assert content["note"] == "1 cannot be read"


def test_no_photos_are_an_empty_gallery(tmp_path):
    content = content_of(Gallery(pd.DataFrame({"path": []})), tmp_path)
    assert content["size"] == 0
    assert content["photos"] == []


@pytest.mark.parametrize(
    "evil", ["<script>alert(1)</script>", '" onerror="alert(1)', "a 🏊 'x' & <b>", "</script>"]
)
def test_markup_in_data_stays_data(photos, tmp_path, evil):
    photos["image_id"] = evil
    photos["label"] = evil
    gallery = Gallery(photos, group="label", title=evil, caption="image_id")
    page = Page(gallery.to_html(files=tmp_path))
    assert [tag for tag, _ in page.tags] == ["section", "script", "noscript"]
    content = content_of(gallery, tmp_path)
    assert (content["title"], content["captions"][0]) == (evil, evil)
    assert codes(content, "label")[0] == evil


def test_missing_column_is_named_with_those_there_are(photos):
    with pytest.raises(GalleryError, match="no column 'paar'; it has image_id, path"):
        Gallery(photos, group="paar")


def test_overlays_of_another_number_are_refused(photos):
    with pytest.raises(GalleryError, match=r"shape \(3, 7, 7\); expected \(4, h, w\)"):
        Gallery(photos, overlays=np.zeros((3, 7, 7)))


def test_script_is_every_file_in_the_listed_order():
    files = [*Path(bundle.__file__).parent.glob("static/*.js")]
    places = [bundle.SCRIPT.index(file.read_text(encoding="utf-8")) for file in files]
    assert files[int(np.argmax(places))].name == "mount.js"
    assert bundle.SCRIPT.startswith("// Elements of pages")
    assert bundle.SCRIPT.count("export default") == 1


def test_saved_page_may_run_only_its_own_script_and_ask_nobody(photos, tmp_path):
    Gallery(photos, title="Pools <b>").save(tmp_path / "pools.html")
    text = (tmp_path / "pools.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.all("html")[0]["lang"] == "en"
    script = text.split('<script type="module">')[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = page.all("meta")[1]["content"]
    assert policy.startswith("default-src 'none'")
    assert policy.endswith(f"script-src 'sha256-{digest}'")
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", text)
    assert "<h1>Pools &lt;b&gt;</h1>" in text


def test_page_of_a_folders_name_is_refused(photos, tmp_path):
    with pytest.raises(OutputError, match="is a folder"):
        Gallery(photos).save(tmp_path)


def test_page_that_cannot_be_written_leaves_the_old_one_and_no_photos(photos, tmp_path):
    gallery = Gallery(photos, budget=100)
    gallery.save(tmp_path / "page.html")
    before = (tmp_path / "page.html").read_text(encoding="utf-8")
    old = sorted((tmp_path / "page_photos").iterdir())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", Mock(side_effect=OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space left"):
            gallery.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == before
    assert sorted((tmp_path / "page_photos").iterdir()) == old


def test_photos_are_made_small_enough_for_a_report(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((1600, 1200)).save(tmp_path / "big.jpg")
    gallery = Gallery(pd.DataFrame({"path": [str(tmp_path / "big.jpg")]}), thumbnail=224)
    assert len(gallery.to_html(files=tmp_path)) < 30_000


def test_concepts_of_a_photo_come_with_their_patches(photos, tmp_path):
    ids = photos["image_id"].astype(str).tolist()
    table = pd.DataFrame({
        "image_id": [ids[1], ids[0], ids[1], "elsewhere"], "concept": [7, 2, 2, 9],
        "name": ["chair", "water", "water", "sky"], "adds": [-2.0, 1.0, 0.5, 3.0],
        "x": [0.1, 0.2, 0.3, 0.4], "y": 0.5, "side": 0.25,
    })  # fmt: skip
    gallery = Gallery(photos, concepts=table, max_photos=2)
    listed = gallery.payload()["concepts"]
    assert listed["names"] == ["water", "chair", "sky"]
    np.testing.assert_array_equal(listed["adds"], [[1, np.nan, np.nan], [0.5, -2, np.nan]])
    np.testing.assert_allclose(listed["places"][1, 1], [0.1, 0.5, 0.25])
    # Live they come as they are, in a page as text.
    assert gallery.widget().content["concepts"]["names"] == listed["names"]
    assert isinstance(content_of(gallery, tmp_path)["concepts"]["adds"], str)
    with pytest.raises(GalleryError, match="concepts: the table has no column 'adds'"):
        Gallery(photos, concepts=table.drop(columns="adds"))
    with pytest.raises(GalleryError, match=r"concepts: row 1: x, y and side are \[2"):
        Gallery(photos, concepts=table.assign(x=[0.1, 2, 0.3, 0.4]))


def test_distributions_come_by_name_the_last_in_blue(photos, tmp_path):
    rated, predicted = np.full((4, 10), 0.1), np.eye(10)[[3, 4, 5, 6]]
    rated[1] = np.nan
    gallery = Gallery(photos, distributions={"rated": rated, "predicted": predicted})
    first, second = content_of(gallery, tmp_path)["distributions"]
    assert [(one["name"], one["tone"]) for one in (first, second)] == [
        ("rated", "b0"), ("predicted", "b1"),
    ]  # fmt: skip
    shares = np.frombuffer(base64.b64decode(first["shares"]), "float32").reshape(4, 10)
    assert np.isnan(shares).any(axis=1).tolist() == [False, True, False, False]


def test_distributions_that_do_not_fit_are_refused(tmp_path):
    frame = pd.DataFrame({"path": [str(tmp_path / "lost.jpg")]})
    with pytest.raises(GalleryError, match=r"'rated' have the shape \(2, 10\)"):
        Gallery(frame, distributions={"rated": np.ones((2, 10))})


def test_orders_of_a_hotel_stand_one_below_the_other_with_moves_and_reasons(tmp_path):
    scores = pd.DataFrame({"image_id": list("abc"), "hotel_id": "h", "score": [4.0, 6.0, 5.0]})
    catalog = scores[["image_id"]].assign(position=[1, 2, 3], path=str(tmp_path / "lost.jpg"))
    orders = current_and_new(rank_hotel_photos(scores, catalog=catalog))
    gallery = compare_orders(orders, catalog, max_photos=2, title="Hotel <h>")
    content = content_of(gallery, tmp_path)
    assert content["open_groups"] == 2
    assert codes(content, "order") == (
        ["today: the first 2 of 3"] * 2 + ["new order: the first 2 of 3"] * 2
    )
    assert content["captions"] == [
        "predicted 4.000; rank 1/3",
        "predicted 6.000; rank 2/3",
        "predicted 6.000; rank 1/3, ▲1; best of all",
        "predicted 5.000; rank 2/3, ▲1; by score",
    ]
    assert content["title"] == "Hotel <h>"
    with pytest.raises(GalleryError, match="1 photos of the ranking, such as 'c'"):
        compare_orders(orders, catalog.head(2))


def test_live_photos_are_kept_as_long_as_they_fit(photos):
    def provider(max_bytes: int) -> PhotoProvider:
        return PhotoProvider(paths, caption=str, side=320, max_bytes=max_bytes)

    paths = photos["path"].tolist()
    none, all_of_them = provider(0), provider(10**6)
    sizes = [len(one.jpeg) for one in none.photos(range(4))]
    few = provider(sizes[3] + 10)
    for one in (few, all_of_them):
        one.photos(range(4))
    for path in paths:
        Path(path).unlink()
    for one, kept in ((none, []), (few, [3]), (all_of_them, [0, 1, 2, 3])):
        assert [row for row, photo in enumerate(one.photos(range(4))) if photo.jpeg] == kept


def test_a_notebook_shows_the_widget_and_a_report_the_markup(photos):
    gallery = Gallery(photos)
    shell = Mock(display_formatter=DisplayFormatter())
    data, _ = shell.display_formatter.format(gallery)
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"] == "Gallery of 4 photos"
    load_ipython_extension(shell)
    data, _ = shell.display_formatter.format(gallery)
    assert set(data) == {"text/html", "text/plain", FILES_MIME}
    assert data["text/html"].startswith("<section data-hotelviz-gallery>")
    Path(data[FILES_MIME]["folder"]).rmdir()


@pytest.mark.parametrize(
    ("caption", "column"),
    [
        (tag_caption, "predicted"), (score_caption, "score"), (rank_caption, "rank"),
        (issue_caption, "issue"),
    ],
)  # fmt: skip
def test_captions_say_which_column_they_need(caption, column):
    with pytest.raises(GalleryError, match=f"no column '{column}'"):
        caption(pd.Series({"image_id": "a"} | ({"score": 5.0} if column == "rank" else {})))


def test_table_without_places_is_refused_and_issues_need_no_hotel():
    with pytest.raises(GalleryError, match="row 1, column 'path': is empty"):
        Gallery(pd.DataFrame({"image_id": ["a", "b"], "path": ["a.jpg", None]}))
    issue = pd.Series({"issue": "near_duplicate", "detail": "copy of a.jpg"})
    assert issue_caption(issue) == "copy of a.jpg"
    named_twice = pd.Series({"issue": "truncated", "detail": "truncated: the file ends too early"})
    assert issue_caption(named_twice) == "truncated: the file ends too early"
