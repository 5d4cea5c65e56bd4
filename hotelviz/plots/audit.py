"""Figures of an audit and of what a cleaning buys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hotelviz.plots.style import (
    BLUE,
    ORANGE,
    check_columns,
    drawn,
    figure_of,
    finish,
    new_axes,
    readable,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hotelviz.audit import Ablation


def issue_counts(summary: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how many photos have each issue.

    Parameters
    ----------
    summary
        Of `hotelviz.audit.find_issues`. Issues that were not found are left out.
    ax
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib.axes.Axes
    """
    check_columns(summary, ["photos", "looking"], "issue_counts", empty=True)
    found = summary[summary["photos"] > 0].iloc[::-1]
    ax = new_axes(ax, (7, 0.8 + 0.36 * max(len(found), 1)))
    places = range(len(found))
    ax.barh(places, found["photos"], color="#b3cde0", label="found")
    ax.barh(places, found["looking"], color=BLUE, height=0.45, label="for a person to look at")
    ax.set_yticks(places, [drawn(readable(name)) for name in found.index])
    for place, (count, looking) in enumerate(zip(found["photos"], found["looking"], strict=True)):
        note = f" {count:,}" + ("" if looking == count else f", {looking:,} to look at")
        ax.text(count, place, note, va="center", fontsize=9)
    ax.set_xlabel("photos")
    ax.margins(x=0.22)
    ax.set_xlim(left=0)
    ax.spines[["top", "right"]].set_visible(False)
    if len(found):
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False, fontsize=9)
    else:
        ax.text(0.5, 0.5, "nothing was found", ha="center", transform=ax.transAxes)
    counts = ", ".join(
        f"{readable(name)} {count:,}" for name, count in found["photos"][::-1].items()
    )
    finish(figure_of(ax), f"Photos by issue: {counts or 'nothing was found'}")
    return ax


def stage_comparison(stages: Ablation, *, metric: str = "top-1 accuracy") -> list[Axes]:
    """Draw what each stage of a catalogue is worth: overall, and class by class.

    Parameters
    ----------
    stages
        Of `hotelviz.audit.compare_datasets`.
    metric
        Of the left panel.

    Returns
    -------
    list of matplotlib.axes.Axes
        The metric of each stage with its interval, on the same test photos and on the stage's
        own; and the F1 of each class on the same photos, a column per stage.
    """
    import matplotlib.pyplot as plt
    import seaborn as sns

    table = stages.figures[stages.figures["metric"] == metric]
    names = list(dict.fromkeys(table["stage"]))
    classes = stages.per_class[stages.per_class["tested"] == "same"]
    grid = classes.pivot_table(index="label", columns="stage", values="f1", sort=False)[names]
    support = classes.groupby("label")["support"].first()
    stage_labels = [drawn(readable(name), longest=24) for name in names]
    labels = [f"{drawn(readable(name), longest=24)} ({support[name]:,})" for name in grid.index]
    # Room for the names, whatever they are.
    wide = sum(max(map(len, some), default=0) for some in (stage_labels, labels))
    figure, (left, right) = plt.subplots(
        1, 2, layout="constrained",
        figsize=(max(11, 8 + 0.08 * wide), 1.9 + 0.42 * max(len(grid), len(names))),
    )  # fmt: skip
    # seaborn draws the figure at once, which may not have its fonts yet: without names.
    sns.heatmap(
        grid.to_numpy(dtype=float), ax=right, vmin=0, vmax=1, cmap="cividis", annot=True,
        fmt=".2f", xticklabels=False, yticklabels=False, cbar_kws={"label": "F1"},
    )  # fmt: skip
    turned = max(map(len, stage_labels), default=0) > 12
    right.set_xticks(
        np.arange(len(names)) + 0.5, stage_labels, rotation=20 if turned else 0,
        ha="right" if turned else "center",
    )  # fmt: skip
    right.set_yticks(np.arange(len(grid)) + 0.5, labels)
    right.set_title("F1 of each class (photos), on the same test photos", fontsize=10)
    for kind, colour, shift in (("same", BLUE, -0.12), ("own", ORANGE, 0.12)):
        rows = table[table["tested"] == kind]
        if rows.empty:
            continue
        at = np.array([names.index(name) for name in rows["stage"]]) + shift
        label = "the same test photos" if kind == "same" else "the stage's own test photos"
        left.errorbar(
            rows["value"], at, fmt="o", color=colour, capsize=3, label=label,
            xerr=[rows["value"] - rows["low"], rows["high"] - rows["value"]],
        )  # fmt: skip
        for value, place in zip(rows["value"], at, strict=True):
            below = shift < 0
            left.annotate(
                f"{value:.3f}", (value, place), (0, 5 if below else -5),
                textcoords="offset points", ha="center", va="bottom" if below else "top",
                fontsize=9, color=colour,
            )  # fmt: skip
    left.set_yticks(range(len(names)), stage_labels)
    left.set_ylim(len(names) - 0.5, -0.6)
    left.set_xlabel(drawn(metric))
    left.grid(axis="x", alpha=0.3)
    left.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, ncols=2, fontsize=9)
    left.spines[["top", "right"]].set_visible(False)
    same = table[table["tested"] == "same"]
    values = ", ".join(
        f"{readable(name)} {value:.3f}"
        for name, value in zip(same["stage"], same["value"], strict=True)
    )
    finish(figure, f"{metric} of each stage on the same test photos: {values}; F1 by class beside")
    return [left, right]
