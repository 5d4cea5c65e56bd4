"""Sanity checks of maps, and shortcuts of confusions, on networks whose reasons are known."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from coloured import planted
from keras import layers
from PIL import Image

from hotelviz import attribution
from hotelviz import concepts as c
from hotelviz.errors import AttributionError, CatalogError, ConceptError
from hotelviz.models import Preprocessing, wrap_model
from hotelviz.plots.alt_text import figure_alt
from hotelviz.reports.verdicts import tried_concepts as verdict
from hotelviz.reports.verdicts.explanation import confusion_words
from hotelviz.reports.verdicts.tried_concepts import TriedConcepts, tried_concepts, tried_sheet

RED, BLUE, GREY = (230, 20, 20), (20, 20, 230), (110, 110, 110)


@pytest.fixture(scope="module")
def colours() -> keras.Model:
    """A tagger that goes by colours: red is a bathroom, blue is a pool."""
    inputs = keras.Input((96, 96, 3))
    conv = layers.Conv2D(3, 4, strides=4, activation="relu", name="conv")
    dense = layers.Dense(2, "softmax", name="head")
    outputs = dense(layers.GlobalAveragePooling2D()(conv(inputs)))
    kernel = np.zeros((4, 4, 3, 3), "float32")
    kernel[..., 0, 0], kernel[..., 1:, 0] = 1, -1
    kernel[..., 2, 1], kernel[..., :2, 1] = 1, -1
    kernel[..., :, 2] = 0.01
    conv.set_weights([kernel / 16, np.zeros(3, "float32")])
    dense.set_weights([np.array([[60, 0], [0, 60], [0, 0]], "float32"), np.zeros(2, "float32")])
    return wrap_model(
        keras.Model(inputs, outputs), task="tagger", classes=["Bathroom", "Pool"],
        preprocessing=Preprocessing(96, 96, value_range="0..1"),
    )  # fmt: skip


def photo(*squares: tuple[tuple[int, int, int], int, int, int]) -> np.ndarray:
    pixels = np.full((96, 96, 3), GREY, "uint8")
    for colour, y, x, side in squares:
        pixels[y : y + side, x : x + side] = colour
    return pixels


@pytest.fixture(scope="module")
def bathrooms() -> np.ndarray:
    return np.stack([photo((RED, 8 * n, 60 - 8 * n, 24)) for n in range(6)])


def test_evidence_lies_on_either_object_and_is_nan_where_there_is_none(colours, tmp_path):
    files = [tmp_path / f"{number}.png" for number in range(4)]
    for file in files[:3]:
        Image.fromarray(photo((RED, 8, 8, 32), (BLUE, 56, 56, 24))).save(file)
    table = pd.DataFrame({"path": map(str, files), "predicted": "Bathroom"})
    table["label"] = ["Pool", "Bathroom", "Sauna", "Pool"]
    maps = attribution.evidence_maps(colours, table)
    there = {name: (~np.isnan(of).any(axis=(1, 2))).tolist() for name, of in maps.items()}
    assert there == {
        "predicted": [True, True, True, False],
        "true": [True, True, False, False],
        "difference": [True, False, False, False],
    }
    on_red, on_blue = (slice(12, 36), slice(12, 36)), (slice(60, 76), slice(60, 76))
    means = {name: (of[0][on_red].mean(), of[0][on_blue].mean()) for name, of in maps.items()}
    assert means["predicted"] == pytest.approx((1, 0), abs=0.05)
    assert means["true"] == pytest.approx((0, 1), abs=0.05)
    assert means["difference"] == pytest.approx((1, 0), abs=0.05)


def test_map_of_the_reason_beats_random_order_and_its_opposite_does_not(colours, bathrooms):
    maps = attribution.explain(colours, bathrooms, "Bathroom")
    good, bad = (
        attribution.curve_areas(
            attribution.deletion_insertion(colours, bathrooms, side, "Bathroom", steps=8)
        )
        for side in (maps, 1 - maps)
    )
    for check in ("deletion_margin", "insertion_margin"):
        assert (good[check] > 0.02).all()
        assert (bad[check] < 0).all()


def test_curves_begin_and_end_with_the_whole_and_the_hidden_photo(colours, bathrooms):
    maps = attribution.explain(colours, bathrooms, "Bathroom")
    curves = attribution.deletion_insertion(colours, bathrooms, maps, "Bathroom", steps=4)
    table = curves.pivot_table(index="share", columns=["check", "order"], values="value")
    for order in ("map", "random"):
        assert table.loc[0, ("deletion", order)] == pytest.approx(
            table.loc[1, ("insertion", order)]
        )
        assert table.loc[1, ("deletion", order)] == pytest.approx(
            table.loc[0, ("insertion", order)]
        )


def test_empty_map_is_checked_without_a_warning(colours, bathrooms):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        empty = np.zeros(bathrooms.shape[:3], "float32")
        curves = attribution.deletion_insertion(colours, bathrooms, empty, "Bathroom", steps=2)
        inside = attribution.pointing_game(empty, np.ones_like(empty, bool))
        other = np.random.default_rng(0).random(empty.shape)
        alike = attribution.method_agreement({"empty": empty, "other": other})
    assert np.isfinite(curves["value"]).all()
    assert not inside["hit"].any()
    assert (inside["energy"] == 0).all()
    assert alike.loc["empty", "other"] == 0


def test_pointing_game_counts_peaks_and_energy_inside():
    maps = np.zeros((2, 4, 4))
    maps[0, 0, 0], maps[0, 3, 3] = 1.0, 1 / 3
    maps[1, 3, 3] = 1.0
    masks = np.zeros((2, 4, 4), bool)
    masks[:, :2, :2] = True
    found = attribution.pointing_game(maps, masks)
    assert found["hit"].to_list() == [True, False]
    assert found["energy"].to_list() == pytest.approx([0.75, 0])
    assert found["area"].to_list() == [0.25, 0.25]
    with pytest.raises(AttributionError, match="but masks of"):
        attribution.pointing_game(maps, masks[:, :2])


def test_random_weights_are_given_to_the_layers_of_a_model_inside_another(colours, bathrooms):
    body = keras.Model(colours.input, colours.get_layer("conv").output, name="body")
    inputs = keras.Input((96, 96, 3))
    pooled = layers.GlobalAveragePooling2D()(body(inputs))
    around = wrap_model(
        keras.Model(inputs, colours.get_layer("head")(pooled)), task="tagger",
        classes=["Bathroom", "Pool"], preprocessing=Preprocessing(96, 96, value_range="0..1"),
    )  # fmt: skip
    plain, inside = (
        attribution.parameter_randomization(model, bathrooms, "Bathroom", n_stages=2)
        for model in (colours, around)
    )
    pd.testing.assert_frame_equal(inside, plain)


def test_random_weights_change_the_maps_and_leave_the_model_alone(colours, bathrooms):
    weights = [np.array(tensor) for tensor in colours.get_weights()]
    course = attribution.parameter_randomization(colours, bathrooms, "Bathroom", n_stages=2)
    assert course["layer"].to_list() == ["", "head", "conv"]
    assert course["correlation"].iloc[0] == pytest.approx(1)
    assert course["correlation"].iloc[-1] < 0.9
    for before, after in zip(weights, colours.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_agreement_is_the_mean_rank_correlation():
    random = np.random.default_rng(0)
    one = random.random((3, 12, 12))
    table = attribution.method_agreement({"one": one, "square": one**2, "against": -one})
    assert table.loc["one", "square"] == pytest.approx(1)
    assert table.loc["one", "against"] == pytest.approx(-1)


def test_trust_table_has_a_row_per_method_and_all_checks(colours, bathrooms):
    masks = (bathrooms == RED).all(axis=-1)
    table = attribution.trust_table(
        colours, bathrooms, "Bathroom", methods=("cam", "saliency"), masks=masks, n_randomized=2,
        groups=list("aabbcc"),
    )  # fmt: skip
    assert table.index.to_list() == ["cam", "saliency"]
    assert table.loc["cam", "hit"] == 1
    assert table.loc["cam", "energy"] > 0.6
    assert (table["deletion_low"] <= table["deletion"]).all()
    assert (table["deletion"] <= table["deletion_high"]).all()
    assert table.loc["cam", "agreement"] == pytest.approx(table.loc["saliency", "agreement"])
    assert (table["ms"] > 0).all()


def test_numbers_of_photos_and_maps_must_fit(colours, bathrooms):
    with pytest.raises(
        AttributionError, match=r"photos of the shape \(6, 96, 96, 3\), but maps of \(2, 96, 96\)"
    ):
        attribution.deletion_insertion(colours, bathrooms, np.zeros((2, 96, 96)), "Bathroom")


def test_values_that_are_no_numbers_are_refused(colours, bathrooms):
    maps = np.full(bathrooms.shape[:3], np.nan)
    for call in (
        lambda: attribution.deletion_insertion(colours, bathrooms, maps, "Bathroom"),
        lambda: attribution.pointing_game(maps, np.zeros(maps.shape, bool)),
        lambda: attribution.method_agreement({"a": maps, "b": maps}),
    ):
        with pytest.raises(AttributionError, match="maps have values that are no numbers"):
            call()
    with pytest.raises(AttributionError, match="the curves have no column 'photo'"):
        attribution.curve_areas(pd.DataFrame({"share": [0.0]}))
    with pytest.raises(AttributionError, match="no photo or no method"):
        attribution.trust_table(colours, bathrooms[:0])


@pytest.fixture(scope="module")
def tags(tmp_path_factory, colours) -> pd.DataFrame:
    """Pools, some with a red mark that makes them bathrooms, and bathrooms."""
    folder = tmp_path_factory.mktemp("pools")
    random = np.random.default_rng(0)
    rows = []
    for label, kind, count in (("Pool", "marked", 8), ("Pool", "plain", 12), ("Bathroom", "", 8)):
        for number in range(count):
            y, x = random.integers(0, 30, 2)
            if label == "Pool":
                squares = [(BLUE, 40 + y // 2, 40 + x // 2, 24)]
                squares += [(RED, y, x // 2, 28)] if kind == "marked" else []
            else:
                squares = [(RED, y, x, 60)]
            file = folder / f"{label}{kind}{number}.png"
            Image.fromarray(photo(*squares)).save(file)
            rows.append({"image_id": file.name, "path": str(file), "label": label, "kind": kind})
    from hotelviz.inference import predict_tags

    table = pd.DataFrame(rows)
    return table.merge(predict_tags(table, colours, progress=False), on="image_id")


@pytest.fixture(scope="module")
def shortcuts(colours, tags) -> tuple[c.Concepts, c.ConceptActivity, pd.DataFrame]:
    """Concepts of the photos, and what was tried in their confusions."""
    found = c.find_concepts(colours, tags, 3, progress=False)
    activity = c.concept_activity(found, tags, progress=False)
    return found, activity, c.find_shortcuts(found, activity)


def test_mark_that_all_errors_have_is_found(shortcuts, tags):
    found, activity, table = shortcuts
    first = table.iloc[0]
    assert first[["label", "predicted", "suspect"]].to_list() == ["Pool", "Bathroom", True]
    assert table["suspect"].sum() == 1
    assert first[["n_photos", "errors", "right_true", "right_predicted"]].to_list() == [8, 1, 0, 1]
    assert first["repaired"] == 1
    assert first["random"] < 0.2
    assert first["weight"] > 0.9
    # As sure as the sign test of eight hotels can be; the other concept is not rarer in errors.
    assert first["p_corrected"] == 2.0**-7
    assert table["p_corrected"].to_list()[1:] == [1]
    examples = c.shortcut_examples(found, activity, table[table["label"] == "Pool"])
    red = examples[examples["concept"] == first["concept"]]
    assert set(red["image_id"]) == set(tags.loc[tags["kind"] == "marked", "image_id"])
    for patch in red.itertuples():
        pixels = np.asarray(Image.open(patch.path))
        assert tuple(pixels[int(patch.y * 96), int(patch.x * 96)]) == RED


def test_mark_of_one_hotel_or_of_right_photos_is_no_shortcut(shortcuts, tags):
    found, activity, table = shortcuts
    number = table["concept"].iloc[0]

    def tried(**columns: object) -> pd.Series:
        changed = activity._replace(photos=activity.photos.assign(**columns))
        rows = c.find_shortcuts(found, changed)
        return rows[(rows["label"] == "Pool") & (rows["concept"] == number)].iloc[0]

    one = tried(hotel_id="h")
    assert not one["suspect"]
    assert one[["low", "high", "p_value"]].isna().all()
    assert one["repaired"] == 1
    # Three errors are too few to try anything.
    few = activity.photos["image_id"].isin(tags.loc[tags["kind"] == "marked", "image_id"][:5])
    assert c.find_shortcuts(found, activity.take(~few.to_numpy())).empty


def test_what_misleads_and_is_in_no_concept_is_told(shortcuts, tags):
    found, activity, table = shortcuts
    assert c.unexplained_share(found, activity) < 0.05
    mark = table["concept"].iloc[0]
    # The evidence of the mark, as if no concept had held it.
    kept = np.arange(len(found)) != mark
    residual = activity.residual + activity.evidence[:, mark]
    without = activity._replace(evidence=activity.evidence * kept[:, None], residual=residual)
    assert c.unexplained_share(found, without) > 0.9
    rows = c.find_shortcuts(found, without)
    assert not rows["suspect"].any()
    assert (rows["weight"] < 0.1).all()
    right = (tags["label"] == tags["predicted"]).to_numpy()
    assert np.isnan(c.unexplained_share(found, activity.take(right)))


def test_page_tries_more_concepts_while_they_do_not_hold_what_misleads(
    monkeypatch, colours, shortcuts, tags
):
    _, activity, table = shortcuts
    asked, left = [], iter([0.6, 0.21, 0.1, 0.0])

    class Some:
        def __init__(self, n: int) -> None:
            self.n = n

        def __len__(self) -> int:
            return self.n

    def find(*given: object, candidates: list[int], **settings: object) -> Some:
        asked.extend(candidates)
        return Some(candidates[0])

    monkeypatch.setattr(verdict, "find_concepts", find)
    monkeypatch.setattr(verdict, "concept_activity", lambda *given: activity)
    monkeypatch.setattr(verdict, "find_shortcuts", lambda *given, seed: table)
    monkeypatch.setattr(verdict, "unexplained_share", lambda *given: next(left))
    tried = tried_concepts(colours, tags, 0)
    assert asked == [8, 10, 12]
    assert verdict.tried_words(tried) == (
        "12 concepts of these photos were tried. They hold 90 % of what speaks for the wrong areas "
        "in the confusions."
    )
    left = iter([0.6])
    tried = tried_concepts(colours, tags, 5)
    assert asked[3:] == [5]
    assert verdict.tried_words(tried).endswith("may be a shortcut as well: look at the maps.")


def test_shortcuts_need_labels_a_tagger_and_a_linear_head(shortcuts, tags):
    found, activity, table = shortcuts
    with pytest.raises(CatalogError, match="find_shortcuts: the table has no column 'label'"):
        c.find_shortcuts(found, activity._replace(photos=activity.photos.drop(columns="label")))
    scores = planted("aesthetic")
    concepts = c.Concepts(scores, "conv", *(found.components,) * 4, found.choice, 0)
    with pytest.raises(ConceptError, match="find_shortcuts: the model is no tagger, but aesthetic"):
        c.find_shortcuts(concepts, tags)
    concepts = dataclasses.replace(concepts, model=planted(pooling="dense"))
    with pytest.raises(ConceptError, match="find_shortcuts: above 'conv' there is more than"):
        c.find_shortcuts(concepts, tags)
    other = table.iloc[:1].assign(label="Bathroom", predicted="Pool")
    with pytest.raises(ConceptError, match="rows of 2 confusions; give those of one"):
        c.shortcut_examples(found, activity, pd.concat([table, other]))


def test_page_tries_what_it_can_and_says_why_not(colours, tags):
    tried = tried_concepts(colours, tags, 0)
    assert tried.suspects[["label", "predicted"]].to_numpy().tolist() == [["Pool", "Bathroom"]]
    found = attribution.explain_confusion(colours, tags, true="Pool", predicted="Bathroom")
    text = figure_alt(tried_sheet(tried, found).figure_)
    assert "SUSPECTED SHORTCUT: concept " in text
    assert "in 100 % of the errors; 100 % right without it" in text
    below = tried_concepts(planted(activation="tanh"), tags, 0)
    assert below.shortcuts.empty
    assert below.why_not.startswith("layer 'conv' has negative features")
    right = tried_concepts(colours, tags[tags["label"] == tags["predicted"]], 0)
    assert right.shortcuts.empty
    assert right.why_not == ""


def test_maps_of_a_confusion_speak_for_both_classes(colours, tags):
    found = attribution.explain_confusion(colours, tags, true="Pool", predicted="Bathroom")
    pixels, _ = attribution.read_pixels(colours, found.photos["path"])
    for name, colour in (("predicted", RED), ("true", BLUE), ("difference", RED)):
        on = (pixels == colour).all(axis=-1)
        assert attribution.pointing_game(found.maps[name], on)["hit"].all()


def test_pair_without_errors_is_empty_and_says_so(colours, tags):
    found = attribution.explain_confusion(colours, tags, true="Bathroom", predicted="Pool")
    assert len(found.photos) == 0
    assert found.maps["difference"].shape == (0, 96, 96)
    tried = TriedConcepts(None, None, pd.DataFrame(columns=["label", "predicted", "suspect"]), "")
    assert confusion_words(found, tried) == "No Bathroom photo is predicted as Pool."


@pytest.mark.parametrize(
    ("true", "predicted", "message"),
    [("Pol", "Bathroom", "did you mean 'Pool'"), ("Pool", "Pool", "two different classes")],
)
def test_pair_that_cannot_be_explained_is_refused(colours, tags, true, predicted, message):
    with pytest.raises(AttributionError, match=message):
        attribution.explain_confusion(colours, tags, true=true, predicted=predicted)


def test_missing_column_is_named(colours, tags):
    with pytest.raises(CatalogError, match="explain_confusion: the table has no column 'label'"):
        attribution.explain_confusion(
            colours, tags.drop(columns="label"), true="Pool", predicted="Bathroom"
        )


def test_error_that_cannot_be_read_is_left_out(colours, tags, tmp_path: Path):
    lost = tags[tags["kind"] == "marked"].head(1).assign(path=str(tmp_path / "lost.png"))
    found = attribution.explain_confusion(
        colours, pd.concat([tags, lost]), true="Pool", predicted="Bathroom"
    )
    assert len(found.photos) == 8
