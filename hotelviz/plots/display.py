"""What a plot function returns: the figure, its axes, and what was drawn on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hotelviz.plots.alt_text import mimebundle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class ShowsFigure:
    """Show the figure where a display is the last line of a notebook's cell."""

    figure_: Figure

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:  # noqa: ARG002
        # IPython itself shows the figures of pyplot, at the end of the cell.
        if self.figure_.canvas.manager is not None:
            return {"text/plain": repr(self)}
        return mimebundle(self.figure_)


@dataclass(frozen=True, repr=False)
class Display(ShowsFigure):
    """What a function of `hotelviz.plots` drew; each function says which artists it names.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The figure that the axes are on.
    axes_ : numpy.ndarray of matplotlib.axes.Axes
        The axes, by rows and columns where there are several.
    bars_, lines_, images_, texts_ : dict
        The artists by name.

    Examples
    --------
    >>> from hotelviz.plots import class_counts
    >>> import pandas as pd
    >>> display = class_counts(pd.DataFrame({"label": ["Pool", "Foyer"], "split": "train"}))
    >>> len(display.bars_["train"])
    2
    >>> display.ax_.get_xlabel()
    'photos'
    """

    figure_: Figure
    axes_: np.ndarray
    bars_: Mapping[str, Any] = field(default_factory=dict)
    lines_: Mapping[str, Any] = field(default_factory=dict)
    images_: Mapping[Any, Any] = field(default_factory=dict)
    texts_: Mapping[Any, Any] = field(default_factory=dict)

    @property
    def ax_(self) -> Axes:
        """Return the axes, or the first of several."""
        axes: Axes = self.axes_.flat[0]
        return axes
