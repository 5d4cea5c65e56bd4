"""Figures on dark pages: photos and colour maps keep their colours, ink and paper change places."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from hotelviz.plots.alt_text import mimebundle
from hotelviz.reports.pictures import picture_html

RED = (np.ones((4, 4, 1)) * [1.0, 0.0, 0.0]).astype("float32")


def drawn(draw) -> tuple[np.ndarray, list[list[float]]]:
    """The pixels of a figure as a notebook has them, and its parts that stay."""
    figure = Figure((5, 3), layout="constrained")
    draw(figure)
    data, metadata = mimebundle(figure)
    picture = Image.open(io.BytesIO(data["image/png"])).convert("RGB")
    return np.asarray(picture), metadata["image/png"]["kept"]


def test_parts_that_stay_are_where_the_photos_are():
    def draw(figure):
        for ax, name in zip(figure.subplots(1, 2), ("one", "of a longer name"), strict=True):
            ax.imshow(RED)
            ax.imshow(np.zeros((4, 4)), alpha=0.0)  # a map over it has no box of its own
            ax.set(xticks=[], yticks=[], title=name, ylabel="a label")
            ax.spines[:].set_visible(False)

    pixels, kept = drawn(draw)
    red = (pixels == [255, 0, 0]).all(axis=2)
    inside = np.zeros(red.shape, bool)
    assert len(kept) == 2
    for left, top, width, height in kept:
        x, y = (round(side * pixels.shape[1] / 100) for side in (left, left + width))
        a, b = (round(side * pixels.shape[0] / 100) for side in (top, top + height))
        inside[a:b, x:y] = True
    assert (red != inside).sum() < 0.01 * red.sum()


@pytest.mark.parametrize(("cmap", "stays"), [("viridis", True), ("Blues", False), ("gray", True)])
def test_colour_map_stays_unless_it_begins_with_the_paper(cmap, stays):
    _, kept = drawn(lambda figure: figure.subplots().imshow(np.eye(3), cmap=cmap))
    assert len(kept) == stays


def test_figure_without_photos_has_no_such_part():
    _, kept = drawn(lambda figure: figure.subplots().plot([1, 2]))
    assert kept == []


def test_veil_covers_figures_with_holes_for_what_stays_and_nothing_else():
    assert "<i>" not in picture_html("data:,", "a photo")
    assert "<i></i>" in picture_html("data:,", "a figure", kept=[])
    assert "10.00% 20.00%,40.00% 20.00%,40.00% 60.00%" in picture_html(
        "data:,", "a figure with a photo", kept=[[10, 20, 30, 40]]
    )
