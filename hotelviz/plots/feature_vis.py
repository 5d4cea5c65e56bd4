"""Plots of what channels and outputs look for, before and after fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hotelviz.plots.display import Display
from hotelviz.plots.style import (
    BLUE,
    GREEN,
    ORANGE,
    bare_axes,
    drawn,
    drawn_lines,
    figure_of,
    finish,
    new_axes,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hotelviz.feature_vis import FilterComparison

#: Patches on a channel's card.
_MAX_PATCHES = 9


def filter_comparison(
    comparison: FilterComparison,
    *,
    names: tuple[str, str] = ("original", "tuned"),
    title: str = "",
    im_kw: Mapping[str, Any] | None = None,
) -> Display:
    """Draw the same channels of two models, one above the other, layer by layer.

    Parameters
    ----------
    comparison : hotelviz.feature_vis.FilterComparison
        The result of `hotelviz.feature_vis.compare_filters`.
    names : tuple of two str, default ("original", "tuned")
        The names of the models.
    title : str, default ""
        The title of the figure.
    im_kw : dict, optional
        Further arguments of ``Axes.imshow``.

    Returns
    -------
    Display
        ``images_`` has both pictures and ``texts_`` the title of each ``(layer, channel)``. The
        figure is ready for a slide; `save_figure` writes it at print size.
    """
    layers = list(comparison.original)
    n_columns = max(len(pictures) for pictures in comparison.original.values())
    figure = new_figure((0.95 * n_columns + 1.0, 2.35 * len(layers) + 0.2))
    parts = figure.subfigures(len(layers), 1, squeeze=False).ravel()
    panels, images, texts, told = [], {}, {}, []
    for part, layer in zip(parts, layers, strict=True):
        axes = part.subplots(
            2, n_columns, squeeze=False, gridspec_kw={"wspace": 0.04, "hspace": 0.03}
        )
        part.suptitle(drawn(layer), fontsize=11, fontweight="bold", x=0.01, ha="left")
        bare_axes(axes)
        rows = comparison.channels[comparison.channels["layer"] == layer]
        pairs = zip(comparison.original[layer], comparison.tuned[layer], strict=True)
        for both, pictures, (_, row) in zip(axes.T, pairs, rows.iterrows(), strict=False):
            key = (layer, int(row["channel"]))
            images[key] = [
                ax.imshow(picture, **(im_kw or {}))
                for ax, picture in zip(both, pictures, strict=True)
            ]
            texts[key] = both[0].set_title(change_text(row), fontsize=7, pad=2)
        for ax, name in zip(axes[:, 0], names, strict=True):
            ax.set_ylabel(drawn(name), fontsize=8)
        panels.append(axes)
        told.append(f"{layer}: channels {', '.join(map(str, rows['channel']))}")
    if title:
        figure.suptitle(drawn(title, longest=100), fontsize=12)
    text = f"What channels look for, {names[0]} above {names[1]}. {'; '.join(told)}"
    finish(figure, text, photographic=True)
    return Display(figure, np.concatenate(panels), images_=images, texts_=texts)


def change_text(row: pd.Series) -> str:
    """Return how much a channel changed: its number, and correlation or change of weights.

    Parameters
    ----------
    row : pandas.Series
        A row of the channels of a `hotelviz.feature_vis.FilterComparison`.

    Examples
    --------
    >>> change_text(pd.Series({"channel": 12, "weight_change": 0.25, "correlation": 0.4}))
    '12: r 0.40'
    """
    # A row of numbers alone is a row of floats.
    channel = int(row["channel"])
    if not pd.isna(row.get("correlation")):
        return f"{channel}: r {row['correlation']:.2f}"
    change = row["weight_change"]
    return f"{channel}" if pd.isna(change) else f"{channel}: w {change:.0%}"


def depth_profile(
    profile: pd.DataFrame, *, ax: Axes | None = None, line_kw: Mapping[str, Any] | None = None
) -> Display:
    """Draw where in its depth a network was changed.

    Parameters
    ----------
    profile : pandas.DataFrame
        The table of `hotelviz.feature_vis.change_by_layer`.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure.
    line_kw : dict, optional
        Further arguments of ``Axes.plot``.

    Returns
    -------
    Display
        Layers from left to right; ``lines_`` has ``cka`` (linear CKA) and ``correlation`` (the mean
        of the channels), 1 where nothing changed, and ``weight_change``, 0 where nothing changed.
    """
    ax = new_axes(ax, (8, 3.4), grid="y")
    lines = {}
    for column, label, colour, marker in (
        ("cka", "outputs alike (linear CKA)", BLUE, "o"),
        ("correlation", "channels alike (mean correlation)", GREEN, "s"),
        ("weight_change", "weights changed (relative)", ORANGE, "^"),
    ):
        (lines[column],) = ax.plot(
            range(len(profile)), profile[column],
            **{"color": colour, "marker": marker, "markersize": 4, "label": label,
               **(line_kw or {})},
        )  # fmt: skip
    names = [drawn(name) for name in profile["layer"]]
    ax.set_xticks(range(len(profile)), names, rotation=60, ha="right", fontsize=8)
    top = max(1.0, float(profile["weight_change"].max(skipna=True) or 0))
    ax.set(ylim=(min(0.0, float(profile["correlation"].min())) - 0.02, 1.05 * top), xlabel="layer")
    ax.legend(frameon=False, fontsize=8)
    values = ", ".join(
        f"{layer} {cka:.2f}" for layer, cka in zip(profile["layer"], profile["cka"], strict=True)
    )
    finish(figure_of(ax), f"Linear CKA of both models' outputs by layer: {values}")
    return Display(figure_of(ax), np.array([ax]), lines_=lines)


def channel_card(
    pictures: Sequence[np.ndarray],
    patches: Sequence[np.ndarray],
    *,
    activations: Sequence[Sequence[float]] = (),
    names: Sequence[str] = ("original", "tuned"),
    title: str = "",
    im_kw: Mapping[str, Any] | None = None,
) -> Display:
    """Draw what a channel looks for: the synthetic picture, and the photos that excite it most.

    Parameters
    ----------
    pictures : sequence of numpy.ndarray of shape (size, size, 3)
        One for each model, uint8, of `hotelviz.feature_vis.visualize_channels`.
    patches : sequence of numpy.ndarray of shape (n_patches, size, size, 3)
        One for each model, uint8: ``hotelviz.feature_vis.patch_pixels`` of the channel's rows of
        `hotelviz.feature_vis.top_photos`. The first nine are drawn.
    activations : sequence of sequences of float, default ()
        One for each model: the activations of the patches, for the alternative text.
    names : sequence of str, default ("original", "tuned")
        The names of the models.
    title : str, default ""
        The title, such as the layer and the channel.
    im_kw : dict, optional
        Further arguments of ``Axes.imshow``.

    Returns
    -------
    Display
        A column per model: ``images_`` has its picture and patches by name.
    """
    figure = new_figure((2.5 * len(pictures) + 0.2, 5.2))
    if title:
        figure.suptitle(drawn(title, longest=100), fontsize=11)
    parts = figure.subfigures(1, len(pictures), squeeze=False).ravel()
    images, panels = {}, []
    for part, picture, own, name in zip(parts, pictures, patches, names, strict=False):
        grid = part.add_gridspec(6, 3)
        places = [grid[:3, :], *(grid[3 + n // 3, n % 3] for n in range(_MAX_PATCHES))]
        axes = [part.add_subplot(place) for place in places]
        for ax in axes:
            ax.axis("off")
        axes[0].set_title(drawn(name), fontsize=10)
        shown = [picture, *own[:_MAX_PATCHES]]
        images[name] = [
            ax.imshow(one, **(im_kw or {})) for ax, one in zip(axes, shown, strict=False)
        ]
        panels.append(axes)
    told = [
        f"{name}: photos with activations {', '.join(f'{a:.1f}' for a in list(own)[:_MAX_PATCHES])}"
        for name, own in zip(names, activations, strict=False)
    ]
    finish(figure, f"Channel card {title}: a synthetic picture and real patches. {'; '.join(told)}")
    return Display(figure, np.array(panels), images_=images)


def picture_row(
    pictures: np.ndarray,
    names: Sequence[str],
    *,
    title: str = "",
    im_kw: Mapping[str, Any] | None = None,
) -> Display:
    """Draw pictures side by side, such as what each tag looks like to a model.

    Parameters
    ----------
    pictures : numpy.ndarray of shape (n_pictures, size, size, 3)
        The pictures, uint8.
    names : sequence of str
        One for each picture.
    title : str, default ""
        The title of the figure.
    im_kw : dict, optional
        Further arguments of ``Axes.imshow``.

    Returns
    -------
    Display
        ``images_`` has the pictures and ``texts_`` their titles, by number from 0.
    """
    n_columns = min(4, max(1, len(pictures)))
    n_rows = max(1, -(-len(pictures) // n_columns))
    figure = new_figure((2.2 * n_columns, 2.35 * n_rows + 0.2))
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    bare_axes(axes)
    images, texts = {}, {}
    for number, (ax, picture, name) in enumerate(zip(axes.ravel(), pictures, names, strict=False)):
        images[number] = ax.imshow(picture, **(im_kw or {}))
        texts[number] = ax.set_title(drawn_lines(name, 24), fontsize=10)
    if title:
        figure.suptitle(drawn(title, longest=100), fontsize=11)
    finish(figure, f"{title or 'Pictures'}: {', '.join(names)}", photographic=True)
    return Display(figure, axes, images_=images, texts_=texts)
