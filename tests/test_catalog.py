"""Reading, validating, splitting and writing catalogues."""

from __future__ import annotations

import decimal
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hotelviz.catalog import (
    as_ids,
    catalog_hash,
    check_missing,
    check_table,
    iterate_catalog,
    read_catalog,
    row_hashes,
    split_catalog,
    write_catalog,
)
from hotelviz.errors import CatalogError, CatalogWarning, MissingPhotosError, OutputError
from hotelviz.schema import AREAS, MORE_AREAS, RATINGS

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
        {
            "image_id": f"{hotel}-{area}-{n}",
            "path": f"{hotel}-{area}-{n}.jpg",
            "hotel_id": f"h{hotel}",
            "label": area,
        }
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
    with pytest.raises(CatalogError, match="the name of the catalogue is empty"):
        read_catalog("")


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
    assert catalog_hash(photos) == catalog_hash(photos.sample(frac=1, random_state=0))
    assert catalog_hash(photos) == catalog_hash(photos.assign(path="elsewhere"))
    assert catalog_hash(photos) != catalog_hash(photos.assign(label="Pool"))


# --- names ----------------------------------------

BIG = 2**53 + 1
NUMBERS = [123, BIG, BIG - 1, None]


@pytest.mark.parametrize(
    "values",
    [
        pd.Series(NUMBERS, dtype="Int64"),
        pd.Series(NUMBERS, dtype="int64[pyarrow]"),
        pd.Series(NUMBERS, dtype=object),
        pd.Series(NUMBERS, dtype="Int64").astype("category"),
        pd.Series([None if n is None else decimal.Decimal(n) for n in NUMBERS]),
        pd.Series(["123", f" {BIG}", f"{BIG - 1} ", ""]),
        pd.Series([b"123", str(BIG).encode(), str(BIG - 1).encode(), None]),
        pa.array(NUMBERS, pa.int64()).cast(pa.string()).dictionary_encode(),
        NUMBERS,
    ],
    ids=lambda values: str(getattr(values, "dtype", type(values).__name__)),
)
def test_names_are_exact_whatever_holds_them(values):
    names = as_ids(values, "hotel_id", "photos")
    assert names.to_list()[:3] == ["123", str(BIG), str(BIG - 1)]
    assert names.isna().to_list() == [False, False, False, True]


def test_whole_floats_and_truths_are_names():
    assert as_ids(pd.Series([123.0, None, -0.0]), "label", "x").to_list()[::2] == ["123", "0"]
    assert as_ids(pd.Series([True, False]), "label", "x").to_list() == ["True", "False"]
    assert as_ids(["007", "NA", "1e5", 7], "label", "x").to_list() == ["007", "NA", "1e5", "7"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (
            pd.Series([1.0, 2.0**53 + 2]),
            r"x, row 1, column 'hotel_id': 9007199254740994\.0 .* lost",
        ),
        (pd.Series([2.0**24 + 2], dtype="float32"), "lost digits"),
        ([1, 0.5], r"row 1, column 'hotel_id': 0\.5 is no name; names are texts"),
        (pd.Series([np.inf]), "inf is no name"),
        (["caf\udce9"], "not UTF-8"),
        (pd.Series(pd.to_datetime(["2026-01-01"])), "a Timestamp; names are texts"),
    ],
)
def test_what_names_nothing_is_refused(value, reason):
    with pytest.raises(CatalogError, match=reason):
        as_ids(value, "hotel_id", "x")


