"""Alternative text for figures: what a picture shows, for those who do not see it.

`set_alt` keeps the text with the figure; in a notebook it travels with the picture into the
output's metadata, where `hotelviz.reports` finds it.
"""

from __future__ import annotations

import functools
import io
import sys
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from matplotlib.figure import Figure
from PIL import Image

from hotelviz.plots.dark_theme import kept_boxes
from hotelviz.plots.settled import settled

#: Twice the size that it is shown at, for sharp text on dense screens.
_DPI = 2 * 80
_texts: WeakKeyDictionary[Figure, str] = WeakKeyDictionary()
_photographic: WeakSet[Figure] = WeakSet()


def set_alt(figure: Figure, text: str, *, photographic: bool = False) -> Figure:
    """Set the text that says what a figure shows.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Any figure.
    text : str
        One or two sentences with the key figures.
    photographic : bool, default False
        Whether the figure is made of photos: notebooks show it as JPEG, a tenth of the size.

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
    _register()
    return figure


def figure_alt(figure: Figure) -> str | None:
    """Return the text of `set_alt`, or None where there is none."""
    return _texts.get(figure)


def mimebundle(figure: Figure) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return a figure as a picture for a notebook: data and metadata by MIME type.

    The metadata are ``width``, ``alt``, and ``kept``: see `hotelviz.plots.dark_theme.kept_boxes`.
    """
    kind = "jpeg" if figure in _photographic else "png"
    keywords: Any = {"pil_kwargs": {"quality": 82}} if kind == "jpeg" else {}
    file = io.BytesIO()
    with settled(figure) as box:
        figure.savefig(file, format=kind, dpi=_DPI, bbox_inches=box, **keywords)
        kept = kept_boxes(figure, box)
    file.seek(0)
    with Image.open(file) as picture:
        metadata: dict[str, Any] = {"width": picture.width // 2, "kept": kept}
    if (text := figure_alt(figure)) is not None:
        metadata["alt"] = text
    return {f"image/{kind}": file.getvalue()}, {f"image/{kind}": metadata}


def _register() -> None:
    """Make IPython show figures as pictures with their text; without IPython, do nothing."""
    if "IPython" not in sys.modules:
        return
    from IPython.core.getipython import get_ipython

    if shell := get_ipython():
        formatters = shell.display_formatter.formatters
        for kind in ("image/png", "image/jpeg"):
            formatters[kind].for_type(Figure, functools.partial(_picture, kind))
            formatters[kind].enabled = True


def _picture(kind: str, figure: Figure) -> tuple[bytes, dict[str, Any]] | None:
    if (kind == "image/jpeg") != (figure in _photographic):
        return None
    data, metadata = mimebundle(figure)
    return data[kind], metadata[kind]
