"""What hotels' photos lack, and one hotel in several orders."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hotelviz.errors import RankingError
from hotelviz.ranking import (
    area_recall,
    completeness,
    current_and_new,
    orders_by_models,
    rank_hotel_photos,
)


def test_what_is_not_surely_seen_is_missing_only_where_labels_say_so():
    photos = pd.DataFrame({
        "image_id": list("abcd"), "hotel_id": ["g", "g", "h", "i"], "score": 5.0,
        "predicted": ["Pool", "Pool", "Foyer", "Foyer"],
        "p_Pool": [0.9, 0.5, 0.4, 0.25], "p_Foyer": [0.1, 0.5, 0.6, 0.75],
    })  # fmt: skip
    labels = pd.DataFrame({"image_id": list("abc"), "label": ["Pool", "Foyer", "Foyer"]})
    table = completeness(photos, catalog=labels, areas=["Pool", "Foyer", "Kitchen"])
    # The tagger does not know kitchens: it cannot miss them.
    assert table.set_index(["hotel_id", "area"])["state"].to_dict() == {
        ("g", "Pool"): "seen", ("g", "Foyer"): "overlooked",
        ("h", "Pool"): "missing", ("h", "Foyer"): "seen",
        ("i", "Pool"): "not seen", ("i", "Foyer"): "seen",
    }  # fmt: skip
    unseen = table[table["state"] != "seen"].set_index("hotel_id")
    assert unseen["candidate"].to_dict() == {"g": "b", "h": "c", "i": "d"}
    assert unseen["probability"].to_dict() == {"g": 0.5, "h": 0.4, "i": 0.25}
    recall = area_recall(table).set_index("area")
    assert recall["recall"].to_dict() == {"Pool": 1.0, "Foyer": 0.5}
    assert recall.loc["Foyer", ["hotels", "seen", "there"]].to_list() == [3, 2, 2]


def test_without_tags_nothing_is_said_to_be_missing():
    photos = pd.DataFrame({"image_id": ["a"], "hotel_id": ["h"], "score": [5.0]})
    table = completeness(photos)
    assert table.empty
    assert area_recall(table).empty


def test_tags_without_probabilities_are_taken_as_sure():
    photos = pd.DataFrame({
        "image_id": ["a", "b"], "hotel_id": ["h", None], "score": 5.0, "predicted": "Pool",
    })  # fmt: skip
    table = completeness(photos)
    assert table[["hotel_id", "area", "state"]].to_numpy().tolist() == [
        ["b", "Pool", "seen"], ["h", "Pool", "seen"],
    ]  # fmt: skip


def test_candidates_that_are_equally_probable_go_by_name():
    photos = pd.DataFrame({
        "image_id": list("cab"), "hotel_id": "h", "score": 5.0, "predicted": "Pool",
        "p_Pool": 0.5, "p_Foyer": 0.5,
    })  # fmt: skip
    assert completeness(photos)["candidate"].to_list() == ["a", "a"]


def test_one_hotel_by_each_model_beside_today_with_moves():
    photos = pd.DataFrame({"image_id": list("dcba"), "position": [2, 1, 2, None]})
    first = pd.DataFrame({"image_id": list("abcd"), "score": [5.0, 5.0, 6.0, np.nan]})
    second = pd.DataFrame({"image_id": list("abcd"), "score": [7.0, 4.0, 4.0, 3.0]})
    orders = orders_by_models(photos, {"first": first, "second": second})
    placed = {name: rows["image_id"].to_list() for name, rows in orders.groupby("order")}
    # Ties go by the current place, then by name.
    assert placed == {"today": list("cbd"), "first": list("cba"), "second": list("acbd")}
    moves = orders.set_index(["order", "image_id"])["move"]
    assert moves["today"].to_list() == ["", "", ""]
    assert moves["first"].to_dict() == {"c": "=", "b": "=", "a": "new"}
    assert moves["second"].to_dict() == {"a": "▲2", "c": "▼1", "b": "▼1", "d": "new"}
    assert set(orders.loc[orders["order"] == "first", "photos"]) == {3}
    without = orders_by_models(photos[["image_id"]], {"first": first})
    assert set(without["order"]) == {"first"}
    with pytest.raises(RankingError, match="second: none of the photos has a score"):
        orders_by_models(photos, {"first": first, "second": second.assign(score=np.nan)})


def test_current_order_breaks_ties_by_name_whatever_the_order_of_rows():
    scores = pd.DataFrame({"image_id": list("abcd"), "hotel_id": "h", "score": [5.0, 6, 5, 5]})
    catalog = scores[["image_id"]].assign(position=[1, 1, 1, 2])
    ranked = rank_hotel_photos(scores, catalog=catalog)
    orders = current_and_new(ranked.iloc[::-1])
    placed = {name: rows["image_id"].to_list() for name, rows in orders.groupby("order")}
    assert placed == {"today": list("abcd"), "new order": list("bacd")}
    with pytest.raises(RankingError, match="one hotel"):
        current_and_new(pd.concat([ranked, ranked.assign(hotel_id="other")]))
