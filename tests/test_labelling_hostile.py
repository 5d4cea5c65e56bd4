"""Messages that no page sends: the page refuses them, keeps nothing of them, and goes on."""

from __future__ import annotations

import json
import uuid

import pandas as pd
import pytest
from PIL import Image

from hotelviz.errors import CatalogError, LabelError
from hotelviz.labelling import LabelWidget, open_store
from hotelviz.labelling.inter_rater import (
    disagreements,
    krippendorff_alpha,
    progress_text,
    rater_statistics,
    repeat_pairs,
    self_agreement,
)
from hotelviz.labelling.protocol import LabelProtocol

KEY = uuid.UUID(int=1).hex
SQL = "0'; DROP TABLE label_ratings; --"
DEEP: list = []
for _ in range(500):
    DEEP = [DEEP]


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("round")
    for name in ("a", "b"):
        Image.new("RGB", (64, 48), "red").save(folder / f"{name}.png")
    (folder / "secret.txt").write_text("secret")
    photos = pd.DataFrame({"image_id": ["a", "b"], "path": ["a.png", "b.png"], "hotel_id": "h"})
    photos["path"] = [str(folder / name) for name in photos["path"]]
    return open_store(folder / "labels.sqlite").begin_round(
        photos, n_raters=2, overlap=2, repeats=0
    )


@pytest.fixture
def page(labels):
    page = LabelProtocol(labels)
    page.handle({"type": "enter", "name": "Ada"})
    return page


HOSTILE = [
    {}, {"type": None}, {"type": ["rate"]}, {"type": "x" * 10**6}, {"type": "__class__"},
    {"type": "handle"}, {"type": "_me"},
    {"type": "enter"}, {"type": "enter", "name": None}, {"type": "enter", "name": {"a": 1}},
    {"type": "enter", "name": "x" * 10**6}, {"type": "enter", "name": "\0\x1b"},
    {"type": "photos"}, {"type": "photos", "positions": "0"}, {"type": "photos", "positions": 7},
    {"type": "photos", "positions": ["../secret.txt"]}, {"type": "photos", "positions": [-1]},
    {"type": "photos", "positions": [0] * 10**5}, {"type": "photos", "positions": [99]},
    {"type": "photos", "positions": [True]},
    {"type": "photos", "positions": [{"path": "secret.txt"}]},
    {"type": "rate"}, {"type": "rate", "key": KEY},
    {"type": "rate", "key": KEY, "position": 0},
    {"type": "rate", "key": SQL, "position": 0, "score": 5},
    {"type": "rate", "key": KEY, "position": SQL, "score": 5},
    {"type": "rate", "key": KEY, "position": 2**70, "score": 5},
    {"type": "rate", "key": KEY, "position": -1, "score": 5},
    {"type": "rate", "key": KEY, "position": 99, "score": 5},
    {"type": "rate", "key": KEY, "position": {"a": 1}, "score": 5},
    {"type": "rate", "key": [KEY], "position": 0, "score": 5},
    {"type": "rate", "key": int("1" * 32), "position": 0, "score": 5},
    {"type": "rate", "key": KEY, "position": 0, "score": 11},
    {"type": "rate", "key": KEY, "position": 0, "score": True},
    {"type": "rate", "key": KEY, "position": 0, "score": 5.0},
    {"type": "rate", "key": KEY, "position": 0, "score": "5"},
    {"type": "rate", "key": KEY, "position": 0, "score": float("nan")},
    {"type": "rate", "key": KEY, "position": 0, "tag": "<script>"},
    {"type": "rate", "key": KEY, "position": 0, "score": 5, "reason": "both"},
    {"type": "rate", "key": KEY, "position": 0, "reason": {"a": 1}},
    {"type": "rate", "key": KEY, "position": 0, "reason": DEEP},
    {"type": "rate", "key": KEY, "position": 0, "reason": "\0"},
    {"type": "undo"}, {"type": "undo", "key": {"a": 1}}, {"type": "undo", "key": SQL},
    {"type": "undo", "key": "x" * 10**6},
]  # fmt: skip


