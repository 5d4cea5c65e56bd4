"""What all plots share: colours, axes, and names as a figure can draw them."""

from __future__ import annotations

import functools
import io
import os
import re
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from hotelviz.errors import HotelvizError, did_you_mean
from hotelviz.io.atomic import atomic_path
from hotelviz.io.escaping import escape_mathtext, escape_terminal
from hotelviz.plots.alt_text import figure_alt, set_alt
from hotelviz.plots.display import Display, ShowsFigure
from hotelviz.plots.large_type import large_type
from hotelviz.plots.settled import settled

#: Further arguments of what matplotlib draws.
Kw = Mapping[str, Any] | None
_Drawn = TypeVar("_Drawn", bound=Figure | ShowsFigure)

#: Okabe and Ito's colours, which colour-blind eyes tell apart.
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#6b7280"


#: Okabe and Ito's other colours, for more than four lines.
COLOURS = (BLUE, ORANGE, GREEN, "#cc79a7", "#56b4e9", "#e69f00", GREY)


def new_figure(size: tuple[float, float], *, layout: str | None = "constrained") -> Figure:
    """Return a figure that pyplot does not keep: a display shows it, once.

    pyplot's figures show themselves at the end of a cell, those that were displayed a second time.

    Examples
    --------
    >>> new_figure((4, 3)).get_size_inches().tolist()
    [4.0, 3.0]
    """
    figure = Figure(figsize=size, layout=layout)  # type: ignore[arg-type]
    FigureCanvasAgg(figure)
    return figure


def new_axes(ax: Axes | None, size: tuple[float, float], *, grid: str = "") -> Axes:
    """Return the axes to draw on, those given or those of a new figure of `size` inches."""
    return open_axes(new_figure(size).subplots() if ax is None else ax, grid=grid)


def open_axes(ax: Axes, *, grid: str = "") -> Axes:
    """Return axes open at the top and the right, with thin lines of ``x``, ``y`` or ``both``."""
    ax.spines[["top", "right"]].set_visible(False)
    if grid:
        ax.grid(axis=grid, color="#e5e7eb")  # type: ignore[arg-type]
        ax.set_axisbelow(True)
    return ax


def options(given: Kw, **defaults: Any) -> dict[str, Any]:
    """Return arguments of matplotlib: those that the caller gave, and else the plot's own."""
    return defaults | dict(given or {})


def legend_above(ax: Axes, n_columns: int) -> None:
    """Draw the legend in one row above the axes, where it hides nothing."""
    above: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0)}
    ax.legend(ncols=n_columns, frameon=False, fontsize=9, **above)


def interval_rows(
    ax: Axes, rows: pd.DataFrame, states: pd.Series, looks: Mapping[str, dict[str, Any]], kw: Kw
) -> dict[str, Any]:
    """Draw a point with its interval in each row, from above; return them by the rows' names.

    `rows` has the value and the ends of its interval, in this order; `looks` says how what is known
    of each is drawn and called, and the legend has those that occur.
    """
    lines: dict[str, Any] = {}
    named: dict[str, Any] = {}
    for place, ((name, row), state) in enumerate(zip(rows.iterrows(), states, strict=True)):
        value, low, high = map(float, row)
        # Without an interval (NaN) there is the point alone; a value at a bound has none beyond.
        sides = np.maximum(np.nan_to_num([[value - low], [high - value]]), 0)
        own = {**looks[state], "markersize": 7, "linestyle": "none", "zorder": 3}
        lines[str(name)] = ax.errorbar([value], [place], xerr=sides, **options(kw, **own))
        named.setdefault(str(state), lines[str(name)][0])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    shown = [(named[state], looks[state]["label"]) for state in looks if state in named]
    ax.legend(
        *zip(*shown, strict=True), ncols=min(len(shown), 2), frameon=False, fontsize=9,
        loc="lower center", bbox_to_anchor=(0.4, 1.0),
    )  # fmt: skip
    return lines


def bare_axes(axes: np.ndarray) -> None:
    """Hide ticks and frames of axes that show pictures."""
    for ax in axes.ravel():
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)


def show_pictures(axes: Iterable[Axes], pictures: Iterable[np.ndarray], im_kw: Kw) -> list[Any]:
    """Draw pictures on as many of the axes as there are pictures."""
    pairs = zip(axes, pictures, strict=False)
    return [ax.imshow(picture, **options(im_kw)) for ax, picture in pairs]


def readable_on(colour: Sequence[float]) -> str:
    """Return the colour of text on a coloured cell: black or white, which contrasts more (WCAG).

    Examples
    --------
    >>> readable_on((1.0, 0.9, 0.1)), readable_on((0.2, 0.0, 0.3))
    ('black', 'white')
    """
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3]
    )
    return "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else "white"


