"""Which areas a hotel's photos do not surely show, and how often a tagger overlooks one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hotelviz.ranking.algorithm import AREA_ORDER
from hotelviz.ranking.inputs import Sources, open_sources
from hotelviz.scores import Scores
from hotelviz.scores.connection import ask
from hotelviz.scores.sql import is_number

_COLUMNS = ["hotel_id", "area", "photos", "seen", "candidate", "probability", "labels", "labelled"]


def completeness(
    scores: pd.DataFrame | Scores | str | os.PathLike[str],
    tags: pd.DataFrame | str | os.PathLike[str] | None = None,
    *,
    catalog: pd.DataFrame | str | os.PathLike[str] | None = None,
    areas: Sequence[str] = AREA_ORDER,
    min_confidence: float = 0.6,
) -> pd.DataFrame:
    """Return which areas each hotel's photos show, for those who ask hotels for photos.

    That a tagger is sure of no photo of an area does not mean that there is none: the best
    candidate stands beside, and what is labelled is known.

    Parameters
    ----------
    scores, tags
        As in `hotelviz.ranking.rank_hotel_photos`.
    catalog : pandas.DataFrame or path, optional
        Its ``label`` says what photos show, as far as it is known; else that of the scores.
    areas : sequence of str
        What a hotel should show. Those that the tagger does not know are passed over.
    min_confidence : float, default 0.6
        A tag less probable than this is not sure.

    Returns
    -------
    pandas.DataFrame
        By ``hotel_id`` and ``area``, empty without tags: ``photos`` (of the hotel); ``seen``, how
        many surely show the area; where there are none ``candidate`` (``image_id`` of the photo
        that most probably does) and ``probability``; ``labels``, photos with a label, and
        ``labelled``, those with this one; ``state``: ``seen``, ``overlooked`` (there by the labels,
        but not surely seen), ``missing`` (all photos are labelled, none as this area) or
        ``not seen``.

    Raises
    ------
    RankingError, ScoresError
        As `hotelviz.ranking.rank_hotel_photos` raises them.

    Examples
    --------
    >>> photos = pd.DataFrame({"image_id": ["a", "b"], "hotel_id": "h", "score": [3.0, 4.0],
    ...                        "predicted": ["Pool", "Pool"], "p_Pool": [0.9, 0.55],
    ...                        "p_Foyer": [0.1, 0.45]})
    >>> table = completeness(photos).set_index("area")
    >>> table["state"].to_dict(), table.loc["Foyer", "candidate"]
    ({'Pool': 'seen', 'Foyer': 'not seen'}, 'b')
    """
    with open_sources(scores, tags, catalog, labels=True) as sources:
        known = _known_areas(sources, areas)
        table = _ask(sources, known, min_confidence) if known else pd.DataFrame(columns=_COLUMNS)
    unseen, there = table["seen"] == 0, table["labelled"] > 0
    states = {
        "seen": ~unseen, "overlooked": there, "missing": table["labels"] == table["photos"],
    }  # fmt: skip
    table["state"] = np.select(list(states.values()), list(states), "not seen")
    return table


def area_recall(table: pd.DataFrame) -> pd.DataFrame:
    """Return how often a tagger surely sees an area in a hotel that has it.

    Parameters
    ----------
    table : pandas.DataFrame
        From `completeness`.

    Returns
    -------
    pandas.DataFrame
        A row per ``area``: ``hotels``; ``seen``, in how many of them it is surely seen; ``there``,
        how many have it by the labels; ``recall``, the share of these in which it is seen, missing
        where no label is known.

    Examples
    --------
    >>> area_recall(pd.DataFrame({"area": "Pool", "state": ["seen", "overlooked"],
    ...                           "labelled": [1, 1]}))["recall"].item()
    0.5
    """
    rows = pd.DataFrame(
        {
            "area": table["area"],
            "seen": table["state"] == "seen",
            "there": table["labelled"] > 0,
        }
    )
    rows["both"] = rows["seen"] & rows["there"]
    by_area = rows.groupby("area", sort=False)
    counts = by_area[["seen", "there", "both"]].sum()
    counts.insert(0, "hotels", by_area.size())
    counts["recall"] = counts.pop("both") / counts["there"].where(counts["there"] > 0)
    return counts.reset_index()


def _known_areas(sources: Sources, areas: Sequence[str]) -> Mapping[str, str]:
    """Return the areas that the tagger knows, with the column of their probability or none."""
    if "predicted" not in sources.given:
        return {}
    held = {name: column for column, name in sources.shares.items()}
    if known := {area: held[area] for area in areas if area in held}:
        return known
    found = ask(sources.connection, f"SELECT DISTINCT predicted FROM ({sources.query})")
    return {area: "" for area in areas if area in set(found["predicted"])}


def _ask(sources: Sources, known: Mapping[str, str], min_confidence: float) -> pd.DataFrame:
    """Ask for a row per hotel and area, in one pass over the photos."""
    label = "label" if "label" in sources.given else "NULL::VARCHAR"
    figures, rows = [], []
    for number, column in enumerate(known.values()):
        sure = f"predicted = $area_{number}"
        best, probability = "NULL::VARCHAR", "NULL::DOUBLE"
        if column:
            sure += f" AND {column} >= $least"
            # Copies are equally probable.
            best = f"arg_min(image_id, (-{column}::DOUBLE, image_id))"
            probability = f"max({column})::DOUBLE"
        figures.append(
            f"count(*) FILTER ({sure}) AS seen_{number}, {best} AS best_{number}, "
            f"{probability} AS p_{number}, "
            f"count(*) FILTER ({label} = $area_{number}) AS labelled_{number}"
        )
        rows.append(
            f"SELECT hotel, {number} AS place, $area_{number} AS area, photos, "
            f"seen_{number} AS seen, CASE WHEN seen_{number} = 0 THEN best_{number} END AS "
            f"candidate, CASE WHEN seen_{number} = 0 THEN p_{number} END AS probability, "
            f"labels, labelled_{number} AS labelled FROM hotels"
        )
    given = {f"area_{number}": area for number, area in enumerate(known)}
    found = ask(
        sources.connection,
        "WITH hotels AS MATERIALIZED (SELECT coalesce(hotel_id, image_id) AS hotel, "
        f"count(*) AS photos, count({label}) AS labels, {', '.join(figures)} "
        f"FROM ({sources.query}) WHERE {is_number('score')} GROUP BY 1) "
        f"SELECT * FROM ({' UNION ALL '.join(rows)}) ORDER BY hotel, place",
        given | ({"least": min_confidence} if any(known.values()) else {}),
    )
    return found.rename(columns={"hotel": "hotel_id"})[_COLUMNS]
