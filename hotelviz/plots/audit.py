"""Plots of an audit, and of what cleaning gains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hotelviz.plots import style
from hotelviz.plots.display import Display

if TYPE_CHECKING:
    from hotelviz.audit import Ablation


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
    """
    style.check_columns(summary, ["photos", "looking"], "issue_counts", empty=True)
    found = summary[summary["photos"] > 0].iloc[::-1]
    ax = style.new_axes(ax, (7, 0.8 + 0.36 * max(len(found), 1)))
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
    texts = dict(zip(found.index, ax.bar_label(bars["photos"], notes, fontsize=9), strict=True))
    ax.margins(x=0.22)
    ax.set(xlabel="photos", xlim=(0, None))
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
    axes: Sequence[Axes] | None = None,
    line_kw: style.Kw = None,
) -> Display:
    """Draw what each stage of a catalogue is worth: overall, and class by class.

    Parameters
    ----------
    stages : hotelviz.audit.Ablation
        The tables of `hotelviz.audit.compare_datasets`.
    metric : str, default "top-1 accuracy"
        The metric of the left panel.
    axes : sequence of two matplotlib.axes.Axes, optional
        The axes of both panels; by default those of a new figure.
    line_kw : dict, optional
        Further arguments of ``Axes.errorbar``.

    Returns
    -------
    Display
        ``lines_`` has the metric of each stage with its interval, on the ``same`` test photos and
        on the stage's ``own``; ``images_`` and ``texts_`` have the ``f1`` of each class on the same
        photos, a column per stage.
    """
    import seaborn

    table = stages.figures[stages.figures["metric"] == metric]
    names = list(dict.fromkeys(table["stage"]))
    classes = stages.per_class[stages.per_class["tested"] == "same"]
    f1 = classes.pivot_table(index="label", columns="stage", values="f1", sort=False)[names]
    support = classes.groupby("label")["support"].first()
    stage_labels = [style.label(name, longest=24) for name in names]
    labels = [f"{style.label(name, longest=24)} ({support[name]:,})" for name in f1.index]
    if axes is None:
        # Room for the names, whatever they are.
        wide = sum(max(map(len, some), default=0) for some in (stage_labels, labels))
        size = (max(11, 8 + 0.08 * wide), 1.9 + 0.42 * max(len(f1), len(names)))
        axes = style.new_figure(size).subplots(1, 2)
    left, right = axes
    lines = {
        kind: _draw_intervals(left, table[table["tested"] == kind], names, kind, line_kw)
        for kind in ("same", "own")
        if (table["tested"] == kind).any()
    }
    left.set_yticks(range(len(names)), stage_labels)
    left.set(ylim=(len(names) - 0.5, -0.6), xlabel=style.drawn(metric))
    style.open_axes(left, grid="x")
    style.legend_above(left, 2)
    seaborn.heatmap(
        f1, vmin=0, vmax=1, cmap="cividis", annot=True, fmt=".2f", cbar_kws={"label": "F1"},
        xticklabels=stage_labels, yticklabels=labels, ax=right,
    )  # fmt: skip
    right.set(xlabel="", ylabel="")
    right.set_title("F1 of each class (photos), on the same test photos", fontsize=10)
    right.tick_params(axis="y", rotation=0)
    if max(map(len, stage_labels), default=0) > 12:
        right.set_xticks(right.get_xticks(), stage_labels, rotation=20, ha="right")
    texts = np.full(f1.shape, None, dtype=object)
    texts[f1.notna().to_numpy()] = right.texts
    for text in right.texts:  # seaborn writes white on cividis' middle, which few can read
        text.set_color("white" if float(text.get_text()) < 0.5 else "black")
    same = table[table["tested"] == "same"]
    values = ", ".join(
        f"{style.readable(name)} {value:.3f}"
        for name, value in zip(same["stage"], same["value"], strict=True)
    )
    return style.display(
        np.array([left, right]),
        f"{metric} of each stage on the same test photos: {values}; F1 by class beside",
        lines_=lines, images_={"f1": right.collections[-1]}, texts_={"f1": texts},
    )  # fmt: skip


def _draw_intervals(
    ax: Axes, rows: pd.DataFrame, names: list[str], kind: str, line_kw: style.Kw
) -> Any:
    """Draw the metric of each stage with its interval, in one colour, above or below its place."""
    same = kind == "same"
    colour, shift = (style.BLUE, -0.12) if same else (style.ORANGE, 0.12)
    value, places = rows["value"], np.array([names.index(name) for name in rows["stage"]]) + shift
    label = "the same test photos" if same else "the stage's own test photos"
    lines = ax.errorbar(
        value, places, xerr=[value - rows["low"], rows["high"] - value],
        **style.options(line_kw, fmt="o", color=colour, capsize=3, label=label),
    )  # fmt: skip
    for place in zip(value, places, strict=True):
        ax.annotate(
            f"{place[0]:.3f}", place, (0, 5 if same else -5), textcoords="offset points",
            ha="center", va="bottom" if same else "top", fontsize=9, color=colour,
        )  # fmt: skip
    return lines
