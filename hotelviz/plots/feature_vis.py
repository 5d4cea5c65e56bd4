"""Plots of what channels and outputs look for, before and after fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hotelviz.plots import style
from hotelviz.plots.display import Display

if TYPE_CHECKING:
    from hotelviz.feature_vis import FilterComparison

#: Patches on a channel's card.
_MAX_PATCHES = 9


def filter_comparison(
    comparison: FilterComparison,
    *,
    layers: Sequence[str] = (),
    names: tuple[str, str] = ("original", "tuned"),
    n_columns: int = 4,
    title: str = "",
    im_kw: style.Kw = None,
) -> Display:
    """Draw the same channels of two models, one above the other, layer by layer.

    Parameters
    ----------
    comparison : hotelviz.feature_vis.FilterComparison
        The result of `hotelviz.feature_vis.compare_filters`.
    layers : sequence of str, default ()
        Those of its layers that are drawn; empty for all.
    names : tuple of two str, default ("original", "tuned")
        The names of the models.
    n_columns : int, default 4
        Channels side by side; the others follow below.
    title : str, default ""
        The title of the figure.
    im_kw : dict, optional
        Further arguments of ``Axes.imshow``.

    Returns
    -------
    Display
        ``images_`` has both pictures and ``texts_`` the title of each ``(layer, channel)``.

    Examples
    --------
    >>> from hotelviz.feature_vis import FilterComparison
    >>> pictures = {"conv1": np.zeros((1, 8, 8, 3), "uint8")}
    >>> channels = pd.DataFrame({"layer": ["conv1"], "channel": [4], "weight_change": [0.25]})
    >>> found = FilterComparison(channels, pictures, pictures, pd.DataFrame(), channels)
    >>> filter_comparison(found).texts_["conv1", 4].get_text()
    '4: w 25%'
    """
    layers = list(layers) or list(comparison.original)
    n_columns = max(1, min(n_columns, max(len(comparison.original[layer]) for layer in layers)))
    blocks = [max(1, -(-len(comparison.original[layer]) // n_columns)) for layer in layers]
    heights = [0.35 + 2.62 * count for count in blocks]
    figure = style.new_figure((1.27 * n_columns + 0.3, sum(heights) + 0.1))
    parts = figure.subfigures(len(layers), 1, squeeze=False, height_ratios=heights).ravel()
    panels, images, texts, told = [], {}, {}, []
    for part, layer, count in zip(parts, layers, blocks, strict=True):
        gaps = {"wspace": 0.04, "hspace": 0.03}
        axes = part.subplots(2 * count, n_columns, squeeze=False, gridspec_kw=gaps)
        part.suptitle(style.drawn(layer), fontsize=11, fontweight="bold", x=0.01, ha="left")
        style.bare_axes(axes)
        rows = comparison.channels[comparison.channels["layer"] == layer]
        pairs = zip(comparison.original[layer], comparison.tuned[layer], strict=True)
        for number, (pictures, (_, row)) in enumerate(zip(pairs, rows.iterrows(), strict=True)):
            block, column = divmod(number, n_columns)
            both, key = axes[2 * block : 2 * block + 2, column], (layer, int(row["channel"]))
            images[key] = style.show_pictures(both, pictures, im_kw)
            texts[key] = both[0].set_title(change_text(row), fontsize=9, pad=2)
        for ax, name in zip(axes[:, 0], names * count, strict=True):
            ax.set_ylabel(style.drawn(name, longest=14), fontsize=9)
        panels.append(axes)
        told.append(f"{layer}: channels {', '.join(map(str, rows['channel']))}{_range(rows)}")
    if title:
        figure.suptitle(style.drawn(title, longest=100), fontsize=12)
    text = f"What channels look for, {names[0]} above {names[1]}. {'; '.join(told)}"
    axes = np.concatenate(panels)
    return style.display(axes, text, photographic=True, images_=images, texts_=texts)


def _range(rows: pd.DataFrame) -> str:
    """Return in words how alike the channels are that are drawn, where that is known."""
    alike = rows["correlation"] if "correlation" in rows else rows["weight_change"].iloc[:0]
    if alike.isna().all():
        return ""
    return f", whose activations correlate by {alike.min():.2f} to {alike.max():.2f}"


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
    profile: pd.DataFrame, *, ax: Axes | None = None, line_kw: style.Kw = None
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
        Layers from top to bottom; ``lines_`` has ``cka`` (linear CKA) and ``correlation`` (the mean
        of the channels), 1 where nothing changed, and ``weight_change``, 0 where nothing changed.

    Examples
    --------
    >>> profile = pd.DataFrame({"layer": ["conv1", "conv_pw_1"], "cka": [1.0, 0.9],
    ...                         "weight_change": [0.0, 0.1], "correlation": [1.0, 0.8]})
    >>> sorted(depth_profile(profile).lines_)
    ['cka', 'correlation', 'weight_change']
    """
    ax = style.new_axes(ax, (5.6, 1.5 + 0.24 * len(profile)), grid="x")
    lines, places = {}, range(len(profile))
    for column, label, colour, marker in (
        ("cka", "outputs alike (linear CKA)", style.BLUE, "o"),
        ("correlation", "channels alike (mean correlation)", style.GREEN, "s"),
        ("weight_change", "weights changed (relative)", style.ORANGE, "^"),
    ):
        own = style.options(line_kw, color=colour, marker=marker, markersize=4, label=label)
        (lines[column],) = ax.plot(profile[column], places, **own)
    ax.set_yticks(places, [style.drawn(name) for name in profile["layer"]], fontsize=9)
    ax.invert_yaxis()
    top = max(1.0, float(profile["weight_change"].max(skipna=True) or 0))
    ax.set_xlim(min(0.0, float(profile["correlation"].min())) - 0.02, 1.03 * top)
    ax.set_xlabel("where nothing changed: alike 1, weights 0")
    above: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0)}
    ax.legend(frameon=False, fontsize=9, **above)
    pairs = zip(profile["layer"], profile["cka"], strict=True)
    values = ", ".join(f"{layer} {cka:.2f}" for layer, cka in pairs)
    text = f"Linear CKA of both models' outputs by layer: {values}"
    if profile["cka"].notna().any():
        least = profile.sort_values("cka", kind="stable").iloc[0]
        text = f"Least alike: {least['layer']}, linear CKA {least['cka']:.2f}. {text}"
    return style.display(ax, text, lines_=lines)


