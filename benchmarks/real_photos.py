"""Train, judge and time the tagger on real photos.

    KERAS_HOME=../shared/keras python benchmarks/real_photos.py [--short] [--only NAME ...]

Looks for the photos in ``../shared/data`` beside the repository, and for ImageNet's weights in
``../shared/keras``. Where there are none it says so and measures nothing.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from common import DATA, compare, enlarge, leave, results, run

# isort: split
import numpy as np
import pandas as pd

#: House photos are easy and many: a third of them, by house, teaches as much in less time.
HOUSES_KEPT = 1 / 3
#: How much a photo counts beside one of a hotel's own: those from public sets are noisy.
WEIGHTS = {"enriched": 0.5}
#: The defaults are what is judged.
AREAS_SETTINGS: dict[str, object] = {}
HOUSES_SETTINGS = {"fine_tune_epochs": 3}


def houses(*, short: bool) -> None:
    """Tell four areas of houses apart that were never seen."""
    from hotelviz import metrics
    from hotelviz.catalog import read_catalog, split_catalog
    from hotelviz.reports import run_report

    started = time.perf_counter()
    photos = split_catalog(read_catalog(DATA / "houses" / "catalog.csv"), test=0.25, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        tags_file = Path(folder) / "tags.parquet"
        train(photos, f"{folder}/tagger.keras", HOUSES_SETTINGS, short=short)
        run_report(
            "tagger_report",
            {
                "catalog": str(DATA / "houses" / "catalog.csv"),
                "model": f"{folder}/tagger.keras",
                "tags_out": str(tags_file),
            },
            leave("houses.html"),
        )
        tags = pd.read_parquet(tags_file)
    seconds = time.perf_counter() - started
    table = metrics.summary(tags)
    print(table.round(4).to_string(index=False))
    row = table.iloc[0]
    measured = f"{row['value']:.4f} ({row['low']:.4f} to {row['high']:.4f}) in {seconds:.0f} s"
    results.append(("houses, 4 classes, top-1", ">= 0.98 in < 480 s", measured))


def train(photos: pd.DataFrame, file: str, settings: dict[str, object], *, short: bool) -> None:
    """Train and save, with one epoch of fine-tuning in the short form."""
    from hotelviz.models import save_model
    from hotelviz.training import train_tagger

    save_model(train_tagger(photos, **{**settings, **short_form(short)}), file)


def short_form(short: bool) -> dict[str, object]:
    """Give the settings that the short form changes."""
    return {"fine_tune_epochs": 1} if short else {}


def areas_catalog() -> pd.DataFrame:
    """Give the photos that the areas are learned from: hotels, some houses, and public sets."""
    from hotelviz.catalog import read_catalog

    photos = read_catalog(DATA / "areas.csv")
    extra = read_catalog(DATA / "enriched" / "catalog.csv").assign(source="enriched")
    extra["image_id"] = extra["hotel_id"] = "enriched/" + extra["image_id"]
    homes = photos.loc[photos["source"] == "houses", "hotel_id"].drop_duplicates()
    left_out = homes.sample(frac=1 - HOUSES_KEPT, random_state=0)
    photos = pd.concat([photos[~photos["hotel_id"].isin(left_out)], extra], ignore_index=True)
    photos["weight"] = photos["source"].map(WEIGHTS).fillna(1.0)
    return photos


def areas(*, short: bool) -> None:
    """Tell the talk's eight areas apart on photos of hotels that were never seen, in five folds."""
    from sklearn.model_selection import StratifiedGroupKFold

    from hotelviz import metrics
    from hotelviz.inference import predict_tags
    from hotelviz.models import evaluation_photos, load_model, model_info

    photos = areas_catalog()
    hotels = photos.index[photos["source"] == "hotels"].to_numpy()
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0).split(
        hotels, photos.loc[hotels, "label"], groups=photos.loc[hotels, "hotel_id"]
    )
    parts = []
    for number, (_, tested) in enumerate(folds):
        started = time.perf_counter()
        fold = photos.assign(split="train")
        fold.loc[hotels[tested], "split"] = "test"
        model_file = str(leave(f"areas_fold_{number}.keras"))
        train(fold, model_file, AREAS_SETTINGS, short=short)
        model = load_model(model_file)
        judged = evaluation_photos(fold, model)
        test = judged.photos
        print("\n".join(judged.notes))
        tags = test.merge(predict_tags(test, model, mirror=True, progress=False), on="image_id")
        parts.append(tags.assign(fold=number))
        print(
            f"fold {number}: top-1 {metrics.top1(tags['label'], tags['predicted']):.4f} on "
            f"{len(tags)} photos, {time.perf_counter() - started:.0f} s",
            flush=True,
        )
        if short:
            break
    tags = pd.concat(parts, ignore_index=True)
    tags.to_parquet(leave("areas_predictions.parquet"), index=False)
    table = metrics.summary(tags)
    print(table.round(4).to_string(index=False))
    print(metrics.classification_report(tags["label"], tags["predicted"]).round(3).to_string())
    print(metrics.confusion_matrix(tags["label"], tags["predicted"]).to_string())
    areas_gallery(tags, model_info(model).classes)
    row = table.iloc[0]
    measured = f"{row['value']:.4f} ({row['low']:.4f} to {row['high']:.4f})"
    results.append((f"areas, 8 classes, {len(parts)} of 5 folds, top-1", ">= 0.91", measured))


