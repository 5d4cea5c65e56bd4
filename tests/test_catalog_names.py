"""Names of photos and hotels are exact; fingerprints; tables that are made by hand."""

from __future__ import annotations

import decimal
import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalogues import HEADER, many

from hotelviz.catalog import (
    as_ids,
    catalog_hash,
    check_missing,
    check_table,
    iterate_catalog,
    read_catalog,
    row_hashes,
)
from hotelviz.errors import CatalogError, MissingPhotosError
from hotelviz.schema import RATINGS


def test_fingerprint_follows_content_not_order_or_place():
    photos = many(4)
    assert catalog_hash(photos) == catalog_hash(photos.sample(frac=1, random_state=0))
    assert catalog_hash(photos) == catalog_hash(photos.assign(path="elsewhere"))
    assert catalog_hash(photos) != catalog_hash(photos.assign(label="Pool"))


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
