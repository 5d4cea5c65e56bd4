"""Photos in, rows of a scores dataset out: what one process does, on one machine or on many."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
import pyarrow as pa

from hotelviz.catalog import check_table, mean_and_std
from hotelviz.errors import InferenceError
from hotelviz.images import Decoded, perceptual_hash
from hotelviz.inference.backends.base import Engine, Precision, make_engine
from hotelviz.inference.pipeline import Pipeline, Predicted, ThroughputMeter
from hotelviz.io.content import file_versions
from hotelviz.io.remote import is_url, redact
from hotelviz.models import model_info
from hotelviz.schema import Status

#: What a scores dataset keeps of the catalogue.
KEPT = ("image_id", "hotel_id", "path")


class Scorer:
    """Scores photos with several models, decoding each once.

    Parameters
    ----------
    models
        At most one of each task. Their photos may differ in size and filter.
    engine, precision
        What runs the networks, see `hotelviz.inference.make_engine`.
    batch_size
        Photos per call of a network; None takes what suits the engine.
    workers
        Decoding threads; None takes one for each core.

    Raises
    ------
    InferenceError
        No model, or two of a task.
    BackendError
        As `hotelviz.inference.make_engine` raises it.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> from hotelviz.models import build_tagger
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3).head(3)
    >>> scorer = Scorer([build_tagger(["Bed", "Pool"], input_size=32, weights=None)])
    >>> scorer.table(photos).column_names[-3:]
    ['predicted', 'p_Bed', 'p_Pool']
    """

    def __init__(
        self,
        models: Iterable[keras.Model],
        *,
        engine: str = "keras",
        precision: Precision | None = None,
        batch_size: int | None = None,
        workers: int | None = None,
    ) -> None:
        models = list(models)
        tasks = [model_info(model).task for model in models]
        if not models or len(set(tasks)) < len(tasks):
            raise InferenceError(f"give one model of each task, not {tasks or 'none'}")
        self.engines = [make_engine(model, engine, precision=precision) for model in models]
        self.pipeline = Pipeline(self.engines, batch_size=batch_size, workers=workers)

    def table(self, photos: pd.DataFrame) -> pa.Table:
        """Score some photos; the columns are those of `hotelviz.inference.score_photos`."""
        photos = check_table(photos, needs=KEPT, where="Scorer.table")
        meter = self.pipeline.meter(remote=photos["path"].map(is_url).any())
        return next(self.tables(iter([photos]), meter))

    def tables(
        self,
        parts: Iterator[pd.DataFrame],
        meter: ThroughputMeter,
        step: Callable[[int, list[tuple[str, str]]], Any] | None = None,
    ) -> Iterator[pa.Table]:
        """Score photos part by part; decoding goes on while a part is written.

        Parameters
        ----------
        parts
            Each with ``image_id``, ``hotel_id`` and ``path``; read as far ahead as photos are.
        meter
            Measures the run.
        step
            Is told how many more photos are done, and path and reason of those that are
            unavailable.

        Yields
        ------
        pyarrow.Table
            A part each.
        """
        begun: deque[_Outputs] = deque()

        def paths() -> Iterator[str]:
            start = 0
            for rows in parts:
                begun.append(_Outputs(rows, self.engines, start))
                start += len(rows)
                yield from rows["path"]

        filled = 0
        for predicted in self.pipeline.run(paths(), meter, measure=_hash):
            filled += predicted.photos
            unavailable = [one for outputs in begun for one in outputs.add(predicted)]
            if step:
                step(predicted.photos, unavailable)
            while begun and begun[0].end <= filled:
                yield begun.popleft().table()


class _Outputs:
    """What becomes a part: its rows, filled batch by batch."""

    def __init__(self, rows: pd.DataFrame, engines: Sequence[Engine], start: int) -> None:
        self.rows, self.engines = rows, engines
        self.start, self.end = start, start + len(rows)
        # Before the photos are read: a file that is replaced meanwhile is found out later.
        self.versions = file_versions(rows["path"].to_list())
        self.values = [
            np.full((len(rows), engine.model.output_shape[-1]), np.nan, "float32")
            for engine in engines
        ]
        self.status = np.full(len(rows), Status.OK.value, dtype=object)
        self.errors = np.full(len(rows), "", dtype=object)
        self.hashes = np.zeros(len(rows), "uint64")

    def add(self, predicted: Predicted) -> list[tuple[str, str]]:
        """Take those of some photos that are rows of this part; path, reason of the unavailable."""
        mine = (predicted.rows >= self.start) & (predicted.rows < self.end)
        places = predicted.rows[mine] - self.start
        self.hashes[places] = np.array(predicted.measures, "uint64")[mine]
        for values, outputs in zip(self.values, predicted.outputs, strict=True):
            values[places] = outputs[mine]
        for row, problem in predicted.errors.items():
            if self.start <= row < self.end:
                self.status[row - self.start] = problem.status.value
                self.errors[row - self.start] = problem.reason
        return [
            (self.rows["path"].iloc[row - self.start], problem.reason)
            for row, problem in predicted.errors.items()
            if self.start <= row < self.end and problem.status is Status.UNAVAILABLE
        ]

    def table(self) -> pa.Table:
        """Give the part."""
        columns: dict[str, Any] = {
            name: pa.array(self.rows[name].astype(str).to_numpy(dtype=object), pa.string())
            for name in KEPT[:2]
        }
        columns["path"] = pa.array([shown(path) for path in self.rows["path"]], pa.string())
        columns["status"] = pa.array(self.status, pa.string())
        columns["error"] = pa.array(self.errors, pa.string())
        for name, values in zip(("size", "modified"), self.versions.T, strict=True):
            columns[name] = pa.array(values, mask=values < 0)
        # Where the end is missing, photos look alike that are not.
        columns["hash"] = pa.array(self.hashes, mask=self.status != Status.OK.value)
        for values, engine in zip(self.values, self.engines, strict=True):
            columns |= _columns(engine.model, values)
        return pa.table(columns)


def shown(path: str | os.PathLike[str]) -> str:
    """Give a photo's place as datasets, and so reports, may show it: without credentials."""
    return redact(path) if is_url(path) else str(path)


def _hash(photo: Decoded) -> int:
    return perceptual_hash(photo.pixels)


def _columns(model: keras.Model, output: np.ndarray) -> dict[str, pa.Array]:
    info = model_info(model)
    known = ~np.isnan(output).any(axis=1)

    def column(values: np.ndarray) -> pa.Array:
        return pa.array(values, pa.float32(), mask=~known)

    if info.task == "tagger":
        best = np.array(info.classes, dtype=object)[output.argmax(axis=1)]
        return {
            "predicted": pa.array(np.where(known, best, None), pa.string()),
            **{f"p_{name}": column(output[:, n]) for n, name in enumerate(info.classes)},
        }
    name, prefix = ("score", "") if info.task == "aesthetic" else ("technical", "technical_")
    mean, std = mean_and_std(output.astype("float64"))
    return {
        name: column(mean.astype("float32")),
        f"{name}_std": column(std.astype("float32")),
        **{f"{prefix}q_{n + 1}": column(output[:, n]) for n in range(10)},
    }
