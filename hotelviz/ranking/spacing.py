"""Near-duplicates are kept apart: never beside each other while other photos are left.

Where more than half of a hotel's photos are alike that cannot be; `ranking_figures` counts what is
left beside each other. The first photo stays the first.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Moved(NamedTuple):
    """The order in which near-duplicates are apart, and who moved down because of whom."""

    order: np.ndarray
    rows: np.ndarray
    twins: np.ndarray


def keep_apart(
    groups: np.ndarray, starts: np.ndarray, sizes: np.ndarray, hotel: np.ndarray
) -> Moved | None:
    """Move photos so that near-duplicates are not beside each other, as little as possible."""
    meets = (groups[1:] == groups[:-1]) & (groups[1:] >= 0) & (hotel[1:] == hotel[:-1])
    touched = np.unique(hotel[1:][meets])
    if not len(touched):
        return None
    order = np.arange(len(groups))
    for start, size in zip(starts[touched].tolist(), sizes[touched].tolist(), strict=True):
        order[start : start + size] = start + np.array(_apart(groups[start : start + size]))
    # Who moved down: photos that come later than they would, and are not the first of their group.
    members = np.flatnonzero(groups >= 0)
    keys = np.stack([hotel[members], groups[members]])
    _, first, group = np.unique(keys, axis=1, return_index=True, return_inverse=True)
    leader = np.full(len(groups), -1)
    leader[members] = members[first[group.ravel()]]
    late = (np.arange(len(groups)) > order) & (leader[order] >= 0) & (leader[order] != order)
    return Moved(order, np.flatnonzero(late), leader[order[late]])


def _apart(groups: np.ndarray) -> list[int]:
    """Order places such that equal groups (-1: none) are not neighbours, early places first.

    The first place stays.
    Where a group has more than half of what is left, one of its members has to come at every
    other place from now on; otherwise the first photo that may follow is taken. What cannot be
    kept apart, because there are no other photos left, stands at the end.
    """
    count, names = len(groups), groups.tolist()
    most = int(np.unique(groups[groups >= 0], return_counts=True)[1].max(initial=0))
    meets = np.flatnonzero((groups[1:] == groups[:-1]) & (groups[1:] >= 0)).tolist()
    order = [0]
    passed: deque[int] = deque()
    place, last = 1, names[0]
    # No group can have more than half of so many. Those passed over are all of one group.
    while count - len(order) >= 2 * most and (passed or place < count):
        if passed and names[passed[0]] != last:
            order.append(passed.popleft())
        elif not passed and (last < 0 or names[place] != last):
            # Up to where two of a group meet, everything stays.
            meet = bisect_left(meets, place)
            end = min(meets[meet] if meet < len(meets) else count - 1, count - 2 * most)
            order += range(place, end + 1)
            place = end + 1
        else:
            while place < count and names[place] == last:
                passed.append(place)
                place += 1
            if place == count:
                break
            order.append(place)
            place += 1
        last = names[order[-1]]
    return order + _urgent([*passed, *range(place, count)], names, last)


def _urgent(waiting: list[int], groups: Sequence[int], last: int) -> list[int]:
    """Order the last places, where a group may need every other one."""
    left = Counter(groups[row] for row in waiting if groups[row] >= 0)
    # Counts only fall, so that the greatest is looked for again only where it could matter.
    most = max(left.values(), default=0)
    order: list[int] = []
    while waiting:
        urgent = -1
        if 2 * most > len(waiting):
            largest = max(left, key=left.__getitem__)
            most = left[largest]
            if 2 * most > len(waiting) and largest != last:
                urgent = largest
        fits = (
            place
            for place, row in enumerate(waiting)
            if (groups[row] == urgent if urgent >= 0 else groups[row] < 0 or groups[row] != last)
        )
        row = waiting.pop(next(fits, 0))
        order.append(row)
        last = groups[row]
        if last >= 0:
            left[last] -= 1
    return order
