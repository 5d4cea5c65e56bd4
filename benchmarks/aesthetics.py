"""Judge and time the aesthetic models on real photos and real ratings.

    KERAS_HOME=../shared/keras python benchmarks/aesthetics.py [--short] [--only NAME ...]

Looks for the data in ``../shared/data`` beside the repository, for ImageNet's weights in
``../shared/keras`` and for idealo's published models in ``../shared/keras/nima``. Where there are
none it says so and measures only what needs none.
"""

from __future__ import annotations

import contextlib
import io
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import DATA, SHARED, enlarge, interval, results, run

# isort: split
import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

#: Kinds of distortion, each in five levels, as TID2013 has them.
KINDS = ("exposure", "blur", "noise", "jpeg", "tilt", "cast")
#: The mean score of an undistorted photo, and what each level takes from it.
BEST, STEP = 9.0, 1.5
#: Blur and noise are in the first levels, and in photos that are not made small.
TECHNICAL_SETTINGS = {"effort": "quick", "input_size": 384}
#: What makes a photo attractive is partly in details that 224 pixels lose.
RATINGS_SIZE = 320
RATINGS_SETTINGS: dict[str, object] = {}


def ava(*, short: bool) -> None:  # noqa: ARG001
    """Recompute the known figures of idealo's stored predictions."""
    from hotelviz.metrics import score_metrics

    photos = pd.read_parquet(DATA / "ava" / "idealo_predictions.parquet")
    predicted = photos[[f"q_{score}" for score in range(1, 11)]].to_numpy(dtype=float)
    table = score_metrics(photos, predicted).set_index("metric")
    print(table.round(5).to_string())
    for metric, known in (
        ("LCC", 0.61297), ("SRCC", 0.59496), ("EMD", 0.07322), ("mean |CDF difference|", 0.05100),
        ("accuracy at 5", 0.77227),
    ):  # fmt: skip
        results.append((f"AVA, {metric}", f"{known:.5f}", f"{table.loc[metric, 'value']:.5f}"))


def distort(image: Image.Image, kind: str, level: int, chance: random.Random) -> Image.Image:
    """Distort a photo, level 1 to 5."""
    side = chance.choice((-1, 1))
    if kind == "exposure":
        factor = 2 ** (side * (0.35, 0.65, 0.95, 1.3, 1.7)[level - 1])
        return image.point(lambda value: min(255, round(value * factor)))
    if kind == "blur":
        return image.filter(ImageFilter.GaussianBlur((0.9, 1.6, 2.4, 3.4, 5.0)[level - 1]))
    if kind == "noise":
        noise = np.random.default_rng(chance.randrange(2**32)).normal(
            0, (10, 18, 28, 40, 56)[level - 1], (image.height, image.width, 3)
        )
        return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype("uint8"))
    if kind == "jpeg":
        file = io.BytesIO()
        image.save(file, "JPEG", quality=(30, 20, 13, 8, 4)[level - 1])
        return Image.open(file).convert("RGB")
    if kind == "tilt":
        angle = side * (3, 6, 9, 13, 18)[level - 1]
        turned = image.rotate(angle, Image.Resampling.BICUBIC)
        # The largest upright rectangle of the photo's proportions that has no empty corner.
        sine, cosine = abs(np.sin(np.deg2rad(angle))), np.cos(np.deg2rad(angle))
        width, height = image.size
        share = min(
            width / (width * cosine + height * sine), height / (width * sine + height * cosine)
        )
        left, top = width * (1 - share) / 2, height * (1 - share) / 2
        return turned.crop((int(left) + 1, int(top) + 1, int(width - left), int(height - top)))
    tint = np.array([(1, 0, -1), (-1, 0, 1), (-0.5, 1, -0.5)][chance.randrange(3)])
    factors = 1 + tint * (0.1, 0.18, 0.27, 0.37, 0.5)[level - 1]
    return Image.fromarray((np.asarray(image) * factors).clip(0, 255).astype("uint8"))


