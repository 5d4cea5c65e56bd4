"""When a tag can be trusted: thresholds, curves and sets, on hotels whose truth is known."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from hotelviz import metrics
from hotelviz.catalog import CatalogError
from hotelviz.metrics import MetricsError
from hotelviz.reports.verdicts import trust as trusting

CLASSES = ("Bar", "Bed", "Pool")


def hotels(n_hotels: int, random: np.random.Generator, *, alike: float = 1.0) -> pd.DataFrame:
    """Draw photos of hotels that are hard or easy as a whole; `alike` says how much they differ."""
    sizes = random.integers(3, 25, n_hotels)
    hotel = np.repeat(np.arange(n_hotels), sizes)
    label = random.integers(3, size=len(hotel))
    clear = random.normal(2, 1.5, len(hotel)) + alike * random.normal(0, 1, n_hotels)[hotel]
    logits = random.normal(0, 1, (len(hotel), 3)) + clear[:, None] * np.eye(3)[label]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    names = np.array(CLASSES)
    tags = pd.DataFrame(shares, columns=[f"p_{name}" for name in CLASSES])
    # Names of hotels and photos are text, as in every catalogue.
    return tags.assign(
        image_id=[f"{number}.jpg" for number in range(len(tags))],
        hotel_id=[f"h{number}" for number in hotel],
        label=names[label], predicted=names[shares.argmax(axis=1)],
    )  # fmt: skip


@pytest.fixture(scope="module")
def population() -> pd.DataFrame:
    """So many hotels that shares of them are the truth."""
    return hotels(3200, np.random.default_rng(1))


def drawn(population: pd.DataFrame, repetitions: int, n_hotels: int = 40):
    """Tables of some of the hotels each, no hotel twice."""
    number = population["hotel_id"].str[1:].astype(int) // n_hotels
    assert repetitions <= number.nunique()
    for _, tags in list(population.groupby(number))[:repetitions]:
        yield tags.reset_index(drop=True)


@pytest.mark.slow
def test_promised_precision_holds_on_other_hotels_and_by_single_photos_does_not(population):
    confidence = (
        population[[f"p_{name}" for name in CLASSES]].max(axis=1).sort_values(ascending=False)
    )
    right = (population["label"] == population["predicted"])[confidence.index].to_numpy()
    truth = right.cumsum() / np.arange(1, len(right) + 1)

    def broken(tags: pd.DataFrame) -> tuple[bool, bool]:
        chosen = metrics.threshold_for_precision(tags, 0.9, classes=CLASSES)
        assert not chosen.promised or chosen.bound >= 0.9
        reached = np.searchsorted(-confidence, -chosen.value, side="right") - 1
        return chosen.promised, chosen.promised and truth[reached] < 0.9

    tables = list(drawn(population, 80))
    promised, too_bold = np.mean([broken(tags) for tags in tables], axis=0)
    assert promised > 0.8
    assert too_bold <= 0.05
    # As if the photos of a hotel had nothing in common.
    alone = [broken(tags.drop(columns=["hotel_id", "image_id"])) for tags in tables]
    assert np.mean(alone, axis=0)[1] > too_bold


@pytest.mark.slow
@pytest.mark.parametrize("score", ["lac", "aps"])
def test_sets_hold_the_label_as_often_as_wished_over_other_hotels(population, score):
    per_hotel = []
    tables = list(drawn(population, 80))
    for calibration, tags in zip(tables[:40], tables[40:], strict=True):
        found = metrics.conformal_sets(
            calibration, tags, coverage=0.9, score=score, classes=CLASSES
        )
        held = found.sets.to_numpy()[np.arange(len(tags)), tags["label"].map(CLASSES.index)]
        per_hotel.append(pd.Series(held).groupby(tags["hotel_id"].to_numpy()).mean().mean())
    error = np.std(per_hotel) / np.sqrt(len(per_hotel))
    # At least 90 %, and with forty hotels at most one part of 41 more.
    assert 0.9 - 3 * error < np.mean(per_hotel) < 0.9 + 1 / 41 + 3 * error


def test_quantile_weighs_hotels_the_same():
    # One hotel of many easy photos, nine of one hard photo each.
    sure = np.array([0.99] * 91 + [0.6] * 9)
    tags = pd.DataFrame(
        {"p_a": sure, "p_b": 1 - sure, "label": "a", "hotel_id": ["big"] * 91 + list("123456789")}
    )
    found = metrics.conformal_sets(tags, tags, coverage=0.9)
    assert (found.n_photos, found.n_hotels) == (100, 10)
    assert found.quantile == pytest.approx(0.4)
    # By photos 91 % would be held by the score of the easy ones.
    assert np.quantile(1 - sure, 0.9) == pytest.approx(0.01)


def test_curve_goes_from_the_surest_to_all():
    random = np.random.default_rng(0)
    tags = hotels(60, random)
    curve = metrics.coverage_accuracy(tags)
    right = tags["label"] == tags["predicted"]
    confidence = tags[[f"p_{name}" for name in CLASSES]].max(axis=1)
    assert curve["coverage"].is_monotonic_increasing
    assert curve.iloc[-1][["coverage", "accuracy"]].tolist() == [1, right.mean()]
    assert ((curve["low"] <= curve["accuracy"]) & (curve["accuracy"] <= curve["high"])).all()
    for row in curve.iloc[[0, 30, 70]].itertuples():
        answered = confidence >= row.threshold
        assert (row.n_photos, row.accuracy) == (answered.sum(), right[answered].mean())
        assert (metrics.confident(tags, row.threshold) == answered).all()


def test_photos_that_are_equally_sure_are_answered_together():
    tags = pd.DataFrame(
        {"p_a": [0.9] * 6 + [0.8] * 4, "p_b": [0.1] * 6 + [0.2] * 4, "label": list("aaabbbaaab")}
    )
    curve = metrics.coverage_accuracy(tags)
    assert curve["coverage"].to_list() == [0.6, 1.0]
    assert curve["accuracy"].to_list() == [0.5, 0.6]


def test_interval_of_a_share_without_errors_goes_by_the_hotels():
    alone = metrics.share_interval([1] * 60)
    assert alone.low == pytest.approx(0.025 ** (1 / 60))
    groups = np.arange(60) // 10
    assert metrics.share_interval([1] * 60, groups=groups).low < alone.low - 0.2
    assert metrics.share_interval([1, 0], groups=["h", "h"]) == (0.5, 0, 1)


@pytest.mark.parametrize("alike", [0.0, 2.0])
def test_interval_of_a_share_holds_over_hotels(alike):
    random = np.random.default_rng(3)
    chance = random.beta(9, 1, 20_000) if alike else np.full(20_000, 0.9)
    hits = random.random((20_000, 8)) < chance[:, None]
    inside = []
    for number in range(200):
        some = slice(50 * number, 50 * number + 50)
        low, high = metrics.share_interval(hits[some].ravel(), groups=np.repeat(range(50), 8))[1:]
        inside.append(low <= 0.9 <= high)
    assert np.mean(inside) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 200)


def test_wish_that_photos_cannot_promise_is_said():
    few = hotels(8, np.random.default_rng(2))
    chosen = metrics.threshold_for_precision(few, 0.95)
    assert not chosen.promised
    assert chosen.bound < 0.95 <= chosen.precision
    assert chosen.n_hotels == 8
    wrong = few.assign(label=few["predicted"].map({"Bar": "Bed", "Bed": "Pool", "Pool": "Bar"}))
    never = metrics.threshold_for_precision(wrong, 0.5)
    assert (never.promised, never.answered, np.isnan(never.value)) == (False, 0, True)
    assert not metrics.confident(few, never.value).any()


@pytest.mark.parametrize(
    ("judge", "kind", "message"),
    [
        (lambda tags: metrics.threshold_for_precision(tags, 95), MetricsError, "between 0 and 1"),
        (lambda tags: metrics.threshold_for_precision(tags.assign(hotel_id="h")), MetricsError,
         "photos of one hotel: give photos of several"),
        (lambda tags: metrics.cross_hotels(tags.assign(hotel_id="h"), lambda _, own: own),
         MetricsError, "needs at least two"),
        (lambda tags: metrics.conformal_sets(tags, tags), MetricsError,
         "at least 19 hotels; there are 12: give photos of more, or wish for at most 0.923"),
        (lambda tags: metrics.conformal_sets(tags, tags, coverage=1.0), MetricsError,
         "coverage=1.0: expected a share"),
        (lambda tags: metrics.conformal_sets(tags.replace({"label": {"Bed": "Other"}}), tags,
                                             coverage=0.9), MetricsError, "first 'Other': no set"),
        (lambda tags: metrics.conformal_sets(tags, tags, score="lca"), MetricsError,
         "did you mean 'lac'"),
        (lambda tags: metrics.coverage_accuracy(tags.drop(columns="label")), CatalogError,
         "no column 'label'"),
        (lambda tags: metrics.coverage_accuracy(tags[["image_id", "label", "hotel_id"]]),
         MetricsError, "no probabilities"),
        (lambda tags: metrics.coverage_accuracy(tags[:0]), MetricsError, "no photos"),
        (lambda _: metrics.share_interval([]), MetricsError, "needs photos"),
    ],
    ids=["per cent", "one hotel", "folds of one hotel", "few hotels", "all", "unknown label",
         "score", "no labels", "no probabilities", "no photos", "no hits"],
)  # fmt: skip
def test_what_cannot_be_told_is_refused(judge, kind, message):
    with pytest.raises(kind, match=message):
        judge(hotels(12, np.random.default_rng(0)))


def test_figures_count_answered_photos_and_sets():
    tags = hotels(30, np.random.default_rng(5))
    answered = metrics.confident(tags, 0.8)
    figures = metrics.rejection_figures(tags, answered)
    right = tags["label"] == tags["predicted"]
    wanted = [answered.mean(), right[answered].mean(), right.mean()]
    assert figures["value"].to_list() == pytest.approx(wanted)
    assert figures["n_photos"].to_list() == [len(tags), answered.sum(), len(tags)]
    assert np.isnan(metrics.rejection_figures(tags, answered & False)["value"][1])
    sets = metrics.cross_hotels(
        tags, lambda others, own: metrics.conformal_sets(others, own, coverage=0.9).sets
    )
    assert sets.index.equals(tags.index)
    by_size = metrics.conformal_figures(tags, sets, by="size")
    assert by_size.loc["all photos", "mean_size"] == pytest.approx(
        sets.to_numpy().sum() / len(tags)
    )
    assert by_size.drop(index="all photos")["n_photos"].sum() == len(tags)
    by_label = metrics.conformal_figures(tags, sets)
    pools = tags["label"] == "Pool"
    assert by_label.loc["Pool", "coverage"] == sets.loc[pools, "Pool"].mean()
    # A label that no set can hold.
    other = metrics.conformal_figures(tags.assign(label="Other"), sets)
    assert other["coverage"].to_list() == [0, 0]


def test_page_names_the_threshold_that_validation_photos_promise():
    random = np.random.default_rng(4)
    judged, validated = hotels(60, random), hotels(120, random)
    validated["hotel_id"] = "v" + validated["hotel_id"]
    trust = trusting.measure_trust(judged, validated, precision=0.9)
    chosen = metrics.threshold_for_precision(validated, 0.9)
    assert trust.threshold == chosen
    assert chosen.promised
    said = trusting.threshold_words(trust)
    assert said.startswith(f"Trust a tag from a confidence of {chosen.value:.2f} on:")
    assert f"photos of 120 hotels kept for validation. Of the {len(judged)} photos" in said
    kept = metrics.confident(judged, chosen.value)
    right = (judged["label"] == judged["predicted"])[kept].mean()
    assert f"judged here {100 * kept.mean():.0f} % (" in said
    assert f"and {100 * right:.0f} % (" in said
    step = trusting.threshold_step(trust, "my tags.parquet")
    assert "--tags 'my tags.parquet' --min-confidence 0." in step.command
    least = float(re.search(r"--min-confidence (\S+)", step.command)[1])
    assert chosen.value <= least < chosen.value + 1e-4
    card = trusting.threshold_card(trust)
    assert card.label == "tags to trust, for 90 % right"
    assert card.value == f"{100 * kept.mean():.0f} %"
    found = trusting.sets_words(judged, trust)
    assert "calibrated by" in found
    assert "120 hotels kept for validation" in found
    table = trusting.sets_table(judged, trust)
    assert sorted(table.frame["area"]) == sorted(CLASSES)


def test_page_without_validation_photos_goes_by_folds_of_hotels_and_says_so():
    judged = hotels(40, np.random.default_rng(4))
    trust = trusting.measure_trust(judged, judged[:0], precision=0.9)
    assert "shown here, as there are no validation photos of enough other hotels" in (
        trusting.threshold_words(trust)
    )
    assert trust.sets.index.sort_values().equals(judged.index)
    strange = judged.assign(label=judged["label"].where(judged.index > 5, "Lift"))
    assert "; 6 photos of areas that the model does not know are left out" in (
        trusting.measure_trust(strange, judged[:0], precision=0.9).calibrated_on
    )


def test_page_on_few_hotels_promises_nothing():
    few = hotels(6, np.random.default_rng(2))
    trust = trusting.measure_trust(few, few[:0], precision=0.95)
    assert "cannot be promised for any confidence" in trusting.threshold_words(trust)
    card = trusting.threshold_card(trust)
    assert card.value == "none surely"
    assert re.search(r"at least 0\.81: 49 % of the photos have it, 92 % \(72–99\) of", card.detail)
    assert trusting.threshold_step(trust) is None
    assert trusting.sets_words(few, trust) == (
        "No sets: sets that hold the true area for 95 % of the photos of other hotels need photos "
        "of 19 hotels to be calibrated by; there are 6."
    )
    assert trusting.sets_table(few, trust)._repr_html_() == ""
    single = trusting.measure_trust(few.assign(hotel_id="h"), few[:0])
    assert "too few hotels" in trusting.threshold_words(single)
    assert trusting.threshold_card(single) is None
    wrong = few.assign(label=few["predicted"].map({"Bar": "Bed", "Bed": "Pool", "Pool": "Bar"}))
    assert trusting.threshold_words(trusting.measure_trust(wrong, few[:0])).startswith(
        "No tag can be trusted on 95 %"
    )