def test_ids_are_the_same_in_every_mode(tmp_path):
    whole = {"path": ["1.jpg", "2.jpg", "3.jpg"], "hotel_id": [7, BIG, None], "label": [0, None, 1]}
    arrow = pa.table({key: pa.array(values) for key, values in whole.items()})
    pq.write_table(arrow, tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text(f"path,hotel_id,label\n1.jpg,7,0\n2.jpg,{BIG},\n3.jpg,,1\n")
    from_parquet = read_catalog(tmp_path / "a.parquet", classes=None)
    assert from_parquet["hotel_id"].to_list() == ["7", str(BIG), "3.jpg"]
    assert from_parquet["label"].to_list()[::2] == ["0", "1"]
    pd.testing.assert_frame_equal(read_catalog(tmp_path / "a.csv", classes=None), from_parquet)
    pieces = list(iterate_catalog(tmp_path / "a.parquet", chunk_rows=2))
    assert [len(piece) for piece in pieces] == [2, 1]
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), from_parquet)
    by_hand = check_table(
        pd.DataFrame({**whole, "image_id": whole["path"]}, dtype=object),
        needs=["image_id", "hotel_id"],
        where="x",
    )
    assert by_hand["hotel_id"].to_list() == from_parquet["hotel_id"].to_list()


def test_a_damaged_id_is_refused_with_its_row(tmp_path):
    pd.DataFrame({"path": ["1.jpg", "2.jpg"], "hotel_id": [1.0, 1e17]}).to_parquet(
        tmp_path / "a.pq"
    )
    with pytest.raises(CatalogError, match=r"a\.pq, row 3, column 'hotel_id': 1e\+17 is no name"):
        read_catalog(tmp_path / "a.pq")


def test_positions_are_exact_and_whole(csv, tmp_path):
    assert read_catalog(csv(HEADER + f"1.jpg,a,{BIG},\n2.jpg,a,3.0,\n"))["position"].to_list() == [
        BIG, 3]  # fmt: skip
    table = pd.DataFrame({"path": ["1.jpg", "2.jpg"], "position": [2.0, None]})
    table.to_parquet(tmp_path / "a.parquet")
    assert read_catalog(tmp_path / "a.parquet")["position"].to_list() == [2, pd.NA]
    table.assign(position=[2.0, 1.5]).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(CatalogError, match=r"row 3, column 'position': 1\.5 is not a whole number"):
        read_catalog(tmp_path / "a.parquet")


@pytest.mark.parametrize("weight", ["inf", "nan", "-1", "x", ""])
def test_weights_are_numbers_above_zero(csv, weight):
    with pytest.raises(CatalogError, match=r"row 2, column 'weight': .*is not a number above 0"):
        read_catalog(csv(f"path,weight\n1.jpg,{weight}\n"))


def test_signatures_of_addresses_are_in_no_name_and_no_message(csv):
    signed = "https://cdn.example.com/{}.jpg?X-Amz-Signature=secret{}"
    photos = read_catalog(csv(f"path\n{signed.format(1, 1)}\n{signed.format(2, 2)}\n"))
    assert photos["image_id"][0] == "https://cdn.example.com/1.jpg"
    assert photos["hotel_id"][0] == photos["image_id"][0]
    assert photos["path"][1].endswith("secret2")
    with pytest.raises(CatalogError, match="differ only in what grants access") as error:
        read_catalog(csv(f"path\n{signed.format(1, 1)}\n{signed.format(1, 2)}\n"))
    assert "secret" not in str(error.value)
    assert "secret" not in check_table(pd.DataFrame({"path": [signed.format(1, 1)]}),
                                       where="x")["image_id"][0]  # fmt: skip


# --- fingerprints ----------------------------------------


def test_the_fingerprint_covers_content_and_not_its_storage():
    photos = many(4).assign(position=pd.array([None, 2] * 12, dtype="Int64")[: len(many(4))])
    same = photos.sample(frac=1, random_state=0).assign(
        position=lambda table: table["position"].astype("float64"),
        label=lambda table: table["label"].astype("category"),
        split=None,
        note="mine",
    )
    assert catalog_hash(photos) == catalog_hash(same) == catalog_hash(photos)
    ratings = pd.DataFrame([[1] * 10] * len(photos), columns=list(RATINGS))
    rated = photos.assign(**ratings)
    assert catalog_hash(rated) == catalog_hash(photos.assign(**ratings.astype("float32")))
    for other in (
        rated,
        photos.assign(hotel_id="h"),
        photos.assign(source="s"),
        photos.assign(weight=2.0),
        photos.assign(split="train"),
        photos.assign(position=1),
        photos[1:],
        photos.assign(label=photos["label"].mask(photos.index == 0)),
    ):
        assert catalog_hash(other) != catalog_hash(photos)
    # A text that reads like a missing value is not one.
    assert catalog_hash(photos.assign(label="nan")) != catalog_hash(photos.assign(label=None))


