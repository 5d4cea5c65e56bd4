"""Figures that are laid out once, however often they are then drawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox


@contextmanager
def settled(figure: Figure) -> Iterator[Bbox]:
    """Lay a figure out, and keep everything in its place for as long as the block runs.

    ``savefig(bbox_inches="tight")`` draws a figure twice for every file: once to lay it out and to
    see where something is drawn.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        With everything drawn.

    Yields
    ------
    matplotlib.transforms.Bbox
        The part of the figure that is drawn on, in inches, with a margin: for ``bbox_inches``.

    Examples
    --------
    >>> figure = Figure((4, 3), layout="constrained")
    >>> with settled(figure) as box:
    ...     figure.get_layout_engine() is None
    True
    >>> figure.get_layout_engine() is None
    False
    """
    figure.draw_without_rendering()
    engine = figure.get_layout_engine()
    figure.set_layout_engine(None)
    try:
        yield figure.get_tightbbox().padded(rcParams["savefig.pad_inches"])
    finally:
        figure.set_layout_engine(engine)
