"""Whether comparisons of two models are right as often as they say: simulated hotels.

    python benchmarks/comparison.py [--short] [--only coverage intervals seeds loss required]

Photos of a hotel are alike: a hotel is easy or hard for both models, and one of them suits it more
than the other. ``coverage``: how often 95 % intervals hold the true difference, by the jackknife
over hotels and by percentiles of a bootstrap; ``intervals``: the same of single figures, as reports
show them. ``seeds``: how often one model with two seeds is
called different. ``loss``: how often a planted loss in one class is found. ``required``: how many
photos it takes, as `required_photos` says and as it is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from common import results, run
from scipy.stats import rankdata

Gain = Callable[[np.ndarray], float]
CLASSES = [f"class {number}" for number in range(8)]


def hotels(random: np.random.Generator, n_hotels: int, n_photos: int) -> np.ndarray:
    """Give each photo its hotel; sizes of hotels fall off as those of the catalogue do."""
    sizes = random.geometric(1 / max(1.0, n_photos / n_hotels), n_hotels)
    return np.repeat(np.arange(n_hotels), sizes)


def right(random: np.random.Generator, hotel: np.ndarray, gain: float = 0.05) -> np.ndarray:
    """Say of each photo whether the old and the new model are right, (n_photos, 2)."""
    n_hotels = int(hotel.max()) + 1
    level = random.normal(0, 0.7, n_hotels)[hotel] + random.normal(0, 1, len(hotel))
    suits = gain + random.normal(0, 0.4, n_hotels)[hotel]
    noise = random.normal(0, 0.5, (2, len(hotel)))
    return np.stack([1.3 + level + noise[0] > 0, 1.3 + level + suits + noise[1] > 0], axis=1)


def scores(random: np.random.Generator, hotel: np.ndarray) -> np.ndarray:
    """Give each photo its rating and the old and the new model's score, (n_photos, 3)."""
    n_hotels, n = int(hotel.max()) + 1, len(hotel)
    truth = random.normal(0, 0.6, n_hotels)[hotel] + random.normal(0, 0.8, n)
    errors = [random.normal(0, 0.3, n_hotels)[hotel] + random.normal(0, 0.7, n) for _ in range(3)]
    old = 0.6 * truth + errors[0]
    new = 0.65 * truth + 0.6 * errors[0] + 0.6 * errors[1]
    return np.stack([truth, old, new], axis=1)


def accuracy_gain(drawn: np.ndarray) -> float:
    return float(drawn[:, 1].mean() - drawn[:, 0].mean())


def srcc_gain(drawn: np.ndarray) -> float:
    _, old, new = np.corrcoef(rankdata(drawn, axis=0).T)[0]
    return float(new - old)


def percentiles(
    figures: Callable[[np.ndarray], dict[str, float]], hotel: np.ndarray
) -> pd.DataFrame:
    """Return the percentile intervals of 200 resamples of hotels: what others are held against."""
    random = np.random.default_rng(0)
    members = np.split(np.argsort(hotel, kind="stable"), np.cumsum(np.bincount(hotel))[:-1])
    drawn = []
    for _ in range(200):
        rows = [members[number] for number in random.integers(len(members), size=len(members))]
        drawn.append(list(figures(np.concatenate(rows)).values()))
    low, high = np.nanquantile(np.array(drawn, dtype=float), [0.025, 0.975], axis=0)
    return pd.DataFrame({"low": low, "high": high})


def tagged(random: np.random.Generator, hotel: np.ndarray) -> pd.DataFrame:
    """Give each photo its class, what a tagger says, its rating and its score."""
    n_hotels, n = int(hotel.max()) + 1, len(hotel)
    true = random.choice(len(CLASSES), n, p=[0.35, 0.2, 0.13, 0.1, 0.08, 0.06, 0.05, 0.03])
    is_right = 1.3 + random.normal(0, 0.7, n_hotels)[hotel] + random.normal(0, 1, n) > 0
    others = (true + random.integers(1, len(CLASSES), n)) % len(CLASSES)
    rated, old, _ = scores(random, hotel).T
    predicted = np.where(is_right, true, others)
    return pd.DataFrame({"hotel": hotel, "true": true, "predicted": predicted, "rated": rated,
                         "score": old})  # fmt: skip


