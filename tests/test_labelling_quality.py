"""Labelling: how good ratings are, what becomes of them, and which photos come next."""

from __future__ import annotations

import uuid

import krippendorff
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from hotelviz import plots
from hotelviz.catalog import read_catalog, write_catalog
from hotelviz.cli import app
from hotelviz.errors import CatalogError, LabelError
from hotelviz.labelling import open_store
from hotelviz.labelling.active_learning import choose_photos, uncertainty
from hotelviz.labelling.export import labelled_catalog, split_rated, tag_votes
from hotelviz.labelling.inter_rater import (
    disagreements,
    krippendorff_alpha,
    progress_text,
    rater_statistics,
    repeat_pairs,
    self_agreement,
)
from hotelviz.plots.alt_text import figure_alt
from hotelviz.schema import RATINGS

BIAS = [1.0, 0.6, 0.3, 0.0, -0.3, -0.6, -1.0, 0.0]


def rows(**columns: object) -> pd.DataFrame:
    """Ratings as a round lists them."""
    table = pd.DataFrame(columns)
    blank = {"hotel_id": table["image_id"], "path": table["image_id"], "repeat": 0, "score": pd.NA,
             "tag": None, "reason": None, "seconds": 2.0}  # fmt: skip
    return table.assign(**{name: value for name, value in blank.items() if name not in table})


@pytest.fixture(scope="module")
def simulated() -> pd.DataFrame:
    """Eight raters of known bias, the last one unsteady, with ten repeats each."""
    random = np.random.default_rng(0)
    photos = [f"p{number}" for number in range(240)]
    taste = random.normal(5.5, 1.6, len(photos))
    parts = []
    for number, bias in enumerate(BIAS):
        mine = random.choice(len(photos), 120, replace=False)
        seen = np.concatenate([mine, mine[:10]])
        noise = random.normal(0, 2.0 if number == 7 else 0.5, len(seen))
        score = (taste[seen] + bias + noise).round().clip(1, 10).astype(int)
        parts.append(rows(
            image_id=[photos[at] for at in seen], rater=f"r{number}", score=score,
            repeat=np.repeat([0, 1], [120, 10]), hotel_id=[f"h{at // 6}" for at in seen],
        ))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def test_agreement_is_krippendorffs_alpha_of_first_answers_with_an_interval(simulated):
    first = simulated[simulated["repeat"] == 0]
    matrix = first.pivot(index="rater", columns="image_id", values="score").astype(float)
    expected = krippendorff.alpha(matrix.to_numpy(), level_of_measurement="interval")
    found = krippendorff_alpha(simulated)
    assert found.value == pytest.approx(expected)
    assert found.low < found.value < found.high
    assert found.high - found.low < 0.2


def test_agreement_of_tags_is_nominal():
    tags = rows(image_id=["a", "a", "b", "b", "c", "c"], rater=["x", "y"] * 3,
                tag=["Pool", "Pool", "Foyer", "Foyer", "Pool", "Foyer"])  # fmt: skip
    matrix = [["Pool", "Foyer", "Pool"], ["Pool", "Foyer", "Foyer"]]
    expected = krippendorff.alpha(np.array(matrix), level_of_measurement="nominal")
    assert krippendorff_alpha(tags).value == pytest.approx(expected)


def test_agreement_is_missing_where_nothing_can_be_compared():
    assert np.isnan(krippendorff_alpha(rows(image_id=["a", "b"], rater="x", score=[3, 4])).value)
    assert np.isnan(
        krippendorff_alpha(rows(image_id=["a", "a"], rater=["x", "y"], score=[3, 3])).value
    )


def test_statistics_find_who_is_mild_strict_and_unsteady(simulated):
    statistics = rater_statistics(simulated).set_index("rater")
    # A rater's bias is told from the others', whose mean is not quite 0.
    truth = np.array(BIAS) - (sum(BIAS) - np.array(BIAS)) / 7
    assert np.abs(statistics["bias"] - truth).max() < 0.3
    inside = (statistics["bias_low"] <= truth) & (truth <= statistics["bias_high"])
    assert inside.sum() >= 6
    assert statistics["noise"].idxmax() == "r7"
    assert statistics["self_difference"].idxmax() == "r7"
    assert statistics["correlation"].idxmin() == "r7"
    assert (statistics["repeats"] == 10).all()
    display = plots.rater_bias(statistics.reset_index())
    assert figure_alt(display.figure_).startswith("Bias of 8 raters: r6 -")


