"""Figures whose texts can be read from the last row: type that is large against what is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from matplotlib.figure import Figure
from matplotlib.text import Text

#: The room for a figure on a slide of 13.33 by 7.5 inches: wide ones below its text, others beside.
WIDE, BESIDE = (12.4, 5.4), (8.0, 6.9)
#: The smallest type on a slide in points, and how far type may grow against what is drawn.
_SMALLEST, _GROWTH = 13.0, 1.7


@contextmanager
def large_type(figure: Figure) -> Iterator[float]:
    """Make the texts of a figure large enough for a slide, for as long as the block runs.

    The figure becomes smaller while its type keeps its size, so that a layout that fits itself to
    its texts does so again.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        With everything drawn.

    Yields
    ------
    float
        How much larger the type is against what is drawn, 1 to 1.7.

    Examples
    --------
    >>> figure = Figure((12, 5))
    >>> _ = figure.text(0.5, 0.5, "small", fontsize=10)
    >>> with large_type(figure) as growth:
    ...     round(growth, 2), figure.get_size_inches().round(2).tolist()
    (1.26, [9.54, 3.97])
    >>> figure.get_size_inches().tolist()
    [12.0, 5.0]
    """
    width, height = map(float, figure.get_size_inches())
    room = WIDE if is_wide(width, height) else BESIDE
    scale = min(room[0] / width, room[1] / height)
    texts = (one for one in figure.findobj(Text) if one.get_visible() and one.get_text().strip())
    smallest = min((float(one.get_fontsize()) for one in texts), default=_SMALLEST / scale)
    growth = min(max(_SMALLEST / (smallest * scale), 1.0), _GROWTH)
    figure.set_size_inches(width / growth, height / growth)
    try:
        yield growth
    finally:
        figure.set_size_inches(width, height)


def is_wide(width: float, height: float) -> bool:
    """Return whether a figure stands below the text of its slide, and not beside it.

    Examples
    --------
    >>> is_wide(8, 4), is_wide(5, 5)
    (True, False)
    """
    return width >= 1.45 * height
