"""The plot of a learning curve: what was measured, what was fitted, and where that ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hotelviz.errors import HotelvizError
from hotelviz.plots import style
from hotelviz.plots.display import Display

if TYPE_CHECKING:
    from hotelviz.metrics import LearningCurve

_COLOURS = {"as is": style.BLUE, "cleaned": style.ORANGE}


def learning_curve(
    curve: LearningCurve, *, label: str = "", factor: float = 2.0, ax: Axes | None = None,
    line_kw: style.Kw = None,
) -> Display:  # fmt: skip
    """Draw how a figure grows with the hotels learned from, and what more would bring.

    Parameters
    ----------
    curve : hotelviz.metrics.LearningCurve
        From `hotelviz.metrics.learning_curve`.
    label : str, default ""
        A class, for its recall; empty for all photos.
    factor : float, default 2
        How many times the hotels that there are the curve is followed to, at most as far as it
        may be.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure.
    line_kw : dict, optional
        Further arguments of ``Axes.plot``, for the fitted curves.

    Returns
    -------
    Display
        ``lines_`` has for ``as is`` and ``cleaned`` the fitted curve, with ``… measured`` the
        points, with ``… beyond`` what is extrapolated, with ``… interval`` the interval of the
        fit; and ``ceiling``, where it is known.

    Raises
    ------
    HotelvizError
        There is no such curve; the message says why where it is known.

    Examples
    --------
    >>> from hotelviz.metrics import LearningCurve
    >>> points = pd.DataFrame({"labels": "as is", "label": "", "metric": "accuracy", "judged": 80,
    ...                        "hotels": [2, 4, 8], "photos": [20, 40, 80], "ceiling": 0.96,
    ...                        "value": [0.5, 0.6, 0.7], "low": [0.4, 0.5, 0.6],
    ...                        "high": [0.6, 0.7, 0.8]})
    >>> fits = pd.DataFrame({"labels": "as is", "label": "", "a": [0.1], "b": 0.8, "c": 0.6})
    >>> drawn = learning_curve(LearningCurve(points, fits, 10, 0.95, {}))
    >>> sorted(drawn.lines_)
    ['as is', 'as is beyond', 'as is interval', 'as is measured', 'ceiling']
    """
    points = curve.points[curve.points["label"] == label]
    if points.empty:
        why = f": {curve.left_out[label]}" if label in curve.left_out else ""
        raise HotelvizError(f"there is no learning curve of {label!r}{why}")
    ax = style.new_axes(ax, (5.2, 3.5), grid="y")
    measured = points["hotels"].max()
    end = min(max(factor, 1.0) * curve.hotels, curve.most_hotels)
    sizes = np.linspace(points["hotels"].min(), end, 60)
    fitted = curve.at(sizes.tolist())
    fitted = fitted[fitted["label"] == label]
    lines: dict[str, Any] = {}
    told = []
    for number, (name, own) in enumerate(points.groupby("labels", sort=False)):
        colour = _COLOURS.get(str(name), style.COLOURS[number])
        one = fitted[fitted["labels"] == name]
        lines |= _drawn(ax, own, one, str(name), colour, line_kw, first=number == 0)
        told.append(_told(own, one, str(name), label))
    ax.axvline(measured, color=style.GREY, linewidth=1, linestyle=":")
    ceiling = points["ceiling"].dropna()
    if len(ceiling):
        agreed: dict[str, Any] = {"color": style.GREEN, "linewidth": 1.4, "linestyle": "-."}
        lines["ceiling"] = ax.axhline(ceiling.iloc[0], label="labellers agree", **agreed)
        told.append(f"labellers agree on {ceiling.iloc[0]:.2f}")
    metric = str(points["metric"].iloc[0])
    what = f"{metric} of {style.label(label)}" if label else metric
    ax.set(xlabel=f"hotels learned from (dotted: {measured:.0f}, measured so far)", ylabel=what)
    style.legend_above(ax, 2)
    text = f"Learning curve of {metric}{f' of {style.readable(label)}' if label else ''}"
    return style.display(ax, f"{text}: {'; '.join(told)}.", lines_=lines)


def _drawn(
    ax: Axes, points: pd.DataFrame, fitted: pd.DataFrame, name: str, colour: str, line_kw: style.Kw,
    *, first: bool,
) -> dict[str, Any]:  # fmt: skip
    """Draw one curve, dashed where nothing was measured."""
    around = np.abs(points[["low", "high"]].to_numpy().T - points["value"].to_numpy())
    measured = ax.errorbar(
        points["hotels"], points["value"], around, fmt="o", color=colour, markersize=4.5,
        linewidth=1, label=f"{style.label(name)}: measured",
    )  # fmt: skip
    own = style.options(line_kw, color=colour, linewidth=1.8)
    inside = fitted["hotels"] <= points["hotels"].max()
    (line,) = ax.plot(fitted["hotels"][inside], fitted["value"][inside], **own)
    beyond = {**own, "linestyle": "--"} | ({"label": "fitted; dashed: beyond"} if first else {})
    (dashed,) = ax.plot(fitted["hotels"][~inside], fitted["value"][~inside], **beyond)
    band = ax.fill_between(
        fitted["hotels"], fitted["low"], fitted["high"], color=colour, alpha=0.16, linewidth=0
    )
    names = (f"{name} measured", name, f"{name} beyond", f"{name} interval")
    return dict(zip(names, (measured, line, dashed, band), strict=True))


def _told(points: pd.DataFrame, fitted: pd.DataFrame, name: str, label: str) -> str:
    """Return in words what was measured with most hotels, and what the fit says of more."""
    most, last = points.sort_values("hotels").iloc[-1], fitted.iloc[-1]
    of = f" with {most['photos']:.0f} photos of it" if label else ""
    return (
        f"{style.readable(name)} {most['value']:.2f} learned from {most['hotels']:.0f} hotels{of}, "
        f"expected {last['value']:.2f} ({last['low']:.2f} to {last['high']:.2f}) from "
        f"{last['hotels']:.0f}"
    )
