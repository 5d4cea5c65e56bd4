"""Photos in, predictions out.

Photos are decoded in threads ahead of the network, which runs as one compiled function on batches
of 8-bit pixels. Every row of the catalogue gives a row of the result: a photo that could not be
read says why instead of being dropped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
from tqdm.auto import tqdm

from hotelviz.catalog import fingerprint, mean_and_std
from hotelviz.files import atomic_path
from hotelviz.images import Decoded, View, iterate_images, iterate_views, perceptual_hash
from hotelviz.models import ModelError, compiled, describe, frozen, weights_fingerprint

__all__ = ["PART_SIZE", "ScoringError", "forward", "predict_scores", "predict_tags", "score_photos"]

#: Photos a part of a scores dataset: what an interruption can lose.
PART_SIZE = 2048

#: Says what a scores dataset was made of; readers of Parquet folders pass over such names.
MANIFEST = "_hotelviz.json"


class ScoringError(ValueError):
    """Photos cannot be scored as asked."""


def forward(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Give the function from 8-bit pixels to the model's outputs.

    It is compiled once for each model, with the weights that the model has then: about 1.5 times as
    fast as ``model.predict`` on two cores.

    Parameters
    ----------
    model
        With its description (see `hotelviz.models.describe`).

    Returns
    -------
    callable
        Takes uint8 (N, height, width, 3), gives float32 (N, outputs).

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> model = build_tagger(["Bed", "Pool"], input_size=32, weights=None)
    >>> forward(model)(np.zeros((3, 32, 32, 3), "uint8")).shape
    (3, 2)
    """
    preprocessing = describe(model).preprocessing
    signature = (None, *preprocessing.size, 3)

    def outputs(pixels: tf.Tensor) -> tf.Tensor:
        return model(preprocessing.scale(tf.cast(pixels, tf.float32)), training=False)

    run = compiled(model, "forward", lambda: frozen(outputs, tf.TensorSpec(signature, tf.uint8)))

    def call(pixels: np.ndarray) -> np.ndarray:
        if pixels.dtype != np.uint8 or pixels.shape[1:] != signature[1:]:
            raise ModelError(
                f"the model takes uint8 pixels of shape {signature}, "
                f"not {pixels.dtype} {pixels.shape}"
            )
        return run(pixels)[0]

    return call


def predict_tags(
    catalog: pd.DataFrame,
    model: keras.Model,
    *,
    mirror: bool = False,
    batch_size: int = 64,
    progress: bool = True,
) -> pd.DataFrame:
    """Predict the area that each photo shows.

    Parameters
    ----------
    catalog
        With ``image_id`` and ``path``.
    model
        A tagger.
    mirror
        Average the probabilities with those of the photo seen in a mirror: somewhat more right,
        and twice the work.
    batch_size
        Photos per call of the network.
    progress
        Show a bar with the photos per second.

    Returns
    -------
    pandas.DataFrame
        A row per row of `catalog`, in its order: ``image_id``; ``predicted``, the most probable
        class; ``p_<class>``, float32 probabilities from 0 to 1 that sum to 1; ``problem``, empty
        or what was wrong with the file. A truncated photo is predicted all the same; where a
        photo could not be read at all, ``predicted`` and the probabilities are missing.

    Raises
    ------
    ModelError
        When the model is not a tagger.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> from hotelviz.models import build_tagger
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), hotels=3).head(2)
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=32, weights=None)
    >>> predict_tags(photos, tagger, progress=False).columns.to_list()
    ['image_id', 'predicted', 'p_Bedroom', 'p_Pool', 'problem']
    """
    info = describe(model)
    if info.task != "tagger":
        raise ModelError(f"predict_tags needs a tagger; this model is for the task {info.task!r}")
    outputs, problems = _predict(catalog, model, batch_size, progress, mirror=mirror)
    readable = ~np.isnan(outputs).any(axis=1)
    best = np.array(info.classes, dtype=object)[np.nan_to_num(outputs, nan=-1.0).argmax(axis=1)]
    return pd.DataFrame(
        {
            "image_id": catalog["image_id"].to_numpy(),
            "predicted": pd.Series(np.where(readable, best, None), dtype="str"),
            **{f"p_{name}": outputs[:, number] for number, name in enumerate(info.classes)},
            "problem": pd.Series(problems, dtype="str"),
        }
    )


