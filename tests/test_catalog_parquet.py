"""Catalogues in Parquet, and catalogues that are written and read back."""

from __future__ import annotations

import decimal
import tempfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalogues import HEADER, many
from hypothesis import given, settings
from hypothesis import strategies as st

from hotelviz.catalog import (
    catalog_hash,
    iterate_catalog,
    read_catalog,
    write_catalog,
)
from hotelviz.errors import CatalogError
from hotelviz.schema import RATINGS


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


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_written_catalogue_reads_back(csv, tmp_path, suffix):
    photos = read_catalog(csv(HEADER + "1.jpg,007,1,Pool\n2.jpg,b,,\n"))
    write_catalog(photos, tmp_path / f"again.{suffix}")
    pd.testing.assert_frame_equal(read_catalog(tmp_path / f"again.{suffix}"), photos)


def test_catalogue_is_written_as_csv_or_parquet_only(tmp_path):
    with pytest.raises(CatalogError, match=r"\.csv or \.parquet"):
        write_catalog(many(3), tmp_path / "x.json")


BIG = 2**53 + 1


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


@pytest.mark.slow
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


def test_headers_of_parquet_and_of_ratings_are_known_too(tmp_path):
    ratings = {f"Rating {score}": [score] for score in range(1, 11)}
    pd.DataFrame({"Path": ["a"], "Hotel ID": [7], **ratings}).to_parquet(tmp_path / "a.parquet")
    photos = read_catalog(tmp_path / "a.parquet")
    assert photos["hotel_id"].to_list() == ["7"]
    assert photos["rating_10"].to_list() == [10.0]


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
