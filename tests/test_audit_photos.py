"""What is wrong with files, looks and copies, and how it is cached."""

from __future__ import annotations

import functools
import http.server
import json
import re
import threading
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter

from hotelviz.audit import (
    balance,
    combine_catalogs,
    compare_datasets,
    find_duplicates,
    find_issues,
    image_properties,
    measure_photos,
    suggest_decisions,
    write_audit,
)
from hotelviz.audit.neighbours import nearest_neighbours, reduce_features
from hotelviz.audit.registration import aligned_similarity
from hotelviz.errors import (
    AuditError,
    CacheWarning,
    CatalogError,
    HotelvizError,
    MissingPhotosError,
)


def scene(seed: int, size: tuple[int, int] = (300, 225)) -> Image.Image:
    """A photo with structure at all scales, different for each seed."""
    random = np.random.default_rng(seed)
    layers = [
        Image.fromarray(random.integers(0, 255, (n, n, 3), dtype="uint8")).resize(size, 2)
        for n in (3, 6, 12, 48)
    ]
    mixed = np.mean([np.asarray(layer, dtype=float) for layer in layers], axis=0)
    return Image.fromarray(np.clip((mixed - 127) * 2 + 127, 0, 255).astype("uint8"))


def catalog_of(paths: list[Path], **columns: object) -> pd.DataFrame:
    names = [path.name for path in paths]
    table = {"image_id": names, "path": [str(path) for path in paths], "hotel_id": names}
    return pd.DataFrame({**table, **columns})


@pytest.fixture
def album(tmp_path):
    """Eight different photos, as a function from changes to a catalogue."""
    for seed in range(8):
        scene(seed).save(tmp_path / f"{seed}.jpg", quality=92)

    def make(**changed: Image.Image) -> pd.DataFrame:
        for name, image in changed.items():
            image.save(tmp_path / f"{name}.jpg", quality=85)
        return catalog_of(sorted(tmp_path.glob("*.jpg")))

    return make


def found_of(catalog: pd.DataFrame, issue: str, **settings: object) -> list[str]:
    issues = find_issues(catalog, progress=False, **settings).issues
    return issues.loc[issues["issue"] == issue, "image_id"].tolist()


def test_healthy_photos_have_no_issue(album):
    found = find_issues(album(), progress=False)
    assert found.issues.empty
    assert found.summary["photos"].sum() == 0
    assert len(found.summary) == 16


