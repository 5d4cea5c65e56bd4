"""What all displays share: colours, and where they are drawn."""

from __future__ import annotations

import os
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hotelviz.io.atomic import atomic_path

#: Okabe and Ito's colours, which colour-blind eyes tell apart.
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#6b7280"


def new_axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """Give the axes to draw on: those given, or those of a new figure."""
    if ax is not None:
        return ax
    return plt.subplots(figsize=size, layout="constrained")[1]


def new_figure(size: tuple[float, float], *, layout: str = "constrained") -> Figure:
    """Give a figure that is shown where it is the last line of a cell, and nowhere else.

    pyplot's figures show themselves at the end of a cell; of those that a loop makes and displays
    each would be there twice.
    """
    return Figure(figsize=size, layout=layout)  # type: ignore[arg-type]


def figure_of(ax: Axes) -> Figure:
    """Give the figure that axes are on."""
    figure = ax.get_figure(root=True)
    if not isinstance(figure, Figure):
        raise TypeError("these axes are on no figure")
    return figure


def readable(name: object) -> str:
    """Write a class as people read it."""
    return str(name).replace("_", " ")


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write a figure at print size: PNG with 300 pixels an inch, and SVG.

    Parameters
    ----------
    figure
        A matplotlib figure.
    path
        Without ending.

    Returns
    -------
    tuple of pathlib.Path
        The PNG and the SVG file.

    Examples
    --------
    >>> import tempfile
    >>> [file.suffix for file in save_figure(Figure((1, 1)), f"{tempfile.mkdtemp()}/empty")]
    ['.png', '.svg']
    """
    files = Path(f"{path}.png"), Path(f"{path}.svg")
    for file in files:
        with atomic_path(file) as temporary:
            figure.savefig(temporary, format=file.suffix[1:], dpi=300, bbox_inches="tight")
    return files


def figure_png(figure: Figure) -> bytes:
    """Give a figure as the bytes of a PNG file, at the size that a screen shows it."""
    import io

    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100, bbox_inches="tight")
    return file.getvalue()