def test_the_fingerprint_of_a_row_follows_its_file(tmp_path, monkeypatch):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"photo")
    photos = pd.DataFrame(
        {"image_id": ["a", "b", "u", "gone"],
         "path": [f"{tmp_path}/a.jpg", f"{tmp_path}/b.jpg", "https://x/u.jpg", f"{tmp_path}/c.jpg"]}
    )  # fmt: skip
    before = row_hashes(photos)
    monkeypatch.chdir(tmp_path)
    assert row_hashes(photos.assign(path=["a.jpg", "b.jpg", *photos["path"][2:]])).equals(before)
    assert row_hashes(photos[::-1]).loc[before.index].equals(before)
    (tmp_path / "a.jpg").write_bytes(b"other")
    os.utime(tmp_path / "a.jpg", ns=(1, 1))
    (tmp_path / "c.jpg").write_bytes(b"there")
    changed = row_hashes(photos) != before
    assert changed.to_dict() == {"a": True, "b": False, "u": False, "gone": True}


# --- tables made by hand ----------------------------------------


def test_a_table_made_by_hand_gets_what_has_a_default():
    table = check_table(
        pd.DataFrame({"path": ["a.jpg", "b.jpg"], "hotel_id": ["h", None]}),
        needs=["image_id", "path", "hotel_id"],
        where="score_photos",
    )
    assert table["image_id"].to_list() == ["a.jpg", "b.jpg"]
    assert table["hotel_id"].to_list() == ["h", "b.jpg"]
    ready = pd.DataFrame({"image_id": ["a"], "hotel_id": ["h"]})
    assert check_table(ready, needs=["image_id", "hotel_id"], where="x") is ready
    twice = pd.DataFrame({"image_id": ["a", "b"]}, index=[0, 0])
    assert check_table(twice, where="x").index.to_list() == [0, 1]


@pytest.mark.parametrize(
    ("table", "needs", "message"),
    [
        (["a.jpg"], ["image_id"], r"score_photos: expected a table .*not a list.*read_catalog"),
        (pd.DataFrame({"Path": ["a"]}), ["path"], r"score_photos: the table has no column 'path' "
         r"\(where each photo is.*its columns are Path; did you mean 'Path'"),
        (pd.DataFrame({"image_id": ["a", "b", "a"]}), ["image_id"],
         r"score_photos, row 2, column 'image_id': 'a' stands in row 0 already"),
        (pd.DataFrame({"image_id": ["a", None]}), ["hotel_id"], r"row 1, .*'image_id': is empty"),
        (pd.DataFrame({"image_id": ["a"], "path": [""]}), ["path"], r"row 0, .*'path': is empty"),
        (pd.DataFrame([["a", "b"]], columns=["image_id"] * 2), ["image_id"], "more than once"),
        (pd.DataFrame({"image_id": ["a"]}), ["label"], r"no column 'label' \(the area that each"),
    ],
)  # fmt: skip
def test_a_table_made_by_hand_is_refused_before_the_work(table, needs, message):
    with pytest.raises(CatalogError, match=message):
        check_table(table, needs=needs, where="score_photos")


