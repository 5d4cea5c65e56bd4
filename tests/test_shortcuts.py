"""Shortcuts of confusions, on a network whose reasons are known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from coloured import BLUE, RED, photo, planted, tagger_by_colour
from PIL import Image

from hotelviz import attribution
from hotelviz import concepts as c
from hotelviz.concepts.effects import jackknife_mean
from hotelviz.errors import AttributionError, CatalogError, ConceptError
from hotelviz.plots.alt_text import figure_alt
from hotelviz.reports.verdicts import tried_concepts as verdict
from hotelviz.reports.verdicts.explanation import confusion_words
from hotelviz.reports.verdicts.tried_concepts import TriedConcepts, tried_concepts, tried_sheet


@pytest.fixture(scope="module")
def colours() -> keras.Model:
    return tagger_by_colour()


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


def test_thing_in_two_concepts_is_removed_with_both(shortcuts):
    found, activity, table = shortcuts
    mark = table["concept"].iloc[0]
    # Three times as much evidence, half of it in each of two concepts: one of them is not enough.
    own = activity.evidence[:, [mark]]
    evidence = np.concatenate([activity.evidence, 1.5 * own], axis=1)
    evidence[:, [mark]] = 1.5 * own
    both = {"evidence": evidence, "logits": activity.logits + 2 * own[:, 0]}
    for name in ("strength", "peak", "cell"):
        value = getattr(activity, name)
        both[name] = np.concatenate([value, value[:, [mark]]], axis=1)
    four = np.append(found.components, found.components[[mark]], axis=0)
    split = dataclasses.replace(found, components=four)
    rows = c.find_shortcuts(split, activity._replace(**both))
    first = rows.iloc[0]
    assert set(first["together"]) == {mark, len(found)}
    assert first[["n_photos", "errors", "right_true", "repaired", "suspect"]].to_list() == [
        8, 1, 0, 1, True
    ]  # fmt: skip
    assert rows["suspect"].sum() == 1
    other = rows[(rows["concept"] != first["concept"]) & (rows["label"] == "Pool")]
    assert other["together"].map(len).eq(1).all()
    assert other["repaired"].max() < 0.5


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


def test_no_interval_of_a_share_is_wider_than_shares_can_differ():
    values, hotels = np.array([1.0, 1.0, 0.0, -0.5]), pd.Series(list("abcd"))
    wide = jackknife_mean(values, hotels)
    assert wide["low"] < -0.5
    assert wide["high"] > 1
    bounded = jackknife_mean(values, hotels, largest=1.0)
    assert bounded == wide | {"high": 1.0}


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
