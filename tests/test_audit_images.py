"""What is wrong with files and pixels."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest
from album import catalog_of, scene
from PIL import Image, ImageFilter

from hotelviz.audit import (
    class_balance,
    combine_catalogs,
    compare_datasets,
    find_duplicates,
    find_issues,
    suggest_decisions,
    write_audit,
)
from hotelviz.embeddings import compute_image_properties
from hotelviz.errors import AuditError, CatalogError, HotelvizError, MissingPhotosError


def found_of(catalog: pd.DataFrame, issue: str, **settings: object) -> list[str]:
    issues = find_issues(catalog, progress=False, **settings).issues
    return issues.loc[issues["issue"] == issue, "image_id"].tolist()


@pytest.mark.slow
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
    assert (len(again.issues), again.properties.n_computed) == (0, 1)


def test_damaged_metadata_is_no_issue(album, tmp_path):
    bad = b"Exif\0\0\0\x08\0\x02\x01\x12\0\x03"
    catalog = album()
    for seed, suffix in ((20, "png"), (21, "webp"), (22, "jpg")):
        scene(seed).save(tmp_path / f"bad.{suffix}", exif=bad)
        row = catalog_of([tmp_path / f"bad.{suffix}"])
        catalog = pd.concat([catalog, row], ignore_index=True)
    assert find_issues(catalog, progress=False).issues.empty


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
        lambda: compute_image_properties(bare),
        lambda: combine_catalogs({"a": catalog, "b": bare}),
        lambda: compare_datasets({"a": catalog.assign(label="x")}, bare, mode="full"),
    ):
        with pytest.raises(CatalogError, match="'path'"):
            call()
    with pytest.raises(CatalogError, match=r"find_issues.*stands in row 0 already"):
        find_issues(pd.concat([catalog, catalog]))
    with pytest.raises(CatalogError, match=r"class_balance.*'label'"):
        class_balance(catalog)
    with pytest.raises(AuditError, match="other photos, or in another order"):
        find_duplicates(found.properties, catalog[::-1])


def test_unknown_threshold_is_refused_with_the_nearest(album):
    with pytest.raises(AuditError, match=r"'blury'.*blurry"):
        find_issues(album(), thresholds={"blury": 0.1}, progress=False)


def test_thresholds_can_be_changed(album):
    assert len(found_of(album(), "blurry", thresholds={"blurry": 1.0})) == 8


def test_one_photo_and_none(album, network):
    catalog = album()
    assert find_issues(catalog.head(1), model=network, progress=False).issues.empty
    assert find_issues(catalog.head(0), model=network, progress=False).issues.empty


def test_summary_counts_what_people_have_to_look_at(album):
    catalog = album(dark=scene(90).point(lambda value: value // 5))
    twin = catalog.iloc[[0]].assign(image_id="twin")
    summary = find_issues(pd.concat([catalog, twin], ignore_index=True), progress=False).summary
    assert summary.loc["dark", ["photos", "looking"]].tolist() == [1, 1]
    assert summary.loc["exact_duplicate", ["photos", "groups", "looking"]].tolist() == [2, 1, 0]
    assert json.loads(summary.to_json())["photos"]["blurry"] == 0
