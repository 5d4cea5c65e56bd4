"""Plots of what maps show, and of whether they can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hotelviz.plots import style
from hotelviz.plots.display import Display

if TYPE_CHECKING:
    from hotelviz.attribution import Confusion


def map_sheet(
    pixels: np.ndarray,
    maps: Mapping[str, np.ndarray],
    *,
    captions: Sequence[str] = (),
    text: str = "",
    im_kw: style.Kw = None,
) -> Display:
    """Draw photos beside their maps, a row per photo; with more maps than that, below them.

    Parameters
    ----------
    pixels : numpy.ndarray of shape (n_photos, height, width, 3)
        The photos, uint8.
    maps : dict of str to numpy.ndarray of shape (n_photos, height, width)
        Maps of `hotelviz.attribution.explain` by name, 0 to 1.
    captions : sequence of str, default ()
        One for each photo.
    text : str, default ""
        What is shown, as the alternative text; by default the names of maps and photos.
    im_kw : dict, optional
        Further arguments of ``Axes.imshow``.

    Returns
    -------
    Display
        ``axes_`` has a row per photo, wherever it is drawn; ``images_`` has those of ``photo`` and
        of each map as lists.

    Examples
    --------
    >>> drawn = map_sheet(np.zeros((1, 8, 8, 3), "uint8"), {"cam": np.zeros((1, 8, 8))})
    >>> sorted(drawn.images_)
    ['cam', 'photo']
    """
    from hotelviz.attribution import overlay

    n_photos, n_columns = max(1, len(pixels)), 1 + len(maps)
    # Many methods go down the page: each photo stays large enough to see what is marked.
    down = n_columns > max(4, n_photos)
    n_across, n_down = (n_photos, n_columns) if down else (n_columns, n_photos)
    figure = style.new_figure((1.12 * n_across + 0.6, 1.12 * n_down + 0.4))
    axes = figure.subplots(n_down, n_across, squeeze=False)
    axes = axes.T if down else axes
    style.bare_axes(axes)
    images = {"photo": style.show_pictures(axes[:, 0], pixels, im_kw)}
    for column, (name, values) in zip(axes.T[1:], maps.items(), strict=True):
        images[name] = style.show_pictures(column, map(overlay, pixels, values), im_kw)
        for ax, one in zip(column, values, strict=False):
            if not one.any():
                place = {"ha": "center", "va": "center", "transform": ax.transAxes}
                ax.text(0.5, 0.5, "nothing", color="white", fontsize=9, **place)
    above, beside = (captions, images) if down else (images, captions)
    top, left = (axes[:, 0], axes[0]) if down else (axes[0], axes[:, 0])
    for ax, caption in zip(left, beside, strict=False):
        own = {"rotation": 0, "ha": "right", "va": "center", "fontsize": 9}
        ax.set_ylabel(style.drawn_lines(caption, 16), **own)
    for ax, name in zip(top, above, strict=False):
        ax.set_title(style.drawn_lines(name, 18), fontsize=9)
    told = f"{len(pixels)} photos with their maps by {', '.join(maps)}: {'; '.join(captions)}"
    text = text or told
    return style.display(axes, text, photographic=True, images_=images)


def confusion_sheet(confusion: Confusion, pixels: np.ndarray, *, im_kw: style.Kw = None) -> Display:
    """Draw photos of a confusion with what speaks for either class, and for one of them only.

    Parameters
    ----------
    confusion : hotelviz.attribution.Confusion
        The result of `hotelviz.attribution.explain_confusion`.
    pixels : numpy.ndarray of shape (n_photos, height, width, 3)
        The first of its photos, uint8, as many as are to be drawn.
    im_kw : dict, optional
        Further arguments of ``Axes.imshow``.

    Returns
    -------
    Display
        As of `map_sheet`.

    Examples
    --------
    >>> from hotelviz.attribution import Confusion
    >>> maps = {name: np.zeros((1, 8, 8)) for name in ("predicted", "true", "difference")}
    >>> photos = pd.DataFrame({"path": ["a.jpg"]})
    >>> found = Confusion("Pool", "Bathroom", photos, maps)
    >>> sorted(confusion_sheet(found, np.zeros((1, 8, 8, 3), "uint8")).images_)
    ['Bathroom, not Pool', 'for Bathroom', 'for Pool', 'photo']
    """
    true, predicted = map(style.readable, (confusion.true, confusion.predicted))
    names = {
        "predicted": f"for {predicted}",
        "true": f"for {true}",
        "difference": f"{predicted}, not {true}",
    }
    maps = {name: confusion.maps[key][: len(pixels)] for key, name in names.items()}
    text = (
        f"{len(pixels)} of {len(confusion.photos)} photos of {true} that are predicted as "
        f"{predicted}: what speaks for either class, and for {predicted} rather than {true}."
    )
    return map_sheet(pixels, maps, text=text, im_kw=im_kw)


def deletion_curves(
    curves: Mapping[str, pd.DataFrame],
    *,
    axes: Sequence[Axes] | None = None,
    line_kw: style.Kw = None,
) -> Display:
    """Draw how the value changes while a photo is hidden, and while it is uncovered.

    Parameters
    ----------
    curves : dict of str to pandas.DataFrame
        The tables of `hotelviz.attribution.deletion_insertion` by method.
    axes : sequence of two matplotlib.axes.Axes, optional
        The axes of deletion and insertion; by default those of a new figure.
    line_kw : dict, optional
        Further arguments of ``Axes.plot``.

    Returns
    -------
    Display
        ``lines_`` has the mean over the photos as ``deletion <method>`` and ``insertion <method>``;
        ``random`` is random order.

    Examples
    --------
    >>> curves = pd.DataFrame({"photo": 0, "check": ["deletion"] * 4 + ["insertion"] * 4,
    ...                        "order": ["map", "map", "random", "random"] * 2,
    ...                        "share": [0.0, 1.0] * 4, "value": [1, 0, 1, 1, 0, 1, 0, 0]})
    >>> sorted(deletion_curves({"cam": curves}).lines_)
    ['deletion cam', 'deletion random', 'insertion cam', 'insertion random']
    """
    panels = np.array(
        style.new_figure((6.4, 2.6)).subplots(1, 2, sharey=True) if axes is None else axes
    )
    lines = {}
    for ax, (check, what, better) in zip(
        panels, (("deletion", "hidden", "lower"), ("insertion", "uncovered", "higher")), strict=True
    ):
        means = {
            method: table[table["check"] == check].pivot_table("value", "share", "order")
            for method, table in curves.items()
        }
        first = next(iter(means.values()))["random"]
        own: dict[str, Any] = {"color": style.GREY, "linestyle": "--", "label": "random"}
        (lines[f"{check} random"],) = ax.plot(first, **own)
        for number, (method, mean) in enumerate(means.items()):
            colour = style.COLOURS[number % len(style.COLOURS)]
            own = style.options(line_kw, color=colour, label=style.label(method))
            (lines[f"{check} {method}"],) = ax.plot(mean["map"], **own)
        ax.set(title=f"{check}: {better} is better", xlabel=f"share of the photo {what}")
        style.open_axes(ax)
    panels[0].set_ylabel("probability or score")
    # Beside them: curves may run anywhere.
    panels[1].legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.02, 0.5))
    text = f"Deletion and insertion curves of {', '.join(curves)} against random order"
    return style.display(panels, text, lines_=lines)
