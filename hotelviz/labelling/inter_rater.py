"""How far ratings can be trusted: agreement, statistics of raters, photos people disagree on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hotelviz.catalog import check_table
from hotelviz.errors import LabelError
from hotelviz.labelling.export import first_answers, tag_votes
from hotelviz.metrics import (
    DISTANCE,
    SHARE,
    Interval,
    jackknife_interval,
    mean_interval,
    share_interval,
)
from hotelviz.schema import SCORES


def krippendorff_alpha(ratings: pd.DataFrame, *, seed: int = 0) -> Interval:
    """Compute how far raters agree: Krippendorff's alpha, with an interval over hotels.

    1 is perfect agreement, 0 what chance would give, below 0 less than that. Scores are compared
    on an interval scale, where a difference of 4 weighs four times as much as one of 2; tags by
    whether they are the same.

    Parameters
    ----------
    ratings : pandas.DataFrame
        From `hotelviz.labelling.LabelRound.ratings`. Photos with fewer than two answers say
        nothing.
    seed : int, default 0
        Of the blocks of hotels that are left out, of more than 200.

    Returns
    -------
    Interval
        Missing (NaN) where nobody rated the same photo, or everybody said the same of all.

    References
    ----------
    Krippendorff: Computing Krippendorff's alpha-reliability, 2011; computed by the package
    krippendorff.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": ["a", "a", "b", "b"], "hotel_id": ["h", "h", "i", "i"],
    ...                       "rater": ["Ada", "Bo"] * 2, "score": [3, 3, 8, 8], "tag": None,
    ...                       "repeat": 0})
    >>> krippendorff_alpha(table).value
    1.0
    """
    ratings, scores = _checked(ratings, "krippendorff_alpha")
    said = first_answers(ratings)
    table = pd.crosstab(said["image_id"], said["answer"])
    if scores:
        table = table.reindex(columns=SCORES, fill_value=0)
    table = table[table.sum(axis=1) > 1]
    if table.empty:
        return Interval(np.nan, np.nan, np.nan)
    hotels = said.groupby("image_id")["hotel_id"].first()[table.index]
    counts = table.to_numpy()

    def statistic(rows: np.ndarray) -> float:
        return _alpha(counts[rows], scores)

    at_most = (-np.inf, 1.0)
    return jackknife_interval(statistic, len(counts), groups=hotels, bounds=at_most, seed=seed)


def reliability_of_means(alpha: float, answers: float) -> float:
    """Return how reliable the mean of several answers is, where one answer is so to `alpha`.

    Parameters
    ----------
    alpha : float
        Krippendorff's alpha of single answers.
    answers : float
        How many answers a mean is of.

    Returns
    -------
    float
        The agreement to be expected with the mean of as many other raters.

    References
    ----------
    Spearman, Brown (1910): the prophecy formula, n r / (1 + (n - 1) r).

    Examples
    --------
    >>> round(reliability_of_means(0.4, 12), 2)
    0.89
    """
    below = 1 + (answers - 1) * alpha
    return answers * alpha / below if below > 0 else 0.0


def _checked(ratings: pd.DataFrame, where: str) -> tuple[pd.DataFrame, bool]:
    """Return a table of ratings, which may be made by hand, and whether they are scores.

    What has a default is filled in; ``answer`` is the score, or else the tag.

    Raises
    ------
    CatalogError
        A column that is missing.
    LabelError
        Neither scores nor tags.
    """
    needs = ["image_id", "hotel_id", "rater"]
    ratings = check_table(ratings, needs=needs, where=where, unique=False)
    if not {"score", "tag"} & set(ratings):
        raise LabelError(
            f"{where}: the table has neither the column 'score' (1 to 10) nor 'tag' (what was said)"
        )
    defaults = {"score": np.nan, "tag": None, "repeat": 0, "reason": None, "seconds": np.nan,
                "path": None}  # fmt: skip
    ratings = ratings.assign(**{name: defaults[name] for name in defaults.keys() - set(ratings)})
    scores = bool(ratings["score"].notna().any())
    answer = ratings["score"].astype(float) if scores else ratings["tag"]
    return ratings.assign(answer=answer), scores


def _alpha(counts: np.ndarray, scores: bool) -> float:
    import krippendorff

    if (counts.sum(axis=0) > 0).sum() < 2:
        return np.nan  # all the same: there is no disagreement that chance could have made
    # Both scales look at differences only, so that values may count from 0.
    level = "interval" if scores else "nominal"
    domain = list(range(counts.shape[1]))
    found = krippendorff.alpha(value_counts=counts, value_domain=domain, level_of_measurement=level)
    return float(found)


def repeat_pairs(ratings: pd.DataFrame) -> pd.DataFrame:
    """Return the photos that a rater answered twice.

    Parameters
    ----------
    ratings : pandas.DataFrame
        From `hotelviz.labelling.LabelRound.ratings`.

    Returns
    -------
    pandas.DataFrame
        ``rater``, ``image_id``, ``hotel_id``, ``first``, ``second``, and ``difference``: points
        between the scores, or for tags 0 where they are the same and 1 where not. The largest
        difference first, then by photo and rater.

    Examples
    --------
    >>> ratings = pd.DataFrame({"image_id": ["a", "a"], "hotel_id": "h", "path": "", "rater": "Ada",
    ...                         "score": [6, 7], "tag": None, "repeat": [0, 1], "position": [0, 5]})
    >>> repeat_pairs(ratings)["difference"].to_list()
    [1.0]
    """
    ratings, scores = _checked(ratings, "repeat_pairs")
    columns = ["rater", "image_id", "hotel_id", "repeat", "answer"]
    said = ratings.dropna(subset="answer")[columns].convert_dtypes()  # scores as 7, not 7.0
    first = said[said["repeat"] == 0].drop(columns="repeat").rename(columns={"answer": "first"})
    second = said[said["repeat"] == 1].drop(columns=["repeat", "hotel_id"])
    pairs = first.merge(second.rename(columns={"answer": "second"}), on=["rater", "image_id"])
    away = (pairs["first"] - pairs["second"]).abs() if scores else pairs["first"] != pairs["second"]
    pairs = pairs.assign(difference=away.astype(float))
    order = ["difference", "image_id", "rater"]
    return pairs.sort_values(order, ascending=[False, True, True], ignore_index=True)


def self_agreement(ratings: pd.DataFrame, *, seed: int = 0) -> dict[str, Interval]:
    """Compute how far raters agree with themselves, on the photos that they saw twice.

    Parameters
    ----------
    ratings : pandas.DataFrame
        From `hotelviz.labelling.LabelRound.ratings`.
    seed : int, default 0
        As in `krippendorff_alpha`.

    Returns
    -------
    dict
        ``same``: share of these photos with the same answer twice; of scores also ``within_one``
        and ``difference``, the mean distance in points. Empty without such photos.

    Examples
    --------
    >>> ratings = pd.DataFrame({"image_id": ["a", "a"], "hotel_id": "h", "path": "", "rater": "Ada",
    ...                         "score": [6, 7], "tag": None, "repeat": [0, 1], "position": [0, 5]})
    >>> self_agreement(ratings)["difference"].value
    1.0
    """
    ratings, scores = _checked(ratings, "self_agreement")
    pairs = repeat_pairs(ratings)
    if pairs.empty:
        return {}
    away = pairs["difference"].to_numpy()
    hotels = pairs["hotel_id"]
    figures = {"same": share_interval(away == 0, groups=hotels)}
    if scores:
        figures["within_one"] = share_interval(away <= 1, groups=hotels)
        figures["difference"] = mean_interval(away, groups=hotels, bounds=DISTANCE, seed=seed)
    return figures


def rater_statistics(ratings: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Compute per rater how strict, spread, steady and unlike the others the answers are.

    Parameters
    ----------
    ratings : pandas.DataFrame
        From `hotelviz.labelling.LabelRound.ratings`.
    seed : int, default 0
        As in `krippendorff_alpha`.

    Returns
    -------
    pandas.DataFrame
        A row per rater: ``rater``, ``photos``, ``skipped``, ``seconds`` (median per photo),
        ``repeats`` (photos seen twice) and ``self_difference`` (mean difference on those, see
        `repeat_pairs`); compared with the others on the same photos, ``compared`` photos of them.
        Of scores: ``mean``, ``spread`` (standard deviation of what the rater gave), ``lowest``,
        ``highest``, ``bias`` (mean of the rater's score minus that of the others), ``bias_low``,
        ``bias_high``, ``noise`` (standard deviation of that difference) and ``correlation`` with
        the others' mean. Of tags: ``agrees``, the share of the others' votes that were the same,
        ``agrees_low`` and ``agrees_high``.

    Examples
    --------
    >>> ratings = pd.DataFrame({"image_id": ["a", "a", "b", "b"], "hotel_id": "h", "path": "",
    ...                         "rater": ["Ada", "Bo"] * 2, "score": [3, 5, 6, 8], "tag": None,
    ...                         "repeat": 0, "reason": None, "seconds": 2.0, "position": 0})
    >>> rater_statistics(ratings)[["rater", "bias"]].values.tolist()
    [['Ada', -2.0], ['Bo', 2.0]]
    """
    ratings, scores = _checked(ratings, "rater_statistics")
    said = first_answers(ratings)
    pairs = repeat_pairs(ratings).groupby("rater")["difference"]
    n_repeats, away = pairs.size(), pairs.mean()
    against = _against_others(said, scores)
    rows = []
    for rater, mine in ratings.groupby("rater", sort=True):
        own = said[said["rater"] == rater]
        row: dict[str, Any] = {
            "rater": rater,
            "photos": len(own),
            "skipped": int(mine["reason"].notna().sum()),
            "seconds": float(own["seconds"].median()),
        }
        if scores:
            values = own["answer"]
            row |= {"mean": values.mean(), "spread": values.std(ddof=0),
                    "lowest": values.min(), "highest": values.max()}  # fmt: skip
        row |= _compared(against[against["rater"] == rater], scores, seed)
        rows.append(row | {"repeats": n_repeats.get(rater, 0), "self_difference": away.get(rater)})
    return pd.DataFrame(rows)


