"""Assign photos to raters: evenly, with overlaps, each list in an order of its own."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hotelviz.errors import LabelError


def assign_photos(
    n_photos: int, *, n_raters: int, overlap: int, repeats: int = 0, seed: int = 0
) -> pd.DataFrame:
    """Assign photos to raters.

    Each photo goes to `overlap` different raters. Raters get equally many, to within one, and each
    pair of raters shares about equally many, so that every rater can be compared with every other.
    The order differs from rater to rater. Of each rater's photos `repeats` come a second time, at
    least a quarter of the list later: they measure how far a rater agrees with themselves.

    Parameters
    ----------
    n_photos : int
        How many photos there are.
    n_raters : int
        How many people rate.
    overlap : int
        How many of them see each photo.
    repeats : int, default 0
        How many photos each rater sees twice; at most half of theirs.
    seed : int, default 0
        For another assignment.

    Returns
    -------
    pandas.DataFrame
        ``rater`` (from 0), ``position`` (in the rater's list, from 0), ``photo`` (its number, from
        0) and ``repeat`` (1 for the second time of a photo, else 0); by rater and position.

    Raises
    ------
    LabelError
        No photos, or more ratings a photo than raters.

    Examples
    --------
    >>> assigned = assign_photos(8, n_raters=4, overlap=2, repeats=1)
    >>> assigned.groupby("rater")["photo"].count().tolist()
    [5, 5, 5, 5]
    >>> assigned[assigned["repeat"] == 0].groupby("photo")["rater"].nunique().tolist()
    [2, 2, 2, 2, 2, 2, 2, 2]
    """
    if n_photos < 1:
        raise LabelError("there are no photos to assign")
    if not 1 <= overlap <= n_raters:
        raise LabelError(
            f"each photo is to be rated by {overlap} of {n_raters} raters; expected an overlap "
            f"from 1 to {max(n_raters, 1)}"
        )
    if repeats < 0:
        raise LabelError(f"repeats={repeats} must not be negative")
    rows = []
    for rater, mine in enumerate(_lists(n_photos, n_raters, overlap, np.random.default_rng(seed))):
        own = np.random.default_rng([seed, rater])
        shown = _with_repeats(own.permutation(mine), repeats, own)
        rows += [(rater, position, *photo) for position, photo in enumerate(shown)]
    return pd.DataFrame(rows, columns=["rater", "position", "photo", "repeat"]).astype("int64")


def _lists(
    n_photos: int, n_raters: int, overlap: int, random: np.random.Generator
) -> list[list[int]]:
    """Assign each photo to those who have fewest, and of these to those who shared least so far."""
    load = np.zeros(n_raters, int)
    shared = np.zeros((n_raters, n_raters))
    lists: list[list[int]] = [[] for _ in range(n_raters)]
    for photo in random.permutation(n_photos).tolist():
        chosen: list[int] = []
        tie = random.random(n_raters)
        for _ in range(overlap):
            # Loads differ by one at most: whoever has fewest always comes first.
            cost = load * 1e9 + shared[chosen].sum(axis=0) + tie
            cost[chosen] = np.inf
            chosen.append(int(cost.argmin()))
        for rater in chosen:
            lists[rater].append(photo)
        load[chosen] += 1
        shared[np.ix_(chosen, chosen)] += 1
    return lists


def _with_repeats(
    order: np.ndarray, repeats: int, random: np.random.Generator
) -> list[tuple[int, int]]:
    count = len(order)
    keys = [(float(position), int(photo), 0) for position, photo in enumerate(order)]
    for position in random.permutation(count // 2)[:repeats]:
        later = random.uniform(position + max(1, count // 4), count)
        keys.append((later, int(order[position]), 1))
    return [(photo, repeat) for _, photo, repeat in sorted(keys)]
