"""Image properties: computed once for each content, cached, fetched from URLs."""

from __future__ import annotations

import functools
import http.server
import threading
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from album import catalog_of, scene

from hotelviz.audit import find_issues
from hotelviz.embeddings import compute_image_properties, image_properties
from hotelviz.errors import CacheWarning


class Quiet(http.server.SimpleHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.asked.append(self.path)
        super().do_GET()


@pytest.fixture
def address(tmp_path):
    """Serve the test's folder."""
    handler = functools.partial(Quiet, directory=str(tmp_path))
    Quiet.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_photos_at_urls_are_fetched_once_and_measured_like_files(album, tmp_path, address):
    catalog = album()
    remote = catalog.assign(path=[f"{address}/{name}" for name in catalog["image_id"]])
    remote.loc[8] = {"image_id": "gone", "path": f"{address}/gone.jpg", "hotel_id": "gone"}
    cache = tmp_path / "cache"
    found = find_issues(remote, cache=cache, allow_missing=True, progress=False)
    assert found.issues[["image_id", "issue"]].values.tolist() == [["gone", "unavailable"]]
    assert sorted(Quiet.asked) == sorted([*(f"/{name}" for name in catalog["image_id"]),
                                          "/gone.jpg"])  # fmt: skip
    local = compute_image_properties(catalog, cache=cache, progress=False)
    assert local.n_computed == 0
    pd.testing.assert_frame_equal(local.photos, found.properties.photos.iloc[:8])


def test_photo_that_changes_while_it_is_read_is_not_kept_under_its_old_name(
    album, tmp_path, monkeypatch
):
    catalog, cache = album(), tmp_path / "cache"
    decode = image_properties.iterate_views

    def change(paths, *arguments, **settings):
        scene(70).save(tmp_path / "3.jpg")
        return decode(paths, *arguments, **settings)

    monkeypatch.setattr(image_properties, "iterate_views", change)
    first = compute_image_properties(catalog, cache=cache, progress=False).photos.set_index(
        "image_id"
    )
    assert first.loc["3.jpg", ["status", "error"]].tolist() == [
        "unavailable", "changed while it was read",
    ]  # fmt: skip
    monkeypatch.undo()
    again = compute_image_properties(catalog, cache=cache, progress=False)
    assert again.n_computed == 1
    fresh = compute_image_properties(catalog, progress=False)
    pd.testing.assert_frame_equal(again.photos, fresh.photos)


def test_copy_stands_in_for_a_file_that_is_lost_between_two_readings(album, tmp_path, monkeypatch):
    catalog = album()
    (tmp_path / "twin.jpg").write_bytes((tmp_path / "3.jpg").read_bytes())
    catalog = pd.concat([catalog, catalog_of([tmp_path / "twin.jpg"])], ignore_index=True)
    decode = image_properties.iterate_views

    def lose(paths, *arguments, **settings):
        (tmp_path / "3.jpg").unlink(missing_ok=True)
        return decode(paths, *arguments, **settings)

    monkeypatch.setattr(image_properties, "iterate_views", lose)
    photos = compute_image_properties(catalog, progress=False).photos.set_index("image_id")
    assert set(photos["status"]) == {"ok"}
    assert photos.loc["3.jpg", "pixels"] == photos.loc["twin.jpg", "pixels"]


def test_files_of_others_in_the_folder_of_the_cache_stay(album, tmp_path):
    others = tmp_path / "cache" / "part-000.parquet"
    others.parent.mkdir()
    others.write_text("not ours, and not whole")
    compute_image_properties(album(), cache=others.parent, progress=False)
    assert others.read_text() == "not ours, and not whole"


@pytest.mark.slow
def test_second_audit_computes_only_what_is_new(album, network, tmp_path):
    cache = tmp_path / "cache"
    first = find_issues(album(), model=network, cache=cache, progress=False)
    grown = find_issues(album(new=scene(77)), model=network, cache=cache, progress=False)
    assert (first.properties.n_computed, grown.properties.n_computed) == (8, 1)
    fresh = find_issues(album(), model=network, progress=False)
    pd.testing.assert_frame_equal(fresh.properties.photos, grown.properties.photos)
    np.testing.assert_array_equal(fresh.properties.thumbnails, grown.properties.thumbnails)
    np.testing.assert_allclose(fresh.properties.features, grown.properties.features, atol=2e-3)


def test_cache_goes_by_content_not_by_name(album, tmp_path):
    cache = tmp_path / "cache"
    compute_image_properties(album(), cache=cache, progress=False)
    for name in ("0", "1"):
        (tmp_path / f"{name}.jpg").rename(tmp_path / f"moved-{name}.jpg")
    assert compute_image_properties(album(), cache=cache, progress=False).n_computed == 0
    (tmp_path / "2.jpg").write_bytes((tmp_path / "3.jpg").read_bytes())
    again = compute_image_properties(album(), cache=cache, progress=False)
    assert again.n_computed == 0
    pixels = again.photos.set_index("image_id")["pixels"]
    assert pixels["2.jpg"] == pixels["3.jpg"]


def test_cache_of_another_model_is_passed_over_and_said(album, network, tmp_path):
    cache = tmp_path / "cache"
    compute_image_properties(album(), cache=cache, progress=False)
    with pytest.warns(CacheWarning, match="another model"):
        again = compute_image_properties(album(), model=network, cache=cache, progress=False)
    assert again.n_computed == 8
    assert np.isfinite(again.features).all()


def test_damaged_cache_is_said_and_rebuilt(album, tmp_path):
    cache = tmp_path / "cache"
    compute_image_properties(album(), cache=cache, progress=False)
    part = next(cache.glob("part-*.parquet"))
    part.write_bytes(part.read_bytes()[:200])
    with pytest.warns(CacheWarning, match="damaged"):
        assert compute_image_properties(album(), cache=cache, progress=False).n_computed == 8
    assert compute_image_properties(album(), cache=cache, progress=False).n_computed == 0
