"""What orders of a hotel's photos are worth: figures by hotel, averages, what hotels lack."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hotelviz.errors import RankingError
from hotelviz.ranking.algorithm import AREA_ORDER
from hotelviz.scores.connection import connect

#: Name of an order -> the column with a photo's place in it.
ORDERS = {"today": "position", "by score": "rank_by_score", "with coverage": "rank"}


def ranking_figures(ranking: pd.DataFrame, *, first: Sequence[int] = (5, 8)) -> pd.DataFrame:
    r"""Compare today's order with both others, hotel by hotel.

    Parameters
    ----------
    ranking
        From `rank_hotel_photos`.
    first
        How many photos a visitor sees: areas are counted among these.

    Returns
    -------
    pandas.DataFrame
        A row per hotel and order (``today`` only for hotels whose positions are all known):
        ``hotel_id``, ``order``, ``photos``; ``ndcg`` of the score, 0 to 1; ``areas_in_5``,
        ``areas_in_8`` and ``possible_areas_in_8``, the most that the hotel's photos allow;
        ``mean_of_5``, the mean score of the first five; ``duplicates_in_8``, photos among the
        first eight that repeat one before them; ``best_at``, the place of the best photo.

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
    shown = ", ".join(f"count(*) FILTER (first <= {n}) AS areas_in_{n}" for n in first)
    shown += ", " + ", ".join(f"least(count(*), {n}) AS possible_areas_in_{n}" for n in first)
    names = [f"areas_in_{n}, possible_areas_in_{n}" for n in first]
    areas = ", ".join(f"coalesce({name}, 0) AS {name}" for name in ", ".join(names).split(", "))
    columns = ["hotel_id", "score", "area", "trusted", "duplicate_group", "photos"]
    _check_ranking(ranking, [*columns, *ORDERS.values()])
    connection = connect()
    connection.register("ranking", ranking[[*columns, *ORDERS.values()]])
    figures = []
    for name, column in ORDERS.items():
        if name == "today":
            if ranking[column].isna().all():
                continue
            # Today's positions may have gaps where photos could not be scored.
            placed = (
                f"row_number() OVER (PARTITION BY hotel_id ORDER BY {column}) AS place "
                f"FROM ranking QUALIFY count({column}) OVER (PARTITION BY hotel_id) = photos"
            )
        else:
            placed = f"{column} AS place FROM ranking"
        figures.append(
            connection.execute(
                f"WITH placed AS MATERIALIZED (SELECT hotel_id, score, rank_by_score, "
                f"CASE WHEN trusted THEN area END AS area, duplicate_group, {placed}), "
                "firsts AS (SELECT hotel_id, area, min(place) AS first FROM placed "
                "WHERE area IS NOT NULL GROUP BY ALL), "
                f"areas AS (SELECT hotel_id, {shown} FROM firsts GROUP BY hotel_id), "
                "repeats AS (SELECT hotel_id, count(*) - count(DISTINCT duplicate_group) AS n "
                "FROM placed WHERE place <= 8 AND duplicate_group IS NOT NULL GROUP BY hotel_id), "
                "sums AS (SELECT hotel_id, count(*) AS photos, "
                "sum(score / log2(place + 1)) / sum(score / log2(rank_by_score + 1)) AS ndcg, "
                "avg(score) FILTER (place <= 5) AS mean_of_5, "
                "min(place) FILTER (rank_by_score = 1) AS best_at FROM placed GROUP BY hotel_id) "
                f'SELECT hotel_id, ? AS "order", photos, ndcg, {areas}, mean_of_5, '
                "coalesce(n, 0) AS duplicates_in_8, best_at FROM sums "
                "LEFT JOIN areas USING (hotel_id) LEFT JOIN repeats USING (hotel_id) "
                "ORDER BY hotel_id",
                [name],
            ).df()
        )
    connection.close()
    return pd.concat(figures, ignore_index=True)


def _check_ranking(
    table: pd.DataFrame,
    columns: Sequence[str],
    what: str = "is no ranking of rank_hotel_photos",
) -> None:
    """Refuse a table that is no ranking, or no figures of one."""
    for name in columns:
        if name not in table:
            these = "these" if what.startswith("are") else "this"
            raise RankingError(f"{these} {what}: no column {name!r}")


