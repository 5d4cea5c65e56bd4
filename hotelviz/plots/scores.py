"""Plots of scores: their distribution, against ratings, and of one photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hotelviz.plots.display import Display
from hotelviz.plots.style import (
    BLUE,
    COLOURS,
    GREY,
    ORANGE,
    check_columns,
    drawn,
    figure_of,
    finish,
    new_axes,
    readable,
)
from hotelviz.schema import SCORES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: With more photos their points would hide one another.
_MAX_POINTS = 2000


def score_distribution(
    histograms: pd.DataFrame | Mapping[str, pd.DataFrame],
    *,
    thresholds: Sequence[float] = (),
    ax: Axes | None = None,
    stairs_kw: Mapping[str, Any] | None = None,
) -> Display:
    """Draw the distribution of scores from counts, however many photos were counted.

    Parameters
    ----------
    histograms : pandas.DataFrame or dict of str to pandas.DataFrame
        ``low``, ``high`` (bounds of the bin) and ``count``, the table of
        `hotelviz.scores.Scores.histogram`; or several by name, of models or sources, each drawn as
        shares of its photos.
    thresholds : sequence of float, default ()
        Scores to mark, with the share of photos up to the first, above the last and in between.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure.
    stairs_kw : dict, optional
        Further arguments of ``Axes.stairs``.

    Returns
    -------
    Display
        ``lines_`` has the outline of each histogram, ``texts_`` the share of photos between the
        thresholds, by number from 0.

    Examples
    --------
    >>> bins = pd.DataFrame({"low": [4.0, 5.0], "high": [5.0, 6.0], "count": [10, 30]})
    >>> score_distribution(bins, thresholds=[5.0]).texts_[1].get_text()
    '75.0%'
    """
    several = histograms if isinstance(histograms, Mapping) else {"photos": histograms}
    for bins in several.values():
        check_columns(bins, ["low", "high", "count"], "score_distribution")
    ax = new_axes(ax, (8.0, 3.8))
    lines, told = {}, []
    for number, (name, bins) in enumerate(several.items()):
        total = int(bins["count"].sum())
        shares = bins["count"] / max(total, 1)
        lines[name] = ax.stairs(
            shares / (bins["high"] - bins["low"]), [*bins["low"], bins["high"].iloc[-1]],
            **{"fill": len(several) == 1, "linewidth": 1.6, "alpha": 0.85,
               "color": COLOURS[number % len(COLOURS)],
               # A label that begins with an underscore would not be in the legend.
               "label": f"{drawn(readable(name))} ({total:,} photos)", **(stairs_kw or {})},
        )  # fmt: skip
        mean = np.average((bins["low"] + bins["high"]) / 2, weights=shares + 1e-300)
        told.append(f"{name}: {total:,} photos, mean about {mean:.2f}")
    texts: dict[int, Any] = {}
    if len(thresholds):
        texts = _mark_thresholds(ax, next(iter(several.values())), sorted(thresholds))
        bounds = ", ".join(f"{bound:g}" for bound in sorted(thresholds))
        shown = ", ".join(text.get_text() for text in texts.values())
        told.append(f"shares by the thresholds {bounds}: {shown}")
    ax.set(xlabel="mean score", ylabel="share of photos per point")
    if len(several) > 1:
        ax.legend(frameon=False, fontsize=9)
    finish(figure_of(ax), f"Distribution of scores. {'; '.join(told)}.")
    return Display(figure_of(ax), np.array([ax]), lines_=lines, texts_=texts)


def _mark_thresholds(ax: Axes, bins: pd.DataFrame, bounds: Sequence[float]) -> dict[int, Any]:
    """Draw a line at each threshold, and write the shares of photos between them."""
    ends = np.array([bins["low"].iloc[0], *bounds, bins["high"].iloc[-1]], float)
    for bound in bounds:
        ax.axvline(bound, color=ORANGE, linestyle="--", linewidth=1)
    seen = ends.clip(*ax.get_xlim())
    return {
        number: ax.text(
            seen[number : number + 2].mean(), 1.02, f"{share:.1%}", ha="center", fontsize=9,
            transform=ax.get_xaxis_transform(),
        )
        for number, share in enumerate(shares_between(bins, bounds))
    }  # fmt: skip


def shares_between(histogram: pd.DataFrame, thresholds: Sequence[float]) -> list[float]:
    """Return the shares of photos up to the first threshold, between them, and above the last.

    A bin that a threshold cuts is divided as if its photos lay evenly in it.

    Parameters
    ----------
    histogram : pandas.DataFrame
        ``low``, ``high`` and ``count`` of each bin.
    thresholds : sequence of float
        Scores, in any order.

    Returns
    -------
    list of float
        One more than there are thresholds; they sum to 1.
    """
    edges = np.array([*histogram["low"], histogram["high"].iloc[-1]])
    up_to = np.concatenate([[0.0], np.cumsum(histogram["count"].to_numpy(dtype=float))])
    cuts = np.interp(sorted(thresholds), edges, up_to) / max(up_to[-1], 1.0)
    return [float(share) for share in np.diff([0.0, *cuts, 1.0])]


def predicted_against_rated(
    rated: np.ndarray,
    predicted: np.ndarray,
    *,
    title: str = "",
    ax: Axes | None = None,
    scatter_kw: Mapping[str, Any] | None = None,
    hexbin_kw: Mapping[str, Any] | None = None,
) -> Display:
    """Draw predicted against rated mean scores; more than 2,000 photos as density.

    Parameters
    ----------
    rated, predicted : numpy.ndarray of shape (n_photos,)
        Mean scores of the same photos, 1 to 10.
    title : str, default ""
        The title of the axes.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure.
    scatter_kw, hexbin_kw : dict, optional
        Further arguments of ``Axes.scatter`` and ``Axes.hexbin``.

    Returns
    -------
    Display
        ``lines_`` has ``photos`` (points or hexagons) and ``equal``, where both agree.

    Examples
    --------
    >>> display = predicted_against_rated(np.array([4.0, 6.0]), np.array([5.0, 5.5]))
    >>> display.lines_["photos"].get_offsets().tolist()
    [[4.0, 5.0], [6.0, 5.5]]
    """
    ax = new_axes(ax, (4.8, 4.5))
    both = np.concatenate([rated, predicted])
    low, high = np.floor(both.min() * 2) / 2, np.ceil(both.max() * 2) / 2
    photos: Any
    if len(rated) > _MAX_POINTS:
        photos = ax.hexbin(
            rated, predicted, extent=(low, high, low, high),
            **{"gridsize": 40, "mincnt": 1, "bins": "log", "cmap": "cividis", **(hexbin_kw or {})},
        )  # fmt: skip
        figure_of(ax).colorbar(photos, ax=ax, label="photos")
    else:
        photos = ax.scatter(
            rated, predicted,
            **{"s": 12, "color": BLUE, "alpha": 0.45, "linewidths": 0, **(scatter_kw or {})},
        )  # fmt: skip
    (equal,) = ax.plot([low, high], [low, high], color=GREY, linewidth=1, linestyle="--")
    ax.set_title(drawn(title, longest=60))
    ax.set(xlabel="rated mean", ylabel="predicted mean", xlim=(low, high), ylim=(low, high),
           aspect="equal")  # fmt: skip
    finish(
        figure_of(ax),
        f"{title + ': ' if title else ''}predicted against rated mean scores of "
        f"{len(rated):,} photos; ratings from {rated.min():.2f} to {rated.max():.2f}, predictions "
        f"from {predicted.min():.2f} to {predicted.max():.2f}.",
    )
    lines = {"photos": photos, "equal": equal}
    return Display(figure_of(ax), np.array([ax]), lines_=lines)


def rating_bars(
    rated: np.ndarray | None,
    predicted: np.ndarray | None,
    *,
    ax: Axes | None = None,
    bar_kw: Mapping[str, Any] | None = None,
) -> Display:
    """Draw the distribution of the scores of one photo, rated beside predicted.

    Parameters
    ----------
    rated, predicted : numpy.ndarray of shape (10,) or None
        The share of each score; None where it is not known.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure.
    bar_kw : dict, optional
        Further arguments of ``Axes.bar``.

    Returns
    -------
    Display
        ``bars_`` has ``rated`` and ``predicted``, as far as they are known.

    Examples
    --------
    >>> display = rating_bars(np.eye(10)[4], np.full(10, 0.1))
    >>> display.bars_["rated"].get_label()
    'rated, mean 5.00'
    """
    ax = new_axes(ax, (4.0, 2.4))
    scores = np.array(SCORES)
    sides = {
        name: (colour, shares, float(scores @ shares))
        for name, colour, shares in (("rated", GREY, rated), ("predicted", BLUE, predicted))
        if shares is not None
    }
    width = 0.8 / max(len(sides), 1)
    bars = {
        name: ax.bar(
            scores - 0.4 + width * (number + 0.5), shares, width,
            **{"color": colour, "label": f"{name}, mean {mean:.2f}", **(bar_kw or {})},
        )
        for number, (name, (colour, shares, mean)) in enumerate(sides.items())
    }  # fmt: skip
    ax.set(xlabel="score", ylabel="share", xticks=SCORES)
    ax.legend(frameon=False, fontsize=8)
    told = "; ".join(f"{name}: mean {mean:.2f}" for name, (_, _, mean) in sides.items())
    finish(figure_of(ax), f"{told}.")
    return Display(figure_of(ax), np.array([ax]), bars_=bars)