def figures_of(photos: pd.DataFrame) -> Callable[[np.ndarray], dict[str, float]]:
    """Return what computes accuracy, the recall of a class, macro F1 and LCC of some photos."""
    true, predicted = photos["true"].to_numpy(), photos["predicted"].to_numpy()
    rated, score, size = photos["rated"].to_numpy(), photos["score"].to_numpy(), len(CLASSES)

    def figures(rows: np.ndarray) -> dict[str, float]:
        cells = np.bincount(size * true[rows] + predicted[rows], minlength=size**2)
        counts = cells.reshape(size, size)
        right, support, taken = np.diag(counts), counts.sum(1), counts.sum(0)
        there = support > 0
        return {
            "accuracy": right.sum() / len(rows),
            "recall of a class": right[1] / support[1] if support[1] else np.nan,
            "macro F1": (2 * right[there] / (support[there] + taken[there])).mean(),
            "LCC": np.corrcoef(rated[rows], score[rows])[0, 1],
        }

    return figures


def intervals(*, short: bool) -> None:
    """Count how often the intervals that reports show hold the figure of very many photos."""
    from hotelviz.metrics import CORRELATION, SHARE, jackknife_intervals, share_interval

    random = np.random.default_rng(4)
    many = tagged(random, hotels(random, 40_000, 400_000))
    truth = pd.Series(figures_of(many)(np.arange(len(many))))
    for n_hotels in (10, 40, 200):
        n_draws = {10: 400, 40: 150, 200: 40}[n_hotels] if short else 1000
        held = pd.DataFrame(0.0, truth.index, ["ours", "bootstrap"])
        for _ in range(n_draws):
            photos = tagged(random, hotels(random, n_hotels, 10 * n_hotels))
            hotel, figures = photos["hotel"].to_numpy(), figures_of(photos)
            ours = jackknife_intervals(
                figures, len(photos), groups=hotel, bounds=dict.fromkeys(truth.index, SHARE)
                | {"LCC": CORRELATION},
            ).set_index("metric")[["low", "high"]]  # fmt: skip
            right = (photos["true"] == photos["predicted"]).to_numpy()
            ours.loc["accuracy"] = share_interval(right, groups=hotel)[1:]
            own = (photos["true"] == 1).to_numpy()
            if own.any():
                ours.loc["recall of a class"] = share_interval(right[own], groups=hotel[own])[1:]
            theirs = percentiles(figures, hotel).set_axis(truth.index)
            for name, table in (("ours", ours), ("bootstrap", theirs)):
                held[name] += (table["low"] <= truth) & (table["high"] >= truth)
        for name, row in (held / n_draws).iterrows():
            theirs = f"percentiles of a bootstrap {row['bootstrap']:.3f}"
            results.append((
                f"{name}, {n_hotels} hotels: 95 % intervals hold it ({n_draws} draws)",
                ".93 and more", f"{row['ours']:.3f} ({theirs})",
            ))  # fmt: skip


def coverage(*, short: bool) -> None:
    """Count how often an interval holds the difference of very many photos."""
    from hotelviz.metrics import jackknife_table

    for name, draw, gain in (("accuracy", right, accuracy_gain), ("SRCC", scores, srcc_gain)):
        random = np.random.default_rng(0)
        truth = gain(draw(random, hotels(random, 40_000, 400_000)))
        for n_hotels in (10, 40, 200):
            n_draws = {10: 400, 40: 200, 200: 60}[n_hotels] if short else 1000
            held = np.zeros(2)
            for _ in range(n_draws):
                hotel = hotels(random, n_hotels, 10 * n_hotels)
                drawn = draw(random, hotel)

                def difference(
                    rows: np.ndarray, drawn: np.ndarray = drawn, gain: Gain = gain
                ) -> dict[str, float]:
                    return {"": gain(drawn[rows])}

                tables = [
                    jackknife_table(difference, len(hotel), groups=hotel),
                    percentiles(difference, hotel),
                ]
                held += [float((one["low"] <= truth).item() and (one["high"] >= truth).item())
                         for one in tables]  # fmt: skip
            shares = held / n_draws
            results.append((
                f"{name}, {n_hotels} hotels: 95 % intervals hold it ({n_draws} draws)",
                ".93 to .97", f"{shares[0]:.3f} (percentiles of a bootstrap {shares[1]:.3f})",
            ))  # fmt: skip
            print(*results[-1], sep="; ", flush=True)


