"""The confusion matrix as a figure: what its cells say, and which of them stands out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hotelviz import metrics, plots
from hotelviz.plots.alt_text import figure_alt
from hotelviz.schema import AREAS


def labels(n_classes: int, n_photos: int = 600) -> tuple[np.ndarray, np.ndarray, list[str]]:
    names = [*AREAS, *(f"Class_Number_{i}" for i in range(40))][:n_classes]
    random = np.random.default_rng(0)
    true = random.choice(names, n_photos)
    wrong = random.choice(names, n_photos)
    return true, np.where(random.random(n_photos) < 0.8, true, wrong), names


def matrix(n_classes: int, **plot_kw) -> plots.ConfusionMatrixDisplay:
    true, predicted, names = labels(n_classes)
    return plots.ConfusionMatrixDisplay.from_predictions(true, predicted, classes=names, **plot_kw)


def overlaps(texts) -> list[tuple[str, str]]:
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text()]
    return [(a, b) for (a, box), (b, other) in itertools.pairwise(boxes) if box.overlaps(other)]


@pytest.mark.parametrize("n_classes", [3, 8, 40])
def test_class_names_of_the_confusion_matrix_do_not_overlap(n_classes):
    display = matrix(n_classes)
    display.figure_.canvas.draw()
    assert overlaps(display.ax_.get_yticklabels()) == []
    n_photos = display.confusion_matrix[0].sum()
    assert display.ax_.get_yticklabels()[0].get_text() == f"Bathroom ({n_photos:.0f})"
    if n_classes == 40:  # upright names are as wide as their text is high
        assert overlaps(display.ax_.get_xticklabels()) == []


def test_confusion_matrix_writes_shares_of_the_true_class_above_counts():
    counts = metrics.confusion_matrix(["a", "a", "a", "b"], ["a", "a", "b", "b"])
    texts = plots.ConfusionMatrixDisplay(counts).plot().text_
    assert [texts[0, 0].get_text(), texts[0, 1].get_text()] == ["67 %\n2", "33 %\n1"]
    assert texts[1, 0] is None
    rare = metrics.confusion_matrix(["a"] * 300, ["a"] * 299 + ["b"], classes=["a", "b"])
    assert plots.ConfusionMatrixDisplay(rare).plot().text_[0, 1].get_text() == "<1 %\n1"


def test_worst_confusion_is_the_brightest_cell_and_the_diagonal_is_grey():
    # The first has more photos, the second the larger share of its class.
    true = ["a"] * 30 + ["b"] * 10 + ["c"] * 10
    predicted = ["a"] * 26 + ["b"] * 4 + ["b"] * 7 + ["c"] * 3 + ["c"] * 10
    display = plots.ConfusionMatrixDisplay.from_predictions(true, predicted)
    assert display.im_.get_clim() == (0, 30)
    errors = display.im_.get_array()
    assert errors.mask.tolist() == np.eye(3, dtype=bool).tolist()
    assert errors[1, 2] == 30
    colours = display.im_.cmap(display.im_.norm(errors))[..., :3] @ [0.2126, 0.7152, 0.0722]
    assert np.ma.array(colours, mask=errors.mask).argmax() == 1 * 3 + 2
    right = display.diagonal_.cmap(display.diagonal_.norm(np.diag(display.diagonal_.get_array())))
    assert np.ptp(right[:, :3], axis=1).tolist() == [0, 0, 0]
    assert "worst confusion: 3 of 10 b photos predicted as c." in figure_alt(display.figure_)


def test_text_stands_out_from_its_cell():
    display = matrix(8)
    for (row, column), text in np.ndenumerate(display.text_):
        if text is None:
            continue
        image = display.diagonal_ if row == column else display.im_
        cell = np.array(image.cmap(image.norm(image.get_array()[row, column]))[:3])
        linear = np.where(cell <= 0.04045, cell / 12.92, ((cell + 0.055) / 1.055) ** 2.4)
        light = linear @ [0.2126, 0.7152, 0.0722] + 0.05
        assert (1.05 / light if text.get_color() == "white" else light / 0.05) >= 4.5


def test_matrix_without_an_error_has_no_scale_of_errors():
    display = plots.ConfusionMatrixDisplay.from_predictions(["a", "b"], ["a", "b"])
    assert len(display.figure_.axes) == 1
    assert "worst" not in figure_alt(display.figure_)


def test_forty_classes_are_shown_without_numbers_in_the_cells():
    assert all(text is None for text in matrix(40).text_.ravel())


def test_confusion_matrix_says_in_words_what_it_shows():
    display = plots.ConfusionMatrixDisplay.from_predictions(
        ["Pool"] * 4, ["Pool", "Pool", "Bathroom", "Bathroom"]
    )
    assert "50.0% are on the diagonal" in figure_alt(display.figure_)
    assert "2 of 4 Pool photos predicted as Bathroom" in figure_alt(display.figure_)
