"""Choose the photos that are worth people's time in the next round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pandas as pd

from hotelviz.catalog import check_table
from hotelviz.errors import LabelError, check_choice
from hotelviz.labelling.inter_rater import disagreements
from hotelviz.schema import SCORE_SHARES
from hotelviz.scores.predictions import class_probabilities


def uncertainty(predictions: pd.DataFrame) -> pd.Series:
    """Compute how uncertain a model is of each photo: the entropy of what it predicts.

    Parameters
    ----------
    predictions : pandas.DataFrame
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
        found = predictions[[name for name in SCORE_SHARES if name in predictions]]
    if len(found.columns) < 2:
        raise LabelError(
            "predictions need the columns p_<Class> (of a tagger) or q_1 to q_10 (of scores)"
        )
    shares = found.to_numpy(dtype=float)
    logs = np.log(np.where(shares > 0, shares, 1.0))
    entropy = -(shares * logs).sum(axis=1) / np.log(len(found.columns))
    return pd.Series(entropy + 0.0, index=predictions.index)


def choose_photos(
    catalog: pd.DataFrame,
    n_photos: int,
    *,
    predictions: pd.DataFrame | None = None,
    ratings: pd.DataFrame | None = None,
    classes: Sequence[str] = (),
    random_share: float = 0.2,
    max_per_hotel: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Choose photos for the next round of labelling.

    Some are drawn at random, or the next model would only know difficult photos. The others are,
    by turns, those of which the model is least certain, and those that raters disagree on most.

    Parameters
    ----------
    catalog : pandas.DataFrame
        The photos to choose from.
    n_photos : int
        How many.
    predictions : pandas.DataFrame, optional
        With ``image_id`` and what `uncertainty` needs. Only photos that nobody rated yet are
        chosen for this.
    ratings : pandas.DataFrame, optional
        From `hotelviz.labelling.LabelRound.ratings`: who disagreed on what, and what was rated
        already.
    classes : sequence of str, default ()
        Uncertain photos are chosen only where one of these is among the two most probable:
        classes of which more photos would help, see `hotelviz.metrics.learning_curve`.
    random_share : float, default 0.2
        The share of random photos, 0 to 1; of those that nobody rated yet.
    max_per_hotel : int, default 5
        Photos of a hotel resemble one another; 0 for any number.
    seed : int, default 0
        For other random photos.

    Returns
    -------
    pandas.DataFrame
        Rows of `catalog`, with ``chosen_for``: ``uncertain 0.93`` (see `uncertainty`),
        ``disagreement 2.05`` (see `hotelviz.labelling.inter_rater.disagreements`) or ``random``.
        What predictions and disagreements could not fill is random.

    Raises
    ------
    LabelError
        No photos to choose, a share that is none, or classes that nothing predicts.

    Examples
    --------
    >>> photos = pd.DataFrame({"image_id": ["a", "b", "c"], "hotel_id": ["h", "i", "j"]})
    >>> sure = pd.DataFrame({"image_id": ["a", "b"], "p_Pool": [1.0, 0.5], "p_Foyer": [0.0, 0.5]})
    >>> choose_photos(photos, 1, predictions=sure, random_share=0)["chosen_for"].tolist()
    ['uncertain 1.00']
    """
    if n_photos < 1 or not 0 <= random_share <= 1 or max_per_hotel < 0:
        raise LabelError(
            f"n_photos={n_photos}, random_share={random_share}, max_per_hotel={max_per_hotel}: "
            "expected at least one photo, a share from 0 to 1, and no negative number"
        )
    catalog = check_table(catalog, needs=["image_id", "hotel_id"], where="choose_photos")
    hotel = dict(zip(catalog["image_id"], catalog["hotel_id"], strict=True))
    fresh, queues = set(hotel), []
    if ratings is not None:
        ratings = check_table(ratings, where="choose_photos, ratings", unique=False)
        fresh -= set(ratings["image_id"])
        queues.append(_disputed(ratings, hotel))
    if predictions is not None:
        queues.insert(0, _uncertain(predictions, fresh, classes))
    elif classes:
        raise LabelError(f"which photos may show {classes[0]!r} is not known: give predictions")
    # What is drawn does not depend on the order of the catalogue.
    ordered = sorted(fresh)
    shuffled = np.random.default_rng(seed).permutation(len(ordered))
    by_chance = ((ordered[number], "random") for number in shuffled)
    chosen: dict[str, str] = {}
    per_hotel: Counter[str] = Counter()

    def take(queue: _Queue) -> bool:
        for photo, why in queue:
            if photo not in chosen and per_hotel[hotel[photo]] < (max_per_hotel or n_photos):
                chosen[photo] = why
                per_hotel[hotel[photo]] += 1
                return True
        return False

    while len(chosen) < n_photos - round(n_photos * random_share) and queues:
        queue = queues.pop(0)
        if take(queue):
            queues.append(queue)
    while len(chosen) < n_photos and take(by_chance):
        pass
    if not chosen:
        raise LabelError("there are no photos to choose: all were rated, and nobody disagreed")
    result = catalog[catalog["image_id"].isin(chosen)]
    return result.assign(chosen_for=result["image_id"].map(chosen)).reset_index(drop=True)


#: Photos that may be chosen, the first ones first, and why.
_Queue = Iterator[tuple[str, str]]


def _uncertain(predictions: pd.DataFrame, fresh: Collection[str], classes: Sequence[str]) -> _Queue:
    predictions = check_table(predictions, where="choose_photos, predictions")
    if classes:
        shares = class_probabilities(predictions)
        for name in classes:
            check_choice(name, list(map(str, shares)), "class", LabelError)
        likely = shares.rank(axis=1, ascending=False, method="min")[list(classes)] <= 2
        predictions = predictions[likely.any(axis=1)]
    found = uncertainty(predictions).set_axis(predictions["image_id"])
    found = found[found.index.isin(fresh)].dropna().sort_values(ascending=False)
    return ((str(photo), f"uncertain {value:.2f}") for photo, value in found.items())


def _disputed(ratings: pd.DataFrame, photos: Collection[str]) -> _Queue:
    found = disagreements(ratings)
    found = found[(found["disagreement"] > 0) & found["image_id"].isin(photos)]
    values = zip(found["image_id"], found["disagreement"], strict=True)
    return ((photo, f"disagreement {value:.2f}") for photo, value in values)
