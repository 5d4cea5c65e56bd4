"""Figures of what maps show, and of whether they can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hotelviz.attribution import overlay, read_pixels
from hotelviz.feature_vis import patch_pixels
from hotelviz.plots.style import (
    BLUE,
    GREY,
    ORANGE,
    drawn,
    drawn_lines,
    finish,
    new_figure,
    readable,
)

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

    from hotelviz.attribution import Confusion


def map_sheet(
    pixels: np.ndarray, maps: Mapping[str, np.ndarray], *, captions: list[str] | None = None
) -> Figure:
    """Draw photos beside their maps, a row per photo, a column per method or target.

    Parameters
    ----------
    pixels
        uint8 (N, height, width, 3).
    maps
        Name -> float (N, height, width), of `hotelviz.attribution.explain`.
    captions
        One a photo, written at its left.

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows, columns = max(1, len(pixels)), 1 + len(maps)
    figure = new_figure((1.5 * columns + 0.6, 1.5 * rows + 0.4))
    axes = figure.subplots(rows, columns, squeeze=False)
    _bare(axes)
    for number, photo in enumerate(pixels):
        axes[number, 0].imshow(photo)
        for ax, values in zip(axes[number, 1:], maps.values(), strict=True):
            ax.imshow(overlay(photo, values[number]))
            if not values[number].any():
                ax.text(0.5, 0.5, "nothing", color="white", ha="center", va="center",
                        transform=ax.transAxes, fontsize=9)  # fmt: skip
        if captions:
            axes[number, 0].set_ylabel(
                drawn_lines(captions[number], 18), rotation=0, ha="right", va="center", fontsize=8
            )
    for ax, name in zip(axes[0], ["photo", *maps], strict=True):
        ax.set_title(drawn_lines(name, 18), fontsize=9)
    what = "; ".join(captions or [])
    text = f"{len(pixels)} photos with their maps by {', '.join(maps)}: {what}"
    finish(figure, text, photographic=True)
    return figure


def confusion_sheet(model: keras.Model, confusion: Confusion, *, count: int = 4) -> Figure:
    """Draw photos of a confusion with what speaks for either class, and for one of them only.

    Parameters
    ----------
    model
        That was explained.
    confusion
        Of `hotelviz.attribution.explain_confusion`.
    count
        How many photos, the surest errors first.

    Returns
    -------
    matplotlib.figure.Figure
    """
    pixels, rows = read_pixels(model, confusion.photos["path"].head(count))
    true, predicted = readable(confusion.true), readable(confusion.predicted)
    return map_sheet(
        pixels,
        {
            f"for {predicted}": confusion.maps["predicted"][rows],
            f"for {true}": confusion.maps["true"][rows],
            f"{predicted}, not {true}": confusion.maps["difference"][rows],
        },
    )


def pattern_montages(confusion: Confusion, *, patterns: int = 4, patches: int = 8) -> Figure:
    """Draw what the photos of a confusion have in common: a row of patches per pattern.

    Parameters
    ----------
    confusion
        Of `hotelviz.attribution.explain_confusion`.
    patterns
        How many, the weightiest first.
    patches
        How many of each, the weightiest first.

    Returns
    -------
    matplotlib.figure.Figure
        With a sentence beside each row; a sentence alone when there are no errors.
    """
    true, predicted = readable(confusion.true), readable(confusion.predicted)
    shown = confusion.patterns.head(patterns)
    rows = max(1, len(shown))
    figure = new_figure((10, 1.12 * rows + 0.5), layout="none")
    # The first columns are for the words.
    axes = figure.subplots(
        rows, patches + 3, squeeze=False, gridspec_kw={"wspace": 0.06, "hspace": 0.12}
    )
    _bare(axes, frame=False)
    texts = []
    for row, (number, pattern) in enumerate(shown.iterrows()):
        own = confusion.patches[confusion.patches["pattern"] == number]
        own = own.sort_values("weight", ascending=False, kind="stable").head(patches)
        for ax, picture in zip(axes[row, 3:], patch_pixels(own), strict=False):
            ax.imshow(picture)
        words = pattern_text(pattern, true, predicted)
        axes[row, 0].text(
            -0.1, 0.5, pattern_text(pattern, drawn(true), drawn(predicted)), fontsize=8,
            va="center", ha="left",
            color=ORANGE if pattern["suspect"] else "black", transform=axes[row, 0].transAxes,
        )  # fmt: skip
        texts.append(words.replace("\n", ", "))
    if not len(shown):
        message = _nothing(true, predicted)
        axes[0, 0].text(
            0,
            0.5,
            _nothing(drawn(true), drawn(predicted)),
            fontsize=11,
            transform=axes[0, 0].transAxes,
        )
        texts = [message]
    figure.suptitle(
        f"{len(confusion.photos)} × {drawn(true)} read as {drawn(predicted)}: what speaks for "
        f"{drawn(predicted)}",
        fontsize=11, x=0.125, ha="left",
    )  # fmt: skip
    text = f"Patches that speak for {predicted} in photos of {true}. {' '.join(texts)}"
    finish(figure, text, photographic=True)
    return figure


def _nothing(true: str, predicted: str) -> str:
    return f"No {true} is read as {predicted}: nothing to explain."


def pattern_text(pattern: pd.Series, true: str, predicted: str) -> str:
    """Say in words what was found about a pattern.

    Parameters
    ----------
    pattern
        A row of `hotelviz.attribution.Confusion.patterns`.
    true, predicted
        The pair.

    Returns
    -------
    str
        Four or five lines.
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


def deletion_curves(curves: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw how the value changes while a photo is hidden, and while it is uncovered.

    Parameters
    ----------
    curves
        Method -> the table of `hotelviz.attribution.deletion_insertion`.

    Returns
    -------
    matplotlib.figure.Figure
        Deletion and insertion; the mean over the photos, and random order in grey.
    """
    figure = new_figure((8, 3))
    axes = figure.subplots(1, 2, sharey=True)
    colours = [BLUE, ORANGE, "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "black"]
    for ax, check in zip(axes, ("deletion", "insertion"), strict=True):
        for number, (method, table) in enumerate(curves.items()):
            own = table[table["check"] == check]
            mean = own.pivot_table(index="share", columns="order", values="value")
            if number == 0:
                ax.plot(mean.index, mean["random"], color=GREY, linestyle="--", label="random")
            ax.plot(
                mean.index, mean["map"], color=colours[number % 7], label=drawn(readable(method))
            )
        what = "hidden" if check == "deletion" else "uncovered"
        ax.set(title=f"{check}: {'lower' if check == 'deletion' else 'higher'} is better",
               xlabel=f"share of the photo {what}")  # fmt: skip
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("probability or score")
    axes[1].legend(frameon=False, fontsize=8)
    finish(figure, f"Deletion and insertion curves of {', '.join(curves)} against random order")
    return figure


def _bare(axes: np.ndarray, *, frame: bool = True) -> None:
    for ax in axes.ravel():
        ax.set(xticks=[], yticks=[])
        for spine in ax.spines.values():
            spine.set_visible(False)
        if not frame:
            ax.axis("off")