def predict_scores(
    catalog: pd.DataFrame, model: keras.Model, *, batch_size: int = 64, progress: bool = True
) -> pd.DataFrame:
    """Predict the distribution of the scores that each photo would get.

    For many photos see `score_photos`, which writes as it goes and can be stopped.

    Parameters
    ----------
    catalog
        With ``image_id`` and ``path``.
    model
        An aesthetic or technical model.
    batch_size
        Photos per call of the network.
    progress
        Show a bar with the photos per second.

    Returns
    -------
    pandas.DataFrame
        A row per row of `catalog`, in its order: ``image_id``; ``score`` and ``score_std``, mean
        (1 to 10) and standard deviation of the distribution ``q_1`` to ``q_10``; ``problem``,
        empty or what was wrong with the file. Where a photo could not be read the figures are
        missing.

    Raises
    ------
    ModelError
        When the model is a tagger.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> from hotelviz.models import build_aesthetic
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), hotels=3).head(2)
    >>> model = build_aesthetic(input_size=32, weights=None)
    >>> predict_scores(photos, model, progress=False)["score"].between(1, 10).all()
    np.True_
    """
    if describe(model).task == "tagger":
        raise ModelError("predict_scores needs an aesthetic or technical model, not a tagger")
    outputs, problems = _predict(catalog, model, batch_size, progress)
    mean, std = mean_and_std(outputs.astype("float64"))
    return pd.DataFrame(
        {
            "image_id": catalog["image_id"].to_numpy(),
            "score": mean,
            "score_std": std,
            **{f"q_{number + 1}": outputs[:, number] for number in range(10)},
            "problem": pd.Series(problems, dtype="str"),
        }
    )


