"""Judge and time explanations and filter pictures on real weights and real photos.

    KERAS_HOME=../shared/keras python benchmarks/explain.py [--short] [--only NAME ...]

Looks for photos in ``../shared/data`` beside the repository, for ImageNet's weights in
``../shared/keras`` and for idealo's published models in ``../shared/keras/nima``. What it draws is
left in ``reports/benchmarks/``.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

from common import DATA, compare, leave, results, run

# isort: split
import numpy as np
import pandas as pd

from hotelviz import attribution, feature_vis, plots

#: The layers of the contact sheet: early, middle, late.
SHEET = ("conv_pw_3", "conv_pw_7", "conv_pw_12")


def photos() -> pd.DataFrame:
    """Read the real hotel photos."""
    from hotelviz.catalog import read_catalog

    return read_catalog(DATA / "hotels" / "catalog.csv", classes=None)


def quietly(function: Any, *args: Any, **keywords: Any) -> Any:
    """Call tf-keras-vis, which hands Keras 3 its input as a list."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The structure of `inputs`")
        return function(*args, **keywords)


def speed(*, short: bool) -> None:
    """Explain photos, against a loop over tf-keras-vis' Grad-CAM photo by photo."""
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.utils.model_modifiers import ReplaceToLinear
    from tf_keras_vis.utils.scores import CategoricalScore

    from hotelviz.models import build_tagger, model_info

    model = build_tagger()
    pixels, _ = attribution.read_pixels(model, photos()["path"].head(64 if short else 256))
    inputs = model_info(model).preprocessing.scale(pixels.astype("float32"))
    theirs = Gradcam(model, model_modifier=ReplaceToLinear(), clone=True)
    looped = len(pixels) // 8

    def loop() -> None:
        for number in range(looped):
            quietly(theirs, CategoricalScore([0]), inputs[number : number + 1])

    for method in ("cam", "gradcam"):
        ratio, slow, fast = compare(
            loop, lambda method=method: attribution.explain(model, pixels, method=method), 3
        )
        times = ratio * len(pixels) / looped
        print(
            f"{method}: {len(pixels) / fast:.0f} photos/s, tf-keras-vis {looped / slow:.1f} "
            f"photos/s ({looped} photos)"
        )
        results.append((f"{method} against tf-keras-vis, photos/s", ">= 5 x", f"{times:.1f} x"))


def explorer(*, short: bool) -> None:
    """Time how soon an overlay follows the controls, after the first look with each method."""
    from hotelviz.gallery.explorer import explore_predictions
    from hotelviz.models import build_tagger

    widget = explore_predictions(build_tagger(), photos().head(12))
    milliseconds = {}
    for method in attribution.METHODS:
        widget.controls["method"].value = method
        times = []
        for photo in range(1, 4 if short else 12):
            started = time.perf_counter()
            widget.controls["photo"].value = photo
            times.append(1000 * (time.perf_counter() - started))
        widget.controls["photo"].value = 0
        milliseconds[method] = float(np.median(times))
    print(pd.Series(milliseconds, name="ms").round(0).astype(int).to_string())
    slow = max(milliseconds, key=lambda method: milliseconds[method])
    quick = max(milliseconds[method] for method in attribution.QUICK_METHODS)
    results.append(
        ("explorer, an overlay after a change", "< 500 ms",
         f"{quick:.0f} ms at most for {', '.join(attribution.QUICK_METHODS)}; {slow} "
         f"{milliseconds[slow]:.0f} ms")
    )  # fmt: skip


