"""Displays of what raters said: how each differs from the others, and from themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hotelviz.plots.style import BLUE, GREY, check_columns, drawn, figure_of, finish, new_axes

__all__ = ["rater_bias"]


def rater_bias(habits: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how far each rater is from the others on the same photos.

    Parameters
    ----------
    habits
        From `rater_statistics`. Of scores the bias is drawn, with its
        interval as a thick and its noise as a thin line; of tags the share of the others' votes
        that were the same.
    ax
        Where to draw; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> ax = rater_bias(pd.DataFrame({"rater": ["Ada"], "bias": [0.5], "bias_low": [0.2],
    ...                               "bias_high": [0.8], "noise": [1.0], "compared": [40]}))
    >>> plt.close(ax.figure)
    """
    name = "bias" if "bias" in habits else "agrees"
    needs = [name, f"{name}_low", f"{name}_high", *(["noise"] if name == "bias" else [])]
    check_columns(habits, ["rater", "compared", *needs], "rater_bias", empty=True)
    known = habits[habits["compared"] > 0].sort_values(name)
    ax = new_axes(ax, (7.5, max(1.8, 0.34 * len(known) + 1.0)))
    rows = np.arange(len(known))
    value, low, high = (known[f"{name}{end}"].to_numpy(float) for end in ("", "_low", "_high"))
    if name == "bias":
        noise = known["noise"].to_numpy(float)
        ax.hlines(rows, value - noise, value + noise, color=GREY, linewidth=1)
        ax.axvline(0, color=GREY, linestyle="--", linewidth=1)
        ax.set_xlabel("points above (right) or below the others, on the same photos")
    else:
        ax.set_xlim(0, 1)
        ax.set_xlabel("share of the others' votes that were the same")
    ax.hlines(rows, low, high, color=BLUE, linewidth=4)
    ax.plot(value, rows, "o", color=BLUE)
    names = known["rater"].astype(str)
    ax.set_yticks(rows, [drawn(name) for name in names])
    ax.spines[["top", "right"]].set_visible(False)
    texts = [f"{rater} {figure:+.2f}" for rater, figure in zip(names, value, strict=True)]
    what = "Bias" if name == "bias" else "Agreement with the others"
    finish(figure_of(ax), f"{what} of {len(known)} raters: {', '.join(texts)}")
    return ax
