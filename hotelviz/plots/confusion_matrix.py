"""The confusion matrix, readable for 3 and for 40 classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import sklearn.metrics
from matplotlib.axes import Axes

from hotelviz import metrics
from hotelviz.plots import style
from hotelviz.plots.display import ShowsFigure

if TYPE_CHECKING:
    from hotelviz.metrics.bootstrap import Labels

#: With more classes the cells are too small for numbers.
_MAX_WRITTEN = 25


class ConfusionMatrixDisplay(ShowsFigure, sklearn.metrics.ConfusionMatrixDisplay):  # type: ignore[misc]
    """scikit-learn's display of a confusion matrix, with empty cells left white.

    Parameters
    ----------
    confusion_matrix : pandas.DataFrame
        The counts of `hotelviz.metrics.confusion_matrix`.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The axes.
    figure_ : matplotlib.figure.Figure
        The figure that they are on.
    im_ : matplotlib.image.AxesImage
        The image.
    text_ : numpy.ndarray of shape (n_classes, n_classes)
        The texts of the cells; None for empty cells, and for all with more than 25 classes.
    confusion_matrix : numpy.ndarray of shape (n_classes, n_classes)
        The counts.
    display_labels : list of str
        The classes.

    See Also
    --------
    sklearn.metrics.ConfusionMatrixDisplay : Its base.

    Examples
    --------
    >>> display = ConfusionMatrixDisplay.from_predictions(
    ...     ["a", "b", "b"], ["a", "b", "a"], normalize="true"
    ... )
    >>> display.text_[1, 0].get_text()
    '50'
    """

    def __init__(self, confusion_matrix: pd.DataFrame) -> None:
        super().__init__(
            confusion_matrix.to_numpy(dtype=float), display_labels=list(confusion_matrix.index)
        )

    @classmethod
    def from_predictions(
        cls,
        true: Labels,
        predicted: Labels,
        *,
        classes: Sequence[str] | None = None,
        **plot_kw: Any,
    ) -> ConfusionMatrixDisplay:
        """Count and draw in one step.

        Parameters
        ----------
        true, predicted, classes
            See `hotelviz.metrics.confusion_matrix`.
        **plot_kw
            See `plot`.
        """
        return cls(metrics.confusion_matrix(true, predicted, classes=classes)).plot(**plot_kw)

    def plot(
        self,
        *,
        normalize: Literal["true"] | None = None,
        ax: Axes | None = None,
        cmap: str = "cividis",
        im_kw: style.Kw = None,
        text_kw: style.Kw = None,
    ) -> ConfusionMatrixDisplay:
        """Draw the matrix.

        Parameters
        ----------
        normalize : {"true"} or None, default None
            ``true`` shows each cell as per cent of the photos of its true class; None counts.
        ax : matplotlib.axes.Axes, optional
            The axes to draw on; by default those of a new figure that fits the classes.
        cmap : str, default "cividis"
            A matplotlib colour map.
        im_kw, text_kw : dict, optional
            Further arguments of ``Axes.imshow`` and of the cells' ``Axes.text``.

        Returns
        -------
        ConfusionMatrixDisplay
            Itself, with what was drawn.
        """
        counts, n_classes = self.confusion_matrix, len(self.confusion_matrix)
        support = np.maximum(counts.sum(axis=1, keepdims=True), 1)
        values = 100 * counts / support if normalize else counts
        side = float(np.clip(2.2 + 0.62 * n_classes, 4.2, 12))
        top = 100 if normalize else max(float(values.max(initial=0)), 1)
        im_kw = style.options(im_kw, vmin=0, vmax=top, aspect="equal")
        ax = style.new_axes(ax, (side + 1.2, side))
        super().plot(include_values=False, ax=ax, cmap=cmap, colorbar=False, im_kw=im_kw)
        self.figure_ = style.figure_of(ax)
        self.ax_.spines[:].set_visible(True)
        # A count of 0 is white: what is there at all is seen at once.
        values = np.where(values == 0, np.nan, values)
        self.im_.set_data(values)
        size = 9 if n_classes <= 12 else 7 if n_classes <= _MAX_WRITTEN else 5.5
        self._name_classes(size)
        self.text_ = np.full(values.shape, None, dtype=object)
        if n_classes <= _MAX_WRITTEN:
            self._write_cells(values, style.options(text_kw, fontsize=size))
        label = "% of the true class" if normalize else "photos"
        self.figure_.colorbar(self.im_, ax=self.ax_, label=label, shrink=0.8)
        style.finish(self.figure_, self._alt_text())
        return self

    def _write_cells(self, values: np.ndarray, text_kw: dict[str, Any]) -> None:
        """Write the values into their cells, in black or white, whichever is readable."""
        for (row, column), value in np.ndenumerate(values):
            if np.isnan(value):
                continue
            light = np.dot(self.im_.cmap(self.im_.norm(value))[:3], [0.299, 0.587, 0.114]) > 0.5
            kw = {"ha": "center", "va": "center", "color": "black" if light else "white"} | text_kw
            # A positive value that is rounded to 0 would be read as none.
            text = format(value, ".0f") if value > 0.5 else "<1"
            self.text_[row, column] = self.ax_.text(column, row, text, **kw)

    def _name_classes(self, size: float) -> None:
        names = [style.label(name) for name in self.display_labels]
        places, edges = range(len(names)), np.arange(len(names) + 1) - 0.5
        turned: dict[str, Any] = {"rotation": 90}
        if len(names) <= 20:
            turned = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
        self.ax_.set_xticks(places, names, fontsize=size, **turned)
        self.ax_.set_yticks(places, names, fontsize=size)
        self.ax_.set(xlabel="predicted", ylabel="true")
        self.ax_.set_xticks(edges, minor=True)
        self.ax_.set_yticks(edges, minor=True)
        self.ax_.grid(which="minor", color="#e5e7eb", linewidth=0.6)
        self.ax_.tick_params(which="minor", length=0)

    def _alt_text(self) -> str:
        counts = self.confusion_matrix
        total, wrong = counts.sum(), counts - np.diag(np.diag(counts))
        text = (
            f"Confusion matrix of {total:,.0f} photos and {len(counts)} classes; "
            f"{np.trace(counts) / max(total, 1):.1%} are on the diagonal."
        )
        if wrong.any():
            row, column = np.unravel_index(wrong.argmax(), wrong.shape)
            true, predicted = (style.readable(self.display_labels[at]) for at in (row, column))
            text += (
                f" The most frequent confusion is {true} predicted as {predicted}: "
                f"{wrong[row, column]:.0f} photos."
            )
        return text
