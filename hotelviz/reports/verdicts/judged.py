"""The photos on which aesthetic models are judged: those that all could read, and what is off."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hotelviz.catalog import rating_summary
from hotelviz.scores.predictions import join_photos

#: What is shown of a prediction.
_PREDICTED = ("score", "score_std")


def judged_by_all(
    rated: pd.DataFrame, tables: Mapping[str, pd.DataFrame]
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Return the photos that all models could read, with their ratings' figures, and predictions.

    Parameters
    ----------
    rated : pandas.DataFrame
        The photos with their ratings.
    tables : mapping
        Model -> its predictions, a row per photo of `rated`, in the same order.

    Returns
    -------
    judged : pandas.DataFrame
        With the columns of `hotelviz.catalog.rating_summary`.
    tables : dict
        The predictions on these photos.
    """
    read = np.logical_and.reduce([table["score"].notna() for table in tables.values()])
    judged = join_photos(rated[read], rating_summary(rated[read]))
    return judged, {name: table[read].reset_index(drop=True) for name, table in tables.items()}


def extreme_errors(judged: pd.DataFrame, predicted: pd.DataFrame, n_photos: int) -> pd.DataFrame:
    """Return the photos that were predicted worst, to either side, and best.

    Parameters
    ----------
    judged : pandas.DataFrame
        With ``image_id`` and ``rated_mean``.
    predicted : pandas.DataFrame
        With ``score`` and perhaps ``score_std``, a row per photo of `judged`.
    n_photos : int
        How many of each.

    Returns
    -------
    pandas.DataFrame
        The rows of both, with ``difference``, predicted less rated mean, and ``kind``. Equal errors
        go by ``image_id``.

    Examples
    --------
    >>> judged = pd.DataFrame({"image_id": ["b", "a", "c"], "rated_mean": [5.0, 5.0, 5.0]})
    >>> shown = extreme_errors(judged, pd.DataFrame({"score": [5.5, 5.5, 4.9]}), 1)
    >>> shown[["kind", "image_id"]].to_numpy().tolist()  # doctest: +NORMALIZE_WHITESPACE
    [['rated higher than predicted', 'c'], ['predicted higher than rated', 'a'],
     ['predicted best', 'c']]
    """
    errors = judged.assign(**{name: predicted[name] for name in _PREDICTED if name in predicted})
    errors["difference"] = errors["score"] - errors["rated_mean"]
    size = errors.assign(size=errors["difference"].abs())
    kinds = {
        "rated higher than predicted": ("difference", True),
        "predicted higher than rated": ("difference", False),
        "predicted best": ("size", True),
    }
    parts = [
        size.sort_values([column, "image_id"], ascending=[rising, True]).head(n_photos)
        .assign(kind=kind)
        for kind, (column, rising) in kinds.items()
    ]  # fmt: skip
    return pd.concat(parts).drop(columns="size")
