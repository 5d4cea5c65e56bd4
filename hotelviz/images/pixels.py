"""Pillow: from a container to pixels. What runs here may run in a process of its own."""

from __future__ import annotations

import io
import random
import struct
import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import AvifImagePlugin, Image, ImageFile, UnidentifiedImageError

from hotelviz.errors import ImageError
from hotelviz.images.bounds import View, draft_scale, targets
from hotelviz.images.colour import BAND, bands, eight_bits, to_srgb
from hotelviz.images.containers import Container

RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_ORIENTATION_TAG = 0x0112
#: Orientation -> how pixels are turned upright. All but 6 and 8 undo themselves.
_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda lying: lying,
    2: lambda lying: lying[:, ::-1],
    3: lambda lying: lying[::-1, ::-1],
    4: lambda lying: lying[::-1],
    5: lambda lying: lying.swapaxes(0, 1),
    6: lambda lying: lying.swapaxes(0, 1)[:, ::-1],
    7: lambda lying: lying[::-1, ::-1].swapaxes(0, 1),
    8: lambda lying: lying.swapaxes(0, 1)[::-1],
}
#: What Pillow's decoders raise on damaged data.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    RuntimeError,
    Warning,  # where the user wants warnings as errors
    struct.error,
)
# One thread a photo, as with every other format.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


class Photo(NamedTuple):
    """A photo in all its views, uint8 (height, width, 3) each, and what its file is."""

    views: list[np.ndarray]
    truncated: bool
    width: int
    height: int
    format: str


class _PerThread(threading.local):
    """A switch that each thread has for itself.

    Whether Pillow loads truncated files is a global of its module. Standing there as this object,
    whose truth differs from thread to thread, it lets one thread load a truncated file while the
    others still find out about theirs.
    """

    on = False

    def __bool__(self) -> bool:
        return self.on


_lenient = _PerThread()
ImageFile.LOAD_TRUNCATED_IMAGES = _lenient  # type: ignore[assignment]


class _TruncatedError(Exception):
    """Pillow could not load all pixels."""


def decode(photo: Container, views: Sequence[View]) -> Photo:
    """Decode a photo once for all `views`; the reason is all that its errors say."""
    try:
        if not photo.missing:
            return _decode(photo, views)
    except _TruncatedError:
        pass
    except UnidentifiedImageError:
        raise ImageError(f"damaged, or a {photo.format} of a kind that cannot be read") from None
    except ImageError:
        raise
    except _DAMAGE as error:
        raise ImageError(f"damaged: {error or type(error).__name__}") from error
    _lenient.on = True
    try:
        whole = _ends_early(photo, views) if photo.missing else _decode(photo, views)
    except ImageError:
        raise
    except (_TruncatedError, *_DAMAGE) as error:
        raise ImageError(f"damaged: {error or type(error).__name__}") from error
    finally:
        _lenient.on = False
    if (whole.views[0] == whole.views[0][0, 0]).all():
        raise ImageError("damaged: ends before the first pixel")
    return whole._replace(truncated=True)


@cache
def _register_heif() -> None:
    """Teach Pillow to read HEIC; only processes that come upon one do so."""
    import pillow_heif

    pillow_heif.options.DECODE_THREADS = 1
    pillow_heif.register_heif_opener(thumbnails=False)


def _decode(photo: Container, views: Sequence[View]) -> Photo:
    if photo.format == "HEIF":
        _register_heif()
    with Image.open(io.BytesIO(photo.data), formats=[photo.format]) as image:
        size = image.size
        if size[0] * size[1] > photo.width * photo.height:
            raise ImageError("damaged: holds more pixels than its header says")
        photo = photo._replace(width=size[0], height=size[1])
        # All at once: a decoder that waits for the next block does some of its work again.
        image.decodermaxblock = max(len(photo.data), ImageFile.MAXBLOCK)
        if draft_scale(photo, views) > 1:
            wanted = targets(photo, views)
            image.draft(None, (max(w for w, _ in wanted), max(h for _, h in wanted)))
        _load(image)
        photo = _turned(image, photo)
        loaded = eight_bits(image, photo)
    del image  # Its pixels, unless they are the loaded ones, go before the views are made.
    return _views(loaded, photo, views)


def _turned(image: Image.Image, photo: Container) -> Container:
    """Take the orientation from the decoder where only it knows."""
    if photo.orientation:
        return photo
    turn = image.getexif().get(_ORIENTATION_TAG, 1)
    return photo._replace(orientation=turn if 1 <= turn <= 8 else 1)


def _load(image: Image.Image) -> None:
    try:
        image.load()
    except _DAMAGE as error:
        raise _TruncatedError(error) from error


def _views(loaded: Image.Image, photo: Container, views: Sequence[View]) -> Photo:
    made = []
    for target, view in zip(targets(photo, views), views, strict=True):
        fitted = loaded
        if loaded.size != target:
            fitted = loaded.resize(target, RESAMPLING[view.resample])
        made.append(_upright(fitted, photo))
    width, height = photo.width, photo.height
    if photo.orientation >= 5:
        width, height = height, width
    return Photo(made, False, width, height, photo.format)


def _upright(image: Image.Image, photo: Container) -> np.ndarray:
    """Return the pixels in sRGB, turned as the photo's orientation says."""
    if image.width * image.height <= BAND:
        turned = _TURNS[photo.orientation](np.asarray(to_srgb(image, photo.icc)))
        return np.ascontiguousarray(turned)
    sides = image.size if photo.orientation >= 5 else image.size[::-1]
    pixels = np.empty((*sides, 3), "uint8")
    lying = _TURNS[{6: 8, 8: 6}.get(photo.orientation, photo.orientation)](pixels)
    for top, part in bands(image):
        lying[top : top + part.height] = np.asarray(to_srgb(part, photo.icc))
    return pixels


def _ends_early(photo: Container, views: Sequence[View]) -> Photo:
    """Decode what ends too early in a format whose decoder then gives nothing.

    What is missing is filled in two ways. Where the two differ the pixels hang on it: from there
    on the photo is grey.
    """
    filled = []
    for seed in (0, 1):
        data = io.BytesIO(photo.data + random.Random(seed).randbytes(photo.missing))
        with Image.open(data, formats=[photo.format]) as image:
            image.load()
            photo = _turned(image, photo)
            filled.append(eight_bits(image, photo))
    one, other = filled
    if (one.width, one.height) != (photo.width, photo.height):
        raise ImageError("damaged: is not as large as its header says")
    for (top, a), (_, b) in zip(bands(one), bands(other), strict=True):
        rows = (np.asarray(a) != np.asarray(b)).reshape(a.height, -1).any(axis=1)
        if rows.any():
            top += int(rows.argmax())
            one.paste(128 if one.mode == "L" else (128,) * 3, (0, top, one.width, one.height))
            break
    return _views(one, photo, views)