def maximise(*, short: bool) -> None:
    """Draw channels, against tf-keras-vis' ActivationMaximization."""
    from hotelviz.models import build_tagger

    model = build_tagger()
    channels, steps = list(range(16)), 16 if short else 128
    # The first call compiles; it is not what is timed.
    feature_vis.visualize_channels(model, "conv_pw_7", channels, size=224, steps=2)
    started = time.perf_counter()
    ours = feature_vis.visualize_channels(model, "conv_pw_7", channels, size=224, steps=steps)
    mine = time.perf_counter() - started
    started = time.perf_counter()
    theirs = pixel_pictures(model, "conv_pw_7", channels, size=224, steps=steps)
    other = time.perf_counter() - started
    print(f"16 channels, {steps} steps: hotelviz {mine:.1f} s, tf-keras-vis {other:.1f} s")
    excited = [excitement(model, "conv_pw_7", channels, side) for side in (theirs, ours)]
    print(pd.DataFrame(excited, index=["tf-keras-vis", "hotelviz"]).round(2).to_string())
    results.append(("16 channels of conv_pw_7, speed", ">= 2.5 x", f"{other / mine:.2f} x"))
    results.append(
        ("mean activation of the drawn channels, with jitter", "higher",
         f"{excited[1].mean():.2f} against {excited[0].mean():.2f}; higher in "
         f"{(excited[1] > excited[0]).sum()} of 16")
    )  # fmt: skip


def pixel_pictures(
    model: Any, layer: str, channels: list[int], *, size: int, steps: int
) -> np.ndarray:
    """Draw channels with tf-keras-vis, as uint8, of the same tensor that hotelviz maximises."""
    import keras
    import tensorflow as tf
    from tf_keras_vis.activation_maximization import ActivationMaximization
    from tf_keras_vis.utils.scores import CategoricalScore

    from hotelviz.feature_vis import channel_node

    part = keras.Model(model.input, channel_node(model, layer).output)
    sized = keras.models.clone_model(part, input_tensors=keras.Input((size, size, 3)))
    sized.set_weights(part.get_weights())
    start = tf.random.stateless_uniform((len(channels), size, size, 3), (0, 0), -0.25, 0.25)
    pictures = quietly(
        ActivationMaximization(sized), CategoricalScore(channels), seed_input=start, steps=steps,
        input_range=(-1.0, 1.0),
    )  # fmt: skip
    values = np.asarray(pictures, "float32")
    # It gives pixels of 0 to 255 in some versions and of the input's range in others.
    values = values if values.max() > 2 else (values + 1) * 127.5
    return values.clip(0, 255).astype("uint8")


def excitement(model: Any, layer: str, channels: list[int], pictures: np.ndarray) -> np.ndarray:
    """Show pictures to the network, shifted by up to 8 pixels; each channel's mean activation."""
    import keras

    from hotelviz.feature_vis import channel_node
    from hotelviz.models import model_info

    part = keras.Model(model.input, channel_node(model, layer).output)
    if pictures.shape[1:] != part.input_shape[1:]:
        sized = keras.models.clone_model(part, input_tensors=keras.Input(pictures.shape[1:]))
        sized.set_weights(part.get_weights())
        part = sized
    scale = model_info(model).preprocessing.scale
    random = np.random.default_rng(0)
    means = []
    for _ in range(8):
        moved = np.roll(pictures, tuple(random.integers(-8, 9, 2)), axis=(1, 2))
        outputs = np.asarray(part(scale(moved.astype("float32")), training=False))
        means.append([outputs[place, ..., c].mean() for place, c in enumerate(channels)])
    return np.mean(means, axis=0)


def sheet(*, short: bool) -> None:
    """Draw the contact sheet: 3 layers x 8 channels, by tf-keras-vis and by hotelviz."""
    from hotelviz.models import build_tagger

    model = build_tagger()
    channels, steps = list(range(8)), 16 if short else 128
    figure = plots.new_figure((9.4, 7.6))
    parts = figure.subfigures(len(SHEET), 1)
    for part, layer in zip(parts, SHEET, strict=True):
        axes = part.subplots(2, 8, gridspec_kw={"wspace": 0.04, "hspace": 0.04})
        part.suptitle(layer, fontsize=10, x=0.01, ha="left", fontweight="bold")
        sides = {
            "tf-keras-vis": pixel_pictures(model, layer, channels, size=224, steps=steps),
            "hotelviz": feature_vis.visualize_channels(
                model, layer, channels, size=224, steps=steps
            ),
        }
        for row, (name, pictures) in zip(axes, sides.items(), strict=True):
            row[0].text(-0.08, 0.5, name, rotation=90, ha="right", va="center", fontsize=8,
                        transform=row[0].transAxes)  # fmt: skip
            for ax, picture in zip(row, pictures, strict=True):
                ax.imshow(picture)
                ax.axis("off")
    figure.savefig(leave("contact_sheet.png"), dpi=160)
    print(f"contact sheet: {leave('contact_sheet.png')}")


