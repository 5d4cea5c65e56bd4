"""Plots: the values of what they draw, and that their texts can be read."""

from __future__ import annotations

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from hotelviz import metrics, plots
from hotelviz.audit import Ablation
from hotelviz.errors import HotelvizError
from hotelviz.plots.alt_text import figure_alt

HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3, 4], "phase": ["head", "head", "fine_tune", "fine_tune"],
        "loss": [2, 1.5, 1, 0.8], "accuracy": [0.3, 0.5, 0.7, 0.8],
        "val_loss": [2, 1.6, 1.2, 1.1], "val_accuracy": [0.3, 0.5, 0.6, 0.75],
    }
)  # fmt: skip
BINS = pd.DataFrame({"low": [4.0, 5.0], "high": [5.0, 6.0], "count": [10, 30]})
ISSUES = pd.DataFrame({"photos": [3, 0, 5], "looking": [3, 0, 2]}, index=["dark", "tiny", "blurry"])
RATERS = pd.DataFrame(
    {"rater": ["Ada", "Bo", "Cy"], "bias": [0.5, -0.25, np.nan], "bias_low": [0.2, -0.5, np.nan],
     "bias_high": [0.8, 0.0, np.nan], "noise": [1.0, 0.5, np.nan], "compared": [40, 30, 0]}
)  # fmt: skip
PROFILE = pd.DataFrame(
    {"layer": ["a", "b"], "cka": [1.0, 0.5], "correlation": [0.9, 0.4], "weight_change": [0.0, 1.5]}
)
CURVES = pd.DataFrame(
    {"share": [0.0, 1.0] * 4, "order": ["map", "map", "random", "random"] * 2,
     "check": ["deletion"] * 4 + ["insertion"] * 4,
     "value": [0.9, 0.1, 0.9, 0.5, 0.1, 0.9, 0.1, 0.6]}
)  # fmt: skip
CURVE = pd.DataFrame(
    {"threshold": [0.9, 0.7, 0.4], "coverage": [0.2, 0.5, 1.0], "accuracy": [1.0, 0.95, 0.8],
     "low": [0.7, 0.85, 0.7], "high": [1.0, 0.98, 0.9]}
)  # fmt: skip
SIZES = metrics.conformal_figures(
    pd.DataFrame({"label": list("aaba")}),
    pd.DataFrame({"a": [1, 1, 0, 0], "b": [0, 0, 1, 1], "c": [0, 0, 0, 1]}, dtype=bool), by="size",
)  # fmt: skip
ABLATION = Ablation(
    figures=pd.DataFrame(
        {"stage": ["labelled", "cleaned"] * 2, "tested": ["same", "same", "own", "own"],
         "metric": "top-1 accuracy", "value": [0.8, 0.9, 0.7, 0.6], "low": [0.7, 0.8, 0.6, 0.5],
         "high": [0.85, 0.95, 0.8, 0.7]}
    ),
    per_class=pd.DataFrame(
        {"stage": ["labelled", "labelled", "cleaned", "cleaned"], "tested": "same",
         "label": ["Pool", "Foyer"] * 2, "f1": [0.5, 0.0, 1.0, 0.75], "support": [4, 2, 4, 2]}
    ),
    predictions=pd.DataFrame(), notes=[],
)  # fmt: skip


def widths(bars) -> list[float]:
    return [bar.get_width() for bar in bars]


