"""Reading, validating, splitting and writing catalogues."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from hotelviz.catalog import (
    AREAS,
    MORE_AREAS,
    CatalogError,
    CatalogWarning,
    fingerprint,
    read_catalog,
    split_catalog,
    write_catalog,
)

HEADER = "path,hotel_id,position,label\n"


@pytest.fixture
def csv(tmp_path: Path):
    def write(text: str, encoding: str = "utf-8") -> Path:
        file = tmp_path / "photos.csv"
        file.write_bytes(text.encode(encoding))
        return file

    return write


def many(hotels: int = 40) -> pd.DataFrame:
    rows = [
        {"image_id": f"{hotel}-{area}-{n}", "path": "x.jpg", "hotel_id": f"h{hotel}", "label": area}
        for hotel in range(hotels)
        for area in AREAS[:4]
        for n in range(1 + (hotel + len(area)) % 2)
    ]
    return pd.DataFrame(rows)


def test_csv_gives_the_columns_of_a_catalogue(csv, tmp_path):
    photos = read_catalog(csv(HEADER + "a/1.jpg,007,2,Pool\na/2.jpg,,,\n"))
    assert photos.columns.to_list() == ["image_id", "path", "hotel_id", "position", "label"]
    assert photos["image_id"].to_list() == ["a/1.jpg", "a/2.jpg"]
    assert photos["path"].to_list() == [f"{tmp_path}/a/1.jpg", f"{tmp_path}/a/2.jpg"]
    assert photos["hotel_id"].to_list() == ["007", "a/2.jpg"]
    assert photos["position"].to_list() == [2, pd.NA]
    assert photos["label"].isna().to_list() == [False, True]


def test_parquet_file_and_folder_read_to_the_same_table(csv, tmp_path):
    expected = read_catalog(csv(HEADER + "1.jpg,a,1,Pool\n2.jpg,b,2,Foyer\n"))
    table = pd.read_csv(tmp_path / "photos.csv", dtype={"hotel_id": str})
    table.to_parquet(tmp_path / "photos.parquet")
    parts = tmp_path / "parts"
    parts.mkdir()
    table[:1].to_parquet(parts / "0.parquet")
    table[1:].to_parquet(parts / "1.parquet")
    pd.testing.assert_frame_equal(read_catalog(tmp_path / "photos.parquet"), expected)
    pd.testing.assert_frame_equal(read_catalog(parts, root=tmp_path), expected)


def test_class_folders_read_to_labels(tmp_path):
    for name in ("Pool/b.jpg", "Bedroom/deep/a.PNG", "Bedroom/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.warns(CatalogWarning, match=r"left out 1 .*: 1 \.txt .*'Bedroom/notes\.txt'"):
        photos = read_catalog(tmp_path)
    assert photos["image_id"].to_list() == ["Bedroom/deep/a.PNG", "Pool/b.jpg"]
    assert photos["label"].to_list() == ["Bedroom", "Pool"]
    assert photos["path"].to_list()[1] == f"{tmp_path}/Pool/b.jpg"


def test_folder_of_an_unknown_class_is_refused(tmp_path):
    (tmp_path / "Bedrom").mkdir()
    with pytest.raises(CatalogError, match=r"folder 'Bedrom'.*did you mean 'Bedroom'"):
        read_catalog(tmp_path)


def test_hidden_files_in_class_folders_are_no_photos(tmp_path):
    (tmp_path / "Pool").mkdir()
    for name in ("a.jpg", "._a.jpg"):
        (tmp_path / "Pool" / name).touch()
    assert read_catalog(tmp_path)["image_id"].to_list() == ["Pool/a.jpg"]


def test_folder_without_folders_is_refused(tmp_path):
    with pytest.raises(CatalogError, match="no folder per class"):
        read_catalog(tmp_path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1.jpg,a,1,Pool\n2.jpg,a,2,Bedrom\n",
         r"photos\.csv, row 3, column 'label': 'Bedrom' is not one of the 8 classes.*'Bedroom'"),
        ("1.jpg,a,1,Pool\n1.jpg,a,2,Pool\n", r"row 3, column 'image_id': '1.jpg' stands in row 2"),
        ("1.jpg,a,first,Pool\n", r"row 2, column 'position': 'first' is not a whole number from 1"),
        ("1.jpg,a,0,Pool\n", r"column 'position': '0'"),
        ("1.jpg,a,1.5,Pool\n", r"column 'position': '1.5'"),
        (",a,1,Pool\n,b,1,Pool\n", r"row 2, column 'path'.*is empty.*1 more rows likewise"),
        ("", "has no photos"),
        ("1.jpg,a,1,Pool\n\n2.jpg,a,2,Pol\n", r"row 3, column 'path'"),
        ("1.jpg,a,1,Pool,\n2.jpg,a,2,Pool,\n", "more fields than the header"),
    ],
)  # fmt: skip
def test_wrong_rows_are_named(csv, rows, message):
    with pytest.raises(CatalogError, match=message):
        read_catalog(csv(HEADER + rows))


def test_unknown_split_is_refused_with_the_nearest(csv):
    with pytest.raises(CatalogError, match=r"row 2, column 'split': 'tests'.*did you mean 'test'"):
        read_catalog(csv("path,split\n1.jpg,tests\n"))


def test_weight_must_be_above_zero(csv):
    with pytest.raises(CatalogError, match=r"row 3, column 'weight': '0' is not a number above 0"):
        read_catalog(csv("path,weight\n1.jpg,0.5\n2.jpg,0\n"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("photos.csv", "", "the file is empty"),
        ("photos.csv", "file,tag\n1.jpg,Pool\n", "no column 'path'; its columns are file, tag"),
        ("photos.xlsx", "x", r"\.csv or \.parquet"),
        ("photos.parquet", "not parquet", "not a readable Parquet file"),
    ],
)
def test_files_that_are_no_catalogue_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(CatalogError, match=message):
        read_catalog(tmp_path / name)


def test_missing_catalogue_is_said(tmp_path):
    with pytest.raises(CatalogError, match=r"nowhere\.csv: there is no such file"):
        read_catalog(tmp_path / "nowhere.csv")


def test_byte_order_mark_is_dropped(csv):
    assert read_catalog(csv(HEADER + "1.jpg,a,1,Pool\n", "utf-8-sig"))["path"].notna().all()


def test_latin1_is_refused_with_its_row_and_read_when_said(csv):
    file = csv(HEADER + "1.jpg,a,1,Pool\nchâteau.jpg,b,1,Pool\n", "latin-1")
    with pytest.raises(CatalogError, match=r"row 3: byte 0xe2 is not utf-8; save it as UTF-8"):
        read_catalog(file)
    assert read_catalog(file, encoding="latin-1")["image_id"][1] == "château.jpg"


def test_unknown_encoding_is_said(csv):
    with pytest.raises(CatalogError, match="no encoding 'utf-9'"):
        read_catalog(csv(HEADER), encoding="utf-9")


def test_label_with_markup_is_text(csv):
    photos = read_catalog(csv(HEADER + "1.jpg,a,1,<script>x</script>\n"), classes=None)
    assert photos["label"][0] == "<script>x</script>"


def test_other_classes_may_be_allowed(csv):
    file = csv(HEADER + "1.jpg,a,1,Fitness_Studio\n")
    assert read_catalog(file, classes=MORE_AREAS)["label"][0] == "Fitness_Studio"
    with pytest.raises(CatalogError, match="Fitness_Studio"):
        read_catalog(file)


def test_urls_stay_as_they_are(csv):
    photos = read_catalog(csv("path\ns3://bucket/1.jpg\n/data/2.jpg\n"))
    assert photos["path"].to_list() == ["s3://bucket/1.jpg", "/data/2.jpg"]


def test_missing_photos_are_met_only_when_asked_for(csv, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "1.jpg")
    file = csv(HEADER + "1.jpg,a,1,Pool\n2.jpg,a,2,Pool\n")
    assert len(read_catalog(file)) == 2
    with pytest.raises(CatalogError, match=r"1 of 2 photos are missing:\n  .*2\.jpg"):
        read_catalog(file, check_files=True)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_written_catalogue_reads_back(csv, tmp_path, suffix):
    photos = read_catalog(csv(HEADER + "1.jpg,007,1,Pool\n2.jpg,b,,\n"))
    write_catalog(photos, tmp_path / f"again.{suffix}")
    pd.testing.assert_frame_equal(read_catalog(tmp_path / f"again.{suffix}"), photos)


def test_catalogue_is_written_as_csv_or_parquet_only(tmp_path):
    with pytest.raises(CatalogError, match=r"\.csv or \.parquet"):
        write_catalog(many(3), tmp_path / "x.json")


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


def test_fingerprint_follows_content_not_order_or_place():
    photos = many(4)
    assert fingerprint(photos) == fingerprint(photos.sample(frac=1, random_state=0))
    assert fingerprint(photos) == fingerprint(photos.assign(path="elsewhere"))
    assert fingerprint(photos) != fingerprint(photos.assign(label="Pool"))
