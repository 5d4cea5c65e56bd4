"""See whether darker photos in a delivery are found, nothing where nothing changed, and how fast.

    python benchmarks/drift.py [--short] [--only folds planted halves real scores]

``folds``: how far accuracies over folds vary. ``planted`` and ``halves`` are simulated tables of
properties and features, photos of a hotel alike; ``real`` darkens real photos in memory; ``scores``
compares generated scores, 280 million with as many (20 million when short; they stay under
reports/benchmarks).
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from typing import NamedTuple

from common import DATA, leave, results, run

# isort: split
import numpy as np
import pandas as pd
from generated import make_rows
from scipy.stats import norm

PROPERTIES = ["highlights", "brightness", "black level", "sharpness", "tones", "colour"]
N_PHOTOS, N_HOTELS, N_FEATURES = 10_000, 400, 64
SHOWN = 20
#: Medians and deviations of what real photos have, before the ends are cut off.
_OF_PHOTOS = np.array(
    [[1.02, 0.07], [0.84, 0.11], [0.16, 0.10], [6.5, 0.6], [7.42, 0.3], [0.33, 0.13]]
)


class Photos(NamedTuple):
    """Properties and features of photos; `dimmed` are those of the same photos, darkened."""

    hotel: np.ndarray
    table: np.ndarray
    features: np.ndarray
    dimmed: np.ndarray
    dimmed_features: np.ndarray


def simulated(random: np.random.Generator, n_photos: int) -> Photos:
    """Draw photos whose hotels differ: three tenths of what varies is the hotel's."""
    n_hotels = n_photos * N_HOTELS // N_PHOTOS
    hotel = np.sort(random.integers(n_hotels, size=n_photos))
    # Bright photos have bright highlights, and colourful ones more tones.
    mixed = np.linalg.cholesky(0.3 + 0.7 * np.eye(len(PROPERTIES)))
    parts = [random.normal(size=(n, len(PROPERTIES))) @ mixed.T for n in (n_hotels, n_photos)]
    values = np.sqrt(0.3) * parts[0][hotel] + np.sqrt(0.7) * parts[1]
    table = _OF_PHOTOS[:, 0] + _OF_PHOTOS[:, 1] * values
    table[:, 3] = np.exp(table[:, 3])
    table[:, :3] = np.clip(table[:, :3], 0.004, 1)
    table[:, 5] = np.clip(table[:, 5], 0.02, 1)
    features = random.normal(size=(n_hotels, N_FEATURES))[hotel] * 0.6
    features += random.normal(size=(n_photos, N_FEATURES)) * 0.8
    features[:, :3] += table[:, [1, 2, 5]] * 5
    return Photos(hotel, table, features, *_dimmed(table, features))


