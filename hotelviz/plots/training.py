"""The plot of a training: loss and metric over the epochs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from hotelviz.plots import style
from hotelviz.plots.display import Display


def training_history(
    history: pd.DataFrame, *, axes: Sequence[Axes] | None = None, line_kw: style.Kw = None
) -> Display:
    """Draw loss and metric over the epochs, with the change of phase marked.

    Parameters
    ----------
    history : pandas.DataFrame
        The table of `hotelviz.training.history`.
    axes : sequence of two matplotlib.axes.Axes, optional
        The axes of the loss and of the metric (a tagger's accuracy, an aesthetic model's error of
        the mean score); by default those of a new figure.
    line_kw : dict, optional
        Further arguments of ``Axes.plot``.

    Returns
    -------
    Display
        ``lines_`` has a line for each column, such as ``val_loss``.

    Examples
    --------
    >>> table = pd.DataFrame({"epoch": [1, 2], "phase": ["head", "fine_tune"],
    ...                       "loss": [1.0, 0.5], "accuracy": [0.5, 0.8]})
    >>> sorted(training_history(table).lines_)
    ['accuracy', 'loss']
    """
    style.check_columns(history, ["epoch", "phase", "loss"], "training_history")
    panels = np.array(style.new_figure((7.6, 3.4)).subplots(1, 2) if axes is None else list(axes))
    metric = "accuracy" if "accuracy" in history else "mean_score_error"
    changes = history[history["phase"].ne(history["phase"].shift())]
    lines = {}
    for ax, name in zip(panels, ("loss", metric), strict=True):
        style.open_axes(ax, grid="both")
        for column, colour, label in (
            (name, style.GREY, "training"),
            (f"val_{name}", style.BLUE, "validation"),
        ):
            if column in history:
                own = style.options(line_kw, color=colour, label=label, marker="o", markersize=3)
                (lines[column],) = ax.plot(history["epoch"], history[column], **own)
        _mark_phases(ax, changes)
        # Also of a single epoch, and with room for the name of its phase.
        ends = history["epoch"].min() - 0.5, history["epoch"].max() + 0.5
        ax.set(xlabel="epoch", ylabel=style.label(name), xlim=ends)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    panels[0].legend(frameon=False)
    side = "validation" if f"val_{metric}" in history else "training"
    # The last epochs may have learned from all photos, so that none were left to judge.
    last = history[f"val_{metric}" if side == "validation" else metric].dropna().iloc[-1]
    counts = history["phase"].value_counts(sort=False)
    points = ", ".join(f"{style.readable(phase)} {count}" for phase, count in counts.items())
    text = (
        f"Loss and {style.readable(metric)}, a point for each epoch or fitted head ({points}); at "
        f"the end the {side} {style.readable(metric)} is "
        f"{last:{'.1%' if metric == 'accuracy' else '.3f'}}."
    )
    return style.display(panels, text, lines_=lines)


def _mark_phases(ax: Axes, changes: pd.DataFrame) -> None:
    """Write each phase above its epochs, with a dashed line before all but the first.

    The last name begins at its line, the others end at the next one: a phase of one epoch has no
    room for its name.
    """
    starts = changes["epoch"].to_list()
    for start, end, phase in zip(starts, [*starts[1:], None], changes["phase"], strict=True):
        if start != starts[0]:
            ax.axvline(start - 0.5, color=style.ORANGE, linestyle="--", linewidth=1)
        place, side, away = (start - 0.5, "left", 3) if end is None else (end - 0.5, "right", -3)
        ax.annotate(
            style.label(phase), (place, 1.0), xycoords=("data", "axes fraction"), ha=side,
            xytext=(away, 3), textcoords="offset points", fontsize=8, color=style.ORANGE,
        )  # fmt: skip
