"""A backbone of three layers, in MobileNet's place where the network is not the point."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def first_layers(
    *,
    input_shape: tuple[int | None, int | None, int],
    pointwise: tuple[str, str] = ("conv_pw_5", "conv_pw_13"),
    alpha: float = 0.25,
    **_: object,
) -> keras.Model:
    """Stand in for MobileNet by a few of its layers, with the names of the last two.

    Its "ImageNet weights" are random ones, so that both phases of a training run.
    """
    import keras
    from keras import layers

    inputs = outputs = keras.Input(input_shape)
    for name, filters, size, strides in (
        ("conv1", 32, 3, 4), (pointwise[0], 48, 1, 1), (pointwise[1], 64, 1, 1),
    ):  # fmt: skip
        outputs = layers.Conv2D(
            round(alpha * filters), size, strides=strides, use_bias=False, name=name
        )(outputs)
        outputs = layers.BatchNormalization(name=f"{name}_bn")(outputs)
        outputs = layers.ReLU()(outputs)
    return keras.Model(inputs, outputs)


def layers_of_the_demo(**how: Any) -> keras.Model:
    """Give them the names of the layers that the demo's pages show."""
    return first_layers(pointwise=("conv_pw_3", "conv_pw_11"), **how)


def few_layers(classes: Sequence[str], task: str = "tagger", **how: Any) -> keras.Model:
    """Return a model of three layers, with the names of those that the demo looks at."""
    import keras
    from keras import layers

    from hotelviz.models import Preprocessing, wrap_model

    body = layers_of_the_demo(input_shape=(96, 96, 3), **how)
    pooled = layers.GlobalAveragePooling2D()(body.output)
    outputs = layers.Dense(len(classes), activation="softmax", name="probabilities")(pooled)
    described = {"classes": classes} if task == "tagger" else {}
    return wrap_model(
        keras.Model(body.input, outputs), task=task, preprocessing=Preprocessing(96, 96),
        **described,
    )  # fmt: skip


def write_few_layers(file: Path, **how: Any) -> Path:
    """Write such a model."""
    from hotelviz.models import save_model

    save_model(few_layers(**{"classes": ["Bedroom", "Pool"], **how}), file)
    return file
