"""Photos read in batches, in order, decoding ahead of whoever uses them."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from hotelviz.errors import ImageError
from hotelviz.images.bounds import View, usable_cores
from hotelviz.images.decoding import check_views, reading
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
    """
    check_views(views)
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
                problems = [result.error for result in results]
                read = np.array([p is None or p.status is Status.TRUNCATED for p in problems])
                yield ImageBatch(
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


class _Result(NamedTuple):
    error: PhotoError | None
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
            problem = PhotoError(Status.TRUNCATED, "truncated: the file ends too early")
        decoding = time.thread_time() - begun
    except ImageError as error:
        problem = PhotoError(error.status, str(error))
        waited = waited or time.perf_counter() - started
    return _Result(problem, measured, Seconds(waited, decoding))
