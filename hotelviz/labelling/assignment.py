"""Deal photos to raters: evenly, with overlaps, each in an order of their own."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hotelviz.errors import LabelError

__all__ = ["assign_photos"]


def assign_photos(
    photos: int, *, raters: int, overlap: int, gold: int = 0, seed: int = 0
) -> pd.DataFrame:
    """Deal photos to the seats of raters.

    Each photo goes to `overlap` different seats. The seats get equally many, to within one, and
    each pair of seats shares about equally many, so that every rater can be compared with every
    other. The order differs from seat to seat. Of each seat's photos `gold` come a second time, at
    least a quarter of its list later: they measure how far a rater agrees with themselves.

    Parameters
    ----------
    photos
        How many there are.
    raters
        How many seats.
    overlap
        How many raters see each photo.
    gold
        How many photos each rater sees twice; at most half of theirs.
    seed
        For another deal.

    Returns
    -------
    pandas.DataFrame
        ``seat`` (from 0), ``place`` (in the seat's order, from 0), ``photo`` (its number, from
        0) and ``repeat`` (1 for the second time of a photo, else 0); by seat and place.

    Raises
    ------
    LabelError
        No photos, or more ratings a photo than raters.

    Examples
    --------
    >>> dealt = assign_photos(8, raters=4, overlap=2, gold=1)
    >>> dealt.groupby("seat")["photo"].count().tolist()
    [5, 5, 5, 5]
    >>> dealt[dealt["repeat"] == 0].groupby("photo")["seat"].nunique().tolist()
    [2, 2, 2, 2, 2, 2, 2, 2]
    """
    if photos < 1:
        raise LabelError("there are no photos to deal")
    if not 1 <= overlap <= raters:
        raise LabelError(
            f"each photo is to be rated by {overlap} of {raters} raters; expected an overlap from "
            f"1 to {max(raters, 1)}"
        )
    if gold < 0:
        raise LabelError(f"gold={gold} must not be negative")
    random = np.random.default_rng(seed)
    lists = _lists(photos, raters, overlap, random)
    rows = []
    for seat, mine in enumerate(lists):
        own = np.random.default_rng([seed, seat])
        order = own.permutation(mine)
        rows += [
            (seat, place, photo, repeat)
            for place, (photo, repeat) in enumerate(_with_gold(order, gold, own))
        ]
    return pd.DataFrame(rows, columns=["seat", "place", "photo", "repeat"]).astype("int64")


def _lists(photos: int, raters: int, overlap: int, random: np.random.Generator) -> list[list[int]]:
    """Give each photo to those who have fewest, and of these to those who shared least so far."""
    load = np.zeros(raters, int)
    shared = np.zeros((raters, raters))
    lists: list[list[int]] = [[] for _ in range(raters)]
    for photo in random.permutation(photos):
        chosen: list[int] = []
        tie = random.random(raters)
        for _ in range(overlap):
            # Loads differ by one at most: whoever has fewest always comes first.
            cost = load * 1e9 + shared[chosen].sum(axis=0) + tie
            cost[chosen] = np.inf
            chosen.append(int(cost.argmin()))
        for seat in chosen:
            lists[seat].append(int(photo))
        load[chosen] += 1
        shared[np.ix_(chosen, chosen)] += 1
    return lists


def _with_gold(order: np.ndarray, gold: int, random: np.random.Generator) -> list[tuple[int, int]]:
    count = len(order)
    keys = [(float(place), int(photo), 0) for place, photo in enumerate(order)]
    for place in random.permutation(count // 2)[:gold]:
        later = random.uniform(place + max(1, count // 4), count)
        keys.append((later, int(order[place]), 1))
    return [(photo, repeat) for _, photo, repeat in sorted(keys)]
