"""Hotels are dealt whole to train, val and test."""

from __future__ import annotations

import pandas as pd
import pytest
from catalogues import many

from hotelviz.catalog import (
    read_catalog,
    split_catalog,
)
from hotelviz.errors import CatalogError


def test_unknown_split_is_refused_with_the_nearest(csv):
    with pytest.raises(CatalogError, match=r"row 2, column 'split': 'tests'.*did you mean 'test'"):
        read_catalog(csv("path,split\n1.jpg,tests\n"))


def test_split_keeps_hotels_whole_and_meets_the_shares():
    photos = split_catalog(many(), test=0.25, validation=0.1)
    assert photos.groupby("hotel_id")["split"].nunique().max() == 1
    shares = photos["split"].value_counts(normalize=True)
    assert shares["test"] == pytest.approx(0.25, abs=0.05)
    assert shares["val"] == pytest.approx(0.1, abs=0.05)
    assert photos.groupby("split")["label"].nunique().min() == 4


def test_split_is_reproducible_and_follows_its_seed():
    first, second, other = (split_catalog(many(), seed=seed)["split"] for seed in (1, 1, 2))
    assert first.equals(second)
    assert not first.equals(other)


def test_split_that_is_there_is_kept():
    photos = many(6).assign(split="train")
    assert (split_catalog(photos)["split"] == "train").all()


def test_class_with_one_photo_is_kept_for_training_with_a_warning():
    photos = pd.concat(
        [many(), pd.DataFrame([{"image_id": "x", "path": "x", "hotel_id": "h3", "label": "Pool"}])]
    ).reset_index(drop=True)
    with pytest.warns(UserWarning, match="fewer than 3 hotels have Pool"):
        split = split_catalog(photos)
    assert split.loc[split["label"] == "Pool", "split"].to_list() == ["train"]


def test_unlabelled_photos_belong_to_no_split():
    photos = many()
    photos.loc[0, "label"] = pd.NA
    assert pd.isna(split_catalog(photos)["split"][0])


@pytest.mark.parametrize(
    ("photos", "shares", "message"),
    [
        (many(2), {}, "too few to split"),
        (many(3), {"test": 0.5}, "too few to keep test=0.5"),
        (many(9).drop(columns="label"), {}, "neither labels nor ratings"),
        (many(9), {"test": 0.8, "validation": 0.3}, "must be shares"),
    ],
)
def test_splits_that_cannot_be_are_refused(photos, shares, message):
    with pytest.raises(CatalogError, match=message):
        split_catalog(photos, **shares)


def test_folders_of_splits_are_no_classes(tmp_path):
    for name in ("train/Pool", "test/Pool"):
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(CatalogError, match=r"\(test, train\) are splits, not classes"):
        read_catalog(tmp_path, classes=None)


def test_photos_without_a_split_are_refused_dealt_or_left():
    photos = many(30)
    first = photos["hotel_id"].isin([f"h{n}" for n in range(10)])
    photos["split"] = pd.Series("train", photos.index).where(first)
    photos.loc[photos.index[first][:1], "split"] = None  # of a hotel whose others are in a split
    with pytest.raises(CatalogError, match=r"'split': is empty for \d+ of .* of 21 hotels such as"
                       r".*--unsplit deal.*--unsplit leave"):  # fmt: skip
        split_catalog(photos)
    left = split_catalog(photos, unsplit="leave")["split"]
    assert left.isna().sum() == photos["split"].isna().sum()
    dealt = split_catalog(photos, unsplit="deal")
    assert (dealt.loc[first, "split"] == "train").all()
    assert dealt.groupby("hotel_id")["split"].nunique().max() == 1
    assert set(dealt.loc[~first, "split"]) == {"train", "val", "test"}


