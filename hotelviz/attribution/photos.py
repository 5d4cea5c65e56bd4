"""Photos as a model wants them: pixels at its size, or paths that are decoded on the way."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hotelviz.errors import AttributionError

if TYPE_CHECKING:
    import keras
    import pandas as pd


def read_pixels(
    model: keras.Model, paths: Sequence[str] | pd.Series
) -> tuple[np.ndarray, list[int]]:
    """Read photos as a model wants them; those that cannot be read are left out.

    Parameters
    ----------
    model
        With its description.
    paths
        Of the photos; they are held in memory.

    Returns
    -------
    pixels, rows
        uint8 (N, height, width, 3), and the places in `paths` of the photos that were read.

    Examples
    --------
    >>> from hotelviz.models import build_tagger
    >>> tagger = build_tagger(["Bedroom", "Pool"], input_size=64, weights=None)
    >>> pixels, rows = read_pixels(tagger, ["lost.jpg"])
    >>> pixels.shape, rows
    ((0, 64, 64, 3), [])
    """
    from hotelviz.models import model_info

    empty = np.zeros((0, *model_info(model).preprocessing.size, 3), "uint8")
    batches = list(iterate_pixels(model, paths, batch_size=64))
    rows = [int(row) for part, _ in batches for row in part]
    return np.concatenate([empty, *(pixels for _, pixels in batches)]), rows


def checked_photos(model: keras.Model, photos: Any) -> Any:
    """Return photos as an array of pixels at the model's size, or a sequence of paths."""
    import pandas as pd

    from hotelviz.models import check_pixels

    if isinstance(photos, pd.DataFrame):
        raise AttributionError("give the paths of the photos, photos['path'], not their table")
    if isinstance(photos, str | os.PathLike):
        return [photos]
    if isinstance(photos, np.ndarray) and photos.dtype.kind not in "OUT":
        check_pixels(photos, model)
    return photos


def iterate_pixels(
    model: keras.Model, photos: Any, *, batch_size: int
) -> Iterator[tuple[Any, np.ndarray]]:
    """Yield rows and pixels, a batch at a time; photos that cannot be read are passed over."""
    from hotelviz.images import iterate_images
    from hotelviz.models import model_info

    if batch_size < 1:
        raise AttributionError(f"a batch has at least one photo, not {batch_size}")
    photos = checked_photos(model, photos)
    if isinstance(photos, np.ndarray) and photos.dtype == np.uint8:
        for start in range(0, len(photos), batch_size):
            rows = np.arange(start, min(start + batch_size, len(photos)))
            yield rows, photos[start : start + batch_size]
        return
    wanted = model_info(model).preprocessing
    for batch in iterate_images(
        photos, size=wanted.size, batch_size=batch_size, resample=wanted.resample
    ):
        if len(batch.rows):
            yield batch.rows, batch.pixels
