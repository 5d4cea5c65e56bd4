"""Decode files to pixels, fast and safely.

The container of a file is read first: what it is, how large, at what cost. Ordinary photos are
then decoded where they are asked for; others in a process that can be ended; what is beyond the
bounds is refused. JPEGs are decoded at reduced scale where the result is smaller than the photo.
Files that end too early are loaded as far as they go, and flagged.
"""

from __future__ import annotations

import importlib.util
import io
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import numpy as np
from PIL import Image, features

from hotelviz.errors import ImageError, TooLargeError
from hotelviz.images.bounds import MEMORY, ORDINARY_FILE, View, cost_of
from hotelviz.images.colour import needs_trial, tried
from hotelviz.images.containers import read_container
from hotelviz.images.pixels import Decoded
from hotelviz.images.truncated import decode
from hotelviz.images.worker import decode_apart
from hotelviz.io.remote import MAX_BYTES, is_url, read_bytes, redact
from hotelviz.schema import Status

#: Is held while a photo's file is larger than most: such are read one at a time.
_LARGE_FILES = threading.Lock()


def decode_image(
    path: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    resample: str = "bilinear",
    max_side: int | None = None,
) -> Decoded:
    """Decode a photo, upright and in sRGB.

    Transparent parts become white, colour profiles are converted, deeper channels become 8 bits,
    of an animation the first frame is taken. What is in a file beside its pixels never costs the
    photo.

    Parameters
    ----------
    path
        A file, or a URL.
    size
        Height and width to stretch it to; None keeps its own. JPEGs are decoded at the smallest
        scale that is not smaller than this.
    resample
        ``nearest``, ``bilinear``, ``bicubic`` or ``lanczos``, with antialiasing but for
        ``nearest``, which takes the file's own pixels, as models trained with it expect.
    max_side
        Without `size`: the longer side is made this many pixels, unless it has fewer.

    Returns
    -------
    Decoded

    Raises
    ------
    ImageError
        The file is missing, empty, not an image, damaged, beyond one of the bounds (`MAX_PIXELS`,
        `MAX_SIDE`, `MAX_MEMORY`, `MAX_SECONDS`), or its URL does not answer.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> file = Path(tempfile.mkdtemp()) / "red.png"
    >>> Image.new("RGB", (40, 20), "red").save(file)
    >>> decode_image(file, size=(2, 2)).pixels[0, 0]
    array([255,   0,   0], dtype=uint8)
    >>> decode_image(file, max_side=10).pixels.shape
    (5, 10, 3)
    """
    try:
        with reading(path) as data:
            return decode_bytes(data, size=size, resample=resample, max_side=max_side)
    except ImageError as error:
        place = redact(path) if is_url(path) else path
        raise ImageError(f"{place}: {error}", error.status) from error


def decode_bytes(
    data: bytes,
    *,
    size: tuple[int, int] | None = None,
    resample: str = "bilinear",
    max_side: int | None = None,
) -> Decoded:
    """Decode a photo's file that was read already; see `decode_image`.

    Parameters
    ----------
    data
        The whole file.
    size, resample, max_side
        As in `decode_image`.

    Returns
    -------
    Decoded

    Raises
    ------
    ImageError
        As in `decode_image`; it says why and no more.

    Examples
    --------
    >>> decode_bytes(encode_jpeg(np.zeros((8, 16, 3), "uint8"))).width
    16
    """
    return decode_views(data, [View(size, resample, max_side)])


def decode_views(data: bytes, views: Sequence[View]) -> Decoded:
    """Decode a file's bytes once for all `views`; the reason is all that its errors say."""
    photo = read_container(data)
    memory, ordinary = cost_of(photo, views)
    _check_readable(photo.format)
    with MEMORY.take(memory):
        if ordinary and not needs_trial(photo.icc):
            return decode(photo, views)
        found = decode_apart(photo, views)
    tried(photo.icc)
    return found


def _check_readable(kind: str) -> None:
    """Refuse a format that is read elsewhere, but not here."""
    if kind == "AVIF" and not features.check("avif"):
        reason = "an AVIF image, which this Pillow cannot read"
    elif kind == "HEIF" and importlib.util.find_spec("pillow_heif") is None:
        reason = "a HEIC image: pip install 'hotelviz[heif]' to read it"
    else:
        return
    raise ImageError(reason, Status.UNAVAILABLE)


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """Read a photo's bytes, and yield them.

    Large files are read one at a time, so that many threads do not hold many of them.

    Parameters
    ----------
    path
        A file or a URL.

    Yields
    ------
    bytes
        The whole file, once.

    Raises
    ------
    ImageError
        It cannot be read; the reason is all that it says.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> file = Path(tempfile.mkdtemp()) / "a.jpg"
    >>> _ = file.write_bytes(b"photo")
    >>> with reading(file) as data:
    ...     len(data)
    5
    """
    data = _read(path, ORDINARY_FILE)
    with _LARGE_FILES if data is None else nullcontext():
        if data is None:
            data = _read(path, MAX_BYTES)
        if data is None:
            raise ImageError(f"too costly: the file is larger than {MAX_BYTES // 1024**2} MB")
        yield data


def _read(path: str | os.PathLike[str], max_bytes: int) -> bytes | None:
    """Read a photo's file, or None where it is larger; the reason is all that its errors say."""
    try:
        return read_bytes(path, max_bytes=max_bytes)
    except TooLargeError:
        return None
    except OSError as error:
        reason = error.strerror or str(error)
        if isinstance(error, FileNotFoundError):
            reason = "missing"
        elif isinstance(error, IsADirectoryError):
            reason = "a folder, not a file"
        elif isinstance(error, PermissionError) and not is_url(path):
            reason = "no permission to read it"
        raise ImageError(reason, Status.UNAVAILABLE) from None


def read_image(
    path: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    resample: str = "bilinear",
    max_side: int | None = None,
) -> np.ndarray:
    """Read a photo's pixels; see `decode_image` for what else a file says.

    Parameters
    ----------
    path, size, resample, max_side
        As in `decode_image`.

    Returns
    -------
    numpy.ndarray
        uint8 (height, width, 3), RGB.

    Raises
    ------
    ImageError
        The file cannot be made into pixels.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> file = Path(tempfile.mkdtemp()) / "grey.png"
    >>> Image.new("L", (40, 20), 128).save(file)
    >>> read_image(file).shape
    (20, 40, 3)
    """
    return decode_image(path, size=size, resample=resample, max_side=max_side).pixels


def encode_jpeg(pixels: np.ndarray, *, quality: int = 82) -> bytes:
    """Encode pixels as a JPEG file.

    Parameters
    ----------
    pixels
        uint8 (height, width, 3), RGB.
    quality
        1 to 95.

    Returns
    -------
    bytes
        The whole file.

    Examples
    --------
    >>> encode_jpeg(np.zeros((8, 8, 3), "uint8"))[:2].hex()
    'ffd8'
    """
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, optimize=True, progressive=False)
    return file.getvalue()
