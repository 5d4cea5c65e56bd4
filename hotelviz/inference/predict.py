"""Predictions of photos, as tables in memory."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from hotelviz.catalog import check_table, mean_and_std
from hotelviz.errors import ModelError
from hotelviz.inference.backends.base import Precision, make_engine
from hotelviz.inference.pipeline import Pipeline
from hotelviz.io.remote import is_url
from hotelviz.models import model_info
from hotelviz.schema import Status
from hotelviz.scores.predictions import CLASSES

_NEEDS = ("image_id", "path")


def predict_tags(
    catalog: pd.DataFrame,
    model: keras.Model,
    *,
    mirror: bool = False,
    engine: str = "keras",
    precision: Precision | None = None,
    batch_size: int | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Predict the area that each photo shows.

    Parameters
    ----------
    catalog
        With ``path``, and ``image_id`` where it is not the path.
    model
        A tagger.
    mirror
        Average the probabilities with those of the photo seen in a mirror: somewhat more right,
        and twice the work.
    engine, precision
        What runs the network, see `hotelviz.inference.make_engine`.
    batch_size
        Photos per call of the network; None takes what suits the engine.
    progress
        Show a bar with the photos per second.

    Returns
    -------
    pandas.DataFrame
        A row per row of `catalog`, with its index: ``image_id``; ``predicted``, the most probable
        class; ``p_<class>``, float32 probabilities from 0 to 1 that sum to 1; ``status``, see
        `hotelviz.schema.Status`; ``error``, empty or what was wrong with the file. A truncated
        photo is predicted all the same; where a photo could not be read at all, ``predicted`` and
        the probabilities are missing.

    Raises
    ------
    CatalogError
        The table has no ``path``, or a photo twice.
    ModelError
        When the model is not a tagger.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> from hotelviz.models import build_tagger
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3).head(2)
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=32, weights=None)
    >>> predict_tags(photos, tagger, progress=False).columns.to_list()
    ['image_id', 'predicted', 'p_Bedroom', 'p_Pool', 'status', 'error']
    """
    info = model_info(model)
    if info.task != "tagger":
        raise ModelError(f"predict_tags needs a tagger; this model is for the task {info.task!r}")
    catalog = check_table(catalog, needs=_NEEDS, where="predict_tags")
    pipeline = Pipeline(
        [make_engine(model, engine, precision=precision)], batch_size=batch_size, mirror=mirror
    )
    outputs, found = _predict(catalog, pipeline, progress)
    readable = ~np.isnan(outputs).any(axis=1)
    best = np.array(info.classes, dtype=object)[np.nan_to_num(outputs, nan=-1.0).argmax(axis=1)]
    tags = pd.DataFrame(
        {
            "image_id": catalog["image_id"].to_numpy(),
            "predicted": pd.Series(np.where(readable, best, None), dtype="str"),
            **{f"p_{name}": outputs[:, number] for number, name in enumerate(info.classes)},
            **found,
        }
    ).set_axis(catalog.index)
    tags.attrs[CLASSES] = list(info.classes)
    return tags


def predict_scores(
    catalog: pd.DataFrame,
    model: keras.Model,
    *,
    engine: str = "keras",
    precision: Precision | None = None,
    batch_size: int | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Predict the distribution of the scores that each photo would get.

    For many photos see `score_photos`, which writes as it goes and can be stopped.

    Parameters
    ----------
    catalog
        With ``path``, and ``image_id`` where it is not the path.
    model
        An aesthetic or technical model.
    engine, precision
        What runs the network, see `hotelviz.inference.make_engine`.
    batch_size
        Photos per call of the network; None takes what suits the engine.
    progress
        Show a bar with the photos per second.

    Returns
    -------
    pandas.DataFrame
        A row per row of `catalog`, with its index: ``image_id``; ``score`` and ``score_std``, mean
        (1 to 10) and standard deviation of the distribution ``q_1`` to ``q_10``; ``status`` and
        ``error`` as of `predict_tags`. Where a photo could not be read the figures are missing.

    Raises
    ------
    CatalogError
        The table has no ``path``, or a photo twice.
    ModelError
        When the model is a tagger.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> from hotelviz.models import build_aesthetic
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3).head(2)
    >>> model = build_aesthetic(input_size=32, weights=None)
    >>> predict_scores(photos, model, progress=False)["score"].between(1, 10).all()
    np.True_
    """
    if model_info(model).task == "tagger":
        raise ModelError("predict_scores needs an aesthetic or technical model, not a tagger")
    catalog = check_table(catalog, needs=_NEEDS, where="predict_scores")
    pipeline = Pipeline([make_engine(model, engine, precision=precision)], batch_size=batch_size)
    outputs, found = _predict(catalog, pipeline, progress)
    mean, std = mean_and_std(outputs.astype("float64"))
    return pd.DataFrame(
        {
            "image_id": catalog["image_id"].to_numpy(),
            "score": mean,
            "score_std": std,
            **{f"q_{number + 1}": outputs[:, number] for number in range(10)},
            **found,
        }
    ).set_axis(catalog.index)


def _predict(
    catalog: pd.DataFrame, pipeline: Pipeline, progress: bool
) -> tuple[np.ndarray, dict[str, pd.Series]]:
    """Run a model over photos; its outputs, NaN for photos that cannot be read, and what was so."""
    classes = model_info(pipeline.engines[0].model).classes
    outputs = np.full((len(catalog), len(classes)), np.nan, "float32")
    status = np.full(len(catalog), Status.OK.value, dtype=object)
    problems = np.full(len(catalog), "", dtype=object)
    paths = catalog["path"].to_list()
    meter = pipeline.meter(remote=any(map(is_url, paths)))
    with tqdm(total=len(catalog), unit="photo", desc="predicting", disable=not progress) as bar:
        for predicted in pipeline.run(paths, meter):
            outputs[predicted.rows] = predicted.outputs[0]
            for row, problem in predicted.errors.items():
                status[row], problems[row] = problem.status.value, problem.reason
            bar.update(predicted.photos)
    return outputs, {
        "status": pd.Series(status, dtype="str"),
        "error": pd.Series(problems, dtype="str"),
    }
