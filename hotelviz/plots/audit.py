"""Plots of an audit, and of what cleaning gains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hotelviz.plots.display import Display
from hotelviz.plots.style import (
    BLUE,
    ORANGE,
    check_columns,
    drawn,
    figure_of,
    finish,
    legend_above,
    new_axes,
    new_figure,
    open_axes,
    readable,
    write_cells,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hotelviz.audit import Ablation


def issue_counts(
    summary: pd.DataFrame, *, ax: Axes | None = None, bar_kw: Mapping[str, Any] | None = None
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
    check_columns(summary, ["photos", "looking"], "issue_counts", empty=True)
    found = summary[summary["photos"] > 0].iloc[::-1]
    ax = new_axes(ax, (7, 0.8 + 0.36 * max(len(found), 1)))
    places = range(len(found))
    bars = {
        column: ax.barh(
            places, found[column],
            **{"color": colour, "label": label, "height": height, **(bar_kw or {})},
        )
        for column, label, colour, height in (
            ("photos", "found", "#b3cde0", 0.8), ("looking", "for a person to look at", BLUE, 0.45)
        )
    }  # fmt: skip
    ax.set_yticks(places, [drawn(readable(name)) for name in found.index])
    texts = {}
    for place, (name, n, looking) in enumerate(
        zip(found.index, found["photos"], found["looking"], strict=True)
    ):
        note = f" {n:,}" + ("" if looking == n else f", {looking:,} to look at")
        texts[name] = ax.text(n, place, note, va="center", fontsize=9)
    ax.set_xlabel("photos")
    ax.margins(x=0.22)
    ax.set_xlim(left=0)
    if len(found):
        legend_above(ax, 2)
    else:
        texts[""] = ax.text(0.5, 0.5, "nothing was found", ha="center", transform=ax.transAxes)
    counts = ", ".join(f"{readable(name)} {n:,}" for name, n in found["photos"][::-1].items())
    finish(figure_of(ax), f"Photos by issue: {counts or 'nothing was found'}")
    return Display(figure_of(ax), np.array([ax]), bars_=bars, texts_=texts)


def stage_comparison(
    stages: Ablation,
    *,
    metric: str = "top-1 accuracy",
    axes: Sequence[Axes] | None = None,
    line_kw: Mapping[str, Any] | None = None,
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
    table = stages.figures[stages.figures["metric"] == metric]
    names = list(dict.fromkeys(table["stage"]))
    classes = stages.per_class[stages.per_class["tested"] == "same"]
    f1 = classes.pivot_table(index="label", columns="stage", values="f1", sort=False)[names]
    support = classes.groupby("label")["support"].first()
    stage_labels = [drawn(readable(name), longest=24) for name in names]
    labels = [f"{drawn(readable(name), longest=24)} ({support[name]:,})" for name in f1.index]
    if axes is None:
        # Room for the names, whatever they are.
        wide = sum(max(map(len, some), default=0) for some in (stage_labels, labels))
        size = (max(11, 8 + 0.08 * wide), 1.9 + 0.42 * max(len(f1), len(names)))
        axes = new_figure(size).subplots(1, 2)
    left, right = axes
    lines = {
        kind: _draw_intervals(left, table[table["tested"] == kind], names, kind, line_kw)
        for kind in ("same", "own")
        if (table["tested"] == kind).any()
    }
    left.set_yticks(range(len(names)), stage_labels)
    left.set(ylim=(len(names) - 0.5, -0.6), xlabel=drawn(metric))
    open_axes(left, grid="x")
    legend_above(left, 2)
    image, texts = _draw_f1(right, f1.to_numpy(dtype=float))
    turned = max(map(len, stage_labels), default=0) > 12
    right.set_xticks(
        range(len(names)), stage_labels, rotation=20 if turned else 0,
        ha="right" if turned else "center",
    )  # fmt: skip
    right.set_yticks(range(len(labels)), labels)
    same = table[table["tested"] == "same"]
    values = ", ".join(
        f"{readable(name)} {value:.3f}"
        for name, value in zip(same["stage"], same["value"], strict=True)
    )
    figure = figure_of(left)
    finish(figure, f"{metric} of each stage on the same test photos: {values}; F1 by class beside")
    return Display(
        figure, np.array([left, right]), lines_=lines, images_={"f1": image}, texts_={"f1": texts}
    )


def _draw_intervals(
    ax: Axes, rows: pd.DataFrame, names: list[str], kind: str, line_kw: Mapping[str, Any] | None
) -> Any:
    """Draw the metric of each stage with its interval, in one colour, above or below its place."""
    same = kind == "same"
    colour, shift = (BLUE, -0.12) if same else (ORANGE, 0.12)
    places = np.array([names.index(name) for name in rows["stage"]]) + shift
    label = "the same test photos" if same else "the stage's own test photos"
    lines = ax.errorbar(
        rows["value"], places, xerr=[rows["value"] - rows["low"], rows["high"] - rows["value"]],
        **{"fmt": "o", "color": colour, "capsize": 3, "label": label, **(line_kw or {})},
    )  # fmt: skip
    for value, place in zip(rows["value"], places, strict=True):
        ax.annotate(
            f"{value:.3f}", (value, place), (0, 5 if same else -5), textcoords="offset points",
            ha="center", va="bottom" if same else "top", fontsize=9, color=colour,
        )  # fmt: skip
    return lines


def _draw_f1(ax: Axes, values: np.ndarray) -> tuple[Any, np.ndarray]:
    image = ax.imshow(values, vmin=0, vmax=1, cmap="cividis", aspect="auto")
    figure_of(ax).colorbar(image, ax=ax, label="F1")
    ax.spines[:].set_visible(False)
    ax.set_title("F1 of each class (photos), on the same test photos", fontsize=10)
    return image, write_cells(ax, values, ".2f")