def test_a_disk_that_is_not_mounted_stops_a_run(tmp_path):
    gone = [(f"{tmp_path}/mount/a/{n}.jpg", "missing") for n in range(20)]
    with pytest.raises(MissingPhotosError) as error:
        check_missing(20, 100, gone)
    for said in ("20 of 100", f"{tmp_path}/mount/ (20 of 20)", "--allow-missing", "(missing)"):
        assert said in str(error.value)
    with pytest.raises(
        MissingPhotosError, match=r"https://\*\*\*@cdn\.example\.com \(1 of 1\)"
    ) as error:
        check_missing(2, 10, [("https://me:pw@cdn.example.com/a.jpg?sig=secret", "no answer")])
    assert "secret" not in str(error.value)
    check_missing(10, 100, gone)
    check_missing(20, 100, gone, allow=True)


# --- writing is the inverse of reading ----------------------------------------

NAMES = st.text("a0 ,;='\"\n\r\t#é東\x00\u2028", min_size=1, max_size=6) | st.sampled_from(
    [
        "007",
        "NA",
        "1e5",
        "=1+1",
        " a",
        "a\nb",
        "a\rb",
        "a\r\nb",
        'say "x"',
        "a,b;c\td",
        "None",
        "0",
        "é",
    ]
)


@settings(max_examples=20, deadline=None)
@given(
    names=st.lists(NAMES.map(str.strip).filter(bool), min_size=1, max_size=4, unique=True),
    texts=st.lists(st.none() | NAMES, min_size=4, max_size=4),
    positions=st.lists(st.none() | st.integers(1, 10**17), min_size=4, max_size=4),
    suffix=st.sampled_from(["csv", "parquet"]),
    rated=st.booleans(),
)
def test_what_is_written_is_read_back(names, texts, positions, suffix, rated):
    with tempfile.TemporaryDirectory() as folder:
        count = len(names)
        table = pd.DataFrame(
            {
                "image_id": names,
                "path": [f"{folder}/photos/{name}.jpg" for name in range(count)],
                "hotel_id": texts[:count],
                "position": pd.array(positions[:count], dtype="Int64"),
                "label": texts[::-1][:count],
                "split": ["train", None, "test", "val"][:count],
            }
        )
        if rated:
            table[list(RATINGS)] = 0.1
        write_catalog(table, f"{folder}/first.parquet")
        photos = read_catalog(f"{folder}/first.parquet", classes=None)
        assert photos["image_id"].to_list() == names
        for place in (f"{folder}/again.{suffix}", f"{folder}/elsewhere/again.{suffix}"):
            write_catalog(photos, place)
            pd.testing.assert_frame_equal(read_catalog(place, classes=None), photos)
        assert catalog_hash(photos) == catalog_hash(table)


def test_a_catalogue_written_elsewhere_finds_its_photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("data/p/1.jpg", "data/p/ 2.jpg", "other/3.jpg"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"")
    Path("data/c.csv").write_text("path\np/1.jpg\n./p/ 2.jpg\n../other/3.jpg\ns3://b/4.jpg\n")
    Path("link").symlink_to("data/p")
    photos = read_catalog("data/c.csv")
    for out in (
        "c.csv", "data/again.csv", "data/p/c.parquet", "new/deep/c.csv", f"{tmp_path}/full.csv",
        "link/c.csv", "link/../c.csv", "new/../data/./c2.csv",
    ):  # fmt: skip
        write_catalog(photos, out)
        again = read_catalog(out)
        assert [Path(path).is_file() for path in again["path"]] == [True, True, True, False], out
        assert again["image_id"].equals(photos["image_id"])
    assert "p/1.jpg,p/1.jpg," in Path("data/again.csv").read_text()
    # What lies below moves with its folder.
    write_catalog(photos[:2], "data/whole.csv")
    Path("data").rename("moved")
    assert read_catalog("moved/whole.csv", check_files=True)["path"][0] == "moved/p/1.jpg"


