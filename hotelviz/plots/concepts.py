"""Plots of concepts: what they look like, and what they speak for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from hotelviz.plots import style
from hotelviz.plots.display import Display

#: How bright a photo stays where its concept is not.
_DIM = 0.4


def spotlight(pixels: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Return photos that are dark where a map is 0.

    Parameters
    ----------
    pixels : numpy.ndarray of shape (n_photos, height, width, 3)
        uint8.
    maps : numpy.ndarray of shape (n_photos, height, width)
        0 to 1; each is brought to a maximum of 1.

    Returns
    -------
    numpy.ndarray
        uint8, of the shape of `pixels`.

    Examples
    --------
    >>> photo = np.full((1, 1, 2, 3), 100, "uint8")
    >>> spotlight(photo, np.array([[[0, 0.5]]]))[0, 0, :, 0].tolist()
    [40, 100]
    """
    top = maps.max(axis=(1, 2), keepdims=True)
    light = _DIM + (1 - _DIM) * np.divide(maps, top, out=np.zeros_like(maps, float), where=top > 0)
    return np.asarray((pixels * light[..., None]).round(), "uint8")


def concept_sheet(
    examples: pd.DataFrame,
    pixels: np.ndarray,
    maps: np.ndarray,
    *,
    titles: Mapping[int, str],
    n_columns: int = 5,
    im_kw: style.Kw = None,
) -> Display:
    """Draw the photos in which concepts are strongest, a row per concept, lit where it is.

    Parameters
    ----------
    examples : pandas.DataFrame
        The table of `hotelviz.concepts.concept_examples`.
    pixels : numpy.ndarray of shape (len(examples), height, width, 3)
        The photos, uint8.
    maps : numpy.ndarray of shape (len(examples), height, width)
        Those of `hotelviz.concepts.concept_maps`.
    titles : mapping of int to str
        Concept -> what is said above its row; the rows are in this order.
    n_columns : int, default 5
        Photos of each concept, at most.
    im_kw : dict, optional
        Further arguments of ``Axes.imshow``.

    Returns
    -------
    Display
        ``images_`` has the photos and ``texts_`` the words of each concept. A dashed line is around
        all that the strongest cell sees.

    Examples
    --------
    >>> table = pd.DataFrame({"concept": [3], "left": 0.0, "top": 0.0, "right": 0.5, "bottom": 1.0})
    >>> drawn = concept_sheet(table, np.zeros((1, 8, 8, 3), "uint8"), np.ones((1, 8, 8)),
    ...                       titles={3: "water"})
    >>> drawn.texts_[3].get_text()
    'water'
    """
    style.check_columns(examples, ["concept", "left", "top", "right", "bottom"], "concept_sheet")
    lit = spotlight(pixels, maps)
    n_rows = max(1, len(titles))
    height = 1.62 * n_rows + 0.1
    figure = style.new_figure((1.3 * n_columns + 0.1, height), layout="none")
    # Above each row there is room for its words.
    gaps = {"wspace": 0.04, "hspace": 0.3, "left": 0.01, "right": 0.99, "bottom": 0.05 / height}
    gaps["top"] = 1 - 0.35 / height
    axes = figure.subplots(n_rows, n_columns, squeeze=False, gridspec_kw=gaps)
    style.bare_axes(axes)
    examples = examples.reset_index(drop=True)
    images, texts = {}, {}
    for row, (concept, title) in zip(axes, titles.items(), strict=False):
        own = examples[examples["concept"] == concept].head(n_columns)
        images[concept] = style.show_pictures(row, lit[own.index], im_kw)
        for ax, ends in zip(row, own[["left", "top", "right", "bottom"]].to_numpy(), strict=False):
            _mark(ax, ends.tolist(), lit.shape[1:3])
        words = "\n".join(style.drawn(line, longest=90) for line in title.split("\n"))
        texts[concept] = row[0].text(
            0, 1.05, words, fontsize=9, va="bottom", transform=row[0].transAxes
        )
    told = "; ".join(style.readable(title.replace("\n", ", ")) for title in titles.values())
    text = f"Photos in which concepts are strongest, lit where they are. {told}"
    return style.display(axes, text, photographic=True, images_=images, texts_=texts)


