"""Make files into pixels, fast and safely.

Decoding is bounded: only the formats in `FORMATS` are tried, and a file that declares more than
`MAX_PIXELS` pixels is refused from its header. JPEGs are decoded at reduced scale where the result
is smaller than the photo. Files that end too early are loaded as far as they go, and flagged.
"""

from __future__ import annotations

import io
import os
import struct
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "SUFFIXES",
    "Decoded",
    "ImageBatch",
    "ImageError",
    "decode_image",
    "encode_jpeg",
    "iterate_images",
    "read_image",
]

#: What Pillow may try; everything else is not an image to us.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
#: Pillow's own bound: a quarter of a gigabyte of RGB.
MAX_PIXELS = 89_478_485

_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_ORIENTATION_TAG = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
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
    struct.error,
)


class ImageError(ValueError):
    """A file cannot be made into pixels; the message names it and says why."""


class Decoded(NamedTuple):
    """A photo: its pixels and what its file is.

    Attributes
    ----------
    pixels
        uint8 (height, width, 3), RGB.
    truncated
        The file ends too early; the missing part is grey or black.
    width, height
        Of the photo in the file, upright, in pixels.
    format
        One of `FORMATS`.
    """

    pixels: np.ndarray
    truncated: bool
    width: int
    height: int
    format: str


class ImageBatch(NamedTuple):
    """Some photos of a sequence.

    Attributes
    ----------
    rows
        int64 (n,), their places in the sequence.
    pixels
        uint8 (n, height, width, 3).
    problems
        Place in the sequence -> reason, for photos that are truncated (loaded all the same) and
        for those that could not be read (not in `rows`).
    """

    rows: np.ndarray
    pixels: np.ndarray
    problems: dict[int, str]


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


def decode_image(
    path: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    resample: str = "bilinear",
) -> Decoded:
    """Decode a photo, upright and in RGB.

    Transparent parts become white, 16-bit channels 8-bit, of an animation the first frame is
    taken.

    Parameters
    ----------
    path
        A local file.
    size
        Height and width to stretch it to; None keeps its own. JPEGs are decoded at the smallest
        scale that is not smaller than this.
    resample
        ``nearest``, ``bilinear``, ``bicubic`` or ``lanczos``, with antialiasing but for
        ``nearest``, which takes the file's own pixels, as models trained with it expect.

    Returns
    -------
    Decoded

    Raises
    ------
    ImageError
        The file is missing, empty, not an image, declares more than `MAX_PIXELS`, or is damaged.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "red.png"
    >>> Image.new("RGB", (40, 20), "red").save(file)
    >>> decode_image(file, size=(2, 2)).pixels[0, 0]
    array([255,   0,   0], dtype=uint8)
    """
    if resample not in _RESAMPLING:
        raise ImageError(f"resample must be one of {', '.join(_RESAMPLING)}; not {resample!r}")
    try:
        return _decode(path, size, resample)
    except FileNotFoundError:
        raise ImageError(f"{path}: missing") from None
    except _TruncatedError:
        pass
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(f"{path}: declares more than {MAX_PIXELS:,} pixels") from None
    except UnidentifiedImageError:
        empty = Path(path).stat().st_size == 0
        reason = "the file is empty" if empty else f"not a {', '.join(FORMATS)} image"
        raise ImageError(f"{path}: {reason}") from None
    except _DAMAGE as error:
        raise ImageError(f"{path}: {_reason(error)}") from error
    _lenient.on = True
    try:
        decoded = _decode(path, size, resample)
    except (_TruncatedError, *_DAMAGE) as error:
        raise ImageError(f"{path}: {_reason(error)}") from error
    finally:
        _lenient.on = False
    if (decoded.pixels == decoded.pixels[0, 0]).all():
        raise ImageError(f"{path}: damaged: ends before the first pixel")
    return decoded._replace(truncated=True)


class _TruncatedError(Exception):
    """Pillow could not load all pixels."""


def _reason(error: BaseException) -> str:
    if isinstance(error, IsADirectoryError):
        return "a folder, not a file"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    return f"damaged: {error or type(error).__name__}"