def test_the_users_own_columns_come_back_from_parquet_with_their_types(tmp_path):
    table = pd.DataFrame(
        {"image_id": ["a", "b"], "path": ["/a.jpg", "/b.jpg"], "hotel_id": ["h", "i"]}
    ).assign(
        room=pd.array([BIG, None], dtype="Int64"),
        stars=pd.array([4, 5], dtype="Int64"),
        seen=pd.to_datetime(["2026-01-01", None]),
        sea=pd.array([True, None], dtype="boolean"),
        kind=pd.Series(["x", None], dtype="category"),
    )
    write_catalog(table, tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(read_catalog(tmp_path / "a.parquet"), table)
    # Without what pandas writes beside it, whole numbers are no floats either.
    pq.write_table(
        pa.table({"path": ["a"], "room": pa.array([None], pa.int64())}), tmp_path / "b.pq"
    )
    assert read_catalog(tmp_path / "b.pq")["room"].dtype == "Int64"


def test_numbers_in_any_type_of_parquet_are_read(tmp_path):
    ratings = {name: pa.array([decimal.Decimal("1.5"), None]) for name in RATINGS}
    pq.write_table(
        pa.table({"path": ["a", "b"], "weight": ["0.5", " 2"], "position": ["1", None], **ratings}),
        tmp_path / "a.parquet",
    )
    photos = read_catalog(tmp_path / "a.parquet")
    assert photos["weight"].to_list() == [0.5, 2.0]
    assert photos["position"].to_list() == [1, pd.NA]
    assert photos["rating_10"].to_list()[0] == 1.5
    none = pa.table({"path": ["a"], **{name: pa.nulls(1) for name in (*RATINGS, "label")}})
    pq.write_table(none, tmp_path / "b.parquet")
    assert read_catalog(tmp_path / "b.parquet")[[*RATINGS, "label"]].isna().all(axis=None)


def test_text_of_parquet_that_is_not_utf8_is_refused(tmp_path):
    broken = pa.array([b"a.jpg", b"caf\xe9"]).view(pa.string())
    good = pa.array(["1.jpg", "2.jpg"])
    pq.write_table(pa.table({"path": good, "hotel_id": broken}), tmp_path / "a.parquet")
    with pytest.raises(CatalogError, match=r"row 3, column 'hotel_id': b'caf\\xe9' .* not UTF-8"):
        read_catalog(tmp_path / "a.parquet")
    pq.write_table(pa.table({"path": good, "note": broken}), tmp_path / "b.parquet")
    with pytest.raises(CatalogError, match=r"b\.parquet: not a readable Parquet file: .*UTF8"):
        read_catalog(tmp_path / "b.parquet")


def test_an_index_that_pandas_wrote_is_a_column(tmp_path):
    table = pd.DataFrame(
        {"path": ["a.jpg"], "label": ["Pool"]}, index=pd.Index(["7"], name="image_id")
    )
    table.to_parquet(tmp_path / "a.parquet")
    assert read_catalog(tmp_path / "a.parquet")["image_id"].to_list() == ["7"]


# --- headers, encodings, ragged rows ----------------------------------------


@pytest.mark.parametrize(
    "header",
    ["path, hotel_id, label", "Path,Hotel ID,LABEL", "path,hotel_id ,label ", "PATH;hotel-id;Label",
     "path\tHotelId\tlabel"],
)  # fmt: skip
def test_headers_may_differ_in_case_and_spaces(csv, header):
    delimiter = next(mark for mark in ";\t," if mark in header)
    rows = "\n".join(
        delimiter.join(row) for row in (("1.jpg", "7", "Pool"), ("2.jpg", " 7", "Pool"))
    )
    photos = read_catalog(csv(f"{header}\n{rows}\n"))
    assert photos["hotel_id"].to_list() == ["7", "7"]
    assert photos["label"].to_list() == ["Pool", "Pool"]


def test_headers_of_parquet_and_of_ratings_are_known_too(tmp_path):
    ratings = {f"Rating {score}": [score] for score in range(1, 11)}
    pd.DataFrame({"Path": ["a"], "Hotel ID": [7], **ratings}).to_parquet(tmp_path / "a.parquet")
    photos = read_catalog(tmp_path / "a.parquet")
    assert photos["hotel_id"].to_list() == ["7"]
    assert photos["rating_10"].to_list() == [10.0]


@pytest.mark.parametrize(
    ("column", "meant"),
    [("hotel", "hotel_id"), ("lable", "label"), ("Labels", "label"), ("wieght", "weight"),
     ("splits", "split"), ("ratings_1", "rating_1"), ("postion", "position")],
)  # fmt: skip
def test_near_misses_are_told_and_kept(csv, column, meant):
    with pytest.warns(CatalogWarning, match=rf"photos\.csv: .*'{column}'.*mean '{meant}'"):
        photos = read_catalog(csv(f"path,{column}\n1.jpg,x\n"))
    assert photos[column].to_list() == ["x"]


@pytest.mark.parametrize(
    "column", ["height", "p_price", "predicted", "rating_count", "score", "sure", "source_url"]
)
def test_the_users_columns_are_not_taken_for_ours(csv, column):
    assert read_catalog(csv(f"path,{column}\n1.jpg,x\n"))[column].to_list() == ["x"]


def test_two_headers_of_one_column_are_refused(csv, tmp_path):
    with pytest.raises(CatalogError, match=r"photos\.csv: .*'label' and 'Label ' are both 'label'"):
        read_catalog(csv("path,label,Label \n1.jpg,Pool,Foyer\n"))
    with pytest.raises(CatalogError, match="are both 'note'"):
        read_catalog(csv("path,note,note\n1.jpg,a,b\n"))
    pd.DataFrame({"path": ["a"], "PATH": ["b"]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(CatalogError, match=r"a\.parquet: .*are both 'path'"):
        read_catalog(tmp_path / "a.parquet")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_are_known_by_their_byte_order_mark(csv, encoding):
    photos = read_catalog(csv("path,hotel_id\nchâteau/東京.jpg,é\n", encoding))
    assert photos["image_id"].to_list() == ["château/東京.jpg"]
    assert photos["hotel_id"].to_list() == ["é"]


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_other_encodings_are_refused_with_row_and_column_and_read_when_said(csv, encoding):
    file = csv("path,hotel_id\n1.jpg,a\n2.jpg,é\n", encoding)
    with pytest.raises(CatalogError, match=r"row 3: byte 0xe9 .*'cp1252'.* column 'hotel_id'"):
        read_catalog(file)
    assert read_catalog(file, encoding=encoding)["hotel_id"].to_list() == ["a", "é"]
    with pytest.raises(CatalogError, match="encoding='utf-16-le'"):
        read_catalog(csv("path\n1.jpg\n", "utf-16-le"))
    assert read_catalog(csv("path\n1.jpg\n", "utf-16-le"), encoding="utf-16-le").shape == (1, 3)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1.jpg,a,1\n", "row 2: has 3 fields, fewer fields than the header"),
        ('1.jpg,"a\nb",1,Pool\n2.jpg,b\n', "row 3: has 2 fields"),
        ('1.jpg,a,1,Pool\n2.jpg,"a,1,Pool\n3.jpg,a,1,Pool\n', "a quote is not closed"),
        ('1.jpg,a,1,"Pool\n2.jpg,a,1,Pool\n3.jpg,a,1,"Pool"\n', "row 2: .* a quote is not closed"),
        (",,,\n1.jpg,a,1,Pool\n", "row 2, column 'path': is empty"),
        ("1.jpg,a,1,Pool,x\n", "row 2: has 5 fields, more fields than the header"),
    ],
)
def test_ragged_rows_are_named(csv, rows, message):
    with pytest.raises(CatalogError, match=message):
        read_catalog(csv(HEADER + rows))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"path,l\xa8bel\n1.jpg,a\n", "row 1: byte 0xa8 is not utf-8"),
        (b"\npath\n1.jpg\n", "row 1: is blank"),
    ],
)
def test_headers_that_are_none_are_refused(tmp_path, content, message):
    (tmp_path / "c.csv").write_bytes(content)
    with pytest.raises(CatalogError, match=message):
        read_catalog(tmp_path / "c.csv")