def _against_others(said: pd.DataFrame, scores: bool) -> pd.DataFrame:
    """Return each answer beside what the others said: mean score, or share of the same tag."""
    by = said.groupby("image_id")
    others = by["rater"].transform("size") - 1
    if scores:
        theirs = by["answer"].transform("sum") - said["answer"]
    else:
        theirs = said.groupby(["image_id", "answer"])["rater"].transform("size") - 1
    return said.assign(theirs=theirs / others)[others > 0]


def _compared(rows: pd.DataFrame, scores: bool, seed: int) -> dict[str, float]:
    name = "bias" if scores else "agrees"
    if rows.empty:
        return {"compared": 0}
    values = (rows["answer"] - rows["theirs"] if scores else rows["theirs"]).to_numpy()
    bounds = (-np.inf, np.inf) if scores else SHARE
    found = mean_interval(values, groups=rows["hotel_id"], bounds=bounds, seed=seed)
    result = {"compared": len(rows), name: found.value, f"{name}_low": found.low,
              f"{name}_high": found.high}  # fmt: skip
    if scores:
        steady = rows["answer"].nunique() < 2 or rows["theirs"].nunique() < 2
        result["noise"] = float(values.std())
        result["correlation"] = np.nan if steady else float(rows["answer"].corr(rows["theirs"]))
    return result


