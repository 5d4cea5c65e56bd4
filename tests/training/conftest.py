"""What the tests of training share: a small backbone, photos that are easy to tell apart."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pandas as pd
import pytest
from backbones import first_layers
from PIL import Image
from runs import QUICK, SHORT, TUNED, interrupted

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


class Training(NamedTuple):
    """An undisturbed training, and the folder of the same one, stopped after an epoch."""

    photos: pd.DataFrame
    whole: keras.Model
    stopped: Path

    def copied(self, folder: Path) -> Path:
        """Copy what the stopped one left: tests damage it, and go on with it."""
        return Path(shutil.copytree(self.stopped, folder / "work"))


def twice_trained(folder: Path, **settings: Any) -> Training:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "MobileNet", first_layers)
        photos = draw_coloured(folder)
        with interrupted(1):
            train_tagger(photos, checkpoint_dir=folder / "work", **settings)
        return Training(photos, train_tagger(photos, **settings), folder / "work")


@pytest.fixture(scope="session")
def linear(tmp_path_factory: pytest.TempPathFactory) -> keras.Model:
    """A linear head on the coloured photos; tests only read it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "MobileNet", first_layers)
        photos = draw_coloured(tmp_path_factory.mktemp("linear"))
        return train_tagger(photos, effort="quick", **QUICK)


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Training:
    """Trainings from scratch, with `SHORT` settings."""
    return twice_trained(tmp_path_factory.mktemp("scratch"), **SHORT)


@pytest.fixture(scope="session")
def tuning(tmp_path_factory: pytest.TempPathFactory) -> Training:
    """Trainings in two phases, with `TUNED` settings."""
    return twice_trained(tmp_path_factory.mktemp("tuning"), **TUNED)
