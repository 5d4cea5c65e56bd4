"""Make files into pixels, fast and safely.

Decoding is bounded: only the formats in `FORMATS` are tried, and a file that declares more than
`MAX_PIXELS` pixels is refused from its header. JPEGs are decoded at reduced scale where the result
is smaller than the photo. Files that end too early are loaded as far as they go, and flagged.
"""

from __future__ import annotations

import enum
import io
import os
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import imagehash
import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from hotelviz.errors import HotelvizError
from hotelviz.io.remote import is_url, read_bytes, redact

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "SUFFIXES",
    "Decoded",
    "ImageBatch",
    "ImageError",
    "Problem",
    "Seconds",
    "Status",
    "View",
    "ViewBatch",
    "decode_image",
    "encode_jpeg",
    "iterate_images",
    "iterate_views",
    "perceptual_hash",
    "read_image",
    "reading",
    "usable_cores",
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


class Status(enum.StrEnum):
    """How the reading of a photo ended."""

    OK = "ok"
    #: The file ends too early; what there is was loaded.
    TRUNCATED = "truncated"
    #: The file is no photo: it would be no better at another time or place.
    UNREADABLE = "unreadable"
    #: A fault of the place, not of the photo: missing here, refused, no answer. It says nothing
    #: about the photo, is tried again by the next run, and is never a reason to drop it.
    UNAVAILABLE = "unavailable"


class Problem(NamedTuple):
    """What was wrong with a photo.

    Attributes
    ----------
    status
        Any but ``Status.OK``.
    reason
        In words, without the file's name.
    """

    status: Status
    reason: str


class ImageError(HotelvizError):
    """A file cannot be made into pixels; the message names it and says why.

    Attributes
    ----------
    status
        ``Status.UNREADABLE``, or ``Status.UNAVAILABLE`` where the place is at fault.
    """

    def __init__(self, reason: str, status: Status = Status.UNREADABLE) -> None:
        super().__init__(reason)
        self.status = status


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
        Place in the sequence -> problem, for photos that are truncated (loaded all the same) and
        for those that could not be read (not in `rows`).
    """

    rows: np.ndarray
    pixels: np.ndarray
    problems: dict[int, Problem]


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
        A file, or a URL (see `hotelviz.io.remote`).
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
        The file is missing, empty, not an image, declares more than `MAX_PIXELS`, is damaged, or
        its URL does not answer.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "red.png"
    >>> Image.new("RGB", (40, 20), "red").save(file)
    >>> decode_image(file, size=(2, 2)).pixels[0, 0]
    array([255,   0,   0], dtype=uint8)
    """
    try:
        photo = _decode(_read(path), [View(size, resample)])
    except ImageError as error:
        place = redact(path) if is_url(path) else path
        raise ImageError(f"{place}: {error}", error.status) from error
    return Decoded(photo.views[0], photo.truncated, photo.width, photo.height, photo.format)


class View(NamedTuple):
    """How a photo is wanted: height and width (None: its own), and the filter of the resizing."""

    size: tuple[int, int] | None
    resample: str = "bilinear"


class _Photo(NamedTuple):
    views: list[np.ndarray]
    truncated: bool
    width: int
    height: int
    format: str


def _decode(data: bytes, views: Sequence[View]) -> _Photo:
    """Decode a file's bytes once for all `views`; the reason is all that its errors say."""
    for view in views:
        if view.resample not in _RESAMPLING:
            raise ImageError(
                f"resample must be one of {', '.join(_RESAMPLING)}; not {view.resample!r}"
            )
    try:
        return _decode_strictly(data, views)
    except _TruncatedError:
        pass
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(f"declares more than {MAX_PIXELS:,} pixels") from None
    except UnidentifiedImageError:
        reason = f"not a {', '.join(FORMATS)} image" if data else "the file is empty"
        raise ImageError(reason) from None
    except _DAMAGE as error:
        raise ImageError(f"damaged: {error or type(error).__name__}") from error
    _lenient.on = True
    try:
        photo = _decode_strictly(data, views)
    except (_TruncatedError, *_DAMAGE) as error:
        raise ImageError(f"damaged: {error or type(error).__name__}") from error
    finally:
        _lenient.on = False
    if (photo.views[0] == photo.views[0][0, 0]).all():
        raise ImageError("damaged: ends before the first pixel")
    return photo._replace(truncated=True)


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """Have a photo's bytes for a while.

    Parameters
    ----------
    path
        A file or a URL.

    Yields
    ------
    bytes

    Raises
    ------
    ImageError
        It cannot be read; the reason is all that it says.
    """
    yield _read(path)


