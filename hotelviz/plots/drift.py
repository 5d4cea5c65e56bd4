"""Plots of two deliveries of photos: how far columns are apart, and how they are distributed."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from hotelviz.plots import style
from hotelviz.plots.display import Display

#: Inches: narrow enough for a phone to show the letters.
_WIDTH = 5.0
#: What is known of a column -> colour, marker and how it is called; shapes tell them apart, too.
_SHIFTS: dict[str, dict[str, Any]] = {
    "changed": {"color": style.ORANGE, "marker": "D", "label": "changed"},
    "no measurable change": {"color": style.GREY, "marker": "o", "label": "no measurable change"},
    "not enough photos": {
        "color": style.GREY, "marker": "o", "markerfacecolor": "white",
        "label": "not enough photos",
    },
}  # fmt: skip


def drift_distances(
    columns: pd.DataFrame,
    *,
    margin: float,
    ax: Axes | None = None,
    line_kw: style.Kw = None,
) -> Display:
    """Draw how far the columns of two deliveries are apart, with intervals over hotels.

    Parameters
    ----------
    columns : pandas.DataFrame
        The table of `hotelviz.metrics.column_drift` or `hotelviz.metrics.score_drift`.
    margin : float
        Smaller distances do not matter: shaded.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure.
    line_kw : dict, optional
        Further arguments of ``Axes.errorbar``.

    Returns
    -------
    Display
        ``lines_`` has the point of each column with its interval, by its name.

    Examples
    --------
    >>> columns = pd.DataFrame({"column": ["brightness"], "distance": [0.4], "low": [0.3],
    ...                         "high": [0.5], "change": ["changed"]})
    >>> drawn = drift_distances(columns, margin=0.1)
    >>> float(drawn.lines_["brightness"][0].get_xdata()[0])
    0.4
    """
    needs = ["column", "distance", "low", "high", "change"]
    style.check_columns(columns, needs, "drift_distances")
    ax = style.new_axes(ax, (_WIDTH, 1.4 + 0.34 * len(columns)), grid="x")
    ax.axvspan(0, margin, color="#eceff3", zorder=0)
    rows = columns[["distance", "low", "high"]].set_index(columns["column"])
    lines = style.interval_rows(ax, rows, columns["change"], _SHIFTS, line_kw)
    ax.set_yticks(range(len(columns)), [style.label(name) for name in columns["column"]])
    ax.set_xlabel("distance (0 equal, 1 nothing in common)")
    ax.set_xlim(0, min(1.02, 1.05 * columns["high"].max() + 0.02))
    told = "; ".join(
        f"{style.readable(row['column'])} {row['distance']:.3g} ({row['low']:.3g} to "
        f"{row['high']:.3g}), {row['change']}"
        for _, row in columns.iterrows()
    )
    return style.display(ax, f"Distances with 95 % intervals: {told}", lines_=lines)


def distribution_change(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    *,
    xlabel: str = "score",
    names: tuple[str, str] = ("reference", "current"),
    ax: Axes | None = None,
    reference_kw: style.Kw = None,
    current_kw: style.Kw = None,
) -> Display:
    """Draw how a number is distributed in two deliveries, as shares of the photos of each.

    Parameters
    ----------
    reference, current : pandas.DataFrame
        ``low``, ``high``, ``count`` of the same bins, as `hotelviz.scores.bin_scores` returns them.
    xlabel : str, default "score"
        The name of the number.
    names : tuple of str, default ("reference", "current")
        What the deliveries are called.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure.
    reference_kw, current_kw : dict, optional
        Further arguments of ``Axes.stairs``.

    Returns
    -------
    Display
        ``bars_`` has ``reference`` and ``current``.

    Examples
    --------
    >>> counts = pd.DataFrame({"low": [0.0, 0.5], "high": [0.5, 1.0], "count": [30, 10]})
    >>> drawn = distribution_change(counts, counts.assign(count=[10, 10]), xlabel="brightness")
    >>> drawn.bars_["reference"].get_data().values.tolist()
    [0.75, 0.25]
    """
    needs, sides = ["low", "high", "count"], (reference, current)
    for one in sides:
        style.check_columns(one, needs, "distribution_change")
    ax = style.new_axes(ax, (_WIDTH, 2.6), grid="y")
    looks: list[dict[str, Any]] = [
        {"color": style.GREY, "fill": True, "alpha": 0.35},
        {"color": style.ORANGE, "linewidth": 1.8},
    ]  # fmt: skip
    bars: dict[str, Any] = {}
    told = []
    for which, one, given, look, name in zip(
        ("reference", "current"), sides, (reference_kw, current_kw), looks, names, strict=True
    ):
        shares = one["count"].to_numpy(float) / max(1, one["count"].sum())
        edges = [*one["low"], one["high"].iloc[-1]]
        own = {**look, "label": style.label(name, longest=40)}
        bars[which] = ax.stairs(shares, edges, **style.options(given, **own))
        top = one.iloc[int(shares.argmax())]
        told.append(f"{name}: most, {shares.max():.0%}, from {top['low']:.3g} to {top['high']:.3g}")
    ax.yaxis.set_major_locator(MaxNLocator(nbins=4))
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    ax.set(xlabel=style.label(xlabel), ylabel="photos")
    style.legend_above(ax, 1 if max(map(len, names)) > 20 else 2)
    return style.display(ax, f"{style.readable(xlabel)} in two deliveries. {'; '.join(told)}",
                         bars_=bars)  # fmt: skip
