"""Displays of taggers and their training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hotelviz import metrics
from hotelviz.metrics.bootstrap import Labels
from hotelviz.plots.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    check_columns,
    drawn,
    figure_of,
    finish,
    new_axes,
    readable,
)

_AVERAGES = ("macro avg", "weighted avg")


class ConfusionMatrixDisplay:
    """A confusion matrix, readable for 3 and for 40 classes.

    Parameters
    ----------
    matrix
        From `hotelviz.metrics.confusion_matrix`.

    Attributes
    ----------
    ax_, figure_
        Where it was drawn.
    im_
        The image.
    text_
        The texts of the cells, an object array of the matrix' shape; None for empty cells, and
        everywhere where there are too many classes to write in the cells.

    Examples
    --------
    >>> display = ConfusionMatrixDisplay.from_predictions(["a", "b", "b"], ["a", "b", "a"])
    >>> display.plot(normalize="true").text_[1, 0].get_text()
    '50'
    >>> plt.close(display.figure_)
    """

    ax_: Axes
    figure_: Figure
    im_: Any
    text_: np.ndarray

    def __init__(self, matrix: pd.DataFrame) -> None:
        self.matrix = matrix

    @classmethod
    def from_predictions(
        cls,
        true: Labels,
        predicted: Labels,
        *,
        classes: Sequence[str] | None = None,
    ) -> ConfusionMatrixDisplay:
        """Count and prepare in one step; see `hotelviz.metrics.confusion_matrix`."""
        return cls(metrics.confusion_matrix(true, predicted, classes=classes))

    def plot(
        self,
        *,
        ax: Axes | None = None,
        normalize: Literal["true"] | None = None,
        cmap: str = "cividis",
        im_kw: Mapping[str, Any] | None = None,
        text_kw: Mapping[str, Any] | None = None,
    ) -> ConfusionMatrixDisplay:
        """Draw the matrix.

        Parameters
        ----------
        ax
            Where to draw; None makes a figure whose size fits the number of classes.
        normalize
            ``true`` shows each cell as per cent of the photos of its true class; None counts.
        cmap
            A matplotlib colour map.
        im_kw, text_kw
            More arguments of ``Axes.imshow`` and of the cells' texts.

        Returns
        -------
        ConfusionMatrixDisplay
            Itself, with what was drawn.
        """
        counts = self.matrix.to_numpy(dtype=float)
        classes = len(counts)
        side = float(np.clip(2.2 + 0.62 * classes, 4.2, 12))
        self.ax_ = new_axes(ax, (side + 1.2, side))
        self.figure_ = figure_of(self.ax_)
        support = counts.sum(axis=1, keepdims=True)
        shares = np.divide(counts, support, out=np.zeros_like(counts), where=support > 0)
        values = 100 * shares if normalize else counts
        # A count of 0 is white: what is there at all is seen at once.
        shown = np.ma.masked_equal(values, 0)
        top = 100 if normalize else max(float(values.max()), 1)
        self.im_ = self.ax_.imshow(
            shown, **{"cmap": cmap, "vmin": 0, "vmax": top, "aspect": "equal", **(im_kw or {})}
        )
        small = 9 if classes <= 12 else 7 if classes <= 25 else 5.5
        names = [drawn(readable(name)) for name in self.matrix.index]
        self.ax_.set_xticks(
            range(classes), names, rotation=45 if classes <= 20 else 90,
            ha="right" if classes <= 20 else "center",
            rotation_mode="anchor" if classes <= 20 else "default", fontsize=small,
        )  # fmt: skip
        self.ax_.set_yticks(range(classes), names, fontsize=small)
        self.ax_.set_xlabel("predicted")
        self.ax_.set_ylabel("true")
        self.ax_.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
        self.ax_.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
        self.ax_.grid(which="minor", color="#e5e7eb", linewidth=0.6)
        self.ax_.tick_params(which="minor", length=0)
        self._write(values, small, dict(text_kw or {}))
        label = "% of the true class" if normalize else "photos"
        self.figure_.colorbar(self.im_, ax=self.ax_, label=label, shrink=0.8)
        finish(self.figure_, self._alt())
        return self

    def _write(self, values: np.ndarray, small: float, text_kw: dict[str, Any]) -> None:
        self.text_ = np.full(values.shape, None, dtype=object)
        if len(values) > 25:
            return
        for row, column in zip(*np.nonzero(values), strict=True):
            value = values[row, column]
            red, green, blue, _ = self.im_.cmap(self.im_.norm(value))
            light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
            self.text_[row, column] = self.ax_.text(
                column, row, f"{value:.0f}" if value >= 0.5 else "<1",
                **{"ha": "center", "va": "center", "fontsize": small,
                   "color": "black" if light else "white", **text_kw},
            )  # fmt: skip

    def _alt(self) -> str:
        counts = self.matrix.to_numpy()
        total, right = counts.sum(), np.trace(counts)
        wrong = self.matrix.where(~np.eye(len(counts), dtype=bool), 0)
        text = (
            f"Confusion matrix of {total:,} photos and {len(counts)} classes; "
            f"{right / max(total, 1):.1%} are on the diagonal."
        )
        if wrong.to_numpy().any():
            row, column = np.unravel_index(wrong.to_numpy().argmax(), counts.shape)
            text += (
                f" Most often {readable(self.matrix.index[row])} is read as "
                f"{readable(self.matrix.columns[column])}: {wrong.iat[row, column]} photos."
            )
        return text


def per_class_bars(
    report: pd.DataFrame, *, ax: Axes | None = None, bar_kw: Mapping[str, Any] | None = None
) -> Axes:
    """Draw precision, recall and F1 of each class as bars.

    Parameters
    ----------
    report
        From `hotelviz.metrics.classification_report`.
    ax
        Where to draw.
    bar_kw
        More arguments of ``Axes.barh``.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> ax = per_class_bars(metrics.classification_report(["a", "b"], ["a", "b"]))
    >>> len(ax.containers)
    3
    >>> plt.close(ax.figure)
    """
    check_columns(report, ["precision", "recall", "f1", "support"], "per_class_bars")
    table = report.drop(index=[name for name in _AVERAGES if name in report.index])
    ax = new_axes(ax, (7.5, 1.2 + 0.52 * len(table)))
    places, height = np.arange(len(table)), 0.26
    for shift, (column, colour) in enumerate(
        (("precision", BLUE), ("recall", ORANGE), ("f1", GREEN))
    ):
        ax.barh(
            places + (shift - 1) * height, table[column].fillna(0),
            **{"height": height, "color": colour, "label": column.replace("f1", "F1"),
               **(bar_kw or {})},
        )  # fmt: skip
    ax.set_yticks(
        places, [f"{drawn(readable(name))} ({count:,})" for name, count in table["support"].items()]
    )
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.set_xlabel("share (photos of the class in brackets)")
    ax.grid(axis="x", color="#e5e7eb")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    tested = table[table["support"] > 0]
    text = "Precision, recall and F1 of each class."
    if len(tested):
        best, worst = tested["f1"].fillna(0).idxmax(), tested["f1"].fillna(0).idxmin()
        text += (
            f" Best F1: {readable(best)}, {tested['f1'].fillna(0)[best]:.2f}; "
            f"lowest: {readable(worst)}, {tested['f1'].fillna(0)[worst]:.2f}."
        )
    finish(figure_of(ax), text)
    return ax


def training_history(history: pd.DataFrame, *, axes: Sequence[Axes] | None = None) -> list[Axes]:
    """Draw loss and metric over the epochs, with the change of phase marked.

    Parameters
    ----------
    history
        From `hotelviz.training.history`.
    axes
        Two axes, for the loss and the metric (a tagger's accuracy, an aesthetic model's error of
        the mean score).

    Returns
    -------
    list of matplotlib.axes.Axes

    Examples
    --------
    >>> table = pd.DataFrame({"epoch": [1, 2], "phase": ["head", "fine_tune"],
    ...                       "loss": [1.0, 0.5], "accuracy": [0.5, 0.8]})
    >>> axes = training_history(table)
    >>> plt.close(axes[0].figure)
    """
    check_columns(history, ["epoch", "phase", "loss"], "training_history")
    if axes is None:
        axes = list(plt.subplots(1, 2, figsize=(9.5, 3.6), layout="constrained")[1])
    changes = history["epoch"][history["phase"].ne(history["phase"].shift())].to_list()
    metric = "accuracy" if "accuracy" in history else "mean_score_error"
    for ax, name in zip(axes, ("loss", metric), strict=True):
        for column, colour, label in (
            (name, GREY, "training"), (f"val_{name}", BLUE, "validation")
        ):  # fmt: skip
            if column in history:
                ax.plot(history["epoch"], history[column], color=colour, label=label, marker="o",
                        markersize=3)  # fmt: skip
        for number, (start, phase) in enumerate(
            zip(changes, history.loc[history["epoch"].isin(changes), "phase"], strict=True)
        ):
            if number:
                ax.axvline(start - 0.5, color=ORANGE, linestyle="--", linewidth=1)
            ax.annotate(
                drawn(readable(phase)), (start - 0.4, 1.0), xycoords=("data", "axes fraction"),
                xytext=(2, 3), textcoords="offset points", fontsize=8, color=ORANGE,
            )  # fmt: skip
        ax.set_xlabel("epoch")
        ax.set_ylabel(drawn(readable(name)))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.grid(color="#e5e7eb")
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False)
    last = history.iloc[-1]
    column = f"val_{metric}" if f"val_{metric}" in history else metric
    value = f"{last[column]:.1%}" if metric == "accuracy" else f"{last[column]:.3f}"
    finish(
        figure_of(axes[0]),
        f"Loss and {readable(metric)} over {len(history)} epochs in the phases "
        f"{', '.join(history['phase'].unique()).replace('_', ' ')}; at the end the "
        f"{'validation' if column[0] == 'v' else 'training'} {readable(metric)} is {value}.",
    )
    return list(axes)


def reliability(calibration: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how often a model is right against how sure it is.

    Parameters
    ----------
    calibration
        From `hotelviz.metrics.calibration`.
    ax
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> table = metrics.calibration(np.array([[0.9, 0.1]]), ["a"], ["a", "b"])
    >>> ax = reliability(table)
    >>> plt.close(ax.figure)
    """
    check_columns(calibration, ["confidence", "accuracy", "count"], "reliability")
    ax = new_axes(ax, (4.8, 4.6))
    ax.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="as sure as right")
    sizes = 20 + 280 * calibration["count"] / calibration["count"].max()
    ax.plot(calibration["confidence"], calibration["accuracy"], color=BLUE, linewidth=1)
    ax.scatter(calibration["confidence"], calibration["accuracy"], s=sizes, color=BLUE, alpha=0.75,
               linewidth=0, label="photos (area = number)")  # fmt: skip
    error = metrics.expected_calibration_error(calibration)
    ax.set_title(f"expected calibration error {error:.3f}", fontsize=10)
    ax.set_xlabel("probability of the predicted class")
    ax.set_ylabel("share that is right")
    ax.set_xlim(0, 1.03)
    ax.set_ylim(0, 1.03)
    ax.set_aspect("equal")
    ax.grid(color="#e5e7eb")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(loc="upper left", frameon=False, fontsize=8, markerscale=0.5)
    sure = (calibration["confidence"] * calibration["count"]).sum() / calibration["count"].sum()
    right = (calibration["accuracy"] * calibration["count"]).sum() / calibration["count"].sum()
    finish(
        figure_of(ax),
        f"Reliability: on average the model is {sure:.1%} sure and {right:.1%} right; "
        f"expected calibration error {error:.3f}.",
    )
    return ax