def _read(path: str | os.PathLike[str]) -> bytes:
    """Read a photo's file; the reason is all that its errors say."""
    try:
        return read_bytes(path)
    except FileNotFoundError:
        raise ImageError("missing", Status.UNAVAILABLE) from None
    except IsADirectoryError:
        raise ImageError("a folder, not a file") from None
    except PermissionError as error:
        reason = (error.strerror or "refused") if is_url(path) else "no permission to read it"
        raise ImageError(reason, Status.UNAVAILABLE) from None
    except OSError as error:
        raise ImageError(str(error), Status.UNAVAILABLE) from None


class _TruncatedError(Exception):
    """Pillow could not load all pixels."""


def _decode_strictly(data: bytes, views: Sequence[View]) -> _Photo:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        kind = image.format or ""
        if kind != "JPEG":
            _load(image)  # only then PNG and WebP know their orientation
        turn = _TURNS.get(image.getexif().get(_ORIENTATION_TAG, 1))
        lying = turn is not None and turn >= Image.Transpose.ROTATE_90
        lying = lying and turn != Image.Transpose.ROTATE_180
        width, height = image.size
        # Width and height of each view as the photo lies in the file.
        targets = [
            (width, height) if view.size is None else view.size if lying else view.size[::-1]
            for view in views
        ]
        if kind == "JPEG":
            if all(view.resample != "nearest" for view in views):
                image.draft(None, (max(w for w, _ in targets), max(h for _, h in targets)))
            _load(image)
        rgb = _to_rgb(image)
        pixels = []
        for target, view in zip(targets, views, strict=True):
            fitted = rgb if rgb.size == target else rgb.resize(target, _RESAMPLING[view.resample])
            pixels.append(np.asarray(fitted if turn is None else fitted.transpose(turn)))
        if lying:
            width, height = height, width
        return _Photo(pixels, False, width, height, kind)


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
    >>> batch.pixels.shape, batch.problems[1].status, batch.problems[1].reason
    ((1, 8, 8, 3), <Status.UNAVAILABLE: 'unavailable'>, 'missing')
    """
    for batch in iterate_views(
        paths, [View(size, resample)], batch_size=batch_size, workers=workers, prefetch=prefetch
    ):
        yield ImageBatch(batch.rows, batch.views[0], batch.problems)


class ViewBatch(NamedTuple):
    """Some photos of a sequence, each in several views.

    Attributes
    ----------
    rows, problems
        As in `ImageBatch`.
    views
        For each view uint8 (n, height, width, 3).
    measures
        What `measure` gave for each of the n photos; empty where nothing was to be measured.
    seconds
        What reading and decoding them took.
    """

    rows: np.ndarray
    views: list[np.ndarray]
    measures: list[Any]
    problems: dict[int, Problem]
    seconds: Seconds


class Seconds(NamedTuple):
    """How long photos took, summed over the threads that read them.

    Attributes
    ----------
    reading
        Waiting for their bytes.
    decoding
        Of the processor's time.
    """

    reading: float
    decoding: float


def iterate_views(
    paths: Iterable[str | os.PathLike[str]],
    views: Sequence[View],
    *,
    measure: Callable[[Decoded], Any] | None = None,
    batch_size: int = 64,
    workers: int | None = None,
    prefetch: int = 2,
) -> Generator[ViewBatch, None, None]:
    """Read photos as `iterate_images` does, each decoded once for several networks.

    Parameters
    ----------
    paths, batch_size, workers, prefetch
        As in `iterate_images`.
    views
        The sizes and filters that are wanted; every size is given.
    measure
        Is called with each photo, decoded to the first view, in the thread that decoded it.

    Yields
    ------
    ViewBatch
    """
    source = iter(paths)
    sizes = [view.size for view in views if view.size is not None]
    waiting: deque[tuple[int, list[np.ndarray], list[Future[_Result]]]] = deque()
    start = 0
    with ThreadPoolExecutor(workers or max(2, usable_cores())) as pool:
        try:
            while True:
                while len(waiting) <= prefetch:
                    chunk = list(islice(source, batch_size))
                    if not chunk:
                        break
                    pixels = [np.empty((len(chunk), *size, 3), "uint8") for size in sizes]
                    jobs = [
                        pool.submit(
                            _decode_into, path, views, [part[place] for part in pixels], measure
                        )
                        for place, path in enumerate(chunk)
                    ]
                    waiting.append((start, pixels, jobs))
                    start += len(chunk)
                if not waiting:
                    return
                first, pixels, jobs = waiting.popleft()
                results = [job.result() for job in jobs]
                problems = [result.problem for result in results]
                read = np.array([p is None or p.status is Status.TRUNCATED for p in problems])
                yield ViewBatch(
                    np.flatnonzero(read) + first,
                    pixels if read.all() else [part[read] for part in pixels],
                    [results[place].measured for place in np.flatnonzero(read)] if measure else [],
                    {first + place: problem for place, problem in enumerate(problems) if problem},
                    Seconds(
                        sum(result.seconds.reading for result in results),
                        sum(result.seconds.decoding for result in results),
                    ),
                )
        finally:
            pool.shutdown(cancel_futures=True)


def usable_cores() -> int:
    """Count the cores that this process may use, which a container often limits.

    ``$HOTELVIZ_CORES`` says how many, where a machine is divided among processes.
    """
    given = os.environ.get("HOTELVIZ_CORES", "")
    if given.isdigit() and int(given):
        return int(given)
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, round(int(quota) / int(period))))


class _Result(NamedTuple):
    problem: Problem | None
    measured: Any
    seconds: Seconds


def _decode_into(
    path: str | os.PathLike[str],
    views: Sequence[View],
    pixels: list[np.ndarray],
    measure: Callable[[Decoded], Any] | None,
) -> _Result:
    """Decode into `pixels`; the problem, if there is one, the measure, and what it took."""
    started, measured, problem = time.perf_counter(), None, None
    decoding = reading = 0.0
    try:
        data = _read(path)
        reading, begun = time.perf_counter() - started, time.thread_time()
        photo = _decode(data, views)
        for place, view in zip(pixels, photo.views, strict=True):
            place[...] = view
        if measure:
            measured = measure(Decoded(photo.views[0], *photo[1:]))
        if photo.truncated:
            problem = Problem(Status.TRUNCATED, "truncated: the file ends too early")
        decoding = time.thread_time() - begun
    except ImageError as error:
        problem = Problem(error.status, str(error))
        reading = reading or time.perf_counter() - started
    return _Result(problem, measured, Seconds(reading, decoding))


def perceptual_hash(pixels: np.ndarray) -> int:
    """Sum a photo up in 64 bits, such that copies of it differ in few of them.

    The difference hash: whether each of 8 x 8 brightness values is above its left neighbour.

    Parameters
    ----------
    pixels
        uint8 (height, width, 3), or (height, width) of brightness.

    Returns
    -------
    int
        0 to 2**64 - 1; the number of differing bits says how different two photos are.

    References
    ----------
    Krawetz: Kind of like that, 2013; computed by the imagehash package.

    Examples
    --------
    >>> ramp = np.tile(np.arange(0, 180, 2, dtype="uint8")[:, None], (60, 1, 3))
    >>> hex(perceptual_hash(ramp)), hex(perceptual_hash(ramp[:, ::-1]))
    ('0xffffffffffffffff', '0x0')
    """
    bits = imagehash.dhash(Image.fromarray(pixels)).hash
    return int.from_bytes(np.packbits(bits.ravel()).tobytes(), "big")


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
