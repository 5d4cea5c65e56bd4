"""Learning curves on simulated hotels, whose truth is known; and what pages say of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from hotelviz import plots
from hotelviz.catalog import maximum_entropy_ratings, read_catalog
from hotelviz.cli import app
from hotelviz.errors import HotelvizError, LabelError
from hotelviz.labelling.active_learning import choose_photos
from hotelviz.metrics import LearningCurve, MetricsError, agreement_ceiling, learning_curve
from hotelviz.metrics.linear_head import fit_linear_head
from hotelviz.metrics.power_law import fit_power_laws, power_law
from hotelviz.plots.alt_text import figure_alt
from hotelviz.reports.verdicts import learning
from hotelviz.schema import RATINGS

N_FEATURES = 150


def simulated(n_hotels: int, seed: int, per_hotel: int = 6) -> tuple[pd.DataFrame, np.ndarray]:
    """Photos of two areas that differ by a little in each feature; hotels have a look of theirs."""
    random = np.random.default_rng(seed)
    n = n_hotels * per_hotel
    photos = pd.DataFrame({"image_id": [f"p{row}" for row in range(n)]})
    photos["hotel_id"] = [f"h{row // per_hotel}" for row in range(n)]
    photos["label"] = random.choice(["Foyer", "Reception"], n)
    look = random.normal(scale=0.4, size=(n_hotels, N_FEATURES)).repeat(per_hotel, axis=0)
    features = random.normal(size=(n, N_FEATURES)) + look
    features[photos["label"] == "Reception"] += 0.25
    return photos, features


def accuracy_with(n_hotels: int) -> float:
    """The truth: accuracy on 600 other hotels, averaged over six trainings."""
    judged, features = simulated(600, seed=1)
    right = []
    for seed in range(6):
        photos, known = simulated(n_hotels, seed=100 + seed)
        targets = np.eye(2)[(photos["label"] == "Reception").astype(int)]
        hotels = photos["hotel_id"].to_numpy()
        head = fit_linear_head(known, targets, groups=hotels)
        guess = np.where(head.predict(features).argmax(axis=1) == 1, "Reception", "Foyer")
        right.append((guess == judged["label"]).mean())
    return float(np.mean(right))


@pytest.fixture(scope="module")
def curve() -> LearningCurve:
    return learning_curve(*simulated(30, seed=0))


def test_power_law_is_found_and_never_falls_below_zero():
    sizes = np.array([3.0, 6, 12, 24, 48])
    laws = np.array([[0.1, 0.5, 1.0], [0.0, 0.6, 0.1], [0.3, 0.0, 0.1]])
    found = fit_power_laws(sizes, power_law(laws, sizes), np.ones(5))
    np.testing.assert_allclose(found[:2], laws[:2], atol=1e-9)
    np.testing.assert_allclose(power_law(found, np.array([200.0])), power_law(laws, [200.0]))
    # Errors that fall faster than any law, and such that rise with more photos.
    odd = fit_power_laws(sizes, np.array([[0.9, 0.3, 0.0, 0, 0], [0.1, 0.2, 0.3, 0.4, 0.5]]), sizes)
    assert (odd >= 0).all()
    assert power_law(odd, np.array([48.0, 96.0]))[1].tolist() == pytest.approx([38.7 / 93] * 2)


@pytest.mark.slow
def test_curve_of_thirty_hotels_foretells_the_accuracy_with_twice_and_three_times_as_many(curve):
    truth = {hotels: accuracy_with(hotels) for hotels in (30, 60, 90)}
    assert truth[30] + 0.01 < truth[60] < truth[90]
    for hotels in (60, 90):
        said = curve.at(hotels).set_index("label").loc[""]
        assert said["low"] <= truth[hotels] <= said["high"]
        assert said["value"] == pytest.approx(truth[hotels], abs=0.04)
    more = curve.gains(2).set_index("label").loc[""]
    assert more["low"] <= truth[60] - truth[30] <= more["high"]


def test_points_count_hotels_and_photos_and_grow(curve):
    points = curve.points[curve.points["label"] == ""]
    assert points["hotels"].tolist() == [3, 5, 7, 10, 16, 24]
    assert points["photos"].tolist() == [6.0 * n for n in points["hotels"]]
    assert (points["judged"] == 180).all()
    assert points["value"].iloc[-1] > points["value"].iloc[0] + 0.1
    classes = curve.points[curve.points["label"] != ""]
    assert set(classes["metric"]) == {"recall"}
    of_classes = classes.groupby("hotels")["photos"].sum()
    assert of_classes.tolist() == points["photos"].tolist()
    assert (curve.points["low"] <= curve.points["value"]).all()
    assert (curve.points["value"] <= curve.points["high"]).all()


def test_the_same_seed_gives_the_same_curve(curve):
    again = learning_curve(*simulated(30, seed=0))
    pd.testing.assert_frame_equal(again.points, curve.points)
    pd.testing.assert_frame_equal(again.fits, curve.fits)


def test_features_that_say_nothing_promise_no_gain():
    photos, features = simulated(20, seed=0)
    noise = np.random.default_rng(5).normal(size=features.shape)
    more = learning_curve(photos, noise).gains().set_index("label").loc[""]
    assert more["low"] < 0.01
    assert more["value"] == pytest.approx(0.5, abs=0.1)


def test_curves_end_at_four_times_what_was_measured(curve):
    assert curve.most_hotels == 96
    with pytest.raises(MetricsError, match="nothing of 97 hotels: it was measured up to 24"):
        curve.at([10, 97])
    with pytest.raises(MetricsError, match="nothing of 120 hotels"):
        curve.gains(4)
    with pytest.raises(MetricsError, match="give above 1"):
        curve.gains(1)


@pytest.mark.slow
def test_cleaned_labels_have_a_curve_of_their_own_judged_on_the_same_photos():
    photos, features = simulated(24, seed=3)
    wrong = np.random.default_rng(0).random(len(photos)) < 0.3
    swapped = photos["label"].map({"Foyer": "Reception", "Reception": "Foyer"})
    noisy = photos.assign(label=photos["label"].where(~wrong, swapped))
    corrected = photos.drop(index=[0, 1])
    curve = learning_curve(noisy, features, cleaned=corrected)
    last = curve.points[curve.points["label"] == ""].groupby("labels").last()
    assert last["judged"].tolist() == [142, 142]
    assert last.loc["cleaned", "value"] > last.loc["as is", "value"] + 0.03
    assert last.loc["cleaned", "photos"] < last.loc["as is", "photos"]
    with pytest.raises(MetricsError, match=r"photos that are not among .* first 'new'"):
        learning_curve(noisy, features, cleaned=photos.replace({"image_id": {"p0": "new"}}))
    with pytest.raises(MetricsError, match="class 'Pool', which the catalogue does not have"):
        learning_curve(noisy, features, cleaned=photos.replace({"label": {"Foyer": "Pool"}}))


@pytest.mark.slow
def test_hotels_without_judged_photos_are_learned_from_but_not_counted():
    photos, features = simulated(40, seed=3)
    own = photos["hotel_id"].isin([f"h{number}" for number in range(10)])
    alone = learning_curve(photos[own], features[own])
    helped = learning_curve(photos, features, judged=own)
    assert helped.hotels == 10
    assert helped.points["hotels"].tolist() == alone.points["hotels"].tolist()
    first = [one.points["value"].iloc[0] for one in (alone, helped)]
    assert first[1] > first[0] + 0.05


def test_ratings_have_a_curve_of_their_correlation():
    photos, features = simulated(20, seed=2)
    means = 5 + features[:, :4].sum(axis=1) / 2
    photos[list(RATINGS)] = maximum_entropy_ratings(means.clip(1.5, 9.5))
    curve = learning_curve(photos, features, by="ratings", n_draws=2)
    assert set(curve.points["metric"]) == {"LCC"}
    assert curve.points["value"].is_monotonic_increasing
    # Ratings follow from the features without noise.
    assert curve.at(60)["high"].item() > 0.9


def test_class_of_one_hotel_has_no_curve_and_says_why(curve):
    photos, features = simulated(12, seed=0)
    photos.loc[photos["hotel_id"] == "h3", "label"] = "Pool"
    found = learning_curve(photos, features, n_draws=1)
    assert set(found.points["label"]) == {"", "Foyer", "Reception"}
    assert found.left_out["Pool"].startswith("its 6 photos are of 1 hotel: how it looks in others")
    with pytest.raises(HotelvizError, match="no learning curve of 'Pool': its 6 photos"):
        plots.learning_curve(found, label="Pool")
    assert learning.gains_table(found).iloc[-1]["gain"] == found.left_out["Pool"]
    assert curve.left_out == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda photos: photos.assign(hotel_id="h1").assign(
            hotel_id=lambda all_: all_["hotel_id"].where(all_.index < 9, "h2")),
         "of at least 6 hotels, .* there are 2: label photos of more hotels"),
        (lambda photos: photos.assign(label="Foyer"), "all photos are labelled 'Foyer'"),
        (lambda photos: photos.drop(columns="label"), "no column 'label'"),
        (lambda photos: photos.head(5), "shape .* there are 5 photos"),
    ],
)  # fmt: skip
def test_photos_without_a_curve_are_refused(change, said):
    photos, features = simulated(8, seed=0)
    with pytest.raises(HotelvizError, match=said):
        learning_curve(change(photos), features)


def test_features_that_are_not_finite_name_the_photo():
    photos, features = simulated(8, seed=0)
    features[[7, 9], 0] = np.nan
    with pytest.raises(MetricsError, match="of 2 of 48 photos are not finite, first of 'p7'"):
        learning_curve(photos, features)
    # Of photos without a label nothing is asked.
    photos.loc[[7, 9], "label"] = None
    assert learning_curve(photos, features, n_draws=1).points["judged"].max() == 46


def test_ceiling_is_what_a_labeller_reaches_over_all_and_by_class():
    votes = pd.DataFrame(
        {"label": ["Pool", "Pool", "Pool", "Foyer"], "votes_Pool": [3, 2, 1, 0],
         "votes_Foyer": [0, 1, 0, 2]}
    )  # fmt: skip
    # Of two for Pool and one for Foyer, each Pool meets a draw and Foyer meets two others.
    assert agreement_ceiling(votes)[""] == pytest.approx((1 + 1 / 3 + 1) / 3)
    assert agreement_ceiling(votes)["Pool"] == pytest.approx((1 + 1 / 3) / 2)
    assert agreement_ceiling(votes[["label"]]) == {}
    photos, features = simulated(8, seed=0)
    voted = photos.assign(votes_Foyer=0, votes_Reception=0)
    for name in ("Foyer", "Reception"):
        voted.loc[voted["label"] == name, f"votes_{name}"] = 3
    points = learning_curve(voted, features, n_draws=1, n_bootstrap=20).points
    assert (points["ceiling"] == 1).all()


def test_ceiling_of_ratings_is_the_root_of_their_reliability():
    random = np.random.default_rng(0)
    truth = random.normal(5.5, 1.0, 4000)
    said = np.round(truth[:, None] + random.normal(scale=1.0, size=(4000, 3))).clip(1, 10)
    counts = (said[:, :, None] == np.arange(1, 11)).sum(axis=1)
    found = agreement_ceiling(pd.DataFrame(counts, columns=list(RATINGS)), by="ratings")[""]
    assert found == pytest.approx(np.corrcoef(truth, said.mean(axis=1))[0, 1], abs=0.02)
    assert agreement_ceiling(pd.DataFrame(counts / 3, columns=list(RATINGS)), by="ratings") == {}


def test_plot_shows_points_fit_what_is_beyond_and_the_ceiling():
    photos, features = simulated(12, seed=0)
    curve = learning_curve(photos, features, ceiling={"": 0.96}, n_draws=1)
    display = plots.learning_curve(curve, line_kw={"color": "red"})
    points = curve.points[curve.points["label"] == ""]
    measured = display.lines_["as is measured"][0].get_xydata()
    np.testing.assert_allclose(measured, points[["hotels", "value"]])
    inside, beyond = display.lines_["as is"], display.lines_["as is beyond"]
    assert inside.get_color() == "red"
    assert inside.get_xdata().max() <= 9 < beyond.get_xdata().min()
    assert beyond.get_linestyle() == "--"
    assert beyond.get_xdata().max() == 24
    np.testing.assert_allclose(beyond.get_ydata()[-1], curve.at(24)["value"].iloc[0])
    assert display.lines_["ceiling"].get_ydata()[0] == 0.96
    assert "labellers agree on 0.96" in figure_alt(display.figure_)
    of_class = plots.learning_curve(curve, label="Foyer")
    assert "ceiling" not in of_class.lines_
    assert of_class.ax_.get_ylabel() == "recall of Foyer"


def growth(*, gain: float) -> learning.Growth:
    """A curve of all photos and of Reception that gains so much by twice the hotels."""
    points = pd.DataFrame(
        {"labels": "as is", "label": ["", "", "Reception", "Reception"], "hotels": [8, 16] * 2,
         "metric": ["accuracy", "accuracy", "recall", "recall"], "photos": [80, 160, 16, 32],
         "value": 0.6, "low": 0.5, "high": 0.7, "judged": 200, "ceiling": np.nan}
    )  # fmt: skip
    fits = pd.DataFrame(
        {"labels": "as is", "label": ["", "Reception"], "a": 0.0, "b": [0.0, 40 * gain], "c": 1.0}
    )
    return learning.Growth(LearningCurve(points, fits, 20, 0.95, {}), "Measured.")


def test_next_step_names_the_class_that_gains_and_the_command_that_chooses_it():
    found = growth(gain=0.12)
    (step,) = learning.growth_steps(found)
    assert step.text == ("Label more photos of Reception (twice the 40: recall +.12 (.12 to .12))")
    assert step.link == learning.LINK
    assert step.command == (
        "hotelviz label-choose PHOTOS.csv --predictions tags.parquet --area Reception "
        "--out next.csv"
    )
    assert "for hotels like these" in learning.growth_words(found)
    (step,) = learning.growth_steps(growth(gain=0.0))
    assert (step.text, step.command) == (
        "More photos like these would bring little: with twice the hotels accuracy +.00 "
        "(.00 to .00)",
        "",
    )


@pytest.mark.slow
def test_there_is_no_curve_of_features_that_have_seen_the_photos(few_layers):
    from hotelviz.models import build_tagger, record_training_photos

    photos, _ = simulated(14, seed=0)
    photos = photos.assign(split="train", path="nowhere.jpg")
    network = build_tagger(["Foyer", "Reception"], input_size=32, weights=None)
    learned = photos.head(6).assign(content="")[["image_id", "hotel_id", "content", "split"]]
    seen = record_training_photos(network, learned)
    said = learning.measure_growth(photos, seen)
    assert said.curve is None
    assert "has learned from 6 of the 84 photos or their hotels" in said.said
    assert learning.growth_steps(said) == []
    assert learning.growth_words(said) == said.said
    few = learning.measure_growth(photos.head(30), network)
    assert "needs photos of 12 hotels, and there are 5" in few.said
    assert "none was asked for" in learning.measure_growth(photos, network, max_photos=0).said


def test_uncertain_photos_of_the_wished_areas_are_chosen(tmp_path):
    shares = pd.DataFrame(
        {"image_id": list("abcd"), "p_Pool": [0.4, 0.4, 0.1, 0.8], "p_Foyer": [0.35, 0.2, 0.5, 0.1],
         "p_Reception": [0.25, 0.4, 0.4, 0.1]}
    )  # fmt: skip
    photos = shares[["image_id"]].assign(hotel_id=list("wxyz"))
    chosen = choose_photos(photos, 2, predictions=shares, classes=["Reception"], random_share=0)
    assert set(chosen["image_id"]) == {"b", "c"}
    photos.to_csv(tmp_path / "photos.csv", index=False)
    shares.to_parquet(tmp_path / "tags.parquet")
    command = ["label-choose", tmp_path / "photos.csv", "--predictions", tmp_path / "tags.parquet",
               "--area", "Reception", "--count", 2, "--random-share", 0, "--out",
               tmp_path / "next.csv"]  # fmt: skip
    done = CliRunner().invoke(app, list(map(str, command)))
    assert done.exit_code == 0, done.output
    assert set(read_catalog(tmp_path / "next.csv")["image_id"]) == {"b", "c"}
    with pytest.raises(LabelError, match="did you mean 'Reception'"):
        choose_photos(photos, 2, predictions=shares, classes=["Receptoin"])
    with pytest.raises(LabelError, match="give predictions"):
        choose_photos(photos, 2, classes=["Reception"])
