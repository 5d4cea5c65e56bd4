"""Plots of selective classification: how right the surest tags are, and sets of classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, PercentFormatter

from hotelviz.plots import style
from hotelviz.plots.display import Display

#: Inches: text of 9 points is still 9 pixels high where a page is 400 pixels wide.
_WIDTH = 5.0


def coverage_curve(
    curve: pd.DataFrame,
    *,
    threshold: float | None = None,
    precision: float | None = None,
    ax: Axes | None = None,
    line_kw: style.Kw = None,
    fill_kw: style.Kw = None,
) -> Display:
    """Draw how many of the surest tags are right, against how many photos these are.

    Parameters
    ----------
    curve : pandas.DataFrame
        The table of `hotelviz.metrics.coverage_accuracy`.
    threshold : float, optional
        A confidence to mark: where tags less sure are left out. Of NaN nothing is marked.
    precision : float, optional
        The wished share of right tags, drawn as a line.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure.
    line_kw, fill_kw : dict, optional
        Further arguments of ``Axes.plot`` and ``Axes.fill_between`` for the curve and its interval.

    Returns
    -------
    Display
        ``lines_`` has ``model``, ``interval``, and ``wished`` and ``threshold`` where they are
        drawn.

    Examples
    --------
    >>> curve = pd.DataFrame({"threshold": [0.9, 0.5], "coverage": [0.5, 1.0],
    ...                       "accuracy": [1.0, 0.75], "low": [0.8, 0.6], "high": [1.0, 0.9]})
    >>> sorted(coverage_curve(curve, threshold=0.7, precision=0.95).lines_)
    ['interval', 'model', 'threshold', 'wished']
    """
    columns = ["threshold", "coverage", "accuracy", "low", "high"]
    style.check_columns(curve, columns, "coverage_curve")
    ax = style.new_axes(ax, (_WIDTH, 3.6), grid="both")
    coverage, accuracy = curve["coverage"], curve["accuracy"]
    own = style.options(
        fill_kw, color=style.BLUE, alpha=0.15, linewidth=0, label="95 % interval over hotels"
    )
    band = ax.fill_between(coverage, curve["low"], curve["high"], **own)
    own = style.options(line_kw, color=style.BLUE, linewidth=1.5, label="right among them")
    (model,) = ax.plot(coverage, accuracy, **own)
    lines = {"model": model, "interval": band}
    last = curve.iloc[-1]
    text = f"Of all photos {last['accuracy']:.1%} are right"
    half = curve.iloc[int((coverage - 0.5).abs().to_numpy().argmin())]
    text += f", of the surest {half['coverage']:.0%} {half['accuracy']:.1%}"
    if precision is not None:
        thin: dict[str, Any] = {"color": style.GREY, "linestyle": "--", "linewidth": 1}
        lines["wished"] = ax.axhline(precision, **thin, label=f"wished: {100 * precision:g} %")
    answered = curve[curve["threshold"] >= threshold] if threshold is not None else curve[:0]
    if len(answered):
        place = answered.iloc[-1]
        (lines["threshold"],) = ax.plot(
            place["coverage"], place["accuracy"], "o", color=style.ORANGE,
            label=f"confidence at least {threshold:.2f}",
        )  # fmt: skip
        text += (
            f"; with a confidence of at least {threshold:.2f} {place['coverage']:.0%} of the "
            f"photos are answered, {place['accuracy']:.1%} of them right"
        )
    # Without the wide intervals of the very few surest.
    floor = min(curve.loc[coverage >= 0.1, "low"].min(), precision or 1.0)
    ax.set(xlim=(0, 1.01), ylim=(max(0.0, np.floor(20 * floor) / 20), 1.005))
    ax.set(xlabel="photos answered, the surest first", ylabel="share that is right")
    for axis in (ax.xaxis, ax.yaxis):
        # Whole per cents.
        axis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    style.legend_above(ax, 2)
    return style.display(ax, f"{text}.", lines_=lines)


def set_sizes(figures: pd.DataFrame, *, ax: Axes | None = None, bar_kw: style.Kw = None) -> Display:
    """Draw how many classes the sets of photos hold, and how often the true one is in them.

    Parameters
    ----------
    figures : pandas.DataFrame
        The table of `hotelviz.metrics.conformal_figures` by ``size``.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure.
    bar_kw : dict, optional
        Further arguments of ``Axes.barh``.

    Returns
    -------
    Display
        ``bars_`` has ``hold it`` and ``miss it``, ``texts_`` what is written at each bar, by size.

    Examples
    --------
    >>> from hotelviz.metrics import conformal_figures
    >>> sets = pd.DataFrame({"a": [True, True], "b": [False, True]})
    >>> sizes = conformal_figures(pd.DataFrame({"label": ["a", "b"]}), sets, by="size")
    >>> set_sizes(sizes).texts_[2].get_text()
    '1 photo, 100 % hold it'
    """
    style.check_columns(figures, ["n_photos", "share", "coverage", "mean_size"], "set_sizes")
    sizes = figures.drop(index="all photos", errors="ignore")
    ax = style.new_axes(ax, (_WIDTH, 1.3 + 0.34 * len(sizes)), grid="x")
    places, held = range(len(sizes)), sizes["share"] * sizes["coverage"]
    bars = {}
    for name, colour, left, width in (
        ("hold it", style.BLUE, 0, held),
        ("miss it", style.ORANGE, held, sizes["share"] - held),
    ):
        own = style.options(bar_kw, color=colour, height=0.7, label=f"sets that {name}")
        bars[name] = ax.barh(places, width, left=left, **own)
    words = [
        f"{n:,} photo{'s' if n != 1 else ''}, {coverage:.0%} hold it".replace("%", " %")
        for n, coverage in zip(sizes["n_photos"], sizes["coverage"], strict=True)
    ]
    written = ax.bar_label(bars["miss it"], words, padding=4, fontsize=9)
    ax.set_yticks(places, [str(size) for size in sizes.index])
    ax.invert_yaxis()
    ax.set(ylabel="areas in the set", xlabel="share of the photos")
    ax.set_xlim(0, max(1.0, 1.55 * sizes["share"].max()))
    # Beyond all photos there is only text.
    ax.xaxis.set_major_locator(FixedLocator(np.linspace(0, 1, 6).tolist()))
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    style.legend_above(ax, 2)
    every = figures.loc["all photos"]
    text = (
        f"Sets of {every['mean_size']:.2f} classes on average hold the true one for "
        f"{every['coverage']:.1%} of {every['n_photos']:,.0f} photos; by size: "
        + ", ".join(f"{size}: {word}" for size, word in zip(sizes.index, words, strict=True))
    )
    labels = dict(zip(sizes.index, written, strict=True))
    return style.display(ax, f"{text}.", bars_=bars, texts_=labels)
