"""Rank the photos of each hotel.

Two orders are made: by score alone, and with coverage: first the best photo of each area, then the
rest by score, near-duplicates never beside each other. Work is done by DuckDB over all hotels at
once; only hotels in which near-duplicates would meet are looked at one by one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import duckdb
import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from hotelviz.scores import Scores, open_scores

__all__ = [
    "AREA_ORDER",
    "ORDERS",
    "RankingError",
    "completeness",
    "gains",
    "rank_hotel_photos",
    "ranking_figures",
    "ranking_summary",
]

#: Which areas a traveller should see first.
AREA_ORDER = (
    "Bedroom",
    "Bathroom",
    "Restaurant",
    "Pool",
    "View_of_Exterior",
    "Foyer",
    "Reception",
    "Kitchen",
)

#: Name of an order -> the column with a photo's place in it.
ORDERS = {"today": "position", "by score": "rank_by_score", "with coverage": "rank"}


class RankingError(ValueError):
    """Photos cannot be ranked as asked."""


def rank_hotel_photos(
    scores: pd.DataFrame | Scores | str | os.PathLike[str],
    tags: pd.DataFrame | str | os.PathLike[str] | None = None,
    *,
    catalog: pd.DataFrame | None = None,
    areas: Sequence[str] = AREA_ORDER,
    min_confidence: float = 0.6,
    max_hash_distance: int = 5,
) -> pd.DataFrame:
    """Rank the photos of each hotel, by score alone and with coverage of its areas.

    Parameters
    ----------
    scores
        ``image_id``, ``hotel_id`` and ``score``; ``hash`` to know near-duplicates by (or
        ``duplicate_group``, where they are known already). Photos without a score are left out.
    tags
        ``image_id``, ``predicted`` and ``p_<class>``, or their Parquet file. Photos without a tag
        are ranked by their score.
    catalog
        With ``image_id`` and ``position``, the order of today. Its other columns are not looked at.
    areas
        The order in which areas are shown first; a hotel's missing areas are passed over.
    min_confidence
        A tag less probable than this does not give a photo the slot of its area.
    max_hash_distance
        Photos of a hotel whose hashes differ in at most this many of 64 bits are near-duplicates,
        and so is everything that they are near to.

    Returns
    -------
    pandas.DataFrame
        By ``hotel_id`` and ``rank``: ``image_id``, ``hotel_id``, ``score``, ``area``,
        ``confidence`` (0 to 1), ``trusted`` (whether the tag may give a slot), ``position``
        (today's), ``duplicate_group`` (missing for a photo that is alone), ``rank_by_score``,
        ``rank`` (with coverage), ``photos`` (of the hotel), and ``reason``, why the photo has its
        rank. Equal scores keep today's order, then that of ``image_id``.

    Raises
    ------
    RankingError
        Missing columns, or nothing to rank.

    Examples
    --------
    >>> scores = pd.DataFrame({"image_id": ["a", "b", "c"], "hotel_id": "h",
    ...                        "score": [6.0, 5.5, 5.0]})
    >>> tags = pd.DataFrame({"image_id": ["a", "b", "c"], "predicted": ["Pool", "Pool", "Bedroom"],
    ...                      "p_Pool": [0.9, 0.9, 0.1], "p_Bedroom": [0.1, 0.1, 0.9]})
    >>> rank_hotel_photos(scores, tags)[["image_id", "rank_by_score", "rank", "reason"]]
      image_id  rank_by_score  rank        reason
    0        c              3     1  best Bedroom
    1        a              1     2     best Pool
    2        b              2     3      by score
    """
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    columns = _register(connection, "given_scores", scores)
    for column in ("image_id", "hotel_id", "score"):
        if column not in columns:
            raise RankingError(f"ranking needs the scores' column {column!r}; see score_photos")
    tag_columns = set() if tags is None else _register(connection, "given_tags", tags)
    if tags is None and "predicted" in columns:
        connection.execute("CREATE VIEW given_tags AS FROM given_scores")
        tag_columns = columns
    if tags is not None and not {"image_id", "predicted"} <= tag_columns:
        raise RankingError("tags need the columns 'image_id' and 'predicted'; see predict_tags")
    shares = [f'g."{name}"' for name in sorted(tag_columns) if name.startswith("p_")]
    if tag_columns:
        confidence = f"greatest({', '.join(shares)}, 0)" if shares else "1.0"
        tag = f"g.predicted AS area, {confidence}::DOUBLE AS confidence"
        join = "LEFT JOIN given_tags g USING (image_id)"
    else:
        tag, join = "NULL::VARCHAR AS area, NULL::DOUBLE AS confidence", ""
    position, tie = "NULL::BIGINT AS position", ""
    if catalog is not None and "position" in catalog:
        # Copied: a catalogue's other columns may have types that DuckDB does not take.
        places = pd.DataFrame(
            {
                "image_id": catalog["image_id"].astype(object),
                "position": catalog["position"].astype("float64"),
            }
        )
        connection.register("places", places)
        position, tie = "c.position::BIGINT AS position", "c.position NULLS LAST, "
        join += " LEFT JOIN places c USING (image_id)"
    marks = ("s.hash" if "hash" in columns else "NULL::UBIGINT AS hash") + (
        ", s.duplicate_group"
        if "duplicate_group" in columns
        else ", NULL::BIGINT AS duplicate_group"
    )
    connection.execute(
        f"CREATE TABLE photos AS SELECT row_number() OVER (ORDER BY s.hotel_id, s.score DESC, "
        f"{tie}s.image_id) - 1 AS number, s.image_id, s.hotel_id, "
        f"s.score::DOUBLE AS score, {tag}, {position}, {marks} FROM given_scores s {join} "
        "WHERE s.score IS NOT NULL"
    )
    if "hash" in columns and "duplicate_group" not in columns:
        _group_duplicates(connection, max_hash_distance)
    connection.execute("CREATE TABLE area_order (area VARCHAR, slot INTEGER)")
    if len(areas):
        connection.executemany(
            "INSERT INTO area_order VALUES (?, ?)", [[a, n] for n, a in enumerate(areas)]
        )
    # `number` is the order by score within a hotel, ties broken: one sort serves all windows.
    ranking = connection.execute(
        "WITH tagged AS (SELECT photos.*, slot AS area_slot, slot IS NOT NULL AND "
        "coalesce(confidence >= ?, FALSE) AS trusted FROM photos LEFT JOIN area_order USING (area)"
        "), slots AS (SELECT *, CASE WHEN trusted AND row_number() OVER "
        "(PARTITION BY hotel_id, area, trusted ORDER BY number) = 1 THEN area_slot END AS slot "
        "FROM tagged) "
        "SELECT image_id, hotel_id, score, area, confidence, trusted, position, "
        "duplicate_group, "
        "row_number() OVER (PARTITION BY hotel_id ORDER BY number) AS rank_by_score, "
        "row_number() OVER (PARTITION BY hotel_id ORDER BY slot NULLS LAST, number) AS rank, "
        "count(*) OVER (PARTITION BY hotel_id) AS photos, "
        "CASE WHEN slot IS NOT NULL THEN 'best ' || replace(area, '_', ' ') "
        "ELSE 'by score' END AS reason FROM slots ORDER BY hotel_id, rank",
        [min_confidence],
    ).df()
    connection.close()
    if ranking.empty:
        raise RankingError("there are no photos with a score to rank")
    for column in ("position", "duplicate_group"):
        ranking[column] = ranking[column].astype("Int64")
    return _spread_duplicates(ranking)


def _register(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    table: pd.DataFrame | Scores | str | os.PathLike[str],
) -> set[str]:
    """Make a table or dataset known to DuckDB under a name; its columns."""
    if isinstance(table, pd.DataFrame):
        connection.register(name, table)
        return set(map(str, table.columns))
    dataset = table if isinstance(table, Scores) else open_scores(table)
    connection.from_parquet([str(file) for file in dataset.files]).create_view(name)
    return set(dataset.columns)


def _group_duplicates(connection: duckdb.DuckDBPyConnection, distance: int) -> None:
    """Give photos of a hotel that are near to one another the number of their group."""
    pairs = connection.execute(
        "SELECT a.number AS a, b.number AS b FROM photos a JOIN photos b "
        "ON a.hotel_id = b.hotel_id AND a.number < b.number "
        "WHERE bit_count(xor(a.hash, b.hash)) <= ?",
        [distance],
    ).fetchnumpy()
    if not len(pairs["a"]):
        return
    members, places = np.unique(np.concatenate([pairs["a"], pairs["b"]]), return_inverse=True)
    half = len(pairs["a"])
    links = coo_matrix(
        (np.ones(half, bool), (places[:half], places[half:])), shape=(len(members),) * 2
    )
    groups = connected_components(links, directed=False)[1]
    connection.register("groups", pd.DataFrame({"number": members, "found": groups}))
    connection.execute(
        "UPDATE photos SET duplicate_group = found FROM groups WHERE photos.number = groups.number"
    )


def _spread_duplicates(ranking: pd.DataFrame) -> pd.DataFrame:
    """Move photos so that near-duplicates are not beside each other, as little as possible."""
    groups = ranking["duplicate_group"].to_numpy(dtype="float64", na_value=np.nan)
    hotels = pd.factorize(ranking["hotel_id"])[0]
    meets = (groups[1:] == groups[:-1]) & (hotels[1:] == hotels[:-1])
    touched = np.unique(hotels[1:][meets])
    if not len(touched):
        return ranking
    starts = np.searchsorted(hotels, touched)
    ends = np.searchsorted(hotels, touched, side="right")
    order = np.arange(len(ranking))
    reasons = ranking["reason"].to_numpy(dtype=object)
    names = ranking["image_id"].to_numpy(dtype=object)
    for start, end in zip(starts, ends, strict=True):
        order[start:end] = start + _apart(groups[start:end])
        for before, row in enumerate(order[start:end]):
            twins = start + np.flatnonzero(groups[start:end] == groups[row])
            if start + before > row and len(twins) and twins[0] != row:
                reasons[row] += f"; moved down: near-duplicate of {names[twins[0]]}"
    ranking["reason"] = reasons
    ranking = ranking.iloc[order].reset_index(drop=True)
    ranking["rank"] = ranking.groupby(hotels).cumcount() + 1
    return ranking


def _apart(groups: np.ndarray) -> np.ndarray:
    """Order places such that equal groups (NaN: none) are not neighbours, early places first.

    Where a group has more than half of what is left, one of its members has to come at every
    other place from now on; otherwise the first photo that may follow is taken. What cannot be
    kept apart, because there are no other photos left, stands at the end.
    """
    waiting = list(range(len(groups)))
    left: dict[float, int] = {}
    for group in groups:
        if not np.isnan(group):
            left[group] = left.get(group, 0) + 1
    order: list[int] = []
    last = np.nan
    while waiting:
        largest = max(left, key=left.__getitem__, default=np.nan)
        urgent = left.get(largest, 0) > len(waiting) - left.get(largest, 0) and largest != last
        chosen = next(
            (
                place
                for place, row in enumerate(waiting)
                if (groups[row] == largest if urgent else groups[row] != last)
            ),
            0,
        )
        row = waiting.pop(chosen)
        order.append(row)
        last = groups[row]
        if last in left:
            left[last] -= 1
    return np.array(order)


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
    >>> ranking_figures(rank_hotel_photos(scores))[["order", "ndcg", "best_at"]]
               order  ndcg  best_at
    0       by score   1.0        1
    1  with coverage   1.0        1
    """
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    connection.register("ranking", ranking)
    areas = ", ".join(
        f"count(DISTINCT area) FILTER (trusted AND place <= {n}) AS areas_in_{n}, "
        f"least(count(DISTINCT area) FILTER (trusted), {n}) AS possible_areas_in_{n}"
        for n in first
    )
    figures = []
    for name, column in ORDERS.items():
        figures.append(
            connection.execute(
                # Today's positions may have gaps where photos could not be scored.
                "WITH placed AS (SELECT * EXCLUDE (rank, position), row_number() OVER "
                f'(PARTITION BY hotel_id ORDER BY "{column}") AS place FROM ranking '
                f'QUALIFY count("{column}") OVER (PARTITION BY hotel_id) = photos), '
                "seen AS (SELECT *, row_number() OVER (PARTITION BY hotel_id, "
                "coalesce(duplicate_group::VARCHAR, image_id) ORDER BY place) > 1 AS repeated "
                "FROM placed) "
                'SELECT hotel_id, ? AS "order", count(*) AS photos, '
                "sum(score / log2(place + 1)) / sum(score / log2(rank_by_score + 1)) AS ndcg, "
                f"{areas}, avg(score) FILTER (place <= 5) AS mean_of_5, "
                "count(*) FILTER (place <= 8 AND repeated) AS duplicates_in_8, "
                "min(place) FILTER (rank_by_score = 1) AS best_at "
                "FROM seen GROUP BY hotel_id ORDER BY hotel_id",
                [name],
            ).df()
        )
    connection.close()
    return pd.concat(figures, ignore_index=True)


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
    table = figures.assign(
        all_areas_in_8=figures["areas_in_8"] == figures["possible_areas_in_8"]
        if "areas_in_8" in figures
        else np.nan
    ).drop(columns=["hotel_id", "photos"])
    grouped = table.groupby("order", sort=False)
    means = grouped.mean()
    means.insert(0, "hotels", grouped.size())
    return means


def gains(figures: pd.DataFrame) -> pd.DataFrame:
    """Order hotels by what the new order would gain them.

    Parameters
    ----------
    figures
        From `ranking_figures`, with today's order.

    Returns
    -------
    pandas.DataFrame
        ``hotel_id``, ``areas_gained`` among the first 8, ``score_gained`` in the mean of the first
        5, ``ndcg_gained``; the most areas first, then the largest gain of the score.
    """
    today, new = (
        figures[figures["order"] == order].set_index("hotel_id")
        for order in ("today", "with coverage")
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
    >>> completeness(rank_hotel_photos(scores), areas=["Pool"])["missing_areas"].item()
    'Pool'
    """
    grouped = ranking.groupby("hotel_id", sort=True)
    table = pd.DataFrame(
        {
            "photos": grouped.size(),
            "share_low": (ranking["score"] <= low_score).groupby(ranking["hotel_id"]).mean(),
        }
    )
    sure = ranking[ranking["area"].isin(list(areas)) & ranking["trusted"]]
    shown = (
        pd.crosstab(sure["hotel_id"], sure["area"])
        .reindex(index=table.index, columns=list(areas), fill_value=0)
        .to_numpy()
        > 0
    )
    names = np.array([area.replace("_", " ") for area in areas], dtype=object)
    table.insert(1, "missing", (~shown).sum(axis=1))
    table.insert(1, "missing_areas", [", ".join(names[~row]) for row in shown])
    return table.sort_values(["missing", "share_low"], ascending=False, kind="stable").reset_index()