@pytest.mark.parametrize("message", HOSTILE, ids=lambda message: str(message)[:50])
def test_message_that_no_page_sends_is_refused_in_a_few_words(labels, page, message):
    [answer] = page.handle(message)
    assert answer.content["type"] == "refused"
    assert answer.photo is None
    text = json.dumps(answer.content)
    assert len(text) < 1000
    assert "secret" not in text
    assert labels.ratings(undone=True).empty
    assert page.handle({"type": "state"})[0].content["type"] == "state"


def test_what_one_rater_said_is_neither_undone_nor_changed_by_another(labels):
    ada, bob = LabelProtocol(labels), LabelProtocol(labels)
    ada.handle({"type": "enter", "name": "Ada"})
    bob.handle({"type": "enter", "name": "Bob"})
    said = {"type": "rate", "key": uuid.uuid4().hex, "position": 0, "score": 7}
    assert ada.handle(said)[0].content["type"] == "saved"
    assert ada.handle(said)[0].content["type"] == "saved"  # a replay lands once
    assert bob.handle({**said, "score": 1})[0].content["type"] == "refused"
    bob.handle({"type": "undo", "key": said["key"]})
    assert labels.ratings()[["rater", "score"]].values.tolist() == [["Ada", 7]]
    ada.handle({"type": "undo", "key": said["key"]})
    assert ada.handle(said)[0].content["type"] == "saved"  # said before, and undone since
    assert labels.ratings().empty


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e300, "1", True, [1]])
def test_time_that_is_none_is_not_kept(labels, seconds):
    page = LabelProtocol(labels)
    page.handle({"type": "enter", "name": "Bob"})
    key = uuid.uuid4().hex
    page.handle({"type": "rate", "key": key, "position": 1, "score": 3, "seconds": seconds})
    assert labels.ratings().set_index("key")["seconds"].isna()[key]
    page.handle({"type": "undo", "key": key})


def test_pages_that_name_themselves_without_end_take_no_memory_without_end(labels):
    sent: list[dict] = []
    widget = LabelWidget(labels)
    widget.send = lambda content, **_: sent.append(content)

    def answer(kind: str, view: object) -> str:
        widget.answer({"type": kind, "view": view, "name": "Bob"})
        return sent.pop()["type"]

    assert answer("enter", "x" * 64) == "state"
    assert answer("state", "x" * 10_000) == "state"  # the same page
    for number in range(99):
        answer("hello", number)
    assert answer("state", "x" * 64) == "state"
    answer("hello", "one more")
    assert answer("state", "x" * 64) == "who"
    widget.answer("no message")
    assert sent == []


def test_ratings_made_by_hand_need_no_more_than_what_was_said():
    table = pd.DataFrame({"image_id": [1, 1, 2, 2], "rater": ["Ada", "Bob"] * 2,
                          "score": [3, 5, 8, 8]})  # fmt: skip
    assert krippendorff_alpha(table).value == pytest.approx(1 - 2 / 12)
    assert disagreements(table)["image_id"].iloc[0] == "1"
    assert len(rater_statistics(table)) == 2
    for ask in (krippendorff_alpha, repeat_pairs, self_agreement, rater_statistics, disagreements):
        with pytest.raises(CatalogError, match=rf"{ask.__name__}: .*no column 'rater'"):
            ask(table.drop(columns="rater"))
        with pytest.raises(LabelError, match="neither the column 'score'"):
            ask(table.drop(columns="score"))
    with pytest.raises(CatalogError, match="progress_text"):
        progress_text(table.drop(columns="image_id"), {})


def test_round_of_a_table_without_paths_is_refused_before_it_begins(labels, tmp_path):
    store = open_store(tmp_path / "labels.sqlite")
    with pytest.raises(CatalogError, match=r"begin_round: .*no column 'path'"):
        store.begin_round(pd.DataFrame({"image_id": ["a"]}))
    with pytest.raises(CatalogError, match="already"):
        store.begin_round(pd.DataFrame({"image_id": ["a", "a"], "path": ["a", "b"]}))
    assert store.rounds().empty
