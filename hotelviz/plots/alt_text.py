"""Alternative text for figures: what a picture shows, for those who do not see it.

`set_alt` keeps the text with the figure; in a notebook it travels with the picture into the
output's metadata, where `hotelviz.reports.run` finds it.
"""

from __future__ import annotations

import io
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from matplotlib.figure import Figure
from PIL import Image

__all__ = ["figure_alt", "register", "set_alt"]

_texts: WeakKeyDictionary[Figure, str] = WeakKeyDictionary()
_photographic: WeakSet[Figure] = WeakSet()


def set_alt(figure: Figure, text: str, *, photographic: bool = False) -> Figure:
    """Say in words what a figure shows.

    Parameters
    ----------
    figure
        A matplotlib figure.
    text
        One or two sentences with the key figures.
    photographic
        The figure is made of photos: notebooks show it as JPEG, a tenth of the size.

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
    if photographic:
        _photographic.add(figure)
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
    """Let IPython show figures as pictures with their text; without IPython, do nothing."""
    try:
        from IPython.core.getipython import get_ipython
    except ModuleNotFoundError:
        return
    shell = get_ipython()
    if shell is not None:
        formatters = shell.display_formatter.formatters
        formatters["image/png"].for_type(Figure, _png)
        formatters["image/jpeg"].for_type(Figure, _jpeg)
        formatters["image/jpeg"].enabled = True


def _png(figure: Figure) -> tuple[bytes, dict[str, Any]] | None:
    return None if figure in _photographic else _picture(figure, "png")


def _jpeg(figure: Figure) -> tuple[bytes, dict[str, Any]] | None:
    if figure not in _photographic:
        return None
    return _picture(figure, "jpeg", pil_kwargs={"quality": 82})


def _picture(figure: Figure, kind: str, **keywords: Any) -> tuple[bytes, dict[str, Any]]:
    file = io.BytesIO()
    # Twice the size that it is shown at, for sharp text on dense screens.
    figure.savefig(file, format=kind, dpi=2 * 80, bbox_inches="tight", **keywords)
    file.seek(0)
    with Image.open(file) as picture:
        metadata: dict[str, Any] = {"width": picture.width // 2}
    if (text := figure_alt(figure)) is not None:
        metadata["alt"] = text
    return file.getvalue(), metadata
