"""Decoding and networks side by side, and which of the two a run waits for."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from hotelviz.images import Decoded, ImageBatch, View, iterate_views, usable_cores
from hotelviz.inference.backends.base import Backend
from hotelviz.models import model_info
from hotelviz.schema import PhotoError, Status

#: Threads that wait for photos from a network, where waiting takes longer than decoding.
_REMOTE_WORKERS = 32


class Throughput(NamedTuple):
    """How fast a run was, and what bounded it.

    Attributes
    ----------
    photos : int
        How many were computed.
    seconds : float
        From the first photo to the last.
    bound : str
        ``decode``, ``inference`` or ``disk``; empty where nothing was computed.
    detail : str
        The figures that say so.
    notes : tuple of str
        What else there is to know of the run, a sentence each.
    """

    photos: int
    seconds: float
    bound: str
    detail: str
    notes: tuple[str, ...] = ()

    @property
    def per_second(self) -> float:
        """Photos per second."""
        return self.photos / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        return f"{self.per_second:.0f} photos/s, bound by {self.bound} ({self.detail})"


@dataclasses.dataclass
class ThroughputMeter:
    """Adds up what the photos of a run take.

    Attributes
    ----------
    workers, parallel : int
        Threads that read photos, and that run networks.
    photos : int
        How many are done.
    reading, decoding, inference : float
        Seconds, summed over the threads; of `decoding` of the processor's time.
    wall_start, processor_start : float
        When the run began, by ``time.perf_counter`` and ``time.process_time``.
    """

    workers: int
    parallel: int
    photos: int = 0
    reading: float = 0.0
    decoding: float = 0.0
    inference: float = 0.0
    wall_start: float = dataclasses.field(default_factory=time.perf_counter)
    processor_start: float = dataclasses.field(default_factory=time.process_time)

    @property
    def wall(self) -> float:
        """Seconds since the run began."""
        return max(time.perf_counter() - self.wall_start, 1e-9)

    @property
    def processor(self) -> float:
        """Seconds of the processor's time since the run began."""
        return max(time.process_time() - self.processor_start, 1e-9)

    def result(self) -> Throughput:
        """Return how fast it went so far, and what bounded it.

        Where the processor was busy, that is what used more of it. Otherwise it is what the threads
        were busy with, for as long as each stage has any.
        """
        wall, processor = self.wall, self.processor
        busy = processor / wall / usable_cores()
        decoding = min(self.decoding / processor, 1.0)
        if busy > 0.75:
            bound = "decode" if decoding > 0.5 else "inference"
        else:
            shares = {
                "disk": self.reading / wall / self.workers,
                "decode": self.decoding / wall / self.workers,
                "inference": self.inference / wall / self.parallel,
            }
            bound = max(shares, key=lambda name: shares[name])
        detail = (
            f"processor {min(busy, 1):.0%} busy, {decoding:.0%} of that decoding; each of "
            f"{self.workers} readers waited {self.reading / self.workers:.1f} s for files"
        )
        return Throughput(self.photos, wall, bound if self.photos else "", detail)


class Predicted(NamedTuple):
    """Some photos of a sequence, with the outputs of the networks.

    Attributes
    ----------
    rows, measures, errors
        As in `hotelviz.images.ImageBatch`.
    outputs : list of numpy.ndarray
        Of each network float32 (n, outputs); NaN, and an error, where it gives no numbers.
    """

    rows: np.ndarray
    outputs: list[np.ndarray]
    measures: list[Any]
    errors: dict[int, PhotoError]

    @property
    def n_photos(self) -> int:
        """Number of these photos, with those that could not be read."""
        return len(self.rows) + sum(row not in self.rows for row in self.errors)


