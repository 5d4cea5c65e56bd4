"""Confusions against hand-computed ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hotelviz import metrics
from hotelviz.errors import HotelvizError

TAGS = pd.DataFrame(
    {
        "image_id": list("abcdefg"),
        "label": ["Pool", "Pool", "Pool", "Bath", "Bath", None, "Bath"],
        "predicted": ["Bath", "Bath", "Pool", "Foyer", "Bath", "Bath", None],
        "p_Bath": [0.5, 0.75, 0.0, 0.0, 1.0, 1.0, np.nan],
        "p_Pool": [0.25, 0.25, 1.0, 0.0, 0.0, 0.0, np.nan],
        "p_Foyer": [0.25, 0.0, 0.0, 1.0, 0.0, 0.0, np.nan],
    }
)
BARE = TAGS[["image_id", "label", "predicted"]]


def test_confusions_are_ordered_by_photos_or_by_confidence_gap():
    found = metrics.confusions(TAGS)
    assert found[["label", "predicted", "n_photos"]].values.tolist() == [
        ["Pool", "Bath", 2],
        ["Bath", "Foyer", 1],
    ]
    assert found["share"].tolist() == pytest.approx([2 / 3, 1 / 2])
    assert found["confidence_gap"].tolist() == [0.75, 1.0]
    surest = metrics.confusions(TAGS, by="confidence_gap")
    assert surest["label"].tolist() == ["Bath", "Pool"]


def test_misclassified_photos_come_by_frequency_then_confidence():
    wrong = metrics.misclassified(TAGS)
    assert wrong["image_id"].to_list() == ["b", "a", "d"]
    assert wrong["confusion"].to_list() == [
        "Pool predicted as Bath", "Pool predicted as Bath", "Bath predicted as Foyer",
    ]  # fmt: skip
    assert wrong["confidence"].to_list() == [0.75, 0.5, 1.0]
    assert wrong["confidence_gap"].to_list() == [0.5, 0.25, 1.0]


def test_photos_without_label_or_prediction_are_in_no_confusion():
    names = metrics.confusion_names(TAGS)
    assert names.notna().tolist() == [True, True, False, True, False, False, False]


def test_without_probabilities_confidence_is_missing():
    assert metrics.misclassified(BARE)["image_id"].to_list() == ["a", "b", "d"]
    assert metrics.misclassified(BARE)["confidence"].isna().all()
    assert metrics.confusions(BARE)["confidence_gap"].isna().all()
    with pytest.raises(metrics.MetricsError, match="no probabilities"):
        metrics.confusions(BARE, by="confidence_gap")


def test_label_that_the_model_does_not_know_has_probability_zero():
    unknown = TAGS.assign(label=TAGS["label"].replace("Pool", "Sauna"))
    found = metrics.confusions(unknown).set_index("predicted")
    assert found.loc["Bath", "confidence_gap"] == 1.25
    assert found.loc["Pool", "confidence_gap"] == 1.0


def test_nothing_is_confused_where_all_is_right():
    right = TAGS[TAGS["label"] == TAGS["predicted"]]
    for by in ("n_photos", "confidence_gap"):
        assert metrics.confusions(right, by=by).empty
    assert metrics.misclassified(right).empty
    assert metrics.confusions(TAGS[:0]).columns.to_list() == [
        "label", "predicted", "n_photos", "share", "confidence_gap",
    ]  # fmt: skip


def test_classes_that_are_numbers_are_the_same_beside_a_missing_one():
    """Pandas reads 0 and 1 as 0.0 and 1.0 where one of them is missing."""
    tags = pd.DataFrame({
        "label": [1.0, 0.0, np.nan], "predicted": [1, 1, 0], "p_0": [0.1, 0.2, 0.9],
        "p_1": [0.9, 0.8, 0.1],
    })  # fmt: skip
    read = tags.assign(label=[1, 0, 1], predicted=[1.0, 1.0, np.nan])
    for table in (tags, read):
        found = metrics.confusions(table)
        assert found[["label", "predicted"]].values.tolist() == [["0", "1"]]
        assert found["confidence_gap"].tolist() == pytest.approx([0.6])
        figures = metrics.summary(table.dropna()).set_index("metric")["value"]
        assert figures["top-1 accuracy"] == 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tags: tags.drop(columns="label"), "no column 'label'"),
        (lambda tags: pd.concat([tags, tags.iloc[:1]]), "'a' stands in row 0 already"),
    ],
    ids=["no labels", "a photo twice"],
)
def test_tables_that_cannot_be_judged_are_refused(change, message):
    with pytest.raises(HotelvizError, match=message):
        metrics.confusions(change(TAGS))
