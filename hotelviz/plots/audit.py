"""Plots of an audit, and of what cleaning gains."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from hotelviz.plots import style
from hotelviz.plots.display import Display
from hotelviz.plots.number_table import number_table

if TYPE_CHECKING:
    from hotelviz.audit import Ablation
    from hotelviz.plots.confusion_matrix import ConfusionMatrixDisplay

#: Inches: narrow enough for a phone to show the letters.
_WIDTH = 5.0


def issue_counts(
    summary: pd.DataFrame, *, ax: Axes | None = None, bar_kw: style.Kw = None
) -> Display:
    """Draw how many photos have each issue.

    Parameters
    ----------
    summary : pandas.DataFrame
        The summary of `hotelviz.audit.find_issues`. Issues that were not found are left out.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure.
    bar_kw : dict, optional
        Further arguments of ``Axes.barh``.

    Returns
    -------
    Display
        ``bars_`` has ``photos`` and ``looking`` (those that a person has to look at), ``texts_``
        the numbers of each issue.

    Examples
    --------
    >>> summary = pd.DataFrame({"photos": [3], "looking": [2]}, index=["blurry"])
    >>> issue_counts(summary).texts_["blurry"].get_text().strip()
    '3, 2 to look at'
    """
    style.check_columns(summary, ["photos", "looking"], "issue_counts", empty=True)
    found = summary[summary["photos"] > 0].iloc[::-1]
    ax = style.new_axes(ax, (_WIDTH, 0.9 + 0.36 * max(len(found), 1)))
    drawings = {
        "photos": {"color": "#b3cde0", "label": "found", "height": 0.8},
        "looking": {"color": style.BLUE, "label": "for a person to look at", "height": 0.45},
    }
    bars = {
        column: ax.barh(range(len(found)), found[column], **style.options(bar_kw, **own))
        for column, own in drawings.items()
    }
    ax.set_yticks(range(len(found)), [*map(style.label, found.index)])
    counts = list(zip(found["photos"], found["looking"], strict=True))
    notes = [f" {n:,}" + (f", {some:,} to look at" if some < n else "") for n, some in counts]
    texts = dict(zip(found.index, ax.bar_label(bars["photos"], notes, fontsize=10), strict=True))
    ax.margins(x=0.42)
    ax.set(xlabel="photos", xlim=(0, None))
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    if len(found):
        style.legend_above(ax, 2)
    else:
        texts[""] = ax.text(0.5, 0.5, "nothing was found", ha="center", transform=ax.transAxes)
    told = ", ".join(f"{style.readable(name)} {n:,}" for name, n in found["photos"][::-1].items())
    return style.display(
        ax, f"Photos by issue: {told or 'nothing was found'}", bars_=bars, texts_=texts
    )


def stage_comparison(
    stages: Ablation,
    *,
    metric: str = "top-1 accuracy",
    ax: Axes | None = None,
    line_kw: style.Kw = None,
) -> Display:
    """Draw what each stage of a catalogue is worth, with its interval over hotels.

    Parameters
    ----------
    stages : hotelviz.audit.Ablation
        The tables of `hotelviz.audit.compare_datasets`.
    metric : str, default "top-1 accuracy"
        Which metric of its figures.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure.
    line_kw : dict, optional
        Further arguments of ``Axes.errorbar``.

    Returns
    -------
    Display
        ``lines_`` has the metric of each stage with its interval, on the ``same`` test photos and
        on the stage's ``own``.

    See Also
    --------
    class_comparison : The same, class by class.

    Examples
    --------
    >>> from hotelviz.audit import Ablation
    >>> figures = pd.DataFrame({"stage": ["as labelled", "cleaned"], "tested": "same",
    ...                         "metric": "top-1 accuracy", "value": [0.86, 0.91],
    ...                         "low": [0.8, 0.85], "high": [0.9, 0.95], "photos": 200})
    >>> drawn = stage_comparison(Ablation(figures, pd.DataFrame(), pd.DataFrame(), {}))
    >>> sorted(drawn.lines_)
    ['same']
    """
    table = stages.figures[stages.figures["metric"] == metric]
    names = list(dict.fromkeys(table["stage"]))
    ax = style.new_axes(ax, (_WIDTH, 1.3 + 0.62 * len(names)), grid="x")
    lines = {
        kind: _draw_intervals(ax, table[table["tested"] == kind], names, kind, line_kw)
        for kind in ("same", "own")
        if (table["tested"] == kind).any()
    }
    ax.set_yticks(range(len(names)), [style.drawn_lines(style.readable(n), 14) for n in names])
    ax.set(
        ylim=(len(names) - 0.45, -0.6), xlabel=f"{style.drawn(metric)}, 95 % interval over hotels"
    )
    ax.margins(x=0.12)
    if len(lines) > 1:
        style.legend_above(ax, 1)
    same = table[table["tested"] == "same"]
    figures = same[["value", "low", "high"]].to_numpy(float).tolist()
    values = ", ".join(
        f"{style.readable(stage)} {value:.3f}"
        + (f" ({low:.3f} to {high:.3f})" if low <= high else "")
        for stage, (value, low, high) in zip(same["stage"], figures, strict=True)
    )
    return style.display(
        ax, f"{metric} of each stage on the same test photos: {values}", lines_=lines
    )


def _draw_intervals(
    ax: Axes, rows: pd.DataFrame, names: list[str], kind: str, line_kw: style.Kw
) -> Any:
    """Draw the metric of each stage with its interval, in one colour, above or below its place."""
    same = kind == "same"
    colour, shift = (style.BLUE, -0.12) if same else (style.ORANGE, 0.16)
    value, places = rows["value"], np.array([names.index(name) for name in rows["stage"]]) + shift
    label = "on the same test photos" if same else "on its own test photos"
    lines = ax.errorbar(
        value, places, xerr=[value - rows["low"], rows["high"] - value],
        **style.options(line_kw, fmt="o", color=colour, capsize=3, label=label),
    )  # fmt: skip
    for place in zip(value, places, strict=True):
        ax.annotate(
            f"{place[0]:.3f}", place, (0, 5 if same else -5), textcoords="offset points",
            ha="center", va="bottom" if same else "top", fontsize=10, color=colour,
        )  # fmt: skip
    return lines


def class_comparison(
    stages: Ablation,
    *,
    names: Sequence[str] | None = None,
    metric: str = "f1",
    ax: Axes | None = None,
    scatter_kw: style.Kw = None,
) -> Display:
    """Draw what each stage is worth class by class, on the same test photos.

    Parameters
    ----------
    stages : hotelviz.audit.Ablation
        The tables of `hotelviz.audit.compare_datasets`.
    names : sequence of str, optional
        Which stages, in their order; by default all.
    metric : {"f1", "precision", "recall"}, default "f1"
        What is drawn of each class.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure.
    scatter_kw : dict, optional
        Further arguments of ``Axes.scatter``.

    Returns
    -------
    Display
        ``lines_`` has the points of each stage, by its name, and ``range`` from the lowest to the
        highest of each class. The class that gained most from the first to the last stage is on
        top.

    Examples
    --------
    >>> from hotelviz.audit import Ablation
    >>> classes = pd.DataFrame({"stage": ["as labelled", "cleaned"], "tested": "same",
    ...                         "label": "Pool", "f1": [0.8, 0.9], "support": 20})
    >>> figures = pd.DataFrame({"stage": ["as labelled", "cleaned"]})
    >>> drawn = class_comparison(Ablation(figures, classes, pd.DataFrame(), {}))
    >>> sorted(drawn.lines_)
    ['as labelled', 'cleaned', 'range']
    """
    names = list(dict.fromkeys(stages.figures["stage"]) if names is None else names)
    classes = stages.per_class[stages.per_class["tested"] == "same"]
    table = classes.pivot_table(index="label", columns="stage", values=metric, sort=False)[names]
    change = (table[names[-1]] - table[names[0]]).sort_values(ascending=False, kind="stable")
    # The first of a table stands on top.
    table, support = table.loc[change.index[::-1]], classes.groupby("label")["support"].first()
    ax = style.new_axes(ax, (_WIDTH, 1.2 + 0.36 * len(table)), grid="x")
    rows = np.arange(len(table))
    lines: dict[str, Any] = {
        "range": ax.hlines(rows, table.min(axis=1), table.max(axis=1), color="#b6bcc4", lw=3)
    }
    for name, (colour, marker) in zip(names, cycle(zip(style.COLOURS, "osD^vP*", strict=True))):
        own = {"color": colour, "marker": marker, "s": 42, "label": style.label(name, longest=24)}
        own |= {"zorder": 3, "alpha": 0.9}
        lines[name] = ax.scatter(table[name], rows, **style.options(scatter_kw, **own))
    ax.set_yticks(
        rows, [f"{style.label(name, longest=24)} ({support[name]:,})" for name in table.index]
    )
    word = "F1" if metric == "f1" else style.readable(metric)
    ax.set(xlabel=f"{word} of each class (photos), on the same test photos", ylim=(-0.6, None))
    style.legend_above(ax, min(len(names), 3))
    told = ", ".join(
        f"{style.readable(name)} {row[names[0]]:.2f} to {row[names[-1]]:.2f}"
        for name, row in table[::-1].iterrows()
    )
    return style.display(
        ax,
        f"{word} of each class from {style.readable(names[0])} to {style.readable(names[-1])}: "
        f"{told}",
        lines_=lines,
    )


def stage_confusions(stages: Ablation, name: str) -> ConfusionMatrixDisplay:
    """Draw what a stage confuses on the test photos that are the same for all.

    Parameters
    ----------
    stages : hotelviz.audit.Ablation
        The tables of `hotelviz.audit.compare_datasets`.
    name : str
        The stage.

    Returns
    -------
    ConfusionMatrixDisplay

    Examples
    --------
    >>> from hotelviz.audit import Ablation
    >>> rows = pd.DataFrame({"stage": "cleaned", "tested": "same", "label": ["Pool", "Foyer"],
    ...                      "predicted": ["Pool", "Pool"]})
    >>> drawn = stage_confusions(Ablation(pd.DataFrame(), pd.DataFrame(), rows, {}), "cleaned")
    >>> drawn.confusion_matrix.tolist()
    [[0.0, 1.0], [0.0, 1.0]]
    """
    from hotelviz.metrics import confusion_matrix
    from hotelviz.plots.confusion_matrix import ConfusionMatrixDisplay

    rows = _same(stages.predictions, name).dropna(subset="predicted")
    return ConfusionMatrixDisplay(confusion_matrix(rows["label"], rows["predicted"])).plot()


def stage_classes(stages: Ablation, name: str) -> Display:
    """Draw a table of what a stage is worth class by class, on the test photos that are the same.

    Parameters
    ----------
    stages, name
        As in `stage_confusions`.

    Returns
    -------
    Display
        As `hotelviz.plots.number_table` returns it; the lowest F1 is marked.

    Examples
    --------
    >>> from hotelviz.audit import Ablation
    >>> classes = pd.DataFrame({"stage": "cleaned", "tested": "same", "label": ["Pool", "Foyer"],
    ...                         "precision": [0.8, 1.0], "recall": [0.8, 0.5], "f1": [0.8, 0.67],
    ...                         "support": [20, 8]})
    >>> drawn = stage_classes(Ablation(pd.DataFrame(), classes, pd.DataFrame(), {}), "cleaned")
    >>> drawn.texts_["Foyer", "F1"].get_text()
    '0.67'
    """
    words = {"precision": "precision", "recall": "recall", "f1": "F1", "support": "photos"}
    table = _same(stages.per_class, name).set_index("label")[list(words)].rename(columns=words)
    return number_table(table, marked=[(table["F1"].fillna(0).idxmin(), "F1")])


def _same(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the rows of a stage on the test photos that are the same for all."""
    return table[(table["stage"] == name) & (table["tested"] == "same")]