def class_counts(catalog: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the number of photos of each class, by split.

    Parameters
    ----------
    catalog
        With ``label`` and ``split``.
    ax
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> photos = pd.DataFrame({"label": ["Pool", "Foyer"], "split": ["train", "test"]})
    >>> ax = class_counts(photos)
    >>> plt.close(ax.figure)
    """
    check_columns(catalog, ["label", "split"], "class_counts")
    counts = pd.crosstab(catalog["label"], catalog["split"])
    counts = counts[[name for name in ("train", "val", "test") if name in counts]]
    ax = new_axes(ax, (7.5, 1.0 + 0.34 * len(counts)))
    left = np.zeros(len(counts))
    places = np.arange(len(counts))
    for (split, numbers), colour in zip(counts.items(), (BLUE, ORANGE, GREEN), strict=False):
        ax.barh(places, numbers, left=left, color=colour, label=split, height=0.7)
        left += numbers.to_numpy()
    for place, total in zip(places, left, strict=True):
        ax.annotate(f"{total:,.0f}", (total, place), xytext=(4, 0), textcoords="offset points",
                    va="center", fontsize=9)  # fmt: skip
    ax.set_yticks(places, [drawn(readable(name)) for name in counts.index])
    ax.invert_yaxis()
    ax.set_xlim(0, 1.12 * left.max())
    ax.set_xlabel("photos")
    ax.grid(axis="x", color="#e5e7eb")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    totals = counts.sum(axis=1)
    finish(
        figure_of(ax),
        f"Photos per class by split, {int(totals.sum()):,} in all: most of "
        f"{readable(totals.idxmax())} ({totals.max():,}), fewest of "
        f"{readable(totals.idxmin())} ({totals.min():,}).",
    )
    return ax