def test_hotels_too_few_to_deal_are_trained_on_where_others_are_tested():
    photos = many(30)
    few = photos["hotel_id"].isin(["h3", "h7"])
    split = split_catalog(photos[~few])["split"].reindex(photos.index)
    dealt = split_catalog(photos.assign(split=split), unsplit="deal")["split"]
    assert set(dealt[few]) == {"train"}
    assert dealt[~few].tolist() == split[~few].tolist()


def test_a_class_is_rare_only_if_all_hotels_together_seldom_have_it(recwarn):
    photos = many(30)
    late = photos["hotel_id"].isin([f"h{n}" for n in range(20, 30)])
    photos.loc[late, "label"] = "Bedroom"
    # One of those that are dealt has a class that many others have.
    photos.loc[photos.index[late][0], "label"] = photos["label"].iloc[0]
    split = split_catalog(photos[~late])["split"].reindex(photos.index)
    split_catalog(photos.assign(split=split), unsplit="deal")
    assert not [one for one in recwarn if "fewer than 3 hotels" in str(one.message)]


@pytest.mark.parametrize("empty", [None, float("nan"), pd.NA, ""])
def test_an_empty_column_of_splits_is_none(empty):
    photos = many(30)
    expected = split_catalog(photos)["split"].tolist()
    assert split_catalog(photos.assign(split=empty))["split"].tolist() == expected


def test_splits_of_a_table_made_by_hand_are_read_as_those_of_a_file():
    photos = split_catalog(many(30))
    spaced = photos.assign(split=" " + photos["split"])
    assert split_catalog(spaced)["split"].tolist() == photos["split"].tolist()
    with pytest.raises(CatalogError, match=r"'Test' is not one of .*did you mean 'test'"):
        split_catalog(photos.assign(split=photos["split"].replace("test", "Test")))
    with pytest.raises(CatalogError, match=r"'split': is empty for \d+ of"):
        split_catalog(photos.assign(split=photos["split"].replace("test", "")))


def test_a_hotel_in_two_splits_is_refused():
    photos = many(6).assign(split="train")
    photos.loc[photos["hotel_id"].eq("h2").idxmax(), "split"] = "test"
    for unsplit in ("refuse", "deal", "leave"):
        with pytest.raises(CatalogError, match=r"hotel 'h2' is in test and train.*Give all photos"):
            split_catalog(photos, unsplit=unsplit)


def test_hotels_that_show_the_same_photo_stay_together():
    photos = many(40)
    first = [photos["hotel_id"].eq(f"h{n}").idxmax() for n in range(40)]
    photos.loc[first[0:2], "path"] = "same.jpg"
    photos.loc[first[5:30], "path"] = "placeholder.jpg"
    groups = pd.Series(pd.NA, photos.index, dtype="str")
    groups[[first[2], first[3]]] = "duplicates-2"
    for seed in range(6):
        split = split_catalog(photos, seed=seed, groups=groups)
        of = split.groupby("hotel_id")["split"].first()
        assert of["h0"] == of["h1"]
        assert of["h2"] == of["h3"]
        assert set(of) == {"train", "val", "test"}
    torn = photos.assign(split=photos["hotel_id"].map({"h0": "test"}).fillna("train"))
    with pytest.raises(CatalogError, match="hotels 'h0', 'h1', which show the same photo, are in"):
        split_catalog(torn)


def test_classes_that_are_smaller_than_the_number_of_folds_are_split():
    photos = pd.DataFrame({"hotel_id": [f"h{n % 24}" for n in range(96)],
                           "label": [f"c{n // 12}" for n in range(96)]})  # fmt: skip
    split = split_catalog(photos)
    assert split.groupby("hotel_id")["split"].nunique().max() == 1
    assert split["split"].value_counts(normalize=True)["test"] == pytest.approx(0.25, abs=0.05)
    assert set(split["split"]) == {"train", "val", "test"}


def test_a_split_does_not_depend_on_the_index():
    photos = many(20)
    twice = pd.concat([photos[:40], photos[40:].reset_index(drop=True)])
    assert split_catalog(twice)["split"].to_list() == split_catalog(photos)["split"].to_list()
