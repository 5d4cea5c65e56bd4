"""Labelling: who gets what, each rating once, and what raters' pages are told."""

from __future__ import annotations

import io
import json
import sqlite3
import threading
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sqlalchemy import event

from hotelviz.errors import LabelError, StoreError
from hotelviz.labelling import LabelWidget, assign_photos, open_store
from hotelviz.labelling.protocol import LabelProtocol, shown_photo


def table(count: int) -> pd.DataFrame:
    names = [f"p{number}" for number in range(count)]
    hotels = [f"h{number // 4}" for number in range(count)]
    return pd.DataFrame({"image_id": names, "path": names, "hotel_id": hotels})


def key() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def store(tmp_path):
    store = open_store(tmp_path / "labels.sqlite")
    yield store
    store.close()


@pytest.mark.parametrize(
    ("photos", "raters", "overlap"), [(1, 1, 1), (5, 12, 3), (100, 12, 3), (97, 7, 7), (50, 3, 2)]
)
def test_assignment_is_even_to_within_one_and_each_photo_goes_to_different_raters(
    photos, raters, overlap
):
    assigned = assign_photos(photos, n_raters=raters, overlap=overlap, seed=3)
    sizes = assigned.groupby("rater").size().reindex(range(raters), fill_value=0)
    assert sizes.max() - sizes.min() <= 1
    assert (assigned.groupby("photo")["rater"].nunique() == overlap).all()
    assert len(assigned) == photos * overlap
    assert assigned.groupby("rater")["position"].apply(sorted).map(
        lambda positions: positions == list(range(len(positions)))
    ).all()  # fmt: skip


def test_each_pair_of_raters_shares_about_equally_many_photos():
    assigned = assign_photos(400, n_raters=8, overlap=2, seed=0)
    pairs = assigned.groupby("photo")["rater"].apply(lambda raters: tuple(sorted(raters)))
    counts = pairs.value_counts()
    assert len(counts) == 28
    assert counts.max() - counts.min() <= 3


def test_orders_differ_and_repeats_come_again_much_later():
    assigned = assign_photos(120, n_raters=4, overlap=4, repeats=10, seed=1)
    orders = [tuple(rows["photo"]) for _, rows in assigned.groupby("rater")]
    assert len(set(orders)) == 4
    for _, rows in assigned.groupby("rater"):
        first = rows[rows["repeat"] == 0].set_index("photo")["position"]
        again = rows[rows["repeat"] == 1].set_index("photo")["position"]
        assert len(again) == 10
        assert ((again - first.reindex(again.index)) >= 30).all()
    assert assigned.equals(assign_photos(120, n_raters=4, overlap=4, repeats=10, seed=1))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"n_photos": 0, "n_raters": 2, "overlap": 1}, "no photos"),
        ({"n_photos": 3, "n_raters": 2, "overlap": 3}, "an overlap from 1 to 2"),
        ({"n_photos": 3, "n_raters": 2, "overlap": 1, "repeats": -1}, "negative"),
    ],
)
def test_assignment_that_cannot_be_is_refused(arguments, said):
    with pytest.raises(LabelError, match=said):
        assign_photos(**arguments)


def test_rating_that_is_sent_again_lands_once_and_another_tab_cannot_rate_the_position(store):
    labels = store.begin_round(table(3), n_raters=1, overlap=1, repeats=0)
    ada = labels.enter("Ada")
    first = key()
    assert labels.rate(ada, 0, first, score=7, seconds=1.5) == "saved"
    assert labels.rate(ada, 0, first, score=7, seconds=1.5) == "saved"
    assert labels.rate(ada, 0, key(), score=2) == "taken"
    assert labels.ratings()[["key", "score"]].values.tolist() == [[first, 7]]
    labels.undo(ada, first)
    labels.undo(ada, first)
    labels.undo(ada, key())
    assert labels.rate(ada, 0, first, score=7) == "saved"  # late, and undone already
    assert labels.ratings().empty
    assert labels.rate(ada, 0, key(), score=2) == "saved"
    everything = labels.ratings(undone=True)
    assert everything["score"].tolist() == [7, 2]
    assert everything["undone"].notna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("rating", "said"),
    [
        ({"score": 11}, "whole number from 1 to 10"),
        ({"score": 0}, "whole number from 1 to 10"),
        ({"score": True}, "whole number from 1 to 10"),
        ({"tag": "Pool"}, "whole number from 1 to 10"),
        ({"reason": "  "}, "needs a reason"),
        ({}, "one score, one tag, or one reason"),
        ({"score": 3, "reason": "no"}, "one score, one tag, or one reason"),
        ({"score": 3, "position": 9}, "has no position 9"),
        ({"score": 3, "key": "'; DROP TABLE"}, "is a UUID"),
    ],
)
def test_rating_that_does_not_fit_is_refused(store, rating, said):
    labels = store.begin_round(table(3), n_raters=1, overlap=1, repeats=0)
    ada = labels.enter("Ada")
    arguments = {"position": 0, "key": key(), **rating}
    with pytest.raises(LabelError, match=said):
        labels.rate(ada, arguments.pop("position"), arguments.pop("key"), **arguments)
    assert labels.ratings().empty