def test_a_header_alone_has_no_photos(csv):
    for text in ("path,label", "path,label\n", "path,label\n\n"):
        with pytest.raises(CatalogError, match="has no photos"):
            read_catalog(csv(text))


def test_blank_lines_at_the_end_and_columns_without_a_name_are_no_photos(csv):
    photos = read_catalog(csv(",path,label,,\n0,1.jpg,Pool,,\n1,2.jpg,,,\n,,,,\n\n\n"))
    assert photos["image_id"].to_list() == ["1.jpg", "2.jpg"]
    assert photos.columns.to_list() == ["image_id", "path", "hotel_id", "Unnamed: 0", "label"]


# --- parts of Parquet ----------------------------------------


def write_parts(folder: Path, *parts: object) -> Path:
    for number, part in enumerate(parts):
        file = folder / f"part-{number}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(part if isinstance(part, pa.Table) else pa.table(part), file)
    return folder


def test_parts_are_joined_by_column(tmp_path):
    folder = write_parts(
        tmp_path / "c",
        {"path": ["1.jpg"], "hotel_id": [BIG], "stars": [4]},
        {"label": ["Pool"], "path": ["2.jpg"], "hotel_id": ["b"], "stars": pa.array([4.5])},
        {"path": ["3.jpg"], "Label": pa.nulls(1), "position": [3.0], "stars": pa.nulls(1)},
        {"path": ["4.jpg"], "label": pa.array([None], pa.float64()), "hotel_id": [12.0]},
        {"path": pa.array([], pa.string()), "stars": pa.array([], pa.string())},
    )
    for hidden in ("_metadata.parquet", ".part-9-x.parquet", "_hotelviz.lock"):
        (folder / hidden).write_bytes(b"not ours")
    photos = read_catalog(folder)
    assert photos["hotel_id"].to_list() == [str(BIG), "b", "3.jpg", "12"]
    assert photos["label"].to_list()[1] == "Pool"
    assert photos["label"].notna().sum() == 1
    assert photos["stars"].to_list()[:2] == [4.0, 4.5]
    assert photos["position"].to_list() == [pd.NA, pd.NA, 3, pd.NA]
    assert photos["path"].to_list()[0] == f"{folder}/1.jpg"
    pieces = pd.concat(iterate_catalog(folder, columns=["label"]), ignore_index=True)
    pd.testing.assert_frame_equal(pieces, photos[["image_id", "path", "hotel_id", "label"]])
    with pytest.raises(CatalogError, match=r"no column 'lable'.*did you mean 'label'"):
        list(iterate_catalog(folder, columns=["lable"]))


