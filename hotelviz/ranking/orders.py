"""One hotel's photos in several orders, one beside the other, and how far each has moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hotelviz.errors import ImageError, RankingError
from hotelviz.images import read_image
from hotelviz.ranking.evaluation import check_ranking

if TYPE_CHECKING:
    import keras

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
    shown = ["image_id", "hotel_id", "score"]
    why = [name for name in ("area", "confidence", "trusted", "reason") if name in ranking]
    today = ranking[ranking["position"].notna()].sort_values(["position", "image_id"])
    new = ranking.sort_values(["rank", "image_id"])
    return _placed({TODAY: today[shown], "new order": new[[*shown, *why]]})


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
        ``photos`` in this order, ``moved``: the places that the photo has moved up since the
        order before, missing where it had none; and ``move``, the same in signs: ``▲3``, ``▼2``,
        ``=``, or ``new``. Equal scores go by the current order, then by ``image_id``.

    Raises
    ------
    RankingError
        No predictions, a table without these columns, a photo twice, or no photo with a score.

    Examples
    --------
    >>> photos = pd.DataFrame({"image_id": ["a", "b", "c"], "position": [1, 2, 3]})
    >>> first = pd.DataFrame({"image_id": ["a", "b", "c"], "score": [4.0, 5.0, 6.0]})
    >>> orders = orders_by_models(photos, {"first": first})
    >>> orders.loc[orders["order"] == "first", ["image_id", "rank", "move"]].to_numpy().tolist()
    [['c', 1, '▲2'], ['b', 2, '='], ['a', 3, '▼2']]
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


def largest_hotel(photos: pd.DataFrame) -> str:
    """Return the hotel with the most photos; of equally large ones the first by name.

    Empty where hotels are not known, or none has two photos.

    Examples
    --------
    >>> largest_hotel(pd.DataFrame({"hotel_id": ["b", "a", "b", "a", "c"]}))
    'a'
    """
    sizes = photos.get("hotel_id", pd.Series(dtype=object)).value_counts().sort_index()
    return str(sizes.idxmax()) if (sizes > 1).any() else ""


def unseen_hotel(hotels: pd.Series, models: Sequence[keras.Model]) -> str:
    """Return the first of some hotels of which no model has seen a photo; else the first.

    Examples
    --------
    >>> unseen_hotel(pd.Series(["a", "b"]), [])
    'a'
    """
    from hotelviz.models import training_photos

    seen = {name for model in models for name in training_photos(model).photos["hotel_id"]}
    unseen = hotels[~hotels.isin(seen)]
    return str((unseen if len(unseen) else hotels).iloc[0])


def with_positions(photos: pd.DataFrame, ranking: pd.DataFrame) -> pd.DataFrame:
    """Return photos with the current ``position`` that a ranking of them knows.

    Examples
    --------
    >>> ranking = pd.DataFrame({"image_id": ["a"], "position": [3]})
    >>> with_positions(pd.DataFrame({"image_id": ["a"]}), ranking)["position"].to_list()
    [3]
    """
    own = photos.drop(columns="position", errors="ignore")
    return own.merge(ranking[["image_id", "position"]], on="image_id", how="left")


def read_pictures(
    orders: pd.DataFrame, paths: pd.DataFrame, *, n_photos: int = 4, max_side: int = 400
) -> dict[str, np.ndarray]:
    """Read the first photos of each order, for `hotelviz.plots.hotel_orders`.

    Parameters
    ----------
    orders : pandas.DataFrame
        From `orders_by_models` or `current_and_new`.
    paths : pandas.DataFrame
        ``image_id`` and ``path``.
    n_photos : int, default 4
        How many of each order.
    max_side : int, default 400
        Pixels of the longer side, at most.

    Returns
    -------
    dict
        ``image_id`` -> pixels, uint8 (height, width, 3). Photos that cannot be read are not in it.

    Examples
    --------
    >>> orders = pd.DataFrame({"image_id": ["a"], "rank": [1]})
    >>> read_pictures(orders, pd.DataFrame({"image_id": ["a"], "path": ["/nowhere/a.jpg"]}))
    {}
    """
    wanted = orders.loc[orders["rank"] <= n_photos, "image_id"]
    some = paths[paths["image_id"].isin(wanted)]
    pictures = {}
    for name, path in zip(some["image_id"], some["path"], strict=True):
        with suppress(ImageError):
            pictures[str(name)] = read_image(path, max_side=max_side)
    return pictures


def _sign(moved: int | None) -> str:
    """Return how far a photo has moved, as captions say it."""
    if moved is None:
        return "new"
    return f"▲{moved}" if moved > 0 else f"▼{-moved}" if moved else "="


def _check(table: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    for column in columns:
        if column not in table:
            raise RankingError(f"{name}: no column {column!r}")
    twice = table.loc[table["image_id"].duplicated(), "image_id"]
    if len(twice):
        raise RankingError(f"{name}: the photo {twice.iloc[0]!r} is there more than once")


def _placed(orders: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Put orders, each with its photos from the first to the last, one below the other."""
    parts: list[pd.DataFrame] = []
    before = pd.Series(dtype="float64")
    for name, photos in orders.items():
        if photos.empty:
            continue
        part = photos.reset_index(drop=True)
        part.insert(0, "order", name)
        part["rank"], part["photos"] = np.arange(1, len(part) + 1), len(part)
        part["moved"] = (part["image_id"].map(before) - part["rank"]).astype("Int64")
        moves = [None if pd.isna(places) else int(places) for places in part["moved"]]
        part["move"] = [_sign(places) for places in moves] if parts else ""
        before = part.set_index("image_id")["rank"]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
