"""Figures of taggers against hand-computed ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hotelviz import metrics
from hotelviz.errors import HotelvizError
from hotelviz.scores.predictions import class_columns

TRUE = ["Pool"] * 4 + ["Bedroom"] * 3 + ["Foyer"] * 3
PREDICTED = ["Pool"] * 3 + ["Bedroom"] + ["Bedroom"] * 3 + ["Reception", "Reception", "Foyer"]


def test_top1_is_the_share_of_right_ones():
    assert metrics.top1(TRUE, PREDICTED) == 0.7


def test_confusion_matrix_has_true_classes_in_rows():
    matrix = metrics.confusion_matrix(TRUE, PREDICTED)
    assert matrix.index.name == "true"
    assert matrix.loc["Foyer", "Reception"] == 2
    assert matrix.loc["Reception", "Foyer"] == 0
    assert matrix.to_numpy().sum() == 10


def test_report_gives_hand_computed_figures():
    report = metrics.classification_report(TRUE, PREDICTED)
    assert report.loc["Bedroom", ["precision", "recall"]].tolist() == [0.75, 1.0]
    assert report.loc["Foyer", "recall"] == pytest.approx(1 / 3)
    assert np.isnan(report.loc["Reception", "recall"])
    assert report.loc["Pool", "support"] == 4
    # Over the three classes that have photos: Reception has none.
    assert report.loc["macro avg", "recall"] == pytest.approx((0.75 + 1 + 1 / 3) / 3)
    assert report.loc["weighted avg", "recall"] == pytest.approx(0.7)


def test_class_that_is_never_predicted_lowers_the_averages():
    report = metrics.classification_report(["a", "b"], ["a", "a"])
    assert np.isnan(report.loc["b", "precision"])
    assert report.loc["macro avg", "precision"] == 0.25


def test_classes_that_are_numbers_are_compared_as_text():
    assert metrics.top1(pd.Series([1.0, 0.0]), pd.Series(["1", "0"])) == 1
    assert metrics.confusion_matrix([1, 0], [1.0, 1.0]).loc["0", "1"] == 1


def test_missing_predictions_are_refused_with_their_number():
    with pytest.raises(metrics.MetricsError, match="1 of 2 predictions are missing"):
        metrics.top1(["Pool", "Pool"], ["Pool", None])


def test_no_predictions_are_refused():
    with pytest.raises(metrics.MetricsError, match="no predictions"):
        metrics.top1([], [])


def test_different_lengths_are_refused():
    with pytest.raises(metrics.MetricsError, match="2 true labels, but 1"):
        metrics.confusion_matrix(["a", "b"], ["a"])


def test_unknown_class_is_refused_with_the_nearest():
    with pytest.raises(metrics.MetricsError, match=r"not 'Pol'; did you mean 'Pool'"):
        metrics.confusion_matrix(["Pol"], ["Pool"], classes=["Pool", "Foyer"])


def test_interval_over_hotels_is_wider_than_over_photos():
    # Ten hotels that are right or wrong as a whole: ten facts, not a hundred.
    right = np.repeat([1, 1, 1, 0, 1, 0, 1, 1, 0, 1], 10)
    by_photo = metrics.mean_interval(right, bounds=metrics.SHARE)
    by_hotel = metrics.mean_interval(
        right, groups=np.repeat(np.arange(10), 10), bounds=metrics.SHARE
    )
    assert by_photo.value == by_hotel.value == 0.7
    assert by_hotel.high - by_hotel.low > 2 * (by_photo.high - by_photo.low)


def test_interval_of_a_mean_of_many_hotels_is_reproducible():
    values = np.random.default_rng(0).normal(size=900)
    first, second, other = (metrics.mean_interval(values, seed=seed) for seed in (3, 3, 4))
    assert first == second != other


@pytest.mark.parametrize("bounds", [(0, 1), (-1, 1), (0, np.inf), (-np.inf, 1)])
def test_interval_is_that_of_the_scale_on_which_bounds_are_far_away(bounds):
    values = np.array([0.99, 0.9, 0.97, 0.5])
    low, high = bounds
    scale = {
        (0, 1): lambda x: np.log(x / (1 - x)), (-1, 1): lambda x: 2 * np.arctanh(x),
        (0, np.inf): np.log, (-np.inf, 1): lambda x: -np.log(1 - x),
    }[bounds]  # fmt: skip
    found = metrics.mean_interval(values, groups=list("abcd"), bounds=bounds)
    without = scale(np.array([np.delete(values, n).mean() for n in range(4)]))
    at = scale(values.mean())
    width = stats.t.ppf(0.975, 3) * np.sqrt(3 / 4 * ((without - at) ** 2).sum())
    assert scale(found.low) == pytest.approx(at - width)
    assert scale(found.high) == pytest.approx(at + width)
    assert low < found.low < found.value < found.high < high


def test_interval_where_a_hotel_less_reaches_a_bound_ends_at_it():
    found = metrics.mean_interval([0, 1, 1, 1, 1, 1], groups=list("aabbcc"), bounds=(0, 1))
    plain = metrics.mean_interval([0, 1, 1, 1, 1, 1], groups=list("aabbcc"))
    assert (found.low, found.high) == (pytest.approx(plain.low), 1.0)
    assert plain.high > 1


def test_one_hotel_and_a_figure_that_never_varies_have_no_interval():
    for values, hotels in (([0.2, 0.4], "aa"), ([0.5, 0.5], "ab")):
        found = metrics.mean_interval(values, groups=list(hotels), bounds=(0, 1))
        assert np.isfinite(found.value)
        assert np.isnan([found.low, found.high]).all()
    assert metrics.mean_interval([0.0, 0.0], groups=["a", "b"]) == (0, 0, 0)


def test_calibration_of_a_model_that_is_as_sure_as_it_is_right():
    probabilities = np.tile([0.75, 0.25], (400, 1))
    true = ["a"] * 300 + ["b"] * 100
    table = metrics.calibration(probabilities, true, ["a", "b"])
    assert table["count"].tolist() == [400]
    assert table["accuracy"].tolist() == [0.75]
    assert metrics.expected_calibration_error(table) == pytest.approx(0)


def test_probability_of_one_falls_into_the_last_bin():
    table = metrics.calibration(np.array([[1.0, 0.0]]), ["b"], ["a", "b"], n_bins=10)
    assert table[["lower", "upper"]].to_numpy().tolist() == [[0.9, 1.0]]
    assert metrics.expected_calibration_error(table) == 1.0


def test_missing_probabilities_are_refused():
    with pytest.raises(metrics.MetricsError, match="probabilities are missing"):
        metrics.calibration(np.array([[np.nan, np.nan]]), ["a"], ["a", "b"])


def test_summary_agrees_with_the_report():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet([1, 1, 1], 90)
    classes = np.array(["a", "b", "c"])
    tags = pd.DataFrame(probabilities, columns=["p_a", "p_b", "p_c"])
    tags["predicted"] = classes[probabilities.argmax(1)]
    tags["label"] = np.where(random.random(90) < 0.7, tags["predicted"], "b")
    tags["hotel_id"] = np.arange(90) // 9
    table = metrics.summary(tags).set_index("metric")
    report = metrics.classification_report(tags["label"], tags["predicted"])
    assert table.loc["top-1 accuracy", "value"] == metrics.top1(tags["label"], tags["predicted"])
    for name, column in (("precision", "precision"), ("recall", "recall"), ("F1", "f1")):
        assert table.loc[f"macro {name}", "value"] == pytest.approx(report.loc["macro avg", column])
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()


TAGS = pd.DataFrame(
    {
        "image_id": ["1", "2", "3"], "hotel_id": ["h", "h", "g"], "label": ["a", "b", "a"],
        "predicted": ["a", "b", "b"], "p_a": [0.9, 0.2, 0.4], "p_b": [0.1, 0.8, 0.6],
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tags: tags.drop(columns="label"), "no column 'label'"),
        (lambda tags: pd.concat([tags, tags.iloc[:1]]), "'1' stands in row 0 already"),
        (lambda tags: tags.drop(columns=["p_a", "p_b"]), "no probabilities"),
    ],
    ids=["no labels", "a photo twice", "no probabilities"],
)
def test_tables_that_cannot_be_judged_are_refused(change, message):
    with pytest.raises(HotelvizError, match=message):
        metrics.summary(change(TAGS))


def test_photo_without_a_hotel_is_a_hotel_of_its_own():
    alone = TAGS.assign(hotel_id=["h", "h", None])
    assert metrics.summary(alone).equals(metrics.summary(TAGS))


def test_labels_and_predictions_in_different_orders_are_refused():
    resorted = TAGS.sort_values("p_b")
    with pytest.raises(metrics.MetricsError, match="different orders"):
        metrics.top1(TAGS["label"], resorted["predicted"])
    assert metrics.top1(TAGS["label"], TAGS["predicted"].to_list()) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        (np.zeros((0, 2)), [], "needs photos"),
        (np.array([[0.9, 0.1]]), [None], "each with a label"),
        (np.array([[4.0, -2.0]]), ["a"], "softmax"),
    ],
)
def test_calibration_of_what_is_no_probability_is_refused(probabilities, labels, message):
    with pytest.raises(metrics.MetricsError, match=message):
        metrics.calibration(probabilities, labels, ["a", "b"])


def test_interval_of_no_photos_is_refused():
    with pytest.raises(metrics.MetricsError, match="0 photos"):
        metrics.mean_interval([])


def test_ratings_of_a_photo_that_stands_twice_are_refused():
    rated = pd.DataFrame(np.eye(10)[[2, 4]], columns=[f"rating_{n}" for n in range(1, 11)])
    rated.insert(0, "image_id", ["a", "a"])
    with pytest.raises(HotelvizError, match="'a' stands in row 0 already"):
        metrics.score_metrics(rated, np.eye(10)[[2, 4]])


def test_a_probability_that_is_missing_somewhere_is_still_one():
    tags = pd.DataFrame(
        {
            "predicted": ["Pool", "Bar", "Pool"],
            "p_Pool": [0.75, 0.25, 0.5],
            "p_Bar": [0.25, 0.75, np.nan],
            "p_price": [89.5, 120.0, np.nan],
        }
    )
    assert class_columns(tags) == {"Pool": "p_Pool", "Bar": "p_Bar"}


def test_temperature_is_found_again_and_held_near_one_by_few_photos():
    random = np.random.default_rng(0)
    logits = 3 * random.normal(size=(4000, 3))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    drawn = np.eye(3)[[random.choice(3, p=shares) for shares in true]]
    for temperature in (0.5, 1.0, 2.0):
        doubting = np.exp(logits * temperature)
        doubting /= doubting.sum(axis=1, keepdims=True)
        assert metrics.fit_temperature(doubting, drawn) == pytest.approx(temperature, rel=0.06)
    all_right = np.array([[0.7, 0.3]] * 3)
    assert 0.6 < metrics.fit_temperature(all_right, np.array([[1, 0]] * 3)) < 1
    assert metrics.fit_temperature(np.array([[1.0, 0.0]]), np.array([[0, 1]])) > 1


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        (np.ones((2, 2)), r"\(2, 2\) and targets \(3, 2\)"),
        (np.full((3, 2), np.nan), "missing"),
    ],
)
def test_temperature_needs_probabilities_of_the_same_photos(probabilities, message):
    with pytest.raises(HotelvizError, match=message):
        metrics.fit_temperature(probabilities, np.ones((3, 2)))
    with pytest.raises(HotelvizError, match="not those of the same photos"):
        metrics.fit_temperature(np.ones((0, 2)), np.ones((0, 2)))
