"""Ranking: coverage, near-duplicates, figures."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.metrics import ndcg_score

from hotelviz.errors import RankingError
from hotelviz.ranking import (
    AREA_ORDER,
    compare_with_current,
    map_parts,
    rank_dataset,
    rank_hotel_photos,
    ranking_figures,
    ranking_summary,
    read_ranking,
)
from hotelviz.ranking.algorithm import near_pairs


def make(count=60, hotels=3, seed=0):
    random = np.random.default_rng(seed)
    names = [f"p{number:03d}" for number in range(count)]
    scores = pd.DataFrame(
        {
            "image_id": names,
            "hotel_id": [f"h{number % hotels}" for number in range(count)],
            "score": random.uniform(2, 8, count),
            "hash": random.integers(0, 2**63, count, dtype=np.uint64),
        }
    )
    shares = random.dirichlet(np.full(8, 0.1), count)
    tags = pd.DataFrame(shares, columns=[f"p_{area}" for area in AREA_ORDER])
    tags["predicted"] = np.array(AREA_ORDER)[shares.argmax(axis=1)]
    tags["image_id"] = names
    catalog = scores[["image_id", "hotel_id"]].copy()
    catalog["position"] = scores.groupby("hotel_id").cumcount() + 1
    return scores, tags, catalog


def test_best_of_all_leads_then_the_best_of_each_other_area_then_the_rest_by_score():
    scores, tags, catalog = make()
    ranked = rank_hotel_photos(scores, tags, catalog=catalog, min_slot_score=0)
    for _, hotel in ranked.groupby("hotel_id"):
        assert hotel["rank"].to_list() == list(range(1, len(hotel) + 1))
        lead = hotel.iloc[0]
        assert (lead["score"], lead["reason"]) == (hotel["score"].max(), "best of all")
        sure = hotel[hotel["trusted"]]
        shown = lead["area"] if lead["trusted"] else ""
        wanted = [area for area in AREA_ORDER if area in set(sure["area"]) - {shown}]
        slots = hotel.iloc[1 : len(wanted) + 1]
        assert slots["area"].to_list() == wanted
        for row in slots.itertuples():
            assert row.score == sure.loc[sure["area"] == row.area, "score"].max()
            assert row.reason == f"best {row.area}".replace("_", " ")
        assert hotel["score"].iloc[len(wanted) + 1 :].is_monotonic_decreasing


def test_unsure_tags_get_no_slot():
    scores, tags, _ = make(count=2, hotels=1)
    tags[[f"p_{area}" for area in AREA_ORDER]] = 0.1
    tags["predicted"] = ["Pool", "Bedroom"]
    ranked = rank_hotel_photos(scores, tags, min_confidence=0.6)
    assert ranked["reason"].to_list() == ["best of all", "by score"]
    assert not ranked["trusted"].any()
    assert (ranked["rank"] == ranked["rank_by_score"]).all()


def test_near_duplicates_are_never_beside_each_other():
    scores, tags, _ = make(count=40, hotels=2)
    same = scores["hotel_id"] == "h0"
    scores.loc[same, "score"] = np.linspace(8, 4, same.sum())
    # The eight best photos of one hotel are the same picture, but for one bit.
    best = scores.index[same][:8]
    scores.loc[best, "hash"] = np.uint64(12345)
    scores.loc[best[3], "hash"] = np.uint64(12344)
    ranked = rank_hotel_photos(scores, tags)
    groups = ranked.loc[ranked["hotel_id"] == "h0", "duplicate_group"]
    assert groups.notna().sum() == 8
    assert groups.nunique() == 1
    neighbours = groups.notna().to_numpy()
    assert not (neighbours[1:] & neighbours[:-1]).any()
    assert sorted(ranked["image_id"]) == sorted(scores["image_id"])
    moved = ranked["reason"].str.contains("near-duplicate of p")
    assert moved.any()
    assert ranked.loc[moved, "duplicate_group"].notna().all()


def test_equal_scores_keep_the_current_order():
    scores, _, catalog = make(count=9, hotels=1)
    scores["score"] = 5.0
    catalog["position"] = catalog["position"].to_numpy()[::-1]
    ranked = rank_hotel_photos(scores, catalog=catalog)
    assert ranked["position"].to_list() == list(range(1, 10))
    assert rank_hotel_photos(scores)["image_id"].is_monotonic_increasing


def test_scores_are_told_apart_to_their_last_bit():
    values = [
        5.0,
        5.0 + 1e-12,
        -3.0,
        np.nextafter(5.0, 9.0),
        -0.0,
        -3.5,
        0.0,
        1e-40,
        7.5,
        -3.0 + 1e-12,
    ]
    scores = pd.DataFrame(
        {"image_id": list("abcdefghij"), "hotel_id": "h", "score": np.array(values)}
    )
    ranked = rank_hotel_photos(scores)
    assert ranked["score"].is_monotonic_decreasing
    assert ranked["image_id"].to_list() == list("ibdahegjcf")


def test_hotels_are_ranked_alike_whichever_others_are_beside(monkeypatch):
    scores, tags, catalog = make(count=300, hotels=11)
    scores.loc[::4, "hash"] = 17
    whole = rank_hotel_photos(scores, tags, catalog=catalog)
    monkeypatch.setattr("hotelviz.ranking.algorithm.SLICE", 40)
    sliced = rank_hotel_photos(scores, tags, catalog=catalog)
    columns = whole.columns.drop("duplicate_group")
    pd.testing.assert_frame_equal(whole[columns], sliced[columns])
    assert whole["reason"].str.contains("moved down").any()


def test_hotel_with_one_photo_is_ranked():
    scores, tags, catalog = make(count=1, hotels=1)
    ranked = rank_hotel_photos(scores, tags, catalog=catalog)
    assert ranked[["rank", "rank_by_score", "photos"]].to_numpy().tolist() == [[1, 1, 1]]
    figures = ranking_figures(ranked)
    assert figures["ndcg"].to_list() == [1.0, 1.0, 1.0]


def test_ndcg_is_scikit_learns():
    scores, tags, catalog = make()
    ranked = rank_hotel_photos(scores, tags, catalog=catalog)
    figures = ranking_figures(ranked).set_index(["order", "hotel_id"])["ndcg"]
    for hotel, rows in ranked.groupby("hotel_id"):
        for order, column in (("current", "position"), ("with coverage", "rank")):
            theirs = ndcg_score([rows["score"]], [-rows[column].astype(float)])
            assert figures[order, hotel] == pytest.approx(theirs)


def test_coverage_shows_all_areas_that_can_be_shown():
    scores, tags, catalog = make(count=300, hotels=5)
    ranked = rank_hotel_photos(scores, tags, catalog=catalog, min_slot_score=0)
    figures = ranking_figures(ranked)
    new = figures[figures["order"] == "with coverage"]
    # A lead of which the tagger is not sure takes one of the eight places.
    unsure = ~ranked[ranked["rank"] == 1].set_index("hotel_id")["trusted"][new["hotel_id"]]
    assert unsure.any()
    assert (new["areas_in_8"] == new["possible_areas_in_8"] - unsure.to_numpy()).all()
    summary = ranking_summary(figures)
    assert summary.index.to_list() == ["current", "by score", "with coverage"]
    assert summary.loc["with coverage", "all_areas_in_8"] == 1 - unsure.mean()
    assert summary.loc["current", "areas_in_8"] < summary.loc["with coverage", "areas_in_8"]
    assert compare_with_current(figures)["areas_gained"].is_monotonic_decreasing


def test_without_the_current_order_gains_are_those_over_the_order_by_score():
    scores, tags, _ = make(count=300, hotels=5)
    figures = ranking_figures(rank_hotel_photos(scores, tags)).set_index(["order", "hotel_id"])
    gained = compare_with_current(figures.reset_index()).set_index("hotel_id")["areas_gained"]
    shown = figures["areas_in_8"]
    for hotel in gained.index:
        assert gained[hotel] == shown["with coverage", hotel] - shown["by score", hotel]
    assert gained.iloc[0] > 0


def test_duplicates_in_the_first_eight_are_counted():
    scores, _, _ = make(count=12, hotels=1)
    scores["duplicate_group"] = [1] * 3 + [None] * 9
    scores["score"] = np.arange(12, 0, -1, dtype=float)
    ranked = rank_hotel_photos(scores)
    figures = ranking_figures(ranked).set_index("order")["duplicates_in_8"]
    assert figures["by score"] == 2


def test_current_order_is_left_out_where_positions_are_unknown():
    scores, _, catalog = make(count=9, hotels=3)
    catalog["position"] = catalog["position"].astype("Int64")
    catalog.loc[catalog["hotel_id"] == "h0", "position"] = pd.NA
    figures = ranking_figures(rank_hotel_photos(scores, catalog=catalog))
    assert set(figures.loc[figures["order"] == "current", "hotel_id"]) == {"h1", "h2"}


def test_photos_of_no_hotel_are_each_by_themselves():
    scores = pd.DataFrame({
        "image_id": list("abcd"), "hotel_id": [7.0, None, 7.0, None], "score": [4.0, 5, 6, 7],
    })  # fmt: skip
    ranking = rank_hotel_photos(scores)
    assert ranking[["hotel_id", "image_id", "rank"]].to_numpy().tolist() == [
        ["7", "c", 1], ["7", "a", 2], ["b", "b", 1], ["d", "d", 1],
    ]  # fmt: skip


def test_photos_without_score_or_tag_are_handled():
    scores, tags, _ = make(count=6, hotels=1)
    scores.loc[0, "score"] = np.nan
    ranked = rank_hotel_photos(scores, tags.iloc[:3])
    assert len(ranked) == 5
    assert ranked["area"].isna().sum() == 3


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (pd.DataFrame({"image_id": ["a"], "score": [1.0]}), "column 'hotel_id'"),
        (pd.DataFrame({"image_id": ["a"], "hotel_id": ["h"], "score": [np.nan]}), "no photos"),
    ],
)
def test_scores_that_cannot_be_ranked_are_refused(scores, message):
    with pytest.raises(RankingError, match=message):
        rank_hotel_photos(scores)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"areas": "Pool"}, r"areas='Pool': expected a list"),
        ({"hotels": "h1"}, r"hotels='h1': expected a list"),
        ({"min_confidence": 60}, "expected a probability"),
        ({"min_slot_score": float("nan")}, "expected a score"),
    ],
)
def test_settings_that_would_be_read_letter_by_letter_are_refused(settings, message):
    with pytest.raises(RankingError, match=message):
        rank_hotel_photos(
            pd.DataFrame({"image_id": ["a"], "hotel_id": "h1", "score": 5.0}), **settings
        )


@pytest.mark.parametrize("summed_up", [ranking_summary, compare_with_current])
def test_figures_made_by_hand_name_the_column_that_is_missing(summed_up):
    with pytest.raises(RankingError, match="no column 'hotel_id'"):
        summed_up(pd.DataFrame({"order": ["by score"], "photos": [3]}))


def test_column_of_current_positions_may_have_gaps():
    scores, _, catalog = make(count=5, hotels=1)
    scores.loc[2, "score"] = np.nan
    figures = ranking_figures(rank_hotel_photos(scores, catalog=catalog))
    assert figures.loc[figures["order"] == "current", "best_at"].between(1, 4).all()


def written(scores, folder, rows_a_file):
    folder.mkdir()
    for number, start in enumerate(range(0, len(scores), rows_a_file)):
        scores.iloc[start : start + rows_a_file].to_parquet(
            folder / f"part-{number:05d}.parquet", index=False, row_group_size=7
        )
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("by_hotel", [True, False])
@pytest.mark.parametrize("apart", [True, False])
def test_dataset_is_ranked_in_parts_as_in_memory(tmp_path, by_hotel, apart):
    scores, tags, catalog = make(count=300, hotels=23)
    scores["score"] = scores["score"].round(0)
    scores.loc[::5, "hash"] = 17
    scores.loc[4, "score"] = np.nan
    order = ["hotel_id", "image_id"] if by_hotel else ["image_id"]
    scores = scores.sort_values(order, ignore_index=True)
    if apart:
        expected = rank_hotel_photos(scores, tags, catalog=catalog)
        tags.to_parquet(tmp_path / "tags.parquet")
        catalog.to_parquet(tmp_path / "catalog.parquet")
        more = {"tags": tmp_path / "tags.parquet", "catalog": tmp_path / "catalog.parquet"}
    else:
        scores = scores.merge(tags, on="image_id")
        expected, more = rank_hotel_photos(scores), {}
    folder = written(scores, tmp_path / "scores", 40)
    out = rank_dataset(folder, tmp_path / "ranking", chunk_size=20, progress=False, **more)
    assert len(list(out.glob("part-*.parquet"))) > 2
    found = read_ranking(out).sort_values(["hotel_id", "rank"], ignore_index=True)
    groups = ["hotel_id", "duplicate_group"]
    same = expected.columns.drop("duplicate_group")
    pd.testing.assert_frame_equal(found[same], expected[same], check_dtype=False)
    for table in (found, expected):
        table["group"] = table.groupby(groups, dropna=True)["rank"].transform("min")
    assert found["group"].equals(expected["group"])
    hotels = map_parts(out, ranking_figures).sort_values(["hotel_id", "order"], ignore_index=True)
    whole = ranking_figures(expected).sort_values(["hotel_id", "order"], ignore_index=True)
    pd.testing.assert_frame_equal(hotels, whole, check_dtype=False)
    some = read_ranking(out, ["h3", "h7"])
    assert set(some["hotel_id"]) == {"h3", "h7"}
    assert read_ranking(out, []).columns.equals(some.columns)
    alone = rank_hotel_photos(folder, more.get("tags"), catalog=more.get("catalog"),
                              hotels=["h3", "h7"])  # fmt: skip
    pd.testing.assert_frame_equal(
        alone[same], expected[expected["hotel_id"].isin(["h3", "h7"])][same].reset_index(drop=True),
        check_dtype=False,
    )  # fmt: skip


def test_ranking_that_fails_leaves_the_earlier_one(tmp_path):
    scores, _, _ = make(count=20)
    folder = written(scores, tmp_path / "scores", 20)
    killed = tmp_path / ".ranking-unfinished-x1y2"
    killed.mkdir()
    os.utime(killed, (0, 0))
    out = rank_dataset(folder, tmp_path / "ranking", progress=False)
    before = sorted(file.name for file in out.iterdir())
    scores.assign(score=np.nan).to_parquet(folder / "part-00000.parquet")
    with pytest.raises(RankingError, match="no photos with a score"):
        rank_dataset(folder, out, progress=False)
    assert sorted(file.name for file in out.iterdir()) == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["ranking", "scores"]
    (out / "notes.txt").write_text("mine")
    with pytest.raises(RankingError, match=r"notes\.txt is no part of a ranking"):
        rank_dataset(folder, out, progress=False)


@pytest.mark.parametrize("distance", [0, 1, 5, 12])
def test_near_pairs_connect_what_all_comparisons_connect(distance):
    random = np.random.default_rng(distance)
    hotel = np.sort(random.integers(0, 3, 90))
    hashes = random.integers(0, 2**63, 90, dtype="uint64")
    for number in range(1, 60, 2):
        flipped = random.choice(64, random.integers(0, 14), replace=False)
        hashes[number] = hashes[number - 1] ^ np.uint64(sum(1 << int(bit) for bit in flipped))
    # Copies, and one that is near to them.
    hashes[60:68] = hashes[3]
    hashes[70] = hashes[3] ^ np.uint64(1)
    hotel[60:71] = hotel[60]
    expected = {
        (a, b)
        for a in range(90)
        for b in range(a + 1, 90)
        if hotel[a] == hotel[b] and int(hashes[a] ^ hashes[b]).bit_count() <= distance
    }
    found = {tuple(pair) for pair in near_pairs(hotel, hashes, distance).tolist()}
    assert found <= expected
    assert all(hashes[a] == hashes[b] or (a, b) in found or 60 <= a < 68 for a, b in expected)

    def groups(pairs: set[tuple[int, int]]) -> list[int]:
        links = coo_matrix(
            (np.ones(len(pairs)), np.array(sorted(pairs), int).reshape(-1, 2).T), shape=(90, 90)
        )
        return connected_components(links, directed=False)[1].tolist()

    assert groups(found) == groups(expected)


def test_thousands_of_copies_are_paired_like_a_chain():
    pairs = near_pairs(np.zeros(20_000, int), np.full(20_000, 7, "uint64"), 5)
    assert len(np.unique(pairs, axis=0)) == 19_999
