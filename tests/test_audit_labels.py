"""Labels that are probably wrong, and what cleaning buys."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hotelviz import plots
from hotelviz.audit import (
    SeenLabels,
    class_balance,
    compare_datasets,
    find_issues,
    find_label_issues,
    label_issue_tagger,
    label_noise_matrix,
    stage_difference,
    suggested_labels,
)
from hotelviz.audit.outliers import outlier_scores
from hotelviz.embeddings import Neighbours, reduce_features
from hotelviz.errors import AuditError
from hotelviz.models import Preprocessing, model_info, record_training_photos, wrap_model

CLASSES = ["Bathroom", "Bedroom", "Pool"]


def clusters(each: int = 60, wrong: int = 6, seed: int = 0):
    """Vectors of three classes, a few with the label of another."""
    random = np.random.default_rng(seed)
    truth = np.repeat(np.arange(3), each)
    vectors = 3 * np.eye(3)[truth] @ random.normal(size=(3, 16)) + random.normal(
        size=(3 * each, 16)
    )
    given = truth.copy()
    planted = random.choice(3 * each, wrong, replace=False)
    given[planted] = (given[planted] + 1) % 3
    labels = pd.Series(np.array(CLASSES, dtype=object)[given])
    groups = np.array([f"h{number % 12}" for number in range(3 * each)])
    return reduce_features(vectors), labels, groups, planted, truth


def test_planted_errors_are_the_suspects_and_the_right_class_is_suggested():
    vectors, labels, groups, planted, truth = clusters()
    judged = find_label_issues(vectors, labels, groups)
    assert set(judged.rows[judged.is_issue]) == set(planted)
    assert set(np.argsort(judged.quality)[:6]) == set(planted)
    table = suggested_labels(judged).set_index("row").loc[planted]
    assert table["suggestion"].tolist() == [CLASSES[number] for number in truth[planted]]
    confused = label_noise_matrix(judged)
    assert confused["photos"].sum() == 6


def test_folds_hold_whole_hotels():
    vectors, labels, groups, *_ = clusters()
    # The photos of one hotel look like pools and are all called bathrooms: in a torn hotel they
    # would vouch for one another.
    pools = vectors[(labels == "Pool").to_numpy()][:1].repeat(6, axis=0)
    vectors = np.concatenate([vectors, pools])
    labels = pd.concat([labels, pd.Series(["Bathroom"] * 6)], ignore_index=True)
    judged = find_label_issues(vectors, labels, np.concatenate([groups, ["own"] * 6]))
    assert judged.is_issue[-6:].all()


def test_class_with_fewer_hotels_than_folds_is_left_out_and_said():
    vectors, labels, groups, *_ = clusters()
    labels[:3] = "Foyer"
    judged = find_label_issues(vectors, labels, groups)
    assert not set(judged.rows) & {0, 1, 2}
    assert judged.classes == tuple(CLASSES)
    assert any(note.startswith("Foyer: photos of 3 hotels") for note in judged.notes)


@pytest.mark.parametrize("label", ["Pool", None])
def test_one_class_or_none_cannot_be_judged(label):
    vectors, labels, groups, *_ = clusters()
    labels[:] = label
    judged = find_label_issues(vectors, labels, groups)
    assert not len(judged.rows)
    assert "need at least two" in judged.notes[-1]
    assert label_noise_matrix(judged).empty
    assert suggested_labels(judged).empty


def test_photos_far_from_all_others_are_alone():
    similarity = np.full((50, 5), 0.8, "float32")
    similarity += np.random.default_rng(0).normal(0, 0.02, similarity.shape).astype("float32")
    similarity[7] = 0.1
    score, alone = outlier_scores(Neighbours(np.zeros((50, 5), int), similarity))
    assert np.flatnonzero(alone).tolist() == [7]
    assert score[7] == pytest.approx(0.1)


def test_balance_counts_sources_and_what_is_missing():
    table = class_balance(
        pd.DataFrame(
            {
                "label": ["Pool"] * 8 + ["Foyer"] * 2 + [None],
                "hotel_id": [f"h{number}" for number in range(11)],
                "source": ["a"] * 5 + ["b"] * 6,
            }
        ),
        target=6,
    )
    assert table.loc["Foyer", ["photos", "hotels", "top_up"]].tolist() == [2, 2, 4]
    assert table["nearly_empty"].to_dict() == {"Pool": False, "Foyer": True}
    assert table.loc["Pool", ["from a", "from b"]].tolist() == [5, 3]


@pytest.fixture(scope="module")
def audited(demo_dir, network):
    from hotelviz.catalog import read_catalog

    catalog = read_catalog(demo_dir / "catalog.csv")
    return catalog, find_issues(catalog, model=network, margin=0.25, progress=False)


@pytest.mark.slow
def test_photos_without_labels_are_audited_for_all_else(demo_catalog, network):
    found = find_issues(demo_catalog.drop(columns="label"), model=network, progress=False)
    assert found.label_issues is None
    assert found.class_balance is None
    assert {"unreadable", "truncated", "exact_duplicate"} <= set(found.issues["issue"])
    assert "label_error" not in set(found.issues["issue"])
    assert any("no labels" in note for note in found.notes)


def test_without_a_model_labels_are_not_judged_and_that_is_said(demo_catalog):
    found = find_issues(demo_catalog, progress=False)
    assert found.label_issues is None
    assert found.properties.features is None
    assert "without a model" in found.notes[0]
    assert {"unreadable", "exact_duplicate", "near_duplicate"} <= set(found.issues["issue"])


def test_scores_are_between_0_and_1_and_one_row_per_photo_and_issue(audited):
    _, found = audited
    assert found.issues["score"].between(0, 1).all()
    assert not found.issues.duplicated(["image_id", "issue"]).any()
    assert found.issues.notna().all(axis=None)
    for _, rows in found.issues.groupby("issue"):
        assert rows["score"].is_monotonic_increasing


def test_copies_with_different_labels_head_the_suspects(audited):
    _, found = audited
    copies = found.issues[found.issues["issue"].str.endswith("_duplicate")]
    torn = copies[copies["detail"].str.contains("spans labels")]["image_id"]
    assert len(torn)
    suspects = found.issues[found.issues["issue"] == "label_error"]
    assert set(suspects["image_id"].head(len(torn))) == set(torn)


def test_label_issue_tagger_predicts_the_labels_it_was_fitted_to(audited, network):
    catalog, found = audited
    tagger = label_issue_tagger(network, found.properties.features, found.label_issues)
    assert model_info(tagger).classes == found.label_issues.classes
    rows = found.label_issues.rows[~found.label_issues.is_issue]
    features = found.properties.features[rows]
    kernel, bias = tagger.layers[-1].get_weights()
    guesses = np.array(found.label_issues.classes)[(features @ kernel + bias).argmax(axis=1)]
    assert (guesses == catalog["label"].to_numpy()[rows]).mean() > 0.5


@pytest.mark.slow
def test_stages_are_judged_on_the_same_photos_and_on_their_own(audited, network):
    catalog, _ = audited
    test = catalog[catalog["split"] == "test"]
    fewer = catalog[catalog["label"] != "Pool"]
    result = compare_datasets(
        {"all": catalog, "without pools": fewer}, test, model=network, augmented=["all"],
        progress=False,
    )  # fmt: skip
    figures = result.figures[result.figures["metric"] == "top-1 accuracy"]
    photos = figures.set_index(["tested", "stage"])["photos"]
    assert photos["same", "all"] == photos["same", "without pools"]
    assert photos["own", "without pools"] < photos["own", "all"]
    assert (figures["low"] <= figures["value"]).all()
    assert (figures["value"] <= figures["high"]).all()
    tested = result.predictions[result.predictions["tested"] == "same"]
    pools = tested[(tested["label"] == "Pool") & (tested["stage"] == "without pools")]
    assert not (pools["predicted"] == "Pool").any()
    names = plots.stage_comparison(result).ax_.get_yticklabels()
    assert [tick.get_text() for tick in names] == ["all", "without pools"]
    found = stage_difference(result, "all", "without pools")
    value = figures[figures["tested"] == "same"].set_index("stage")["value"]
    assert found.accuracy.value == pytest.approx(value["without pools"] - value["all"])
    assert found.accuracy.value == pytest.approx((found.gained - found.lost) / found.photos)
    assert found.photos == photos["same", "all"]
    assert found.hotels == test["hotel_id"].nunique()
    with pytest.raises(AuditError, match="stage must be one of all, without pools"):
        stage_difference(result, "all", "other")


def test_hotels_that_are_tested_are_left_out_of_training_and_said(audited, network):
    catalog, _ = audited
    result = compare_datasets({"all": catalog}, catalog.head(30), model=network, progress=False)
    assert any("left out of training" in note for note in result.notes)


@pytest.mark.slow
def test_full_mode_trains_a_network_for_each_stage(audited, few_layers):
    catalog, _ = audited
    result = compare_datasets(
        {"all": catalog}, catalog[catalog["split"] == "test"], mode="full", progress=False,
        train_kw={"weights": None, "input_size": 32, "fine_tune_epochs": 1,
                  "backbone_kw": {"alpha": 0.25}},
    )  # fmt: skip
    assert result.figures["value"].between(0, 1).all()
    assert result.predictions.filter(like="p_").sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "slow"}, "mode must be one of fast, full; not 'slow'"),
        ({"augmented": ["other"]}, "stage must be one of all"),
        ({}, "needs a model"),
    ],
)
def test_impossible_comparisons_are_refused(demo_catalog, settings, message):
    with pytest.raises(AuditError, match=message):
        compare_datasets({"all": demo_catalog}, demo_catalog, **settings)
    with pytest.raises(AuditError, match="at least one of both"):
        compare_datasets({}, demo_catalog)


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A network that says that it learned from photos a and b of hotel h, and the photos."""
    folder = tmp_path_factory.mktemp("taught")
    random = np.random.default_rng(0)
    rows = []
    for number, name in enumerate("abcdefghijkl"):
        path = folder / f"{name}.png"
        bright = random.integers(0, 90, (64, 64, 3)) + 150 * (number % 2)
        Image.fromarray(bright.astype("uint8")).save(path)
        rows.append({"image_id": name, "path": str(path), "hotel_id": "h" if name < "d" else name,
                     "label": ["Bedroom", "Pool"][number % 2]})  # fmt: skip
    layers = [
        keras.Input((32, 32, 3)),
        keras.layers.Conv2D(8, 3, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(2, activation="softmax"),
    ]
    model = wrap_model(keras.Sequential(layers), task="tagger", classes=["Bedroom", "Pool"],
                  preprocessing=Preprocessing(32, 32))  # fmt: skip
    learned = pd.DataFrame({"image_id": ["a", "b"], "hotel_id": "h", "content": "",
                            "split": ["train", "val"]})  # fmt: skip
    return record_training_photos(model, learned), pd.DataFrame(rows)


@pytest.mark.slow
def test_audit_says_how_many_labels_the_network_of_the_features_has_seen(taught):
    model, photos = taught
    found = find_issues(photos, model=model, progress=False)
    assert any("has seen 2 of the 12 labelled photos" in note for note in found.notes)
    # It learned from a, its epochs were chosen by b; c and h are other photos of their hotel.
    assert found.seen == SeenLabels(12, 1, 1, 2, True, (f"the tagger model {model.name}",))
    new = find_issues(photos.iloc[3:], model=model, progress=False)
    assert not any("has seen" in note for note in new.notes)
    assert new.seen[:4] == (9, 0, 0, 1)


def test_stages_are_not_judged_on_photos_that_the_network_has_seen(taught):
    model, photos = taught
    stage = photos.iloc[6:].assign(split="train")
    found = compare_datasets({"one": stage}, photos.iloc[:6], model=model, progress=False)
    assert found.predictions["image_id"].tolist() == ["d", "e", "f"]
    assert "3 of 6 test photos were left out" in found.notes[0]
    with pytest.raises(AuditError, match="has seen all 3 test photos"):
        compare_datasets({"one": stage}, photos.iloc[:3], model=model, progress=False)
