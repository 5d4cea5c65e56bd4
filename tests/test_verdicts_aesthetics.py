"""What reports of aesthetics, scores and rankings say, from small tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hotelviz.metrics import compare_scores
from hotelviz.ranking import (
    area_recall,
    compare_with_current,
    completeness,
    rank_hotel_photos,
    ranking_figures,
)
from hotelviz.reports.verdicts.aesthetic import (
    compared_table,
    notes_beside,
    report_verdict,
    training_verdict,
)
from hotelviz.reports.verdicts.judged import extreme_errors, judged_by_all
from hotelviz.reports.verdicts.ranking import completeness_said, ranking_verdict, unseen_areas
from hotelviz.reports.verdicts.scores import distribution_verdict
from hotelviz.schema import RATINGS

PHOTOS = pd.DataFrame(
    {"image_id": [f"p{n}" for n in range(40)], "hotel_id": [f"h{n // 5}" for n in range(40)]}
)


def compared(first: float, second: float) -> pd.DataFrame:
    """Two iterations, as far off as these, on forty photos."""
    random = np.random.default_rng(1)
    means = random.uniform(2, 9, 40)
    scores = np.arange(1, 11)

    def shares(noise: float) -> np.ndarray:
        around = means + random.normal(0, noise, 40)
        weights = np.exp(-((scores - around[:, None]) ** 2) / 2)
        return weights / weights.sum(axis=1, keepdims=True)

    models = {"iteration 1": shares(first), "iteration 2": shares(second)}
    return compare_scores(shares(0.0), models, groups=PHOTOS["hotel_id"])


def test_both_iterations_stand_in_one_sentence_and_on_one_card_of_the_same_photos():
    table = compared(3.0, 0.3)
    values = table.set_index(["model", "metric"])["value"].round(2).map("{:.2f}".format)
    verdict = report_verdict(table, PHOTOS, unseen=True)
    second, first = (values[f"iteration {n}", "LCC"].replace("0.", ".") for n in (2, 1))
    assert verdict.text.startswith(
        "On 40 photos of 8 unseen hotels the second iteration's scores follow people's closely: "
        f"linear correlation (LCC) {second} ("
    )
    assert f", that of the first {first} (" in verdict.text
    assert verdict.text.split(". It avoids")[0].rstrip(".").endswith(" better")
    assert verdict.cards[0].value == f"{first} → {second}"
    assert verdict.cards[0].detail.startswith("the same 40 photos of 8 unseen hotels; difference ")
    assert compared_table(table).columns.to_list() == [
        "metric", "iteration 1", "iteration 2", "difference",
    ]  # fmt: skip


@pytest.mark.slow
def test_iterations_that_do_not_differ_measurably_are_said_not_to():
    said = report_verdict(compared(0.5, 0.5), PHOTOS, unseen=True).text
    assert "no measurable difference" in said
    assert " worse" in report_verdict(compared(0.3, 3.0), PHOTOS, unseen=False).text


def test_model_that_predicts_one_score_for_all_has_no_correlation_and_is_not_called_worse():
    table = compared(1.0, 0.3)
    constant = table["metric"].eq("LCC") & table["model"].isin(["iteration 1", "difference"])
    table.loc[constant, ["value", "low", "high"]] = np.nan
    said = report_verdict(table, PHOTOS, unseen=True).text
    assert (
        "that of the first none, as all predictions are the same: they cannot be compared." in said
    )


def test_photos_that_may_have_been_seen_are_not_called_unseen():
    table = compared(1.0, 0.3)
    one = table[table["model"] == "iteration 1"]
    said = report_verdict(one, PHOTOS[["image_id"]], unseen=False)
    assert said.text.startswith("On 40 photos, not known to be unseen, the model's scores follow")
    assert "hotel" not in said.text
    assert "iteration" not in said.cards[0].label


def test_loss_of_a_training_is_said_to_be_of_its_own_photos():
    rated = PHOTOS.assign(split=["train"] * 30 + ["val"] * 10)
    course = pd.DataFrame({
        "epoch": [1, 2, 3], "loss": [0.3, 0.2, 0.1], "val_loss": [0.3, 0.15, 0.2],
        "val_mean_score_error": [0.9, 0.4, 0.5], "seconds": 2.0,
    })  # fmt: skip
    verdict = training_verdict(course, rated, "models/a model.keras", catalog="my photos.csv")
    assert verdict.text == (
        "a model.keras learned from 30 photos of 6 hotels. On 10 photos of 2 hotels kept for "
        "validation its scores are off by 0.40 points on average in the best epoch, 2 of 3."
    )
    assert verdict.cards[1] == (
        "validation loss (earth mover's distance)", "0.150",
        "10 photos of 2 hotels, not comparable with other iterations",
    )  # fmt: skip
    command = verdict.next_steps[0].command
    assert "-p catalog='my photos.csv' -p 'models=[\"models/a model.keras\"]'" in command


def test_equal_errors_go_by_name():
    judged = pd.DataFrame({"image_id": list("dcba"), "rated_mean": 5.0})
    shown = extreme_errors(judged, pd.DataFrame({"score": [5.5, 5.5, 4.5, 4.5]}), 2)
    assert shown.groupby("kind")["image_id"].agg("".join).to_dict() == {
        "rated higher than predicted": "ab", "predicted higher than rated": "cd",
        "predicted best": "ab",
    }  # fmt: skip


def test_photos_that_one_model_cannot_read_are_judged_by_none():
    rated = pd.DataFrame({"image_id": ["a", "b", "c"], **dict.fromkeys(RATINGS, 0), "rating_4": 3})
    tables = {
        name: pd.DataFrame({"image_id": ["a", "b", "c"], "score": scores})
        for name, scores in {"one": [4.0, None, 6.0], "two": [1.0, 2.0, 3.0]}.items()
    }
    judged, left = judged_by_all(rated, tables)
    assert judged[["image_id", "rated_mean"]].to_numpy().tolist() == [["a", 4.0], ["c", 4.0]]
    assert left["two"]["score"].to_list() == [1.0, 3.0]
    assert extreme_errors(judged, left["one"], 1)["image_id"].to_list() == ["a", "c", "a"]
    assert notes_beside(judged[:1], 2, []) == [
        "Intervals: 95 %, over 1 photo (jackknife).",
        "1 of 2 rated photos could not be read, and is not counted.",
    ]


def test_distribution_names_the_hotel_with_most_to_gain_of_those_with_enough_photos():
    bins = pd.DataFrame({"low": [4.0, 4.5, 5.5], "high": [4.5, 5.5, 6.0], "count": [27, 64, 9]})
    hotels = pd.DataFrame({"hotel_id": ["one", "<b>"], "photos": [1, 12], "mean": [2.0, 4.256]})
    quantiles = {0.25: 4.6, 0.5: 5.02, 0.75: 5.4}
    verdict = distribution_verdict(bins, quantiles, [5.5, 4.5], hotels=hotels, n_hotels=60)
    assert verdict.text == (
        "9 % of 100 photos score above 5.5 of 10, 27 % up to 4.5, and 64 % between. Of 60 hotels "
        "<b> has most to gain: its 12 photos have the mean 4.26."
    )
    assert "&lt;b&gt;" in verdict._repr_mimebundle_()["text/html"]
    assert verdict.cards[0] == ("photos above 5.5", "9 %", "9 of 100 photos")
    one = distribution_verdict(bins.assign(count=[0, 1, 0]), quantiles, [4.5, 5.5])
    assert one.text == "0 % of 1 photo scores above 5.5 of 10, 0 % up to 4.5, and 100 % between."
    above = distribution_verdict(bins.assign(count=[0, 0, 1]), quantiles, [5.5])
    assert above.text == "100 % of 1 photo scores above 5.5."


def ranked(positions: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A hotel that gains, one that loses, and one whose order is not known."""
    photos = pd.DataFrame({
        "image_id": [f"{hotel}{n}" for hotel in "ghi" for n in range(6)],
        "hotel_id": np.repeat(list("ghi"), 6),
        "score": [*(6.5, 6, 5, 5, 5, 5), *(6, 5, 5, 5, 5, 4.5), *(5.0,) * 6],
        "predicted": (["Pool"] * 5 + ["Foyer"]) * 3,
    })  # fmt: skip
    photos = photos.assign(p_Pool=0.9, p_Foyer=0.9)
    places = photos[["image_id"]].assign(position=[6, 5, 1, 2, 3, 4, *range(1, 7), *[None] * 6])
    places = places if positions else places[["image_id"]]
    return photos, ranking_figures(rank_hotel_photos(photos, catalog=places))