NAMES = [
    '"Ada" O\'Neil',
    "<script>alert(1)</script>",
    "🏨 Bo",
    "عدا נעמי",
    "Robert'); DROP TABLE x;--",
]


def test_names_of_any_kind_keep_their_numbers(store):
    labels = store.begin_round(table(6), n_raters=5, overlap=1, repeats=0)
    numbers = [labels.enter(name) for name in NAMES]
    assert sorted(numbers) == [0, 1, 2, 3, 4]
    assert [labels.enter(f"  {name.upper()}\n") for name in NAMES[:4]] == numbers[:4]
    assert set(labels.raters()["name"]) == set(NAMES)
    with pytest.raises(LabelError, match="all 5 seats of this round are taken"):
        labels.enter("one more")


@pytest.mark.parametrize(("name", "said"), [("  \n", "enter a name"), ("x" * 61, "at most 60"),
                                            ("\x00\x07", "enter a name")])  # fmt: skip
def test_name_that_is_none_is_refused(store, name, said):
    with pytest.raises(LabelError, match=said):
        store.begin_round(table(2), n_raters=1, overlap=1).enter(name)


@pytest.mark.slow
def test_twelve_raters_at_once_get_even_shares_and_lose_nothing(store, tmp_path):
    labels = store.begin_round(table(60), n_raters=12, overlap=3, repeats=2)
    sent: list[str] = []

    def sit(name: str) -> None:
        mine = open_store(tmp_path / "labels.sqlite", create=False)
        rater = mine.round().enter(name)
        for item in mine.round().items(rater):
            rating = key()
            for _ in range(2):
                assert mine.round().rate(rater, item.position, rating, score=5) == "saved"
            sent.append(rating)
        mine.close()

    threads = [threading.Thread(target=sit, args=(f"rater {n}",)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = labels.ratings(undone=True)
    assert sorted(kept["key"]) == sorted(sent)
    assert len(sent) == 12 * 17
    assert labels.raters()["name"].nunique() == 12
    assert (labels.progress()["left"] == 0).all()


def test_round_goes_on_with_the_same_settings_and_refuses_others(store):
    first = store.begin_round(table(4), n_raters=2, overlap=2, repeats=1)
    assert store.begin_round(table(4), n_raters=2, overlap=2, repeats=1).uid == first.uid
    with pytest.raises(LabelError, match=r"begun with n_raters=2, not 3.*another round"):
        store.begin_round(table(4), n_raters=3, overlap=2, repeats=1)
    with pytest.raises(LabelError, match="4 photos, of which 3 are among the 3 given"):
        store.begin_round(table(3), n_raters=2, overlap=2, repeats=1)
    with pytest.raises(LabelError, match="did you mean 'aesthetic'"):
        store.begin_round(table(3), name="2", task="asthetic")
    store.begin_round(table(3), name="2", n_raters=2, overlap=1, task="tags", classes=["Pool"])
    assert store.rounds()[["name", "task", "photos"]].values.tolist() == [
        ["1", "aesthetic", 4], ["2", "tags", 3]]  # fmt: skip
    assert store.round().name == "2"
    with pytest.raises(LabelError, match="no round '3'; there are 2, 1"):
        store.round("3")


def test_store_that_is_none_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(LabelError, match="there is no such store"):
        open_store(tmp_path / "none.sqlite", create=False)
    (tmp_path / "text.sqlite").write_text("no database at all, but long enough to look at" * 9)
    with pytest.raises(StoreError, match="no file of SQLite"):
        open_store(tmp_path / "text.sqlite")
    with pytest.raises(LabelError, match="neither a file nor an address"):
        open_store("nonsense://x")
    with pytest.raises(StoreError) as refused:
        open_store("postgresql://ada:secret@127.0.0.1:1/labels")
    assert "secret" not in str(refused.value)
    with pytest.raises(LabelError, match="no round of labelling was begun"):
        open_store(tmp_path / "new.sqlite").round()


def test_store_of_the_first_version_is_read_and_one_of_a_later_version_refused(store, tmp_path):
    labels = store.begin_round(table(2), n_raters=1, overlap=1, repeats=1)
    ada = labels.enter("Ada")
    labels.rate(ada, 0, key(), score=7)
    with sqlite3.connect(tmp_path / "labels.sqlite") as database:
        for name, columns in {
            "label_rounds": {"raters", "overlap", "gold"},
            "label_seats": {"seat", "name", "folded"},
            "label_ratings": {"seat", "place", "score", "tag", "reason"},
        }.items():
            found = database.execute(f"PRAGMA table_info({name})").fetchall()
            assert columns <= {column[1] for column in found}
        database.execute("DROP TABLE label_schema")
        database.execute("DROP TABLE label_anchors")
    for create in (False, True):
        again = open_store(tmp_path / "labels.sqlite", create=create)
        assert again.round().anchors == {}
        assert again.round().ratings()[["rater", "position", "score"]].values.tolist() == [
            ["Ada", 0, 7]]  # fmt: skip
        again.close()
    with sqlite3.connect(tmp_path / "labels.sqlite") as database:
        database.execute("UPDATE label_schema SET version = 7")
    for create in (False, True):
        with pytest.raises(LabelError, match=r"are of version 7, and this hotelviz .* version 1"):
            open_store(tmp_path / "labels.sqlite", create=create)


def test_full_disk_fails_the_rating_and_takes_it_later(store):
    labels = store.begin_round(table(300), n_raters=1, overlap=1, repeats=0)
    page = LabelProtocol(labels)
    page.handle({"type": "enter", "name": "Ada"})
    limit = ["PRAGMA max_page_count=1"]

    @event.listens_for(store.database.engine, "checkout")
    def bound(connection, *_):
        connection.execute(limit[0])

    answers = []
    messages = [
        {"type": "rate", "position": position, "key": key(), "reason": "x" * 290}
        for position in range(300)
    ]
    for message in messages:
        answers.append((message, page.handle(message)[0].content))
        if answers[-1][1]["type"] == "failed":
            break
    failed, answer = answers[-1]
    assert answer["type"] == "failed"
    assert "the disk is full" in answer["message"]
    limit[0] = "PRAGMA max_page_count=1000000"
    assert page.handle(failed)[0].content["type"] == "saved"
    assert labels.ratings()["key"].tolist() == [message["key"] for message, _ in answers]


def test_read_only_store_says_so_and_can_still_be_read(store, tmp_path):
    labels = store.begin_round(table(2), n_raters=1, overlap=1, repeats=0)
    page = LabelProtocol(labels)
    page.handle({"type": "enter", "name": "Ada"})

    @event.listens_for(store.database.engine, "checkout")
    def bound(connection, *_):
        connection.execute("PRAGMA query_only=ON")

    answer = page.handle({"type": "rate", "position": 0, "key": key(), "score": 3})[0].content
    assert answer["type"] == "failed"
    assert "it is read-only" in answer["message"]
    assert page.handle({"type": "state"})[0].content["type"] == "state"


def test_who_has_finished_helps_out_where_ratings_lack(store):
    labels = store.begin_round(table(6), n_raters=3, overlap=1, repeats=0)
    ada, bo = labels.enter("Ada"), labels.enter("Bo")
    for item in labels.items(ada):
        labels.rate(ada, item.position, key(), score=4)
    items = labels.items(bo)
    labels.rate(bo, items[0].position, key(), reason="I cannot decide")
    labels.rate(bo, items[1].position, key(), reason="cannot be shown: missing")
    # The list of the rater who never came, then the photo that Bo left out; no missing file.
    assert [labels.help_out(ada) for _ in range(4)] == [True, True, True, False]
    more = labels.items(ada)[2:]
    assert items[0].photo in {item.photo for item in more}
    assert items[1].photo not in {item.photo for item in more}
    for item in more:
        labels.rate(ada, item.position, key(), score=4)
    assert labels.ratings().dropna(subset="score")["image_id"].nunique() == 5
    assert not labels.help_out(bo)


@pytest.fixture
def photos(tmp_path) -> pd.DataFrame:
    names = ["wide.jpg", "<b>'quoted' \"🏨\" عدا.png", "gone.jpg"]
    Image.new("RGB", (4000, 1000), "red").save(tmp_path / names[0])
    Image.new("RGB", (40, 30), "blue").save(tmp_path / names[1])
    return pd.DataFrame(
        {"image_id": names, "path": [str(tmp_path / name) for name in names], "hotel_id": "h"}
    )


def test_photos_are_shown_large_and_one_that_is_gone_is_said_without_its_name(store, photos):
    labels = store.begin_round(photos, n_raters=1, overlap=1, repeats=0)
    page = LabelProtocol(labels)
    assert page.handle({"type": "photos", "positions": [0]})[0].content["type"] == "who"
    page.handle({"type": "enter", "name": "Ada"})
    shown = {}
    for item in labels.items(0):
        [answer] = page.handle({"type": "photos", "positions": [item.position]})
        shown[item.photo] = answer
    assert shown[2].content["error"] == "cannot be shown: missing"
    assert "gone" not in json.dumps(shown[2].content)
    assert shown[0].photo is not None

    assert Image.open(io.BytesIO(shown[0].photo)).size == (1600, 400)
    assert Image.open(io.BytesIO(shown[1].photo)).size == (40, 30)


def test_photo_on_its_side_is_shown_upright(tmp_path):
    file = tmp_path / "side.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (3200, 1600)).save(file, exif=exif)

    assert Image.open(io.BytesIO(shown_photo(file)[0])).size == (800, 1600)


def test_page_tells_nothing_of_other_raters_or_models(store):
    catalog = table(4).assign(score=9.87, label="Secret", rating_9=1.0)
    labels = store.begin_round(catalog, n_raters=2, overlap=2, repeats=0)
    other = labels.enter("Other")
    for item in labels.items(other):
        labels.rate(other, item.position, key(), score=9)
    page = LabelProtocol(labels)
    messages = [{"type": "hello"}, {"type": "enter", "name": "Ada"},
                {"type": "photos", "positions": [0, 1]},
                {"type": "rate", "position": 0, "key": key(), "score": 4}, {"type": "state"},
                {"type": "more"}]  # fmt: skip
    said = [answer.content for message in messages for answer in page.handle(message)]
    state = next(content for content in said[4:] if content["type"] == "state")
    assert [item["said"] for item in state["items"]] == [4, None, None, None]
    text = json.dumps(said)
    for secret in ("9.87", "Secret", "p0", "h0"):
        assert secret not in text


def test_page_refuses_what_it_does_not_understand(store):
    page = LabelProtocol(store.begin_round(table(2), n_raters=1, overlap=1))
    assert page.handle({"type": "explode"})[0].content["type"] == "refused"
    assert page.handle({"type": "enter"})[0].content["type"] == "refused"
    page.handle({"type": "enter", "name": "Ada"})
    assert "lacks something" in page.handle({"type": "rate"})[0].content["message"]


def test_widget_answers_each_page_by_itself(store, monkeypatch):
    widget = LabelWidget(store.begin_round(table(4), n_raters=2, overlap=1, repeats=0))
    sent = []
    monkeypatch.setattr(widget, "send", lambda content, buffers=None: sent.append(content))
    for view, name in (("one", "Ada"), ("two", "Bo")):
        widget.answer({"type": "enter", "name": name, "view": view})
    widget.answer("no message")
    assert [(content["view"], content["rater"]) for content in sent] == [("one", 0), ("two", 1)]
    widget.close()


def test_template_asks_nothing_of_the_outside():
    import hotelviz

    static = Path(hotelviz.__file__).parent / "labelling" / "static"
    files = [*static.glob("*.*"), *static.rglob("*.j2")]
    assert {file.suffix for file in files} == {".css", ".j2", ".js"}
    for file in files:
        assert "://" not in file.read_text(encoding="utf-8"), file


def test_assigning_many_photos_stays_fast_and_even():
    sizes = assign_photos(20_000, n_raters=12, overlap=3, repeats=10).groupby("rater").size()
    assert np.ptp(sizes.to_numpy()) <= 1
