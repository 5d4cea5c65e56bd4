"""Concepts that are planted in a network: found, summed up, removed, named."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers
from PIL import Image

from hotelviz import concepts as c
from hotelviz.concepts import ConceptError
from hotelviz.errors import AttributionError
from hotelviz.models import Preprocessing, wrap_model

SIDE, CELL = 32, 8
#: What a cell of a photo may show, and the mixture of channels that each colour excites.
COLOURS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}


def planted(
    task: str = "tagger", *, activation: str = "relu", pooling: str = "average", seed: int = 0
) -> keras.Model:
    """A network whose channels are mixtures of three things: red, green and blue cells.

    Channels 0 and 1 look for red, 2 and 3 for green, 4 and 5 for blue; 6 for red and blue.
    """
    outputs = 10 if task == "aesthetic" else 3
    inputs = keras.Input((SIDE, SIDE, 3))
    mixture = np.array([[2, 1, 0, 0, 0, 0, 1], [0, 0, 1, 2, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1]])
    kernel = np.tile(mixture / CELL**2, (CELL, CELL, 1, 1)).astype("float32")
    conv = layers.Conv2D(7, CELL, strides=CELL, activation=activation, name="conv")
    features = conv(inputs)
    pooled = (
        layers.GlobalAveragePooling2D()(features) if pooling == "average"
        else layers.Dense(4, "relu", name="between")(layers.Flatten()(features))
    )  # fmt: skip
    dense = layers.Dense(outputs, "softmax", name="top")
    model = keras.Model(inputs, dense(pooled))
    shift = -0.5 * kernel.sum(axis=(0, 1, 2)) if activation != "relu" else np.zeros(7)
    conv.set_weights([kernel, shift.astype("float32")])
    random = np.random.default_rng(seed)
    weights = random.normal(0, 1, dense.kernel.shape).astype("float32")
    if pooling == "average" and task == "tagger":
        # Red speaks for the first class, green for the second, blue for the third.
        weights = np.zeros((7, 3), "float32")
        weights[[0, 2, 4], [0, 1, 2]] = 6
    dense.set_weights([weights, np.linspace(0, 0.3, outputs).astype("float32")])
    classes = ["Red", "Green", "Blue"] if task == "tagger" else None
    return wrap_model(
        model, task=task, classes=classes,
        preprocessing=Preprocessing(SIDE, SIDE, value_range="0..1"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Photos of sixteen cells, three of each hotel; each shows more of one colour than of others."""
    folder, random, rows = tmp_path_factory.mktemp("cells"), np.random.default_rng(0), []
    for number in range(48):
        main = number % 3
        kinds = random.choice(3, (4, 4), p=np.where(np.arange(3) == main, 0.6, 0.2))
        kinds[0, 0] = main
        cells = np.eye(3)[kinds] * random.uniform(0.3, 1, (4, 4, 1))
        pixels = np.kron(cells, np.ones((CELL, CELL, 1)))
        file = folder / f"{number}.png"
        Image.fromarray((255 * pixels).astype("uint8")).save(file)
        rows.append((f"{number}", str(file), f"h{number // 3}", list(COLOURS)[main]))
    return pd.DataFrame(rows, columns=["image_id", "path", "hotel_id", "label"])


@pytest.fixture(scope="module")
def tagger() -> keras.Model:
    return planted()


@pytest.fixture(scope="module")
def found(tagger, photos) -> c.Concepts:
    return c.find_concepts(tagger, photos, 3, progress=False)


@pytest.fixture(scope="module")
def activity(found, photos) -> c.ConceptActivity:
    return c.concept_activity(found, photos, progress=False)


def colour_of(found: c.Concepts) -> list[str]:
    """The colour that each concept stands for, by its channels."""
    mixture = np.array([[2, 1, 0, 0, 0, 0, 1], [0, 0, 1, 2, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1]])
    mixture = mixture / np.linalg.norm(mixture, axis=1, keepdims=True)
    cosines = found.components @ mixture.T
    assert cosines.max(axis=1).min() > 0.99
    return [list(COLOURS)[one] for one in cosines.argmax(axis=1)]


def test_planted_concepts_are_found(found):
    assert sorted(colour_of(found)) == sorted(COLOURS)
    assert found.exact
    assert found.choice.loc[0, "stability"] > 0.99


def test_contributions_sum_to_what_the_network_says(found, activity, tagger, photos):
    assert activity.error < 1e-4
    table = c.contributions(found, photos, "Green")
    pixels = np.stack([np.asarray(Image.open(path)) for path in photos["path"]])
    probabilities = tagger.predict(pixels / 255, verbose=0)
    logits = np.log(probabilities)
    pair = c.contributions(found, activity, ("Green", "Red"))
    assert table["error"].abs().max() < 1e-4
    np.testing.assert_allclose(pair["value"], logits[:, 1] - logits[:, 0], atol=1e-3)
    summed = pair.drop(columns=["value", "error"]).sum(axis=1)
    np.testing.assert_allclose(summed, pair["value"], atol=1e-3)
    # Only green speaks for Green, by its planted weight: channel 2, of green's share 1 in 1, 2.
    green = colour_of(found).index("green")
    amount = (pixels[..., 1] / 255).mean(axis=(1, 2))
    np.testing.assert_allclose(table[f"concept_{green}"], 6 * amount, rtol=0.02, atol=0.02)
    others = table[[f"concept_{j}" for j in range(3) if j != green]]
    assert others.abs().to_numpy().max() < 0.05
    assert activity.residual_share < 0.02
