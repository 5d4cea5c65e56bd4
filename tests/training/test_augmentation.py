"""Augmentation: each photo is cropped, turned and mirrored in one step, within its bounds."""

from __future__ import annotations

import numpy as np
import pytest

from hotelviz.training import Augmentation
from hotelviz.training.augmentation import mixing, transform


def crop(augmentation: Augmentation, image: np.ndarray, size: int, seed: int) -> np.ndarray:
    matrices = augmentation.matrices(1, image.shape[0], size, seed=seed)
    return transform(image[None], matrices, size).numpy()[0]


def test_augmentation_without_change_is_the_photo():
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3))
    still = Augmentation(scale=(1.0, 1.0), rotation=0.0, flip=False)
    np.testing.assert_allclose(crop(still, image, 16, 0), image, atol=1e-3)


def test_crop_of_fixed_scale_is_a_window_of_the_photo():
    x, y = np.meshgrid(np.arange(16.0), np.arange(16.0))
    image = np.stack([x, y, x], axis=2)
    window = crop(Augmentation(scale=(0.5, 0.5), rotation=0.0, flip=False), image, 8, 3)
    np.testing.assert_allclose(np.diff(window[..., 0], axis=1), 1, atol=1e-3)
    np.testing.assert_allclose(np.diff(window[..., 1], axis=0), 1, atol=1e-3)
    assert window.min() >= -1e-3
    assert window.max() <= 15 + 1e-3


def test_flips_mirror_about_half_of_the_photos():
    matrices = Augmentation(rotation=0.0).matrices(400, 256, 224, seed=0)
    assert 0.4 < (matrices[:, 0] < 0).mean() < 0.6


def test_rotation_stays_within_its_bounds():
    matrices = Augmentation(rotation=10.0, flip=False).matrices(400, 256, 224, seed=0)
    angles = np.rad2deg(np.arctan2(matrices[:, 3], matrices[:, 0]))
    assert np.abs(angles).max() <= 10
    assert angles.std() > 4


def test_mixed_photos_are_of_two_photos_each_and_their_targets_too():
    shares = mixing(0.4, 32, seed=1)
    assert shares.sum(axis=1) == pytest.approx(1)
    assert ((shares > 0).sum(axis=1) <= 2).all()
    assert 0.1 < (1 - shares.max(axis=1)).mean() < 0.3
    np.testing.assert_array_equal(mixing(0.0, 4, seed=1), np.eye(4))
