"""Where cells lie and what they see, against what the network itself answers to changed pixels."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers as L

from hotelviz.attribution import explain, feature_grid, receptive_field
from hotelviz.errors import AttributionError
from hotelviz.feature_vis import top_photos
from hotelviz.models import Preprocessing, build_tagger, wrap_model

HEIGHT, WIDTH = 40, 36


def positive(layer: type, *args, **kw) -> L.Layer:
    """A convolution that answers to every pixel it sees, and to none more than to another."""
    kw = {**kw, "use_bias": False}
    for name in ("kernel", "depthwise", "pointwise"):
        if layer is {"kernel": L.Conv2D, "depthwise": L.DepthwiseConv2D}.get(name) or (
            (layer is L.SeparableConv2D and name != "kernel")
            or (layer is L.Conv2DTranspose and name == "kernel")
        ):
            kw[f"{name}_initializer"] = "ones"
    return layer(*args, **kw)


def adopted(inside: Callable, size: tuple[int, int] = (HEIGHT, WIDTH)) -> keras.Model:
    """A network of which `inside` is the part that is looked at; its end is named ``end``."""
    inputs = keras.Input((*size, 3))
    tensor = L.Activation("linear", name="end")(inside(inputs))
    outputs = L.Dense(2, "softmax")(L.GlobalAveragePooling2D()(tensor))
    return wrap_model(
        keras.Model(inputs, outputs), task="tagger", classes=["a", "b"],
        preprocessing=Preprocessing(*size, value_range="0..255"),
    )  # fmt: skip


def measured(model: keras.Model) -> list[tuple[np.ndarray, np.ndarray]]:
    """Change one row, or column, of pixels at a time; what answers of each cell, and how much."""
    part = keras.Model(model.input, model.get_layer("end").output)
    size = model.input_shape[1:3]
    plain = np.random.default_rng(0).uniform(0.1, 0.2, (1, *size, 3)).astype("float32")
    found = []
    for side in (0, 1):
        changed = np.repeat(plain, size[side], axis=0)
        for number in range(size[side]):
            changed[(number, number) if side == 0 else (number, slice(None), number)] += 100
        answers = np.asarray(part(changed, training=False) - part(plain, training=False))
        found.append(np.abs(answers).sum(axis=3).max(axis=2 - side))
    return found


def check(model: keras.Model, *, centres: float | None = 0.01) -> None:
    grid, size = feature_grid(model, "end"), model.input_shape[1:3]
    for axis, answers, pixels in zip(grid, measured(model), size, strict=True):
        seen = answers > 1e-4 * answers.max()
        assert len(axis.first) == seen.shape[1]
        for cell, column in enumerate(seen.T):
            places = np.flatnonzero(column)
            if len(places):
                assert (axis.first[cell], axis.last[cell]) == (places[0], places[-1])
            else:
                assert axis.first[cell] > axis.last[cell]
            centre = axis.start + axis.step * cell
            low, high = centre - axis.reach / 2, centre + axis.reach / 2
            if centres is not None and len(places) and low >= 1 and high <= pixels - 2:
                weights = answers[:, cell]
                mass = float((weights * np.arange(pixels)).sum() / weights.sum())
                assert abs(mass - centre) <= centres + 1e-3
            # What is seen lies within the reach around the centre.
            if len(places):
                assert low - axis.step <= places[0] <= places[-1] <= high + axis.step


ONE = {
    "Conv2D": lambda x: positive(L.Conv2D, 2, (3, 5), strides=(2, 1))(x),
    "Conv2D same, even": lambda x: positive(L.Conv2D, 2, 3, strides=2, padding="same")(x),
    "Conv2D same, even kernel": lambda x: positive(L.Conv2D, 2, (4, 2), padding="same")(x),
    "Conv2D dilated": lambda x: positive(L.Conv2D, 2, 3, dilation_rate=(3, 2), padding="same")(x),
    "DepthwiseConv2D": lambda x: positive(L.DepthwiseConv2D, 3, strides=2, padding="same")(x),
    "SeparableConv2D": lambda x: positive(L.SeparableConv2D, 2, 5, strides=3)(x),
    "MaxPooling2D": lambda x: L.MaxPooling2D((3, 2), strides=(2, 3), padding="same")(x),
    "AveragePooling2D": lambda x: L.AveragePooling2D((4, 2))(x),
    "AveragePooling2D, apart": lambda x: L.AveragePooling2D(1, strides=2)(x),
    "Resizing": lambda x: L.Resizing(17, 30)(x),
    "Resizing, cubic": lambda x: L.Resizing(20, 18, interpolation="bicubic")(x),
    "Resizing, antialias": lambda x: L.Resizing(10, 9, antialias=True)(x),
    "CenterCrop": lambda x: L.CenterCrop(31, 20)(x),
    "Cropping2D": lambda x: L.Cropping2D(((7, 1), (0, 5)))(x),
    "ZeroPadding2D": lambda x: L.ZeroPadding2D(((5, 0), (1, 2)))(x),
    "Conv2DTranspose": lambda x: positive(L.Conv2DTranspose, 2, 3, strides=2)(x),
    "Conv2DTranspose, gaps": lambda x: positive(L.Conv2DTranspose, 2, 1, strides=2)(x),
    "AdaptiveAveragePooling2D": lambda x: L.AdaptiveAveragePooling2D((10, 9))(x),
    "Rescaling and Normalization": lambda x: L.Normalization(mean=[1, 2, 3], variance=[1, 1, 4])(
        L.Rescaling(0.5)(x)),
    "operations": lambda x: keras.ops.relu(x * 2.0 + 1.0),
    "Reshape and back": lambda x: L.Reshape((HEIGHT, WIDTH, 3))(L.Reshape((-1, 3))(x)),
    "Permute nothing": lambda x: L.Permute((1, 2, 3))(x),
    "Concatenate": lambda x: L.Concatenate()([
        positive(L.Conv2D, 1, 3, padding="same")(x), L.AveragePooling2D(5, 1, "same")(x)]),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE)
def test_cells_see_what_they_answer_to_and_lie_in_its_centre(name):
    check(adopted(ONE[name]))


NEAREST = {
    "Conv2DTranspose same": lambda x: positive(
        L.Conv2DTranspose, 2, 4, strides=(2, 1), padding="same")(x),
    "UpSampling2D": lambda x: L.UpSampling2D((2, 3))(L.AveragePooling2D(4)(x)),
    "UpSampling2D, bilinear": lambda x: L.UpSampling2D(2, interpolation="bilinear")(
        L.AveragePooling2D(4)(x)),
    "Resizing, nearest": lambda x: L.Resizing(25, 9, interpolation="nearest")(x),
    "shortcut beside": lambda x: L.Add()([
        positive(L.Conv2D, 1, 1, strides=2)(x),
        positive(L.Conv2D, 1, 3, strides=2, padding="same")(x)]),
}  # fmt: skip


@pytest.mark.parametrize("name", NEAREST)
def test_cells_between_two_places_lie_at_most_half_a_cell_beside(name):
    """What nearest takes, and of paths that are shifted: known to half a cell of the coarser."""
    model = adopted(NEAREST[name])
    check(model, centres=1.4)


EVERYTHING = {
    "squeeze and excite": lambda x: L.Multiply()([
        x, L.Dense(3, "sigmoid", kernel_initializer="ones")(
            L.Rescaling(1e-3)(L.GlobalAveragePooling2D(keepdims=True)(x)))]),
    "squeeze to a vector": lambda x: L.Multiply()([
        x, L.Reshape((1, 1, 3))(L.Rescaling(1e-2)(L.GlobalAveragePooling2D()(x)))]),
    "MultiHeadAttention": lambda x: L.MultiHeadAttention(1, 2)(L.Rescaling(1e-2)(x), x),
    "Attention of a sequence": lambda x: L.Reshape((HEIGHT, WIDTH, 3))(
        (lambda s: L.Attention()([L.Rescaling(1e-3)(s), s]))(L.Reshape((-1, 3))(x))),
    "GroupNormalization": lambda x: L.GroupNormalization(1)(x),
    "LayerNormalization of places": lambda x: L.LayerNormalization(axis=(1, 2, 3))(x),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERYTHING)
def test_what_looks_everywhere_keeps_its_places(name):
    """All of the photo is seen by each cell; where the cells lie does not change."""
    keras.utils.set_random_seed(1)
    model = adopted(lambda x: EVERYTHING[name](x))
    for axis, answers, pixels in zip(feature_grid(model, "end"), measured(model), (HEIGHT, WIDTH),
                                     strict=True):  # fmt: skip
        assert (answers > 0).all()
        assert set(axis.first) == {0}
        assert set(axis.last) == {pixels - 1}
        assert (axis.step, axis.start) == (1, 0)


def random_network(seed: int) -> Callable:
    """Four layers in a row, at random, now and then with a shortcut."""
    random = np.random.default_rng(seed)

    def two(low: int, high: int) -> tuple[int, int]:
        return tuple(int(value) for value in random.integers(low, high + 1, 2))

    def layer(tensor):
        height, width = tensor.shape[1:3]
        padding = str(random.choice(["same", "valid"]))
        kind = int(random.integers(9 if min(height, width) > 8 else 4))
        if kind == 0:
            return L.ZeroPadding2D((two(0, 3), two(0, 3)))(tensor)
        if kind == 1:
            return positive(L.Conv2DTranspose, 2, two(2, 4), strides=2, padding=padding)(tensor)
        if kind == 2:
            return L.Resizing(height + 3, width + 5)(tensor)
        if kind == 3:
            inner = positive(L.Conv2D, tensor.shape[-1], 3, padding="same")(tensor)
            return L.Add()([tensor, inner])
        if kind == 4:
            return positive(L.Conv2D, 2, two(1, 4), strides=two(1, 2), padding=padding)(tensor)
        if kind == 5:
            return positive(L.DepthwiseConv2D, two(2, 3), dilation_rate=2, padding=padding)(tensor)
        if kind == 6:
            return L.AveragePooling2D(two(1, 3), strides=two(1, 3), padding=padding)(tensor)
        if kind == 7:
            return L.Cropping2D((two(0, 2), two(0, 2)))(tensor)
        return L.MaxPooling2D(two(2, 3), strides=two(1, 2), padding=padding)(tensor)

    def inside(tensor):
        for _ in range(4):
            tensor = layer(tensor)
        return tensor

    return inside


@pytest.mark.parametrize("seed", range(30))
def test_random_networks_see_what_they_answer_to(seed):
    model = adopted(random_network(seed))
    # Of resized padding and enlarged cells the centre is known to half a cell.
    check(model, centres=1.5 * max(1.0, *(axis.step for axis in feature_grid(model, "end"))))


class Shifted(L.Layer):
    def call(self, inputs):
        return keras.ops.roll(inputs, 7, axis=1)


class Wider(L.Conv2D):
    """Looks like a convolution, and is none."""

    def call(self, inputs):
        return super().call(keras.ops.roll(inputs, 7, axis=1))


@pytest.mark.filterwarnings("ignore::hotelviz.models.ModelWarning")
@pytest.mark.parametrize(
    ("inside", "message"),
    [
        (lambda x: Shifted(name="mine")(x), r"'mine' \(Shifted\) moves places"),
        (lambda x: Wider(2, 3, name="mine")(x), r"'mine' \(Wider\) moves places"),
        (lambda x: L.Lambda(lambda y: y[:, 4:], name="cut")(x), r"'cut' \(Lambda\)"),
        (lambda x: x[:, 4:], r"\(GetItem\)"),
        (lambda x: keras.ops.roll(x, 3, axis=1), r"\(Roll\)"),
        (lambda x: L.Permute((2, 1, 3), name="turn")(x), r"'turn' \(Permute\)"),
        (lambda x: L.Reshape((HEIGHT // 2, WIDTH * 2, 3), name="odd")(x), r"'odd' \(Reshape\)"),
        (lambda x: L.Resizing(20, 20, crop_to_aspect_ratio=True, name="cut")(x), r"'cut'"),
        (lambda x: L.CenterCrop(50, 20, name="cut")(x), r"'cut'"),
        (lambda x: L.Concatenate(axis=1, name="over")([x, x]), r"'over' \(Concatenate\)"),
        (lambda x: L.Add(name="both")([x, L.Cropping2D(((8, 0), (0, 0)))(
            L.ZeroPadding2D(((0, 8), (0, 0)))(x))]), r"'both' \(Add\)"),
        (lambda x: L.UpSampling2D(8)(L.GlobalAveragePooling2D(keepdims=True)(x)),
         "every cell of layer 'end' sees the whole photo"),
    ],
)  # fmt: skip
def test_layer_that_is_not_known_is_refused_by_name(inside, message):
    model = adopted(inside)
    with pytest.raises(AttributionError, match=message):
        feature_grid(model, "end")
    photo = np.zeros((1, HEIGHT, WIDTH, 3), "uint8")
    with pytest.raises(AttributionError, match=message):
        explain(model, photo, "a", method="gradcam", layer="end")
    assert explain(model, photo, "a", method="saliency").shape == (1, HEIGHT, WIDTH)


def test_layer_before_one_that_is_not_known_can_be_shown():
    model = adopted(lambda x: L.Permute((2, 1, 3))(L.Conv2D(2, 3, name="conv")(x)))
    assert feature_grid(model, "conv").start == 1.0


AUGMENTING = [
    L.RandomFlip(), L.RandomRotation(0.5), L.RandomZoom(0.5), L.RandomTranslation(0.4, 0.4),
    L.RandomBrightness(0.9), L.RandomContrast(0.9), L.RandomShear(0.5, 0.5), L.RandomPerspective(),
    L.RandomHue(0.5), L.RandomSaturation(0.5), L.RandomGrayscale(), L.RandomPosterization(4),
    L.RandomColorJitter(), L.RandomErasing(), L.RandomGaussianBlur(), L.RandomInvert(),
    L.RandomSharpness(0.5), L.RandomColorDegeneration(0.5), L.GaussianNoise(0.9),
    L.SpatialDropout2D(0.9),
]  # fmt: skip


@pytest.mark.parametrize("layer", AUGMENTING, ids=lambda layer: type(layer).__name__)
def test_augmentation_leaves_a_photo_as_it_is_in_prediction(layer):
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3)).astype("float32")
    np.testing.assert_allclose(layer(pixels, training=False), pixels, atol=1e-3)


def test_layer_that_is_used_twice_is_followed_each_time():
    pool = L.AveragePooling2D(2, name="pool")
    model = adopted(lambda x: pool(L.Conv2D(2, 3, padding="same")(pool(x))))
    grid = feature_grid(model, "end")
    assert (grid.step, grid.start) == (4, 1.5)
    assert feature_grid(model, "pool (1 of 2)").step == 2
    with pytest.raises(
        ValueError, match=r"used 2 times; take one: pool \(1 of 2\), pool \(2 of 2\)"
    ):
        feature_grid(model, "pool")


@pytest.mark.parametrize("backbone", ["ResNet50", "ConvNeXtTiny", "MobileNetV3Small"])  # fmt: skip
@pytest.mark.slow
def test_networks_of_keras_are_known(backbone):
    model = build_tagger(["a", "b"], backbone=backbone, input_size=96, weights=None)
    grid = feature_grid(model)
    assert grid.step == 32
    assert 0 <= grid.start <= 48


INSIDE = {
    "nothing": lambda x: x,
    "Resizing": L.Resizing(64, 64),
    "Resizing, enlarging": L.Resizing(160, 192),
    "CenterCrop": L.CenterCrop(112, 100),
    "Cropping2D": L.Cropping2D(((16, 0), (16, 0))),
    "UpSampling2D": L.UpSampling2D(2),
    "UpSampling2D, bilinear": L.UpSampling2D(2, interpolation="bilinear"),
    "ZeroPadding2D": L.ZeroPadding2D(((32, 0), (0, 0))),
    "AveragePooling2D": L.AveragePooling2D((4, 2)),
    "MaxPooling2D": L.MaxPooling2D((2, 3), strides=(1, 3), padding="same"),
    "Conv2DTranspose": positive(L.Conv2DTranspose, 1, 3, strides=2),
}


@pytest.mark.slow
@pytest.mark.parametrize("method", ["cam", "gradcam", "layercam", "scorecam"])
@pytest.mark.parametrize("inside", INSIDE)
def test_map_peaks_on_a_bright_spot_whatever_is_inside(inside, method):
    inputs = keras.Input((128, 128, 3))
    tensor = INSIDE[inside](inputs)
    for _ in range(2):
        tensor = positive(L.Conv2D, 1, 3, strides=2, padding="same")(tensor)
    dense = L.Dense(2, activation="softmax")
    model = keras.Model(inputs, dense(L.GlobalAveragePooling2D()(tensor)))
    dense.set_weights([np.array([[0.01, -0.01]], "float32"), np.zeros(2)])
    model = wrap_model(model, task="tagger", classes=["bright", "dark"],
                  preprocessing=Preprocessing(128, 128, value_range="0..1"))  # fmt: skip
    photo = np.zeros((1, 128, 128, 3), "uint8")
    photo[0, 90:102, 26:38] = 255
    found = explain(model, photo, "bright", method=method)[0]
    peak = np.unravel_index(found.argmax(), found.shape)
    assert np.abs(np.array(peak) - (95.5, 31.5)).max() <= 6


def test_photos_that_are_not_square_have_a_grid_along_either_side(tmp_path):
    import pandas as pd
    from PIL import Image

    model = adopted(
        lambda x: positive(L.Conv2D, 1, 3, strides=(4, 2), padding="same")(x), size=(64, 97)
    )
    grid = feature_grid(model, "end")
    assert (grid.rows.step, grid.columns.step) == (4, 2)
    assert (grid.rows.start, grid.columns.start) == (1, 0)
    with pytest.raises(AttributionError, match=r"4.* along rows and 2.* along columns"):
        _ = grid.step
    assert receptive_field(model, "end") == 3
    photo = np.zeros((64, 97, 3), "uint8")
    photo[40:43, 70:73] = 255
    Image.fromarray(photo).save(tmp_path / "a.png")
    photos = pd.DataFrame({"image_id": ["a"], "path": [str(tmp_path / "a.png")]})
    found = top_photos(model, photos, "end", 0, n_photos=1)
    assert found.loc[0, "y"] * 64 == pytest.approx(41.5, abs=1.1)
    assert found.loc[0, "x"] * 97 == pytest.approx(71.5, abs=1.1)