def test_folders_that_name_a_column_are_one(tmp_path):
    write_parts(tmp_path / "c/split=train/label=View%20X", {"path": ["1.jpg"]})
    write_parts(tmp_path / "c/split=__HIVE_DEFAULT_PARTITION__", {"path": ["2.jpg"]})
    photos = read_catalog(tmp_path / "c", classes=None)
    assert dict(zip(photos["image_id"], photos["split"], strict=True))["1.jpg"] == "train"
    assert photos.set_index("image_id")["label"]["1.jpg"] == "View X"
    assert photos.set_index("image_id")["split"].isna()["2.jpg"]
    assert photos.set_index("image_id")["path"]["1.jpg"] == f"{tmp_path}/c/1.jpg"
    write_parts(tmp_path / "c/split=test", {"path": ["3.jpg"], "split": ["val"]})
    with pytest.raises(
        CatalogError, match=r"split=test/part-0\.parquet: has a column 'split', and"
    ):
        read_catalog(tmp_path / "c", classes=None)


def test_what_cannot_be_joined_names_the_part(tmp_path):
    folder = write_parts(
        tmp_path / "c", {"path": ["1"], "room": [7]}, {"path": ["2"], "room": ["x"]}
    )
    with pytest.raises(
        CatalogError, match=r"part-1\.parquet, column 'room': string, but int64 in .*0"
    ):
        read_catalog(folder)
    write_parts(folder, {"path": ["1"], "room": [BIG]}, {"path": ["2"], "room": [0.5]})
    with pytest.raises(CatalogError, match=r"part-0\.parquet, column 'room': .* without a loss"):
        read_catalog(folder)
    write_parts(folder, {"path": ["1"]}, {"path": ["2"], "split": ["tset"]})
    with pytest.raises(CatalogError, match=r"part-1\.parquet, row 2, column 'split': 'tset'"):
        read_catalog(folder)
    write_parts(folder, {"path": ["1"]}, {"path": ["2", "1"]})
    with pytest.raises(
        CatalogError, match=r"part-1\.parquet, row 3, .* stands in .*part-0\.p.* row 2"
    ):
        read_catalog(folder)
    (folder / "part-1.parquet").write_bytes((folder / "part-0.parquet").read_bytes()[:-20])
    for read in (read_catalog, lambda path: list(iterate_catalog(path))):
        with pytest.raises(CatalogError, match=r"part-1\.parquet: not a readable Parquet file"):
            read(folder)


