"""Features of photos by their names: what a network sees in each, computed once and cached."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hotelviz.embeddings.image_properties import compute_image_properties
from hotelviz.errors import EmbeddingError

if TYPE_CHECKING:
    import keras


def feature_model(file: str | os.PathLike[str] | None = None) -> tuple[keras.Model | None, str]:
    """Return the model whose features judge labels, and a note which it is.

    Parameters
    ----------
    file : path, optional
        A model file; by default MobileNet with ImageNet's weights.

    Returns
    -------
    model : keras.Model or None
        None where ImageNet's weights cannot be had.
    note : str
        Which model it is, or why there is none.

    Raises
    ------
    ModelError
        When the file cannot be loaded.
    """
    from hotelviz.models import ModelError, build_tagger, load_model, model_info

    if file:
        model = load_model(file)
        info = model_info(model)
        return model, f"features of {Path(file).name}, a {info.backbone} trained as {info.task}"
    try:
        return build_tagger(), "features of MobileNet with ImageNet's weights"
    except ModelError as error:
        return None, f"no features: {error}"


def properties_folder(catalog: str | os.PathLike[str]) -> Path:
    """Return the folder beside a catalogue in which the properties of its photos are cached.

    Examples
    --------
    >>> properties_folder("data/photos.csv").as_posix()
    'data/photos.measures'
    """
    path = Path(catalog)
    return path.parent / f"{path.stem}.measures"


def photo_features(
    catalog: pd.DataFrame,
    model: keras.Model | None = None,
    *,
    cache: str | os.PathLike[str] | None = None,
    batch_size: int = 64,
    allow_missing: bool = False,
    progress: bool = True,
) -> pd.DataFrame:
    """Return what a network sees in each photo: the layer before its last, pooled.

    Parameters
    ----------
    catalog : pandas.DataFrame
        With ``image_id`` and ``path``.
    model : keras.Model, optional
        A tagger or an aesthetic model, whose features say what it tells photos apart by; by default
        MobileNet with ImageNet's weights, which the audit uses.
    cache, batch_size, allow_missing, progress
        As in `compute_image_properties`: the cache is that of the audit.

    Returns
    -------
    pandas.DataFrame
        float32 (n_photos, n_features) by ``image_id``, in the order of the catalogue; NaN in the
        rows of photos that could not be read.

    Raises
    ------
    EmbeddingError
        No model is given, and ImageNet's weights cannot be had.
    CatalogError, MissingPhotosError
        As in `compute_image_properties`.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> from hotelviz.models import build_tagger
    >>> file = Path(tempfile.mkdtemp()) / "red.png"
    >>> Image.new("RGB", (40, 30), "red").save(file)
    >>> photos = pd.DataFrame({"image_id": ["red"], "path": [str(file)]})
    >>> model = build_tagger(input_size=32, weights=None)
    >>> photo_features(photos, model, progress=False).shape
    (1, 1024)
    """
    if model is None:
        model, note = feature_model()
        if model is None:
            raise EmbeddingError(f"{note}; give a model whose features to use")
    found = compute_image_properties(
        catalog, model=model, cache=cache, batch_size=batch_size, allow_missing=allow_missing,
        progress=progress,
    )  # fmt: skip
    index = pd.Index(found.photos["image_id"], name="image_id")
    return pd.DataFrame(np.asarray(found.features), index)


def check_features(features: pd.DataFrame, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Check features of photos, and return those of photos that could be read.

    Parameters
    ----------
    features : pandas.DataFrame
        As `photo_features` returns them.
    where : str
        Begins the messages.

    Returns
    -------
    rows : int array
        Of the photos that have features; a row of NaN alone is a photo that could not be read.
    values : float32 array of shape (len(rows), n_features)
        Their features.

    Raises
    ------
    EmbeddingError
        What is no table by ``image_id``, names that repeat, no column, or a photo of which some
        features are missing or not finite.

    Examples
    --------
    >>> some = pd.DataFrame({"f": [1.0, np.nan]}, index=["a", "b"])
    >>> check_features(some, "layout")[0]
    array([0])
    """
    if not isinstance(features, pd.DataFrame):
        raise EmbeddingError(
            f"{where}: features are a table with a row per photo, by image_id, as photo_features "
            f"returns it; not {type(features).__name__}"
        )
    repeated = features.index[features.index.duplicated()]
    if len(repeated):
        raise EmbeddingError(f"{where}: {repeated[0]!r} has several rows of features; keep one")
    if not features.shape[1]:
        raise EmbeddingError(f"{where}: the table of features has no column")
    try:
        values = features.to_numpy("float32")
    except (TypeError, ValueError) as error:
        raise EmbeddingError(f"{where}: features are numbers ({error})") from error
    finite = np.isfinite(values)
    broken = ~finite.all(axis=1) & ~np.isnan(values).all(axis=1)
    if broken.any():
        row = int(broken.argmax())
        column = int((~finite[row]).argmax())
        raise EmbeddingError(
            f"{where}: {features.index[row]!r}, feature {features.columns[column]!r}: "
            f"{values[row, column]} is no number to compare by; compute the photo's features "
            f"again, or leave it out ({int(broken.sum()):,} such photos)"
        )
    rows = np.flatnonzero(finite.all(axis=1))
    return rows, values[rows]