#: Each plot function on one axes: name -> draw(**keywords), words of its alternative text.
ON_ONE_AXES = {
    "per_class_bars": (
        lambda **kw: plots.per_class_bars(
            metrics.classification_report(["a", "a", "b"], ["a", "b", "b"]), **kw
        ),
        "Best F1",
    ),
    "class_counts": (
        lambda **kw: plots.class_counts(
            pd.DataFrame({"label": ["a", "a", "b"], "split": ["train", "test", "train"]}), **kw
        ),
        "most of a (2), fewest of b (1)",
    ),
    "reliability": (
        lambda **kw: plots.reliability(
            metrics.calibration(np.array([[0.9, 0.1]] * 4), ["a", "a", "b", "b"], ["a", "b"]), **kw
        ),
        "90.0% confident and 50.0% right",
    ),
    "coverage_curve": (
        lambda **kw: plots.coverage_curve(CURVE, threshold=0.6, precision=0.9, **kw),
        "at least 0.60 50% of the photos are answered, 95.0% of them right",
    ),
    "set_sizes": (
        lambda **kw: plots.set_sizes(SIZES, **kw), "1: 3 photos, 100 % hold it, 2: 1 photo, 0 %"
    ),
    "score_distribution": (
        lambda **kw: plots.score_distribution(BINS, **kw), "40 photos, mean about 5.25"
    ),
    "predicted_against_rated": (
        lambda **kw: plots.predicted_against_rated(np.array([4.0, 6]), np.array([5, 5.5]), **kw),
        "predictions from 5.00 to 5.50",
    ),
    "rating_bars": (
        lambda **kw: plots.rating_bars(np.eye(10)[4], np.full(10, 0.1), **kw), "predicted: mean 5.5"
    ),
    "issue_counts": (lambda **kw: plots.issue_counts(ISSUES, **kw), "dark 3, blurry 5"),
    "stage_comparison": (
        lambda **kw: plots.stage_comparison(ABLATION, **kw), "cleaned 0.900 (0.800 to 0.950)"
    ),
    "class_comparison": (
        lambda **kw: plots.class_comparison(ABLATION, **kw), "Foyer 0.00 to 0.75, Pool 0.50 to 1.00"
    ),
    "rater_bias": (lambda **kw: plots.rater_bias(RATERS, **kw), "Bias of 2 raters: Bo -0.25"),
    "depth_profile": (lambda **kw: plots.depth_profile(PROFILE, **kw), "a 1.00, b 0.50"),
    "confusion_matrix": (
        lambda **kw: plots.ConfusionMatrixDisplay.from_predictions(["a", "b"], ["a", "a"], **kw),
        "2 photos and 2 classes",
    ),
}  # fmt: skip
ON_TWO_AXES = {
    "training_history": lambda **kw: plots.training_history(HISTORY, **kw),
    "deletion_curves": lambda **kw: plots.deletion_curves({"cam": CURVES}, **kw),
}


@pytest.mark.parametrize("name", ON_ONE_AXES)
def test_given_axes_are_drawn_on_and_the_figure_says_what_it_shows(name):
    draw, words = ON_ONE_AXES[name]
    figure, ax = plt.subplots()
    display = draw(ax=ax)
    assert (display.ax_, display.figure_) == (ax, figure)
    assert words in figure_alt(figure)
    assert not ax.spines["top"].get_visible() or name == "confusion_matrix"


@pytest.mark.parametrize("name", ON_TWO_AXES)
def test_both_given_axes_are_drawn_on(name):
    figure, axes = plt.subplots(1, 2)
    display = ON_TWO_AXES[name](axes=axes)
    assert display.axes_.tolist() == axes.tolist()
    assert display.figure_ is figure
    assert all(ax.has_data() for ax in axes)