# --- folders of classes ----------------------------------------


def test_photos_are_taken_whatever_they_are_called_and_the_rest_is_counted(tmp_path):
    image = Image.new("RGB", (8, 8))
    (tmp_path / "Pool/deep").mkdir(parents=True)
    (tmp_path / "Pool/@eaDir").mkdir()
    (tmp_path / "__MACOSX").mkdir()
    for name, kind in (
        ("a.jpg", "JPEG"), ("b.JPEG", "JPEG"), ("c.jfif", "JPEG"), ("d", "PNG"), ("e.img", "JPEG"),
        ("deep/f.gif", "GIF"), ("g.webp_large", "WEBP"), ("@eaDir/a.jpg", "JPEG"),
        (".h.jpg", "JPEG"), ("b.JPEG~", "JPEG"), ("i.jpg ", "JPEG"),
    ):  # fmt: skip
        image.save(tmp_path / "Pool" / name, kind)
    for name in ("Pool/x.psd", "Pool/deep/y.PSD", "Pool/Thumbs.db", "Pool/empty", "notes.txt"):
        (tmp_path / name).touch()
    image.save(tmp_path / "top.jpg")
    with pytest.warns(CatalogWarning) as warned:
        photos = read_catalog(tmp_path)
    assert photos["image_id"].str.removeprefix("Pool/").to_list() == [
        "a.jpg", "b.JPEG", "c.jfif", "d", "deep/f.gif", "e.img", "g.webp_large"]  # fmt: skip
    said = str(warned[0].message)
    for part in (
        "2 .psd (such as 'Pool/deep/y.PSD')", "1 .txt", "1 .jpg in no class folder",
        "2 folder of the system", "1 .jpeg~", "1 without a suffix (such as 'Pool/empty')",
        "1 name that is not UTF-8 or ends with a space", "left out 9",
    ):  # fmt: skip
        assert part in said, said


def test_a_class_folder_with_a_space_before_its_name_is_refused(tmp_path):
    (tmp_path / " Pool").mkdir()
    with pytest.raises(CatalogError, match="has spaces around its name"):
        read_catalog(tmp_path)


def test_folders_of_splits_are_no_classes(tmp_path):
    for name in ("train/Pool", "test/Pool"):
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(CatalogError, match=r"\(test, train\) are splits, not classes"):
        read_catalog(tmp_path, classes=None)


# --- splits ----------------------------------------


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


def test_a_catalogue_of_a_folders_name_is_refused(tmp_path):
    (tmp_path / "photos.csv").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        write_catalog(many(3).assign(path="a.jpg"), tmp_path / "photos.csv")


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