def nima(task: str) -> Any:
    """Adopt one of idealo's published models."""
    from aesthetics import nima as adopted

    return adopted(task)


def talk(*, short: bool) -> None:
    """Remake the talk's figure: ImageNet's MobileNet and idealo's aesthetic one."""
    from hotelviz.models import build_tagger

    original, tuned = build_tagger(), nima("aesthetic")
    sample = photos()["path"].sample(64 if short else 128, random_state=0)
    count, steps, size = (4, 32, 96) if short else (12, 128, 192)
    started = time.perf_counter()
    comparison = feature_vis.compare_filters(
        original, tuned, n_channels=count, photos=sample, size=size, steps=steps
    )
    seconds = time.perf_counter() - started
    names = ("ImageNet", "aesthetic")
    plots.save_figure(plots.filter_comparison(comparison, names=names), leave("talk_filters"))
    plots.save_figure(plots.depth_profile(comparison.profile), leave("talk_depth"))
    print(comparison.profile.round(3).to_string())
    print(comparison.channels.groupby("layer")[["weight_change", "correlation"]]
          .describe().T.round(2).to_string())  # fmt: skip
    for layer in feature_vis.PUBLISHED_LAYERS:
        channel = int(comparison.channels.query("layer == @layer")["channel"].iloc[0])
        found = [
            feature_vis.top_photos(model, photos(), layer, channel) for model in (original, tuned)
        ]
        card = plots.channel_card(
            [comparison.original[layer][0], comparison.tuned[layer][0]],
            [feature_vis.patch_pixels(table.head(9)) for table in found], names=names,
            title=f"{layer}, channel {channel}",
        )  # fmt: skip
        card.figure_.savefig(leave(f"talk_card_{layer}.png"), dpi=120)
    for task in ("aesthetic", "technical"):
        pictures = feature_vis.visualize_outputs(
            nima(task), ["1", "10"], size=size, steps=2 * steps
        )  # fmt: skip
        row = plots.picture_row(pictures, ["score 1", "score 10"], title=f"{task} model")
        row.figure_.savefig(leave(f"talk_outputs_{task}.png"), dpi=120)
    results.append(
        (f"talk's figure, 3 layers x {count} channels, {size} px", "< 300 s", f"{seconds:.0f} s")
    )
    same = feature_vis.compare_filters(
        original, build_tagger(), ("conv_pw_3", "conv_pw_11"), n_channels=2, photos=sample.head(16),
        size=64, steps=8,
    )  # fmt: skip
    apart = max(
        int(np.abs(same.original[layer].astype(int) - same.tuned[layer]).max())
        for layer in same.original
    )
    profile = same.profile
    results.append(
        ("identical models", "no change",
         f"pixels differ by {apart}; weights {profile['weight_change'].max():.0e}; 1 - CKA "
         f"{(1 - profile['cka']).abs().max():.0e}; 1 - r {(1 - profile['correlation']).max():.0e}")
    )  # fmt: skip


