"""Figures on dark pages: the page turns their light and dark, but not that of photos."""

from __future__ import annotations

from typing import Any

from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.transforms import Bbox


def kept_boxes(figure: Figure, saved: Bbox) -> list[list[float]]:
    """Return the parts of a figure that look the same on a dark page.

    A page shows one picture by day and by night: at night what is white becomes the page's paper
    and what is black its ink, while hues stay. Photos must not be turned, nor colour maps in which
    bright means much. Colour maps that have white at their beginning, or of two hues in the middle,
    are turned: nothing stays paper.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        With everything drawn.
    saved : matplotlib.transforms.Bbox
        The part of it that is saved, in inches: see `hotelviz.plots.settled.settled`.

    Returns
    -------
    list of list of float
        Left, top, width and height of each part, in per cent of the picture.

    Examples
    --------
    >>> figure = Figure((2, 2), layout=None)
    >>> image = figure.add_axes((0.25, 0.5, 0.5, 0.5)).imshow([[[1.0, 0.0, 0.0]]], aspect="auto")
    >>> image.axes.set_axis_off()
    >>> kept_boxes(figure, Bbox([[0, 0], [2, 2]]))
    [[25.0, 0.0, 50.0, 50.0]]
    """
    holders: list[Any] = [
        artist
        for artist in figure.findobj(lambda one: isinstance(one, AxesImage | QuadMesh))
        if artist.get_visible() and _stays(artist)
    ]
    saved = Bbox(saved.get_points() * figure.dpi)
    boxes: dict[tuple[float, ...], list[float]] = {}
    for artist in holders:
        box = Bbox.intersection(artist.get_window_extent(), artist.axes.bbox)
        if box is not None:
            left, top = box.x0 - saved.x0, saved.y1 - box.y1
            across, down = 100 / saved.width, 100 / saved.height
            sides = [left * across, top * down, box.width * across, box.height * down]
            sides = [round(float(side), 2) for side in sides]
            boxes[tuple(sides)] = sides  # a map over its photo has the same place
    return list(boxes.values())


def _stays(artist: Any) -> bool:
    """Whether an image is a photo, or its colours say by brightness how much there is."""
    values = artist.get_array()
    if values is None:
        return False
    if isinstance(artist, AxesImage) and values.ndim == 3:
        return True
    begin, middle = (
        0.2126 * red + 0.7152 * green + 0.0722 * blue
        for red, green, blue, _ in (artist.cmap(0.0), artist.cmap(0.5))
    )
    return bool(begin < 0.7 and middle < 0.95)
