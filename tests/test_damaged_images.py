"""Damaged, truncated and wrongly named files: loaded as far as they go, or named."""

from __future__ import annotations

import importlib.util
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from album import gradient, save
from PIL import Image

from hotelviz.errors import ImageError
from hotelviz.images import (
    FORMATS,
    SUFFIXES,
    SUFFIXES_BY_FORMAT,
    decode_bytes,
    decode_image,
    encode_jpeg,
    iterate_images,
    read_image,
)
from hotelviz.schema import Status


@pytest.mark.parametrize(("suffix", "kw"), [("jpg", {"quality": 95}), ("png", {})])
def test_truncated_file_is_loaded_and_flagged(tmp_path, suffix, kw):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    whole, half = tmp_path / f"whole.{suffix}", tmp_path / f"half.{suffix}"
    Image.fromarray(noise).save(whole, **kw)
    data = whole.read_bytes()
    half.write_bytes(data[: len(data) // 2])
    decoded = decode_image(half)
    assert decoded.truncated
    assert not decode_image(whole).truncated
    assert (decoded.pixels[:60] == read_image(whole)[:60]).all()
    assert np.ptp(decoded.pixels[-20:].reshape(-1, 3), axis=0).max() == 0


def test_file_that_ends_within_its_header_is_unreadable(tmp_path):
    data = save(tmp_path / "a.jpg").read_bytes()
    start = data.index(b"\xff\xda")
    (tmp_path / "b.jpg").write_bytes(data[: start + 8])
    with pytest.raises(ImageError, match=r"b\.jpg: damaged"):
        read_image(tmp_path / "b.jpg")


def bomb(path: Path, side: int = 30_000) -> Path:
    """A PNG of a few bytes that declares side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )
    return path


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path, "missing"),
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (lambda path: path.write_text("hello, I am text" * 50), "not a JPEG, PNG"),
        (lambda path: path.mkdir(), "a folder"),
        (bomb, "declares more than"),
        (lambda path: bomb(path, 10_000), "declares more than"),
    ],
    ids=["missing", "empty", "text", "folder", "bomb", "bomb-that-pillow-only-warns-of"],
)
def test_unreadable_file_is_named_with_its_reason(tmp_path, make, reason):
    file = tmp_path / "photo.jpg"
    make(file)
    with pytest.raises(ImageError, match=rf"photo\.jpg: {reason}") as raised:
        read_image(file)
    # Where no file is, nothing is known of the photo.
    is_elsewhere = reason in {"missing", "a folder"}
    assert raised.value.status is (Status.UNAVAILABLE if is_elsewhere else Status.UNREADABLE)


def test_truncated_photo_in_a_batch_is_there_and_listed(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (99, 99, 3), dtype=np.uint8)
    data = encode_jpeg(noise)
    (tmp_path / "a.jpg").write_bytes(data)
    (tmp_path / "b.jpg").write_bytes(data[: len(data) // 2])
    (batch,) = iterate_images([tmp_path / "a.jpg", tmp_path / "b.jpg"] * 20, size=(32, 32))
    assert batch.rows.tolist() == list(range(40))
    assert set(batch.errors) == set(range(1, 40, 2))


def encoded(image: Image.Image, kind: str, **kw: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **kw)
    return file.getvalue()


def test_heic_without_its_reader_is_unavailable_here_and_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    head = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    meta = b"\0\0\0\x20meta\0\0\0\0" + b"\0\0\0\x14ispe\0\0\0\0\0\0\0\x08\0\0\0\x08"
    with pytest.raises(ImageError, match=r"pip install 'hotelviz\[heif\]'") as raised:
        decode_bytes(head + meta)
    assert raised.value.status is Status.UNAVAILABLE


@pytest.mark.parametrize("name", ["a.jfif", "b.JPE", "c.pjpeg", "d", "e.png", "f.heic"])
def test_content_decides_whatever_a_file_is_called(tmp_path, name):
    (tmp_path / name).write_bytes(encode_jpeg(gradient()))
    assert decode_image(tmp_path / name).format == "JPEG"


def test_a_folder_scan_takes_every_suffix_of_a_format():
    assert {".jfif", ".jpe", ".jif", ".pjpeg", ".avif", ".heic", ".heif"} <= SUFFIXES
    assert set(FORMATS) == set(SUFFIXES_BY_FORMAT)


def test_bytes_before_a_jpeg_are_skipped():
    data = encode_jpeg(gradient())
    pixels = decode_bytes(b"HTTP/1.1 200 OK\r\n\r\n" + data).pixels
    assert (pixels == decode_bytes(data).pixels).all()
    with pytest.raises(ImageError, match="not a JPEG"):
        decode_bytes(b"%PDF-1.4\n" + data)
    with pytest.raises(ImageError, match="not a JPEG"):
        decode_bytes(bytes(5000) + data)


#: Metadata in which nothing is right.
GARBAGE = b"\0\x08\0\x02\x01\x12\0\x03" + bytes(range(256)) * 4


def damaged_jpeg() -> bytes:
    data = encode_jpeg(gradient())
    segments = [
        b"\xff\xe1" + struct.pack(">H", 2 + 6 + len(GARBAGE)) + b"Exif\0\0" + GARBAGE,
        b"\xff\xe0\0\x04JF",  # JFIF cut short
        b"\xff\xe2" + struct.pack(">H", 2 + 14 + len(GARBAGE)) + b"ICC_PROFILE\0\1\1" + GARBAGE,
        b"\xff\xe2" + struct.pack(">H", 2 + 4 + len(GARBAGE)) + b"MPF\0" + GARBAGE,
        b"\xff\xed" + struct.pack(">H", 60_000) + b"Photoshop 3.0\0",  # longer than there is
    ]
    return data[:2] + b"".join(segments) + data[2:]


def damaged_png() -> bytes:
    data = encoded(Image.fromarray(gradient()), "PNG")
    chunks = b"".join(
        struct.pack(">I", len(body)) + kind + body + b"CRC?"
        for kind, body in [
            (b"eXIf", GARBAGE), (b"iCCP", b"x\0\0" + GARBAGE), (b"zTXt", b"x\0\0" + GARBAGE),
            (b"iTXt", GARBAGE), (b"tEXt", GARBAGE), (b"pHYs", b"1"), (b"acTL", b"2"),
            (b"gAMA", b""), (b"cHRM", b"3"),
        ]
    )  # fmt: skip
    return data[:33] + chunks + data[33:]


def damaged_webp() -> bytes:
    return encoded(
        Image.fromarray(gradient()), "WEBP", lossless=True, exif=GARBAGE, icc_profile=GARBAGE,
        xmp=GARBAGE,
    )  # fmt: skip


def damaged_tiff() -> bytes:
    data = encoded(Image.fromarray(gradient()), "TIFF", icc_profile=GARBAGE, description="x" * 99)
    at = struct.unpack_from("<I", data, 4)[0]
    clean = bytearray(data)
    for entry in range(at + 2, at + 2 + 12 * struct.unpack_from("<H", data, at)[0], 12):
        if struct.unpack_from("<H", data, entry)[0] == 270:
            struct.pack_into("<HHII", clean, entry, 0x8769, 4, 1, 0xFFFFFF00)
    return bytes(clean)


def damaged_gif() -> bytes:
    image = Image.fromarray(gradient()).quantize(dither=Image.Dither.NONE)
    data = encoded(image, "GIF")
    start = 13 + (3 << ((data[10] & 7) + 1))
    return data[:start] + b"\x21\xfe" + (b"\xff" + b"x" * 255) * 9 + b"\0" + data[start:]


def damaged_avif() -> bytes:
    described = Image.Exif()
    described[0x010E] = "x" * 60
    data = encoded(Image.fromarray(gradient()), "AVIF", quality=95, exif=described.tobytes())
    at = max(data.rfind(b"II*\0"), data.rfind(b"MM\0*"))
    return data[:at] + GARBAGE[:9] + data[at + 9 :]


@pytest.mark.parametrize(
    ("make", "tolerance"),
    [(damaged_jpeg, 24), (damaged_png, 0), (damaged_webp, 0), (damaged_tiff, 0), (damaged_gif, 40),
     (damaged_avif, 8)],
)  # fmt: skip
def test_damaged_metadata_does_not_cost_the_photo(make, tolerance):
    photo = decode_bytes(make())
    assert not photo.truncated
    assert np.abs(photo.pixels.astype(int) - gradient()).max() <= tolerance


def test_orientation_is_known_though_the_rest_of_exif_is_cut_off(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "x" * 500
    whole = exif.tobytes()
    file = save(tmp_path / "a.jpg", exif=whole)
    data = file.read_bytes()
    cut = len(whole) - 450
    segment = b"\xff\xe1" + struct.pack(">H", 2 + cut) + whole[:cut]
    at = data.index(b"\xff\xe1")
    data = data[:at] + segment + data[at + 4 + len(whole) :]
    assert decode_bytes(data).pixels.shape == (96, 64, 3)


@pytest.mark.parametrize(
    ("kind", "kw", "rows"),
    [
        ("JPEG", {}, 170), ("PNG", {}, 170), ("WEBP", {}, 150), ("WEBP", {"lossless": True}, 170),
        ("TIFF", {}, 170), ("AVIF", {}, 100),
    ],
)  # fmt: skip
def test_nine_tenths_of_a_file_give_the_rows_that_are_there(kind, kw, rows):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), kind, **kw)
    photo = decode_bytes(data[: len(data) * 9 // 10])
    assert photo.truncated
    assert (photo.pixels[:rows] == decode_bytes(data).pixels[:rows]).all()
    assert photo.pixels[-1].std() < 1
