"""The kernel's side of a live gallery: photos, decisions, what is saved."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hotelviz.catalog import read_catalog
from hotelviz.decisions import decide, read_decisions, undo
from hotelviz.gallery import Gallery, tag_caption
from hotelviz.gallery.widget import GalleryWidget


@pytest.fixture
def photos(tmp_path: Path) -> pd.DataFrame:
    paths = [str(tmp_path / f"{number}.jpg") for number in range(4)]
    for path in paths:
        Image.new("RGB", (300, 200), (60, 90, 120)).save(path)
    labels = {"label": ["Pool", "Pool", "Foyer", "Bathroom"], "predicted": "Bathroom"}
    return pd.DataFrame({"image_id": list("abcd"), "path": paths, **labels})


def live(gallery: Gallery) -> tuple[GalleryWidget, list]:
    """A widget, and what it says to its browser."""
    widget, said = gallery.widget(), []
    widget.send = lambda message, buffers=(): said.append((message, list(buffers)))
    return widget, said


def decision(name: str, action: str, label: str = "", time: str = "2126-01-31T14:00:00.000+00:00"):
    return {
        "image_ids": [name], "action": action, "label": label, "reason": "gallery",
        "reviewer": "Ada", "time": time,
    }  # fmt: skip


def test_live_photos_come_when_asked_for_with_captions_and_maps(photos):
    Path(photos.loc[1, "path"]).unlink()
    maps = np.ones((4, 7, 7))
    widget, said = live(Gallery(photos, caption=tag_caption, overlays=maps))
    widget.answer({"type": "photos", "rows": [0, 1, 99, "x"]})
    (message, buffers) = said.pop()
    assert [one["row"] for one in message["photos"]] == [0, 1]
    assert message["photos"][0]["caption"] == tag_caption(photos.iloc[0])
    assert message["photos"][1]["error"] == f"{photos.loc[1, 'path']}: missing"
    assert Image.open(io.BytesIO(buffers[0])).size == (300, 200)
    assert buffers[1] == bytes([255]) * 49
    # It is back: a photo that could not be read is tried again.
    Image.new("RGB", (30, 20)).save(photos.loc[1, "path"])
    widget.answer({"type": "photos", "rows": [1]})
    assert said.pop()[0]["photos"][0]["error"] == ""


def test_live_decisions_are_in_the_file_before_the_answer_and_only_once(photos, tmp_path):
    file = tmp_path / "decisions.csv"
    widget, said = live(Gallery(photos, decisions=file))
    first, second = decision("a", "drop"), decision("b", "relabel", "Foyer")
    widget.answer({"type": "decide", "records": [first]})
    assert said.pop()[0] == {"type": "decided", "times": [first["time"]]}
    # The answer got lost: the page says it again, with the next one.
    again, told = live(Gallery(photos, decisions=file))
    again.answer({"type": "decide", "records": [first, second]})
    assert len(told.pop()[0]["times"]) == 2
    lines = read_decisions(file)
    assert lines[["image_id", "action", "label"]].values.tolist() == [
        ["a", "drop", ""], ["b", "relabel", "Foyer"],
    ]  # fmt: skip
    again.answer({"type": "decisions"})
    assert told.pop()[0]["records"] == [first, second]


def test_live_decisions_that_cannot_be_written_are_told(photos, tmp_path):
    file = tmp_path / "folder"
    file.mkdir()
    widget, said = live(Gallery(photos, decisions=file))
    widget.answer({"type": "decide", "records": [decision("a", "drop")]})
    assert said.pop()[0] == {"type": "decided", "error": f"{file}: Is a directory"}
    widget, said = live(Gallery(photos, decisions=tmp_path / "d.csv"))
    widget.answer({"type": "decide", "records": [decision("z", "drop")]})
    assert "not in this gallery" in said.pop()[0]["error"]
    assert not (tmp_path / "d.csv").exists()


def test_one_act_on_many_photos_is_told_as_one_and_a_file_that_others_changed_is_read_again(
    photos, tmp_path
):
    file = tmp_path / "decisions.csv"
    decide(file, ["a", "b"], "drop", reviewer="Bo")
    widget, said = live(Gallery(photos, decisions=file))
    widget.answer({"type": "decisions"})
    (record,) = said.pop()[0]["records"]
    assert (record["image_ids"], record["action"], record["reviewer"]) == (["a", "b"], "drop", "Bo")
    mine = [decision("a", "keep"), decision("b", "relabel", "Foyer") | {"image_ids": ["b", "c"]}]
    widget.answer({"type": "decide", "records": mine})
    decide(file, "d", "drop", reviewer="Bo")
    widget.answer({"type": "decide", "records": mine})
    lines = read_decisions(file)
    assert sorted(lines["image_id"]) == list("aabbcd")
    assert lines[lines["reviewer"] == "Ada"]["time"].nunique() == 1
    assert undo(file) == ["d"]
    assert undo(file) == ["a", "b", "c"]


def test_what_is_selected_is_saved_as_a_catalogue_also_without_hotels(photos, tmp_path):
    widget, said = live(Gallery(photos))
    file = tmp_path / "some.csv"
    widget.answer({"type": "save", "rows": [2, 0, "x", 99], "path": str(file)})
    assert said.pop()[0] == {"type": "saved", "text": f"2 photos saved to {file}"}
    saved = read_catalog(file)
    assert saved[["image_id", "hotel_id", "label"]].values.tolist() == [
        ["c", "c", "Foyer"], ["a", "a", "Pool"],
    ]  # fmt: skip
    assert saved["path"].tolist() == photos["path"][[2, 0]].tolist()
    for path, message in ((file, "is there already"), ("", "name the file"), ("a.xls", ".csv or")):
        widget.answer({"type": "save", "rows": [0], "path": str(path)})
        assert message in said.pop()[0]["error"]
