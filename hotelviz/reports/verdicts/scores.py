"""What the scores of a whole catalogue show, in words."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import pandas as pd

from hotelviz.errors import ScoresError
from hotelviz.plots import shares_between
from hotelviz.reports.verdict import Card, NextStep, Verdict
from hotelviz.reports.wording import agreeing, counted, in_words, percent
from hotelviz.scores import Scores, copies_across_hotels

#: The mean of fewer photos says little of a hotel.
_MIN_PHOTOS = 3

#: Photos of groups of copies that a page shows at most.
_MOST_COPIES = 60
#: More groups have no colours of their own.
_MOST_GROUPS = 7


def distribution_verdict(
    histogram: pd.DataFrame,
    quantiles: Mapping[float, float],
    thresholds: Sequence[float],
    *,
    unscored: int = 0,
    hotels: pd.DataFrame | None = None,
    n_hotels: int = 0,
) -> Verdict:
    """Say how the scores of a catalogue are distributed, and which hotel has most to gain.

    Parameters
    ----------
    histogram : pandas.DataFrame
        From `hotelviz.scores.Scores.histogram`.
    quantiles : mapping
        From `hotelviz.scores.Scores.quantiles`, with those of 0.25, 0.5 and 0.75.
    thresholds : sequence of float
        Low up to the first, high above the last.
    unscored : int, default 0
        Photos without a score.
    hotels : pandas.DataFrame, optional
        The hotels with the lowest means, from `hotelviz.scores.Scores.hotels`.
    n_hotels : int, default 0
        How many hotels there are in all.

    Examples
    --------
    >>> bins = pd.DataFrame({"low": [4.0, 4.5, 5.5], "high": [4.5, 5.5, 6.0], "count": [1, 6, 3]})
    >>> distribution_verdict(bins, {0.25: 4.6, 0.5: 5.0, 0.75: 5.6}, [4.5, 5.5]).text
    '30 % of 10 photos score above 5.5 of 10, 10 % up to 4.5, and 60 % between.'
    """
    bounds, total = sorted(thresholds), int(histogram["count"].sum())
    shares = shares_between(histogram, [bounds[0], bounds[-1]])
    of = counted(total, "photo")
    if len(bounds) == 1:
        text = f"{percent(shares[-1])} of {of} {agreeing(total, 'scores', 'score')} above "
        text += f"{bounds[0]:g}."
    else:
        text = (
            f"{percent(shares[-1])} of {of} {agreeing(total, 'scores', 'score')} above "
            f"{bounds[-1]:g} of 10, {percent(shares[0])} up to {bounds[0]:g}, and "
            f"{percent(shares[1])} between."
        )
    cards = [
        Card(f"photos above {bounds[-1]:g}", percent(shares[-1]), _part(shares[-1], total)),
        Card(f"photos up to {bounds[0]:g}", percent(shares[0]), _part(shares[0], total)),
        Card("median", f"{quantiles[0.5]:.2f}",
             f"half of the photos lie from {quantiles[0.25]:.2f} to {quantiles[0.75]:.2f}"),
    ]  # fmt: skip
    if unscored:
        cards.append(Card("without a score", counted(unscored, "photo"), "could not be read"))
    steps = [NextStep("See photos of each level", "#Low,-medium-and-high")]
    if hotels is not None:
        enough = hotels[hotels["photos"] >= _MIN_PHOTOS]
        if len(enough):
            first = enough.iloc[0]
            text += (
                f" Of {counted(n_hotels, 'hotel')} {first['hotel_id']} has most to gain: its "
                f"{counted(int(first['photos']), 'photo')} have the mean {first['mean']:.2f}."
            )
        steps.append(NextStep("See which hotels need better photos", "#Hotels"))
        steps.append(NextStep("Show the best photos first", "hotel_ranking"))
    return Verdict(text, cards=cards, next_steps=steps)


def copies_found(
    scores: Scores, *, max_distance: int = 3, out: str | os.PathLike[str] = ""
) -> tuple[pd.DataFrame, str]:
    """Return photos that several hotels show, as a gallery takes them, and a sentence about them.

    Parameters
    ----------
    scores : Scores
        The dataset.
    max_distance : int, default 3
        As in `hotelviz.scores.copies_across_hotels`; -1 not to look for any.
    out : path or str, default ""
        A Parquet file for all of them; empty for none.

    Returns
    -------
    pandas.DataFrame, str
        The photos of the first groups with ``group`` and ``text``; empty where there are none, or
        where it cannot be told, which the sentence says.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from hotelviz.scores import open_scores
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "scores.parquet"
    >>> pd.DataFrame({"image_id": ["a", "b"], "hotel_id": ["h", "i"], "score": 5.0}).assign(
    ...     hash=pd.array([0x0F0F0F0F, 0x0F0F0F0F], "uint64")).to_parquet(file)
    >>> photos, said = copies_found(open_scores(file))
    >>> said
    '2 of 2 photos are shown by several hotels, in 1 group.'
    """
    if max_distance < 0:
        return pd.DataFrame(), "Not looked for: `max_distance` is below 0."
    try:
        found = copies_across_hotels(
            scores, max_distance=max_distance, max_photos=_MOST_COPIES, out=out or None
        )
    except ScoresError as error:
        return pd.DataFrame(), f"Cannot be told: {error}."
    total = counted(len(scores), "photo")
    left_out = [
        f"{counted(number, 'photo')} {why}"
        for number, why in (
            (found.n_plain, "of one colour or shade"),
            (found.n_without_hash, "that could not be read whole"),
        )
        if number
    ]
    beside = f" Left out: {', '.join(left_out)}." if left_out else ""
    if not found.n_groups:
        return pd.DataFrame(), f"None of {total} is shown by several hotels.{beside}"
    text = (
        f"{found.n_photos:,} of {total} {agreeing(found.n_photos, 'is', 'are')} shown by several "
        f"hotels, in {counted(found.n_groups, 'group')}."
    )
    photos = found.photos
    shown = photos["copies"].nunique()
    if shown < found.n_groups:
        text += f" The {shown:,} groups in most hotels are shown."
    if out:
        text += f" All of them are in {out}."
    group = photos["copies"].astype("str") + ": in " + photos["n_hotels"].astype("str") + " hotels"
    bits = photos["distance"].map(lambda n: "" if n == 0 else f", {counted(n, 'bit')} differ")
    return photos.assign(group=group, text=photos["hotel_id"] + bits), text + beside


def quantile_table(quantiles: Mapping[float, float]) -> pd.DataFrame:
    """Return quantiles as a table of ``share`` and ``score``.

    Examples
    --------
    >>> quantile_table({0.5: 5.1}).to_dict("records")
    [{'share': 0.5, 'score': 5.1}]
    """
    return pd.DataFrame({"share": list(quantiles), "score": list(quantiles.values())})


def grouped_histograms(table: pd.DataFrame, by: str) -> tuple[dict[str, pd.DataFrame], str]:
    """Return the histograms of the largest groups by name, and a sentence where some are left out.

    Parameters
    ----------
    table : pandas.DataFrame
        From `hotelviz.scores.Scores.histogram`, by the column `by`.
    by : str
        The column.

    Examples
    --------
    >>> table = pd.DataFrame({"area": ["a", "b"], "low": 1.0, "high": 2.0, "count": [3, 4]})
    >>> groups, said = grouped_histograms(table, "area")
    >>> list(groups), said
    (['a', 'b'], '')
    """
    sizes = table.groupby(by, dropna=False)["count"].sum().reset_index()
    largest = sizes.sort_values("count", ascending=False, kind="stable")[by].head(_MOST_GROUPS)
    parts = {
        str(name): rows.drop(columns=by)
        for name, rows in table.groupby(by, dropna=False)
        if largest.isin([name]).any()
    }
    cut = len(sizes) - len(parts)
    return parts, f"The {len(parts)} largest of {len(sizes):,} groups." if cut else ""


def group_table(table: pd.DataFrame, by: str, thresholds: Sequence[float]) -> pd.DataFrame:
    """Return for each group how many photos it has, and how many are low and high; largest first.

    Parameters
    ----------
    table : pandas.DataFrame
        From `hotelviz.scores.Scores.histogram`, by the column `by`.
    by : str
        The column.
    thresholds : sequence of float
        Low up to the first, high above the last.

    Examples
    --------
    >>> table = pd.DataFrame({"area": "Pool", "low": [4.0, 5.0], "high": [5.0, 6.0],
    ...                       "count": [3, 1]})
    >>> group_table(table, "area", [5.0])[["group", "photos", "low", "high"]].to_numpy().tolist()
    [['Pool', 4, 0.75, 0.25]]
    """
    rows = []
    for name, bins in table.groupby(by, dropna=False):
        shares = shares_between(bins, [min(thresholds), max(thresholds)])
        rows.append(
            {
                "group": "none" if pd.isna(name) else in_words(name),
                "photos": int(bins["count"].sum()), "low": shares[0], "high": shares[-1],
            }
        )  # fmt: skip
    return pd.DataFrame(rows).sort_values(
        ["photos", "group"], ascending=[False, True], ignore_index=True
    )


def level_photos(
    sample: pd.DataFrame,
    histogram: pd.DataFrame,
    thresholds: Sequence[float],
    *,
    column: str = "score",
) -> pd.DataFrame:
    """Return photos with their level in words, with how many there are of it, and a caption.

    Parameters
    ----------
    sample : pandas.DataFrame
        From `hotelviz.scores.Scores.sample_by_level`.
    histogram : pandas.DataFrame
        Of all photos.
    thresholds : sequence of float
        Low up to the first, high above the last.
    column : str, default "score"
        What was sampled by.

    Returns
    -------
    pandas.DataFrame
        With ``level`` and ``text``.

    Examples
    --------
    >>> bins = pd.DataFrame({"low": [4.0, 4.5], "high": [4.5, 5.0], "count": [30, 10]})
    >>> sample = pd.DataFrame({"level": ["low"], "score": [4.1]})
    >>> level_photos(sample, bins, [4.5, 5.5])[["level", "text"]].to_numpy().tolist()
    [['low, up to 4.5: 1 of 30 photos', 'predicted 4.100']]
    """
    low, high = min(thresholds), max(thresholds)
    shares = shares_between(histogram, [low, high])
    ranges = {
        "low": f"up to {low:g}", "medium": f"{low:g} to {high:g}", "high": f"above {high:g}",
    }  # fmt: skip
    counts, total = sample["level"].value_counts(), int(histogram["count"].sum())
    words = {
        level: f"{level}, {ranges[level]}: {counts.get(level, 0):,} of {_part(share, total, '')}"
        for level, share in zip(ranges, shares, strict=True)
    }
    text = "predicted " + sample[column].map("{:.3f}".format).astype("str")
    return sample.assign(level=sample["level"].map(words), text=text)


def _part(share: float, total: int, of: str = " of {}") -> str:
    number = counted(round(share * total), "photo")
    return f"{round(share * total):,}{of.format(counted(total, 'photo'))}" if of else number
