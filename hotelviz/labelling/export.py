"""From what raters said to a catalogue that models learn from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hotelviz.catalog import check_table, count_ratings, rating_summary
from hotelviz.errors import LabelError
from hotelviz.labelling.session import LabelRound
from hotelviz.schema import RATINGS, vote_columns

#: How many splits are tried for one whose test photos are like the others.
_N_TRIES = 64
_ANSWER = ["image_id", "hotel_id", "score", "tag", "repeat"]


def first_answers(ratings: pd.DataFrame) -> pd.DataFrame:
    """Return what counts for a photo: no skips, and of repeats each rater's first answer.

    Parameters
    ----------
    ratings : pandas.DataFrame
        From `hotelviz.labelling.LabelRound.ratings`.

    Returns
    -------
    pandas.DataFrame
        The rows with a score or a tag that are no repeat.

    Examples
    --------
    >>> ratings = pd.DataFrame({"image_id": ["a", "a"], "hotel_id": "h", "score": [7, 6],
    ...                         "tag": None, "repeat": [0, 1]})
    >>> first_answers(ratings)["score"].to_list()
    [7]
    """
    ratings = check_table(ratings, needs=_ANSWER, where="first_answers", unique=False)
    answered = ratings["score"].notna() | ratings["tag"].notna()
    return ratings[answered & (ratings["repeat"] == 0)]


def tag_votes(ratings: pd.DataFrame) -> pd.DataFrame:
    """Count the votes for each photo's tag.

    Parameters
    ----------
    ratings : pandas.DataFrame
        With ``image_id`` and ``tag``, a row per vote.

    Returns
    -------
    pandas.DataFrame
        A row per photo: ``image_id``, ``label`` (what most said, missing where two lead),
        ``votes``, ``vote_share`` (of the leading tag, 0 to 1), and ``votes_<Tag>``.

    Examples
    --------
    >>> votes = pd.DataFrame({"image_id": ["a", "a", "a", "b", "b"],
    ...                       "tag": ["Pool", "Pool", "Foyer", "Pool", "Foyer"]})
    >>> tag_votes(votes)[["image_id", "label", "votes", "vote_share"]].values.tolist()
    [['a', 'Pool', 3, 0.6666666666666666], ['b', nan, 2, 0.5]]
    """
    ratings = check_table(ratings, needs=["image_id", "tag"], where="tag_votes", unique=False)
    votes = ratings[ratings["tag"].notna()]
    counts = pd.crosstab(votes["image_id"], votes["tag"]).loc[votes["image_id"].unique()]
    most, total = counts.max(axis=1), counts.sum(axis=1)
    tied = counts.eq(most, axis=0).sum(axis=1) > 1
    labels = counts.idxmax(axis=1).astype("str") if len(counts) else pd.Series(dtype="str")
    table = pd.DataFrame({"label": labels.mask(tied), "votes": total, "vote_share": most / total})
    return table.join(counts.add_prefix("votes_")).rename_axis("image_id").reset_index()


def labelled_catalog(
    rounds: LabelRound | Sequence[LabelRound], catalog: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return what raters said as columns of a catalogue.

    Parameters
    ----------
    rounds : LabelRound or sequence of LabelRound
        One round, or several of the same task, whose ratings are added up.
    catalog : pandas.DataFrame, optional
        The catalogue that the photos are of, for its other columns. Photos that were not rated
        keep the ratings or labels that it has.

    Returns
    -------
    pandas.DataFrame
        Of scores ``rating_1`` to ``rating_10``: how many gave each. Of tags the columns of
        `tag_votes`. Without `catalog` only photos that somebody rated.

    Raises
    ------
    LabelError
        Rounds of different tasks, or no rating at all.
    """
    several = [rounds] if isinstance(rounds, LabelRound) else list(rounds)
    tasks = {labels.task for labels in several}
    if len(tasks) != 1:
        raise LabelError(
            f"rounds of one task can be put together, not of {', '.join(sorted(tasks)) or 'none'}"
        )
    said = first_answers(pd.concat([labels.ratings() for labels in several], ignore_index=True))
    if said.empty:
        raise LabelError(f"nothing was rated in {', '.join(labels.name for labels in several)}")
    found = tag_votes(said) if tasks == {"tags"} else count_ratings(said)
    if catalog is None:
        photos = said.drop_duplicates("image_id")[["image_id", "path", "hotel_id"]]
        return photos.merge(found, on="image_id").reset_index(drop=True)
    result = check_table(catalog, where="labelled_catalog").copy()
    rows = found.set_index("image_id").reindex(result["image_id"])
    rated = result["image_id"].isin(found["image_id"]).to_numpy()
    # Votes of before, and a second area that is the first now, are of another answer.
    for column in vote_columns(result).values():
        rows[column] = rows.get(column, np.nan)
    for column in rows.columns:
        values = pd.Series(rows[column].to_numpy(), index=result.index)
        result[column] = values.where(rated, result[column]) if column in result else values
    if {"label", "label_2"} <= set(result):
        result["label_2"] = result["label_2"].mask(
            rated & (result["label"].isna() | (result["label_2"] == result["label"]))
        )
    return result


