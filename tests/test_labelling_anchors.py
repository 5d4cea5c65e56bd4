"""What scores mean, in words: kept with the round, the same for all its raters."""

from __future__ import annotations

import pandas as pd
import pytest

from hotelviz.errors import LabelError
from hotelviz.labelling import open_store
from hotelviz.labelling.anchors import ANCHORS
from hotelviz.labelling.protocol import LabelProtocol

PHOTOS = pd.DataFrame({"image_id": ["a", "b"], "path": ["a.jpg", "b.jpg"], "hotel_id": "h"})


@pytest.fixture
def store(tmp_path):
    store = open_store(tmp_path / "labels.sqlite")
    yield store
    store.close()


def test_what_scores_mean_is_kept_with_the_round_and_not_changed_once_it_has_begun(store):
    begun = store.begin_round(PHOTOS, n_raters=1, overlap=1, anchors={2: " dull\n ", 5: ""})
    assert begun.anchors == {2: "dull", 8: ANCHORS["aesthetic"][8]}
    told = LabelProtocol(store.round()).handle({"type": "hello"})[0].content["anchors"]
    assert told[0] == {"score": 2, "text": "dull"}
    # Who says nothing of them goes on with those that the raters have read.
    for again in (None, {2: "dull", 5: ""}):
        same = store.begin_round(PHOTOS, n_raters=1, overlap=1, anchors=again)
        assert (same.uid, same.anchors) == (begun.uid, begun.anchors)
    with pytest.raises(LabelError, match=r"begun with anchors=\{2: 'dull'.*another round"):
        store.begin_round(PHOTOS, n_raters=1, overlap=1, anchors={2: "ugly"})
    usual = store.begin_round(PHOTOS, name="2", task="technical", n_raters=1, overlap=1)
    assert usual.anchors == ANCHORS["technical"]


@pytest.mark.parametrize(
    ("task", "anchors", "said"),
    [
        ("tags", {2: "dull"}, "tags have no scores"),
        ("aesthetic", {11: "dull"}, "a whole number from 1 to 10, not 11"),
        ("aesthetic", {2: "x" * 81}, "at most 80 letters; this has 81"),
    ],
)
def test_words_for_what_is_no_score_are_refused(store, task, anchors, said):
    with pytest.raises(LabelError, match=said):
        store.begin_round(PHOTOS, task=task, n_raters=1, overlap=1, anchors=anchors)
    assert store.rounds().empty


def test_what_counts_as_a_class_is_kept_with_the_round_and_told_to_its_pages(store):
    about = {"task": "tags", "classes": ["Pool", "Big_Foyer"], "n_raters": 1, "overlap": 1}
    rules = {"Big_Foyer": "lounge\ncounts", "Pool": "indoors too"}
    begun = store.begin_round(PHOTOS, rules=rules, **about)
    assert begun.rules == {"Pool": "indoors too", "Big_Foyer": "lounge counts"}
    told = LabelProtocol(store.round()).handle({"type": "hello"})[0].content["rules"]
    assert told == [
        {"tag": "Pool", "text": "indoors too"}, {"tag": "Big Foyer", "text": "lounge counts"},
    ]  # fmt: skip
    assert store.begin_round(PHOTOS, **about).uid == begun.uid
    with pytest.raises(LabelError, match=r"begun with rules=\{.*another round"):
        store.begin_round(PHOTOS, rules={}, **about)
    for more, said in (
        (about | {"rules": {"Big_Foyr": "a"}}, "of 'Big_Foyr', which is not .*'Big_Foyer'"),
        ({"task": "technical", "rules": rules}, "a round of technical has scores"),
    ):
        with pytest.raises(LabelError, match=said):
            store.begin_round(PHOTOS, name="2", **more)