def test_statistics_of_tags_count_the_votes_of_the_others():
    tags = rows(image_id=["a"] * 3 + ["b"] * 3, rater=["x", "y", "$z$"] * 2,
                tag=["Pool", "Pool", "Foyer", "Pool", "Pool", "Pool"])  # fmt: skip
    statistics = rater_statistics(tags).set_index("rater")
    assert statistics["agrees"].to_dict() == {"x": 0.75, "y": 0.75, "$z$": 0.5}
    plots.rater_bias(statistics.reset_index()).figure_.canvas.draw()


def test_raters_agree_with_themselves_as_far_as_repeats_say():
    table = rows(image_id=["a", "b", "c", "a", "b", "c"], rater="x", repeat=[0, 0, 0, 1, 1, 1],
                 score=[5, 6, 7, 5, 7, 10])  # fmt: skip
    assert repeat_pairs(table)["difference"].tolist() == [3, 1, 0]
    own = self_agreement(table)
    assert own["same"].value == pytest.approx(1 / 3)
    assert own["within_one"].value == pytest.approx(2 / 3)
    assert own["difference"].value == pytest.approx(4 / 3)
    assert self_agreement(table[table["repeat"] == 0]) == {}


def test_photos_people_disagree_on_come_first_with_what_was_said():
    table = rows(image_id=["a", "a", "b", "b", "c"], rater=["x", "y", "x", "y", "x"],
                 score=[5, 5, 2, 9, 1])  # fmt: skip
    found = disagreements(table)
    assert found[["image_id", "answers", "disagreement", "said"]].values.tolist() == [
        ["b", 2, 3.5, "2 (1), 9 (1)"], ["a", 2, 0.0, "5 (2)"]]  # fmt: skip
    tags = rows(image_id=["a", "a", "b", "b", "b"], rater=list("xyxyz"),
                tag=["Pool", "Pool", "Pool", "Foyer", "Foyer"])  # fmt: skip
    assert disagreements(tags)["image_id"].tolist() == ["b", "a"]


def test_photos_and_repeats_that_tie_have_an_order_of_their_own():
    table = rows(image_id=list("zzyyxx"), rater=list("pq") * 3, score=[2, 9] * 3)
    again = table.assign(repeat=1, score=[3, 8] * 3)
    both = pd.concat([table, again])
    for said in (both, both[::-1]):
        assert disagreements(said)["image_id"].tolist() == ["x", "y", "z"]
        pairs = repeat_pairs(said)[["image_id", "rater"]].values.tolist()
        assert pairs == [[photo, rater] for photo in "xyz" for rater in "pq"]


EVIL = ['<b>"a"</b>, b.jpg', "🏊 'x'.jpg", "غرفة.jpg"]


@pytest.fixture
def labels(tmp_path):
    """A round of scores, on photos with names of any kind; one was skipped, one taken back."""
    photos = pd.DataFrame(
        {"image_id": EVIL, "path": [str(tmp_path / name) for name in EVIL], "hotel_id": list("hij")}
    )
    store = open_store(tmp_path / "labels.sqlite")
    labels = store.begin_round(photos, n_raters=2, overlap=2, repeats=1)
    for name, score in (("Ada", 4), ("Bo", 8)):
        rater = labels.enter(name)
        for item in labels.items(rater):
            key = uuid.uuid4().hex
            if item.photo == 2:
                labels.rate(rater, item.position, key, reason="I cannot decide")
                continue
            again = {"score": score + item.photo}
            labels.rate(rater, item.position, key, **again)
            if name == "Bo" and item.photo == 1:
                labels.undo(rater, key)
                labels.rate(rater, item.position, uuid.uuid4().hex, score=1)
    yield labels
    store.close()


def test_export_counts_first_answers_and_leaves_out_skips_and_what_was_undone(labels, tmp_path):
    table = labelled_catalog(labels).set_index("image_id")
    assert set(table.index) == set(EVIL[:2])
    counts = table[list(RATINGS)]
    assert counts.loc[EVIL[0]][lambda row: row > 0].to_dict() == {"rating_4": 1, "rating_8": 1}
    assert counts.loc[EVIL[1]][lambda row: row > 0].to_dict() == {"rating_5": 1, "rating_1": 1}
    # Names of any kind, through a file and back.
    write_catalog(table.reset_index(), tmp_path / "rated.csv")
    again = read_catalog(tmp_path / "rated.csv", classes=None)
    assert again["image_id"].tolist() == table.index.tolist()
    assert again["rating_8"].tolist() == table["rating_8"].tolist()
    assert "2 raters gave 4 answers on 2 photos (2 a photo" in progress_text(
        labels.ratings(), labels.settings
    )