def test_ranking_says_what_is_gained_on_the_same_hotels_and_how_many_lose():
    photos, figures = ranked(True)
    gained = compare_with_current(figures)
    verdict = ranking_verdict(figures, gained, completeness(photos))
    # The lobby takes the second place: (6.5 + 5 + 6 + 5 + 5) / 5, and (6 + 4.5 + 5 + 5 + 5) / 5.
    assert gained.set_index("hotel_id")["score_gained"].to_dict() == {
        "g": pytest.approx(5.5 - 5.2), "h": pytest.approx(5.1 - 5.2),
    }  # fmt: skip
    assert verdict.text == (
        "The new order shows 2.0 of 2.0 possible areas among the first eight photos, today 2.0; "
        "the mean score of the first five is 5.30, today 5.20; 1 of 2 hotels loses (1 in this "
        "score, by at most 0.10)."
    )
    assert verdict.cards[1].value == "5.20 → 5.30"
    assert "the 2 of 3 hotels whose current order is known" in verdict.cards[1].detail
    assert verdict.next_steps[0].link == "#Hotels-that-lose"


def test_ranking_does_not_call_the_same_mean_a_change():
    _, figures = ranked(True)
    figures = figures[figures["hotel_id"] == "g"].assign(mean_of_5=5.951)
    said = ranking_verdict(figures, compare_with_current(figures)).text
    assert "the mean score of the first five stays 5.95;" in said
    assert said.endswith("; the hotel does not lose.")


