"""Where the cells of a feature map lie, and what they see, along rows and columns apart."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

#: Where nothing is seen: padding, which has no pixel.
NOWHERE = -1


class Axis(NamedTuple):
    """Where the cells of a feature map lie along one side of the photo, in pixels.

    Attributes
    ----------
    step
        From one cell to the next.
    start
        Centre of the first cell's receptive field, from the centre of the first pixel.
    reach
        Pixels that a cell sees, were the photo larger than all it sees.
    first, last
        The first and the last pixel that each cell sees of this photo; of a cell that sees none,
        such as padding, the first is behind the last.
    placed
        Whether the cells lie in different places; not where each of them sees everything.
    """

    step: float
    start: float
    reach: float
    first: np.ndarray
    last: np.ndarray
    placed: bool = True

    @classmethod
    def of_pixels(cls, count: int) -> Axis:
        """Return the axis of the photo itself."""
        return cls(1.0, 0.0, 1.0, np.arange(count), np.arange(count))

    def all_seen(self) -> Axis:
        """Return the same cells, each of which sees all that any of them sees."""
        first, last = int(self.first.min()), int(self.last.max())
        cells = np.ones_like(self.first)
        reach = max(self.reach, last - first + 1)
        return self._replace(first=first * cells, last=last * cells, reach=reach)

    def one_cell(self) -> Axis:
        """Return a single cell that sees all that any of these sees."""
        one = self.all_seen()
        width = len(self.first) * self.step
        return Axis(
            width, self.start + (width - self.step) / 2, one.reach, one.first[:1], one.last[:1],
            placed=False,
        )  # fmt: skip

    def moved(self, move: Move) -> Axis:
        """Return the axis behind a layer."""
        there = move.seen != NOWHERE
        first = np.where(there, self.first[move.seen], np.iinfo(int).max).min(axis=1)
        last = np.where(there, self.last[move.seen], np.iinfo(int).min).max(axis=1)
        return Axis(
            self.step * move.stride, self.start + self.step * move.shift,
            self.reach + self.step * (move.reach - 1), first, last, self.placed,
        )  # fmt: skip


class Move(NamedTuple):
    """What a layer does along one side.

    Attributes
    ----------
    stride
        Cells of the input from one cell of the output to the next.
    shift
        The place in the input, in cells, that the output's first cell looks at.
    seen
        Cells of the input that each cell of the output sees, (cells, n); -1 for none.
    reach
        How many of them side by side, at most.
    """

    stride: float
    shift: float
    seen: np.ndarray
    reach: float


class Places(NamedTuple):
    """Where a tensor's values lie: on a grid, one after another, or nowhere in particular."""

    rows: Axis
    columns: Axis
    kind: str = "grid"  # or "sequence", of the grid's cells row by row; or "vector"

    def all_seen(self) -> Places:
        """Return the same cells, each of which sees all that any of them sees."""
        return Places(self.rows.all_seen(), self.columns.all_seen(), self.kind)

    def one_cell(self, kind: str) -> Places:
        """Return what sees all that any of these cells sees, without a place of its own."""
        return Places(self.rows.one_cell(), self.columns.one_cell(), kind)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Return whether a tensor of that shape, without photos, has these cells."""
        cells = (len(self.rows.first), len(self.columns.first))
        return {
            "grid": len(shape) == 3 and shape[:2] == cells,
            "sequence": len(shape) == 2 and shape[0] == math.prod(cells),
            "vector": len(shape) == 1,
        }[self.kind]


def joined(axes: list[Axis]) -> Axis | None:
    """Return the axis of branches that meet; None where they would see two places apart."""
    count = max(len(axis.first) for axis in axes)
    # One value for all places, such as the weight of a channel, is broadcast and has no place.
    first = np.min([np.broadcast_to(axis.first, count) for axis in axes], axis=0)
    last = np.max([np.broadcast_to(axis.last, count) for axis in axes], axis=0)
    own = [axis for axis in axes if len(axis.first) == count]
    placed = [axis for axis in own if axis.placed] or own
    step = placed[0].step
    # A cell that would see two places apart has no place that could be shown.
    for axis in placed[1:]:
        ends = [axis.start - placed[0].start]
        ends.append(ends[0] + (count - 1) * (axis.step - step))
        if max(map(abs, ends)) > max(step, 1.0):
            return None
    low = min(axis.start - (axis.reach - 1) / 2 for axis in placed)
    high = max(axis.start + (axis.reach - 1) / 2 for axis in placed)
    reach = max(high - low + 1, max(axis.reach for axis in axes))
    return Axis(step, (low + high) / 2, reach, first, last, placed[0].placed)
