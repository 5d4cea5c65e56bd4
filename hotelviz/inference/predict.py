"""Predictions of photos, as tables in memory."""

from __future__ import annotations

import keras
import pandas as pd
from tqdm.auto import tqdm

from hotelviz.catalog import check_table
from hotelviz.errors import ModelError
from hotelviz.inference.backends.base import Precision
from hotelviz.inference.backends.keras import FeatureBackend
from hotelviz.inference.backends.registry import make_backend
from hotelviz.inference.outputs import Outputs, output_columns
from hotelviz.inference.pipeline import Pipeline
from hotelviz.io.remote import is_url
from hotelviz.models import model_info
from hotelviz.scores.predictions import CLASSES


def predict_tags(
    catalog: pd.DataFrame,
    model: keras.Model,
    *,
    mirror: bool = False,
    backend: str = "keras",
    precision: Precision | None = None,
    batch_size: int | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Predict the area that each photo shows.

    Parameters
    ----------
    catalog : pandas.DataFrame
        With ``path``, and ``image_id`` where it is not the path.
    model : keras.Model
        A tagger.
    mirror : bool, default False
        Average the probabilities with those of the mirrored photo: somewhat more accurate, and
        twice the work.
    backend, precision : str, optional
        What runs the network, see `make_backend`.
    batch_size : int, optional
        Photos per call of the network; None takes what suits the backend.
    progress : bool, default True
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
        The model is not a tagger.
    BackendError
        As `make_backend` raises it.

    See Also
    --------
    score_photos : Write the predictions of many photos, with several models.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> from hotelviz.models import build_tagger
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3, size=(96, 128)).head(2)
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=32, weights=None)
    >>> predict_tags(photos, tagger, progress=False).columns.to_list()
    ['image_id', 'predicted', 'p_Bedroom', 'p_Pool', 'status', 'error']
    """
    info = model_info(model)
    if info.task != "tagger":
        raise ModelError(f"predict_tags needs a tagger; this model is for the task {info.task!r}")
    catalog = check_table(catalog, needs=("image_id", "path"), where="predict_tags")
    made = make_backend(model, backend, precision=precision)
    tags = _predict(catalog, Pipeline([made], batch_size=batch_size, mirror=mirror), progress)
    tags.attrs[CLASSES] = list(info.classes)
    return tags


def predict_scores(
    catalog: pd.DataFrame,
    model: keras.Model,
    *,
    backend: str = "keras",
    precision: Precision | None = None,
    batch_size: int | None = None,
    mirror: bool = False,
    progress: bool = True,
) -> pd.DataFrame:
    """Predict the distribution of the scores that each photo would get.

    Parameters
    ----------
    catalog : pandas.DataFrame
        With ``path``, and ``image_id`` where it is not the path.
    model : keras.Model
        An aesthetic or technical model.
    backend, precision, batch_size, mirror, progress
        As in `predict_tags`.

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
        The model is a tagger.
    BackendError
        As `make_backend` raises it.

    See Also
    --------
    score_photos : Write the predictions of many photos, as a run that can be stopped.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> from hotelviz.models import build_aesthetic
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3, size=(96, 128)).head(2)
    >>> model = build_aesthetic(input_size=32, weights=None)
    >>> predict_scores(photos, model, progress=False)["score"].between(1, 10).all()
    np.True_
    """
    if model_info(model).task == "tagger":
        raise ModelError("predict_scores needs an aesthetic or technical model, not a tagger")
    catalog = check_table(catalog, needs=("image_id", "path"), where="predict_scores")
    made = make_backend(model, backend, precision=precision)
    return _predict(catalog, Pipeline([made], batch_size=batch_size, mirror=mirror), progress)


def predict_with_features(
    catalog: pd.DataFrame,
    model: keras.Model,
    *,
    batch_size: int | None = None,
    progress: bool = True,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predict photos, and keep what the network sees in each: one decode and one pass for both.

    Parameters
    ----------
    catalog, batch_size, progress
        As in `predict_tags`.
    model : keras.Model
        A tagger, an aesthetic or a technical model.

    Returns
    -------
    predictions : pandas.DataFrame
        As of `predict_tags` or `predict_scores`.
    features : pandas.DataFrame
        What its last layer is given, float32 (n_photos, n_features) by ``image_id``, as of
        `hotelviz.embeddings.photo_features`: NaN for photos that could not be read. Without
        columns where the model does not end in pooled features and one dense layer.

    Raises
    ------
    CatalogError
        The table has no ``path``, or a photo twice.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> from hotelviz.models import build_tagger
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3, size=(96, 128)).head(2)
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=32, weights=None)
    >>> tags, features = predict_with_features(photos, tagger, progress=False)
    >>> features.index.to_list() == tags["image_id"].to_list()
    True
    """
    catalog = check_table(catalog, needs=("image_id", "path"), where="predict_with_features")
    made = FeatureBackend(model)
    outputs, table = _run(catalog, Pipeline([made], batch_size=batch_size), progress)
    if model_info(model).task == "tagger":
        table.attrs[CLASSES] = list(model_info(model).classes)
    features = outputs.values[0][:, made.n_outputs - made.n_features :]
    return table, pd.DataFrame(features, pd.Index(table["image_id"], name="image_id"))


def _predict(catalog: pd.DataFrame, pipeline: Pipeline, progress: bool) -> pd.DataFrame:
    return _run(catalog, pipeline, progress)[1]


def _run(catalog: pd.DataFrame, pipeline: Pipeline, progress: bool) -> tuple[Outputs, pd.DataFrame]:
    paths = catalog["path"].to_list()
    outputs, model = Outputs(len(paths), pipeline.backends), pipeline.backends[0].model
    with tqdm(total=len(paths), unit="photo", desc="predicting", disable=not progress) as bar:
        for predicted in pipeline.run(paths, remote=any(map(is_url, paths))):
            outputs.add(predicted)
            bar.update(predicted.n_photos)
    table = pd.DataFrame(
        {
            "image_id": catalog["image_id"].to_numpy(),
            **output_columns(model_info(model), outputs.values[0][:, : model.output_shape[-1]]),
            "status": outputs.status,
            "error": outputs.errors,
        }
    )
    texts = table.columns.intersection(["predicted", "status", "error"])
    return outputs, table.astype(dict.fromkeys(texts, "str")).set_axis(catalog.index)