@pytest.mark.parametrize(
    ("name", "keywords", "artist"),
    [
        ("per_class_bars", {"bar_kw": {"color": "red"}}, lambda one: one.bars_["f1"][0]),
        ("class_counts", {"bar_kw": {"color": "red"}}, lambda one: one.bars_["train"][0]),
        ("issue_counts", {"bar_kw": {"color": "red"}}, lambda one: one.bars_["looking"][0]),
        ("rating_bars", {"bar_kw": {"color": "red"}}, lambda one: one.bars_["rated"][0]),
        ("reliability", {"line_kw": {"color": "red"}}, lambda one: one.lines_["model"]),
        ("reliability", {"scatter_kw": {"color": "red"}}, lambda one: one.lines_["points"]),
        ("score_distribution", {"stairs_kw": {"color": "red"}}, lambda one: one.lines_["photos"]),
        ("predicted_against_rated", {"scatter_kw": {"color": "red"}},
         lambda one: one.lines_["photos"]),
        ("rater_bias", {"line_kw": {"color": "red"}}, lambda one: one.lines_["value"]),
        ("depth_profile", {"line_kw": {"color": "red"}}, lambda one: one.lines_["cka"]),
        ("confusion_matrix", {"text_kw": {"color": "red"}}, lambda one: one.text_[0, 0]),
        ("training_history", {"line_kw": {"color": "red"}}, lambda one: one.lines_["loss"]),
        ("stage_comparison", {"line_kw": {"color": "red"}}, lambda one: one.lines_["own"][0]),
        ("class_comparison", {"scatter_kw": {"color": "red"}},
         lambda one: one.lines_["cleaned"]),
        ("deletion_curves", {"line_kw": {"color": "red"}},
         lambda one: one.lines_["insertion cam"]),
    ],
)  # fmt: skip
def test_keywords_reach_the_artist(name, keywords, artist):
    draw = ON_TWO_AXES.get(name) or ON_ONE_AXES[name][0]
    drawn = artist(draw(**keywords))
    one = drawn.get_facecolor() if hasattr(drawn, "get_facecolor") else drawn.get_color()
    assert to_hex(np.ravel(one)[:4] if not isinstance(one, str) else one) == "#ff0000"


def test_display_shows_itself_once():
    own = plots.class_counts(pd.DataFrame({"label": ["Pool"], "split": ["train"]}))
    data, metadata = own._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == figure_alt(own.figure_)
    photos = plots.picture_row(np.zeros((1, 4, 4, 3), "uint8"), ["a"])._repr_mimebundle_()
    assert set(photos[0]) == {"image/jpeg"}
    _, ax = plt.subplots()
    given = plots.issue_counts(ISSUES, ax=ax)
    # IPython shows pyplot's figures by itself.
    assert set(given._repr_mimebundle_()) == {"text/plain"}
    assert plt.get_fignums() == [ax.figure.number]


