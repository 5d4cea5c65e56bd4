"""Which photos are alike by their features: neighbours, a map, and what cannot be compared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hotelviz.embeddings import PhotoIndex, layout, photo_features, similar
from hotelviz.errors import EmbeddingError


def scenes(n_scenes=3, n_photos=20, n_features=12, spread=0.2, seed=0) -> pd.DataFrame:
    """Features of photos of some scenes, far apart: s0-0, s0-1, …, s1-0, …"""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(n_scenes, n_features)) * 3
    values = centres.repeat(n_photos, axis=0)
    values += random.normal(scale=spread, size=values.shape)
    names = [f"s{scene}-{number}" for scene in range(n_scenes) for number in range(n_photos)]
    return pd.DataFrame(values.astype("float32"), pd.Index(names, name="image_id"))


def test_most_similar_photos_are_those_with_the_largest_cosine_of_centred_features():
    features = scenes(1, 15, spread=1)
    centred = features.to_numpy() - features.to_numpy().mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    cosines = pd.Series(centred @ centred[4], features.index).drop("s0-4").nlargest(5)
    found = similar(features, "s0-4")
    assert found["similar"].to_list() == cosines.index.to_list()
    assert found["rank"].to_list() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(found["similarity"], cosines, atol=1e-4)


def test_photos_of_the_same_hotel_are_left_out_and_the_next_ones_found_instead():
    features = scenes(2, 10)
    hotels = pd.Series(np.where(np.arange(20) % 10 < 7, "first", "second"), features.index)
    found = PhotoIndex(features, hotels=hotels).similar(["s0-0", "s1-9"], 3)
    of = found.groupby("image_id")["similar"].agg(list)
    assert sorted(of["s0-0"]) == ["s0-7", "s0-8", "s0-9"]
    assert {name[:2] for name in of["s1-9"]} == {"s1"}
    assert set(found["similar"].map(hotels)[found["image_id"] == "s1-9"]) == {"first"}


def test_approximate_search_among_many_finds_the_scene_too():
    features = scenes(8, 50)
    found = PhotoIndex(features, max_exact=100).similar(n_photos=5)
    assert (found["image_id"].str[:2] == found["similar"].str[:2]).mean() > 0.99


def test_map_has_like_photos_together_within_the_unit_square_and_is_reproducible():
    features = scenes(3, 30)
    places = layout(features)
    assert places.index.equals(features.index)
    assert (places.min().min(), places.max().max()) == pytest.approx((0, 1))
    distance = np.linalg.norm(places.to_numpy()[:, None] - places.to_numpy(), axis=2)
    np.fill_diagonal(distance, np.inf)
    scene = features.index.str[:2].to_numpy()
    assert (scene[distance.argmin(axis=1)] == scene).all()
    pd.testing.assert_frame_equal(places, layout(features))


def test_photos_that_could_not_be_read_have_no_place_and_are_never_found():
    features = scenes(2, 4)
    features.loc["s0-1"] = np.nan
    places = layout(features)
    assert places.index[places.isna().all(axis=1)].to_list() == ["s0-1"]
    assert "s0-1" not in set(similar(features, n_photos=7)["similar"])
    with pytest.raises(EmbeddingError, match="'s0-1' could not be read"):
        similar(features, "s0-1")


@pytest.mark.parametrize("count", [1, 12])
def test_one_photo_and_equal_photos_are_in_the_middle_of_the_map(count):
    equal = pd.DataFrame(np.full((count, 6), 2.5), [f"p{number}" for number in range(count)])
    assert (layout(equal) == 0.5).all(axis=None)
    assert len(similar(equal, "p0")) == min(5, count - 1)


def test_fewer_photos_than_neighbours_are_asked_for_give_all_others():
    features = scenes(1, 3)
    found = similar(features, n_photos=10)
    assert found.groupby("image_id")["similar"].agg(set).to_list() == [
        {"s0-1", "s0-2"}, {"s0-0", "s0-2"}, {"s0-0", "s0-1"},
    ]  # fmt: skip
    assert layout(features).notna().all(axis=None)


def test_no_photo_at_all_has_an_empty_map():
    none = scenes(1, 2).iloc[:0]
    assert layout(none).shape == (0, 2)
    assert similar(none).empty


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda f: f.mask((f.index == "s0-2")[:, None] & (f.columns == 3)),
            "'s0-2', feature 3: nan",
        ),
        (lambda f: f.replace(f.iloc[1, 0], np.inf), "'s0-1', feature 0: inf"),
        (lambda f: f.rename(index={"s0-3": "s0-0"}), "'s0-0' has several rows"),
        (lambda f: f.to_numpy(), "a row per photo, by image_id"),
        (lambda f: f.astype(str) + "x", "features are numbers"),
        (lambda f: f[[]], "no column"),
    ],
)
def test_features_that_cannot_be_compared_are_named(change, message):
    for compute in (layout, similar):
        with pytest.raises(EmbeddingError, match=message):
            compute(change(scenes(1, 5)))


def test_unknown_photo_is_named_with_the_nearest_name():
    with pytest.raises(EmbeddingError, match=r"no photo 's0-11' .* did you mean 's0-1'"):
        similar(scenes(1, 5), "s0-11")
    with pytest.raises(EmbeddingError, match="'s0-2' has no hotel"):
        PhotoIndex(scenes(1, 3), hotels=pd.Series("h", ["s0-0", "s0-1"]))
    with pytest.raises(EmbeddingError, match="1 or more, not 0"):
        similar(scenes(1, 3), n_photos=0)


def test_features_are_those_of_the_network_by_name_and_come_from_the_cache(
    album, network, tmp_path
):
    catalog = album()
    found = photo_features(catalog, network, cache=tmp_path / "cache", progress=False)
    assert found.index.to_list() == catalog["image_id"].to_list()
    (part,) = (tmp_path / "cache").iterdir()
    written = part.stat().st_mtime_ns
    again = photo_features(catalog.iloc[::-1], network, cache=tmp_path / "cache", progress=False)
    pd.testing.assert_frame_equal(again, found.iloc[::-1])
    assert [one.stat().st_mtime_ns for one in (tmp_path / "cache").iterdir()] == [written]
    assert similar(found, "0.jpg", 1).shape == (1, 4)


@pytest.mark.slow
def test_without_weights_of_imagenet_a_model_is_asked_for(album, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    # Keras looked when it was imported.
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    with pytest.raises(EmbeddingError, match="give a model whose features to use"):
        photo_features(album(), progress=False)
