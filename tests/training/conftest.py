"""What the tests of training share: a small backbone, photos that are easy to tell apart."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from backbones import first_layers
from PIL import Image
from runs import SHORT, course_of

from hotelviz.training import train_tagger


@pytest.fixture(autouse=True)
def small_backbone(few_layers: None) -> None:
    """Train a few layers: what is tested are the phases around them."""


def draw_coloured(folder: Path) -> pd.DataFrame:
    """96 noisy red and blue photos of 24 hotels; a quarter of the hotels validates."""
    random, rows = np.random.default_rng(0), []
    for number in range(96):
        label, colour = [("red", (150, 90, 90)), ("blue", (90, 90, 150))][number % 2]
        pixels = np.array(colour) + random.integers(-80, 81, (40, 40, 3))
        path = folder / f"{number}.png"
        Image.fromarray(pixels.astype("uint8")).save(path)
        rows.append(
            {
                "image_id": str(number), "path": str(path), "hotel_id": f"h{number // 4}",
                "label": label, "split": "val" if number >= 72 else "train",
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture
def coloured(tmp_path: Path) -> pd.DataFrame:
    return draw_coloured(tmp_path)


@pytest.fixture(scope="session")
def short_course(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The course of an undisturbed training with `SHORT` settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "MobileNet", first_layers)
        photos = draw_coloured(tmp_path_factory.mktemp("coloured"))
        return course_of(train_tagger(photos, **SHORT))
