"""Maps of photos."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from hotelviz.errors import HotelvizError
from hotelviz.plots import style
from hotelviz.plots.display import Display

#: Okabe and Ito's eight colours, and shapes beside them: for eyes that tell few colours apart.
_COLOURS = (*style.COLOURS[:6], "#000000", "#c9a800")
_SHAPES = "os^DvPX*"
#: What has none of the colours, and how it is drawn: beneath the others.
_OTHER = "#c3c8d0"


def photo_map(
    places: pd.DataFrame,
    values: pd.Series,
    *,
    max_colours: int = 8,
    ax: Axes | None = None,
    scatter_kw: style.Kw = None,
) -> Display:
    """Draw a map of photos, coloured by a class, a source or a hotel.

    Parameters
    ----------
    places : pandas.DataFrame
        From `hotelviz.embeddings.layout`; photos without a place are left out.
    values : pandas.Series
        Of the photos, by ``image_id``: names. Those of the most frequent have a colour and a shape
        of their own, up to `max_colours`; the others are grey, and the legend says how many.
    max_colours : int, default 8
        At most 8.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure.
    scatter_kw : dict, optional
        Further arguments of ``Axes.scatter``.

    Returns
    -------
    Display
        ``lines_`` has the points of each value, and of ``""``, the others; ``texts_`` the legend.

    See Also
    --------
    photo_map_facets : A map for each value, for many of them.

    Examples
    --------
    >>> places = pd.DataFrame({"x": [0, 1.0], "y": [0, 0.5]}, ["a", "b"])
    >>> list(photo_map(places, pd.Series(["Bar", "Spa"], ["a", "b"])).lines_)
    ['Bar', 'Spa']
    """
    placed, names = _placed(places, values, "photo_map")
    counts = names.value_counts()
    shown = list(counts.index[: min(max_colours, len(_COLOURS))])
    ax = _map_axes(style.new_axes(ax, (7.6, 5.4)))
    size = float(np.clip(20_000 / max(len(placed), 1), 3, 30))
    drawn, handles = {}, []
    others = placed[~names.isin(shown)]
    if len(others):
        drawn[""] = _scatter(ax, others, scatter_kw, color=_OTHER, s=size, marker="o")
    for name, colour, shape in zip(shown, _COLOURS, _SHAPES, strict=False):
        drawn[name] = _scatter(
            ax, placed[names == name], scatter_kw, color=colour, s=size, marker=shape
        )
        text = f"{style.label(name, longest=24)} ({counts[name]:,})"
        handles.append(Line2D([], [], color=colour, marker=shape, ls="", label=text))
    if len(others):
        handles.append(_other_handle(names, shown, len(others)))
    beside: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
    legend = ax.legend(handles=handles, frameon=False, fontsize=9, **beside)
    told = ", ".join(f"{style.readable(name)} {counts[name]:,}" for name in shown)
    text = f"Map of {len(placed):,} photos, like ones near each other: {told}"
    text += f", others {len(others):,}" if len(others) else ""
    lines = {name: drawn[name] for name in [*shown, ""] if name in drawn}
    return style.display(ax, f"{text}.", lines_=lines, texts_={"legend": legend})


def photo_map_facets(
    places: pd.DataFrame,
    values: pd.Series,
    *,
    max_facets: int = 12,
    scatter_kw: style.Kw = None,
) -> Display:
    """Draw the map once for each value: its photos in colour, all others grey.

    Parameters
    ----------
    places, values, scatter_kw
        As for `photo_map`.
    max_facets : int, default 12
        The most frequent values that are drawn; the last title says how many are left out.

    Returns
    -------
    Display
        ``lines_`` has the points of each value, ``texts_`` the titles.

    Examples
    --------
    >>> places = pd.DataFrame({"x": [0, 1.0], "y": [0, 0.5]}, ["a", "b"])
    >>> len(photo_map_facets(places, pd.Series(["Bar", "Spa"], ["a", "b"])).axes_.ravel())
    2
    """
    placed, names = _placed(places, values, "photo_map_facets")
    counts = names.value_counts()
    shown = list(counts.index[:max_facets])
    n_columns = min(4, len(shown))
    n_rows = -(-len(shown) // n_columns)
    figure = style.new_figure((1.9 * n_columns, 2.05 * n_rows))
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    size = float(np.clip(3000 / max(len(placed), 1), 1, 8))
    drawn, titles = {}, {}
    for ax, name in zip(axes.ravel(), shown, strict=False):
        own = names == name
        _scatter(_map_axes(ax), placed[~own], scatter_kw, color=_OTHER, s=size, marker="o")
        drawn[name] = _scatter(ax, placed[own], scatter_kw, color=style.BLUE, s=2 * size)
        title = f"{style.label(name, longest=22)} ({counts[name]:,})"
        titles[name] = ax.set_title(title, fontsize=9)
    for ax in axes.ravel()[len(shown) :]:
        ax.set_axis_off()
    text = "The map once for each of " + ", ".join(
        f"{style.readable(name)} ({counts[name]:,})" for name in shown
    )
    if len(counts) > len(shown):
        cut = f"the {len(shown)} most frequent of {len(counts):,} are shown"
        figure.supxlabel(cut, fontsize=9)
        text += f"; {cut}"
    return style.display(axes, f"{text}.", lines_=drawn, texts_=titles)


def _placed(places: pd.DataFrame, values: pd.Series, where: str) -> tuple[pd.DataFrame, pd.Series]:
    style.check_columns(places, ["x", "y"], where)
    placed = places.dropna(subset=["x", "y"])
    if placed.empty:
        raise HotelvizError(f"{where}: no photo has a place; none of them could be read")
    return placed, values[~values.index.duplicated()].reindex(placed.index)


def _other_handle(names: pd.Series, shown: list[object], n_photos: int) -> Line2D:
    n_more = names.nunique() - len(shown)
    words = [f"{n_more:,} other{'s' if n_more > 1 else ''}"] * bool(n_more)
    words += ["not known"] * bool(names.isna().any())
    text = f"{' and '.join(words)} ({n_photos:,})"
    return Line2D([], [], color=_OTHER, marker="o", ls="", label=text)


def _map_axes(ax: Axes) -> Axes:
    """Distances are true, and the axes mean nothing."""
    ax.set(xticks=[], yticks=[])
    ax.set_aspect("equal")
    ax.spines[:].set_color("#e5e7eb")
    ax.spines[:].set_visible(True)
    return ax


def _scatter(ax: Axes, rows: pd.DataFrame, given: style.Kw, **own: object) -> object:
    # As pixels within an SVG: thousands of shapes are slow to draw.
    more = style.options(given, linewidths=0, alpha=0.8, rasterized=len(rows) > 1000, **own)
    return ax.scatter(rows["x"], rows["y"], **more)
