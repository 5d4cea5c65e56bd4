"""Figures of what channels and outputs look for, before and after fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hotelviz.feature_vis import patch_pixels
from hotelviz.plots.style import (
    BLUE,
    GREEN,
    ORANGE,
    drawn,
    drawn_lines,
    figure_of,
    finish,
    new_axes,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hotelviz.feature_vis import FilterComparison


def filter_comparison(
    comparison: FilterComparison,
    *,
    names: tuple[str, str] = ("original", "tuned"),
    title: str = "",
) -> Figure:
    """Draw the same channels of two models, one above the other, layer by layer.

    Parameters
    ----------
    comparison
        Of `hotelviz.feature_vis.compare_filters`.
    names
        Of the two models.
    title
        Above the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Ready for a slide; `save_figure` writes it at print size.
    """
    layers = list(comparison.original)
    columns = max(len(pictures) for pictures in comparison.original.values())
    figure = new_figure((0.95 * columns + 1.0, 2.35 * len(layers) + 0.2))
    texts = []
    for part, layer in zip(
        figure.subfigures(len(layers), 1, squeeze=False).ravel(), layers, strict=True
    ):
        axes = part.subplots(
            2, columns, squeeze=False, gridspec_kw={"wspace": 0.04, "hspace": 0.03}
        )
        rows = comparison.channels[comparison.channels["layer"] == layer]
        part.suptitle(drawn(layer), fontsize=11, fontweight="bold", x=0.01, ha="left")
        for ax in axes.ravel():
            ax.axis("off")
        for column, (_, row) in enumerate(rows.iterrows()):
            axes[0, column].imshow(comparison.original[layer][column])
            axes[1, column].imshow(comparison.tuned[layer][column])
            axes[0, column].set_title(change_text(row), fontsize=7, pad=2)
        for ax, name in zip(axes[:, 0], names, strict=True):
            ax.text(-0.08, 0.5, drawn(name), rotation=90, ha="right", va="center", fontsize=8,
                    transform=ax.transAxes)  # fmt: skip
        texts.append(f"{layer}: channels {', '.join(map(str, rows['channel']))}")
    if title:
        figure.suptitle(drawn(title, longest=100), fontsize=12)
    text = f"What channels look for, {names[0]} above {names[1]}. {'; '.join(texts)}"
    finish(figure, text, photographic=True)
    return figure


def change_text(row: pd.Series) -> str:
    """Say how much a channel changed: its number, and correlation or change of weights.

    Examples
    --------
    >>> change_text(pd.Series({"channel": 12, "weight_change": 0.25, "correlation": 0.4}))
    '12: r 0.40'
    """
    # A row of numbers alone is a row of floats.
    channel = int(row["channel"])
    if "correlation" in row and not pd.isna(row["correlation"]):
        return f"{channel}: r {row['correlation']:.2f}"
    change = row["weight_change"]
    return f"{channel}" if pd.isna(change) else f"{channel}: w {change:.0%}"


def depth_profile(profile: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw where in its depth a network was changed.

    Parameters
    ----------
    profile
        Of `hotelviz.feature_vis.change_by_layer`.
    ax
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib.axes.Axes
        Layers from left to right; linear CKA and the channels' mean correlation (1: nothing
        changed), and the change of the weights (0: nothing changed).
    """
    ax = new_axes(ax, (8, 3.4))
    places = np.arange(len(profile))
    for column, label, colour, marker in (
        ("cka", "outputs alike (linear CKA)", BLUE, "o"),
        ("correlation", "channels alike (mean correlation)", GREEN, "s"),
        ("weight_change", "weights changed (relative)", ORANGE, "^"),
    ):
        ax.plot(places, profile[column], color=colour, marker=marker, markersize=4, label=label)
    ax.set_xticks(
        places, [drawn(name) for name in profile["layer"]], rotation=60, ha="right", fontsize=8
    )
    top = max(1.0, float(profile["weight_change"].max(skipna=True) or 0))
    ax.set(ylim=(min(0.0, float(profile["correlation"].min())) - 0.02, 1.05 * top), xlabel="layer")
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", alpha=0.3)
    ax.legend(frameon=False, fontsize=8)
    values = ", ".join(
        f"{row.layer} {row.cka:.2f}" for row in profile[["layer", "cka"]].itertuples()
    )
    finish(figure_of(ax), f"Linear CKA of both models' outputs by layer: {values}")
    return ax


def channel_card(
    pictures: Sequence[np.ndarray],
    photos: Sequence[pd.DataFrame],
    *,
    names: Sequence[str] = ("original", "tuned"),
    title: str = "",
) -> Figure:
    """Draw what a channel looks for: the synthetic picture, and the photos that excite it most.

    Parameters
    ----------
    pictures
        One a model: uint8 (size, size, 3), of `hotelviz.feature_vis.visualize_channels`.
    photos
        One a model: the channel's rows of `hotelviz.feature_vis.top_photos`.
    names
        Of the models.
    title
        Such as the layer and the channel.

    Returns
    -------
    matplotlib.figure.Figure
        A column per model: the picture above, nine patches of photos below.
    """
    figure = new_figure((2.5 * len(pictures) + 0.2, 5.2))
    if title:
        figure.suptitle(drawn(title, longest=100), fontsize=11)
    texts = []
    for part, picture, rows, name in zip(
        figure.subfigures(1, len(pictures), squeeze=False).ravel(),
        pictures,
        photos,
        names,
        strict=False,
    ):
        grid = part.add_gridspec(6, 3)
        top = part.add_subplot(grid[:3, :])
        top.imshow(picture)
        top.set_title(drawn(name), fontsize=10)
        top.axis("off")
        patches = patch_pixels(rows.head(9))
        for number in range(9):
            ax = part.add_subplot(grid[3 + number // 3, number % 3])
            ax.axis("off")
            if number < len(patches):
                ax.imshow(patches[number])
        strongest = rows["activation"].head(9)
        texts.append(f"{name}: photos with activations {', '.join(f'{a:.1f}' for a in strongest)}")
    finish(
        figure, f"Channel card {title}: a synthetic picture and real patches. {'; '.join(texts)}"
    )
    return figure


def picture_row(pictures: np.ndarray, names: Sequence[str], *, title: str = "") -> Figure:
    """Draw pictures side by side, such as what each tag looks like to a model.

    Parameters
    ----------
    pictures
        uint8 (N, size, size, 3).
    names
        One a picture.
    title
        Above the figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    columns = min(4, max(1, len(pictures)))
    rows = max(1, -(-len(pictures) // columns))
    figure = new_figure((2.2 * columns, 2.35 * rows + 0.2))
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.ravel():
        ax.axis("off")
    for ax, picture, name in zip(axes.ravel(), pictures, names, strict=False):
        ax.imshow(picture)
        ax.set_title(drawn_lines(name, 24), fontsize=10)
    if title:
        figure.suptitle(drawn(title, longest=100), fontsize=11)
    finish(figure, f"{title or 'Pictures'}: {', '.join(names)}", photographic=True)
    return figure
