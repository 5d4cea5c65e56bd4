"""The linear model on frozen features: what it learns, how it is regularised, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from hotelviz.errors import TrainingError
from hotelviz.metrics.linear_head import fit_linear_head

RANDOM = np.random.default_rng(0)
HOTELS = np.repeat(np.arange(12), 10)
FEATURES = RANDOM.normal(size=(120, 6)).astype("float32") * 3 + 2


def test_votes_are_learned_as_the_shares_that_they_are():
    side = (FEATURES[:, :1] > 2).astype("float32")
    shares = np.where(side, [[0.8, 0.2]], [[0.3, 0.7]])
    head = fit_linear_head(side, shares, penalties=[1e-4])
    np.testing.assert_allclose(head.predict(side), shares, atol=0.01)


def test_noise_is_regularised_more_than_what_can_be_learned():
    clear = np.eye(2)[(FEATURES[:, 0] > 2).astype(int)]
    noise = np.eye(2)[RANDOM.integers(0, 2, 120)]
    penalties = [fit_linear_head(FEATURES, each, groups=HOTELS).penalty for each in (clear, noise)]
    assert penalties[0] < penalties[1]


def test_held_out_predictions_do_not_know_their_hotel():
    # Each hotel has a colour of its own and a random class: only by heart is it right.
    features = np.eye(12)[HOTELS] * 5
    targets = np.eye(2)[np.arange(12) % 2][HOTELS]
    head = fit_linear_head(features, targets, groups=HOTELS)
    by_heart = fit_linear_head(features, targets, penalties=[1e-4])
    right = [(each.argmax(axis=1) == targets.argmax(axis=1)).mean()
             for each in (head.held_out, by_heart.predict(features))]  # fmt: skip
    assert right[0] <= 0.5
    assert right[1] == 1


def test_weights_are_held_at_those_of_a_start():
    targets = np.eye(2)[(FEATURES[:, 0] > 2).astype(int)]
    start = fit_linear_head(FEATURES, targets, penalties=[1e-4])
    again = fit_linear_head(FEATURES[:4], targets[:4], penalties=[0.3], start=start)
    alone = fit_linear_head(FEATURES[:4], targets[:4], penalties=[0.3])
    right = [(head.predict(FEATURES).argmax(axis=1) == targets.argmax(axis=1)).mean()
             for head in (again, alone)]  # fmt: skip
    assert right[0] > right[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": np.zeros(120)}, "chosen by folds over hotels, and there are 1"),
        ({"features": np.where(FEATURES > 9, np.inf, FEATURES)}, "not finite, first of photo"),
        ({"features": FEATURES[1:]}, "not rows of the same photos"),
        ({"weights": np.zeros(120)}, "none that weighs anything"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(change, message):
    targets = np.eye(2)[(FEATURES[:, 0] > 2).astype(int)]
    given = {"features": FEATURES, "targets": targets, "groups": HOTELS} | change
    with pytest.raises(TrainingError, match=message):
        fit_linear_head(**given)
