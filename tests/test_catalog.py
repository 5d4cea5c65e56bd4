"""Catalogues in CSV: headers, encodings, rows; each error names its place."""

from __future__ import annotations

import pandas as pd
import pytest
from catalogues import HEADER
from PIL import Image

from hotelviz.catalog import (
    read_catalog,
)
from hotelviz.errors import CatalogError, CatalogWarning
from hotelviz.schema import MORE_AREAS


def test_csv_gives_the_columns_of_a_catalogue(csv, tmp_path):
    photos = read_catalog(csv(HEADER + "a/1.jpg,007,2,Pool\na/2.jpg,,,\n"))
    assert photos.columns.to_list() == ["image_id", "path", "hotel_id", "position", "label"]
    assert photos["image_id"].to_list() == ["a/1.jpg", "a/2.jpg"]
    assert photos["path"].to_list() == [f"{tmp_path}/a/1.jpg", f"{tmp_path}/a/2.jpg"]
    assert photos["hotel_id"].to_list() == ["007", "a/2.jpg"]
    assert photos["position"].to_list() == [2, pd.NA]
    assert photos["label"].isna().to_list() == [False, True]


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


def test_weight_must_be_above_zero(csv):
    with pytest.raises(CatalogError, match=r"row 3, column 'weight': '0' is not a number above 0"):
        read_catalog(csv("path,weight\n1.jpg,0.5\n2.jpg,0\n"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("photos.csv", "", "the file is empty"),
        ("photos.csv", "file,tag\n1.jpg,Pool\n", r"no column 'path' .*its columns are file, tag"),
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
