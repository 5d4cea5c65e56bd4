"""What networks say of photos: collected batch by batch, then told in columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hotelviz.catalog import mean_and_std
from hotelviz.inference.backends.base import Backend
from hotelviz.inference.pipeline import Predicted
from hotelviz.models import ModelInfo
from hotelviz.schema import SCORE_SHARES, Status


class Outputs:
    """Outputs of some consecutive photos; of those that could not be read NaN.

    Parameters
    ----------
    n_photos : int
        How many they are.
    backends : sequence of Backend
        What runs the networks.
    start : int, default 0
        Number of the first of them in its sequence.

    Attributes
    ----------
    values : list of numpy.ndarray
        Of each network float32 (n_photos, outputs).
    status, errors : numpy.ndarray
        Texts, one a photo; see `hotelviz.schema.PhotoError`.
    hashes : numpy.ndarray
        uint64; 0 for photos that were not measured.
    """

    def __init__(self, n_photos: int, backends: Sequence[Backend], start: int = 0) -> None:
        self.start, self.end = start, start + n_photos
        self.values = [
            np.full((n_photos, backend.n_outputs), np.nan, "float32") for backend in backends
        ]
        self.status = np.full(n_photos, Status.OK.value, dtype=object)
        self.errors = np.full(n_photos, "", dtype=object)
        self.hashes = np.zeros(n_photos, "uint64")

    def add(self, predicted: Predicted) -> list[int]:
        """Take those of some photos that belong here; return which of these are unavailable."""
        mine = (predicted.rows >= self.start) & (predicted.rows < self.end)
        places = predicted.rows[mine] - self.start
        if predicted.measures:
            self.hashes[places] = np.array(predicted.measures, "uint64")[mine]
        for values, outputs in zip(self.values, predicted.outputs, strict=True):
            values[places] = outputs[mine]
        unavailable = []
        for row, (status, reason) in predicted.errors.items():
            if self.start <= row < self.end:
                self.status[row - self.start], self.errors[row - self.start] = status.value, reason
                if status is Status.UNAVAILABLE:
                    unavailable.append(row - self.start)
        return unavailable


def output_columns(
    info: ModelInfo, outputs: np.ndarray, *, score: str = "score", prefix: str = ""
) -> dict[str, np.ndarray]:
    """Return the columns in which a network's outputs are told.

    Parameters
    ----------
    info : ModelInfo
        Of the model.
    outputs : numpy.ndarray
        float32 (N, classes); NaN where there are none.
    score, prefix : str
        What the columns of an aesthetic model are called.

    Returns
    -------
    dict of str to numpy.ndarray
        Of a tagger ``predicted``, None where there are no outputs, and ``p_<class>``; otherwise
        ``score`` and ``score_std``, float64, and ``q_1`` to ``q_10``.
    """
    if info.task == "tagger":
        known = ~np.isnan(outputs).any(axis=1)
        best = np.array(info.classes, dtype=object)[np.nan_to_num(outputs, nan=-1.0).argmax(axis=1)]
        shares = {f"p_{name}": outputs[:, place] for place, name in enumerate(info.classes)}
        best[~known] = None
        return {"predicted": best, **shares}
    mean, std = mean_and_std(outputs.astype("float64"))
    return {
        score: mean,
        f"{score}_std": std,
        **{f"{prefix}{name}": outputs[:, place] for place, name in enumerate(SCORE_SHARES)},
    }
