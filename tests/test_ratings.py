"""Ratings: how they are read, summed up and made of a mean."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import entropy, spearmanr, wasserstein_distance

from hotelviz import metrics
from hotelviz.catalog import (
    as_shares,
    count_ratings,
    maximum_entropy_ratings,
    rating_summary,
    read_catalog,
    write_catalog,
)
from hotelviz.errors import CatalogError
from hotelviz.models import earth_movers_distance
from hotelviz.schema import RATINGS

SHARES = np.random.default_rng(0).dirichlet(np.ones(10), size=50)


def test_label_json_is_read_as_counts_or_shares(tmp_path):
    file = tmp_path / "labels.json"
    labels = [[0, 0, 0, 1, 2, 3, 0, 0, 0, 0], [0.1] * 10]
    entries = [{"image_id": str(n), "label": label} for n, label in enumerate(labels)]
    file.write_text(json.dumps(entries))
    catalog = read_catalog(file)
    assert catalog["image_id"].to_list() == ["0", "1"]
    assert catalog["path"].iloc[0] == f"{tmp_path}/0.jpg"
    assert catalog["rating_6"].to_list() == [3.0, 0.1]
    assert rating_summary(catalog)["text"].iloc[0] == "(5.333 / 0.745)"


def test_ids_of_label_json_stay_whole(tmp_path):
    file = tmp_path / "labels.json"
    ids = ["a.b.c", "42.5", 7, 2**53 + 1, "x.JPG", "y.heic", "https://h/z"]
    file.write_text(json.dumps([{"image_id": name, "label": [1] * 10} for name in ids]))
    catalog = read_catalog(file)
    assert catalog["image_id"].to_list() == [str(name) for name in ids]
    assert [path.rpartition("/")[2] for path in catalog["path"]] == [
        "a.b.c.jpg", "42.5.jpg", "7.jpg", f"{2**53 + 1}.jpg", "x.JPG", "y.heic", "z"]  # fmt: skip


@pytest.mark.parametrize(
    ("ids", "message"),
    [(["a", "b", "a"], r"entry 3, .*'a' stands in entry 1 already"),
     ([None], r"entry 1, column 'image_id': is empty"),
     ([0.5], r"entry 1, column 'image_id': 0\.5 is no name")],
)  # fmt: skip
def test_ids_of_label_json_are_names(tmp_path, ids, message):
    file = tmp_path / "labels.json"
    file.write_text(json.dumps([{"image_id": name, "label": [1] * 10} for name in ids]))
    with pytest.raises(CatalogError, match=message):
        read_catalog(file)


@pytest.mark.parametrize("content", ["[" * 100_000, "{", "\xff", '{"a": 1}'])
def test_json_that_holds_no_labels_is_refused(tmp_path, content):
    file = tmp_path / "labels.json"
    file.write_text(content, encoding="latin-1")
    with pytest.raises(CatalogError, match=r"labels\.json: (not a readable JSON|expected a list)"):
        read_catalog(file)


@pytest.mark.parametrize("value", [np.inf, np.nan, -1.0])
def test_shares_of_no_number_are_refused(value):
    ratings = np.ones((2, 10))
    ratings[1, 3] = value
    with pytest.raises(CatalogError, match=r"photo number 2: ratings .* are no shares"):
        as_shares(ratings)


def test_ava_file_is_read(tmp_path):
    file = tmp_path / "AVA.txt"
    file.write_text("1 953619 0 1 5 17 38 36 15 6 5 1 1 22 1396\n")
    catalog = read_catalog(file)
    assert catalog["image_id"].to_list() == ["953619"]
    assert rating_summary(catalog)["raters"].to_list() == [124]


def test_summary_agrees_with_the_single_ratings():
    random = np.random.default_rng(1)
    single = pd.DataFrame({"image_id": ["a"] * 30, "score": random.integers(1, 11, 30)})
    row = rating_summary(count_ratings(single)).iloc[0]
    assert row["rated_mean"] == pytest.approx(single["score"].mean(), abs=1e-12)
    assert row["rated_std"] == pytest.approx(single["score"].std(ddof=0), abs=1e-12)
    assert row["raters"] == 30


def test_one_rater_is_enough():
    row = rating_summary(count_ratings(pd.DataFrame({"image_id": ["a"], "score": [7]}))).iloc[0]
    assert (row["text"], row["rated_std"]) == ("(7.000 / 0.000)", 0.0)


def test_photos_without_ratings_stand_among_rated_ones(tmp_path):
    file = tmp_path / "photos.csv"
    header = "path," + ",".join(RATINGS)
    file.write_text(f"{header}\na.jpg,0,0,0,0,1,1,0,0,0,0\nb.jpg{',' * 10}\n")
    catalog = read_catalog(file)
    table = rating_summary(catalog)
    assert table["text"].to_list() == ["(5.500 / 0.500)", ""]
    assert np.isnan(table["rated_mean"].iloc[1])
    write_catalog(catalog, tmp_path / "again.csv")
    pd.testing.assert_frame_equal(read_catalog(tmp_path / "again.csv"), catalog)


@pytest.mark.parametrize(
    ("ratings", "message"),
    [
        ("-1,0,0,0,1,1,0,0,0,0", "row 2, column 'rating_1': '-1' is not a number of raters"),
        ("0,0,0,0,x,1,0,0,0,0", "row 2, column 'rating_5': 'x' is not a number"),
        ("0,0,0,0,nan,1,0,0,0,0", "row 2, column 'rating_5': 'nan' is not a number"),
        ("0,0,0,0,,1,0,0,0,0", "row 2.*only some of the ten"),
        ("0,0,0,0,0,0,0,0,0,0", "row 2.*ten ratings of 0"),
        ("0,0,0,0,inf,1,0,0,0,0", "row 2, column 'rating_5': 'inf' is not a number"),
    ],
)
def test_bad_ratings_are_refused_with_their_place(tmp_path, ratings, message):
    file = tmp_path / "photos.csv"
    file.write_text(f"path,{','.join(RATINGS)}\na.jpg,{ratings}\n")
    with pytest.raises(CatalogError, match=message):
        read_catalog(file)


def test_ratings_on_another_scale_are_refused(tmp_path):
    file = tmp_path / "photos.csv"
    file.write_text("path,rating_1,rating_2,rating_3,rating_4,rating_5\na.jpg,0,1,2,3,4\n")
    with pytest.raises(CatalogError, match=r"ten columns.*rating_5\. Ratings on another scale"):
        read_catalog(file)
    with pytest.raises(CatalogError, match="not a whole number from 1 to 10"):
        count_ratings(pd.DataFrame({"image_id": ["a"], "score": [55]}))


def test_label_of_nine_numbers_is_refused_with_its_place(tmp_path):
    file = tmp_path / "labels.json"
    file.write_text(json.dumps([{"image_id": "a", "label": [1] * 9}]))
    with pytest.raises(CatalogError, match=r"labels\.json, entry 1: .*found 9 numbers"):
        read_catalog(file)


def test_ava_line_cut_off_is_refused_with_its_row(tmp_path):
    file = tmp_path / "AVA.txt"
    file.write_text("1 953619 0 1 5 17 38 36 15 6 5 1 1 22 1396\n2 95\n")
    with pytest.raises(CatalogError, match=r"AVA\.txt, row 2: expected 15 whole numbers"):
        read_catalog(file)


@pytest.mark.parametrize(("mean", "scale"), [(4.2, (1, 10)), (0.0, (0, 9)), (63.0, (0, 100))])
def test_maximum_entropy_keeps_the_mean(mean, scale):
    shares = maximum_entropy_ratings(np.array([mean]), scale=scale)[0]
    expected = 1 + 9 * (mean - scale[0]) / (scale[1] - scale[0])
    assert shares @ np.arange(1, 11) == pytest.approx(expected, abs=1e-6)
    assert shares.sum() == pytest.approx(1.0)


def test_nothing_with_the_same_mean_has_more_entropy():
    best = maximum_entropy_ratings(np.array([6.3]))[0]
    move = np.zeros(10)
    move[[2, 3, 4]] = [1e-3, -2e-3, 1e-3]  # keeps sum and mean
    assert entropy(best) > entropy(best + move)
    assert entropy(best) > entropy(best - move)


def test_mean_off_its_scale_is_refused():
    with pytest.raises(CatalogError, match=r"mean number 2, 11\.0, is not on the scale"):
        maximum_entropy_ratings(np.array([5.0, 11.0]))


def test_loss_is_the_formula():
    first, second = SHARES[:25], SHARES[25:]
    steps = np.cumsum(first - second, axis=1)
    expected = np.sqrt((steps**2).mean(axis=1))
    ours = np.asarray(earth_movers_distance(first.astype("float32"), second.astype("float32")))
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_loss_is_scipys_distance_where_mass_moves_between_neighbours():
    first = SHARES[0]
    second = first.copy()
    second[4] += 0.8 * second[5]
    second[5] *= 0.2
    theirs = wasserstein_distance(range(10), range(10), first, second)
    ours = float(earth_movers_distance(first.astype("float32"), second.astype("float32")))
    assert ours == pytest.approx(theirs / np.sqrt(10), abs=1e-6)


def test_mean_cdf_difference_is_a_tenth_of_scipys_distance():
    first, second = SHARES[:25], SHARES[25:]
    table = metrics.score_metrics(first, second).set_index("metric")
    theirs = np.mean(
        [
            wasserstein_distance(range(10), range(10), a, b)
            for a, b in zip(first, second, strict=True)
        ]
    )
    assert table.loc["mean |CDF difference|", "value"] == pytest.approx(theirs / 10)


def test_rank_correlation_is_scipys_with_the_ties_of_few_raters_in_counts_and_in_shares():
    random = np.random.default_rng(0)
    scores = random.integers(3, 9, (300, 3))  # of three raters: their sums are exact
    counts = np.stack([np.bincount(row, minlength=11)[1:] for row in scores])
    predicted = as_shares(np.exp(-((scores.mean(axis=1)[:, None] - np.arange(10)) ** 2) / 4)
                          * random.uniform(0.2, 1, (300, 10)))  # fmt: skip
    exact = spearmanr(scores.sum(axis=1), predicted @ np.arange(1, 11)).statistic
    good = scores.sum(axis=1) > 18
    right = good == (predicted @ np.arange(1, 11) > 6)
    for rated in (counts, counts / 3):
        table = metrics.score_metrics(rated, predicted, threshold=6).set_index("metric")["value"]
        assert table["SRCC"] == pytest.approx(exact, abs=1e-12)
        assert table["accuracy at 6"] == pytest.approx(right.mean(), abs=1e-12)
    # Means of shares alone break ties by their rounding.
    assert abs(spearmanr(counts / 3 @ np.arange(1, 11), predicted @ np.arange(1, 11)).statistic
               - exact) > 1e-5  # fmt: skip


def test_score_metrics_of_a_known_case():
    rated = np.eye(10)[[1, 3, 5, 7]]  # means 2, 4, 6, 8
    predicted = np.eye(10)[[3, 4, 5, 6]]  # means 4, 5, 6, 7
    table = metrics.score_metrics(rated, predicted).set_index("metric")["value"]
    assert table["LCC"] == pytest.approx(1.0)
    assert table["SRCC"] == pytest.approx(1.0)
    assert table["accuracy at 5"] == 1.0
    assert table["RMSE of the mean"] == pytest.approx(np.sqrt((4 + 1 + 0 + 1) / 4))
    assert table["range use"] == pytest.approx(0.5)


@pytest.mark.slow
def test_several_models_are_compared_pair_by_pair():
    table = metrics.compare_scores(SHARES, {"first": SHARES[::-1], "second": SHARES})
    table = table.set_index(["model", "metric"])
    values = table["value"]
    assert values["second", "LCC"] == pytest.approx(1.0)
    assert values["difference", "LCC"] == pytest.approx(1.0 - values["first", "LCC"])
    # The second is right whatever is left out: the difference varies as the first does.
    means = SHARES @ np.arange(1, 11)
    first = metrics.jackknife_table(
        lambda rows: {"": np.corrcoef(means[rows], means[::-1][rows])[0, 1]}, len(means)
    )
    lcc = table.xs("LCC", level="metric").loc["difference"]
    assert lcc["high"] == pytest.approx(1 - first["low"].item())
    assert lcc["low"] == pytest.approx(1 - first["high"].item())
    alone = metrics.score_metrics(SHARES, SHARES[::-1]).set_index("metric")
    pd.testing.assert_frame_equal(table.loc["first"], alone)
    one = metrics.compare_scores(SHARES, {"first": SHARES})
    assert set(one["model"]) == {"first"}


def test_photos_without_ratings_are_not_judged_in_silence():
    rated = SHARES.copy()
    rated[3] = np.nan
    with pytest.raises(metrics.MetricsError, match="1 of 50 photos have no ratings"):
        metrics.score_metrics(rated, SHARES)
    with pytest.raises(CatalogError, match="photo number 2"):
        as_shares(np.vstack([SHARES[:1], -SHARES[:1]]))


def test_summary_of_the_ava_labels_agrees_with_an_independent_computation():
    file = Path(__file__).parents[2] / "shared" / "data" / "ava" / "ava_labels.json"
    if not file.is_file():
        pytest.skip("the AVA labels are not beside this repository")
    summary = rating_summary(read_catalog(file))
    labels = json.loads(file.read_text())
    assert summary["image_id"].to_list() == [entry["image_id"] for entry in labels]
    for row, entry in zip(summary.itertuples(), labels, strict=True):
        single = np.repeat(np.arange(1, 11), entry["label"])
        assert abs(row.rated_mean - single.mean()) < 1e-6
        assert abs(row.rated_std - single.std()) < 1e-6
        assert row.raters == len(single)
