"""Displays: what they hold, and that their texts can be read."""

from __future__ import annotations

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from hotelviz import metrics, plots
from hotelviz.errors import HotelvizError
from hotelviz.plots.alt_text import figure_alt
from hotelviz.schema import AREAS


def labels(classes: int, photos: int = 600) -> tuple[np.ndarray, np.ndarray, list[str]]:
    names = [*AREAS, *(f"Class_Number_{i}" for i in range(40))][:classes]
    random = np.random.default_rng(0)
    true = random.choice(names, photos)
    return true, np.where(random.random(photos) < 0.8, true, random.choice(names, photos)), names


def overlaps(texts) -> list[tuple[str, str]]:
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text()]
    return [(a, b) for (a, box), (b, other) in itertools.pairwise(boxes) if box.overlaps(other)]


@pytest.mark.parametrize("classes", [3, 8, 40])
def test_class_names_of_the_confusion_matrix_do_not_overlap(classes):
    true, predicted, names = labels(classes)
    display = plots.ConfusionMatrixDisplay.from_predictions(true, predicted, classes=names).plot()
    display.figure_.canvas.draw()
    assert overlaps(display.ax_.get_yticklabels()) == []
    assert display.ax_.get_yticklabels()[0].get_text() == "Bathroom"
    if classes == 40:  # upright names are as wide as their text is high
        assert overlaps(display.ax_.get_xticklabels()) == []


def test_confusion_matrix_writes_counts_or_per_cents():
    matrix = metrics.confusion_matrix(["a", "a", "a", "b"], ["a", "a", "b", "b"])
    display = plots.ConfusionMatrixDisplay(matrix)
    assert display.plot().text_[0, 0].get_text() == "2"
    assert display.text_[1, 0] is None
    assert display.plot(normalize="true").text_[0, 1].get_text() == "33"


def test_text_stands_out_from_its_cell():
    true, predicted, names = labels(8)
    display = plots.ConfusionMatrixDisplay.from_predictions(true, predicted, classes=names).plot()
    for row, column in np.ndindex(display.text_.shape):
        if display.text_[row, column] is None:
            continue
        cell = display.im_.cmap(display.im_.norm(display.matrix.iat[row, column]))[:3]
        lightness = np.dot(cell, [0.299, 0.587, 0.114])
        assert display.text_[row, column].get_color() == ("black" if lightness > 0.5 else "white")


def test_forty_classes_are_shown_without_numbers_in_the_cells():
    true, predicted, names = labels(40)
    display = plots.ConfusionMatrixDisplay.from_predictions(true, predicted, classes=names).plot()
    assert all(text is None for text in display.text_.ravel())


def test_confusion_matrix_says_in_words_what_it_shows():
    matrix = metrics.confusion_matrix(["Pool"] * 4, ["Pool", "Pool", "Bathroom", "Bathroom"])
    display = plots.ConfusionMatrixDisplay(matrix).plot()
    assert "50.0% are on the diagonal" in figure_alt(display.figure_)
    assert "Pool is read as Bathroom: 2 photos" in figure_alt(display.figure_)


def test_drawing_on_given_axes_uses_them():
    _, ax = plt.subplots()
    matrix = metrics.confusion_matrix(["a", "b"], ["a", "b"])
    assert plots.ConfusionMatrixDisplay(matrix).plot(ax=ax).ax_ is ax


def test_bars_have_the_heights_of_the_report():
    report = metrics.classification_report(["a", "a", "b"], ["a", "b", "b"])
    ax = plots.per_class_bars(report)
    recall = next(bars for bars in ax.containers if bars.get_label() == "recall")
    assert [bar.get_width() for bar in recall] == [0.5, 1.0]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a (2)", "b (1)"]
    assert "Best F1" in figure_alt(ax.figure)


def test_history_marks_where_the_phase_changes():
    history = pd.DataFrame(
        {
            "epoch": [1, 2, 3, 4],
            "phase": ["head", "head", "fine_tune", "fine_tune"],
            "loss": [2, 1.5, 1, 0.8],
            "accuracy": [0.3, 0.5, 0.7, 0.8],
            "val_loss": [2, 1.6, 1.2, 1.1],
            "val_accuracy": [0.3, 0.5, 0.6, 0.75],
        }
    )
    for ax in plots.training_history(history):
        dashed = [line for line in ax.lines if line.get_linestyle() == "--"]
        assert [line.get_xdata()[0] for line in dashed] == [2.5]
        assert [text.get_text() for text in ax.texts] == ["head", "fine tune"]
    assert "validation accuracy is 75.0%" in figure_alt(ax.figure)


def test_reliability_states_its_error():
    table = metrics.calibration(np.array([[0.9, 0.1]] * 4), ["a", "a", "b", "b"], ["a", "b"])
    ax = plots.reliability(table)
    assert ax.get_title() == "expected calibration error 0.400"
    assert "90.0% sure and 50.0% right" in figure_alt(ax.figure)


def test_class_counts_stack_the_splits():
    photos = pd.DataFrame(
        {"label": ["a", "a", "b", "a"], "split": ["train", "test", "train", "train"]}
    )
    ax = plots.class_counts(photos)
    widths = {bars.get_label(): [bar.get_width() for bar in bars] for bars in ax.containers}
    assert widths == {"train": [2, 1], "test": [1, 0]}
    assert "most of a (3)" in figure_alt(ax.figure)


@pytest.mark.parametrize(
    ("draw", "table", "column"),
    [
        (plots.issue_counts, {"photos": [1]}, "looking"),
        (plots.rater_bias, {"rater": ["Ada"], "bias": [0.5], "compared": [9]}, "bias_low"),
    ],
)
def test_tables_made_by_hand_are_told_which_column_they_lack(draw, table, column):
    with pytest.raises(HotelvizError, match=f"no column '{column}'"):
        draw(pd.DataFrame(table))