@pytest.mark.slow
def test_import_of_plots_is_light():
    heavy = ("tensorflow", "keras", "sklearn", "scipy", "seaborn", "cleanlab", "IPython", "duckdb")
    script = (
        f"import hotelviz.plots, sys; print([name for name in {heavy} if name in sys.modules]);"
        "print(hotelviz.plots.ConfusionMatrixDisplay.__mro__[2].__module__)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split("\n")[:2] == ["[]", "sklearn.metrics._plot.confusion_matrix"]


def test_bars_have_the_widths_of_the_report():
    display = ON_ONE_AXES["per_class_bars"][0]()
    assert widths(display.bars_["recall"]) == [0.5, 1.0]
    assert widths(display.bars_["precision"]) == [1.0, 0.5]
    assert display.bars_["f1"].get_label() == "F1"
    names = [tick.get_text() for tick in display.ax_.get_yticklabels()]
    assert names == ["a (2)", "b (1)"]


def test_class_counts_stack_the_splits():
    display = ON_ONE_AXES["class_counts"][0]()
    assert {name: widths(bars) for name, bars in display.bars_.items()} == {
        "train": [1, 1], "test": [1, 0],
    }  # fmt: skip
    assert [bar.get_x() for bar in display.bars_["test"]] == [1, 1]
    assert {name: text.get_text() for name, text in display.texts_.items()} == {"a": "2", "b": "1"}


def test_history_draws_its_columns_and_marks_where_the_phase_changes():
    display = plots.training_history(HISTORY)
    assert {name: line.get_ydata().tolist() for name, line in display.lines_.items()} == {
        name: HISTORY[name].tolist() for name in ("loss", "val_loss", "accuracy", "val_accuracy")
    }
    for ax in display.axes_:
        dashed = [line for line in ax.lines if line.get_linestyle() == "--"]
        assert [line.get_xdata()[0] for line in dashed] == [2.5]
        assert [text.get_text() for text in ax.texts] == ["head", "fine tune"]
    said = figure_alt(display.figure_)
    assert "a point for each epoch or fitted head (head 2, fine tune 2); at the end" in said
    assert "validation accuracy is 75.0%" in said


def test_reliability_draws_confidence_against_accuracy_and_states_its_error():
    display = ON_ONE_AXES["reliability"][0]()
    assert display.ax_.get_title() == "expected calibration error 0.400"
    np.testing.assert_allclose(display.lines_["model"].get_xydata(), [[0.9, 0.5]])
    np.testing.assert_allclose(display.lines_["points"].get_offsets(), [[0.9, 0.5]])


def test_coverage_curve_marks_what_is_answered_and_what_was_wished():
    display = plots.coverage_curve(CURVE, threshold=0.6, precision=0.9)
    assert display.lines_["model"].get_xydata().tolist() == [[0.2, 1], [0.5, 0.95], [1, 0.8]]
    # The last row whose photos are all at least that sure.
    assert display.lines_["threshold"].get_xydata().tolist() == [[0.5, 0.95]]
    assert set(display.lines_["wished"].get_ydata()) == {0.9}
    unreached = plots.coverage_curve(CURVE, threshold=np.nan)
    assert set(unreached.lines_) == {"model", "interval"}


def test_set_sizes_are_shares_of_photos_split_by_whether_they_hold_the_class():
    display = plots.set_sizes(SIZES)
    assert widths(display.bars_["hold it"]) == [0.75, 0]
    assert widths(display.bars_["miss it"]) == [0, 0.25]
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == ["1", "2"]


def test_score_distribution_has_unit_area_and_shares_by_threshold():
    display = plots.score_distribution(BINS, thresholds=[5.5, 5.0])
    values, edges, _ = display.lines_["photos"].get_data()
    assert values.tolist() == [0.25, 0.75]
    assert list(edges) == [4, 5, 6]
    assert [text.get_text() for text in display.texts_.values()] == ["25.0%", "37.5%", "37.5%"]
    np.testing.assert_allclose(display.texts_[1].get_position(), (5.25, 1.02))
    several = plots.score_distribution({"a_b": BINS, "c": BINS})
    legend = [text.get_text() for text in several.ax_.get_legend().get_texts()]
    assert legend == ["a b (40 photos)", "c (40 photos)"]


def test_many_photos_are_drawn_as_density():
    few = plots.predicted_against_rated(np.array([4.0, 6.0]), np.array([5.0, 5.5]), title="x")
    assert few.lines_["photos"].get_offsets().tolist() == [[4, 5], [6, 5.5]]
    assert few.lines_["equal"].get_xdata().tolist() == [4, 6]
    assert few.ax_.get_title() == "x"
    scores = np.random.default_rng(0).uniform(3, 7, 2001)
    many = plots.predicted_against_rated(scores, scores)
    assert many.lines_["photos"].get_array().sum() == 2001


def test_rating_bars_have_the_heights_of_the_shares():
    display = plots.rating_bars(np.eye(10)[4], np.full(10, 0.1))
    assert [bar.get_height() for bar in display.bars_["rated"]] == np.eye(10)[4].tolist()
    assert [bar.get_height() for bar in display.bars_["predicted"]] == [0.1] * 10
    centres = [bar.get_x() + bar.get_width() / 2 for bar in display.bars_["predicted"]]
    np.testing.assert_allclose(centres, np.arange(1, 11) + 0.2)
    assert list(plots.rating_bars(None, np.full(10, 0.1)).bars_) == ["predicted"]


def test_issue_counts_draw_what_was_found_and_what_is_to_look_at():
    display = plots.issue_counts(ISSUES)
    assert widths(display.bars_["photos"]) == [5, 3]
    assert widths(display.bars_["looking"]) == [2, 3]
    notes = {name: text.get_text() for name, text in display.texts_.items()}
    assert notes == {"blurry": " 5, 2 to look at", "dark": " 3"}
    nothing = plots.issue_counts(ISSUES.head(0))
    assert nothing.texts_[""].get_text() == "nothing was found"


def test_stages_are_drawn_with_their_intervals():
    display = plots.stage_comparison(ABLATION)
    points, _, (bars,) = display.lines_["same"]
    np.testing.assert_allclose(points.get_xydata(), [[0.8, -0.12], [0.9, 0.88]])
    np.testing.assert_allclose(bars.get_segments()[0][:, 0], [0.7, 0.85])
    np.testing.assert_allclose(display.lines_["own"][0].get_xydata()[:, 0], [0.7, 0.6])
    assert display.ax_.get_xlabel() == "top-1 accuracy, 95 % interval over hotels"


def test_classes_are_drawn_stage_by_stage_the_one_that_gained_most_on_top():
    display = plots.class_comparison(ABLATION)
    rows = [tick.get_text() for tick in display.ax_.get_yticklabels()]
    assert rows == ["Pool (4)", "Foyer (2)"]
    assert display.lines_["labelled"].get_offsets().tolist() == [[0.5, 0], [0.0, 1]]
    assert display.lines_["cleaned"].get_offsets().tolist() == [[1.0, 0], [0.75, 1]]
    ends = [segment[:, 0].tolist() for segment in display.lines_["range"].get_segments()]
    assert ends == [[0.5, 1.0], [0.0, 0.75]]


def test_raters_are_drawn_by_bias_with_interval_and_noise():
    display = plots.rater_bias(RATERS)
    assert display.lines_["value"].get_xydata().tolist() == [[-0.25, 0], [0.5, 1]]
    ends = [segment[:, 0].tolist() for segment in display.lines_["interval"].get_segments()]
    assert ends == [[-0.5, 0.0], [0.2, 0.8]]
    noise = [segment[:, 0].tolist() for segment in display.lines_["noise"].get_segments()]
    assert noise == [[-0.75, 0.25], [-0.5, 1.5]]
    assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == ["Bo", "Ada"]
    tags = RATERS.rename(columns=lambda name: name.replace("bias", "agrees"))
    assert list(plots.rater_bias(tags).lines_) == ["interval", "value"]


def test_depth_profile_draws_a_line_for_each_measure():
    display = plots.depth_profile(PROFILE)
    for name, line in display.lines_.items():
        assert line.get_xdata().tolist() == PROFILE[name].tolist()
    assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == ["a", "b"]
    # The input is above.
    assert display.ax_.yaxis_inverted()
    assert display.ax_.get_xlim()[1] > 1.5


def test_deletion_curves_draw_the_mean_by_map_and_by_random_order():
    display = plots.deletion_curves({"cam": CURVES})
    assert {name: line.get_ydata().tolist() for name, line in display.lines_.items()} == {
        "deletion random": [0.9, 0.5], "deletion cam": [0.9, 0.1],
        "insertion random": [0.1, 0.6], "insertion cam": [0.1, 0.9],
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["display", "figure"])
def test_figures_are_saved_at_print_size(tmp_path, kind):
    display = plots.issue_counts(ISSUES)
    png, svg = plots.save_figure(display if kind == "display" else display.figure_, tmp_path / "a")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert "<svg" in svg.read_text()
    with Image.open(png) as picture:
        paper = np.asarray(picture.convert("L")) == 255
    # Everything is on it, with a margin all around of a tenth of an inch.
    for side in (paper, paper[::-1], paper.T, paper.T[::-1]):
        assert 20 < side.all(axis=1).argmin() < 100
    assert display.figure_.get_layout_engine() is not None


@pytest.mark.parametrize(
    ("draw", "table", "column"),
    [
        (plots.issue_counts, {"photos": [1]}, "looking"),
        (plots.rater_bias, {"rater": ["Ada"], "bias": [0.5], "compared": [9]}, "bias_low"),
        (plots.per_class_bars, {"precision": [1.0]}, "recall"),
        (plots.class_counts, {"label": ["a"]}, "split"),
        (plots.reliability, {"confidence": [1.0]}, "accuracy"),
        (plots.training_history, {"epoch": [1]}, "phase"),
        (plots.score_distribution, {"low": [1.0]}, "high"),
    ],
)
def test_tables_made_by_hand_are_told_which_column_they_lack(draw, table, column):
    with pytest.raises(HotelvizError, match=f"no column '{column}'"):
        draw(pd.DataFrame(table))