def write_distorted(photos: pd.DataFrame, folder: str) -> pd.DataFrame:
    """Write photos and their distortions, and return the catalogue of them."""
    chance, rows = random.Random(0), []
    for photo in photos.itertuples():
        with Image.open(photo.path) as file:
            image = file.convert("RGB")
        # Test: every kind at every level, as TID2013 has them. Training: every kind twice.
        wanted = [("none", 0)]
        for kind in KINDS:
            levels = range(1, 6) if photo.split == "test" else chance.sample(range(1, 6), 2)
            wanted += [(kind, level) for level in levels]
        for number, (kind, level) in enumerate(wanted):
            path = f"{folder}/{len(rows)}.jpg"
            changed = image if kind == "none" else distort(image, kind, level, chance)
            changed.save(path, quality=95)
            rows.append(
                {
                    "image_id": f"{photo.image_id}-{number}", "path": path, "kind": kind,
                    "level": level, "original": photo.image_id, "hotel_id": photo.hotel_id,
                    "split": photo.split,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def distortions(*, short: bool) -> None:
    """Learn technical quality from graded distortions; judge on hotels that were never seen."""
    from hotelviz import metrics
    from hotelviz.catalog import maximum_entropy_ratings, read_catalog, split_catalog
    from hotelviz.inference import predict_scores
    from hotelviz.models import seen_photos
    from hotelviz.schema import RATINGS
    from hotelviz.training import train_aesthetic

    started = time.perf_counter()
    photos = read_catalog(DATA / "hotels" / "catalog.csv", classes=None)
    # Without validation photos a fifth of the hotels that are learned from judges.
    photos = split_catalog(photos, test=0.2, validation=0.0, seed=0)
    photos = photos[photos["split"].notna()]
    if short:
        photos = photos.groupby("split").head(60)
    with tempfile.TemporaryDirectory() as folder:
        catalog = write_distorted(photos, folder)
        catalog[list(RATINGS)] = maximum_entropy_ratings(BEST - STEP * catalog["level"])
        model = train_aesthetic(catalog, task="technical", progress=False, **TECHNICAL_SETTINGS)
        test = catalog[catalog["split"] == "test"].reset_index(drop=True)
        guesses = predict_scores(test, model, progress=False)
        seen = seen_photos(model, test)
        print(f"{seen.ne('').sum()} of {len(seen)} test photos were seen in training")
    predicted = guesses[[f"q_{score}" for score in range(1, 11)]].to_numpy()
    table = metrics.score_metrics(test, predicted, groups=test["hotel_id"]).set_index("metric")
    print(catalog["split"].value_counts().to_string())
    print(table.round(4).to_string())
    test["score"] = guesses["score"]
    print(test.pivot_table(index="kind", columns="level", values="score").round(2).to_string())
    whole = test[test["level"] == 0].set_index("original")["score"]
    pairs = test[test["level"] == 3]
    right = whole.loc[pairs["original"]].to_numpy() > pairs["score"].to_numpy()
    print(pd.Series(right).groupby(pairs["kind"].to_numpy()).mean().round(3).to_string())
    seconds = time.perf_counter() - started
    for metric, least in (("SRCC", 0.85), ("LCC", 0.85), ("range use", 0.7)):
        row = table.loc[metric]
        results.append(
            (
                f"distortions, {metric}",
                f">= {least}",
                interval(row),
            )
        )
    results.append(
        ("distortions, best of pair at level 3", ">= 0.95",
         f"{right.mean():.3f} of {len(right)} pairs; {seconds:.0f} s in all")
    )  # fmt: skip


def nima(task: str, size: int | None = None):
    """Adopt one of idealo's published models; with another input size, photos are smoothed."""
    import keras

    from hotelviz.models import Preprocessing, wrap_model

    file = SHARED / "keras" / "nima" / f"mobilenet_{task}.keras"
    if size is None:
        return wrap_model(file, task=task, preprocessing=Preprocessing(224, 224, "nearest"))
    published = keras.saving.load_model(file, compile=False, safe_mode=True)
    sized = keras.models.clone_model(published, input_tensors=keras.Input((size, size, 3)))
    sized.set_weights(published.get_weights())
    return wrap_model(sized, task=task, preprocessing=Preprocessing(size, size), name=file.name)


def report_ratings(judged: pd.DataFrame, predictions: dict[str, np.ndarray]) -> None:
    """Print the figures of each start, and of what the two tuned ones know together."""
    from hotelviz import metrics

    # What the two starting points know together.
    names = list(predictions)
    predictions["both tuned, averaged"] = (predictions[names[1]] + predictions[names[2]]) / 2
    compared = metrics.compare_scores(judged, predictions, groups=judged["hotel_id"])
    table = compared.pivot(index="metric", columns="model", values="value")
    bounds = compared.set_index(["metric", "model"])
    print(f"{len(judged)} photos of {judged['hotel_id'].nunique()} hotels, 3 stand-in raters each")
    print(metrics.PUBLISHED_RESULTS.join(table.round(3), how="right").to_string())
    for metric, least in (("LCC", 0.70), ("SRCC", 0.70)):
        for name in list(predictions)[1:]:
            found = metrics.Interval(*bounds.loc[(metric, name), ["value", "low", "high"]])
            results.append((f"ratings, {metric}, {name}", f">= {least}", str(found)))
    used = table.loc["range use"]
    results.append(
        (
            "ratings, range use, second / first",
            ">= 2",
            f"{used[names[1]] / used[names[0]]:.2f} ({used[names[0]]:.2f} to {used[names[1]]:.2f})",
        )
    )


def ratings(*, short: bool) -> None:
    """Run the talk's two iterations on ratings of hotel photos, cross-validated by hotel.

    The raters are stand-ins: image-language models, not people.
    """
    from sklearn.model_selection import GroupKFold

    from hotelviz import metrics
    from hotelviz.catalog import count_ratings, read_catalog
    from hotelviz.inference import predict_scores
    from hotelviz.models import seen_photos
    from hotelviz.training import train_aesthetic

    hotels = DATA / "hotels"
    photos = read_catalog(hotels / "catalog.csv", classes=None)
    single = pd.read_csv(hotels / "ratings.csv").rename(columns={"path": "image_id"})
    photos = photos.merge(count_ratings(single), on="image_id").reset_index(drop=True)
    shares = [f"q_{score}" for score in range(1, 11)]
    published = nima("aesthetic")
    names = ("first: idealo's as it is", "second: tuned from it", "tuned from ImageNet")
    predictions = {name: np.full((len(photos), 10), np.nan) for name in names}
    predictions[names[0]] = predict_scores(photos, published, progress=False)[shares].to_numpy()
    folds = GroupKFold(5, shuffle=True, random_state=0).split(photos, groups=photos["hotel_id"])
    done = np.zeros(len(photos), bool)
    for number, (_, tested) in enumerate(folds):
        started = time.perf_counter()
        fold = photos.assign(split="train")
        fold.loc[tested, "split"] = "test"
        starts = ({"parent": nima("aesthetic", RATINGS_SIZE)}, {"input_size": RATINGS_SIZE})
        for name, start in zip(names[1:], starts, strict=True):
            model = train_aesthetic(
                fold, progress=False,
                **{**RATINGS_SETTINGS, **start, **({"fine_tune_epochs": 1} if short else {})},
            )  # fmt: skip
            seen = seen_photos(model, fold.loc[tested])
            print(f"fold {number}: {seen.ne('').sum()} of {len(seen)} were seen in training")
            guesses = predict_scores(fold.loc[tested], model, progress=False)
            predictions[name][tested] = guesses[shares].to_numpy()
        done[tested] = True
        table = (
            metrics.compare_scores(
                photos[done], {name: values[done] for name, values in predictions.items()}
            )
            .pivot(index="metric", columns="model", values="value")
            .loc[["LCC", "SRCC"], list(names)]
        )
        print(f"up to fold {number}: {time.perf_counter() - started:.0f} s", flush=True)
        print(table.round(3).to_string(), flush=True)
        if short:
            break
    report_ratings(photos[done], {name: values[done] for name, values in predictions.items()})


def two_models(*, short: bool) -> None:
    """Time scoring with two models in one pass against one."""
    from hotelviz.catalog import read_catalog
    from hotelviz.inference import score_photos

    photos = read_catalog(DATA / "hotels" / "catalog.csv", classes=None)
    models = [nima("aesthetic"), nima("technical")]
    with tempfile.TemporaryDirectory() as folder:
        small = photos.head(200 if short else 800)
        large = photos.head(32 if short else 96).copy()
        large["path"] = enlarge(large["path"], folder)
        for name, chosen in (("448 pixels", small), ("1,920 pixels", large)):
            ratios = []
            for turn in range(3 if short else 5):
                times = []
                for count in (1, 2):
                    started = time.perf_counter()
                    out = f"{folder}/{name}-{turn}-{count}"
                    score_photos(chosen, models[:count], out, progress=False)
                    times.append(time.perf_counter() - started)
                ratios.append(times[1] / times[0])
                print(f"{name}: one model {times[0]:.2f} s, two {times[1]:.2f} s")
            # The first turn compiles.
            measured = f"{float(np.median(ratios[1:])):.2f}"
            results.append((f"two models in one pass / one, {name}", "<= 1.7", measured))


def _checked(command: list[str]) -> None:
    """Run a command; where it fails, what it said is the error."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")


def kills(*, short: bool) -> None:
    """Kill the command at random moments; what is there in the end is what would have been."""
    from hotelviz.models import save_model
    from hotelviz.scores import open_scores

    photos = DATA / "hotels" / "catalog.csv"
    times, chance = 3 if short else 20, random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        for task in ("aesthetic", "technical"):
            save_model(nima(task), f"{folder}/{task}.keras")

        def command(out: str) -> list[str]:
            return [
                sys.executable, "-m", "hotelviz.cli", "score", str(photos), "--out", out,
                "--model", f"{folder}/aesthetic.keras", "--model", f"{folder}/technical.keras",
                "--part-size", "32",
            ]  # fmt: skip

        started = time.perf_counter()
        _checked(command(f"{folder}/whole"))
        whole = time.perf_counter() - started
        killed, writing, out = 0, 0, Path(f"{folder}/killed")
        while killed < times:
            left = set(out.glob(".part-*"))
            process = subprocess.Popen(
                command(str(out)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            # Mostly while it is scoring: it scores from about a third of its time on. Every second
            # time at the first moment after that at which it is writing a part.
            _wait(process, chance.uniform(0.2, 0.45) * whole)
            while killed % 2 and process.poll() is None and left.issuperset(out.glob(".part-*")):
                time.sleep(0.0005)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()
                killed += 1
                writing += not left.issuperset(out.glob(".part-*"))
            if out.joinpath("part-00000.parquet").exists():
                open_scores(out)
            if process.returncode == 0:
                # Finished before it was killed: begin anew for the kills that are left.
                for part in out.glob("part-*.parquet"):
                    part.unlink()
        _checked(command(str(out)))
        tables = [
            open_scores(run).query("SELECT * FROM scores ORDER BY image_id")
            for run in (f"{folder}/whole", out)
        ]
        pd.testing.assert_frame_equal(*tables, check_exact=False, atol=1e-6, rtol=0)
        exact = tables[0].equals(tables[1])
    results.append(
        (
            f"{killed} kills and resumed",
            "row for row the same",
            f"{len(tables[1])} rows, {'bit for bit' if exact else 'within 1e-6'}; {writing} of the "
            "kills left a part half-written",
        )
    )


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


SECTIONS = {
    "ava": ava,
    "two_models": two_models,
    "kills": kills,
    "distortions": distortions,
    "ratings": ratings,
}


if __name__ == "__main__":
    run(__doc__, SECTIONS)
