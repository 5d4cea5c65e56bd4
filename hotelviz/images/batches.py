"""Photos read in batches, in order, decoding ahead of whoever uses them."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from hotelviz.errors import ImageError
from hotelviz.images.bounds import View, usable_cores
from hotelviz.images.decoding import reading
from hotelviz.images.kept_views import decode_and_keep, find_kept
from hotelviz.images.pixels import Decoded
from hotelviz.schema import PhotoError, Status


class ImageBatch(NamedTuple):
    """Some photos of a sequence.

    Attributes
    ----------
    rows
        int64 (n,), their places in the sequence.
    views
        For each view uint8 (n, height, width, 3).
    measures
        What `measure` returned for each of the n photos; empty where nothing was to be measured.
    errors
        Place in the sequence -> what is wrong, for photos that are truncated (loaded all the same)
        and for those that could not be read (not in `rows`).
    seconds
        What reading and decoding them took.
    """

    rows: np.ndarray
    views: list[np.ndarray]
    measures: list[Any]
    errors: dict[int, PhotoError]
    seconds: Seconds

    @property
    def pixels(self) -> np.ndarray:
        """The photos in the first view."""
        return self.views[0]


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
        A photo that cannot be read does not stop the others; it is in the batch's errors.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> file = Path(tempfile.mkdtemp()) / "red.png"
    >>> Image.new("RGB", (40, 20), "red").save(file)
    >>> batch, = iterate_images([file, file.with_name("lost.jpg")], size=(8, 8))
    >>> batch.pixels.shape, batch.errors[1].status, batch.errors[1].reason
    ((1, 8, 8, 3), <Status.UNAVAILABLE: 'unavailable'>, 'missing')
    """
    return iterate_views(
        paths, [View(size, resample)], batch_size=batch_size, workers=workers, prefetch=prefetch
    )


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


#: What is wrong with a photo, what `measure` returned, and what it took.
_Result: TypeAlias = tuple[PhotoError | None, Any, Seconds]


def iterate_views(
    paths: Iterable[str | os.PathLike[str]],
    views: Sequence[View],
    *,
    measure: Callable[[Decoded], Any] | None = None,
    batch_size: int = 64,
    workers: int | None = None,
    prefetch: int = 2,
) -> Generator[ImageBatch, None, None]:
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
    ImageBatch

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> file = Path(tempfile.mkdtemp()) / "red.png"
    >>> Image.new("RGB", (40, 20), "red").save(file)
    >>> batch, = iterate_views([file], [View((8, 8)), View((4, 6), "nearest")])
    >>> [view.shape for view in batch.views]
    [(1, 8, 8, 3), (1, 4, 6, 3)]
    """
    source = iter(paths)
    chunks = enumerate(iter(lambda: list(islice(source, batch_size)), []))
    sizes = [view.size for view in views if view.size is not None]
    waiting: deque[tuple[int, list[np.ndarray], list[Future[_Result]]]] = deque()
    with ThreadPoolExecutor(workers or max(2, usable_cores())) as pool:
        try:
            while True:
                for number, chunk in islice(chunks, prefetch + 1 - len(waiting)):
                    pixels = [np.empty((len(chunk), *size, 3), "uint8") for size in sizes]
                    jobs = [
                        pool.submit(_decode_into, path, views, place, measure)
                        for path, *place in zip(chunk, *pixels, strict=True)
                    ]
                    waiting.append((number * batch_size, pixels, jobs))
                if not waiting:
                    return
                first, pixels, jobs = waiting.popleft()
                errors, measured, seconds = zip(*(job.result() for job in jobs), strict=True)
                read = np.array([not error or error.status is Status.TRUNCATED for error in errors])
                rows = np.flatnonzero(read)
                yield ImageBatch(
                    rows + first,
                    pixels if read.all() else [part[read] for part in pixels],
                    [measured[row] for row in rows] if measure else [],
                    {first + row: error for row, error in enumerate(errors) if error},
                    Seconds(*map(sum, zip(*seconds, strict=True))),
                )
        finally:
            pool.shutdown(cancel_futures=True)


def _decode_into(
    path: str | os.PathLike[str],
    views: Sequence[View],
    pixels: list[np.ndarray],
    measure: Callable[[Decoded], Any] | None,
) -> _Result:
    """Decode into `pixels`; return what is wrong, if anything, the measure, and what it took."""
    started, measured, error = time.perf_counter(), None, None
    waited, decoding, begun = 0.0, 0.0, time.thread_time()
    try:
        photo = find_kept(path, views)
        if photo is None:
            with reading(path) as data:
                waited, begun = time.perf_counter() - started, time.thread_time()
                photo = decode_and_keep(path, data, views)
        for place, view in zip(pixels, photo.views, strict=True):
            place[...] = view
        if measure:
            measured = measure(photo)
        if photo.truncated:
            error = PhotoError(Status.TRUNCATED, "truncated: the file ends too early")
        decoding = time.thread_time() - begun
    except ImageError as problem:
        error = PhotoError(problem.status, str(problem))
        waited = waited or time.perf_counter() - started
    return error, measured, Seconds(waited, decoding)