def figure_of(ax: Axes) -> Figure:
    """Return the figure that axes are on."""
    figure = ax.get_figure(root=True)
    if not isinstance(figure, Figure):
        raise TypeError("these axes are on no figure")
    return figure


def check_columns(
    table: pd.DataFrame, columns: Sequence[str], where: str, *, empty: bool = False
) -> None:
    """Refuse a table that lacks a column, or rows, before anything is drawn.

    Raises
    ------
    HotelvizError
        A column is missing; or the table has no rows, unless `empty` allows that.
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
    """Return a name as people read it, in an alternative text."""
    return str(name).replace("_", " ")


def label(name: object, *, longest: int = 40) -> str:
    """Return the name of a class, a stage, an issue as a figure writes it, without underscores."""
    return drawn(readable(name), longest=longest)


def drawn(name: object, *, longest: int = 40) -> str:
    r"""Return a name from data as a figure can draw it.

    Parameters
    ----------
    name : object
        The name of a class, a stage, a rater: any text.
    longest : int, default 40
        Longer names are cut.

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


def display(
    axes: Axes | np.ndarray, text: str, *, photographic: bool = False, **artists: Any
) -> Display:
    """Return the display of what was drawn on axes, finished.

    Parameters
    ----------
    axes : matplotlib.axes.Axes or numpy.ndarray of those
        With everything drawn.
    text, photographic
        See `finish`.
    **artists
        ``bars_``, ``lines_``, ``images_``, ``texts_`` of a `Display`.
    """
    grid = axes if isinstance(axes, np.ndarray) else np.array([axes])
    figure = figure_of(grid.flat[0])
    finish(figure, text, photographic=photographic)
    return Display(figure, grid, **artists)


def finish(figure: Figure, text: str, *, photographic: bool = False) -> None:
    """Set the alternative text of a figure, and fonts that have its names' characters.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        With everything drawn.
    text, photographic
        See `hotelviz.plots.alt_text.set_alt`.
    """
    for written in figure.findobj(Text):
        if found := set(filter(None, map(_family_with, written.get_text()))):
            written.set_fontfamily([*written.get_fontfamily(), *sorted(found)])
    set_alt(figure, text, photographic=photographic)


def _family_with(sign: str) -> str | None:
    """Return a font that has a character: empty for the figure's own, None where there is none."""
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
    """Return the characters of a font; none of one that only holds pictures, as some emoji."""
    try:
        return frozenset(font_manager.get_font(path).get_charmap())
    except (RuntimeError, OSError):
        return frozenset()


def save_figure(figure: Figure | ShowsFigure, path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write a figure for print and slides: PNG with 300 pixels an inch, and SVG.

    Its type is large against what is drawn, and its alternative text is in both files
    (``Description``).

    Parameters
    ----------
    figure : matplotlib.figure.Figure or Display
        What to write.
    path : str or path-like
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
    if isinstance(figure, ShowsFigure):
        figure = figure.figure_
    files = Path(f"{path}.png"), Path(f"{path}.svg")
    told = {"Description": text} if (text := figure_alt(figure)) else {}
    with large_type(figure) as growth, settled(figure) as box:
        for file in files:
            # What is not drawn as lines in an SVG, photos, needs no more than a screen has.
            dpi = growth * (300 if file.suffix == ".png" else 150)
            packing: dict[str, Any] = {}
            if file.suffix == ".png":
                # Photos shrink by a sixth when a PNG is packed harder, for twice the time.
                packing["pil_kwargs"] = {"compress_level": 1}
            with atomic_path(file) as temporary:
                figure.savefig(
                    temporary, format=file.suffix[1:], dpi=dpi, bbox_inches=box, metadata=told,
                    **packing,
                )  # fmt: skip
    return files


def exported(figure: _Drawn, folder: str | os.PathLike[str], name: str) -> _Drawn:
    """Return a figure, written at print size where a folder is given.

    Parameters
    ----------
    figure : matplotlib.figure.Figure or Display
        What to write.
    folder : str or path-like
        Gets ``<name>.png`` and ``<name>.svg``; empty for none.
    name : str
        The files' name.

    Returns
    -------
    matplotlib.figure.Figure or Display
        `figure`.

    Examples
    --------
    >>> exported(Figure((1, 1)), "", "empty").get_size_inches().tolist()
    [1.0, 1.0]
    """
    if str(folder):
        save_figure(figure, Path(folder) / name)
    return figure


def figure_png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG file, at the size that a screen shows it.

    Examples
    --------
    >>> figure_png(new_figure((1, 1)))[1:4]
    b'PNG'
    """
    file = io.BytesIO()
    with settled(figure) as box:
        figure.savefig(file, format="png", dpi=100, bbox_inches=box)
    return file.getvalue()