def split_rated(
    catalog: pd.DataFrame, *, train: int = 800, test: int = 200, validation: int = 0, seed: int = 0
) -> pd.DataFrame:
    """Split rated photos into train, val and test of given sizes, as 800 and 200 in the talk.

    Whole hotels are assigned. Where a hotel has more photos than its split still needs, the rest of
    them belongs to no split: it would tell a model about photos that it is tested on. Of several
    splits the one is taken that loses fewest photos and whose test photos are rated most like the
    others.

    Parameters
    ----------
    catalog : pandas.DataFrame
        With ``hotel_id`` and ``rating_1`` to ``rating_10``.
    train, test, validation : int
        How many photos each gets.
    seed : int, default 0
        For another split.

    Returns
    -------
    pandas.DataFrame
        A copy with the column ``split``, missing for photos that belong to none.

    Raises
    ------
    LabelError
        No split has enough photos for all.

    Examples
    --------
    >>> photos = pd.DataFrame({"image_id": range(30), "hotel_id": [n // 3 for n in range(30)]})
    >>> photos[list(RATINGS)] = 1.0
    >>> split_rated(photos, train=20, test=6)["split"].value_counts().to_dict()
    {'train': 20, 'test': 6}
    """
    catalog = check_table(catalog, needs=["hotel_id", *RATINGS], where="split_rated", unique=False)
    rated = catalog[catalog[RATINGS[0]].notna()]
    wanted = {"test": test, "val": validation, "train": train}
    if min(wanted.values()) < 0 or not train or not test:
        raise LabelError(f"train={train}, test={test}, validation={validation}: both train and "
                         "test need photos")  # fmt: skip
    means = rating_summary(rated)["rated_mean"].to_numpy()
    hotels, names = pd.factorize(rated["hotel_id"])

    def cost(split: np.ndarray) -> float:
        tested = means[split == "test"]
        unlike = abs(tested.mean() - means.mean()) + abs(tested.std() - means.std())
        return float(unlike + (split == "").sum())

    tries = (
        _split_hotels(hotels, len(names), wanted, np.random.default_rng([seed, number]))
        for number in range(_N_TRIES)
    )
    best = min((split for split in tries if split is not None), key=cost, default=None)
    if best is None:
        raise LabelError(
            f"{len(rated):,} rated photos of {len(names):,} hotels are too few for {train:,} to "
            f"train, {validation:,} to validate and {test:,} to test with, as whole hotels"
        )
    result = catalog.copy()
    result["split"] = pd.Series(best, index=rated.index, dtype="str").replace("", None)
    return result


def _split_hotels(
    hotels: np.ndarray, n_hotels: int, wanted: dict[str, int], random: np.random.Generator
) -> np.ndarray | None:
    """Return the split of each photo, or an empty text; None where photos do not suffice."""
    members = np.split(np.argsort(hotels, kind="stable"), np.cumsum(np.bincount(hotels))[:-1])
    splits = np.full(len(hotels), "", dtype=object)
    waiting = list(random.permutation(n_hotels))
    for split, needed in wanted.items():
        while needed:
            if not waiting:
                return None
            # A hotel that fits entirely, if any of the next few does, before one that is cut.
            fits = (
                at for at in range(min(20, len(waiting))) if len(members[waiting[at]]) <= needed
            )
            mine = members[waiting.pop(next(fits, 0))]
            splits[random.permutation(mine)[:needed]] = split
            needed -= min(needed, len(mine))
    return splits
