"""The linear model on frozen features: what it learns, how it is regularised, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from hotelviz.errors import TrainingError
from hotelviz.metrics.linear_head import fit_linear_head, held_out_loss

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
        ({"blocks": (2, 3)}, "blocks of 2, 3 features are 5 in all, and there are 6"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(change, message):
    targets = np.eye(2)[(FEATURES[:, 0] > 2).astype(int)]
    given = {"features": FEATURES, "targets": targets, "groups": HOTELS} | change
    with pytest.raises(TrainingError, match=message):
        fit_linear_head(**given)


def test_scores_have_an_order_and_one_weight_for_each_feature():
    scores = np.clip(np.round(FEATURES[:, 0] + 3), 0, 9).astype(int)
    head = fit_linear_head(FEATURES, np.eye(10)[scores], penalties=[1e-2], ordered=True)
    steps = np.diff(head.kernel, axis=1)
    np.testing.assert_allclose(steps, np.tile(steps[:, :1], 9), atol=1e-5)
    assert np.abs(steps[1:, 0]).max() < 0.2 * steps[0, 0]
    mean = head.predict(FEATURES) @ np.arange(10)
    assert np.corrcoef(mean, scores)[0, 1] > 0.95
    # Where few photos were rated, one weight is learned better than ten.
    few, others = slice(0, 24), slice(24, None)
    apart = [
        fit_linear_head(FEATURES[few], np.eye(10)[scores[few]], penalties=[1e-2], ordered=ordered)
        for ordered in (True, False)
    ]
    error = [
        ((each.predict(FEATURES[others]) @ np.arange(10) - scores[others]) ** 2).mean()
        for each in apart
    ]
    assert error[0] < error[1]


def test_a_kind_of_few_features_has_as_much_to_say_as_one_of_many():
    # What counts is one feature; the other forty are another one with noise of their own.
    wanted, other = RANDOM.normal(size=(2, 120, 1))
    features = np.hstack([wanted, other + RANDOM.normal(size=(120, 40))])
    targets = np.eye(2)[(wanted[:, 0] + other[:, 0] > 0).astype(int)]
    kernels = [
        np.abs(fit_linear_head(features, targets, penalties=[0.3], blocks=blocks).kernel[:, 0])
        for blocks in ((), (1, 40))
    ]
    shares = [kernel[0] / kernel.sum() for kernel in kernels]
    assert shares[0] < 0.35
    assert shares[1] > 0.5
    same = fit_linear_head(features, targets, penalties=[0.3], blocks=(41,)).kernel[:, 0]
    np.testing.assert_allclose(np.abs(same), kernels[0], atol=1e-4)


def test_more_features_than_photos_are_fitted_the_same_way():
    features = RANDOM.normal(size=(30, 40)).astype("float32")
    targets = np.eye(2)[(features[:, 0] > 0).astype(int)]
    few = fit_linear_head(features, targets, penalties=[0.1])
    twice = fit_linear_head(np.tile(features, (2, 1)), np.tile(targets, (2, 1)), penalties=[0.1])
    np.testing.assert_allclose(few.kernel, twice.kernel, atol=2e-3)


def test_penalty_of_scores_is_chosen_by_the_distance_that_is_trained():
    wrong = np.eye(10)[[0, 9]]
    near, far = np.eye(10)[[1, 8]], np.eye(10)[[9, 0]]
    even = np.ones(2)
    # All are as wrong for the cross-entropy; for scores one step is a ninth of nine.
    lost = [held_out_loss(wrong, each, even, ordered=False) for each in (near, far)]
    assert lost[0] == pytest.approx(lost[1])
    lost = [held_out_loss(wrong, each, even, ordered=True) for each in (near, far)]
    np.testing.assert_allclose(lost, [np.sqrt(0.1), np.sqrt(0.9)])
    assert held_out_loss(wrong, wrong[[0, 0]], np.array([3.0, 1.0]), ordered=True) == (
        pytest.approx(np.sqrt(0.9) / 4)
    )
    features, hotels = np.random.default_rng(0).normal(size=(200, 20)), np.arange(200) // 4
    scores = np.clip(np.round(features[:, 0] * 2 + 5), 0, 9).astype(int)
    targets = np.eye(10)[scores]
    heads = {
        penalty: fit_linear_head(
            features, targets, groups=hotels, penalties=(penalty,), ordered=True
        )
        for penalty in (1e-3, 1e-1, 1.0)
    }
    chosen = fit_linear_head(features, targets, groups=hotels, penalties=[*heads], ordered=True)
    distance = {
        penalty: held_out_loss(targets, head.held_out, np.ones(200), ordered=True)
        for penalty, head in heads.items()
    }
    assert chosen.penalty == min(distance, key=distance.get)