def test_export_into_a_catalogue_keeps_what_others_had(labels):
    catalog = pd.DataFrame({"image_id": [EVIL[0], "old"], "path": ["x", "y"], "hotel_id": "h"})
    catalog[list(RATINGS)] = 0.0
    catalog["rating_9"] = 7.0
    merged = labelled_catalog(labels, catalog).set_index("image_id")
    assert merged.loc["old", "rating_9"] == 7
    assert merged.loc[EVIL[0], ["rating_4", "rating_8", "rating_9"]].tolist() == [1, 1, 0]


def test_tied_tags_have_no_label():
    votes = tag_votes(rows(image_id=["a", "a", "b"], rater=list("xyx"), tag=["P", "F", "F"]))
    assert votes["label"].isna().tolist() == [True, False]
    assert votes["votes_F"].tolist() == [1, 1]


def test_votes_of_a_new_round_take_the_place_of_those_of_before(tmp_path):
    catalog = pd.DataFrame({
        "image_id": ["a", "b"], "path": ["a.jpg", "b.jpg"], "hotel_id": "h", "label": "Pool",
        "label_2": "Foyer", "votes_Pool": 4.0, "votes_Kitchen": [1.0, None],
    })  # fmt: skip
    store = open_store(tmp_path / "labels.sqlite")
    labels = store.begin_round(catalog[:1], task="tags", n_raters=2, overlap=2, repeats=0)
    for name in ("Ada", "Bo"):
        rater = labels.enter(name)
        labels.rate(rater, 0, uuid.uuid4().hex, tag="Foyer")
    write_catalog(labelled_catalog(labels, catalog), tmp_path / "voted.csv")
    store.close()
    again = read_catalog(tmp_path / "voted.csv")
    assert again["label"].tolist() == ["Foyer", "Pool"]
    assert again["label_2"].isna().tolist() == [True, False]
    names = ["votes_Foyer", "votes_Pool", "votes_Kitchen"]
    assert again[names].fillna(0).values.tolist() == [[2, 0, 0], [0, 4, 0]]


def test_split_as_in_the_talk_is_exact_and_tears_no_hotel():
    random = np.random.default_rng(0)
    hotels = random.integers(0, 130, 1100)
    photos = pd.DataFrame({"image_id": range(1100), "hotel_id": hotels})
    photos[list(RATINGS)] = random.multinomial(12, random.dirichlet(np.ones(10), 1100))
    photos.loc[:19, list(RATINGS)] = np.nan
    split = split_rated(photos)
    assert split["split"].value_counts().to_dict() == {"train": 800, "test": 200}
    by_hotel = split.dropna(subset="split").groupby("hotel_id")["split"].nunique()
    assert (by_hotel == 1).all()
    assert split.loc[:19, "split"].isna().all()
    pd.testing.assert_frame_equal(split, split_rated(photos))
    with pytest.raises(LabelError, match=r"1,080 rated photos of \d+ hotels are too few"):
        split_rated(photos, train=1000)


