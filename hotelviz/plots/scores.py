"""Plots of scores: their distribution, against ratings, of one photo, and as orders of photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hotelviz.plots import style
from hotelviz.plots.display import Display
from hotelviz.schema import SCORES

#: With more photos their points would hide one another.
_MAX_POINTS = 2000


def score_distribution(
    histograms: pd.DataFrame | Mapping[str, pd.DataFrame],
    *,
    thresholds: Sequence[float] = (),
    value: str = "mean score",
    ax: Axes | None = None,
    stairs_kw: style.Kw = None,
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
    value : str, default "mean score"
        What is distributed, for the axis.
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
        style.check_columns(bins, ["low", "high", "count"], "score_distribution")
    ax = style.new_axes(ax, (6.6, 3.6))
    lines, told = {}, []
    for number, (name, bins) in enumerate(several.items()):
        total = int(bins["count"].sum())
        shares, edges = bins["count"] / max(total, 1), [*bins["low"], bins["high"].iloc[-1]]
        own = {
            "color": style.COLOURS[number % len(style.COLOURS)], "fill": len(several) == 1,
            "label": f"{style.label(name)} ({total:,} photos)", "linewidth": 1.6, "alpha": 0.85,
        }  # fmt: skip
        heights = shares.to_numpy() / np.diff(edges)
        lines[name] = ax.stairs(heights, edges, **style.options(stairs_kw, **own))
        mean = np.average((bins["low"] + bins["high"]) / 2, weights=shares + 1e-300)
        told.append(f"{name}: {total:,} photos, mean about {mean:.2f}")
    texts: dict[int, Any] = {}
    if len(thresholds):
        texts = _mark_thresholds(ax, next(iter(several.values())), sorted(thresholds))
        bounds = ", ".join(f"{bound:g}" for bound in sorted(thresholds))
        shown = ", ".join(text.get_text() for text in texts.values())
        told.append(f"shares by the thresholds {bounds}: {shown}")
    ax.set(xlabel=style.label(value), ylabel="share of photos per point")
    if len(several) > 1 and not texts:
        style.legend_above(ax, min(len(several), 3))
    elif len(several) > 1:
        ax.legend(frameon=False, fontsize=9)
    text = f"Distribution of scores. {'; '.join(told)}."
    return style.display(ax, text, lines_=lines, texts_=texts)


def _mark_thresholds(ax: Axes, bins: pd.DataFrame, bounds: Sequence[float]) -> dict[int, Any]:
    """Draw a line at each threshold, and write the shares of photos between them."""
    ends = np.array([bins["low"].iloc[0], *bounds, bins["high"].iloc[-1]], float)
    for bound in bounds:
        ax.axvline(bound, color=style.ORANGE, linestyle="--", linewidth=1)
    seen = ends.clip(*ax.get_xlim())
    middles, place = (seen[:-1] + seen[1:]) / 2, ax.get_xaxis_transform()
    own: dict[str, Any] = {"ha": "center", "fontsize": 9, "transform": place}
    shares = enumerate(shares_between(bins, bounds))
    return {number: ax.text(middles[number], 1.02, f"{one:.1%}", **own) for number, one in shares}


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

    Examples
    --------
    >>> bins = pd.DataFrame({"low": [4.0, 5.0], "high": [5.0, 6.0], "count": [10, 30]})
    >>> shares_between(bins, [4.5, 5.0])
    [0.125, 0.125, 0.75]
    """
    edges = np.array([*histogram["low"], histogram["high"].iloc[-1]])
    up_to = np.array([0.0, *histogram["count"].cumsum()])
    cuts = np.interp(sorted(thresholds), edges, up_to) / max(up_to[-1], 1.0)
    return [float(share) for share in np.diff([0.0, *cuts, 1.0])]


def score_limits(*scores: np.ndarray | pd.Series) -> tuple[float, float]:
    """Return the whole scores between which all lie: the limits of figures that are compared.

    Examples
    --------
    >>> score_limits(np.array([3.2, 5.0]), np.array([6.1]))
    (3.0, 7.0)
    """
    everything = np.concatenate([np.asarray(one, dtype=float) for one in scores])
    return float(np.floor(everything.min())), float(np.ceil(everything.max()))