@pytest.mark.parametrize(
    ("issue", "change"),
    [
        ("dark", lambda image: image.point(lambda value: value // 5)),
        ("light", lambda image: image.point(lambda value: 200 + value // 5)),
        ("blurry", lambda image: image.filter(ImageFilter.GaussianBlur(9))),
        ("low_information", lambda image: Image.new("RGB", image.size, (90, 120, 90))),
        ("grayscale", lambda image: image.convert("L").convert("RGB")),
        ("tiny", lambda image: image.resize((100, 75))),
        ("odd_aspect_ratio", lambda image: image.resize((600, 150))),
        ("odd_size", lambda image: image.resize((3000, 2250))),
    ],
)
def test_each_look_is_found_and_no_other_photo_has_it(album, issue, change):
    assert found_of(album(odd=change(scene(99))), issue) == ["odd.jpg"]


def test_plain_borders_are_low_information(album):
    framed = Image.new("RGB", (400, 325), "white")
    framed.paste(scene(99), (50, 50))
    found = find_issues(album(framed=framed), progress=False).issues
    assert found[["image_id", "issue", "suggestion"]].values.tolist() == [
        ["framed.jpg", "low_information", "crop"]
    ]
    # 48 % of the area, less what the edge blurs.
    assert re.fullmatch("plain borders cover 4[4-8]%", found["detail"].iloc[0])


def test_faults_of_files_are_found_and_told_apart(album, tmp_path):
    catalog = album()
    whole = (tmp_path / "0.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("this is no photo")
    scene(50).save(tmp_path / "png.jpg", format="PNG")
    more = [tmp_path / name for name in ("cut.jpg", "text.jpg", "png.jpg", "gone.jpg")]
    catalog = pd.concat([catalog, catalog_of(more)], ignore_index=True)
    issues = find_issues(catalog, progress=False).issues.set_index("issue")["image_id"]
    assert issues["truncated"] == "cut.jpg"
    assert issues["unreadable"] == "text.jpg"
    assert issues["wrong_extension"] == "png.jpg"
    assert issues["unavailable"] == "gone.jpg"


def test_what_is_unavailable_is_no_reason_to_drop_and_is_tried_again(album, tmp_path):
    cache = tmp_path / "cache"
    catalog = pd.concat([album(), catalog_of([tmp_path / "late.jpg"])], ignore_index=True)
    with pytest.raises(MissingPhotosError, match=r"1 of 9 photos .*late\.jpg \(missing\)"):
        find_issues(catalog, cache=cache, progress=False)
    found = find_issues(catalog, cache=cache, allow_missing=True, progress=False)
    assert found.issues[["image_id", "issue", "suggestion"]].values.tolist() == [
        ["late.jpg", "unavailable", "find"]
    ]
    assert len(suggest_decisions(found.issues, policy="automatic")) == 0
    assert "1 of 9 photos are unavailable here" in found.notes[0]
    scene(40).save(tmp_path / "late.jpg")
    again = find_issues(catalog, cache=cache, progress=False)
    assert (len(again.issues), again.measured.computed) == (0, 1)


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
    local = measure_photos(catalog, cache=cache, progress=False)
    assert local.computed == 0
    pd.testing.assert_frame_equal(local.photos, found.measured.photos.iloc[:8])


def test_damaged_metadata_is_no_issue(album, tmp_path):
    bad = b"Exif\0\0\0\x08\0\x02\x01\x12\0\x03"
    catalog = album()
    for seed, suffix in ((20, "png"), (21, "webp"), (22, "jpg")):
        scene(seed).save(tmp_path / f"bad.{suffix}", exif=bad)
        row = catalog_of([tmp_path / f"bad.{suffix}"])
        catalog = pd.concat([catalog, row], ignore_index=True)
    assert find_issues(catalog, progress=False).issues.empty


def test_photo_that_changes_while_it_is_read_is_not_kept_under_its_old_name(
    album, tmp_path, monkeypatch
):
    catalog, cache = album(), tmp_path / "cache"
    decode = image_properties.iterate_views

    def change(paths, *arguments, **settings):
        scene(70).save(tmp_path / "3.jpg")
        return decode(paths, *arguments, **settings)

    monkeypatch.setattr(image_properties, "iterate_views", change)
    first = measure_photos(catalog, cache=cache, progress=False).photos.set_index("image_id")
    assert first.loc["3.jpg", ["status", "error"]].tolist() == [
        "unavailable", "changed while it was read",
    ]  # fmt: skip
    monkeypatch.undo()
    again = measure_photos(catalog, cache=cache, progress=False)
    assert again.computed == 1
    fresh = measure_photos(catalog, progress=False)
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
    photos = measure_photos(catalog, progress=False).photos.set_index("image_id")
    assert set(photos["status"]) == {"ok"}
    assert photos.loc["3.jpg", "pixels"] == photos.loc["twin.jpg", "pixels"]


def test_files_of_others_in_the_folder_of_the_cache_stay(album, tmp_path):
    others = tmp_path / "cache" / "part-000.parquet"
    others.parent.mkdir()
    others.write_text("not ours, and not whole")
    measure_photos(album(), cache=others.parent, progress=False)
    assert others.read_text() == "not ours, and not whole"


@pytest.mark.parametrize(
    ("name", "text"), [("summary.json", '{"a": 1}'), ("issues.parquet", "x"),
                       ("decisions.csv", "photo,verdict\n")],
)  # fmt: skip
def test_audit_does_not_replace_files_of_others(album, tmp_path, name, text):
    found = find_issues(album(), progress=False)
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text(text)
    with pytest.raises(HotelvizError, match=re.escape(str(out / name))):
        write_audit(found, out)
    assert [file.name for file in out.iterdir()] == [name]
    assert (out / name).read_text() == text


def test_tables_made_by_hand_are_checked_before_the_work(album):
    catalog = album()
    found = find_issues(catalog.drop(columns="hotel_id"), progress=False)
    assert found.issues.empty
    bare = catalog[["image_id"]]
    for call in (
        lambda: find_issues(bare),
        lambda: measure_photos(bare),
        lambda: combine_catalogs({"a": catalog, "b": bare}),
        lambda: compare_datasets({"a": catalog.assign(label="x")}, bare, mode="full"),
    ):
        with pytest.raises(CatalogError, match="'path'"):
            call()
    with pytest.raises(CatalogError, match=r"find_issues.*already"):
        find_issues(pd.concat([catalog, catalog]))
    with pytest.raises(CatalogError, match=r"balance.*'label'"):
        balance(catalog)
    with pytest.raises(AuditError, match="other photos, or in another order"):
        find_duplicates(found.measured, catalog[::-1])


def test_hotel_whose_photos_clash_in_part_stays_one_hotel(album):
    ours = album()
    theirs = ours.head(2).assign(hotel_id="h", path=ours["path"].iloc[4:6].to_numpy())
    theirs["image_id"] = ["0.jpg", "new.jpg"]
    both = combine_catalogs({"ours": ours.head(4), "theirs": theirs}, progress=False).catalog
    assert both.tail(2)[["image_id", "hotel_id"]].values.tolist() == [
        ["theirs/0.jpg", "theirs/h"], ["new.jpg", "theirs/h"],
    ]  # fmt: skip
    clash = ours.head(2).assign(image_id=["0.jpg", "x/0.jpg"])
    with pytest.raises(AuditError, match=r"named 'x/0\.jpg': give 'x' another key"):
        combine_catalogs({"ours": ours, "x": clash}, progress=False)


def test_unknown_threshold_is_refused_with_the_nearest(album):
    with pytest.raises(AuditError, match=r"'blury'.*blurry"):
        find_issues(album(), thresholds={"blury": 0.1}, progress=False)


def test_thresholds_can_be_changed(album):
    assert len(found_of(album(), "blurry", thresholds={"blurry": 1.0})) == 8


def test_exact_copies_are_the_same_pixels_whatever_the_file(album, tmp_path):
    catalog = album()
    with Image.open(tmp_path / "3.jpg") as image:
        image.save(tmp_path / "lossless.png")
    catalog = pd.concat([catalog, catalog_of([tmp_path / "lossless.png"])], ignore_index=True)
    copies = find_duplicates(measure_photos(catalog, progress=False), catalog)
    assert catalog["image_id"].iloc[copies["row"]].tolist() == ["3.jpg", "lossless.png"]
    assert set(copies["kind"]) == {"exact"}
    assert copies["keeper"].tolist() == [True, False]


def altered(kind: str) -> Image.Image:
    image = scene(3)
    width, height = image.size
    if kind == "smaller":
        return image.resize((width * 2 // 3, height * 2 // 3))
    if kind == "cropped":
        return image.crop((8, 4, width - 5, height - 7))
    if kind == "brighter":
        return image.point(lambda value: min(255, int(value * 1.15) + 8))
    image.paste((255, 255, 255), (width // 2, height - 30, width - 20, height - 8))
    return image


@pytest.mark.parametrize("kind", ["smaller", "cropped", "brighter", "watermarked"])
def test_altered_copies_are_near_duplicates(album, network, kind):
    catalog = album(copy=altered(kind))
    issues = find_issues(catalog, model=network, progress=False).issues
    near = issues[issues["issue"] == "near_duplicate"]
    assert sorted(near["image_id"]) == ["3.jpg", "copy.jpg"]
    assert near["group"].nunique() == 1
    assert sorted(near["suggestion"]) == ["drop", "keep"]


def test_photos_of_one_palette_are_no_copies():
    photos = [scene(seed).convert("L").convert("RGB").resize((32, 32)) for seed in (1, 2)]
    first, second = (np.asarray(photo)[None] for photo in photos)
    assert aligned_similarity(first, second)[0] < 0.9
    assert aligned_similarity(first, first)[0] == 1


def test_plain_photos_are_alike_only_when_equal():
    plain = np.full((1, 32, 32, 3), 90, "uint8")
    assert aligned_similarity(plain, plain)[0] == 1
    assert aligned_similarity(plain, plain + 30)[0] < 0.5


def test_group_says_what_it_spans_and_keeps_the_largest(album):
    catalog = album(copy=scene(3).resize((600, 450)))
    catalog["label"] = "Pool"
    catalog["split"] = "train"
    catalog.loc[catalog["image_id"] == "copy.jpg", ["label", "split"]] = ["Foyer", "test"]
    copies = find_duplicates(measure_photos(catalog, progress=False), catalog)
    assert set(copies["spans"]) == {"labels splits hotels"}
    keeper = copies.loc[copies["keeper"], "row"].item()
    assert catalog["image_id"][keeper] == "copy.jpg"


def test_all_photos_identical(album, network, tmp_path):
    catalog = catalog_of([tmp_path / "0.jpg"] * 12)
    album()
    catalog["image_id"] = [f"p{number}" for number in range(12)]
    catalog["hotel_id"] = [f"h{number}" for number in range(12)]
    catalog["label"] = ["Pool", "Foyer"] * 6
    found = find_issues(catalog, model=network, progress=False)
    copies = found.issues[found.issues["issue"] == "exact_duplicate"]
    assert len(copies) == 12
    assert copies["group"].nunique() == 1
    assert (copies["suggestion"] == "keep").sum() == 1
    assert found.measured.computed == 1


def test_one_photo_and_none(album, network):
    catalog = album()
    assert find_issues(catalog.head(1), model=network, progress=False).issues.empty
    assert find_issues(catalog.head(0), model=network, progress=False).issues.empty


def test_second_audit_computes_only_what_is_new(album, network, tmp_path):
    cache = tmp_path / "cache"
    first = find_issues(album(), model=network, cache=cache, progress=False)
    grown = find_issues(album(new=scene(77)), model=network, cache=cache, progress=False)
    assert (first.measured.computed, grown.measured.computed) == (8, 1)
    fresh = find_issues(album(), model=network, progress=False)
    pd.testing.assert_frame_equal(fresh.measured.photos, grown.measured.photos)
    np.testing.assert_array_equal(fresh.measured.thumbnails, grown.measured.thumbnails)
    np.testing.assert_allclose(fresh.measured.features, grown.measured.features, atol=2e-3)


def test_cache_goes_by_content_not_by_name(album, tmp_path):
    cache = tmp_path / "cache"
    measure_photos(album(), cache=cache, progress=False)
    for name in ("0", "1"):
        (tmp_path / f"{name}.jpg").rename(tmp_path / f"moved-{name}.jpg")
    assert measure_photos(album(), cache=cache, progress=False).computed == 0
    (tmp_path / "2.jpg").write_bytes((tmp_path / "3.jpg").read_bytes())
    again = measure_photos(album(), cache=cache, progress=False)
    assert again.computed == 0
    pixels = again.photos.set_index("image_id")["pixels"]
    assert pixels["2.jpg"] == pixels["3.jpg"]


def test_cache_of_another_model_is_passed_over_and_said(album, network, tmp_path):
    cache = tmp_path / "cache"
    measure_photos(album(), cache=cache, progress=False)
    with pytest.warns(CacheWarning, match="another model"):
        again = measure_photos(album(), model=network, cache=cache, progress=False)
    assert again.computed == 8
    assert np.isfinite(again.features).all()


def test_damaged_cache_is_said_and_rebuilt(album, tmp_path):
    cache = tmp_path / "cache"
    measure_photos(album(), cache=cache, progress=False)
    part = next(cache.glob("part-*.parquet"))
    part.write_bytes(part.read_bytes()[:200])
    with pytest.warns(CacheWarning, match="damaged"):
        assert measure_photos(album(), cache=cache, progress=False).computed == 8
    assert measure_photos(album(), cache=cache, progress=False).computed == 0


def test_search_in_cells_finds_what_comparing_all_finds():
    random = np.random.default_rng(0)
    vectors = reduce_features(random.normal(size=(3000, 32)).astype("float32"))
    copies = vectors[:60] + 0.05 * random.normal(size=(60, 32)).astype("float32")
    vectors = np.concatenate([vectors, copies / np.linalg.norm(copies, axis=1, keepdims=True)])
    exact = nearest_neighbours(vectors, 1)
    quick = nearest_neighbours(vectors, 1, exact_up_to=1000)
    assert (exact.rows[3000:, 0] == np.arange(60)).all()
    assert (quick.rows[3000:, 0] == np.arange(60)).mean() >= 0.95


def test_combining_refuses_copies_and_keeps_the_source(album, tmp_path):
    ours = album()
    (tmp_path / "more").mkdir()
    scene(3).resize((200, 150)).save(tmp_path / "more" / "again.jpg")
    scene(60).save(tmp_path / "more" / "0.jpg")
    theirs = catalog_of(sorted((tmp_path / "more").glob("*.jpg")))
    both = combine_catalogs({"ours": ours, "theirs": theirs}, progress=False)
    assert both.refused[["image_id", "source", "copy_of", "kind"]].values.tolist() == [
        ["again.jpg", "theirs", "3.jpg", "near"]
    ]
    assert both.catalog["image_id"].is_unique
    assert both.catalog["source"].value_counts().to_dict() == {"ours": 8, "theirs": 1}
    with pytest.raises(AuditError, match="at least two"):
        combine_catalogs({"ours": ours})


def test_summary_counts_what_people_have_to_look_at(album):
    catalog = album(dark=scene(90).point(lambda value: value // 5))
    twin = catalog.iloc[[0]].assign(image_id="twin")
    summary = find_issues(pd.concat([catalog, twin], ignore_index=True), progress=False).summary
    assert summary.loc["dark", ["photos", "looking"]].tolist() == [1, 1]
    assert summary.loc["exact_duplicate", ["photos", "groups", "looking"]].tolist() == [2, 1, 0]
    assert json.loads(summary.to_json())["photos"]["blurry"] == 0