def _dimmed(table: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what darkening by 0.7 makes of photos, as it does of real ones."""
    dark = table * np.array([0.7, 0.7, 0.7, 0.49, 1, 0.7])
    dark[:, 4] += np.log2(0.7)
    moved = features.copy()
    moved[:, :3] += (dark - table)[:, [1, 2, 5]] * 5
    return dark, moved


def folds(*, short: bool) -> None:
    """Measure how much more an accuracy over folds varies than its hotels say, with a line."""
    scaled = []
    for seed in range(600 if short else 3000):
        random = np.random.default_rng(seed)
        hotel = np.repeat(np.arange(80), 5)
        values = random.normal(0, 0.6, (80, 6))[hotel] + random.normal(0, 0.8, (400, 6))
        dealt = random.permutation(80)
        side, fold, margin = (dealt % 2 == 1)[hotel], (dealt // 2 % 5)[hotel], np.zeros(400)
        for one in range(5):
            means = [values[(fold != one) & (side == which)].mean(axis=0) for which in (1, 0)]
            middle = values[fold == one] - sum(means) / 2
            margin[fold == one] = middle @ (means[0] - means[1])
        right = ((margin > 0) == side) - 0.5
        errors = np.bincount(hotel, right - right.mean())
        scaled.append(right.sum() / np.sqrt((errors**2).sum() * 80 / 79))
    results.append((f"error of an accuracy over folds, of that by hotels ({len(scaled)} draws)",
                    "root of 2: 1.41", f"{np.std(scaled):.2f}"))  # fmt: skip


class Found(NamedTuple):
    """How sure a comparison is of a change, corrected over all of them, of which, whom it shows."""

    p_value: float
    surest: str
    shown: np.ndarray
    accuracy: float


def compared(
    photos: Photos, reference: np.ndarray, current: np.ndarray, planted: np.ndarray
) -> Found:
    """Compare two deliveries as the page does; `planted`: which of the current are darkened."""
    from hotelviz.metrics import classifier_test, column_drift

    dark = planted[:, None]
    values = np.where(dark, photos.dimmed[current], photos.table[current])
    seen = np.where(dark, photos.dimmed_features[current], photos.features[current])
    tables = [
        pd.DataFrame(part, columns=PROPERTIES).assign(hotel_id=photos.hotel[rows])
        for part, rows in ((photos.table[reference], reference), (values, current))
    ]
    columns = column_drift(*tables, further_tests=1)
    test = classifier_test(
        *(one[PROPERTIES].to_numpy() for one in tables),
        (tables[0]["hotel_id"], tables[1]["hotel_id"]),
        features=(photos.features[reference], seen),
    )  # fmt: skip
    p_value = min(columns["p_corrected"].min(), 2 * test.p_value)
    shown = np.argsort(-np.nan_to_num(test.unlike, nan=-np.inf))[:SHOWN]
    return Found(float(p_value), str(columns["column"].iloc[0]), shown, test.accuracy)


def planted(*, short: bool) -> None:
    """Darken 500 of 10,000 photos, and compare with 10,000 others."""
    n_draws = 6 if short else 100
    founds, right = [], []
    for seed in range(n_draws):
        random = np.random.default_rng(seed)
        photos = simulated(random, 2 * N_PHOTOS)
        side = random.permutation(int(photos.hotel.max()) + 1)[photos.hotel] % 2 == 1
        reference, current = np.flatnonzero(~side), np.flatnonzero(side)
        dark = np.zeros(len(current), bool)
        dark[random.choice(len(current), 500, replace=False)] = True
        found = compared(photos, reference, current, dark)
        founds.append(found)
        right.append(int(dark[found.shown].sum()))
        print(seed, found.p_value, found.surest, f"{found.accuracy:.3f}", right[-1], flush=True)
    alarms = np.mean([one.p_value < 0.01 for one in founds])
    results.append((f"500 of 10,000 darker, found at 1 % false alarms ({n_draws} draws)", "found",
                    f"{alarms:.0%}"))  # fmt: skip
    results.append((f"of the twenty shown planted, mean and least of {n_draws}", ">= 18",
                    f"{np.mean(right):.1f}, {min(right)}"))  # fmt: skip


def halves(*, short: bool) -> None:
    """Compare random halves of hotels, where there is nothing to find."""
    n_draws, p_values = 20 if short else 300, []
    for seed in range(n_draws):
        random = np.random.default_rng(1000 + seed)
        photos = simulated(random, N_PHOTOS // 4)
        side = random.permutation(int(photos.hotel.max()) + 1)[photos.hotel] % 2 == 1
        nothing = np.zeros(int(side.sum()), bool)
        p_values.append(
            compared(photos, np.flatnonzero(~side), np.flatnonzero(side), nothing).p_value
        )
        if seed % 50 == 49:
            print(f"{seed + 1} draws: {np.sum(np.less(p_values, 0.05))} alarms", flush=True)
    for false in (0.05, 0.01):
        results.append((
            f"alarms between random halves by hotel, level {1 - false} ({n_draws} draws)",
            f"<= {false:.0%}", f"{np.less(p_values, false).mean():.1%}",
        ))  # fmt: skip


def looked_at(max_hotels: int) -> Photos:
    """Return what is seen in real photos, as they are and darkened in memory."""
    from hotelviz.catalog import read_catalog
    from hotelviz.embeddings import feature_model
    from hotelviz.embeddings.image_properties import image_properties
    from hotelviz.images import Decoded, View, iterate_views
    from hotelviz.models import activations, model_info, split_head

    photos = read_catalog(DATA / "areas.csv", classes=None)
    names = pd.Series(photos["hotel_id"].unique()).sample(frac=1, random_state=0)[:max_hotels]
    photos = photos[photos["hotel_id"].isin(names)].reset_index(drop=True)
    model, _ = feature_model()
    network = activations(model, split_head(model)[0])
    wanted = model_info(model).preprocessing

    def darker(pixels: np.ndarray) -> np.ndarray:
        return (pixels * 0.7).astype("uint8")

    def both(photo: Decoded) -> list[list[float]]:
        seen = []
        for one in (photo, photo._replace(views=[darker(photo.pixels)])):
            values = image_properties(one)
            brightest = max(values["thumbnail"]) / 255
            names = ["dark", "light", "sharpness", "entropy", "colour"]
            seen.append([brightest, *(values[name] for name in names)])
        return seen

    rows, values, features = [], [], []
    view = [View(wanted.size, wanted.resample)]
    for batch in iterate_views(photos["path"], view, measure=both, batch_size=64):
        rows += list(batch.rows)
        values += batch.measures
        pixels = batch.views[0]
        features.append(np.stack([network(pixels), network(darker(pixels))], axis=1))
    table, seen = np.array(values), np.concatenate(features)
    hotel = pd.factorize(photos["hotel_id"].iloc[rows])[0]
    return Photos(hotel, table[:, 0], seen[:, 0], table[:, 1], seen[:, 1])


def real(*, short: bool) -> None:
    """Halve real photos by hotel, and darken one in twenty of a half; or nothing."""
    photos = looked_at(60 if short else 10_000)
    n_draws, n_hotels = 10 if short else 100, int(photos.hotel.max()) + 1
    alarms, found, right = 0, 0, []
    for seed in range(n_draws):
        random = np.random.default_rng(seed)
        side = random.permutation(n_hotels)[photos.hotel] % 2 == 1
        rows = np.flatnonzero(~side), np.flatnonzero(side)
        dark = np.zeros(len(rows[1]), bool)
        alarms += compared(photos, *rows, dark).p_value < 0.05
        dark[random.choice(len(dark), len(dark) // 20, replace=False)] = True
        one = compared(photos, *rows, dark)
        found += one.p_value < 0.01
        right.append(float(dark[one.shown[: dark.sum()]].mean()))
    n = f"{len(photos.hotel):,} real photos of {n_hotels} hotels and houses, {n_draws} halvings"
    results.append((f"{n}: alarms", "<= 5 %", f"{alarms / n_draws:.0%}"))
    results.append((f"{n}: one in 20 darker found at 1 %", "found", f"{found / n_draws:.0%}"))
    results.append((f"{n}: shown are planted", ">= 90 %", f"{np.mean(right):.0%}"))


def scores(*, short: bool) -> None:
    """Compare generated scores with as many, of which each twentieth is lower."""
    import duckdb

    from hotelviz.metrics import score_drift
    from hotelviz.scores import open_scores

    rows = 20_000_000 if short else 280_000_000
    first = leave(f"drift_{rows}/reference")
    n_rows = make_rows(first, rows)
    second = first.parent / "current"
    second.mkdir(exist_ok=True)
    for part in sorted(first.glob("*.parquet")):
        if not (second / part.name).exists():
            duckdb.sql(f"SELECT * REPLACE ((CASE WHEN hash(image_id) % 20 = 0 THEN greatest("
                       f"score - 0.5, 1) ELSE score END)::FLOAT AS score) FROM '{part}'"
                       ).write_parquet(str(second / part.name))  # fmt: skip
    # That no photo is there twice is looked up once for each dataset: by a process of its own, so
    # that its time and memory are not those of the comparison.
    started = time.perf_counter()
    for one in (first, second):
        code = f"from hotelviz.scores import open_scores; open_scores({str(one)!r})"
        subprocess.run([sys.executable, "-c", code], check=True)
    opened = time.perf_counter() - started
    both = [open_scores(one) for one in (first, second)]
    started = time.perf_counter()
    table = score_drift(*both)
    seconds = time.perf_counter() - started
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(table[["column", "distance", "low", "high", "p_corrected", "change"]].to_string())
    of = norm.cdf(0.5 / 0.66) - 0.5
    print(f"about {of / 20:.4f} expected of scores")
    results.append((f"{n_rows:,} against as many scores", "280 M: < 30 s, 2 GB",
                    f"{seconds:.1f} s, {most:.1f} GB (searched in {opened:.0f} s)"))  # fmt: skip


SECTIONS = {"folds": folds, "planted": planted, "halves": halves, "real": real, "scores": scores}

if __name__ == "__main__":
    run(__doc__, SECTIONS, without_data=("folds", "planted", "halves", "scores"))
