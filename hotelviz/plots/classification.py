"""Plots of taggers: their classes, how right they are, and how confident."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hotelviz.plots import style
from hotelviz.plots.display import Display
from hotelviz.schema import SPLITS

_AVERAGES = ["macro avg", "weighted avg"]
#: Inches: text of 9 points is still 9 pixels high where a page is 400 pixels wide.
_WIDTH = 5.0


def per_class_bars(
    report: pd.DataFrame, *, ax: Axes | None = None, bar_kw: style.Kw = None
) -> Display:
    """Draw precision, recall and F1 of each class as bars.

    Parameters
    ----------
    report : pandas.DataFrame
        The table of `hotelviz.metrics.classification_report`.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure.
    bar_kw : dict, optional
        Further arguments of ``Axes.barh``.

    Returns
    -------
    Display
        ``bars_`` has the bars of ``precision``, ``recall`` and ``f1``.

    Examples
    --------
    >>> from hotelviz.metrics import classification_report
    >>> display = per_class_bars(classification_report(["a", "b"], ["a", "b"]))
    >>> sorted(display.bars_)
    ['f1', 'precision', 'recall']
    """
    style.check_columns(report, ["precision", "recall", "f1", "support"], "per_class_bars")
    table = report.drop(index=_AVERAGES, errors="ignore")
    ax = style.new_axes(ax, (_WIDTH, 1.2 + 0.5 * len(table)), grid="x")
    shares = table[["precision", "recall", "f1"]].fillna(0)
    bars = {}
    for shift, colour, column in zip((-1, 0, 1), style.COLOURS, shares, strict=False):
        label = "F1" if column == "f1" else column
        places = np.arange(len(table)) + 0.26 * shift
        own = style.options(bar_kw, height=0.26, color=colour, label=label)
        bars[column] = ax.barh(places, shares[column], **own)
    _name_rows(ax, [f"{style.label(name)} ({n:,})" for name, n in table["support"].items()])
    ax.set(xlim=(0, 1), xlabel="share (number of photos in brackets)")
    style.legend_above(ax, 3)
    text = "Precision, recall and F1 of each class."
    f1 = table.loc[table["support"] > 0, "f1"].fillna(0)
    if len(f1):
        text += (
            f" Best F1: {style.readable(f1.idxmax())}, {f1.max():.2f}; "
            f"lowest: {style.readable(f1.idxmin())}, {f1.min():.2f}."
        )
    return style.display(ax, text, bars_=bars)


def class_counts(
    catalog: pd.DataFrame, *, ax: Axes | None = None, bar_kw: style.Kw = None
) -> Display:
    """Draw the number of photos of each class, by split.

    Parameters
    ----------
    catalog : pandas.DataFrame
        A catalogue with the columns ``label`` and ``split``.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure.
    bar_kw : dict, optional
        Further arguments of ``Axes.barh``.

    Returns
    -------
    Display
        ``bars_`` has the bars of each split, ``texts_`` the total of each class.

    Examples
    --------
    >>> photos = pd.DataFrame({"label": ["Pool", "Foyer"], "split": ["train", "test"]})
    >>> class_counts(photos).texts_["Pool"].get_text()
    '1'
    """
    style.check_columns(catalog, ["label", "split"], "class_counts")
    counts = pd.crosstab(catalog["label"], catalog["split"])
    counts = counts[[name for name in SPLITS if name in counts]]
    totals, lefts = counts.sum(axis=1), counts.cumsum(axis=1) - counts
    ax = style.new_axes(ax, (_WIDTH, 1.0 + 0.34 * len(counts)), grid="x")
    bars = {}
    for split, colour in zip(counts, style.COLOURS, strict=False):
        own = style.options(bar_kw, color=colour, label=split, height=0.7)
        bars[split] = ax.barh(range(len(counts)), counts[split], left=lefts[split], **own)
    written = ax.bar_label(bars[split], [f"{n:,}" for n in totals], padding=4, fontsize=9)
    _name_rows(ax, [style.label(name) for name in counts.index])
    ax.set(xlim=(0, 1.12 * totals.max()), xlabel="photos")
    style.legend_above(ax, 3)
    most, fewest = map(style.readable, (totals.idxmax(), totals.idxmin()))
    text = (
        f"Photos per class by split, {totals.sum():,} in all: most of {most} ({totals.max():,}), "
        f"fewest of {fewest} ({totals.min():,})."
    )
    return style.display(ax, text, bars_=bars, texts_=dict(zip(totals.index, written, strict=True)))


def _name_rows(ax: Axes, names: list[str]) -> None:
    """Name the rows of horizontal bars, the first one at the top."""
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()


def reliability(
    calibration: pd.DataFrame,
    *,
    ax: Axes | None = None,
    line_kw: style.Kw = None,
    scatter_kw: style.Kw = None,
) -> Display:
    """Draw how often a model is right against how confident it is.

    Parameters
    ----------
    calibration : pandas.DataFrame
        The table of `hotelviz.metrics.calibration`.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure.
    line_kw, scatter_kw : dict, optional
        Further arguments of ``Axes.plot`` and ``Axes.scatter`` for the model's line and points.

    Returns
    -------
    Display
        ``lines_`` has ``model`` and ``perfect``; the points of ``points`` are as large as the bins.

    Examples
    --------
    >>> from hotelviz.metrics import calibration
    >>> display = reliability(calibration(np.array([[0.9, 0.1]]), ["a"], ["a", "b"]))
    >>> display.ax_.get_title()
    'expected calibration error 0.100'
    """
    from hotelviz.metrics import expected_calibration_error

    style.check_columns(calibration, ["confidence", "accuracy", "count"], "reliability")
    ax = style.new_axes(ax, (_WIDTH, 4.6), grid="both")
    confidence, accuracy, count = (calibration[c] for c in ("confidence", "accuracy", "count"))
    thin: dict[str, Any] = {"color": style.GREY, "linestyle": "--", "linewidth": 1}
    (perfect,) = ax.plot([0, 1], [0, 1], label="as confident as right", **thin)
    own = style.options(line_kw, color=style.BLUE, linewidth=1)
    (model,) = ax.plot(confidence, accuracy, **own)
    own = {"color": style.BLUE, "alpha": 0.75, "linewidth": 0, "label": "photos (area: how many)"}
    sizes = 20 + 280 * count / count.max()
    points = ax.scatter(confidence, accuracy, sizes, **style.options(scatter_kw, **own))
    error = expected_calibration_error(calibration)
    ax.set_title(f"expected calibration error {error:.3f}", fontsize=10)
    ax.set(xlabel="probability of the predicted class", ylabel="share that is right")
    ax.set(xlim=(0, 1.03), ylim=(0, 1.03), aspect="equal")
    ax.legend(frameon=False, fontsize=9, markerscale=0.5)
    return style.display(
        ax,
        f"Reliability: on average the model is {np.average(confidence, weights=count):.1%} "
        f"confident and {np.average(accuracy, weights=count):.1%} right; "
        f"expected calibration error {error:.3f}.",
        lines_={"model": model, "perfect": perfect, "points": points},
    )
