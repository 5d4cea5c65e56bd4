"""Colour profiles, depths and transparency become eight bits of sRGB."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from album import gradient, save
from PIL import Image

from hotelviz.errors import ImageError
from hotelviz.images import (
    decode_bytes,
    read_image,
)
from hotelviz.schema import Status


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


def encoded(image: Image.Image, kind: str, **kw: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **kw)
    return file.getvalue()


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
