"""Building, describing, saving and loading networks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import applications, layers

from hotelviz.errors import ModelError, OutputError
from hotelviz.models import (
    Preprocessing,
    backbone_range,
    build_tagger,
    load_model,
    model_info,
    save_model,
    storage,
    update_info,
    weights_hash,
    wrap_model,
)

CLASSES = ["Bedroom", "Foyer", "Pool"]


def small(**kw) -> keras.Model:
    return build_tagger(CLASSES, **{"input_size": 32, "weights": None, **kw})


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["MobileNet", "VGG16", "EfficientNetV2B0"])
def test_backbones_build_flat_through_the_same_call(backbone):
    model = small(backbone=backbone)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    outputs = model(np.zeros((2, 32, 32, 3), "float32"), training=False).numpy()
    assert outputs.shape == (2, 3)
    np.testing.assert_allclose(outputs.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("backbone", "module"),
    [
        ("MobileNet", applications.mobilenet),
        ("MobileNetV3Small", applications.mobilenet_v3),
        ("VGG16", applications.vgg16),
        ("ResNet50", applications.resnet),
        ("ResNet50V2", applications.resnet_v2),
        ("DenseNet121", applications.densenet),
        ("EfficientNetV2B0", applications.efficientnet_v2),
    ],
)
def test_value_range_is_that_of_keras(backbone, module):
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 4, 4, 3)).astype("float32")
    ours = Preprocessing(32, 32, value_range=backbone_range(backbone)).scale(pixels)
    np.testing.assert_allclose(ours, module.preprocess_input(pixels.copy()), atol=1e-4)


def test_channels_first_as_the_setting_of_keras_is_said():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ModelError, match="Keras is set to channels first"):
            build_tagger(["a", "b"], input_size=32, weights=None)
    finally:
        keras.config.set_image_data_format("channels_last")


def test_unknown_backbone_is_refused_with_the_nearest():
    with pytest.raises(ModelError, match=r"not 'MobilNet'; did you mean 'MobileNet'"):
        small(backbone="MobilNet")


@pytest.mark.parametrize("classes", ["Pool", {"Pool", "Bed"}, {"Pool": 1, "Bed": 2}, None])
def test_classes_have_an_order_and_are_no_letters(classes):
    with pytest.raises(ModelError, match="classes must be a list, in the order of the outputs"):
        build_tagger(classes, weights=None)


@pytest.mark.parametrize("classes", [["Pool"], [], ["Pool", "Pool"]])
def test_tagger_needs_two_different_classes(classes):
    with pytest.raises(ModelError, match="at least two different classes"):
        build_tagger(classes, weights=None)


@pytest.mark.slow
def test_same_seed_gives_the_same_weights():
    narrow = {"alpha": 0.25}
    first, second, other = (
        small(seed=seed, backbone_kw=narrow).get_weights() for seed in (1, 1, 2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.slow
def test_weights_that_cannot_be_had_name_file_and_folder(monkeypatch):
    def refuse(*_, **__):
        raise Exception("URL fetch failure on https://example.org/mobilenet_1_0_224_tf_no_top.h5")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", refuse)
    with pytest.raises(ModelError, match=r"Put mobilenet_1_0_224_tf_no_top\.h5 into .*models"):
        build_tagger(CLASSES, input_size=64)


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> tuple[keras.Model, Path]:
    """A small tagger, and the file that it was saved as."""
    model, file = small(backbone_kw={"alpha": 0.25}), tmp_path_factory.mktemp("model") / "t.keras"
    save_model(model, file)
    return model, file


@pytest.mark.slow
def test_model_file_gives_back_outputs_description_and_hash(saved):
    model, file = saved
    again = load_model(file, task="tagger")
    pixels = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(
        model(pixels, training=False), again(pixels, training=False), atol=1e-6
    )
    assert model_info(again) == model_info(model)
    assert model_info(again).classes == tuple(CLASSES)
    assert weights_hash(again) == weights_hash(model)


def test_model_is_not_saved_as_a_folder(tmp_path):
    (tmp_path / "folder.keras").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        save_model(scorer(), tmp_path / "folder.keras")


def test_model_file_has_no_optimizer_state(saved):
    model, file = saved
    weights = sum(variable.numpy().nbytes for variable in model.weights)
    assert file.stat().st_size < 1.5 * weights + 500_000


def test_model_file_must_end_in_keras(tmp_path):
    with pytest.raises(ModelError, match=r"ends in \.keras"):
        save_model(scorer(), tmp_path / "tagger.h5")


def test_missing_file_is_said(tmp_path):
    with pytest.raises(ModelError, match="no such model file"):
        load_model(tmp_path / "no.keras")


def test_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "text.keras").write_text("hello")
    with pytest.raises(ModelError, match=r"text\.keras: not a Keras model file"):
        load_model(tmp_path / "text.keras")


def test_model_without_description_is_refused(tmp_path):
    plain().save(tmp_path / "plain.keras")
    with pytest.raises(ModelError, match="without hotelviz' description"):
        load_model(tmp_path / "plain.keras")


@pytest.mark.parametrize("text", ["{", "{}", '{"task": "tagger"}'])
def test_damaged_description_is_refused(tmp_path, text):
    plain().save(tmp_path / "odd.keras")
    with zipfile.ZipFile(tmp_path / "odd.keras", "a") as archive:
        archive.writestr("hotelviz.json", text)
    with pytest.raises(ModelError, match=r"odd\.keras: "):
        load_model(tmp_path / "odd.keras")


def test_model_of_another_task_is_refused(tmp_path):
    save_model(scorer(), tmp_path / "scorer.keras")
    with pytest.raises(ModelError, match="for the task 'aesthetic', not 'tagger'"):
        load_model(tmp_path / "scorer.keras", task="tagger")


def test_half_a_model_file_is_refused(tmp_path):
    save_model(scorer(), tmp_path / "tagger.keras")
    data = (tmp_path / "tagger.keras").read_bytes()
    (tmp_path / "tagger.keras").write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelError, match=r"tagger\.keras"):
        load_model(tmp_path / "tagger.keras")


def plain(outputs: int = 10, size: int | None = 32) -> keras.Model:
    inputs = keras.Input((size, size, 3))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(inputs))
    return keras.Model(inputs, layers.Dense(outputs, activation="softmax")(pooled))


def scorer() -> keras.Model:
    return wrap_model(plain(), task="aesthetic", preprocessing=Preprocessing(32, 32, "nearest"))


def test_sequence_of_layers_is_wrapped_as_a_graph(tmp_path):
    layers = [keras.Input((32, 32, 3)), keras.layers.Conv2D(4, 3)]
    layers += [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10, "softmax")]
    sequence = keras.Sequential(layers)
    model = wrap_model(sequence, task="aesthetic", preprocessing=Preprocessing(32, 32))
    pixels = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(model(pixels), sequence(pixels))
    save_model(model, tmp_path / "graph.keras")
    np.testing.assert_allclose(load_model(tmp_path / "graph.keras")(pixels), sequence(pixels))


def test_wrapped_scorer_knows_the_scores():
    assert model_info(scorer()).classes == tuple(map(str, range(1, 11)))
    assert model_info(scorer()).preprocessing.resample == "nearest"


@pytest.mark.parametrize(
    ("model", "changes", "message"),
    [
        (plain(), {"task": "tagger"}, "needs classes"),
        (plain(), {"task": "tager"}, "did you mean 'tagger'"),
        (plain(4), {"task": "aesthetic"}, "4 outputs, but 10 classes"),
        (plain(size=64), {"task": "aesthetic"}, r"input is \(None, 64, 64, 3\)"),
    ],
)
def test_models_that_do_not_fit_are_not_wrapped(model, changes, message):
    with pytest.raises(ModelError, match=message):
        wrap_model(model, **{"preprocessing": Preprocessing(32, 32), **changes})


def test_nested_model_is_taken_apart_with_the_same_weights_and_predictions(tmp_path):
    inputs = keras.Input((32, 32, 3))
    inner = plain()
    nested = keras.Model(inputs, inner(keras.Sequential([layers.Rescaling(0.5)])(inputs)))
    flat = wrap_model(nested, task="aesthetic", preprocessing=Preprocessing(32, 32))
    assert not any(isinstance(layer, keras.Model) for layer in flat.layers)
    assert flat.weights[0] is inner.weights[0]
    pixels = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype("float32")
    np.testing.assert_array_equal(flat(pixels), nested(pixels))
    save_model(flat, tmp_path / "flat.keras")
    np.testing.assert_array_equal(load_model(tmp_path / "flat.keras")(pixels), nested(pixels))


class _OfItsOwn(keras.Model):
    def call(self, inputs):
        return inputs


def test_model_that_is_no_graph_is_refused_with_the_reason():
    with pytest.raises(ModelError, match="no graph of layers"):
        wrap_model(_OfItsOwn(), task="aesthetic", preprocessing=Preprocessing(32, 32))


def test_nested_models_with_layers_of_one_name_are_refused_with_the_reason():
    inputs = keras.Input((32, 32, 3))

    def branch(name: str) -> keras.Model:
        own = keras.Input((32, 32, 3))
        return keras.Model(own, layers.Conv2D(4, 3, name="conv")(own), name=name)

    joined = layers.Add()([branch("left")(inputs), branch("right")(inputs)])
    outputs = layers.Dense(10, "softmax")(layers.GlobalAveragePooling2D()(joined))
    with pytest.raises(ModelError, match="left, right is a model inside it"):
        wrap_model(
            keras.Model(inputs, outputs), task="aesthetic", preprocessing=Preprocessing(32, 32)
        )


def test_model_without_description_says_what_to_do():
    with pytest.raises(ModelError, match=r"hotelviz\.models\.wrap_model"):
        model_info(plain())


def test_classes_that_do_not_fit_cannot_be_written_on_a_model():
    model = scorer()
    with pytest.raises(ModelError, match="10 outputs, but the description 2 classes"):
        update_info(model, task="tagger", classes=("A", "B"))
    assert model_info(model).task == "aesthetic"


def test_fingerprint_is_of_what_a_network_computes_not_of_its_names():
    def made(padding: str = "valid", act: str = "relu", classes: str = "ABC") -> keras.Model:
        keras.utils.set_random_seed(3)
        inputs = keras.Input((32, 32, 3))
        tensor = layers.Conv2D(3, 3, padding=padding, activation=act, use_bias=False)(inputs)
        outputs = layers.Dense(3, "softmax")(layers.GlobalAveragePooling2D()(tensor))
        return wrap_model(
            keras.Model(inputs, outputs), task="tagger", classes=list(classes),
            preprocessing=Preprocessing(32, 32),
        )  # fmt: skip

    plain = weights_hash(made())
    assert weights_hash(made()) == plain  # its layers are called otherwise
    others = [
        made(act="elu"), made(padding="same"), made(classes="CAB"),
        update_info(made(), preprocessing=Preprocessing(32, 32, value_range="0..1")),
        update_info(made(), task="tagger", classes=("A", "B", "D")),
    ]  # fmt: skip
    found = [weights_hash(model) for model in others]
    assert len({plain, *found}) == 6
    swapped = made()
    kernel, dense, bias = swapped.get_weights()
    swapped.set_weights([kernel[..., ::-1], dense, bias])
    assert weights_hash(swapped) != plain


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"resample": "cubic"}, "resample must be one of"),
        ({"value_range": "-1..+1"}, r"value_range must be one of .*did you mean '-1\.\.1'"),
        ({"height": 8}, "less than 32"),
    ],
)
def test_preprocessing_is_checked(values, message):
    with pytest.raises(ModelError, match=message):
        Preprocessing(**{"height": 32, "width": 32, **values})


def test_description_is_readable_json(saved):
    with zipfile.ZipFile(saved[1]) as archive:
        values = json.loads(archive.read("hotelviz.json"))
    assert values["task"] == "tagger"
    assert values["preprocessing"]["value_range"] == "-1..1"


@pytest.mark.parametrize("setting", ["environment", "file"])
def test_another_backend_is_refused_in_one_sentence(tmp_path, setting):
    environment = {**os.environ, "KERAS_HOME": str(tmp_path)}
    environment.pop("KERAS_BACKEND", None)
    if setting == "environment":
        environment["KERAS_BACKEND"] = "jax"
    else:
        (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    (tmp_path / "a.csv").write_text("path\na.jpg\n")
    command = ["tag", "a.csv", "--model", "b.keras", "--out", "c.csv"]
    done = subprocess.run(
        [sys.executable, "-m", "hotelviz.cli", *command],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "hotelviz computes with TensorFlow: set KERAS_BACKEND=tensorflow" in done.stderr


@pytest.mark.slow
def test_bug_while_a_model_is_loaded_is_no_fault_of_the_file(tmp_path, monkeypatch):
    def broken(*_):
        raise AttributeError("a bug")

    save_model(build_tagger(["Bed", "Pool"], input_size=32, weights=None), tmp_path / "m.keras")
    monkeypatch.setattr(storage, "attach", broken)
    with pytest.raises(AttributeError, match="a bug"):
        load_model(tmp_path / "m.keras")
