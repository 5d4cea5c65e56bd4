"""Other people's networks: what their outputs become, and what is refused."""

from __future__ import annotations

import zipfile

import keras
import numpy as np
import pytest
from keras import layers

from hotelviz.attribution import METHODS, explain, feature_grid
from hotelviz.errors import AttributionError, ModelError, ModelWarning
from hotelviz.feature_vis import visualize_channels
from hotelviz.models import (
    Preprocessing,
    activations,
    gap_node,
    load_model,
    logits,
    save_model,
    wrap_model,
)


def ending(units: int, activation: str | None, *after: layers.Layer, scale: float = 5, **kw):
    """A network of an untold ending, whose photos it is sure about by `scale`."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((32, 32, 3), **kw)
    tensor = layers.Conv2D(8, 3, strides=2, activation="relu")(inputs)
    dense = layers.Dense(units, activation)
    output = dense(layers.GlobalAveragePooling2D()(tensor))
    kernel, bias = dense.get_weights()
    dense.set_weights([kernel * scale, bias])
    for layer in after:
        output = layer(output)
    return keras.Model(inputs, output)


def taken(model: keras.Model, classes: str = "ABC", **kw) -> keras.Model:
    return wrap_model(
        model, task="tagger", classes=list(classes), preprocessing=Preprocessing(32, 32), **kw
    )


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype="uint8")


def shown(model: keras.Model, pixels: np.ndarray) -> np.ndarray:
    return np.asarray(model(Preprocessing(32, 32).scale(pixels.astype("float32"))), "float64")


def softmax(values: np.ndarray) -> np.ndarray:
    raised = np.exp(values - values.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("after", [(), (layers.Dropout(0.5), layers.Reshape((3,)))])
def test_logits_get_a_softmax_when_told(pixels, after, tmp_path):
    theirs = ending(3, None, *after)
    with pytest.raises(ModelError, match=r"without a softmax.*sum to .*outputs='logits' adds"):
        taken(theirs)
    ours = taken(theirs, outputs="logits")
    expected = softmax(shown(theirs, pixels))
    np.testing.assert_allclose(activations(ours)(pixels), expected, atol=1e-6)
    save_model(ours, tmp_path / "ours.keras")
    again = load_model(tmp_path / "ours.keras", task="tagger")
    np.testing.assert_allclose(activations(again)(pixels), expected, atol=1e-6)
    assert (gap_node(ours) is None) == bool(after)


def test_scores_from_logits_lie_between_1_and_10(pixels):
    theirs = ending(10, None)
    kw: dict = {"task": "aesthetic", "preprocessing": Preprocessing(32, 32)}
    with pytest.raises(ModelError, match="no probabilities"):
        wrap_model(theirs, **kw)
    scores = activations(wrap_model(theirs, **kw, outputs="logits"))(pixels) @ np.arange(1, 11)
    assert ((scores >= 1) & (scores <= 10)).all()


@pytest.mark.parametrize("apart", [False, True])
def test_one_sigmoid_becomes_two_classes_when_told(pixels, apart):
    theirs = ending(1, None, layers.Activation("sigmoid")) if apart else ending(1, "sigmoid")
    with pytest.raises(ModelError, match=r"single unit: give both classes.*outputs='sigmoid'"):
        taken(theirs, "AB")
    with pytest.raises(ModelError, match="at least two different classes"):
        taken(theirs, "A", outputs="sigmoid")
    with pytest.raises(ModelError, match=r"1 outputs, but 3 classes .* the one that 0 stands"):
        taken(theirs, outputs="sigmoid")
    ours = taken(theirs, "AB", outputs="sigmoid")
    expected = shown(theirs, pixels)
    np.testing.assert_allclose(
        activations(ours)(pixels), np.hstack([1 - expected, expected]), atol=1e-6
    )


def test_sigmoids_become_probabilities_of_exactly_one_class_when_told(pixels):
    theirs = ending(3, "sigmoid")
    with pytest.raises(ModelError, match="a probability of its own, and they do not sum to 1"):
        taken(theirs)
    odds = shown(theirs, pixels)
    odds = odds / (1 - odds)
    ours = taken(theirs, outputs="sigmoid")
    np.testing.assert_allclose(
        activations(ours)(pixels), odds / odds.sum(axis=1, keepdims=True), atol=1e-4
    )


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        (lambda: ending(3, "relu"), r"\(Dense, relu\), and .*neither probabilities nor logits"),
        (lambda: ending(3, None, layers.ReLU()), r"\(ReLU, relu\), and"),
        (lambda: ending(3, "tanh"), "tanh"),
        (lambda: ending(3, None, layers.Lambda(keras.ops.softmax)), r"\(Lambda\), which cannot be"),
        (lambda: ending(1, None), "1 outputs, but 3 classes"),
        (lambda: ending(4, "softmax"), "4 outputs, but 3 classes"),
        (lambda: ending(3, None, scale=np.nan), "no numbers"),
        (lambda: ending(3, None, layers.Reshape((3, 1))), r"output is \(None, 3, 1\)"),
        (lambda: keras.Model((m := ending(3, "softmax")).input, [m.output, m.output]), "2 outputs"),
        (lambda: ending(3, "softmax", dtype="uint8"), "input is uint8"),
    ],
)
def test_endings_that_are_no_probabilities_are_refused_with_the_reason(theirs, message):
    with pytest.raises(ModelError, match=message):
        taken(theirs())


@pytest.mark.parametrize(
    ("theirs", "outputs", "message"),
    [
        (lambda: ending(3, "softmax"), "logits", "outputs='logits', but the model ends in"),
        (lambda: ending(3, "softmax"), "sigmoid", "outputs='sigmoid', but the model ends in"),
        (lambda: ending(3, None), "probabilities", "no probabilities"),
        (lambda: ending(3, "relu"), "logits", "End it before that activation"),
        (lambda: ending(3, "softmax"), "logit", "did you mean 'logits'"),
    ],
)
def test_what_is_told_of_outputs_must_be_true(theirs, outputs, message):
    with pytest.raises(ModelError, match=message):
        taken(theirs(), outputs=outputs)


@pytest.mark.slow
def test_average_of_two_networks_is_taken_as_probabilities(pixels):
    one, other = ending(3, "softmax"), ending(3, "softmax", scale=2)
    inputs = keras.Input((32, 32, 3))
    both = keras.Model(inputs, layers.Average()([one(inputs), other(inputs)]))
    for layer in (*one.layers, *other.layers):
        layer.name = f"{layer.name}_{id(layer)}"
    ours = taken(both)
    np.testing.assert_allclose(activations(ours)(pixels), shown(both, pixels), atol=1e-6)
    with pytest.raises(ModelError, match="these are probabilities already"):
        taken(both, outputs="logits")
    with pytest.raises(AttributionError, match=r"do not come from layer .* alone"):
        explain(ours, pixels, "A", method="gradcam")
    assert explain(ours, pixels, "A", method="saliency").any()
    # The logarithms stand for the logits: their softmax is the same probabilities.
    found = keras.Model(ours.input, logits(ours))
    np.testing.assert_allclose(softmax(shown(found, pixels)), shown(both, pixels), atol=1e-5)


@pytest.mark.parametrize(
    ("after", "outputs", "activation"),
    [
        ((), None, "softmax"),
        ((layers.Activation("softmax"),), None, None),
        ((layers.Softmax(),), None, None),
        ((layers.Activation("softmax"), layers.Dropout(0.2)), None, None),
        ((), "sigmoid", "sigmoid"),
        ((layers.Activation("sigmoid"),), "sigmoid", None),
        ((), "logits", None),
    ],
)
@pytest.mark.parametrize("method", ["gradcam", "saliency"])
def test_outputs_that_are_certain_still_give_maps(pixels, after, outputs, activation, method):
    """At 1.0 in float32, where softmax and sigmoid have no slope left."""
    ours = taken(ending(3, activation, *after, scale=3000), outputs=outputs)
    found = activations(ours)(pixels)
    assert (found.max(axis=1) == 1).all()
    predicted = ["ABC"[number] for number in found.argmax(axis=1)]
    assert (explain(ours, pixels, predicted, method=method).max(axis=(1, 2)) == 1).all()


@pytest.mark.parametrize("method", ["cam", "gradcam", "saliency", "scorecam"])
def test_scores_that_are_certain_are_explained_by_the_next_most_probable(pixels, method):
    """Its probability is too small for a number to hold; what speaks for it moves the score."""
    ours = wrap_model(ending(10, "softmax", scale=30000), task="aesthetic",
                 preprocessing=Preprocessing(32, 32))  # fmt: skip
    found = shown(keras.Model(ours.input, logits(ours)), pixels)
    assert (activations(ours)(pixels).max(axis=1) == 1).all()
    maps = explain(ours, pixels, "mean_score", method=method)
    best = np.sort(found.argsort(axis=1)[:, -2:], axis=1)
    pairs = [(str(high + 1), str(low + 1)) for low, high in best]
    if method == "scorecam":  # which weighs by what the score is, not by its slope
        assert maps.any()
    else:
        np.testing.assert_allclose(maps, explain(ours, pixels, pairs, method=method), atol=1e-4)


def test_input_of_any_size_is_fixed_to_that_of_the_photos(pixels, tmp_path):
    inputs = keras.Input((None, None, 3))
    tensor = layers.Conv2D(4, 3, strides=2, padding="same", name="conv")(inputs)
    theirs = keras.Model(inputs, layers.Dense(3, "softmax")(
        layers.GlobalAveragePooling2D()(tensor)))  # fmt: skip
    ours = taken(theirs)
    assert ours.input_shape == (None, 32, 32, 3)
    assert ours.get_layer("conv") is theirs.get_layer("conv")
    np.testing.assert_allclose(activations(ours)(pixels), shown(theirs, pixels), atol=1e-6)
    assert explain(ours, pixels, "A").shape == (6, 32, 32)
    assert feature_grid(ours, "conv").rows.last[-1] == 31
    assert visualize_channels(ours, "conv", [0], size=40, steps=1).shape == (1, 40, 40, 3)
    save_model(ours, tmp_path / "ours.keras")
    assert load_model(tmp_path / "ours.keras").input_shape == (None, 32, 32, 3)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((32, 32, 1), r"input is \(None, 32, 32, 1\), not .* in red, green and blue"),
        ((32, 32, 4), r"input is \(None, 32, 32, 4\)"),
        ((32, 32), r"input is \(None, 32, 32\)"),
        ((3, 32, 32), r"input is \(None, 3, 32, 32\)"),
    ],
)
def test_inputs_that_are_no_photos_are_refused(shape, message):
    inputs = keras.Input(shape)
    outputs = layers.Dense(3, "softmax")(layers.Flatten()(inputs))
    with pytest.raises(ModelError, match=message):
        taken(keras.Model(inputs, outputs))


def test_ends_in_lists_or_by_name_are_taken_out(pixels):
    plain = ending(3, "softmax", name="photo")
    expected = activations(taken(plain))(pixels)
    for theirs in (
        keras.Model([plain.input], [plain.output]),
        keras.Model({"photo": plain.input}, {"classes": plain.output}),
    ):
        np.testing.assert_array_equal(activations(taken(theirs))(pixels), expected)


@pytest.mark.slow
def test_models_that_are_not_whole_or_could_not_be_kept_are_refused():
    with pytest.raises(ModelError, match=r"has no input yet: begin it with keras\.Input"):
        taken(keras.Sequential([layers.GlobalAveragePooling2D(), layers.Dense(3, "softmax")]))
    with pytest.raises(ModelError, match=r"a model is one of Keras .* not NoneType"):
        taken(None)
    slashed = ending(3, "softmax")
    slashed.layers[1].name = "a/b"
    with pytest.raises(ModelError, match="'a/b': a name with '/' cannot be saved"):
        taken(slashed)
    quantised = ending(3, "softmax")
    quantised.layers[-1].quantize("int8")
    with pytest.raises(ModelError, match="is quantised"):
        taken(quantised)


def test_channels_first_and_memories_are_refused_by_the_name_of_the_layer():
    inputs = keras.Input((32, 32, 3))
    first = layers.GlobalAveragePooling2D(data_format="channels_first", name="pool")(
        layers.Permute((3, 1, 2))(inputs)
    )
    with pytest.raises(ModelError, match="layer 'pool' has channels first"):
        taken(keras.Model(inputs, layers.Dense(3, "softmax")(first)))
    inputs = keras.Input((32, 32, 3), batch_size=1)
    rows = layers.LSTM(4, stateful=True, name="memory")(layers.Reshape((32, 96))(inputs))
    with pytest.raises(ModelError, match=r"'memory' remembers|input is \(1, 32"):
        taken(keras.Model(inputs, layers.Dense(3, "softmax")(rows)))
    other = keras.Input((32, 32, 3), name="other")
    inputs = keras.Input((32, 32, 3))
    both = layers.Dense(3, "softmax")(layers.Flatten()(layers.Add()([inputs, other])))
    with pytest.raises(ModelError, match="2 inputs and 1 outputs"):
        taken(keras.Model([inputs, other], both))


def test_batch_that_a_model_was_built_with_is_no_part_of_it(pixels):
    theirs = keras.Sequential(
        [layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(3, "softmax")]
    )
    expected = theirs(np.zeros((1, 32, 32, 3), "float32"))
    ours = taken(theirs)
    assert ours.input_shape == (None, 32, 32, 3)
    assert activations(ours)(pixels).shape == (len(pixels), 3)
    np.testing.assert_allclose(ours(np.zeros((2, 32, 32, 3)))[:1], expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "policy"),
    [("softmax", "mixed_float16"), (None, "mixed_float16"), ("softmax", "mixed_bfloat16"),
     ("softmax", "float64")],
)  # fmt: skip
def test_half_precision_ends_in_single(pixels, activation, policy, tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        theirs = ending(3, activation)
    finally:
        keras.config.set_dtype_policy(before)
    assert theirs.output.dtype == policy.removeprefix("mixed_")
    ours = taken(theirs, outputs=None if activation else "logits")
    found = activations(ours)(pixels)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    expected = shown(theirs, pixels) if activation else softmax(shown(theirs, pixels))
    np.testing.assert_allclose(found, expected, atol=0.02)
    for method in METHODS:
        assert explain(ours, pixels[:2], "A", method=method).dtype == np.float32
    save_model(ours, tmp_path / "ours.keras")
    np.testing.assert_array_equal(activations(load_model(tmp_path / "ours.keras"))(pixels), found)


def test_file_of_logits_is_refused_and_can_be_wrapped(tmp_path, pixels):
    """Of an earlier version, which took them for probabilities."""
    file = tmp_path / "logits.keras"
    save_model(taken(ending(3, "softmax")), file)
    with zipfile.ZipFile(file) as archive:
        description = archive.read("hotelviz.json")
    ending(3, None).save(file)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("hotelviz.json", description)
    with pytest.raises(ModelError, match=r"logits\.keras: .*outputs='logits' adds the softmax"):
        load_model(file)
    assert activations(taken(file, outputs="logits"))(pixels).sum() == pytest.approx(6)


class Mine(layers.Layer):
    def call(self, inputs):
        return inputs * 1.0


def own(layer: layers.Layer) -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    tensor = layer(layers.Conv2D(4, 3)(inputs))
    return keras.Model(inputs, layers.Dense(2, "softmax")(layers.GlobalAveragePooling2D()(tensor)))


def shouted(values):
    return values * 2


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Mine(), "Mine"),
        (lambda: layers.Lambda(lambda x: x * 1.0), "Lambda"),
        (lambda: layers.Activation(shouted), "shouted"),
    ],
)
def test_layers_that_could_not_be_loaded_again_are_said_at_once_and_not_saved(tmp_path, make, name):
    with pytest.warns(ModelWarning, match=f"{name} is not one of Keras' own layers"):
        model = wrap_model(own(make()), task="tagger", classes=["a", "b"],
                      preprocessing=Preprocessing(32, 32))  # fmt: skip
    (tmp_path / "old.keras").write_text("what was there")
    with pytest.raises(ModelError, match=f"{name} .* could not be loaded again"):
        save_model(model, tmp_path / "old.keras")
    assert (tmp_path / "old.keras").read_text() == "what was there"
    assert [file.name for file in tmp_path.iterdir()] == ["old.keras"]