def channel_card(
    pictures: Sequence[np.ndarray],
    patches: Sequence[np.ndarray],
    *,
    activations: Sequence[Sequence[float]] = (),
    names: Sequence[str] = ("original", "tuned"),
    title: str = "",
    im_kw: style.Kw = None,
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

    Examples
    --------
    >>> grey = np.full((8, 8, 3), 128, "uint8")
    >>> drawn = channel_card([grey, grey], [grey[None], grey[None]], title="conv_pw_7, channel 3")
    >>> len(drawn.images_)
    2
    """
    figure = style.new_figure((2.5 * len(pictures) + 0.2, 5.2))
    if title:
        figure.suptitle(style.drawn(title, longest=100), fontsize=11)
    parts = figure.subfigures(1, len(pictures), squeeze=False).ravel()
    images, panels = {}, []
    for part, picture, own, name in zip(parts, pictures, patches, names, strict=False):
        grid = part.add_gridspec(6, 3)
        places = [grid[:3, :], *(grid[3 + n // 3, n % 3] for n in range(_MAX_PATCHES))]
        axes = [part.add_subplot(place) for place in places]
        for ax in axes:
            ax.axis("off")
        axes[0].set_title(style.drawn(name), fontsize=10)
        images[name] = style.show_pictures(axes, [picture, *own[:_MAX_PATCHES]], im_kw)
        panels.append(axes)
    told = [
        f"{name}: photos with activations {', '.join(f'{a:.1f}' for a in list(own)[:_MAX_PATCHES])}"
        for name, own in zip(names, activations, strict=False)
    ]
    text = f"Channel card {title}: a synthetic picture and real patches. {'; '.join(told)}"
    return style.display(np.array(panels), text, images_=images)


def picture_row(
    pictures: np.ndarray,
    names: Sequence[str],
    *,
    title: str = "",
    text: str = "",
    im_kw: style.Kw = None,
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
    text : str, default ""
        What is shown, as the alternative text; by default the title and the names.
    im_kw : dict, optional
        Further arguments of ``Axes.imshow``.

    Returns
    -------
    Display
        ``images_`` has the pictures and ``texts_`` their titles, by number from 0.

    Examples
    --------
    >>> picture_row(np.zeros((2, 8, 8, 3), "uint8"), ["Pool", "Foyer"]).texts_[1].get_text()
    'Foyer'
    """
    n_columns = min(4, max(1, len(pictures)))
    n_rows = max(1, -(-len(pictures) // n_columns))
    side = max(1.4, min(2.4, 5.6 / n_columns))
    figure = style.new_figure((side * n_columns, (side + 0.2) * n_rows + 0.2))
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    style.bare_axes(axes)
    images = dict(enumerate(style.show_pictures(axes.flat, pictures, im_kw)))
    texts = {
        number: ax.set_title(style.drawn_lines(name, round(11 * side)), fontsize=10)
        for number, (ax, name) in enumerate(zip(axes.flat, names, strict=False))
    }
    if title:
        figure.suptitle(style.drawn(title, longest=100), fontsize=11)
    text = text or f"{title or 'Pictures'}: {', '.join(names)}"
    return style.display(axes, text, photographic=True, images_=images, texts_=texts)