def _decode(path: str | os.PathLike[str], size: tuple[int, int] | None, resample: str) -> Decoded:
    with Image.open(path, formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        kind = image.format or ""
        if kind != "JPEG":
            _load(image)  # only then PNG and WebP know their orientation
        turn = _TURNS.get(image.getexif().get(_ORIENTATION_TAG, 1))
        lying = turn is not None and turn >= Image.Transpose.ROTATE_90
        lying = lying and turn != Image.Transpose.ROTATE_180
        width, height = image.size
        target = (width, height) if size is None else (size[1], size[0])
        if lying and size is not None:
            target = target[::-1]
        if kind == "JPEG":
            if resample != "nearest":
                image.draft(None, target)
            _load(image)
        rgb = _to_rgb(image)
        if rgb.size != target:
            rgb = rgb.resize(target, _RESAMPLING[resample])
        if turn is not None:
            rgb = rgb.transpose(turn)
        if lying:
            width, height = height, width
        return Decoded(np.asarray(rgb), False, width, height, kind)


def _load(image: Image.Image) -> None:
    try:
        image.load()
    except _DAMAGE as error:
        raise _TruncatedError(error) from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I"):
        values = np.asarray(image)
        # 16 bits a channel, also where Pillow holds them in 32.
        values = values // 257 if values.max(initial=0) > 255 else values
        return Image.fromarray(values.clip(0, 255).astype("uint8")).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def read_image(
    path: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    resample: str = "bilinear",
) -> np.ndarray:
    """Read a photo as pixels; see `decode_image` for what else a file tells.

    Parameters
    ----------
    path, size, resample
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
    >>> file = Path(tempfile.mkdtemp()) / "grey.png"
    >>> Image.new("L", (40, 20), 128).save(file)
    >>> read_image(file).shape
    (20, 40, 3)
    """
    return decode_image(path, size=size, resample=resample).pixels


def iterate_images(
    paths: Iterable[str | os.PathLike[str]],
    *,
    size: tuple[int, int],
    batch_size: int = 64,
    resample: str = "bilinear",
    workers: int | None = None,
    prefetch: int = 2,
) -> Iterator[ImageBatch]:
    """Read photos in batches, in order, decoding ahead of whoever uses them.

    Parameters
    ----------
    paths
        Any iterable; it is read only as far ahead as batches are decoded.
    size
        Height and width of the pixels.
    batch_size
        Photos a batch, less those that cannot be read.
    resample
        As in `decode_image`.
    workers
        Decoding threads; by default one for each core, at least two.
    prefetch
        Batches decoded ahead; with the one in use they bound the memory.

    Yields
    ------
    ImageBatch
        A photo that cannot be read does not stop the others; it is in the batch's problems.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "red.png"
    >>> Image.new("RGB", (40, 20), "red").save(file)
    >>> batch, = iterate_images([file, file.with_name("lost.jpg")], size=(8, 8))
    >>> batch.pixels.shape, list(batch.problems.values())
    ((1, 8, 8, 3), ['missing'])
    """
    source = iter(paths)
    waiting: deque[tuple[int, np.ndarray, list[Future[str]]]] = deque()
    start = 0
    with ThreadPoolExecutor(workers or max(2, _cores())) as pool:
        try:
            while True:
                while len(waiting) <= prefetch:
                    chunk = list(islice(source, batch_size))
                    if not chunk:
                        break
                    pixels = np.empty((len(chunk), *size, 3), "uint8")
                    jobs = [
                        pool.submit(_decode_into, path, pixels[place], resample)
                        for place, path in enumerate(chunk)
                    ]
                    waiting.append((start, pixels, jobs))
                    start += len(chunk)
                if not waiting:
                    return
                first, pixels, jobs = waiting.popleft()
                reasons = [job.result() for job in jobs]
                read = [not reason or reason.startswith("truncated") for reason in reasons]
                yield ImageBatch(
                    np.flatnonzero(read) + first,
                    pixels if all(read) else pixels[read],
                    {first + place: reason for place, reason in enumerate(reasons) if reason},
                )
        finally:
            pool.shutdown(cancel_futures=True)


def _cores() -> int:
    """Count the cores that this process may use, which a container often limits."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _decode_into(path: str | os.PathLike[str], pixels: np.ndarray, resample: str) -> str:
    """Decode into `pixels`; the problem, if there is one."""
    height, width = pixels.shape[:2]
    try:
        decoded = decode_image(path, size=(height, width), resample=resample)
    except ImageError as error:
        return str(error).removeprefix(f"{path}: ")
    pixels[...] = decoded.pixels
    return "truncated: the file ends too early" if decoded.truncated else ""


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

    Examples
    --------
    >>> encode_jpeg(np.zeros((8, 8, 3), "uint8"))[:2].hex()
    'ffd8'
    """
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, optimize=True, progressive=False)
    return file.getvalue()