def test_without_positions_nothing_is_said_of_today():
    _, figures = ranked(False)
    said = ranking_verdict(figures, compare_with_current(figures))
    assert "today" not in said.text
    assert "lose" not in said.text
    assert "by score alone" in said.text


def test_areas_that_labels_know_are_told_from_those_that_nobody_knows():
    photos = pd.DataFrame({
        "image_id": list("abc"), "hotel_id": list("ghi"), "score": 5.0,
        "predicted": "Pool", "p_Pool": 0.8, "p_Foyer": [0.5, 0.1, 0.2],
        "label": ["Foyer", "Pool", None],
    })  # fmt: skip
    table = completeness(photos)
    assert completeness_said(table, area_recall(table)) == (
        "Of 6 areas of 3 hotels the tagger surely sees 3; by the labels 1 more is there and "
        "overlooked; by the labels 1 is missing; of 1 there may be a photo all the same. Where "
        "labels say that an area is there, the tagger surely sees it in 50 % of 2 cases."
    )
    nothing = table.assign(state="not seen")
    assert completeness_said(nothing, area_recall(nothing)).startswith(
        "Of 6 areas of 3 hotels the tagger surely sees none; of 6 there may be a photo all the same"
    )
    assert unseen_areas(table)[["hotel_id", "known", "probability"]].to_numpy().tolist() == [
        ["h", "missing, by the labels", pytest.approx(0.1)],
        ["i", "none seen surely", pytest.approx(0.2)],
        ["g", "overlooked, by the labels", pytest.approx(0.5)],
    ]
