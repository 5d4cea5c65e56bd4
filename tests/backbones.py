"""A backbone of three layers, in MobileNet's place where the network is not the point."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def first_layers(*, input_shape: tuple[int | None, int | None, int], **_: object) -> keras.Model:
    """Stand in for MobileNet by a few of its layers.

    Its "ImageNet weights" are random ones, so that both phases of a training run.
    """
    import keras
    from keras import layers

    inputs = outputs = keras.Input(input_shape)
    for name, filters, size, strides in (
        ("conv1", 8, 3, 4), ("conv_pw_5", 12, 1, 1), ("conv_pw_13", 16, 1, 1),
    ):  # fmt: skip
        outputs = layers.Conv2D(filters, size, strides=strides, name=name)(outputs)
        outputs = layers.BatchNormalization(name=f"{name}_bn")(outputs)
        outputs = layers.ReLU()(outputs)
    return keras.Model(inputs, outputs)
