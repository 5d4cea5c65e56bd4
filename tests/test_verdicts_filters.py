"""What the page on filters says first."""

from __future__ import annotations

import pandas as pd
import pytest

from hotelviz.feature_vis import FilterComparison
from hotelviz.models import ModelInfo, Preprocessing
from hotelviz.reports.verdicts.filters import (
    channels_elsewhere,
    filters_verdict,
    origin_of,
    trained_from,
)

CHANGES = pd.DataFrame(
    {"layer": ["conv_pw_3"] * 3 + ["conv_pw_11"] * 2, "channel": [0, 1, 2, 0, 1],
     "weight_change": 0.3, "correlation": [0.9, 0.8, None, 0.1, 0.6]}
)  # fmt: skip
PROFILE = pd.DataFrame(
    {"layer": ["conv1", "conv_pw_3", "conv_pw_11"], "cka": [0.99, 0.9, 0.62],
     "weight_change": [0.01, 0.1, 0.3], "correlation": [0.98, 0.85, 0.35]}
)  # fmt: skip


def comparison(profile: pd.DataFrame = PROFILE) -> FilterComparison:
    return FilterComparison(CHANGES, {}, {}, profile, CHANGES)


def model(training: dict, parent: dict | None = None) -> ModelInfo:
    return ModelInfo("tagger", ("a", "b"), "MobileNet", Preprocessing(64, 64), training, parent)


def test_verdict_says_in_plain_words_where_the_network_changed_and_how_many_channels():
    verdict = filters_verdict(comparison(), ("ImageNet", "b"), n_photos=96, task="aesthetic")
    assert verdict.text == (
        "b sees photos differently from ImageNet: most changed near the end of the network "
        "(conv_pw_11), hardly anything at the beginning of the network (conv1). 1 of 4 channels "
        "that were compared (each finds one kind of pattern) looks for something else now. Do "
        "these fit what it is to judge? Their pictures tell."
    )
    assert [card.value for card in verdict.cards] == ["conv_pw_11", "25 %"]
    assert verdict.cards[0].detail == (
        "0.62 on 96 photos (linear CKA: how alike a layer's outputs for the same photos are, 1 is "
        "the same)"
    )
    assert verdict.cards[1].detail.startswith("0 of 2 in conv_pw_3, 1 of 2 in conv_pw_11; ")
    assert verdict.next_steps[-1].link == "aesthetic_report"


def test_verdict_says_that_networks_are_the_same_or_of_different_trainings():
    same = PROFILE.assign(cka=1.0, weight_change=0.0)
    verdict = filters_verdict(comparison(same), ("a", "b"), n_photos=1)
    assert "are the same network in all 3 convolutions" in verdict.text
    verdict = filters_verdict(comparison(), ("a", "b"), n_photos=1, related=False)
    assert verdict.text.startswith("The two come from different trainings. b sees photos")
    assert "from a: most differs near the end" in verdict.text


@pytest.mark.parametrize(
    ("likeness", "said"),
    [(0.3, "b sees photos very differently from a: most changed at the beginning"),
     (0.85, "b sees photos a little differently from a: most changed at the beginning"),
     (0.97, "b sees photos nearly as a does: about as much changed in all its layers.")],
)  # fmt: skip
def test_verdict_grades_how_differently_photos_are_seen(likeness, said):
    table = PROFILE.assign(cka=[likeness, 0.99, 0.99])
    text = filters_verdict(comparison(table), ("a", "b"), n_photos=9).text
    assert text.startswith(said)
    assert ("comes mostly from its last layer" in text) is (likeness > 0.95)


def test_verdict_says_that_no_channel_looks_for_something_else():
    alike = comparison()._replace(changes=CHANGES.assign(correlation=0.8))
    text = filters_verdict(alike, ("a", "b"), n_photos=9).text
    assert text.endswith("All 5 channels that were compared still look for what they did before.")
    one = alike._replace(changes=alike.changes[:1])
    text = filters_verdict(one, ("a", "b"), n_photos=9).text
    assert text.endswith(
        "The only channel that could be compared still looks for what it did before."
    )


def test_channels_that_are_silent_are_not_judged():
    table = channels_elsewhere(CHANGES).set_index("layer")
    assert table.loc["conv_pw_3"].to_list() == [3, 2, 0, 0.0]
    assert table.loc["conv_pw_11"].to_list() == [2, 2, 1, 0.5]


SCRATCH = {"settings": {"weights": None}}


@pytest.mark.parametrize(
    ("info", "original", "related", "origin"),
    [
        (model({"settings": {"weights": "imagenet"}}), "imagenet", True, "ImageNet's weights"),
        (model(SCRATCH), "imagenet", False, "random weights, from scratch"),
        (model({}), "imagenet", None, "not known"),
        (model({"settings": {"weights": "parent", "parent": "ab"}}, {"task": "tagger"}), "ab",
         True, "another model (tagger)"),
        (model({"settings": {"weights": "parent", "parent": "cd"}},
               {"task": "aesthetic", "parent": {"training": {"weights": "imagenet"}},
                "training": {"settings": {"weights": "parent", "parent": "ab"}}}),
         "ab", True, "another model (aesthetic)"),
    ],
)  # fmt: skip
def test_what_a_training_began_from_is_known_through_all_its_ancestors(
    info, original, related, origin
):
    assert trained_from(info, original) is related
    assert origin_of(info) == origin
