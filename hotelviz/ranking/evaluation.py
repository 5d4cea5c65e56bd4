"""What orders of a hotel's photos are worth: figures by hotel, averages, gains and losses."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from hotelviz.errors import RankingError
from hotelviz.scores.connection import connect

#: Name of an order -> the column with a photo's place in it.
ORDERS = {"current": "position", "by score": "rank_by_score", "with coverage": "rank"}
#: Less of a mean score is neither gained nor lost.
_LITTLE = 0.01
_NO_RANKING = "this is no ranking of rank_hotel_photos"
_NO_FIGURES = "these are no figures of ranking_figures"


def ranking_figures(ranking: pd.DataFrame, *, n_first: Sequence[int] = (5, 8)) -> pd.DataFrame:
    r"""Compute what each order is worth, hotel by hotel.

    Parameters
    ----------
    ranking : pandas.DataFrame
        From `rank_hotel_photos`.
    n_first : sequence of int, default (5, 8)
        How many photos a visitor sees: areas are counted among these.

    Returns
    -------
    pandas.DataFrame
        A row per hotel and order (``current`` only for hotels whose positions are all known):
        ``hotel_id``, ``order``, ``photos``; ``ndcg`` of the score, 0 to 1; ``areas_in_5``,
        ``areas_in_8`` and ``possible_areas_in_8``, the most that the hotel's photos allow;
        ``mean_of_5``, the mean score of the first five; ``duplicates_in_8``, photos among the
        first eight that repeat one before them; ``duplicates_beside``, photos that follow a
        near-duplicate of theirs; ``best_at``, the place of the best photo.

    Notes
    -----
    NDCG is :math:`\sum_i s_i / \log_2(i + 1)` over the places i, divided by what the order by
    score gives (Järvelin and Kekäläinen: Cumulated gain-based evaluation of IR techniques, ACM
    TOIS 2002).

    Examples
    --------
    >>> scores = pd.DataFrame({"image_id": ["a", "b"], "hotel_id": "h", "score": [6.0, 5.5]})
    >>> from hotelviz.ranking import rank_hotel_photos
    >>> ranking_figures(rank_hotel_photos(scores))[["order", "ndcg", "best_at"]]
               order  ndcg  best_at
    0       by score   1.0        1
    1  with coverage   1.0        1
    """
    columns = ["image_id", "hotel_id", "score", "area", "trusted", "duplicate_group", "photos"]
    columns += ORDERS.values()
    check_ranking(ranking, columns)
    areas = ", ".join(
        f"count(DISTINCT area) FILTER (place <= {n}) AS areas_in_{n}, "
        f"least(count(DISTINCT area), {n}) AS possible_areas_in_{n}"
        for n in n_first
    )
    figures = []
    with connect() as connection:
        connection.register("ranking", ranking[columns])
        for name, column in ORDERS.items():
            if ranking[column].isna().all():
                continue
            place = f"{column} AS place FROM ranking"
            if name == "current":
                # Positions may have gaps where photos could not be scored.
                place = (
                    f"row_number() OVER (PARTITION BY hotel_id ORDER BY {column}, image_id) "
                    f"AS place FROM ranking QUALIFY count({column}) OVER (PARTITION BY hotel_id) "
                    "= photos"
                )
            figures.append(
                connection.execute(
                    "WITH placed AS (SELECT hotel_id, score, rank_by_score, duplicate_group, "
                    f"CASE WHEN trusted THEN area END AS area, {place}), "
                    # Only photos that have near-duplicates are looked at one after the other.
                    "beside AS (SELECT hotel_id, count(*) AS beside FROM (SELECT hotel_id, place - "
                    "lag(place) OVER (PARTITION BY hotel_id, duplicate_group ORDER BY place) AS "
                    "step FROM placed WHERE duplicate_group IS NOT NULL) WHERE step = 1 GROUP BY "
                    "1) "
                    'SELECT hotel_id, $1 AS "order", count(*) AS photos, '
                    "sum(score / log2(place + 1)) / sum(score / log2(rank_by_score + 1)) AS ndcg, "
                    f"{areas}, avg(score) FILTER (place <= 5) AS mean_of_5, "
                    "count(duplicate_group) FILTER (place <= 8) - "
                    "count(DISTINCT duplicate_group) FILTER (place <= 8) AS duplicates_in_8, "
                    "coalesce(any_value(beside), 0) AS duplicates_beside, "
                    "min(place) FILTER (rank_by_score = 1) AS best_at "
                    "FROM placed LEFT JOIN beside USING (hotel_id) GROUP BY hotel_id ORDER BY 1",
                    [name],
                ).df()
            )
    return pd.concat(figures, ignore_index=True)


def check_ranking(table: pd.DataFrame, columns: Sequence[str], what: str = _NO_RANKING) -> None:
    """Refuse a table that is no ranking, or no figures of one."""
    for name in columns:
        if name not in table:
            raise RankingError(f"{what}: no column {name!r}")


def ranking_summary(figures: pd.DataFrame) -> pd.DataFrame:
    """Average the figures of all hotels, a row per order.

    Parameters
    ----------
    figures : pandas.DataFrame
        From `ranking_figures`.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``order``: ``hotels``, the means of all figures, and ``all_areas_in_8``, the
        share of hotels that show as many areas among the first eight as they can.

    Examples
    --------
    >>> from hotelviz.ranking import rank_hotel_photos
    >>> scores = pd.DataFrame({"image_id": ["a", "b"], "hotel_id": "h", "score": [6.0, 5.5]})
    >>> ranking_summary(ranking_figures(rank_hotel_photos(scores)))["mean_of_5"].to_dict()
    {'by score': 5.75, 'with coverage': 5.75}
    """
    check_ranking(figures, ["hotel_id", "order", "photos"], _NO_FIGURES)
    table = figures.drop(columns=["hotel_id", "photos"])
    if "areas_in_8" in figures:
        table["all_areas_in_8"] = figures["areas_in_8"] == figures["possible_areas_in_8"]
    by_order = table.groupby("order", sort=False)
    means = by_order.mean()
    means.insert(0, "hotels", by_order.size())
    return means


def compare_with_current(figures: pd.DataFrame) -> pd.DataFrame:
    """Compute what each hotel gains or loses by the new order over the current one.

    Parameters
    ----------
    figures : pandas.DataFrame
        From `ranking_figures`. Where no hotel's current positions are known, the new order is
        compared with that by score.

    Returns
    -------
    pandas.DataFrame
        ``hotel_id``, ``areas_gained`` among the first 8, ``score_gained`` in the mean of the first
        5, ``ndcg_gained``, and ``loses``: whether it shows fewer areas than the current order, or
        its first five photos score lower by a hundredth or more. The most areas first, then the
        largest gain of the score.

    Examples
    --------
    >>> scores = pd.DataFrame({"image_id": ["a", "b"], "hotel_id": "h", "score": [6.0, 5.5]})
    >>> from hotelviz.ranking import rank_hotel_photos
    >>> compare_with_current(ranking_figures(rank_hotel_photos(scores)))["areas_gained"].to_list()
    [0]
    """
    names = {"areas_in_8": "areas_gained", "mean_of_5": "score_gained", "ndcg": "ndcg_gained"}
    check_ranking(figures, ["hotel_id", "order", *names], _NO_FIGURES)
    by_order = dict(list(figures.set_index("hotel_id").groupby("order")[list(names)]))
    new, current = by_order["with coverage"], by_order.get("current", by_order["by score"])
    gained = (new - current).loc[new.index.intersection(current.index)].rename(columns=names)
    gained = gained.astype({"areas_gained": "int64"}).reset_index()
    # By score the first five are the best there are: no order is better.
    gained["loses"] = "current" in by_order
    gained["loses"] &= (gained["areas_gained"] < 0) | (gained["score_gained"] <= -_LITTLE)
    order = ["areas_gained", "score_gained", "hotel_id"]
    return gained.sort_values(order, ascending=[False, False, True], ignore_index=True)


def gaining_hotels(gained: pd.DataFrame) -> pd.DataFrame:
    """Return the hotels that gain, of what `compare_with_current` returned, in its order.

    Examples
    --------
    >>> gained = pd.DataFrame({"hotel_id": ["a", "b", "c"], "areas_gained": [1, 0, -1],
    ...                        "score_gained": [0.5, 0.0, 0.2], "loses": [False, False, True]})
    >>> gaining_hotels(gained)["hotel_id"].to_list(), losing_hotels(gained)["hotel_id"].to_list()
    (['a'], ['c'])
    """
    gains = (gained["areas_gained"] > 0) | (gained["score_gained"] >= _LITTLE)
    return gained[gains & ~gained["loses"]]


def losing_hotels(gained: pd.DataFrame) -> pd.DataFrame:
    """Return the hotels that lose, of what `compare_with_current` returned, the worst first.

    Examples
    --------
    >>> gained = pd.DataFrame({"hotel_id": ["a", "b", "c"], "areas_gained": [1, -1, -2],
    ...                        "score_gained": [0.5, 0.2, 0.0], "loses": [False, True, True]})
    >>> losing_hotels(gained)["hotel_id"].to_list()
    ['c', 'b']
    """
    losing = gained[gained["loses"]]
    return losing.sort_values(["areas_gained", "score_gained", "hotel_id"], ignore_index=True)
