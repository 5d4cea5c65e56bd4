"""Plots of what maps show, and of whether they can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hotelviz.plots.display import Display
from hotelviz.plots.style import (
    COLOURS,
    GREY,
    ORANGE,
    bare_axes,
    drawn,
    drawn_lines,
    figure_of,
    finish,
    new_figure,
    open_axes,
    readable,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hotelviz.attribution import Confusion


def map_sheet(
    pixels: np.ndarray,
    maps: Mapping[str, np.ndarray],
    *,
    captions: Sequence[str] = (),
    im_kw: Mapping[str, Any] | None = None,
) -> Display:
    """Draw photos beside their maps, a row per photo, a column per method or target.

    Parameters
    ----------
    pixels : numpy.ndarray of shape (n_photos, height, width, 3)
        The photos, uint8.
    maps : dict of str to numpy.ndarray of shape (n_photos, height, width)
        Maps of `hotelviz.attribution.explain` by name, 0 to 1.
    captions : sequence of str, default ()
        One for each photo, written at its left.
    im_kw : dict, optional
        Further arguments of ``Axes.imshow``.

    Returns
    -------
    Display
        ``axes_`` has a row per photo; ``images_`` has those of ``photo`` and of each map as lists.
    """
    from hotelviz.attribution import overlay

    figure = new_figure((1.5 * (1 + len(maps)) + 0.6, 1.5 * max(1, len(pixels)) + 0.4))
    axes = figure.subplots(max(1, len(pixels)), 1 + len(maps), squeeze=False)
    bare_axes(axes)
    images: dict[str, list[Any]] = {name: [] for name in ("photo", *maps)}
    for number, photo in enumerate(pixels):
        shown = [photo, *(overlay(photo, values[number]) for values in maps.values())]
        for ax, drawings, picture in zip(axes[number], images.values(), shown, strict=True):
            drawings.append(ax.imshow(picture, **(im_kw or {})))
        for ax, values in zip(axes[number, 1:], maps.values(), strict=True):
            if not values[number].any():
                ax.text(0.5, 0.5, "nothing", color="white", ha="center", va="center",
                        transform=ax.transAxes, fontsize=9)  # fmt: skip
    for ax, caption in zip(axes[:, 0], captions, strict=False):
        ax.set_ylabel(drawn_lines(caption, 18), rotation=0, ha="right", va="center", fontsize=8)
    for ax, name in zip(axes[0], images, strict=True):
        ax.set_title(drawn_lines(name, 18), fontsize=9)
    text = f"{len(pixels)} photos with their maps by {', '.join(maps)}: {'; '.join(captions)}"
    finish(figure, text, photographic=True)
    return Display(figure, axes, images_=images)


def confusion_sheet(
    confusion: Confusion, pixels: np.ndarray, *, im_kw: Mapping[str, Any] | None = None
) -> Display:
    """Draw photos of a confusion with what speaks for either class, and for one of them only.

    Parameters
    ----------
    confusion : hotelviz.attribution.Confusion
        The result of `hotelviz.attribution.explain_confusion`.
    pixels : numpy.ndarray of shape (n_photos, height, width, 3)
        The first of its photos, uint8, as many as are to be drawn.
    im_kw : dict, optional
        Further arguments of ``Axes.imshow``.

    Returns
    -------
    Display
        As of `map_sheet`.
    """
    true, predicted = readable(confusion.true), readable(confusion.predicted)
    names = {
        "predicted": f"for {predicted}",
        "true": f"for {true}",
        "difference": f"{predicted}, not {true}",
    }
    maps = {name: confusion.maps[key][: len(pixels)] for key, name in names.items()}
    return map_sheet(pixels, maps, im_kw=im_kw)


def pattern_montages(
    confusion: Confusion,
    pixels: np.ndarray,
    *,
    max_patterns: int = 4,
    max_patches: int = 8,
    im_kw: Mapping[str, Any] | None = None,
) -> Display:
    """Draw what the photos of a confusion have in common: a row of patches per pattern.

    Parameters
    ----------
    confusion : hotelviz.attribution.Confusion
        The result of `hotelviz.attribution.explain_confusion`.
    pixels : numpy.ndarray of shape (n_patches, size, size, 3)
        Its patches, uint8: ``hotelviz.feature_vis.patch_pixels(confusion.patches)``.
    max_patterns : int, default 4
        Most patterns, the weightiest first.
    max_patches : int, default 8
        Most patches of each, the weightiest first.
    im_kw : dict, optional
        Further arguments of ``Axes.imshow``.

    Returns
    -------
    Display
        ``texts_`` has the words about each pattern by its number, ``images_`` the lists of its
        patches. Where there are no errors there is one sentence, of number 0.
    """
    true, predicted = readable(confusion.true), readable(confusion.predicted)
    patterns = confusion.patterns.head(max_patterns)
    figure = new_figure((10, 1.12 * max(1, len(patterns)) + 0.5), layout="none")
    # The first columns are for the words.
    axes = figure.subplots(
        max(1, len(patterns)), max_patches + 3, squeeze=False,
        gridspec_kw={"wspace": 0.06, "hspace": 0.12},
    )  # fmt: skip
    for ax in axes.ravel():
        ax.axis("off")
    texts, images, told = {}, {}, []
    for row, (number, pattern) in zip(axes, patterns.iterrows(), strict=False):
        own = np.flatnonzero(confusion.patches["pattern"] == number)
        weights = confusion.patches["weight"].to_numpy()[own]
        own = own[np.argsort(-weights, kind="stable")][:max_patches]
        images[number] = [
            ax.imshow(pixels[place], **(im_kw or {}))
            for ax, place in zip(row[3:], own, strict=False)
        ]
        texts[number] = row[0].text(
            -0.1, 0.5, pattern_text(pattern, drawn(true), drawn(predicted)), fontsize=8,
            va="center", ha="left", color=ORANGE if pattern["suspect"] else "black",
            transform=row[0].transAxes,
        )  # fmt: skip
        told.append(pattern_text(pattern, true, predicted).replace("\n", ", "))
    if not texts:
        ax = axes[0, 0]
        said = _nothing(drawn(true), drawn(predicted))
        texts[0] = ax.text(0, 0.5, said, fontsize=11, transform=ax.transAxes)
        told = [_nothing(true, predicted)]
    figure.suptitle(
        f"{len(confusion.photos)} × {drawn(true)} predicted as {drawn(predicted)}: what speaks "
        f"for {drawn(predicted)}",
        fontsize=11, x=0.125, ha="left",
    )  # fmt: skip
    text = f"Patches that speak for {predicted} in photos of {true}. {' '.join(told)}"
    finish(figure, text, photographic=True)
    return Display(figure, axes, images_=images, texts_=texts)


def _nothing(true: str, predicted: str) -> str:
    return f"No {true} is predicted as {predicted}: nothing to explain."


def pattern_text(pattern: pd.Series, true: str, predicted: str) -> str:
    """Return in words what was found about a pattern.

    Parameters
    ----------
    pattern : pandas.Series
        A row of the patterns of a `hotelviz.attribution.Confusion`.
    true, predicted : str
        The confusion.

    Returns
    -------
    str
        Five or six lines.
    """

    def share(value: Any) -> str:
        return "none there" if pd.isna(value) else f"{value:.0%}"

    lines = [
        f"{pattern['weight']:.0%} of the evidence",
        f"in {share(pattern['errors'])} of the errors,",
        f"{share(pattern['right_true'])} of right {true},",
        f"{share(pattern['right_predicted'])} of right {predicted}",
        f"blurred: {share(pattern['repaired'])} set right",
    ]
    return "\n".join(["SUSPECTED SHORTCUT", *lines] if pattern["suspect"] else lines)


def deletion_curves(
    curves: Mapping[str, pd.DataFrame],
    *,
    axes: Sequence[Axes] | None = None,
    line_kw: Mapping[str, Any] | None = None,
) -> Display:
    """Draw how the value changes while a photo is hidden, and while it is uncovered.

    Parameters
    ----------
    curves : dict of str to pandas.DataFrame
        The tables of `hotelviz.attribution.deletion_insertion` by method.
    axes : sequence of two matplotlib.axes.Axes, optional
        The axes of deletion and insertion; by default those of a new figure.
    line_kw : dict, optional
        Further arguments of ``Axes.plot``.

    Returns
    -------
    Display
        ``lines_`` has the mean over the photos as ``deletion <method>`` and ``insertion <method>``;
        ``random`` is random order.
    """
    panels = np.array(new_figure((8, 3)).subplots(1, 2, sharey=True) if axes is None else axes)
    lines = {}
    for ax, check, what, better in zip(
        panels, ("deletion", "insertion"), ("hidden", "uncovered"), ("lower", "higher"), strict=True
    ):
        for number, (method, table) in enumerate(curves.items()):
            own = table[table["check"] == check]
            mean = own.pivot_table(index="share", columns="order", values="value")
            if number == 0:
                (lines[f"{check} random"],) = ax.plot(
                    mean.index, mean["random"], color=GREY, linestyle="--", label="random"
                )
            (lines[f"{check} {method}"],) = ax.plot(
                mean.index, mean["map"],
                **{"color": COLOURS[number % len(COLOURS)], "label": drawn(readable(method)),
                   **(line_kw or {})},
            )  # fmt: skip
        ax.set(title=f"{check}: {better} is better", xlabel=f"share of the photo {what}")
        open_axes(ax)
    panels[0].set_ylabel("probability or score")
    panels[1].legend(frameon=False, fontsize=8)
    figure = figure_of(panels[0])
    finish(figure, f"Deletion and insertion curves of {', '.join(curves)} against random order")
    return Display(figure, panels, lines_=lines)
