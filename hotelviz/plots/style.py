"""What all displays share: colours, names as they are drawn, and where."""

from __future__ import annotations

import functools
import os
import re
import textwrap
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from hotelviz.errors import HotelvizError, did_you_mean
from hotelviz.io.atomic import atomic_path
from hotelviz.io.escaping import escape_mathtext, escape_terminal
from hotelviz.plots.alt_text import set_alt

#: Characters of a name that are drawn; the alternative text has all of it.
LONGEST = 40

#: Okabe and Ito's colours, which colour-blind eyes tell apart.
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#6b7280"


def new_axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Give the axes to draw on: those given, or those of a new figure."""
    if ax is not None:
        return ax
    return plt.subplots(figsize=size, layout="constrained")[1]


def new_figure(size: tuple[float, float], *, layout: str = "constrained") -> Figure:
    """Give a figure that is shown where it is the last line of a cell, and nowhere else.

    pyplot's figures show themselves at the end of a cell; of those that a loop makes and displays
    each would be there twice.
    """
    return Figure(figsize=size, layout=layout)  # type: ignore[arg-type]


def figure_of(ax: Axes) -> Figure:
    """Give the figure that axes are on."""
    figure = ax.get_figure(root=True)
    if not isinstance(figure, Figure):
        raise TypeError("these axes are on no figure")
    return figure


def check_columns(
    table: pd.DataFrame, columns: Sequence[str], where: str, *, empty: bool = False
) -> None:
    """Refuse a table that cannot be drawn, before anything is.

    Raises
    ------
    HotelvizError
        A column that is missing, or no rows where it is not said that there may be none.
    """
    missing = [name for name in columns if name not in table]
    if missing:
        raise HotelvizError(
            f"{where}: the table has no column {missing[0]!r}; it has "
            f"{', '.join(map(str, table)) or 'none'}"
            f"{did_you_mean(missing[0], list(map(str, table)))}"
        )
    if table.empty and not empty:
        raise HotelvizError(f"{where}: the table has no rows, so that there is nothing to draw")


def readable(name: object) -> str:
    """Write a class as people read it, in an alternative text."""
    return str(name).replace("_", " ")


def drawn(name: object, *, longest: int = LONGEST) -> str:
    r"""Return a name from data as a figure can draw it.

    Parameters
    ----------
    name
        Of a class, a stage, a rater: any text.
    longest
        What is longer is cut.

    Returns
    -------
    str
        In one line; dollar signs begin no formula. Characters that no installed font has are
        given by their numbers.

    Examples
    --------
    >>> print(drawn("Suites of $200"))
    Suites of \$200
    """
    text = escape_terminal(" ".join(str(name).split()))
    if len(text) > longest:
        text = f"{text[: longest - 1]}…"
    unknown = re.escape("".join({sign for sign in text if _family_with(sign) is None}))
    if unknown:
        # Variants and joiners have no shape of their own.
        text = re.sub(f"[{unknown}]", lambda sign: _without_shape(sign[0]), text)
        text = re.sub(f"[{unknown}]+", lambda signs: _numbers(signs[0]), text)
        text = text if len(text) <= 2 * longest else f"{text[: 2 * longest - 1]}…"
    return escape_mathtext(text)


def drawn_lines(name: object, width: int) -> str:
    """Return a name as `drawn` does, in up to three lines of about `width` characters."""
    lines = textwrap.wrap(" ".join(str(name).split()), width)
    return "\n".join(drawn(line) for line in [*lines[:2], " ".join(lines[2:])[:width]] if line)


def _without_shape(sign: str) -> str:
    return "" if unicodedata.category(sign) == "Cf" or sign in "\ufe0e\ufe0f" else sign


def _numbers(signs: str) -> str:
    return "[" + " ".join(f"U+{ord(sign):04X}" for sign in signs) + "]"


def finish(figure: Figure, text: str, *, photographic: bool = False) -> None:
    """Give a figure its alternative text, and its names fonts that have their characters.

    Parameters
    ----------
    figure
        With everything drawn.
    text, photographic
        See `hotelviz.plots.alt_text.set_alt`.
    """
    for label in figure.findobj(Text):
        found = {_family_with(sign) for sign in label.get_text()} - {None, ""}
        if found:
            label.set_fontfamily([*label.get_fontfamily(), *sorted(filter(None, found))])
    set_alt(figure, text, photographic=photographic)


def _family_with(sign: str) -> str | None:
    """Find a font that has a character; empty where the figure's own has it, None for none."""
    families = tuple(font_manager.FontProperties().get_family())
    return "" if sign.isascii() else _other_family(sign, families)


@functools.lru_cache(maxsize=4096)
def _other_family(sign: str, families: tuple[str, ...]) -> str | None:
    own = (font_manager.findfont(font_manager.FontProperties(family=[name])) for name in families)
    if any(ord(sign) in _characters(path) for path in own):
        return ""
    entries = [one for one in font_manager.fontManager.ttflist if "Last" not in one.name]
    # Upright and of usual weight before others.
    for entry in sorted(entries, key=lambda one: (one.style != "normal", one.weight != 400)):
        if ord(sign) in _characters(entry.fname):
            return entry.name
    return None


@functools.cache
def _characters(path: str) -> frozenset[int]:
    """Give the characters of a font; none of one that only holds pictures, as of some emoji."""
    try:
        return frozenset(font_manager.get_font(path).get_charmap())
    except (RuntimeError, OSError):
        return frozenset()


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write a figure at print size: PNG with 300 pixels an inch, and SVG.

    Parameters
    ----------
    figure
        A matplotlib figure.
    path
        Without ending.

    Returns
    -------
    tuple of pathlib.Path
        The PNG and the SVG file.

    Examples
    --------
    >>> import tempfile
    >>> [file.suffix for file in save_figure(Figure((1, 1)), f"{tempfile.mkdtemp()}/empty")]
    ['.png', '.svg']
    """
    files = Path(f"{path}.png"), Path(f"{path}.svg")
    for file in files:
        with atomic_path(file) as temporary:
            figure.savefig(temporary, format=file.suffix[1:], dpi=300, bbox_inches="tight")
    return files


def figure_png(figure: Figure) -> bytes:
    """Give a figure as the bytes of a PNG file, at the size that a screen shows it."""
    import io

    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100, bbox_inches="tight")
    return file.getvalue()
