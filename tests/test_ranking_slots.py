"""Which photo takes a slot, where near-duplicates stand, and who loses by an order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hotelviz.ranking import (
    compare_with_current,
    losing_hotels,
    rank_hotel_photos,
    ranking_figures,
)


def tagged(*rows: tuple[str, float, str]) -> pd.DataFrame:
    """Photos of one hotel: name, score and an area of which the tagger is sure."""
    table = pd.DataFrame(rows, columns=["image_id", "score", "predicted"]).assign(hotel_id="h")
    shares = {f"p_{area}": (table["predicted"] == area) * 0.9 for area in set(table["predicted"])}
    return table.assign(**shares)


def test_poor_photo_takes_no_slot_while_the_hotel_has_better_ones():
    photos = tagged(("a", 6.0, "Pool"), ("b", 5.5, "Pool"), ("c", 5.0, "Pool"),
                    ("d", 2.6, "Bedroom"))  # fmt: skip
    ranked = rank_hotel_photos(photos).set_index("image_id")
    assert ranked["rank"].to_dict() == {"a": 1, "b": 2, "c": 3, "d": 4}
    assert ranked.loc["d", "reason"] == "by score"
    without_limit = rank_hotel_photos(photos, min_slot_score=0).set_index("image_id")
    assert without_limit.loc["d", ["rank", "reason"]].to_list() == [2, "best Bedroom"]


def test_hotel_of_poor_photos_shows_the_areas_of_its_better_half():
    photos = tagged(("a", 3.0, "Pool"), ("b", 2.9, "Pool"), ("c", 2.8, "Bedroom"),
                    ("d", 2.7, "Foyer"), ("e", 2.6, "Pool"))  # fmt: skip
    ranked = rank_hotel_photos(photos)
    assert ranked["image_id"].to_list() == ["a", "c", "b", "d", "e"]
    assert ranked["reason"].to_list() == ["best of all", "best Bedroom", *["by score"] * 3]


def test_best_photo_leads_though_it_shows_no_area_for_sure():
    photos = tagged(("a", 6.0, "Pool"), ("b", 5.0, "Bedroom"), ("c", 4.5, "Pool"))
    photos.loc[0, "p_Pool"] = 0.5
    ranked = rank_hotel_photos(photos)
    assert ranked["image_id"].to_list() == ["a", "b", "c"]
    assert ranked["reason"].to_list() == ["best of all", "best Bedroom", "best Pool"]


def test_near_duplicates_are_beside_each_other_as_rarely_as_can_be_and_the_best_leads():
    random = np.random.default_rng(3)
    hotels = []
    for hotel in range(300):
        count = int(random.integers(1, 9))
        hotels.append(
            pd.DataFrame(
                {
                    "image_id": [f"{hotel}-{number}" for number in range(count)],
                    "hotel_id": f"h{hotel:03}",
                    "score": np.arange(count, 0, -1.0),
                    "duplicate_group": random.choice([1.0, 1.0, 1.0, 2.0, 3.0, np.nan], count),
                }
            )
        )
    ranked = rank_hotel_photos(pd.concat(hotels, ignore_index=True))
    assert (ranked.loc[ranked["rank"] == 1, "rank_by_score"] == 1).all()
    figures = ranking_figures(ranked)
    beside = figures[figures["order"] == "with coverage"].set_index("hotel_id")["duplicates_beside"]
    for hotel, rows in ranked.groupby("hotel_id"):
        least = 0
        for group, size in rows["duplicate_group"].value_counts().items():
            # Each but the first needs another photo before it; the first, where it does not lead.
            leads = int(rows["duplicate_group"].fillna(0).iloc[0] == group)
            least = max(least, size - (len(rows) - size) - leads)
        assert beside[hotel] == least, rows
    assert (beside > 0).any()


def test_copies_alone_cannot_be_kept_apart_which_is_counted():
    photos = pd.DataFrame(
        {"image_id": list("abc"), "hotel_id": "h", "score": [3.0, 2.0, 1.0], "hash": np.uint64(7)}
    )
    ranked = rank_hotel_photos(photos)
    assert ranked["image_id"].to_list() == ["a", "b", "c"]
    assert set(ranking_figures(ranked)["duplicates_beside"]) == {2}


def test_hotels_that_lose_by_the_new_order_are_named_with_how_much():
    photos = tagged(("a", 6.0, "Pool"), *((name, 5.0, "Pool") for name in "bcde"),
                    ("f", 1.0, "Bedroom"))  # fmt: skip
    places = photos[["image_id"]].assign(position=[1, 6, 2, 3, 4, 5])
    places.loc[photos["image_id"] == "f", "position"] = 6
    places.loc[photos["image_id"] == "b", "position"] = 5
    figures = ranking_figures(rank_hotel_photos(photos, catalog=places, min_slot_score=0))
    losing = losing_hotels(compare_with_current(figures))
    # The poor bedroom comes second: the first five have the mean 4.4 instead of 5.2.
    assert losing["score_gained"].to_list() == [pytest.approx(4.4 - 5.2)]
    unknown = ranking_figures(rank_hotel_photos(photos, min_slot_score=0))
    assert losing_hotels(compare_with_current(unknown)).empty


def test_possible_areas_are_those_that_are_surely_seen():
    photos = tagged(("a", 6.0, "Pool"), ("b", 5.5, "Pool"), ("c", 5.0, "Foyer"))
    figures = ranking_figures(rank_hotel_photos(photos))
    assert set(figures["possible_areas_in_8"]) == {2}
