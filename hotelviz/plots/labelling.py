"""The plot of raters: how far each is from the others, and from themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hotelviz.plots import style
from hotelviz.plots.display import Display


def rater_bias(
    raters: pd.DataFrame, *, ax: Axes | None = None, line_kw: style.Kw = None
) -> Display:
    """Draw how far each rater is from the others on the same photos.

    Parameters
    ----------
    raters : pandas.DataFrame
        The table of `hotelviz.labelling.inter_rater.rater_statistics`. For scores the bias is
        drawn, with its interval as a thick and its noise as a thin line; for tags the share of the
        others' votes that were the same.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure.
    line_kw : dict, optional
        Further arguments of ``Axes.plot`` for the points.

    Returns
    -------
    Display
        ``lines_`` has ``value`` (the points) and ``interval``, and for scores ``noise``.

    Examples
    --------
    >>> display = rater_bias(pd.DataFrame({"rater": ["Ada"], "bias": [0.5], "bias_low": [0.2],
    ...                                    "bias_high": [0.8], "noise": [1.0], "compared": [40]}))
    >>> display.lines_["value"].get_xdata().tolist()
    [0.5]
    """
    name = "bias" if "bias" in raters else "agrees"
    needs = [name, f"{name}_low", f"{name}_high", *(["noise"] if name == "bias" else [])]
    style.check_columns(raters, ["rater", "compared", *needs], "rater_bias", empty=True)
    known = raters[raters["compared"] > 0].sort_values([name, "rater"])
    ax = style.new_axes(ax, (5.0, max(1.8, 0.34 * len(known) + 1.0)))
    rows = np.arange(len(known))
    value, low, high = (known[f"{name}{end}"].to_numpy(float) for end in ("", "_low", "_high"))
    lines: dict[str, Any] = {}
    if name == "bias":
        noise = known["noise"].to_numpy(float)
        lines["noise"] = ax.hlines(
            rows, value - noise, value + noise, color=style.GREY, linewidth=1
        )
        ax.axvline(0, color=style.GREY, linestyle="--", linewidth=1)
        ax.set_xlabel("points more than the others, on the same photos")
    else:
        ax.set(xlim=(0, 1), xlabel="share of the others' votes that were the same")
    lines["interval"] = ax.hlines(rows, low, high, color=style.BLUE, linewidth=4)
    own = style.options(line_kw, marker="o", linestyle="", color=style.BLUE)
    (lines["value"],) = ax.plot(value, rows, **own)
    names = known["rater"].astype(str)
    ax.set_yticks(rows, [style.drawn(rater) for rater in names])
    texts = [f"{rater} {figure:+.2f}" for rater, figure in zip(names, value, strict=True)]
    what = "Bias" if name == "bias" else "Agreement with the others"
    return style.display(ax, f"{what} of {len(known)} raters: {', '.join(texts)}", lines_=lines)