def predicted_against_rated(
    rated: np.ndarray,
    predicted: np.ndarray,
    *,
    title: str = "",
    limits: tuple[float, float] | None = None,
    ax: Axes | None = None,
    scatter_kw: style.Kw = None,
    hexbin_kw: style.Kw = None,
) -> Display:
    """Draw predicted against rated mean scores; more than 2,000 photos as density.

    Parameters
    ----------
    rated, predicted : numpy.ndarray of shape (n_photos,)
        Mean scores of the same photos, 1 to 10.
    title : str, default ""
        The title of the axes.
    limits : tuple of float, optional
        The scores at which both axes begin and end; by default those that the photos need.
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
    ax = style.new_axes(ax, (4.8, 4.5))
    both = np.concatenate([rated, predicted])
    low, high = limits or (np.floor(both.min() * 2) / 2, np.ceil(both.max() * 2) / 2)
    photos: Any
    if len(rated) > _MAX_POINTS:
        own = style.options(hexbin_kw, gridsize=40, mincnt=1, bins="log", cmap="cividis")
        photos = ax.hexbin(rated, predicted, extent=(low, high, low, high), **own)
        style.figure_of(ax).colorbar(photos, ax=ax, label="photos")
    else:
        own = style.options(scatter_kw, s=12, color=style.BLUE, alpha=0.45, linewidths=0)
        photos = ax.scatter(rated, predicted, **own)
    (equal,) = ax.plot([low, high], [low, high], color=style.GREY, linewidth=1, linestyle="--")
    ax.set_title(style.drawn(title, longest=60))
    ax.set(xlabel="rated mean", ylabel="predicted mean")
    ax.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    return style.display(
        ax,
        f"{title + ': ' if title else ''}predicted against rated mean scores of "
        f"{len(rated):,} photos; ratings from {rated.min():.2f} to {rated.max():.2f}, predictions "
        f"from {predicted.min():.2f} to {predicted.max():.2f}.",
        lines_={"photos": photos, "equal": equal},
    )


def rating_bars(
    rated: np.ndarray | None,
    predicted: np.ndarray | None,
    *,
    ax: Axes | None = None,
    bar_kw: style.Kw = None,
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
    ax = style.new_axes(ax, (4.0, 2.4))
    scores = np.array(SCORES)
    sides = {"rated": (rated, style.GREY), "predicted": (predicted, style.BLUE)}
    known = {name: shares for name, (shares, _) in sides.items() if shares is not None}
    bars, told, width = {}, [], 0.8 / max(len(known), 1)
    for number, (name, shares) in enumerate(known.items()):
        mean = f"mean {scores @ shares:.2f}"
        own = style.options(bar_kw, color=sides[name][1], label=f"{name}, {mean}")
        bars[name] = ax.bar(scores - 0.4 + width * (number + 0.5), shares, width, **own)
        told.append(f"{name}: {mean}")
    ax.set(xlabel="score", ylabel="share", xticks=SCORES)
    style.legend_above(ax, 2)
    return style.display(ax, f"{'; '.join(told)}.", bars_=bars)


def hotel_orders(
    orders: pd.DataFrame,
    pictures: Mapping[str, np.ndarray],
    *,
    n_photos: int = 4,
    im_kw: style.Kw = None,
) -> Display:
    """Draw the first photos of a hotel in several orders, a row for each.

    Parameters
    ----------
    orders : pandas.DataFrame
        From `hotelviz.ranking.orders_by_models` or `hotelviz.ranking.current_and_new`.
    pictures : mapping of str to numpy.ndarray
        ``image_id`` -> pixels, uint8 (height, width, 3); cut to the format 4:3. Photos that are
        not among them are grey.
    n_photos : int, default 4
        How many of each order.
    im_kw : dict, optional
        Further arguments of ``Axes.imshow``.

    Returns
    -------
    Display
        ``images_`` and ``texts_`` by order and place from 1, such as ``("today", 1)``.

    Examples
    --------
    >>> orders = pd.DataFrame({"order": ["first", "second"], "image_id": "a", "score": [5.0, 6.0],
    ...                        "rank": 1, "photos": 1, "move": ["", "="]})
    >>> display = hotel_orders(orders, {"a": np.zeros((3, 4, 3), "uint8")})
    >>> print(display.texts_["second", 1].get_text())
    rank 1/1  =
    predicted 6.000
    """
    needed = ["order", "image_id", "score", "rank", "photos", "move"]
    style.check_columns(orders, needed, "hotel_orders")
    shown = orders[orders["rank"] <= n_photos]
    names = list(shown["order"].unique())
    width = int(shown["rank"].max())
    figure = style.new_figure((1.6 * width, 1.8 * len(names)))
    axes = figure.subplots(len(names), width, squeeze=False)
    style.bare_axes(axes)
    images, texts = {}, {}
    for row in shown[needed].to_dict("records"):
        place = row["order"], row["rank"]
        ax: Axes = axes[names.index(row["order"]), row["rank"] - 1]
        pixels = pictures.get(str(row["image_id"]), np.full((3, 4, 3), 229, "uint8"))
        images[place] = ax.imshow(_four_by_three(pixels), **style.options(im_kw))
        score = "no score" if pd.isna(row["score"]) else f"predicted {row['score']:.3f}"
        text = f"rank {row['rank']}/{row['photos']}  {row['move']}".rstrip()
        colour = {"▲": style.GREEN, "▼": style.ORANGE}.get(row["move"][:1], "black")
        texts[place] = ax.set_xlabel(f"{text}\n{score}", fontsize=9, color=colour, labelpad=3)
    told = []
    for number, name in enumerate(names):
        first = shown[shown["order"] == name].iloc[0]
        axes[number, 0].set_title(style.label(name), loc="left", fontsize=11, fontweight="bold")
        score = "" if pd.isna(first["score"]) else f", predicted {first['score']:.3f}"
        told.append(f"{style.readable(name)}: {first['image_id']} first{score}")
    text = f"The first {width} photos of a hotel in {len(names)} orders. {'; '.join(told)}."
    return style.display(axes, text, photographic=True, images_=images, texts_=texts)


def _four_by_three(pixels: np.ndarray) -> np.ndarray:
    """Return the middle of a picture, in the format 4:3."""
    height, width = pixels.shape[:2]
    tall, wide = min(height, round(width * 3 / 4)), min(width, round(height * 4 / 3))
    top, left = (height - tall) // 2, (width - wide) // 2
    return pixels[top : top + max(tall, 1), left : left + max(wide, 1)]
