"""One hotel's photos in several orders, one beside the other, and how far each has moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hotelviz.errors import RankingError
from hotelviz.ranking.evaluation import check_ranking

#: The order that a gallery has now.
TODAY = "today"


def current_and_new(ranking: pd.DataFrame) -> pd.DataFrame:
    """Place a hotel's photos in the current and in the new order.

    Parameters
    ----------
    ranking : pandas.DataFrame
        The rows of one hotel, of `hotelviz.ranking.rank_hotel_photos`.

    Returns
    -------
    pandas.DataFrame
        As `orders_by_models`, with the order ``new order`` after ``today``, and the columns of the
        ranking that say why a photo has its new place.

    Raises
    ------
    RankingError
        No ranking, or one of several hotels.

    Examples
    --------
    >>> scores = pd.DataFrame({"image_id": ["a", "b"], "hotel_id": "h", "score": [4.0, 6.0]})
    >>> from hotelviz.ranking import rank_hotel_photos
    >>> current_and_new(rank_hotel_photos(scores))["image_id"].to_list()
    ['b', 'a']
    """
    check_ranking(ranking, ["image_id", "hotel_id", "position", "rank", "score", "reason"])
    if ranking["hotel_id"].nunique() != 1:
        raise RankingError("these orders are of the photos of one hotel")
    why = ["score", *(n for n in ("area", "confidence", "trusted", "reason") if n in ranking)]
    today = ranking[ranking["position"].notna()].sort_values(["position", "image_id"])
    new = ranking.sort_values(["rank", "image_id"])
    return _placed({TODAY: today[["image_id", "score"]], "new order": new[["image_id", *why]]})


def orders_by_models(photos: pd.DataFrame, predictions: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Place a hotel's photos as they stand today, and as each of several models ranks them.

    Parameters
    ----------
    photos : pandas.DataFrame
        ``image_id`` and, where it is known, ``position``: the photos of one hotel.
    predictions : mapping
        Name of a model, such as ``iteration 1`` -> ``image_id`` and ``score`` of these photos;
        those without a score have no place. The first model comes first.

    Returns
    -------
    pandas.DataFrame
        A row per order and place: ``order`` (``today`` first, where a position is known),
        ``image_id``, ``score`` (of today's photos the last model's), ``rank`` from 1 on,
        ``photos`` in this order, and ``moved``: the places that the photo has moved up since the
        order before, missing where it had none. Equal scores go by the current order, then by
        ``image_id``.

    Raises
    ------
    RankingError
        No predictions, a table without these columns, a photo twice, or no photo with a score.

    Examples
    --------
    >>> photos = pd.DataFrame({"image_id": ["a", "b", "c"], "position": [1, 2, 3]})
    >>> first = pd.DataFrame({"image_id": ["a", "b", "c"], "score": [4.0, 5.0, 6.0]})
    >>> orders = orders_by_models(photos, {"first": first})
    >>> orders.loc[orders["order"] == "first", ["image_id", "rank", "moved"]].to_numpy().tolist()
    [['c', 1, 2], ['b', 2, 0], ['a', 3, -2]]
    """
    _check(photos, ["image_id"], "photos")
    if not predictions:
        raise RankingError("no predictions to order photos by")
    known = photos[["image_id"]].assign(position=photos.get("position", np.nan))
    orders = {}
    for name, table in predictions.items():
        _check(table, ["image_id", "score"], name)
        scored = known.merge(table[["image_id", "score"]], on="image_id").dropna(subset="score")
        if scored.empty:
            raise RankingError(f"{name}: none of the photos has a score")
        order = scored.sort_values(
            ["score", "position", "image_id"], ascending=[False, True, True], kind="stable"
        )
        orders[name] = order[["image_id", "score"]]
    last = orders[list(orders)[-1]]
    today = known.dropna(subset="position").sort_values(["position", "image_id"])
    today = today[["image_id"]].merge(last, on="image_id", how="left")
    return _placed({TODAY: today} | orders)


def most_moved(orders: pd.DataFrame) -> int:
    """Return the most places that a photo moved from one order to the next.

    Examples
    --------
    >>> most_moved(pd.DataFrame({"moved": [None, 3, -4]}))
    4
    """
    moves = pd.to_numeric(orders["moved"]).abs()
    return int(moves.max()) if moves.notna().any() else 0


def _check(table: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    for column in columns:
        if column not in table:
            raise RankingError(f"{name}: no column {column!r}")
    twice = table.loc[table["image_id"].duplicated(), "image_id"]
    if len(twice):
        raise RankingError(f"{name}: the photo {twice.iloc[0]!r} is there more than once")


def _placed(orders: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Put orders, each with its photos from the first to the last, one below the other."""
    parts, before = [], pd.Series(dtype="float64")
    for name, photos in orders.items():
        if photos.empty:
            continue
        part = photos.reset_index(drop=True)
        part.insert(0, "order", name)
        part["rank"], part["photos"] = np.arange(1, len(part) + 1), len(part)
        part["moved"] = (part["image_id"].map(before) - part["rank"]).astype("Int64")
        before = part.set_index("image_id")["rank"]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
