"""Pixels of any kind become eight bits of sRGB, band by band, so that no second copy is held.

How other depths become eight bits
----------------------------------
- Whole numbers are scaled by the bits that the file says are used (PNG's ``sBIT``, TIFF's
  ``MaxSampleValue`` or bits a sample); where it says nothing, by the smallest of 8, 12 and 16 bits
  that hold the brightest: a photo darker than a sixteenth of white is one of 12 bits in 16.
- Floats from 0 to 1 are scaled by 255; ones whose highest is from 32 to 65,535 like whole numbers.
- Negative, higher and other values are refused: nobody knows what is white in them.
- Colours of 16 bits a channel lose the lower eight, and are refused where nothing but them is used.
"""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from hotelviz.errors import ImageError
from hotelviz.images.formats import Container

#: Pixels that are converted at once.
BAND = 1 << 20
#: What sRGB is called in profiles that are just that.
_SRGB_NAMES = tuple(
    name.encode(code)
    for name in ("sRGB IEC61966-2", "sRGB built-in", "sRGB2014", "Artifex sRGB")
    for code in ("ascii", "utf-16-be")
)
#: Red, green and blue of sRGB in XYZ, as profiles say them.
_SRGB_COLOURS = {
    b"rXYZ": (0.436, 0.2225, 0.0139),
    b"gXYZ": (0.385, 0.7169, 0.0971),
    b"bXYZ": (0.143, 0.0606, 0.7141),
}
#: Profiles that have been through a decoder that may crash.
_tried: set[bytes] = set()


def eight_bits(image: Image.Image, photo: Container) -> Image.Image:
    """Return an image as L, RGB, or, for a profile of its own, CMYK.

    Transparent parts become white.
    """
    if image.mode in {"I;16", "I;16L", "I;16B", "I;16N", "I", "F"}:
        scale = _scale(image, photo)
        clear = image.info.get("transparency")
        return _banded(image, "L", lambda part: _scaled(part, scale, clear))
    if photo.depth > 8 and photo.format in {"PNG", "TIFF"}:
        _check_deep(image, photo)
        clear = image.info.get("transparency")
        if isinstance(clear, tuple):
            image.info["transparency"] = tuple(value >> 8 for value in clear)
    # Grey stays grey: a profile of grey fits nothing else.
    is_grey = image.mode in {"L", "LA"} or (photo.icc[16:20] == b"GRAY" and _has_greys(image))
    if image.has_transparency_data:
        if is_grey:
            return _banded(image, "L", lambda part: _on_white(part).getchannel("R"))
        return _banded(image, "RGB", _on_white)
    if image.mode == "1" or (is_grey and image.mode == "P"):
        return image.convert("L")
    if image.mode in {"L", "RGB"} or (image.mode == "CMYK" and photo.icc):
        return image
    if image.mode == "LAB":
        lab, srgb = (ImageCms.createProfile(space) for space in ("LAB", "sRGB"))
        return _banded(image, "RGB", ImageCms.buildTransform(lab, srgb, "LAB", "RGB").apply)
    return _banded(image, "RGB", lambda part: part.convert("RGB"))


def bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield an image in bands of rows, each with the row at which it begins."""
    rows = max(1, BAND // image.width)
    if rows >= image.height:
        yield 0, image
        return
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _banded(
    image: Image.Image, mode: str, convert: Callable[[Image.Image], Image.Image]
) -> Image.Image:
    if image.width * image.height <= BAND:
        return convert(image)
    result = Image.new(mode, image.size)
    for top, part in bands(image):
        part.info = image.info
        result.paste(convert(part), (0, top))
    return result


def _on_white(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba).convert("RGB")


def _has_greys(image: Image.Image) -> bool:
    """Return whether an image of colours has nothing but greys."""
    if image.mode == "RGBA":  # so is grey of 16 bits with transparency
        red, green, blue, _ = image.split()
        return red == green == blue
    if image.mode != "P" or image.palette is None:
        return False
    colours = np.frombuffer(bytes(image.getpalette("RGB") or ()), "uint8").reshape(-1, 3)
    return bool((colours == colours[:, :1]).all())


def _scale(image: Image.Image, photo: Container) -> float:
    """Return the value of an image that is white, divided by 255."""
    parts = (np.asarray(part) for _, part in bands(image))
    extremes = np.array([(part.min(), part.max()) for part in parts], float)
    low, high = extremes.min(), extremes.max()
    if not np.isfinite(extremes).all():
        raise ImageError("holds values that are no numbers: its brightness is not known")
    if low < 0:
        raise ImageError(f"holds negative values (down to {low:g}): its brightness is not known")
    if image.mode == "F" and high <= 1:
        return 1 / 255
    if high > 65_535 or (image.mode == "F" and high < 32):
        raise ImageError(f"holds values up to {high:g}: nobody knows what is white in it")
    said = {10, 12, 14} & {photo.depth}
    bits = next(bits for bits in (*said, 8, 12, 16) if high < 1 << bits)
    return ((1 << bits) - 1) / 255


def _scaled(image: Image.Image, scale: float, clear: Any) -> Image.Image:
    values = np.asarray(image)
    # Whole numbers of 16 bits lose their lower eight as everywhere; the others are rounded.
    grey = values // 257 if scale == 257 else values / np.float32(scale) + np.float32(0.5)
    grey = grey.astype("uint8")
    if isinstance(clear, int):
        grey[values == clear] = 255
    return Image.fromarray(grey)


def _check_deep(image: Image.Image, photo: Container) -> None:
    """Refuse colours of 16 bits of which only the lower ones, that are lost, are used."""
    highest = np.max(image.getextrema()[:3])  # without transparency
    if photo.depth < 16 or 0 < highest < 16:
        raise ImageError(
            f"uses {photo.depth if photo.depth < 16 else 'at most 12'} of 16 bits a channel, "
            "of which only the upper eight can be read: save it with eight"
        )


def needs_trial(icc: bytes) -> bool:
    """Return whether a profile has not yet been converted without a crash."""
    return bool(icc) and not _is_srgb(icc) and _digest(icc) not in _tried


def tried(icc: bytes) -> None:
    """Note that a profile was converted without a crash."""
    if len(_tried) < 10_000:
        _tried.add(_digest(icc))


def _digest(icc: bytes) -> bytes:
    return hashlib.blake2b(icc, digest_size=16).digest()


@lru_cache(maxsize=256)
def _is_srgb(icc: bytes) -> bool:
    """Return whether a profile is called sRGB, and has the colours and curves of sRGB."""
    if len(icc) > 4096 or not any(name in icc for name in _SRGB_NAMES):
        return False
    try:
        (count,) = struct.unpack_from(">I", icc, 128)
        entries = struct.iter_unpack(">4sII", icc[132 : 132 + 12 * min(count, 64)])
        tags = {name: icc[start : start + size] for name, start, size in entries}
        colours = [
            abs(value / 65536 - right) < 0.002
            for name, rights in _SRGB_COLOURS.items()
            for value, right in zip(struct.unpack(">3i", tags[name][8:20]), rights, strict=True)
        ]
        curves = [abs(_middle(tags[name]) - 0.214) < 0.005 for name in (b"rTRC", b"gTRC", b"bTRC")]
    except (KeyError, ValueError, ArithmeticError, struct.error):
        return False
    return all(colours) and all(curves) and b"A2B0" not in tags


def _middle(curve: bytes) -> float:
    """Return how bright a profile's curve says that half is; not a number where it is not known."""
    kind, number = struct.unpack_from(">4s4xI", curve)
    if kind == b"curv" and number > 1:
        return float(np.interp(0.5, np.linspace(0, 1, number), np.frombuffer(
            curve[12 : 12 + 2 * number], ">u2") / 65535))  # fmt: skip
    if kind == b"para" and number >> 16 == 3:
        gamma, slope, offset = (value / 65536 for value in struct.unpack_from(">3i", curve, 12))
        half = slope * 0.5 + offset
        return float(half**gamma) if half > 0 else np.nan
    return np.nan


def to_srgb(image: Image.Image, icc: bytes) -> Image.Image:
    """Convert L, RGB or CMYK to sRGB; a profile that is damaged or does not fit is no profile."""
    if icc and not _is_srgb(icc):
        space, transform = _transform(icc)
        if transform is not None:
            if space == "RGB" and image.mode == "L":
                image = image.convert("RGB")
            if image.mode == space:
                return transform.apply(image)
    return image if image.mode == "RGB" else image.convert("RGB")


@lru_cache(maxsize=16)
def _transform(icc: bytes) -> tuple[str, ImageCms.ImageCmsTransform | None]:
    """Return a profile's colour space, and the conversion to sRGB, None where nothing changes."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        space = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}[profile.profile.xcolor_space.strip()]
        srgb, flags = ImageCms.createProfile("sRGB"), ImageCms.Flags.BLACKPOINTCOMPENSATION
        transform = ImageCms.buildTransform(profile, srgb, space, "RGB", flags=flags)
        cube = np.stack(np.meshgrid(*[np.arange(0, 256, 51, dtype="uint8")] * 3), axis=-1)
        if space == "RGB":
            colours = Image.fromarray(cube.reshape(6, 36, 3))
            moved = np.asarray(transform.apply(colours)).astype(int)
            if abs(moved - np.asarray(colours)).max() <= 2:
                return space, None
    except (ImageCms.PyCMSError, OSError, ValueError, KeyError, TypeError):
        return "", None
    return space, transform
