"""What the gallery is told of places on its map, and of photos that are alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hotelviz.errors import GalleryError
from hotelviz.gallery import Gallery, map_gallery


@pytest.fixture
def photos(tmp_path: Path) -> pd.DataFrame:
    names = list("abcd")
    return pd.DataFrame({"image_id": names, "path": [str(tmp_path / name) for name in names]})


def test_positions_are_stretched_to_the_map_and_keep_their_proportions(photos):
    gallery = Gallery(photos, positions=np.array([[-10, 0], [10, 0], [0, 10], [0, 5]]))
    expected = [[0, 0.25], [1, 0.25], [0.5, 0.75], [0.5, 0.5]]
    np.testing.assert_allclose(gallery.payload()["positions"], expected)
    assert gallery.payload()["note"] == ""


def test_a_table_of_positions_is_read_by_the_names_of_its_photos(photos):
    table = pd.DataFrame({"x": [1.0, 0, 2], "y": [0.0, 0, 0]}, index=["b", "a", "c"])
    payload = Gallery(photos, positions=table).payload()
    np.testing.assert_allclose(payload["positions"][:3, 0], [0, 0.5, 1])
    assert np.isnan(payload["positions"][3]).all()
    assert payload["note"] == "1 of 4 photos have no place on the map; they are in the grid"


def test_photos_without_a_place_are_counted(photos):
    places = [[0, 0], [1, np.nan], [np.nan, np.nan], [1, 1]]
    payload = Gallery(photos, positions=np.array(places)).payload()
    assert np.isnan(payload["positions"]).all(axis=1).tolist() == [False, True, True, False]
    assert "2 of 4 photos have no place" in payload["note"]


@pytest.mark.parametrize("value", [0.0, 7.5, 1e300, -1e-300])
def test_photos_that_are_all_at_one_place_are_in_the_middle(photos, value):
    payload = Gallery(photos, positions=np.full((4, 2), value)).payload()
    np.testing.assert_allclose(payload["positions"], 0.5, atol=1e-6)
    one = Gallery(photos[:1], positions=np.full((1, 2), value)).payload()
    np.testing.assert_allclose(one["positions"], [[0.5, 0.5]], atol=1e-6)


def test_the_largest_numbers_there_are_have_a_place(photos):
    largest = np.finfo("float64").max
    places = [[-largest, 0], [largest, 0], [0, 0], [0, 0]]
    np.testing.assert_allclose(
        Gallery(photos, positions=np.array(places)).payload()["positions"][:, 0], [0, 1, 0.5, 0.5]
    )


def test_positions_that_do_not_fit_are_refused(photos):
    with pytest.raises(GalleryError, match=r"shape \(3, 2\); expected \(4, 2\)"):
        Gallery(photos, positions=np.zeros((3, 2)))
    with pytest.raises(GalleryError, match=r"shape \(4, 3\); expected \(4, 2\)"):
        Gallery(photos, positions=np.zeros((4, 3)))
    with pytest.raises(GalleryError, match=r"row 2 \('c'\): \[0\.0, inf\] is infinite"):
        Gallery(photos, positions=np.array([[0, 0], [0, 0], [0, np.inf], [0, 0]]))
    with pytest.raises(GalleryError, match="none of the 4 photos has a position"):
        Gallery(photos, positions=np.full((4, 2), np.nan))
    with pytest.raises(GalleryError, match="are no numbers"):
        Gallery(photos, positions=np.array([["a", "b"]] * 4))


def test_neighbours_that_are_not_shown_are_left_out(photos):
    rows = np.array([[3, 1], [0, 2], [1, -1], [2, 0]])
    gallery = Gallery(photos, neighbours=rows, max_photos=3)
    assert gallery.payload()["neighbours"].tolist() == [[-1, 1], [0, 2], [1, -1]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((3, 2), int), r"shape \(3, 2\).*expected whole numbers \(4, k\)"),
        (np.zeros((4, 2)), "type float64"),
        (np.array([[0], [1], [4], [0]]), "row 2: 4 is no row of the table, which has 4"),
        (np.array([[0], [-2], [1], [0]]), "row 1: -2 is no row"),
    ],
)
def test_neighbours_that_do_not_fit_are_refused(photos, rows, message):
    with pytest.raises(GalleryError, match=message):
        Gallery(photos, neighbours=rows)


def test_map_of_a_report_shows_first_what_it_is_about_and_then_others_at_random(photos):
    many = pd.concat([photos] * 10, ignore_index=True)
    many["image_id"] = [f"{number:02}" for number in range(40)]
    wrong = many["image_id"].isin(["03", "17", "30"])
    values = np.random.default_rng(0).normal(size=(40, 6))
    values[17] = np.nan
    features = pd.DataFrame(values, many["image_id"])
    show = {"colour": "right", "first": wrong, "first_are": "misclassified"}
    gallery = map_gallery(many, features, max_photos=12, **show)
    assert gallery.title == "Map of 12 of 39 photos: all 2 misclassified, others drawn at random"
    payload = gallery.payload()
    assert {"03", "30"} < set(payload["ids"])
    assert "17" not in payload["ids"]
    assert payload["ids"] == sorted(payload["ids"])
    assert np.isfinite(payload["positions"]).all()
    assert payload["neighbours"].shape[0] == 12
    assert payload["colour"] == "right"
    assert map_gallery(many, features, max_photos=1, **show).title.endswith(
        ": 1 of 2 misclassified"
    )
    assert map_gallery(many, features, **show).title == "Map of 39 photos"


def test_without_features_there_is_no_map(photos):
    assert map_gallery(photos, pd.DataFrame(index=photos["image_id"]), colour="label") is None
    lost = pd.DataFrame(np.nan, photos["image_id"], range(3))
    assert map_gallery(photos, lost, colour="label") is None
    one = map_gallery(photos, pd.DataFrame([[1.0, 2.0]], ["c"]), colour="label")
    assert one.payload()["positions"].tolist() == [[0.5, 0.5]]
