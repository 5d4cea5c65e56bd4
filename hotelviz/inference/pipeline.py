"""Decoding and networks side by side, and what of the two a run waits for."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from hotelviz.images import Decoded, ImageBatch, View, iterate_views, usable_cores
from hotelviz.inference.backends.base import Engine
from hotelviz.models import model_info
from hotelviz.schema import PhotoError, Status

#: Threads that wait for photos from a network, where waiting takes longer than decoding.
REMOTE_WORKERS = 32


class Throughput(NamedTuple):
    """How fast a run was, and what bounded it.

    Attributes
    ----------
    photos
        How many were computed.
    seconds
        From the first photo to the last.
    bound
        ``decode``, ``inference`` or ``disk``; empty where nothing was computed.
    detail
        The figures that say so.
    notes
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


class ThroughputMeter:
    """Adds up what the photos of a run take."""

    def __init__(self, workers: int, parallel: int) -> None:
        self.workers, self.parallel = workers, parallel
        self.photos = 0
        self.reading = self.decoding = self.inference = 0.0
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def result(self) -> Throughput:
        """Say how fast it went so far, and what bounded it.

        Where the processor was busy, that is what used more of it. Otherwise it is what the threads
        were busy with, for as long as each stage has any.
        """
        wall = max(time.perf_counter() - self._wall, 1e-9)
        processor = max(time.process_time() - self._processor, 1e-9)
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
    """Some photos of a sequence with what the networks say of them.

    Attributes
    ----------
    rows, measures, problems
        As in `hotelviz.images.ImageBatch`.
    outputs
        Of each network float32 (n, outputs); NaN, and a problem, where it gives no numbers.
    """

    rows: np.ndarray
    outputs: list[np.ndarray]
    measures: list[Any]
    errors: dict[int, PhotoError]

    @property
    def photos(self) -> int:
        """How many photos these are, with those that could not be read."""
        return len(self.rows) + sum(row not in self.rows for row in self.errors)


class Pipeline:
    """Decodes photos once for several networks and runs those meanwhile.

    Parameters
    ----------
    engines
        A network each.
    batch_size
        Photos per call; None takes what suits the engines.
    workers
        Decoding threads; None takes one for each core, and more where photos are URLs.
    mirror
        Average each photo's outputs with those of its mirror image.
    """

    def __init__(
        self,
        engines: Sequence[Engine],
        *,
        batch_size: int | None = None,
        workers: int | None = None,
        mirror: bool = False,
    ) -> None:
        self.engines, self.mirror, self._workers = list(engines), mirror, workers
        self.batch_size = batch_size or max(engine.batch_size for engine in engines)
        self.parallel = max(engine.parallel for engine in engines)
        wanted = [model_info(engine.model).preprocessing for engine in engines]
        each = [View(info.size, info.resample) for info in wanted]
        self.views = list(dict.fromkeys(each))
        self._view_of = [self.views.index(view) for view in each]

    def meter(self, *, remote: bool) -> ThroughputMeter:
        """Begin to measure a run.

        Parameters
        ----------
        remote
            Whether there are photos at URLs, for which threads wait longer than they decode.
        """
        cores = max(2, usable_cores())
        workers = self._workers or (max(cores, REMOTE_WORKERS) if remote else cores)
        return ThroughputMeter(workers, self.parallel)

    def run(
        self,
        paths: Iterable[str],
        meter: ThroughputMeter,
        *,
        measure: Callable[[Decoded], Any] | None = None,
    ) -> Iterator[Predicted]:
        """Predict photos in their order.

        Parameters
        ----------
        paths
            Of the photos.
        meter
            Counts them.
        measure
            As in `hotelviz.images.iterate_views`.

        Yields
        ------
        Predicted
        """
        batches = iterate_views(
            paths, self.views, measure=measure, batch_size=self.batch_size,
            workers=meter.workers, prefetch=1 + self.parallel,
        )  # fmt: skip
        waiting: deque[tuple[ImageBatch, Future[tuple[list[np.ndarray], float]]]] = deque()
        with ThreadPoolExecutor(self.parallel) as pool:
            try:
                for batch in batches:
                    waiting.append((batch, pool.submit(self._predict, batch)))
                    # One more than the networks take at once: none waits for the next batch.
                    if len(waiting) > self.parallel:
                        yield self._finished(*waiting.popleft(), meter)
                while waiting:
                    yield self._finished(*waiting.popleft(), meter)
            finally:
                batches.close()
                pool.shutdown(cancel_futures=True)

    def _predict(self, batch: ImageBatch) -> tuple[list[np.ndarray], float]:
        started = time.perf_counter()
        outputs = []
        for engine, view in zip(self.engines, self._view_of, strict=True):
            pixels = batch.views[view]
            if not len(pixels):
                outputs.append(np.empty((0, engine.model.output_shape[-1]), "float32"))
                continue
            seen = engine.predict(pixels)
            if self.mirror:
                seen = (seen + engine.predict(pixels[:, :, ::-1])) / 2
            outputs.append(seen)
        return outputs, time.perf_counter() - started

    def _finished(
        self, batch: ImageBatch, job: Future[tuple[list[np.ndarray], float]], meter: ThroughputMeter
    ) -> Predicted:
        outputs, seconds = job.result()
        problems = dict(batch.errors)
        for number, engine in enumerate(self.engines):
            lost = ~np.isfinite(outputs[number]).all(axis=1)
            outputs[number] = np.where(lost[:, None], np.float32("nan"), outputs[number])
            for row in batch.rows[lost].tolist():
                status, reason = problems.get(row, PhotoError(Status.OK, ""))
                no_number = (
                    f"{model_info(engine.model).backbone} gives no numbers (NaN or infinite)"
                )
                problems[row] = PhotoError(status, "; ".join(filter(None, (reason, no_number))))
        predicted = Predicted(batch.rows, outputs, batch.measures, problems)
        meter.photos += predicted.photos
        meter.inference += seconds
        meter.reading += batch.seconds.reading
        meter.decoding += batch.seconds.decoding
        return predicted
