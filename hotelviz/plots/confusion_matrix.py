"""The confusion matrix, readable for 3 and for 40 classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import sklearn.metrics
from matplotlib.axes import Axes

from hotelviz import metrics
from hotelviz.plots import style
from hotelviz.plots.display import ShowsFigure

if TYPE_CHECKING:
    from hotelviz.metrics.jackknife import Labels

#: With more classes the cells are too small for numbers.
_MAX_WRITTEN = 25


class ConfusionMatrixDisplay(ShowsFigure, sklearn.metrics.ConfusionMatrixDisplay):  # type: ignore[misc]
    r"""scikit-learn's display of a confusion matrix, in which the worst confusion is brightest.

    Each cell says the share of its true class and, below, the number of photos. Errors are shaded
    by that share on a scale of their own, which ends at the largest; the diagonal is grey.

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
        The errors, as per cent of the true class; the diagonal is masked.
    diagonal_ : matplotlib.image.AxesImage
        The diagonal, likewise; the errors are masked.
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
    >>> display = ConfusionMatrixDisplay.from_predictions(["a", "b", "b"], ["a", "b", "a"])
    >>> display.text_[1, 0].get_text()
    '50 %\n1'
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
        ax: Axes | None = None,
        cmap: str = "viridis",
        im_kw: style.Kw = None,
        text_kw: style.Kw = None,
    ) -> ConfusionMatrixDisplay:
        """Draw the matrix.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            The axes to draw on; by default those of a new figure that fits the classes.
        cmap : str, default "viridis"
            The colour map of the errors.
        im_kw, text_kw : dict, optional
            Further arguments of ``Axes.imshow`` for the errors, and of the cells' ``Axes.text``.

        Returns
        -------
        ConfusionMatrixDisplay
            Itself, with what was drawn.
        """
        n_classes = len(self.confusion_matrix)
        shares, right = self._shares(), np.eye(n_classes, dtype=bool)
        worst = float(np.where(right, 0, shares).max(initial=0))
        side = float(np.clip(1.6 + 0.62 * n_classes, 4.0, 12))
        im_kw = style.options(im_kw, vmin=0, vmax=worst or 100, aspect="equal")
        ax = style.new_axes(ax, (side + 1.0, side))
        super().plot(include_values=False, ax=ax, cmap=cmap, colorbar=False, im_kw=im_kw)
        self.figure_ = style.figure_of(ax)
        self.ax_.spines[:].set_visible(True)
        self.im_.set_data(np.ma.array(shares, mask=right))
        # Neither white nor black: the diagonal is not what is looked for.
        grey: dict[str, Any] = {"cmap": "gray", "vmin": -50, "vmax": 150}
        self.diagonal_ = self.ax_.imshow(np.ma.array(shares, mask=~right), **grey)
        size = 9 if n_classes <= 12 else 7 if n_classes <= _MAX_WRITTEN else 5.5
        self._name_classes(size)
        self.text_ = np.full(shares.shape, None, dtype=object)
        if n_classes <= _MAX_WRITTEN:
            self._write_cells(shares, style.options(text_kw, fontsize=size, linespacing=1.0))
        if worst:
            label = "errors: % of the true class"
            self.figure_.colorbar(self.im_, ax=self.ax_, label=label, shrink=0.8)
        style.finish(self.figure_, self._alt_text())
        return self

    def _shares(self) -> np.ndarray:
        """Return the cells as per cent of their true classes; 0 for a class without photos."""
        support = self.confusion_matrix.sum(axis=1, keepdims=True)
        return np.asarray(100 * self.confusion_matrix / np.maximum(support, 1))

    def _write_cells(self, shares: np.ndarray, text_kw: dict[str, Any]) -> None:
        """Write shares and counts into their cells, in black or white, whichever is readable."""
        for (row, column), count in np.ndenumerate(self.confusion_matrix):
            if not count:
                continue
            image, share = self.diagonal_ if row == column else self.im_, shares[row, column]
            colour = style.readable_on(image.cmap(image.norm(share)))
            kw = {"ha": "center", "va": "center", "color": colour} | text_kw
            # A positive share that is rounded to 0 would be read as none.
            text = f"{share:.0f} %" if share > 0.5 else "<1 %"
            self.text_[row, column] = self.ax_.text(column, row, f"{text}\n{count:,.0f}", **kw)

    def _name_classes(self, size: float) -> None:
        names = [style.label(name) for name in self.display_labels]
        places, edges = range(len(names)), np.arange(len(names) + 1) - 0.5
        turned: dict[str, Any] = {"rotation": 90}
        if len(names) <= 20:
            turned = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
        self.ax_.set_xticks(places, names, fontsize=size, **turned)
        support = self.confusion_matrix.sum(axis=1)
        counted = [f"{name} ({n:,.0f})" for name, n in zip(names, support, strict=True)]
        self.ax_.set_yticks(places, counted, fontsize=size)
        self.ax_.set(xlabel="predicted", ylabel="true (number of photos)")
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
            errors = self._shares() * (wrong > 0)
            row, column = np.unravel_index(errors.argmax(), errors.shape)
            true, predicted = (style.readable(self.display_labels[at]) for at in (row, column))
            text += (
                f" The worst confusion: {wrong[row, column]:.0f} of {counts[row].sum():.0f} {true} "
                f"photos predicted as {predicted}."
            )
        return text
