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


def test_verdict_names_the_layer_that_changed_most_and_counts_channels():
    verdict = filters_verdict(comparison(), ("ImageNet", "b"), n_photos=96, task="aesthetic")
    assert verdict.text == (
        "From ImageNet to b training changed the network most at conv_pw_11 (linear CKA 0.62 on 96 "
        "photos), least at conv1 (0.99). Channels that look for something else now (correlation "
        "below 0.5): 0 of 2 in conv_pw_3, 1 of 2 in conv_pw_11."
    )
    assert [card.value for card in verdict.cards] == ["conv_pw_11", "25 %"]
    assert verdict.cards[1].detail == "1 of 4 in 2 layers"
    assert verdict.next_steps[-1].link == "aesthetic_report"


def test_verdict_says_that_networks_are_the_same_or_of_different_trainings():
    same = PROFILE.assign(cka=1.0, weight_change=0.0)
    verdict = filters_verdict(comparison(same), ("a", "b"), n_photos=1)
    assert "are the same network in all 3 convolutions" in verdict.text
    verdict = filters_verdict(comparison(), ("a", "b"), n_photos=1, related=False)
    assert verdict.text.startswith("a and b come from different trainings. They differ most at")


def test_verdict_says_that_no_channel_looks_for_something_else():
    alike = comparison()._replace(changes=CHANGES.assign(correlation=0.8))
    text = filters_verdict(alike, ("a", "b"), n_photos=9).text
    assert "None of the 5 active channels of conv_pw_3, conv_pw_11 looks for something else" in text
    one = alike._replace(changes=alike.changes[:1])
    text = filters_verdict(one, ("a", "b"), n_photos=9).text
    assert "The only active channel of conv_pw_3 looks for nothing else now" in text


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