def ranking_summary(figures: pd.DataFrame) -> pd.DataFrame:
    """Average the figures of all hotels, a row per order.

    Parameters
    ----------
    figures
        From `ranking_figures`.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``order``: ``hotels``, the means of all figures, and ``all_areas_in_8``, the
        share of hotels that show as many areas among the first eight as they can.
    """
    _check_ranking(figures, ["hotel_id", "order", "photos"], "are no figures of ranking_figures")
    table = figures.assign(
        all_areas_in_8=figures["areas_in_8"] == figures["possible_areas_in_8"]
        if "areas_in_8" in figures
        else np.nan
    ).drop(columns=["hotel_id", "photos"])
    grouped = table.groupby("order", sort=False)
    means = grouped.mean()
    means.insert(0, "hotels", grouped.size())
    return means


def compare_with_current(figures: pd.DataFrame) -> pd.DataFrame:
    """Order hotels by what the new order would gain them over today's.

    Parameters
    ----------
    figures
        From `ranking_figures`. Where no hotel's positions of today are known, the new order is
        compared with that by score.

    Returns
    -------
    pandas.DataFrame
        ``hotel_id``, ``areas_gained`` among the first 8, ``score_gained`` in the mean of the first
        5, ``ndcg_gained``; the most areas first, then the largest gain of the score.

    Examples
    --------
    >>> scores = pd.DataFrame({"image_id": ["a", "b"], "hotel_id": "h", "score": [6.0, 5.5]})
    >>> from hotelviz.ranking import rank_hotel_photos
    >>> compare_with_current(ranking_figures(rank_hotel_photos(scores)))["areas_gained"].to_list()
    [0]
    """
    needs = ["hotel_id", "order", "areas_in_8", "mean_of_5", "ndcg"]
    _check_ranking(figures, needs, "are no figures of ranking_figures")
    before = "today" if (figures["order"] == "today").any() else "by score"
    today, new = (
        figures[figures["order"] == order].set_index("hotel_id")
        for order in (before, "with coverage")
    )
    both = today.index.intersection(new.index)
    table = pd.DataFrame(
        {
            "areas_gained": new.loc[both, "areas_in_8"] - today.loc[both, "areas_in_8"],
            "score_gained": new.loc[both, "mean_of_5"] - today.loc[both, "mean_of_5"],
            "ndcg_gained": new.loc[both, "ndcg"] - today.loc[both, "ndcg"],
        }
    ).sort_values(["areas_gained", "score_gained"], ascending=False, kind="stable")
    return table.reset_index()


def completeness(
    ranking: pd.DataFrame,
    *,
    areas: Sequence[str] = AREA_ORDER,
    low_score: float = 4.0,
) -> pd.DataFrame:
    """Say what each hotel's photos lack, as those who ask hotels for photos need it.

    Parameters
    ----------
    ranking
        From `rank_hotel_photos`.
    areas
        What a hotel should show; a tag that is not trusted shows nothing.
    low_score
        Scores up to this are low.

    Returns
    -------
    pandas.DataFrame
        ``hotel_id``, ``photos``, ``missing_areas`` (names, joined by commas),
        ``missing`` (how many), ``share_low``; the most incomplete first.

    Examples
    --------
    >>> scores = pd.DataFrame({"image_id": ["a"], "hotel_id": "h", "score": [3.0]})
    >>> from hotelviz.ranking import rank_hotel_photos
    >>> completeness(rank_hotel_photos(scores), areas=["Pool"])["missing_areas"].item()
    'Pool'
    """
    _check_ranking(ranking, ["hotel_id", "score", "area", "trusted"])
    hotel, hotels = pd.factorize(ranking["hotel_id"], sort=True)
    count = np.bincount(hotel)
    low = np.bincount(hotel, weights=ranking["score"] <= low_score)
    area = pd.Categorical(ranking["area"], categories=list(areas)).codes
    sure = ranking["trusted"].to_numpy() & (area >= 0)
    shown = np.zeros((len(hotels), len(areas)), bool)
    shown[hotel[sure], area[sure]] = True
    names = np.array([area.replace("_", " ") for area in areas], dtype=object)
    table = pd.DataFrame(
        {
            "hotel_id": hotels,
            "photos": count,
            "missing_areas": [", ".join(names[~row]) for row in shown],
            "missing": (~shown).sum(axis=1),
            "share_low": low / count,
        }
    )
    return table.sort_values(
        ["missing", "share_low"], ascending=False, kind="stable", ignore_index=True
    )