def concept_shares(
    effects: pd.DataFrame,
    *,
    names: Mapping[int, str],
    ax: Axes | None = None,
    im_kw: style.Kw = None,
) -> Display:
    """Draw how much of each class each concept makes, for and against.

    Parameters
    ----------
    effects : pandas.DataFrame
        The table of `hotelviz.concepts.concept_effects`.
    names : mapping of int to str
        Concept -> its name; the rows are in this order.
    ax : matplotlib.axes.Axes, optional
        The axes to draw on; by default those of a new figure.
    im_kw : dict, optional
        Further arguments of ``Axes.imshow``.

    Returns
    -------
    Display
        ``images_["shares"]``; ``texts_`` has the share of each ``(concept, class)`` of at least
        5 %.

    Examples
    --------
    >>> table = pd.DataFrame({"concept": [0, 0], "class": ["Bed", "Pool"], "share": [0.4, -0.02]})
    >>> drawn = concept_shares(table, names={0: "water"})
    >>> {key: text.get_text() for key, text in drawn.texts_.items()}
    {(0, 'Bed'): '+40'}
    """
    style.check_columns(effects, ["concept", "class", "share"], "concept_shares")
    classes = list(dict.fromkeys(effects["class"]))
    table = effects.pivot_table("share", "concept", "class", sort=False, dropna=False)
    table = table.reindex(index=list(names), columns=classes)
    ax = style.new_axes(ax, (1.6 + 0.52 * len(classes), 1.2 + 0.3 * len(names)))
    own = style.options(im_kw, cmap="RdBu", vmin=-0.6, vmax=0.6, aspect="auto")
    image = ax.imshow(table.to_numpy(float), **own)
    ax.set_xticks(range(len(classes)), [style.label(one, longest=18) for one in classes],
                  rotation=45, ha="left", fontsize=9)  # fmt: skip
    ax.xaxis.tick_top()
    ax.set_yticks(range(len(names)), [style.drawn(one, longest=28) for one in names.values()],
                  fontsize=9)  # fmt: skip
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    texts: dict[Any, Any] = {}
    for y, concept in enumerate(names):
        for x, name in enumerate(classes):
            share = table.loc[concept, name]
            if pd.notna(share) and abs(share) >= 0.05:
                ink = style.readable_on(np.asarray(image.cmap(image.norm(share))).tolist())
                texts[concept, name] = ax.text(
                    x, y, f"{100 * share:+.0f}", ha="center", va="center", fontsize=9, color=ink
                )
    told = [
        f"{style.readable(names[concept])} {100 * table.loc[concept, name]:+.0f} % for "
        f"{style.readable(name)}"
        for concept, name in texts
    ]
    text = f"What each concept makes of each class, per cent: {'; '.join(told) or 'none over 5'}."
    return style.display(ax, text, images_={"shares": image}, texts_=texts)


def concept_ends(
    ends: pd.DataFrame,
    *,
    names: Mapping[int, str],
    pictures: Mapping[int, np.ndarray],
    n_each: int = 5,
    bar_kw: style.Kw = None,
) -> Display:
    """Draw what speaks for 8 and 9 and what for 2 and 3, as the two ends of one figure.

    Parameters
    ----------
    ends : pandas.DataFrame
        The table of `hotelviz.concepts.score_ends`.
    names : mapping of int to str
        Concept -> its name.
    pictures : mapping of int to numpy.ndarray
        Concept -> photos that show it, uint8 (n, height, width, 3); the first three are drawn.
    n_each : int, default 5
        Concepts at either end, at most.
    bar_kw : dict, optional
        Further arguments of ``Axes.barh``.

    Returns
    -------
    Display
        ``bars_["pull"]``, what speaks for high scores above; ``images_`` has the photos of each
        concept.

    Examples
    --------
    >>> table = pd.DataFrame({"concept": [1, 0], "pull": [0.5, -0.2], "n_photos": [9, 4]})
    >>> drawn = concept_ends(table, names={0: "bath", 1: "water"}, pictures={})
    >>> [float(bar.get_width()) for bar in drawn.bars_["pull"]]
    [0.5, -0.2]
    """
    style.check_columns(ends, ["concept", "pull", "n_photos"], "concept_ends")
    known = ends.dropna(subset=["pull"]).sort_values("pull", ascending=False, kind="stable")
    high, low = known[known["pull"] > 0].head(n_each), known[known["pull"] <= 0].tail(n_each)
    shown = pd.concat([high, low])
    n_rows = max(1, len(shown))
    figure = style.new_figure((6.4, 0.6 + 0.9 * n_rows))
    parts = figure.add_gridspec(n_rows, 4, width_ratios=[2.4, 1, 1, 1], wspace=0.02, hspace=0.02)
    ax = style.open_axes(figure.add_subplot(parts[:, 0]), grid="x")
    colours = [style.BLUE if pull > 0 else style.ORANGE for pull in shown["pull"]]
    bars = ax.barh(range(len(shown)), shown["pull"], **style.options(bar_kw, color=colours))
    ax.axvline(0, color=style.GREY, linewidth=1)
    ax.set_ylim(n_rows - 0.5, -0.5)
    labels = [
        f"{style.drawn_lines(names[one], 18)}\n{count:,} photos"
        for one, count in zip(shown["concept"], shown["n_photos"], strict=True)
    ]
    ax.set_yticks(range(len(shown)), labels, fontsize=9)
    ax.set_xlabel("for 2 and 3   ◂   logit   ▸   for 8 and 9", fontsize=9)
    images: dict[int, list[Any]] = {}
    panels: list[Axes] = [ax]
    for row, concept in enumerate(shown["concept"]):
        own = np.array([figure.add_subplot(parts[row, column]) for column in (1, 2, 3)])
        style.bare_axes(own)
        images[concept] = style.show_pictures(own, pictures.get(concept, [])[:3], None)
        panels += own.tolist()
    told = [
        f"{style.readable(names[one])} {pull:+.2f}"
        for one, pull in zip(shown["concept"], shown["pull"], strict=True)
    ]
    text = f"What speaks for the scores 8 and 9 (plus) and for 2 and 3 (minus): {'; '.join(told)}."
    return style.display(
        np.array(panels), text, photographic=True, bars_={"pull": bars}, images_=images
    )


def _mark(ax: Axes, ends: Sequence[float], size: tuple[int, ...]) -> None:
    """Draw a line around what a cell sees."""
    height, width = size
    left, top, right, bottom = ends
    ax.add_patch(Rectangle(
        (left * width - 0.5, top * height - 0.5), (right - left) * width, (bottom - top) * height,
        fill=False, edgecolor="white", linewidth=1.2, linestyle="--",
    ))  # fmt: skip
