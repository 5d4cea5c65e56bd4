"""Plots of taggers: their classes, how right they are, and how confident."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hotelviz.plots.display import Display
from hotelviz.plots.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    check_columns,
    drawn,
    figure_of,
    finish,
    legend_above,
    new_axes,
    readable,
)
from hotelviz.schema import SPLITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_AVERAGES = ["macro avg", "weighted avg"]


def per_class_bars(
    report: pd.DataFrame, *, ax: Axes | None = None, bar_kw: Mapping[str, Any] | None = None
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
    check_columns(report, ["precision", "recall", "f1", "support"], "per_class_bars")
    table = report.drop(index=_AVERAGES, errors="ignore")
    ax = new_axes(ax, (7.5, 1.2 + 0.52 * len(table)), grid="x")
    places, height = np.arange(len(table)), 0.26
    bars = {
        column: ax.barh(
            places + shift * height, table[column].fillna(0),
            **{"height": height, "color": colour, "label": label, **(bar_kw or {})},
        )
        for column, label, colour, shift in (
            ("precision", "precision", BLUE, -1), ("recall", "recall", ORANGE, 0),
            ("f1", "F1", GREEN, 1),
        )
    }  # fmt: skip
    _name_rows(ax, [f"{drawn(readable(name))} ({n:,})" for name, n in table["support"].items()])
    ax.set(xlim=(0, 1), xlabel="share (number of photos in brackets)")
    legend_above(ax, 3)
    text = "Precision, recall and F1 of each class."
    f1 = table.loc[table["support"] > 0, "f1"].fillna(0)
    if len(f1):
        text += (
            f" Best F1: {readable(f1.idxmax())}, {f1.max():.2f}; "
            f"lowest: {readable(f1.idxmin())}, {f1.min():.2f}."
        )
    finish(figure_of(ax), text)
    return Display(figure_of(ax), np.array([ax]), bars_=bars)


def class_counts(
    catalog: pd.DataFrame, *, ax: Axes | None = None, bar_kw: Mapping[str, Any] | None = None
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
    check_columns(catalog, ["label", "split"], "class_counts")
    counts = pd.crosstab(catalog["label"], catalog["split"])
    counts = counts[[name for name in SPLITS if name in counts]]
    totals, places = counts.sum(axis=1), np.arange(len(counts))
    ax = new_axes(ax, (7.5, 1.0 + 0.34 * len(counts)), grid="x")
    lefts = counts.cumsum(axis=1) - counts
    bars = {
        str(split): ax.barh(
            places, counts[split], left=lefts[split],
            **{"color": colour, "label": split, "height": 0.7, **(bar_kw or {})},
        )
        for split, colour in zip(counts, (BLUE, ORANGE, GREEN), strict=False)
    }  # fmt: skip
    texts = {
        name: ax.annotate(
            f"{total:,}", (total, place), xytext=(4, 0), textcoords="offset points",
            va="center", fontsize=9,
        )
        for place, (name, total) in enumerate(totals.items())
    }  # fmt: skip
    _name_rows(ax, [drawn(readable(name)) for name in counts.index])
    ax.set(xlim=(0, 1.12 * totals.max()), xlabel="photos")
    legend_above(ax, 3)
    finish(
        figure_of(ax),
        f"Photos per class by split, {totals.sum():,} in all: most of "
        f"{readable(totals.idxmax())} ({totals.max():,}), fewest of "
        f"{readable(totals.idxmin())} ({totals.min():,}).",
    )
    return Display(figure_of(ax), np.array([ax]), bars_=bars, texts_=texts)


def _name_rows(ax: Axes, names: list[str]) -> None:
    """Name the rows of horizontal bars, the first one at the top."""
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()


def reliability(
    calibration: pd.DataFrame,
    *,
    ax: Axes | None = None,
    line_kw: Mapping[str, Any] | None = None,
    scatter_kw: Mapping[str, Any] | None = None,
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

    check_columns(calibration, ["confidence", "accuracy", "count"], "reliability")
    ax = new_axes(ax, (4.8, 4.6), grid="both")
    confidence, accuracy, count = (calibration[c] for c in ("confidence", "accuracy", "count"))
    (perfect,) = ax.plot(
        [0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="as confident as right"
    )
    (model,) = ax.plot(
        confidence, accuracy, **{"color": BLUE, "linewidth": 1, **(line_kw or {})}
    )  # fmt: skip
    points = ax.scatter(
        confidence, accuracy, s=20 + 280 * count / count.max(),
        **{"color": BLUE, "alpha": 0.75, "linewidth": 0, "label": "photos (area: how many)",
           **(scatter_kw or {})},
    )  # fmt: skip
    error = expected_calibration_error(calibration)
    ax.set_title(f"expected calibration error {error:.3f}", fontsize=10)
    ax.set(
        xlabel="probability of the predicted class", ylabel="share that is right",
        xlim=(0, 1.03), ylim=(0, 1.03), aspect="equal",
    )  # fmt: skip
    ax.legend(loc="upper left", frameon=False, fontsize=8, markerscale=0.5)
    finish(
        figure_of(ax),
        f"Reliability: on average the model is {np.average(confidence, weights=count):.1%} "
        f"confident and {np.average(accuracy, weights=count):.1%} right; "
        f"expected calibration error {error:.3f}.",
    )
    lines = {"model": model, "perfect": perfect, "points": points}
    return Display(figure_of(ax), np.array([ax]), lines_=lines)
