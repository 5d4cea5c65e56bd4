"""Files to pixels: formats, damage and bounds."""

from __future__ import annotations

import importlib.util
import io
import struct
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hotelviz.errors import HotelvizError, ImageError
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


def gradient(width: int = 96, height: int = 64) -> np.ndarray:
    """Red grows to the right, green downwards, blue is 90: every turn is visible."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([x, y, np.full_like(x, 90)], axis=2).round().astype("uint8")


def save(path: Path, mode: str = "RGB", **kw: object) -> Path:
    Image.fromarray(gradient()).convert(mode).save(path, **kw)
    return path


@pytest.mark.parametrize(
    ("name", "mode", "kw", "tolerance"),
    [
        ("a.jpg", "RGB", {"quality": 95}, 12),
        ("progressive.jpg", "RGB", {"quality": 95, "progressive": True}, 12),
        ("cmyk.jpg", "CMYK", {"quality": 98}, 12),
        ("a.png", "RGB", {}, 0),
        ("palette.png", "P", {}, 51),  # a palette of steps of 51
        ("a.webp", "RGB", {"lossless": True}, 0),
        ("a.bmp", "RGB", {}, 0),
        ("a.tif", "RGB", {}, 0),
    ],
)
def test_each_format_gives_the_pixels_it_was_written_with(tmp_path, name, mode, kw, tolerance):
    pixels = read_image(save(tmp_path / name, mode, **kw))
    assert pixels.shape == (64, 96, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - gradient()).max() <= tolerance


def test_grey_jpeg_becomes_three_equal_channels(tmp_path):
    pixels = read_image(save(tmp_path / "grey.jpg", "L", quality=95))
    assert (pixels[..., 0] == pixels[..., 1]).all()
    assert (pixels[..., 0] == pixels[..., 2]).all()
    assert np.ptp(pixels[..., 0]) > 150


def test_transparent_pixels_become_white(tmp_path):
    rgba = np.dstack([gradient(), np.zeros((64, 96), "uint8")])
    rgba[:, 48:, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "a.png")
    pixels = read_image(tmp_path / "a.png")
    assert (pixels[:, :48] == 255).all()
    assert (pixels[:, 48:] == gradient()[:, 48:]).all()


def test_transparent_palette_colour_becomes_white(tmp_path):
    image = Image.fromarray(np.repeat([[0, 1]], 8, axis=0).astype("uint8")).convert("P")
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.save(tmp_path / "a.png", transparency=0)
    assert read_image(tmp_path / "a.png")[0].tolist() == [[255, 255, 255], [200, 0, 0]]


def test_sixteen_bit_png_is_scaled_to_eight(tmp_path):
    values = np.linspace(0, 65535, 64).astype("uint16").reshape(8, 8)
    Image.fromarray(values).save(tmp_path / "deep.png")
    assert (read_image(tmp_path / "deep.png")[..., 0] == values // 257).all()


def test_first_frame_of_an_animation_is_taken(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "a.gif")[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_exif_orientation_is_undone(tmp_path, orientation, suffix):
    undo = {
        1: lambda x: x,
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.swapaxes(0, 1),
        6: lambda x: np.rot90(x),
        7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
        8: lambda x: np.rot90(x, 3),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(undo(gradient()))
    file = tmp_path / f"a.{suffix}"
    Image.fromarray(stored).save(file, exif=exif, **({"quality": 95} if suffix == "jpg" else {}))
    decoded = decode_image(file, size=(32, 48))
    assert (decoded.width, decoded.height) == (96, 64)
    whole = np.asarray(Image.fromarray(gradient()).resize((48, 32), Image.Resampling.BILINEAR))
    assert np.abs(decoded.pixels.astype(int) - whole).max() <= 14


def test_reduced_decoding_looks_like_full_decoding(tmp_path):
    big = Image.fromarray(gradient(1600, 1200))
    big.save(tmp_path / "big.jpg", quality=92)
    fast = read_image(tmp_path / "big.jpg", size=(224, 224)).astype(int)
    full = np.asarray(
        Image.open(tmp_path / "big.jpg").resize((224, 224), Image.Resampling.BILINEAR)
    )
    assert np.abs(fast - full).mean() < 1


def test_nearest_takes_the_files_own_pixels(tmp_path):
    file = save(tmp_path / "a.jpg", quality=90)
    expected = np.asarray(Image.open(file).resize((20, 10), Image.Resampling.NEAREST))
    assert (read_image(file, size=(10, 20), resample="nearest") == expected).all()


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


def test_unknown_filter_is_refused(tmp_path):
    file = save(tmp_path / "a.png")
    with pytest.raises(HotelvizError, match="nearest, bilinear, bicubic, lanczos; not 'cubic'"):
        read_image(file, resample="cubic")
    with pytest.raises(HotelvizError, match="not 'cubic'"):  # and not "all photos are unreadable"
        next(iterate_images([file], size=(8, 8), resample="cubic"))


def test_batches_keep_order_and_list_what_was_skipped(tmp_path):
    files = []
    for number in range(10):
        file = tmp_path / f"{number}.png"
        Image.new("RGB", (20, 20), (number * 20, 0, 0)).save(file)
        files.append(file)
    files[3].write_text("not an image")
    files[7].unlink()
    batches = list(iterate_images(iter(files), size=(16, 8), batch_size=4))
    assert [len(batch.rows) for batch in batches] == [3, 3, 2]
    rows = np.concatenate([batch.rows for batch in batches])
    pixels = np.concatenate([batch.pixels for batch in batches])
    assert rows.tolist() == [0, 1, 2, 4, 5, 6, 8, 9]
    assert pixels.shape == (8, 16, 8, 3)
    assert pixels[:, 0, 0, 0].tolist() == [20 * row for row in rows]
    problems = {row: p.reason for batch in batches for row, p in batch.errors.items()}
    assert problems == {3: "not a JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF, HEIF image", 7: "missing"}


def test_truncated_photo_in_a_batch_is_there_and_listed(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (99, 99, 3), dtype=np.uint8)
    data = encode_jpeg(noise)
    (tmp_path / "a.jpg").write_bytes(data)
    (tmp_path / "b.jpg").write_bytes(data[: len(data) // 2])
    (batch,) = iterate_images([tmp_path / "a.jpg", tmp_path / "b.jpg"] * 20, size=(32, 32))
    assert batch.rows.tolist() == list(range(40))
    assert set(batch.errors) == set(range(1, 40, 2))


def test_sequence_is_read_only_as_far_ahead_as_asked(tmp_path):
    file = save(tmp_path / "a.png")
    taken = []

    def endless():
        while True:
            taken.append(file)
            yield file

    batches = iterate_images(endless(), size=(8, 8), batch_size=5, prefetch=2)
    next(batches)
    assert len(taken) == 15
    batches.close()


def test_threads_end_when_the_consumer_stops_early(tmp_path):
    before = threading.active_count()
    batches = iterate_images([save(tmp_path / "a.png")] * 500, size=(8, 8), batch_size=5)
    next(batches)
    batches.close()
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def encoded(image: Image.Image, kind: str, **kw: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **kw)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "kw", "tolerance"),
    [
        ("AVIF", {"quality": 95}, 8),
        ("HEIF", {"quality": 95}, 8),
        ("TIFF", {"compression": "jpeg"}, 8),
    ],
)
def test_formats_that_are_decoded_apart_give_their_pixels_upright(kind, kw, tolerance):
    if kind == "HEIF":
        pytest.importorskip("pillow_heif", reason="the extra 'heif' is not installed")
        import pillow_heif

        pillow_heif.register_heif_opener()
    turned = Image.Exif()
    turned[0x0112] = 6
    photo = decode_bytes(encoded(Image.fromarray(gradient()), kind, exif=turned.tobytes(), **kw))
    assert photo.format == kind
    assert (photo.width, photo.height) == (64, 96)
    assert np.abs(photo.pixels.astype(int) - np.rot90(gradient(), -1)).max() <= tolerance


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


# What a colour in another space is in sRGB: computed by its primaries and curve, not by a profile.
_TO_XYZ = {
    "sRGB": [(0.64, 0.33), (0.30, 0.60), (0.15, 0.06)],
    "Display P3": [(0.68, 0.32), (0.265, 0.69), (0.15, 0.06)],
    "Adobe RGB": [(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)],
}


def matrix(space: str) -> np.ndarray:
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in _TO_XYZ[space]]).T
    white = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
    return columns * np.linalg.solve(columns, white)


def in_srgb(colour: tuple[int, int, int], space: str) -> np.ndarray:
    value = np.array(colour) / 255
    curve = value**2.19921875
    if space != "Adobe RGB":
        curve = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.linalg.solve(matrix("sRGB"), matrix(space) @ curve), 0, 1)
    return np.where(
        linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055
    ) * 255  # fmt: skip


def profile(space: str, kind: bytes = b"RGB ", called: bytes = b"test") -> bytes:
    """A colour profile of version 2, from primaries that are adapted to D50, and a curve."""
    bradford = np.array(
        [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    )
    d65 = bradford @ [0.95047, 1, 1.08883]
    d50 = bradford @ [0.96422, 1, 0.82521]
    adapted = np.linalg.solve(bradford, np.diag(d50 / d65) @ bradford) @ matrix(space)

    def number(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    if space == "Adobe RGB":
        curve = b"curv\0\0\0\0\0\0\0\x01" + struct.pack(">H", round(2.19921875 * 256)) + b"\0\0"
    else:
        x = np.linspace(0, 1, 1024)
        x = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
        curve = b"curv\0\0\0\0" + struct.pack(">I1024H", 1024, *np.round(x * 65535).astype(int))
    tags = {b"wtpt": b"XYZ \0\0\0\0" + b"".join(map(number, (0.96422, 1, 0.82521)))}
    if kind == b"RGB ":
        for name, column in zip("rgb", adapted.T, strict=True):
            tags[f"{name}XYZ".encode()] = b"XYZ \0\0\0\0" + b"".join(map(number, column))
            tags[f"{name}TRC".encode()] = curve
    else:
        tags[b"kTRC"] = curve
    tags[b"desc"] = b"desc\0\0\0\0" + struct.pack(">I", len(called) + 1) + called + bytes(79)
    tags[b"cprt"] = b"text\0\0\0\0none\0"
    table, body, at = b"", b"", 132 + 12 * len(tags)
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        table += name + struct.pack(">II", at + len(body), len(value))
        body += value
    head = struct.pack(">I", at + len(body)) + b"lcms\x02\x10\0\0mntr" + kind + b"XYZ "
    head += bytes(12) + b"acsp" + bytes(28) + b"".join(map(number, (0.96422, 1, 0.82521)))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


@pytest.mark.parametrize("space", ["Display P3", "Adobe RGB"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
def test_colours_of_wide_profiles_are_converted_to_srgb(space, kind):
    colour = (180, 90, 60)
    image = Image.new("RGB", (32, 32), colour)
    kw = {"quality": 100} | ({"lossless": True} if kind == "WEBP" else {})
    data = encoded(image, kind, icc_profile=profile(space), **({} if kind == "TIFF" else kw))
    expected = in_srgb(colour, space)
    assert np.abs(expected - colour).max() > 8  # something is to be seen of it
    assert np.abs(decode_bytes(data).pixels[9, 9] - expected).max() <= 4
    assert np.abs(decode_bytes(data, size=(8, 8)).pixels[3, 3] - expected).max() <= 4


def test_srgb_profiles_change_nothing_and_grey_ones_what_they_say():
    same = encoded(Image.fromarray(gradient()), "PNG", icc_profile=profile("sRGB"))
    assert (decode_bytes(same).pixels == gradient()).all()
    grey = encoded(Image.new("L", (8, 8), 90), "PNG", icc_profile=profile("Adobe RGB", b"GRAY"))
    # Gamma 2.2 is a little darker than sRGB in the shadows; grey stays grey.
    assert np.ptp(decode_bytes(grey).pixels[0, 0].astype(int)) == 0
    assert abs(int(decode_bytes(grey).pixels[0, 0, 0]) - in_srgb((90, 90, 90), "Adobe RGB")[0]) <= 2


@pytest.mark.parametrize("mode", ["LA", "P", "L with a colour that is clear", "16-bit LA"])
def test_grey_profile_is_heeded_also_beside_transparency_and_in_a_palette(mode):
    icc, grey = profile("Adobe RGB", b"GRAY"), Image.new("L", (8, 8), 40)
    if mode == "16-bit LA":
        data = deep_png(np.full((8, 8, 2), [40 * 257, 65_535]), 4, icc=icc)
    elif "clear" in mode:
        data = encoded(grey, "PNG", icc_profile=icc, transparency=3)
    else:
        data = encoded(grey.convert(mode), "PNG", icc_profile=icc)
    pixel = decode_bytes(data).pixels[2, 2].astype(int)
    assert np.abs(pixel - in_srgb((40, 40, 40), "Adobe RGB")).max() <= 1
    assert in_srgb((40, 40, 40), "Adobe RGB")[0] < 38  # something is to be seen of it


@pytest.mark.parametrize("mode", ["P", "RGBA"])
def test_grey_profile_does_not_take_the_colours(mode):
    image = Image.new("RGB", (8, 8), (180, 90, 60)).convert(mode)
    data = encoded(image, "PNG", icc_profile=profile("Adobe RGB", b"GRAY"))
    assert decode_bytes(data).pixels[0, 0].tolist() == list(image.convert("RGB").getpixel((0, 0)))


@pytest.mark.parametrize("space", ["Display P3", "Adobe RGB"])
def test_profile_that_only_calls_itself_srgb_is_converted(space):
    colour, name = (180, 90, 60), b"not sRGB IEC61966-2.1"
    data = encoded(Image.new("RGB", (8, 8), colour), "PNG", icc_profile=profile(space, called=name))
    assert np.abs(decode_bytes(data).pixels[0, 0] - in_srgb(colour, space)).max() <= 2
    same = profile("sRGB", called=b"sRGB IEC61966-2.1")
    data = encoded(Image.new("RGB", (8, 8), colour), "PNG", icc_profile=same)
    assert decode_bytes(data).pixels[0, 0].tolist() == list(colour)


def test_profile_of_another_kind_than_the_pixels_is_passed_over():
    colour = (180, 90, 60)
    wrong = encoded(
        Image.new("RGB", (8, 8), colour), "PNG", icc_profile=profile("Adobe RGB", b"GRAY")
    )
    assert decode_bytes(wrong).pixels[0, 0].tolist() == list(colour)
    inks = Image.new("CMYK", (8, 8), (60, 128, 90, 0))
    cmyk = encoded(inks, "JPEG", icc_profile=profile("Adobe RGB"))
    assert (decode_bytes(cmyk).pixels == decode_bytes(encoded(inks, "JPEG")).pixels).all()


def grey_levels(values: np.ndarray, kind: str) -> np.ndarray:
    return decode_bytes(encoded(Image.fromarray(values), kind)).pixels[..., 0].astype(int)


@pytest.mark.parametrize(
    ("kind", "top", "dtype"),
    [
        ("TIFF", 1.0, "float32"), ("TIFF", 255.0, "float32"), ("TIFF", 65535.0, "float32"),
        ("TIFF", 65535, "uint16"), ("TIFF", 4095, "uint16"), ("TIFF", 255, "uint16"),
        ("TIFF", 65535, "int32"), ("PNG", 65535, "uint16"), ("PNG", 4095, "uint16"),
    ],
)  # fmt: skip
def test_other_depths_are_scaled_to_eight_bits(kind, top, dtype):
    ramp = np.linspace(0, 1, 64 * 96).reshape(64, 96)
    levels = grey_levels((ramp * top).astype(dtype), kind)
    assert np.abs(levels - ramp * 255).max() <= 1.01
    assert levels[-1, -1] == 255


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.linspace(-1, 1, 64, dtype="float32"), "negative values"),
        (np.linspace(0, 2, 64, dtype="float32"), "values up to 2"),
        (np.array([0, np.nan] * 32, dtype="float32"), "no numbers"),
        (np.linspace(0, 2**30, 64).astype("int32"), "values up to"),
        (np.linspace(-500, 500, 64).astype("int32"), "negative values"),
    ],
    ids=["negative", "above-one", "nan", "32-bit", "signed"],
)
def test_values_of_unknown_brightness_are_refused_not_clipped(values, reason):
    with pytest.raises(ImageError, match=reason) as raised:
        grey_levels(values.reshape(8, 8), "TIFF")
    assert raised.value.status is Status.UNREADABLE


def deep_png(values: np.ndarray, colour: int, extra: bytes = b"", icc: bytes = b"") -> bytes:
    """A PNG with 16 bits a channel, which Pillow does not write in colour."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    if icc:
        extra += chunk(b"iCCP", b"icc\0\0" + zlib.compress(icc))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra
        + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )  # fmt: skip


def test_sixteen_bits_a_colour_lose_the_lower_eight_and_twelve_in_sixteen_are_refused():
    values = gradient().astype("uint16") * 257
    assert (decode_bytes(deep_png(values, 2)).pixels == gradient()).all()
    with pytest.raises(ImageError, match="12 of 16 bits a channel"):
        decode_bytes(deep_png(values // 16, 2))


def test_grey_with_alpha_is_laid_on_white():
    image = Image.fromarray(np.array([[[100, 255], [100, 0], [100, 128]]], "uint8"), "LA")
    row = decode_bytes(encoded(image, "PNG")).pixels[0]
    assert np.abs(row[:, 0].astype(int) - (100, 255, 177)).max() <= 1
    assert (np.ptp(row, axis=1) == 0).all()


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


def test_photo_is_fitted_into_a_side_upright_and_never_enlarged(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    file = save(tmp_path / "a.jpg", exif=exif.tobytes())
    assert decode_image(file, max_side=48).pixels.shape == (48, 32, 3)
    assert decode_image(file, max_side=500).pixels.shape == (96, 64, 3)