def tables(
    random: np.random.Generator, hotel: np.ndarray, true: np.ndarray, lost: np.ndarray | None = None
) -> list[pd.DataFrame]:
    """Make predictions of a model with two seeds; the second errs on the photos that are `lost`."""
    n_hotels = int(hotel.max()) + 1
    level = 1.3 + random.normal(0, 0.7, n_hotels)[hotel] + random.normal(0, 1, len(hotel))
    others = (true + random.integers(1, len(CLASSES), len(true))) % len(CLASSES)
    made = []
    for seed in range(2):
        is_right = level + random.normal(0, 0.3, len(hotel)) > 0
        if seed and lost is not None:
            is_right &= ~lost
        shares = np.full((len(hotel), len(CLASSES)), 0.05)
        shares[np.arange(len(hotel)), np.where(is_right, true, others)] = 0.65
        table = pd.DataFrame(shares, columns=[f"p_{name}" for name in CLASSES])
        made.append(table.assign(
            image_id=np.arange(len(hotel)).astype(str), hotel_id=hotel.astype(str),
            label=np.array(CLASSES)[true], predicted=np.array(CLASSES)[shares.argmax(axis=1)],
        ))  # fmt: skip
    return made


def seeds(*, short: bool) -> None:
    """Compare a model with itself, trained with another seed."""
    from hotelviz.metrics import compare_taggers

    random = np.random.default_rng(1)
    n_draws, called, classes = 60 if short else 400, 0, 0
    for _ in range(n_draws):
        hotel = hotels(random, 40, 600)
        true = random.integers(len(CLASSES), size=len(hotel))
        changes = compare_taggers(*tables(random, hotel, true)).figures.set_index("metric")
        sure = changes["change"].isin(["better", "worse"])
        called += sure["top-1 accuracy"]
        classes += sure[sure.index.str.startswith("recall ")].any()
    said = f"accuracy {called / n_draws:.3f}, any class {classes / n_draws:.3f}"
    results.append((f"two seeds, called different ({n_draws} draws)", "at most .05", said))


def loss(*, short: bool) -> None:
    """Plant a loss in one class, of 2 points of all photos and of 2 points of its own."""
    from hotelviz.metrics import compare_taggers

    random = np.random.default_rng(2)
    n_draws = 30 if short else 200
    for name, n_photos, share_of in (
        ("2 of 100 of 2,000 photos, all of one class of eight", 2_000, "all"),
        ("2 of 100 photos of a class of 2,000 photos", 16_000, "class"),
        ("2 of 100 photos of a class of 250 photos", 2_000, "class"),
    ):
        found = 0
        for _ in range(n_draws):
            hotel = hotels(random, n_photos // 10, n_photos)
            true = random.integers(len(CLASSES), size=len(hotel))
            lost = (true == 0) & (random.random(len(hotel)) < (0.16 if share_of == "all" else 0.02))
            changes = compare_taggers(*tables(random, hotel, true, lost)).figures
            found += changes.set_index("metric").loc[f"recall {CLASSES[0]}", "change"] == "worse"
        results.append((f"loss found: {name} ({n_draws} draws)", "at least .80",
                        f"{found / n_draws:.2f}"))  # fmt: skip


def required(*, short: bool) -> None:
    """Compare the photos that it is said to take with those that it takes."""
    from hotelviz.metrics import jackknife_table, required_photos

    random = np.random.default_rng(3)
    gain = 0.17
    truth = accuracy_gain(right(random, hotels(random, 40_000, 400_000), gain))

    def tested(n_photos: int) -> pd.Series:
        hotel = hotels(random, n_photos // 10, n_photos)
        drawn = right(random, hotel, gain)
        table = jackknife_table(lambda rows: {"": accuracy_gain(drawn[rows])}, len(hotel),
                                groups=hotel)  # fmt: skip
        return table.iloc[0].to_dict() | {"n_photos": len(hotel)}

    errors = [tested(400) for _ in range(40 if short else 200)]
    said = np.mean([
        required_photos(truth, standard_error=one["standard_error"], n_photos=one["n_photos"])
        for one in errors
    ])  # fmt: skip
    sizes = np.unique((said * np.array([0.7, 0.85, 1.0, 1.15, 1.3])).astype(int) // 10 * 10)
    n_draws = 150 if short else 1000
    power = [np.mean([tested(int(n))["p_value"] < 0.05 for _ in range(n_draws)]) for n in sizes]
    # The power rises with the root of the number, near 0.8 all but in a line.
    line = np.polyfit(np.sqrt(sizes), power, 1)
    needed = ((0.8 - line[1]) / line[0]) ** 2
    results.append((
        f"photos for a difference of {truth:.3f} with power .8 ({len(errors)} samples of 400)",
        "within 15 %", f"{said:.0f} said, {needed:.0f} needed ({said / needed - 1:+.0%})",
    ))  # fmt: skip


SECTIONS = {
    "coverage": coverage,
    "intervals": intervals,
    "seeds": seeds,
    "loss": loss,
    "required": required,
}

if __name__ == "__main__":
    run(__doc__, SECTIONS, without_data=SECTIONS)