def _predict(
    catalog: pd.DataFrame,
    model: keras.Model,
    batch_size: int,
    progress: bool,
    *,
    mirror: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Run a model over photos; its outputs, NaN for photos that cannot be read, and problems."""
    info, run = describe(model), forward(model)
    outputs = np.full((len(catalog), len(info.classes)), np.nan, "float32")
    problems = np.full(len(catalog), "", dtype=object)
    batches = iterate_images(
        catalog["path"],
        size=info.preprocessing.size,
        batch_size=batch_size,
        resample=info.preprocessing.resample,
    )
    with tqdm(total=len(catalog), unit="photo", desc="predicting", disable=not progress) as bar:
        for batch in batches:
            if len(batch.rows):
                seen = run(batch.pixels)
                if mirror:
                    seen = (seen + run(batch.pixels[:, :, ::-1])) / 2
                outputs[batch.rows] = seen
            for row, problem in batch.problems.items():
                problems[row] = problem
            bar.update(len(batch.rows) + sum(row not in batch.rows for row in batch.problems))
    return outputs, problems


def score_photos(
    catalog: pd.DataFrame,
    models: Sequence[keras.Model],
    out: str | os.PathLike[str],
    *,
    batch_size: int = 64,
    part_size: int = PART_SIZE,
    progress: bool = True,
) -> int:
    """Score photos with several models, decoding each once, into a dataset of Parquet parts.

    A part is written whole or not at all, and one that is there is not computed again: a run that
    was stopped, however hard, goes on when it is called again.

    Parameters
    ----------
    catalog
        With ``image_id``, ``path`` and ``hotel_id``.
    models
        At most one of each task. Their photos may differ in size and filter.
    out
        The folder: ``part-00000.parquet`` and so on, a part for each `part_size` rows of the
        catalogue.
    batch_size
        Photos per call of a network.
    part_size
        Photos a part.
    progress
        Show a bar with the photos per second.

    Returns
    -------
    int
        How many photos were computed now; the others were there.

    Raises
    ------
    ScoringError
        No model, two of a task, or a folder that other models or another catalogue wrote.

    Notes
    -----
    Columns: ``image_id``, ``hotel_id``, ``path``; ``problem``, empty or what was wrong with the
    file; ``hash``, see `hotelviz.images.perceptual_hash`; of an aesthetic model ``score`` and
    ``score_std``, mean and standard deviation of the distribution ``q_1`` to ``q_10``; of a
    technical one ``technical``, ``technical_std``, ``technical_q_1`` to ``technical_q_10``; of a
    tagger ``predicted`` and ``p_<class>``. A photo that could not be read has a row with its
    problem, and nothing else.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> from hotelviz.models import build_aesthetic
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), hotels=3).head(3)
    >>> model = build_aesthetic(input_size=32, weights=None)
    >>> score_photos(photos, [model], f"{tempfile.mkdtemp()}/scores", progress=False)
    3
    """
    tasks = [describe(model).task for model in models]
    if not models or len(set(tasks)) < len(tasks):
        raise ScoringError(f"give one model of each task, not {tasks or 'none'}")
    out = Path(out)
    _claim(out, catalog, models, part_size)
    views = list(
        dict.fromkeys(
            View(info.preprocessing.size, info.preprocessing.resample)
            for info in map(describe, models)
        )
    )
    runs = []
    for model in models:
        wanted = describe(model).preprocessing
        runs.append((model, forward(model), views.index(View(wanted.size, wanted.resample))))
    starts = range(0, len(catalog), part_size)
    missing = [start for start in starts if not _is_there(_part(out, start // part_size))]
    done = 0
    with tqdm(
        total=len(catalog), unit="photo", desc="scoring", disable=not progress,
        initial=sum(len(catalog[start : start + part_size]) for start in starts)
        - sum(len(catalog[start : start + part_size]) for start in missing),
    ) as bar:  # fmt: skip
        for start in missing:
            rows = catalog.iloc[start : start + part_size]
            table = _score_part(rows, runs, views, batch_size, bar)
            with atomic_path(_part(out, start // part_size)) as temporary:
                pq.write_table(table, temporary, compression="zstd")
            done += len(rows)
    return done


def _score_part(
    rows: pd.DataFrame,
    runs: Sequence[tuple[keras.Model, Callable[[np.ndarray], np.ndarray], int]],
    views: Sequence[View],
    batch_size: int,
    bar: Any,
) -> pa.Table:
    outputs = [np.full((len(rows), m.output_shape[-1]), np.nan, "float32") for m, _, _ in runs]
    problems = np.full(len(rows), "", dtype=object)
    hashes = np.zeros(len(rows), "uint64")
    readable = np.zeros(len(rows), dtype=bool)
    batches = iterate_views(rows["path"], views, measure=_hash, batch_size=batch_size)
    for batch in batches:
        readable[batch.rows] = True
        hashes[batch.rows] = batch.measures
        for output, (_, run, view) in zip(outputs, runs, strict=True):
            if len(batch.rows):
                output[batch.rows] = run(batch.views[view])
        for row, problem in batch.problems.items():
            problems[row] = problem
        bar.update(len(batch.rows) + sum(row not in batch.rows for row in batch.problems))
    columns: dict[str, Any] = {
        name: pa.array(rows[name].astype(str).to_numpy(dtype=object), pa.string())
        for name in ("image_id", "hotel_id", "path")
    }
    columns["problem"] = pa.array(problems, pa.string())
    columns["hash"] = pa.array(hashes, mask=~readable)
    for output, (model, _, _) in zip(outputs, runs, strict=True):
        columns |= _columns(model, output, readable)
    return pa.table(columns)


def _hash(photo: Decoded) -> int:
    return perceptual_hash(photo.pixels)


def _columns(model: keras.Model, output: np.ndarray, readable: np.ndarray) -> dict[str, pa.Array]:
    info = describe(model)

    def column(values: np.ndarray) -> pa.Array:
        return pa.array(values, pa.float32(), mask=~readable)

    if info.task == "tagger":
        best = np.array(info.classes, dtype=object)[output.argmax(axis=1)]
        return {
            "predicted": pa.array(np.where(readable, best, None), pa.string()),
            **{f"p_{name}": column(output[:, n]) for n, name in enumerate(info.classes)},
        }
    name, prefix = ("score", "") if info.task == "aesthetic" else ("technical", "technical_")
    mean, std = mean_and_std(output.astype("float64"))
    return {
        name: column(mean.astype("float32")),
        f"{name}_std": column(std.astype("float32")),
        **{f"{prefix}q_{n + 1}": column(output[:, n]) for n in range(10)},
    }


def _part(out: Path, number: int) -> Path:
    return out / f"part-{number:05d}.parquet"


def _is_there(part: Path) -> bool:
    """Whether a part is there and whole; a damaged one is computed again."""
    try:
        pq.read_metadata(part)
    except (FileNotFoundError, pa.ArrowInvalid):
        return False
    return True


def _claim(out: Path, catalog: pd.DataFrame, models: Sequence[keras.Model], part_size: int) -> None:
    """Write down what the folder's parts are made of, or find that it is the same."""
    request = {
        "catalog": fingerprint(catalog[["image_id"]]),
        "photos": len(catalog),
        "part_size": part_size,
        "models": {describe(model).task: weights_fingerprint(model) for model in models},
    }
    manifest = out / MANIFEST
    if not manifest.is_file():
        if any(out.glob("*.parquet")):
            raise ScoringError(
                f"{out}: there are Parquet files that score_photos did not write; choose another "
                "folder"
            )
        with atomic_path(manifest) as temporary:
            temporary.write_text(json.dumps(request, indent=1))
        return
    try:
        found = json.loads(manifest.read_text())
    except json.JSONDecodeError as error:
        raise ScoringError(f"{manifest}: damaged ({error}); choose another folder") from error
    differing = [name for name, value in request.items() if found.get(name) != value]
    if differing:
        raise ScoringError(
            f"{out}: its scores were made with another {differing[0].replace('_', ' ')}; choose "
            "another folder, or remove this one"
        )
