"""Choose the photos that are worth people's time in the next round."""

from __future__ import annotations

from collections import deque

import numpy as np
import pandas as pd

from hotelviz.catalog import check_table
from hotelviz.errors import LabelError
from hotelviz.labelling.inter_rater import disagreements
from hotelviz.scores.predictions import class_probabilities

__all__ = ["choose_photos", "uncertainty"]

_SHARES = [f"q_{score}" for score in range(1, 11)]


def uncertainty(predictions: pd.DataFrame) -> pd.Series:
    """Tell how uncertain a model is of each photo: the entropy of what it predicts.

    Parameters
    ----------
    predictions
        With ``p_<Class>`` of a tagger, or ``q_1`` to ``q_10`` of an aesthetic model.

    Returns
    -------
    pandas.Series
        From 0 (sure) to 1 (all answers alike); missing where nothing was predicted.

    Raises
    ------
    LabelError
        When there is neither.
    HotelvizError
        Columns of which it cannot be told whether they are classes.

    Examples
    --------
    >>> uncertainty(pd.DataFrame({"p_Pool": [1.0, 0.5], "p_Foyer": [0.0, 0.5]})).tolist()
    [0.0, 1.0]
    """
    found = class_probabilities(predictions)
    if not len(found.columns):
        found = predictions[[name for name in _SHARES if name in predictions]]
    if len(found.columns) < 2:
        raise LabelError(
            "predictions need the columns p_<Class> of a tagger, or q_1 to q_10 of an aesthetic "
            "model"
        )
    shares = found.to_numpy(dtype=float)
    logs = np.log(np.where(shares > 0, shares, 1.0))
    entropy = -(shares * logs).sum(axis=1) / np.log(len(found.columns))
    return pd.Series(entropy + 0.0, index=predictions.index)


def choose_photos(
    catalog: pd.DataFrame,
    count: int,
    *,
    predictions: pd.DataFrame | None = None,
    ratings: pd.DataFrame | None = None,
    random_share: float = 0.2,
    per_hotel: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Choose photos for the next round of labelling.

    Some are drawn at random, or the next model would only know difficult photos. The others are,
    by turns, those of which the model is least certain, and those that raters disagree on most.

    Parameters
    ----------
    catalog
        The photos to choose from.
    count
        How many.
    predictions
        With ``image_id`` and what `uncertainty` needs. Only photos that nobody rated yet are
        chosen for this.
    ratings
        From `LabelRound.ratings`: who disagreed on what, and what was rated already.
    random_share
        The share of random photos, 0 to 1; of those that nobody rated yet.
    per_hotel
        At most so many photos of a hotel, which resemble one another; 0 for any number.
    seed
        For other random photos.

    Returns
    -------
    pandas.DataFrame
        Rows of `catalog`, with ``chosen_for``: ``uncertain 0.93`` (see `uncertainty`),
        ``disagreement 2.05`` (see `disagreements`) or ``random``. What predictions and
        disagreements could not fill is random.

    Raises
    ------
    LabelError
        No photos to choose, or a share that is none.

    Examples
    --------
    >>> photos = pd.DataFrame({"image_id": ["a", "b", "c"], "hotel_id": ["h", "i", "j"]})
    >>> sure = pd.DataFrame({"image_id": ["a", "b"], "p_Pool": [1.0, 0.5], "p_Foyer": [0.0, 0.5]})
    >>> choose_photos(photos, 1, predictions=sure, random_share=0)["chosen_for"].tolist()
    ['uncertain 1.00']
    """
    if count < 1 or not 0 <= random_share <= 1 or per_hotel < 0:
        raise LabelError(
            f"count={count}, random_share={random_share}, per_hotel={per_hotel}: expected at least "
            "one photo, a share from 0 to 1, and no negative number"
        )
    catalog = check_table(catalog, needs=["image_id", "hotel_id"], where="choose_photos")
    hotel = dict(zip(catalog["image_id"], catalog["hotel_id"], strict=True))
    if predictions is not None:
        predictions = check_table(predictions, where="choose_photos, predictions")
    if ratings is not None:
        ratings = check_table(ratings, where="choose_photos, ratings", unique=False)
    rated = set() if ratings is None else set(ratings["image_id"])
    # What is drawn does not depend on the order of the catalogue.
    fresh = sorted(photo for photo in catalog["image_id"] if photo not in rated)
    queues: list[deque[tuple[str, str]]] = []
    if predictions is not None:
        unsure = uncertainty(predictions).set_axis(predictions["image_id"].to_numpy())
        unsure = unsure[unsure.index.isin(fresh)].dropna().sort_values(ascending=False)
        queues.append(deque((photo, f"uncertain {value:.2f}") for photo, value in unsure.items()))
    if ratings is not None:
        torn = disagreements(ratings)
        torn = torn[(torn["disagreement"] > 0) & torn["image_id"].isin(hotel)]
        queues.append(
            deque(
                (row.image_id, f"disagreement {row.disagreement:.2f}") for row in torn.itertuples()
            )
        )
    shuffled = np.random.default_rng(seed).permutation(len(fresh))
    by_chance = deque((fresh[number], "random") for number in shuffled)
    chosen: dict[str, str] = {}
    taken: dict[str, int] = {}

    def take(queue: deque[tuple[str, str]]) -> bool:
        while queue:
            photo, why = queue.popleft()
            full = per_hotel and taken.get(hotel[photo], 0) >= per_hotel
            if photo not in chosen and not full:
                chosen[photo] = why
                taken[hotel[photo]] = taken.get(hotel[photo], 0) + 1
                return True
        return False

    wanted = count - round(count * random_share)
    while len(chosen) < wanted and any(queues):
        for queue in queues:
            if len(chosen) < wanted:
                take(queue)
    while len(chosen) < count and take(by_chance):
        pass
    if not chosen:
        raise LabelError("there are no photos to choose: all were rated, and nobody disagreed")
    result = catalog[catalog["image_id"].isin(chosen)]
    return result.assign(chosen_for=result["image_id"].map(chosen)).reset_index(drop=True)