class Pipeline:
    """Decodes photos once for several networks, and runs those meanwhile.

    Parameters
    ----------
    backends : sequence of Backend
        A network each.
    batch_size : int, optional
        Photos per call; None takes what suits the backends.
    workers : int, optional
        Decoding threads; None takes one for each core, and more where photos are URLs.
    mirror : bool, default False
        Average each photo's outputs with those of its mirror image.

    Attributes
    ----------
    meter : ThroughputMeter
        Of the run that was begun last.
    """

    def __init__(
        self,
        backends: Sequence[Backend],
        *,
        batch_size: int | None = None,
        workers: int | None = None,
        mirror: bool = False,
    ) -> None:
        self.backends, self.mirror, self._workers = list(backends), mirror, workers
        self.batch_size = batch_size or max(backend.batch_size for backend in backends)
        self.parallel = max(backend.parallel for backend in backends)
        wanted = [model_info(backend.model).preprocessing for backend in backends]
        each = [View(info.size, info.resample) for info in wanted]
        self.views = list(dict.fromkeys(each))
        self._view_of = [self.views.index(view) for view in each]

    def run(
        self,
        paths: Iterable[str],
        *,
        remote: bool = False,
        measure: Callable[[Decoded], Any] | None = None,
    ) -> Iterator[Predicted]:
        """Predict photos in their order; `meter` measures the run from now on.

        Parameters
        ----------
        paths : iterable of str
            Of the photos; read ahead.
        remote : bool, default False
            Whether there are URLs, for which threads wait longer than they decode.
        measure : callable, optional
            As in `hotelviz.images.iterate_views`.

        Yields
        ------
        Predicted
        """
        cores = max(2, usable_cores())
        workers = self._workers or (max(cores, _REMOTE_WORKERS) if remote else cores)
        self.meter = ThroughputMeter(workers, self.parallel)
        batches = iterate_views(
            paths, self.views, measure=measure, batch_size=self.batch_size,
            workers=workers, prefetch=1 + self.parallel,
        )  # fmt: skip
        return self._run(batches)

    def _run(self, batches: Generator[ImageBatch, None, None]) -> Iterator[Predicted]:
        waiting: deque[tuple[ImageBatch, Future[tuple[list[np.ndarray], float]]]] = deque()
        with ThreadPoolExecutor(self.parallel) as pool:
            try:
                for batch in batches:
                    waiting.append((batch, pool.submit(self._predict, batch)))
                    # One more than the networks take at once: none waits for the next batch.
                    if len(waiting) > self.parallel:
                        yield self._finished(*waiting.popleft())
                while waiting:
                    yield self._finished(*waiting.popleft())
            finally:
                batches.close()
                pool.shutdown(cancel_futures=True)

    def _predict(self, batch: ImageBatch) -> tuple[list[np.ndarray], float]:
        started = time.perf_counter()
        outputs = []
        for backend, view in zip(self.backends, self._view_of, strict=True):
            pixels = batch.views[view]
            if not len(pixels):
                outputs.append(np.empty((0, backend.n_outputs), "float32"))
                continue
            seen = backend.predict(pixels)
            if self.mirror:
                seen = (seen + backend.predict(pixels[:, :, ::-1])) / 2
            outputs.append(seen)
        return outputs, time.perf_counter() - started

    def _finished(
        self, batch: ImageBatch, job: Future[tuple[list[np.ndarray], float]]
    ) -> Predicted:
        outputs, seconds = job.result()
        errors = dict(batch.errors)
        for number, backend in enumerate(self.backends):
            lost = ~np.isfinite(outputs[number]).all(axis=1)
            outputs[number] = np.where(lost[:, None], np.float32("nan"), outputs[number])
            name = model_info(backend.model).backbone
            for row in batch.rows[lost].tolist():
                status, reason = errors.get(row, PhotoError(Status.OK, ""))
                reasons = filter(None, (reason, f"{name} gives no numbers (NaN or infinite)"))
                errors[row] = PhotoError(status, "; ".join(reasons))
        predicted = Predicted(batch.rows, outputs, batch.measures, errors)
        self.meter.photos += predicted.n_photos
        self.meter.inference += seconds
        self.meter.reading += batch.seconds.reading
        self.meter.decoding += batch.seconds.decoding
        return predicted
