"""Displays of scores: their distribution, against ratings, and of one photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hotelviz.plots.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    check_columns,
    drawn,
    figure_of,
    finish,
    new_axes,
    readable,
)

_COLOURS = (BLUE, ORANGE, GREEN, GREY, "#cc79a7", "#e69f00")


def score_distribution(
    histograms: pd.DataFrame | Mapping[str, pd.DataFrame],
    *,
    thresholds: Sequence[float] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw the distribution of scores from counts, however many photos were counted.

    Parameters
    ----------
    histograms
        ``low``, ``high`` (bounds of the bin) and ``count``, as `hotelviz.scores.Scores.histogram`
        gives them; or several by name, of models or sources, each drawn as shares of its photos.
    thresholds
        Scores to mark, with the share of photos up to the first, above the last and in between.
    ax
        Where to draw; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> bins = pd.DataFrame({"low": [4.0, 5.0], "high": [5.0, 6.0], "count": [10, 30]})
    >>> ax = score_distribution(bins, thresholds=[5.0])
    >>> plt.close(ax.figure)
    """
    several = histograms if isinstance(histograms, Mapping) else {"photos": histograms}
    ax = new_axes(ax, (8.0, 3.8))
    texts = []
    for number, (name, bins) in enumerate(several.items()):
        check_columns(bins, ["low", "high", "count"], "score_distribution")
        total = int(bins["count"].sum())
        density = bins["count"] / max(total, 1) / (bins["high"] - bins["low"])
        edges = [*bins["low"], bins["high"].iloc[-1]]
        ax.stairs(
            density, edges, fill=len(several) == 1, linewidth=1.6,
            color=_COLOURS[number % len(_COLOURS)], alpha=0.85,
            # A label that begins with a line would not be in the legend.
            label=f"{drawn(readable(name))} ({total:,} photos)",
        )  # fmt: skip
        middle = (bins["low"] + bins["high"]) / 2
        mean = float((middle * bins["count"]).sum() / max(total, 1))
        texts.append(f"{name}: {total:,} photos, mean about {mean:.2f}")
    first = next(iter(several.values()))
    bounds = sorted(thresholds)
    if bounds:
        shares = shares_between(first, bounds)
        ends = [float(first["low"].iloc[0]), *bounds, float(first["high"].iloc[-1])]
        for bound in bounds:
            ax.axvline(bound, color=ORANGE, linestyle="--", linewidth=1)
        for share, left, right in zip(shares, ends[:-1], ends[1:], strict=True):
            ax.text(
                (max(left, ax.get_xlim()[0]) + min(right, ax.get_xlim()[1])) / 2, 1.02,
                f"{share:.1%}", transform=ax.get_xaxis_transform(), ha="center", fontsize=9,
            )  # fmt: skip
        texts.append(
            "shares by the thresholds "
            f"{', '.join(f'{bound:g}' for bound in bounds)}: "
            f"{', '.join(f'{share:.1%}' for share in shares)}"
        )
    ax.set_xlabel("mean score")
    ax.set_ylabel("share of photos per point")
    ax.spines[["top", "right"]].set_visible(False)
    if len(several) > 1:
        ax.legend(frameon=False, fontsize=9)
    finish(figure_of(ax), f"Distribution of scores. {'; '.join(texts)}.")
    return ax


def shares_between(histogram: pd.DataFrame, thresholds: Sequence[float]) -> list[float]:
    """Give the shares of photos up to the first threshold, between them, and above the last.

    A bin that a threshold cuts is divided as if its photos lay evenly in it.
    """
    edges = np.array([*histogram["low"], histogram["high"].iloc[-1]])
    up_to = np.concatenate([[0.0], np.cumsum(histogram["count"].to_numpy(dtype=float))])
    total = max(up_to[-1], 1.0)
    cuts = np.interp(sorted(thresholds), edges, up_to) / total
    return np.diff([0.0, *cuts, 1.0]).tolist()


def predicted_against_rated(
    rated: np.ndarray, predicted: np.ndarray, *, title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw predicted against rated mean scores, many photos as density.

    Parameters
    ----------
    rated, predicted
        Mean scores of the same photos, 1 to 10.
    title
        Of the axes.
    ax
        Where to draw; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> ax = predicted_against_rated(np.array([4.0, 6.0]), np.array([5.0, 5.5]))
    >>> plt.close(ax.figure)
    """
    ax = new_axes(ax, (4.8, 4.5))
    both = np.concatenate([rated, predicted])
    low, high = np.floor(both.min() * 2) / 2, np.ceil(both.max() * 2) / 2
    if len(rated) > 2000:
        cells = ax.hexbin(
            rated, predicted, gridsize=40, extent=(low, high, low, high), mincnt=1, bins="log",
            cmap="cividis",
        )  # fmt: skip
        figure_of(ax).colorbar(cells, ax=ax, label="photos")
    else:
        ax.scatter(rated, predicted, s=12, color=BLUE, alpha=0.45, linewidths=0)
    ax.plot([low, high], [low, high], color=GREY, linewidth=1, linestyle="--")
    ax.set_title(drawn(title, longest=60))
    ax.set(xlabel="rated mean", ylabel="predicted mean", xlim=(low, high), ylim=(low, high),
           aspect="equal")  # fmt: skip
    ax.spines[["top", "right"]].set_visible(False)
    finish(
        figure_of(ax),
        f"{title + ': ' if title else ''}predicted against rated mean scores of "
        f"{len(rated):,} photos; ratings from {rated.min():.2f} to {rated.max():.2f}, predictions "
        f"from {predicted.min():.2f} to {predicted.max():.2f}.",
    )
    return ax


def rating_bars(
    rated: np.ndarray | None, predicted: np.ndarray | None, *, ax: Axes | None = None
) -> Axes:
    """Draw the distribution of the scores of one photo, rated beside predicted.

    Parameters
    ----------
    rated, predicted
        Ten shares each; None for one that is not known.
    ax
        Where to draw; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> ax = rating_bars(np.eye(10)[4], np.full(10, 0.1))
    >>> plt.close(ax.figure)
    """
    ax = new_axes(ax, (4.0, 2.4))
    sides = [
        (name, colour, shares)
        for name, colour, shares in (("rated", GREY, rated), ("predicted", BLUE, predicted))
        if shares is not None
    ]
    for number, (name, colour, shares) in enumerate(sides):
        width = 0.8 / len(sides)
        places = np.arange(1, 11) - 0.4 + width * (number + 0.5)
        mean = float(np.arange(1, 11) @ shares)
        ax.bar(places, shares, width, color=colour, label=f"{name}, mean {mean:.2f}")
    ax.set(xlabel="score", ylabel="share", xticks=range(1, 11))
    ax.legend(frameon=False, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    finish(
        figure_of(ax),
        "; ".join(
            f"{name}: mean {float(np.arange(1, 11) @ shares):.2f}" for name, _, shares in sides
        )
        + ".",
    )
    return ax
