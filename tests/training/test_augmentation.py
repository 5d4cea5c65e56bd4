"""Augmentation: each photo is cropped, turned and mirrored in one step, within its bounds."""

from __future__ import annotations

import numpy as np
import pytest

from hotelviz.training import Augmentation
from hotelviz.training.augmentation import mixing, recolour, transform


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


def test_mixed_photos_keep_of_their_target_what_they_keep_of_their_pixels():
    drawn = [mixing(1.0, 8, 32, seed=seed)[0] for seed in range(200)]
    even = [mask for mask in drawn if np.ptp(mask) == 0]
    cut = [mask for mask in drawn if np.ptp(mask) == 1]
    assert len(even) + len(cut) == len(drawn)
    assert 70 < len(cut) < 130
    for mask in cut:
        rows, columns, _ = np.nonzero(mask == 0)
        side = np.ptp(rows) + 1
        assert (side, len(rows)) == (np.ptp(columns) + 1, side**2)
    # Half of a photo on average, in each way.
    assert np.mean([mask.mean() for mask in cut]) == pytest.approx(0.5, abs=0.08)
    assert np.mean([mask.mean() for mask in even]) == pytest.approx(0.5, abs=0.1)


def test_share_of_the_batches_is_mixed_and_each_photo_gets_one_other():
    drawn = [mixing(0.25, 8, 4, seed=seed) for seed in range(400)]
    assert 70 < sum(mask.min() < 1 for mask, _ in drawn) < 130
    assert all(sorted(order) == list(range(8)) for _, order in drawn)
    assert mixing(0.0, 8, 4, seed=3)[0].min() == 1


def test_colours_stay_within_their_share_and_one_changes_nothing():
    photos = np.random.default_rng(0).uniform(0, 255, (3, 4, 5, 3)).astype("float32")
    np.testing.assert_allclose(recolour(photos, np.ones((3, 3), "float32")), photos, atol=1e-3)
    factors = Augmentation(colour=0.2).colours(300, seed=0)
    assert (factors >= 0.8).all()
    assert (factors <= 1.2).all()
    assert factors.std(axis=0).min() > 0.1
    assert (Augmentation().colours(4, seed=0) == 1).all()


def test_colours_are_brightness_contrast_and_saturation():
    photo = np.zeros((1, 1, 2, 3), "float32")
    photo[0, 0] = [[100, 60, 20], [120, 120, 120]]
    factors = np.array([[1.5, 1, 1], [1, 0.5, 1], [1, 1, 0]], "float32")
    brighter, flatter, greyer = recolour(np.repeat(photo, 3, axis=0), factors).numpy()
    np.testing.assert_allclose(brighter, 1.5 * photo[0])
    np.testing.assert_allclose(flatter, 45 + photo[0] / 2)
    np.testing.assert_allclose(greyer, [[[60, 60, 60], [120, 120, 120]]], rtol=1e-6)
    assert recolour(photo, np.array([[9, 1, 1]], "float32")).numpy().max() == 255