def areas_gallery(tags: pd.DataFrame, classes: tuple[str, ...]) -> None:
    """Leave the gallery of what stands in the way, each fold explained by its own model."""
    from hotelviz import metrics
    from hotelviz.attribution import explain
    from hotelviz.gallery import Gallery, tag_caption
    from hotelviz.models import load_model

    wrong = metrics.misclassified(tags)
    maps = None
    for number, rows in wrong.reset_index(drop=True).groupby("fold"):
        model = load_model(leave(f"areas_fold_{number}.keras"))
        part = explain(model, rows["path"], rows["predicted"])
        maps = np.zeros((len(wrong), *part.shape[1:]), "float32") if maps is None else maps
        maps[rows.index] = part
    Gallery(
        wrong, caption=tag_caption, group="confusion", overlays=maps,
        title=f"Hotel photos that the tagger gets wrong ({len(classes)} classes)",
    ).save(leave("areas_mistakes.html"))  # fmt: skip


def speed(*, short: bool) -> None:
    """Predict from files, against a plain Keras loop on the same files, in turn."""
    import keras

    from hotelviz.inference import predict_tags
    from hotelviz.models import build_tagger, model_info

    model = build_tagger()
    scale = model_info(model).preprocessing.scale
    files = sorted((DATA / "hotels" / "photos").glob("*.jpg"))

    def plain(paths: list[str]) -> None:
        for start in range(0, len(paths), 32):
            batch = [
                keras.utils.img_to_array(keras.utils.load_img(path, target_size=(224, 224)))
                for path in paths[start : start + 32]
            ]
            model.predict(scale(np.stack(batch)), verbose=0)

    def ours(paths: list[str]) -> None:
        predict_tags(pd.DataFrame({"image_id": paths, "path": paths}), model, progress=False)

    with tempfile.TemporaryDirectory() as folder:
        large = enlarge(files[: 32 if short else 64], folder)
        small = [str(file) for file in files[: 128 if short else 256]]
        rounds = 2 if short else 4
        for name, paths, wanted in (
            ("448 pixels", small, 1.5),
            ("1,920 pixels and more", large, 4.0),
        ):
            ratio, theirs, mine = compare(lambda p=paths: plain(p), lambda p=paths: ours(p), rounds)
            print(
                f"{name}: plain loop {len(paths) / theirs:.0f} photos/s, "
                f"hotelviz {len(paths) / mine:.0f} photos/s, ratio {ratio:.2f}"
            )
            results.append((f"prediction from files, {name}", f">= {wanted} x", f"{ratio:.2f} x"))


def cam(*, short: bool) -> None:
    """Compute class activation maps, against predicting alone."""
    from hotelviz import attribution
    from hotelviz.images import read_image
    from hotelviz.models import activations, build_tagger

    model = build_tagger()
    files = sorted((DATA / "hotels" / "photos").glob("*.jpg"))[:256]
    pixels = np.stack([read_image(file, size=(224, 224)) for file in files])
    run = activations(model)

    def predict() -> None:
        for start in range(0, len(pixels), 64):
            run(pixels[start : start + 64])

    ratio, maps, alone = compare(
        lambda: attribution.explain(model, pixels), predict, 3 if short else 7
    )
    print(f"predicting 256 photos {alone:.2f} s, with maps {maps:.2f} s, ratio {ratio:.3f}")
    results.append(("CAM against predicting alone", "<= 1.15 x", f"{ratio:.3f} x"))


SECTIONS = {"speed": speed, "cam": cam, "houses": houses, "areas": areas}


if __name__ == "__main__":
    run(__doc__, SECTIONS)
