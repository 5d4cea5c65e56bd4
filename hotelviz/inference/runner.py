"""Photos in, rows of a scores dataset out: what one process does, on one machine or on many."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras
import pandas as pd
import pyarrow as pa

from hotelviz.catalog import check_table
from hotelviz.errors import InferenceError
from hotelviz.images import Decoded, perceptual_hash
from hotelviz.inference.backends.base import Backend, Precision
from hotelviz.inference.backends.registry import make_backend
from hotelviz.inference.outputs import Outputs, output_columns
from hotelviz.inference.pipeline import Pipeline
from hotelviz.io.content import file_versions
from hotelviz.io.remote import is_url, redact
from hotelviz.models import model_info, weights_hash
from hotelviz.schema import Status

#: What a scores dataset keeps of the catalogue.
KEPT = ("image_id", "hotel_id", "path")

#: Takes how many more photos are done, and path and reason of those that are unavailable.
Step = Callable[[int, list[tuple[str, str]]], None]


class Scorer:
    """Scores photos with several models, decoding each once.

    Parameters
    ----------
    models : iterable of keras.Model
        At most one of each task. Their photos may differ in size and filter.
    backend : {"keras", "openvino"}, default "keras"
        What runs the networks, see `hotelviz.inference.make_backend`.
    precision : {"float32", "bfloat16"}, or a list of them, optional
        For all models, or for each.
    batch_size : int, optional
        Photos per call of a network; None takes what suits the backend.
    workers : int, optional
        Decoding threads; None takes one for each core.

    Raises
    ------
    InferenceError
        No model, or two of a task.
    BackendError
        As `hotelviz.inference.make_backend` raises it.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> from hotelviz.models import build_tagger
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3, size=(96, 128)).head(3)
    >>> scorer = Scorer([build_tagger(["Bed", "Pool"], input_size=32, weights=None)])
    >>> scorer.table(photos).column_names[-3:]
    ['predicted', 'p_Bed', 'p_Pool']
    """

    def __init__(
        self,
        models: Iterable[keras.Model],
        *,
        backend: str = "keras",
        precision: Precision | Sequence[Precision] | None = None,
        batch_size: int | None = None,
        workers: int | None = None,
    ) -> None:
        models = list(models)
        tasks = [model_info(model).task for model in models]
        if not models or len(set(tasks)) < len(tasks):
            raise InferenceError(f"give one model of each task, not {tasks or 'none'}")
        each = [precision] * len(models) if isinstance(precision, str | None) else precision
        self.backends = [
            make_backend(model, backend, precision=one)
            for model, one in zip(models, each, strict=True)
        ]
        self.pipeline = Pipeline(self.backends, batch_size=batch_size, workers=workers)

    @property
    def provenance(self) -> dict[str, Any]:
        """What decides about the scores, as the manifest of a dataset has it."""
        models = [backend.model for backend in self.backends]
        return {
            "models": {model_info(model).task: weights_hash(model) for model in models},
            "engine": ", ".join(dict.fromkeys(map(repr, self.backends))),
        }

    def table(self, photos: pd.DataFrame) -> pa.Table:
        """Score some photos; the columns are those of `hotelviz.inference.score_photos`."""
        photos = check_table(photos, needs=KEPT, where="Scorer.table")
        return next(self.tables(iter([photos]), remote=any(map(is_url, photos["path"]))))

    def tables(
        self, parts: Iterator[pd.DataFrame], *, remote: bool, step: Step | None = None
    ) -> Iterator[pa.Table]:
        """Score photos part by part; decoding goes on while a part is written.

        Parameters
        ----------
        parts : iterator of pandas.DataFrame
            Each with ``image_id``, ``hotel_id`` and ``path``; read as far ahead as photos are.
        remote : bool
            Whether there are URLs.
        step : callable, optional
            Called after each batch.

        Yields
        ------
        pyarrow.Table
            A part each.
        """
        begun: deque[_Part] = deque()

        def paths() -> Iterator[str]:
            start = 0
            for rows in parts:
                begun.append(_Part(rows, self.backends, start))
                start += len(rows)
                yield from rows["path"]

        filled = 0
        for predicted in self.pipeline.run(paths(), remote=remote, measure=_hash):
            filled += predicted.n_photos
            unavailable = [
                part.path_and_reason(row) for part in begun for row in part.outputs.add(predicted)
            ]
            if step:
                step(predicted.n_photos, unavailable)
            while begun and begun[0].outputs.end <= filled:
                yield begun.popleft().table()


class _Part:
    """Rows of a part, with the outputs that fill it batch by batch."""

    def __init__(self, rows: pd.DataFrame, backends: Sequence[Backend], start: int) -> None:
        self.rows, self.infos = rows, [model_info(backend.model) for backend in backends]
        # Before the photos are read: a file that is replaced meanwhile is found out later.
        self.versions = file_versions(rows["path"].to_list())
        self.outputs = Outputs(len(rows), backends, start)

    def path_and_reason(self, row: int) -> tuple[str, str]:
        return self.rows["path"].iloc[row], self.outputs.errors[row]

    def table(self) -> pa.Table:
        outputs = self.outputs
        texts = self.rows[list(KEPT)].assign(
            path=self.rows["path"].map(redacted_path), status=outputs.status, error=outputs.errors
        )
        columns = {name: pa.array(map(str, texts[name]), pa.string()) for name in texts}
        for name, values in zip(("size", "modified"), self.versions.T, strict=True):
            columns[name] = pa.array(values, mask=values < 0)
        # Where the end is missing, photos look alike that are not.
        columns["hash"] = pa.array(outputs.hashes, mask=outputs.status != Status.OK.value)
        for info, values in zip(self.infos, outputs.values, strict=True):
            technical = info.task == "technical"
            names = {"score": "technical", "prefix": "technical_"} if technical else {}
            for name, column in output_columns(info, values, **names).items():
                if name == "predicted":
                    columns[name] = pa.array(column, pa.string())
                else:
                    columns[name] = pa.array(column.astype("float32"), from_pandas=True)
        return pa.table(columns)


def redacted_path(path: str | os.PathLike[str]) -> str:
    """Return a photo's place as datasets, and so reports, may show it: without credentials."""
    return redact(path) if is_url(path) else str(path)


def _hash(photo: Decoded) -> int:
    return perceptual_hash(photo.pixels)