def disagreements(ratings: pd.DataFrame) -> pd.DataFrame:
    """Return photos by how far people disagree on them, the most first.

    Parameters
    ----------
    ratings : pandas.DataFrame
        From `hotelviz.labelling.LabelRound.ratings`.

    Returns
    -------
    pandas.DataFrame
        Of photos with two or more answers: ``image_id``, ``path``, ``hotel_id``, ``answers`` (how
        many), ``disagreement`` and ``said`` (by answer, how many said so). Disagreement is the
        standard deviation of scores, and of tags the share of votes that did not go to the
        leading one.

    Examples
    --------
    >>> ratings = pd.DataFrame({"image_id": ["a", "a", "b", "b"], "hotel_id": "h", "path": "",
    ...                         "rater": ["Ada", "Bo"] * 2, "score": [3, 7, 8, 8], "tag": None,
    ...                         "repeat": 0})
    >>> disagreements(ratings)[["image_id", "disagreement", "said"]].values.tolist()
    [['a', 2.0, '3 (1), 7 (1)'], ['b', 0.0, '8 (2)']]
    """
    ratings, scores = _checked(ratings, "disagreements")
    said = first_answers(ratings)
    by = said.groupby("image_id")["answer"]
    spread = by.std(ddof=0) if scores else 1 - tag_votes(said).set_index("image_id")["vote_share"]
    found = pd.DataFrame({"answers": by.size(), "disagreement": spread, "said": by.agg(_tally)})
    photos = said.drop_duplicates("image_id")[["image_id", "path", "hotel_id"]]
    table = photos.merge(found[found["answers"] > 1], on="image_id")
    # Ties in an order of their own, not in that in which the answers came.
    order = ["disagreement", "image_id"]
    return table.sort_values(order, ascending=[False, True], ignore_index=True)


def _tally(answers: pd.Series) -> str:
    counts = answers.value_counts().sort_index()
    names = [f"{value:g}" if isinstance(value, float) else str(value) for value in counts.index]
    return ", ".join(f"{name} ({count})" for name, count in zip(names, counts, strict=True))


def progress_text(ratings: pd.DataFrame, settings: Mapping[str, Any]) -> str:
    """Return in a sentence how far a round has come.

    Parameters
    ----------
    ratings : pandas.DataFrame
        From `hotelviz.labelling.LabelRound.ratings`.
    settings : mapping
        The ``settings`` of a `hotelviz.labelling.LabelRound`.

    Returns
    -------
    str
        How many raters gave how many answers on how many photos, and how many were skipped.

    Raises
    ------
    LabelError
        Nothing was rated yet.
    """
    ratings, _ = _checked(ratings, "progress_text")
    said = first_answers(ratings)
    if said.empty:
        raise LabelError(f"nothing was rated in the round {settings['name']!r} yet")
    per_photo = said.groupby("image_id").size()
    fewest, most = per_photo.min(), per_photo.max()
    shown = f"{fewest} to {most}" if fewest < most else f"{most}"
    return (
        f"{said['rater'].nunique():,} raters gave {len(said):,} answers on {len(per_photo):,} "
        f"photos ({shown} a photo, {settings['overlap']} planned); "
        f"{int(ratings['reason'].notna().sum()):,} were skipped"
    )
