"""Alternative text for figures: what a picture shows, for those who do not see it.

`set_alt` keeps the text with the figure; in a notebook it travels with the picture into the
output's metadata, where `hotelviz.reports` finds it.
"""

from __future__ import annotations

import io
from typing import Any
from weakref import WeakKeyDictionary

from matplotlib.figure import Figure

__all__ = ["figure_alt", "register", "set_alt"]

_texts: WeakKeyDictionary[Figure, str] = WeakKeyDictionary()


def set_alt(figure: Figure, text: str) -> Figure:
    """Say in words what a figure shows.

    Parameters
    ----------
    figure
        A matplotlib figure.
    text
        One or two sentences with the key figures.

    Returns
    -------
    matplotlib.figure.Figure
        The figure itself.

    Examples
    --------
    >>> figure_alt(set_alt(Figure(), "An empty figure"))
    'An empty figure'
    """
    _texts[figure] = text
    register()
    return figure


def figure_alt(figure: Figure) -> str | None:
    """Give the text of `set_alt`, or None.

    Parameters
    ----------
    figure
        A matplotlib figure.
    """
    return _texts.get(figure)


def register() -> None:
    """Let IPython show figures as PNG with their text; without IPython, do nothing."""
    try:
        from IPython.core.getipython import get_ipython
    except ModuleNotFoundError:
        return
    shell = get_ipython()
    if shell is not None:
        shell.display_formatter.formatters["image/png"].for_type(Figure, _png)


def _png(figure: Figure) -> tuple[bytes, dict[str, Any]]:
    file = io.BytesIO()
    # Twice the size that it is shown at, for sharp text on dense screens.
    figure.savefig(file, format="png", dpi=2 * 80, bbox_inches="tight")
    width = int.from_bytes(file.getvalue()[16:20], "big")
    metadata: dict[str, Any] = {"width": width // 2}
    if (text := figure_alt(figure)) is not None:
        metadata["alt"] = text
    return file.getvalue(), metadata
