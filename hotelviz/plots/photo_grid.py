"""Photos with captions as a figure: for slides and print, where no gallery runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from hotelviz.plots import style
from hotelviz.plots.display import Display

#: Each photo has a place of this shape, whatever its own: captions stand in lines.
_WIDTH, _HEIGHT = 4.0, 3.0
#: Of a line above it: in one or two rows of photos, and in more, where type has to be larger.
_CHARACTERS, _FEWER = 28, 20


def photo_grid(
    photos: Sequence[np.ndarray | None],
    captions: Sequence[str],
    *,
    groups: Sequence[str] = (),
    n_columns: int = 4,
    text: str = "",
    im_kw: style.Kw = None,
) -> Display:
    """Draw photos in rows, each below its caption.

    Parameters
    ----------
    photos : sequence of numpy.ndarray of shape (height, width, 3) or None
        The photos, uint8, of any shapes; None for one that cannot be read, which stays grey.
    captions : sequence of str
        One for each photo; a line break begins a new line.
    groups : sequence of str, default ()
        The group of each photo, such as ``low``: each group begins a row below its name.
    n_columns : int, default 4
        Most photos in a row.
    text : str, default ""
        What the photos are, in a sentence that begins the alternative text.
    im_kw : dict, optional
        Further arguments of ``Axes.imshow``.

    Returns
    -------
    Display
        ``images_`` has the photos and ``texts_`` their captions, by number from 0.

    Examples
    --------
    >>> display = photo_grid([np.zeros((3, 4, 3), "uint8")], ["predicted: 6.094; rank 1/12"])
    >>> display.texts_[0].get_text()
    'predicted: 6.094; rank 1/12'
    """
    members: dict[str, list[int]] = {}
    for number in range(len(photos)):
        members.setdefault(str(groups[number]) if len(groups) else "", []).append(number)
    members = members or {"": []}
    rows = {name: max(1, -(-len(numbers) // n_columns)) for name, numbers in members.items()}
    width = _CHARACTERS if sum(rows.values()) <= 2 else _FEWER
    written = [_caption(caption, width) for caption in captions]
    lines = max((caption.count("\n") + 1 for caption in written), default=1)
    n_columns = max(1, min(n_columns, max(map(len, members.values()))))
    named = 0.32 if any(members) else 0.0
    heights = [named + count * (2.0 + 0.17 * lines) for count in rows.values()]
    figure = style.new_figure((2.7 * n_columns + 0.1, sum(heights) + 0.1))
    parts = figure.subfigures(len(members), 1, squeeze=False, height_ratios=heights).ravel()
    images, texts, panels = {}, {}, []
    for part, (name, numbers) in zip(parts, members.items(), strict=True):
        axes = part.subplots(rows[name], n_columns, squeeze=False)
        style.bare_axes(axes)
        panels.append(axes)
        if name:
            own = {"fontsize": 12, "fontweight": "bold", "x": 0.01, "ha": "left"}
            part.suptitle(style.drawn(name, longest=60), **own)
        for ax, number in zip(axes.flat, numbers, strict=False):
            images[number] = _draw(ax, photos[number], im_kw)
            texts[number] = ax.set_title(written[number], fontsize=10, pad=3)
    told = [
        f"{name + ': ' if name else ''}{'; '.join(captions[number] for number in numbers)}"
        for name, numbers in members.items()
    ]
    text = f"{text or f'{len(photos):,} photos.'} {'; '.join(told)}".replace("\n", ", ")
    axes = np.concatenate(panels)
    return style.display(axes, text, photographic=True, images_=images, texts_=texts)


def _caption(caption: str, width: int) -> str:
    """Return a caption in lines that fit above a photo, broken behind commas where that is near."""
    lines: list[str] = []
    for given in caption.split("\n"):
        begun = ""
        for part in re.split(r"(?<=[,;]) ", given):
            if begun and len(begun) + len(part) >= width:
                lines, begun = [*lines, begun], part
            else:
                begun = f"{begun} {part}".strip()
        lines.append(begun)
    return "\n".join(style.drawn_lines(line, width) for line in lines if line.strip())


def _draw(ax: Axes, photo: np.ndarray | None, im_kw: style.Kw) -> Any:
    """Draw a photo in the middle of its place, as large as it fits."""
    ax.set(xlim=(0, _WIDTH), ylim=(0, _HEIGHT), aspect="equal")
    if photo is None:
        ax.set_facecolor("#d1d5db")
        place: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 10}
        return ax.text(_WIDTH / 2, _HEIGHT / 2, "cannot be read", **place)
    scale = min(_WIDTH / photo.shape[1], _HEIGHT / photo.shape[0])
    width, height = photo.shape[1] * scale, photo.shape[0] * scale
    left, low = (_WIDTH - width) / 2, (_HEIGHT - height) / 2
    extent = (left, left + width, low, low + height)
    image = ax.imshow(photo, **style.options(im_kw, extent=extent))
    ax.set(xlim=(0, _WIDTH), ylim=(0, _HEIGHT))
    return image
