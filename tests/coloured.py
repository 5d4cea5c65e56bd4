"""A network in which three concepts are planted, and photos of them."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd
from keras import layers
from PIL import Image

from hotelviz.models import Preprocessing, wrap_model

SIDE, CELL = 32, 8
RED, BLUE, GREY = (230, 20, 20), (20, 20, 230), (110, 110, 110)
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
    if pooling == "average" and task == "aesthetic":
        # Red speaks for 8 and 9, green for 2 and 3, blue for 5.
        weights = np.zeros((7, 10), "float32")
        weights[[0, 0, 2, 2, 4], [7, 8, 1, 2, 4]] = 4
    dense.set_weights([weights, np.linspace(0, 0.3, outputs).astype("float32")])
    classes = ["Red", "Green", "Blue"] if task == "tagger" else None
    return wrap_model(
        model, task=task, classes=classes,
        preprocessing=Preprocessing(SIDE, SIDE, value_range="0..1"),
    )  # fmt: skip


def coloured_photos(folder: Path) -> pd.DataFrame:
    """Photos of sixteen cells, three of each hotel; each shows one colour more than others."""
    random, rows = np.random.default_rng(0), []
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


def tagger_by_colour() -> keras.Model:
    """A tagger that goes by colours: red is a bathroom, blue is a pool."""
    inputs = keras.Input((96, 96, 3))
    conv = layers.Conv2D(3, 4, strides=4, activation="relu", name="conv")
    dense = layers.Dense(2, "softmax", name="head")
    outputs = dense(layers.GlobalAveragePooling2D()(conv(inputs)))
    kernel = np.zeros((4, 4, 3, 3), "float32")
    kernel[..., 0, 0], kernel[..., 1:, 0] = 1, -1
    kernel[..., 2, 1], kernel[..., :2, 1] = 1, -1
    kernel[..., :, 2] = 0.01
    conv.set_weights([kernel / 16, np.zeros(3, "float32")])
    dense.set_weights([np.array([[60, 0], [0, 60], [0, 0]], "float32"), np.zeros(2, "float32")])
    return wrap_model(
        keras.Model(inputs, outputs), task="tagger", classes=["Bathroom", "Pool"],
        preprocessing=Preprocessing(96, 96, value_range="0..1"),
    )  # fmt: skip


def photo(*squares: tuple[tuple[int, int, int], int, int, int]) -> np.ndarray:
    pixels = np.full((96, 96, 3), GREY, "uint8")
    for colour, y, x, side in squares:
        pixels[y : y + side, x : x + side] = colour
    return pixels