def test_next_round_takes_uncertain_and_disputed_photos_and_some_by_chance():
    catalog = pd.DataFrame({"image_id": [f"p{n}" for n in range(60)]})
    catalog["hotel_id"] = [f"h{n // 3}" for n in range(60)]
    shares = np.full((60, 10), 0.01)
    shares[:, 4] = 0.91
    shares[20:26] = 0.1
    predictions = pd.DataFrame(shares, columns=[f"q_{n}" for n in range(1, 11)])
    predictions.insert(0, "image_id", catalog["image_id"])
    said = rows(image_id=["p0", "p0", "p1", "p1", "p20", "p20"], rater=["x", "y"] * 3,
                score=[1, 10, 5, 6, 4, 4])  # fmt: skip
    chosen = choose_photos(catalog, 10, predictions=predictions, ratings=said, random_share=0.3)
    why = chosen.set_index("image_id")["chosen_for"]
    assert len(why) == 10
    assert why["p0"] == "disagreement 4.50"
    assert why["p1"] == "disagreement 0.50"
    assert "p20" not in why  # rated, and not disputed
    assert set(why[why == "uncertain 1.00"].index) == {f"p{n}" for n in range(21, 26)}
    assert (why == "random").sum() == 3
    assert chosen["hotel_id"].value_counts().max() <= 5
    few = choose_photos(catalog, 8, predictions=predictions, random_share=0, max_per_hotel=1)
    assert few["hotel_id"].is_unique
    numbered = catalog.assign(image_id=range(60))
    of_tables = [
        choose_photos(numbered, 6, predictions=table, random_share=0)["chosen_for"].tolist()
        for table in (
            predictions.assign(image_id=range(60)),
            predictions.assign(image_id=np.arange(60.0)),
            predictions.assign(image_id=list(map(str, range(60)))),
        )
    ]
    assert of_tables == [["uncertain 1.00"] * 6] * 3
    with pytest.raises(CatalogError, match=r"choose_photos, predictions: .* no column 'image_id'"):
        choose_photos(catalog, 5, predictions=predictions.drop(columns="image_id"))
    with pytest.raises(LabelError, match="a share from 0 to 1"):
        choose_photos(catalog, 5, random_share=2)


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_what_is_drawn_by_chance_does_not_depend_on_the_order():
    photos = pd.DataFrame({"image_id": [f"{n}.jpg" for n in range(20)], "hotel_id": range(20)})
    one, other = (choose_photos(table, 5, seed=3) for table in (photos, photos[::-1]))
    assert set(one["image_id"]) == set(other["image_id"])


def test_predictions_of_numbered_photos_are_found():
    photos = pd.DataFrame({"image_id": ["1", "2", "3"], "hotel_id": ["g", "h", "i"]})
    sure = pd.DataFrame({"image_id": [1, 2], "p_Pool": [1.0, 0.5], "p_Foyer": [0.0, 0.5]})
    chosen = choose_photos(photos, 1, predictions=sure, random_share=0)
    assert chosen[["image_id", "chosen_for"]].values.tolist() == [["2", "uncertain 1.00"]]


def test_commands_export_and_choose(labels, tmp_path):
    store = tmp_path / "labels.sqlite"
    done = run("label-export", "--store", store, "--out", tmp_path / "rated.csv", "--train", 1,
               "--test", 1)  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "2 photos, 2 with answers; 2 skips" in done.output
    assert "skipped by Ada: I cannot decide" in done.output
    rated = read_catalog(tmp_path / "rated.csv", classes=None)
    assert sorted(rated["split"]) == ["test", "train"]
    photos = labels.photos().drop(columns="photo")
    write_catalog(photos, tmp_path / "photos.csv")
    done = run("label-choose", tmp_path / "photos.csv", "--store", store, "--count", 2, "--out",
               tmp_path / "next.csv", "--random-share", 0)  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "2 photos: 2 disagreement" in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["label-export", "--store", "none.sqlite", "--out", "x.csv"], "no such store"),
        (["label", "{photos}", "--store", "{new}", "--task", "tag"], "did you mean 'tags'"),
        (["label", "{photos}", "--store", "{new}", "--overlap", "13"], "from 1 to 12"),
        (["label", "{photos}", "--store", "{new}", "--ip", "192.0.2.1"], "cannot listen on"),
        (["label", "{photos}", "--store", "{new}", "--anchor", "dull"], 'such as 2="dull"'),
    ],
)
def test_commands_say_what_is_wrong(arguments, said, tmp_path):
    (tmp_path / "photos.csv").write_text("path\na.jpg\n")
    names = {"photos": tmp_path / "photos.csv", "new": tmp_path / "new.sqlite"}
    done = run(*[argument.format(**names) for argument in arguments])
    assert done.exit_code == 1
    assert said in done.output


def test_uncertainty_is_of_the_models_classes_not_of_columns_that_look_like_them():
    tags = pd.DataFrame({"image_id": ["a", "b"], "p_Pool": [1.0, 0.5], "p_Foyer": [0.0, 0.5]})
    more = tags.assign(p_price=[120.0, 80.0], q_mine=[1.0, 2.0])
    assert uncertainty(more).tolist() == uncertainty(tags).tolist() == [0.0, 1.0]
