"""Photos that a report decodes once."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hotelviz.attribution import explain
from hotelviz.gallery import Gallery, thumbnail_view
from hotelviz.images import View, iterate_images, keep_views, kept_views
from hotelviz.inference import predict_tags


@pytest.fixture(autouse=True)
def nothing_kept():
    yield
    keep_views(max_bytes=0)


@pytest.fixture
def decoded(monkeypatch) -> Counter[bytes]:
    """How often the bytes of each photo are decoded."""
    counts: Counter[bytes] = Counter()
    decode = kept_views.decode_views

    def counting(data, views):
        counts[data] += 1
        return decode(data, views)

    monkeypatch.setattr(kept_views, "decode_views", counting)
    return counts


@pytest.fixture
def photos(tmp_path) -> pd.DataFrame:
    random = np.random.default_rng(0)
    paths = []
    for number, size in enumerate([(90, 120), (480, 640), (200, 100)]):
        paths.append(str(tmp_path / f"{number}.jpg"))
        Image.fromarray(random.integers(0, 255, (*size, 3), "uint8")).save(paths[-1])
    return pd.DataFrame({"image_id": paths, "path": paths})


def report(photos: pd.DataFrame, model, folder) -> tuple[pd.DataFrame, np.ndarray, str]:
    """What a report does with its photos."""
    tags = predict_tags(photos, model, progress=False)
    maps = explain(model, photos["path"], tags["predicted"])
    html = Gallery(photos, overlays=maps).to_html(files=folder)
    return tags, maps, html.partition("photos")[2]


def test_photos_of_a_report_are_decoded_once_and_nothing_else_changes(
    photos, network, decoded, tmp_path
):
    small = photos.drop(index=1)
    tags, maps, _ = report(small, network, tmp_path)
    assert set(decoded.values()) == {3}
    decoded.clear()
    keep_views(thumbnail_view())
    again, same, _ = report(small, network, tmp_path)
    assert set(decoded.values()) == {1}
    assert len(decoded) == 2
    pd.testing.assert_frame_equal(again, tags)
    np.testing.assert_array_equal(same, maps)


def test_thumbnail_is_decoded_apart_where_it_would_change_what_the_network_sees(photos, decoded):
    keep_views(thumbnail_view())
    large = photos["path"].iloc[[1]]
    (kept,) = iterate_images(large, size=(64, 64))
    keep_views(max_bytes=0)
    (alone,) = iterate_images(large, size=(64, 64))
    np.testing.assert_array_equal(kept.pixels, alone.pixels)


def test_no_more_than_the_given_bytes_are_kept(photos, decoded):
    keep_views(max_bytes=64 * 64 * 3)
    for _ in range(2):
        list(iterate_images(photos["path"], size=(64, 64), workers=1))
    assert sorted(decoded.values()) == [1, 2, 2]


def test_photo_that_was_changed_is_decoded_again(photos):
    path = photos["path"].iloc[:1]
    keep_views(View((8, 8)))
    (before,) = iterate_images(path, size=(8, 8))
    Image.new("RGB", (30, 30), "red").save(path.iloc[0])
    (after,) = iterate_images(path, size=(8, 8))
    assert (after.pixels[0, 4, 4] > [200, -1, -1]).all()
    assert not (before.pixels == after.pixels).all()
