"""Folders with one folder of photos per class."""

from __future__ import annotations

import pytest
from catalogues import many
from PIL import Image

from hotelviz.catalog import (
    read_catalog,
    write_catalog,
)
from hotelviz.errors import CatalogError, CatalogWarning, OutputError


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


def test_a_catalogue_of_a_folders_name_is_refused(tmp_path):
    (tmp_path / "photos.csv").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        write_catalog(many(3).assign(path="a.jpg"), tmp_path / "photos.csv")
