"""Photos are decoded once, whatever the order of the catalogue and whatever was stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from runs import counted_decoding

from hotelviz.training import pixel_cache


def decode(photos: pd.DataFrame, tmp_path: Path) -> pixel_cache.Decoded:
    return pixel_cache.decode_once(
        photos, 8, tmp_path / "photos.pixels", resample="bilinear", progress=False
    )


def test_pixels_are_kept_by_photo_whatever_the_order(coloured, tmp_path, monkeypatch):
    first = decode(coloured, tmp_path)
    asked = counted_decoding(monkeypatch)
    again = decode(coloured.iloc[::-1], tmp_path)
    assert asked == []
    np.testing.assert_array_equal(again.pixels[:], first.pixels[:][::-1])
    assert again.photos.index.tolist() == coloured.index[::-1].tolist()


def test_photos_that_were_replaced_or_added_are_decoded_and_no_others(
    coloured, tmp_path, monkeypatch
):
    decode(coloured.iloc[:90], tmp_path)
    replaced = coloured["path"].iloc[7]
    Image.new("RGB", (40, 41), "white").save(replaced)
    asked = counted_decoding(monkeypatch)
    found = decode(coloured, tmp_path)
    assert sorted(asked) == sorted([replaced, *coloured["path"].iloc[90:]])
    assert (found.pixels[7] == 255).all()
    assert (found.pixels[8] != 255).any()


def test_pixels_that_a_killed_run_did_not_come_to_list_are_decoded_again(coloured, tmp_path):
    whole = decode(coloured, tmp_path).pixels[:]
    index = tmp_path / "photos.jsonl"
    lines = index.read_text().splitlines(keepends=True)
    index.write_text("".join(lines[:40]) + lines[40][:30])
    np.testing.assert_array_equal(decode(coloured, tmp_path).pixels[:], whole)
    assert len(index.read_text().splitlines()) == 97


def test_photo_that_is_not_there_now_is_tried_again(coloured, tmp_path):
    away = Path(coloured["path"].iloc[3])
    away.rename(tmp_path / "away.png")
    assert pixel_cache.is_read(decode(coloured, tmp_path).photos).sum() == 95
    (tmp_path / "away.png").rename(away)
    assert pixel_cache.is_read(decode(coloured, tmp_path).photos).all()
