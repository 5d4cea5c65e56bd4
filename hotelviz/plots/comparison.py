"""Plots of two models on the same photos: what became better, and what worse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from hotelviz.plots import style
from hotelviz.plots.display import Display

#: Inches: narrow enough for a phone to show the letters.
_WIDTH = 5.0
#: What a comparison says -> colour, marker and how it is called; shapes tell them apart, too.
_CHANGES: dict[str, dict[str, Any]] = {
    "better": {"color": style.BLUE, "marker": "^", "label": "better"},
    "worse": {"color": style.ORANGE, "marker": "v", "label": "worse"},
    "no measurable difference": {"color": style.GREY, "marker": "o", "label": "no difference"},
    "not enough photos": {
        "color": style.GREY, "marker": "o", "markerfacecolor": "white",
        "label": "not enough photos",
    },
}  # fmt: skip
#: How far intervals are drawn: times the largest difference, and times the margin.
_REACH = (4, 10)
#: With more classes the cells are too small for numbers.
_MAX_WRITTEN = 25
#: Worse, equal, better; the middle is the paper.
_WORSE_TO_BETTER = LinearSegmentedColormap.from_list(
    "worse_to_better", [style.ORANGE, "white", style.BLUE]
)


def difference_intervals(
    figures: pd.DataFrame,
    *,
    margin: float,
    unit: str = "points",
    ax: Axes | None = None,
    line_kw: style.Kw = None,
) -> Display:
    """Draw how two models differ in each figure, with the intervals of the differences.

    Parameters
    ----------
    figures : pandas.DataFrame
        Those of `hotelviz.metrics.Comparison`, or some of them.
    margin : float
        Smaller differences do not matter: shaded.
    unit : {"points", "none"}, default "points"
        Whether differences are of shares, and drawn in points of a hundred.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure.
    line_kw : dict, optional
        Further arguments of ``Axes.errorbar``.

    Returns
    -------
    Display
        ``lines_`` has the point of each figure with its interval, by its name.

    Examples
    --------
    >>> figures = pd.DataFrame({"metric": ["macro F1"], "difference": [0.03], "low": [0.01],
    ...                         "high": [0.05], "change": ["better"]})
    >>> float(difference_intervals(figures, margin=0.02).lines_["macro F1"][0].get_xdata()[0])
    3.0
    """
    needs = ["metric", "difference", "low", "high", "change"]
    style.check_columns(figures, needs, "difference_intervals")
    scale = 100 if unit == "points" else 1
    ax = style.new_axes(ax, (_WIDTH, 1.4 + 0.34 * len(figures)), grid="x")
    ax.axvspan(-margin * scale, margin * scale, color="#eceff3", zorder=0)
    ax.axvline(0, color=style.GREY, linewidth=0.8, zorder=1)
    rows = figures[["difference", "low", "high"]].astype(float) * scale
    lines = style.interval_rows(
        ax, rows.set_index(figures["metric"]), figures["change"], _CHANGES, line_kw
    )
    ax.set_yticks(range(len(figures)), [_named(row) for _, row in figures.iterrows()])
    words = "difference, new less old" + (" (points of 100)" if unit == "points" else "")
    # A class of few photos does not press all others into a dot.
    reach = max(_REACH[0] * rows["difference"].abs().max(), _REACH[1] * margin * scale)
    if rows[["low", "high"]].abs().max(axis=None) > reach:
        ax.set_xlim(-reach, reach)
        words += "\nintervals that reach the edge go on"
    ax.set_xlabel(words)
    told = "; ".join(
        f"{style.readable(row['metric'])} {scale * row['difference']:+.3g} "
        f"({scale * row['low']:+.3g} to {scale * row['high']:+.3g}), {row['change']}"
        for _, row in figures.iterrows()
    )
    return style.display(ax, f"Differences, new less old, with 95 % intervals: {told}",
                         lines_=lines)  # fmt: skip


def _named(row: pd.Series) -> str:
    """Return the name of a figure with the photos of its class, and which way is better."""
    name, less = str(row["metric"]), " (less is better)" if row.get("less_is_better") else ""
    n_photos = f" ({row['n_photos']:,})" if name.startswith("recall ") and "n_photos" in row else ""
    return style.label(name.removeprefix("expected "), longest=30) + n_photos + less


def confusion_differences(
    old: pd.DataFrame,
    new: pd.DataFrame,
    *,
    ax: Axes | None = None,
    im_kw: style.Kw = None,
    text_kw: style.Kw = None,
) -> Display:
    """Draw how many photos moved from cell to cell of the confusion matrix.

    Blue is better: more photos on the diagonal, or fewer beside it. Orange is worse.

    Parameters
    ----------
    old, new : pandas.DataFrame
        The counts of `hotelviz.metrics.confusion_matrix`, of the same classes and photos.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure that fits the classes.
    im_kw, text_kw : dict, optional
        Further arguments of ``Axes.imshow``, and of the cells' ``Axes.text``.

    Returns
    -------
    Display
        ``images_`` has ``better``, the change of each cell, above 0 where it is better; ``texts_``
        the change in photos by (true, predicted), of cells that changed.

    Examples
    --------
    >>> from hotelviz.metrics import confusion_matrix
    >>> before = confusion_matrix(["a", "a", "b"], ["a", "b", "b"])
    >>> after = confusion_matrix(["a", "a", "b"], ["a", "a", "b"], classes=["a", "b"])
    >>> display = confusion_differences(before, after)
    >>> {cell: text.get_text() for cell, text in display.texts_.items()}
    {('a', 'a'): '+1', ('a', 'b'): '−1'}
    """
    names = list(old.index)
    change = (new.loc[names, names] - old).to_numpy(dtype=int)
    better = np.where(np.eye(len(names), dtype=bool), change, -change)
    most = max(1, int(abs(change).max(initial=0)))
    side = float(np.clip(1.6 + 0.5 * len(names), 3.6, 12))
    ax = style.new_axes(ax, (side + 0.6, side))
    own: dict[str, Any] = {"cmap": _WORSE_TO_BETTER, "vmin": -most, "vmax": most}
    image = ax.imshow(better, **style.options(im_kw, **own))
    texts, size = {}, 10 if len(names) <= 12 else 7
    for (row, column), moved in np.ndenumerate(change):
        if moved and len(names) <= _MAX_WRITTEN:
            colour = style.readable_on(image.cmap(0.5 + float(better[row, column]) / (2 * most)))
            cell = {"ha": "center", "va": "center", "fontsize": size, "color": colour}
            text = f"{moved:+,}".replace("-", "−")
            drawn = ax.text(column, row, text, **style.options(text_kw, **cell))
            texts[names[row], names[column]] = drawn
    labels, edges = [style.label(name) for name in names], np.arange(len(names) + 1) - 0.5
    turned: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(range(len(names)), labels, fontsize=9, **turned)
    ax.set_yticks(range(len(names)), labels, fontsize=9)
    ax.set_xticks(edges, minor=True)
    ax.set_yticks(edges, minor=True)
    ax.grid(which="minor", color="#e5e7eb", linewidth=0.6)
    ax.tick_params(which="minor", length=0)
    ax.spines[:].set_visible(True)
    ax.set(xlabel="predicted", ylabel="true")
    ax.set_title("photos more or fewer: blue better, orange worse", fontsize=10)
    return style.display(ax, _moved(better, change, names), images_={"better": image},
                         texts_=texts)  # fmt: skip


def _moved(better: np.ndarray, change: np.ndarray, names: list[str]) -> str:
    """Return in words what changed most, for those who do not see it."""
    told = [f"Change of the confusion matrix: {int(np.trace(change)):+,} photos on the diagonal."]
    for which, cell in (("better", better.argmax()), ("worse", better.argmin())):
        row, column = np.unravel_index(cell, better.shape)
        if (better[row, column] > 0) == (which == "better") and better[row, column]:
            true, predicted = style.readable(names[row]), style.readable(names[column])
            told.append(f"Most {which}: {true} predicted as {predicted}, {change[row, column]:+,}.")
    return " ".join(told)