def hotels(*, short: bool) -> None:
    """Look at the most frequent confusions among real hotel photos."""
    from real_photos import AREAS_SETTINGS, areas_catalog
    from sklearn.model_selection import StratifiedGroupKFold

    from hotelviz.inference import predict_tags
    from hotelviz.metrics import confusions, top1
    from hotelviz.models import load_model, save_model
    from hotelviz.reports.verdicts.tried_concepts import tried_concepts, tried_sheet
    from hotelviz.training import train_tagger

    catalog = areas_catalog()
    real = catalog.index[catalog["source"] == "hotels"].to_numpy()
    halves = StratifiedGroupKFold(2, shuffle=True, random_state=0).split(
        real, catalog.loc[real, "label"], groups=catalog.loc[real, "hotel_id"]
    )
    parts = []
    for half, (_, tested) in enumerate(halves):
        file = leave(f"explain_half_{half}.keras")
        fold = catalog.assign(split="train")
        fold.loc[real[tested], "split"] = "test"
        if not file.is_file():
            settings = {**AREAS_SETTINGS, **({"fine_tune_epochs": 1} if short else {})}
            save_model(train_tagger(fold, progress=False, **settings), file)
        test = fold[fold["split"] == "test"].reset_index(drop=True)
        tags = test.merge(predict_tags(test, load_model(file), progress=False), on="image_id")
        parts.append(tags)
        print(f"half {half}: top-1 {top1(tags['label'], tags['predicted']):.3f} of {len(tags)}")
    tried = [
        tried_concepts(load_model(leave(f"explain_half_{half}.keras")), tags, 0)
        for half, tags in enumerate(parts)
    ]
    together = pd.concat(parts, ignore_index=True)
    frequent = confusions(together)
    print(frequent.head(8).to_string(index=False))
    for true, predicted in frequent[["label", "predicted"]].head(2).itertuples(index=False):
        for half, tags in enumerate(parts):
            model = load_model(leave(f"explain_half_{half}.keras"))
            found = attribution.explain_confusion(model, tags, true=true, predicted=predicted)
            print(f"{true} predicted as {predicted}, half {half}: {len(found.photos)} photos")
            rows = tried[half].of(found)
            print(rows.head(4).round(2).to_string())
            if len(rows):
                sheet = tried_sheet(tried[half], found)
                sheet.figure_.savefig(leave(f"detective_{true}_{predicted}_{half}.png"), dpi=120)


def demo(*, short: bool) -> None:
    """Check the maps of the drawn demo, with weights and without, against its masks."""
    import tempfile

    from demos import tagged_demo

    from hotelviz.models import imagenet_weights_available

    for pretrained in [False, True] if imagenet_weights_available() else [False]:
        with tempfile.TemporaryDirectory() as temporary:
            folder, hotels = Path(temporary), 20 if short else 60
            model, tags = tagged_demo(folder, pretrained=pretrained, seed=0, n_hotels=hotels)
            _trust(model, tags, folder / "rails", "weights" if pretrained else "no weights")


def _trust(model: Any, tags: pd.DataFrame, folder: Path, name: str) -> None:
    """Check the maps of rightly predicted photos against the masks of the demo."""
    from hotelviz.demo import read_masks

    right = tags[tags["label"] == tags["predicted"]].reset_index(drop=True)
    pixels, rows = attribution.read_pixels(model, right["path"])
    right, labels = right.iloc[rows], right["label"].iloc[rows].tolist()
    masks = read_masks(folder, right["image_id"], pixels.shape[1:3])
    table = attribution.trust_table(
        model, pixels, labels, methods=("cam", "gradcam"), masks=masks,
        groups=right["hotel_id"],
    )  # fmt: skip
    print(table.round(3).to_string())
    for method, row in table.iterrows():
        results.append((f"{name}, pointing game, {method}", ">= 0.85", f"{row['hit']:.3f}"))
        results.append((f"{name}, randomised, {method}", "< 0.3", f"{row['randomised']:.3f}"))
        for check in ("deletion", "insertion"):
            low, high = row[f"{check}_low"], row[f"{check}_high"]
            results.append((f"{name}, {check} over random, {method}", "> 0",
                            f"{row[check]:.3f} ({low:.3f} to {high:.3f})"))  # fmt: skip


SECTIONS = {
    "speed": speed,
    "explorer": explorer,
    "maximise": maximise,
    "sheet": sheet,
    "talk": talk,
    "hotels": hotels,
    "demo": demo,
}


if __name__ == "__main__":
    run(__doc__, SECTIONS, without_data=["demo"])
