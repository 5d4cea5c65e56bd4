"""The plot of slices: how much more groups of photos err than others of the same areas."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from hotelviz.plots import style
from hotelviz.plots.display import Display

#: Characters in a line of a slice's words.
_LINE = 40


def error_slices(
    slices: pd.DataFrame,
    *,
    signed: bool = False,
    ax: Axes | None = None,
    line_kw: style.Kw = None,
) -> Display:
    """Draw the error rate of each slice with its interval, beside that of the other photos.

    Parameters
    ----------
    slices : pandas.DataFrame
        The table of `hotelviz.embeddings.find_slices`.
    signed : bool, default False
        Whether the rates are mean signed errors in points, rather than shares of wrong photos.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure.
    line_kw : dict, optional
        Further arguments of ``Axes.plot`` for the points of the slices.

    Returns
    -------
    Display
        ``lines_`` has ``slice``, ``interval`` and ``rest``.

    Examples
    --------
    >>> table = pd.DataFrame({"slice": ["Pool: dark"], "n_photos": [40], "rate": [0.5],
    ...                       "low": [0.3], "high": [0.7], "rest": [0.1]})
    >>> error_slices(table).lines_["rest"].get_xdata().tolist()
    [0.1]
    """
    columns = ["slice", "n_photos", "rate", "low", "high", "rest"]
    style.check_columns(slices, columns, "error_slices")
    ax = style.new_axes(ax, (6.0, 1.3 + 0.62 * len(slices)), grid="x")
    rows = np.arange(len(slices))
    ends = {name: slices[name].to_numpy(dtype=float) for name in columns[2:]}
    interval = ax.hlines(
        rows, ends["low"], ends["high"], color=style.BLUE, alpha=0.35, linewidth=4,
        label="95 % interval over hotels",
    )  # fmt: skip
    own = style.options(
        line_kw, marker="o", linestyle="", color=style.BLUE, label="photos of the slice"
    )
    (points,) = ax.plot(ends["rate"], rows, **own)
    (rest,) = ax.plot(
        ends["rest"], rows, marker="o", linestyle="", markerfacecolor="none",
        color=style.ORANGE, label="others of the same areas",
    )  # fmt: skip
    names = [
        style.drawn_lines(f"{n:,} photos: {words}", _LINE)
        for words, n in zip(slices["slice"], slices["n_photos"], strict=True)
    ]
    ax.set_yticks(rows, names, fontsize=9)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    if signed:
        ax.axvline(0, color=style.GREY, linestyle="--", linewidth=1)
        ax.set_xlabel("predicted less rated (points)")
    else:
        ax.set_xlim(0, min(1.0, max(0.2, 1.05 * ends["high"].max())))
        ax.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
        ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
        ax.set_xlabel("photos that are wrong")
    style.legend_above(ax, 1)
    shown = "{:+.2f}" if signed else "{:.0%}"
    texts = [
        f"{style.readable(words)}: {shown.format(rate)} against {shown.format(other)}"
        for words, rate, other in zip(slices["slice"], ends["rate"], ends["rest"], strict=True)
    ]
    lines = {"slice": points, "interval": interval, "rest": rest}
    return style.display(ax, f"Where the model errs: {'; '.join(texts)}.", lines_=lines)
