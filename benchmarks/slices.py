"""See whether planted slices of a tagger's errors are found, and nothing where there is none.

    python benchmarks/slices.py [--short] [--only NAME ...]

Tables are simulated: hotels with their kinds, photos with properties, features and errors. The
rival, sliceline, is measured where it is installed (``pip install sliceline``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from common import results, run

# isort: split
import numpy as np
import pandas as pd

from hotelviz.embeddings import find_slices
from hotelviz.schema import AREAS

N_HOTELS = 400
#: Share of wrong photos in a planted slice; elsewhere 4 to 15 %, by area and hotel.
PLANTED_RATE = 0.5
#: A planted slice is recovered by one that shares this much with it: photos of both over either.
OVERLAP = 0.5


class Simulated:
    """A table of predictions with its properties, features, and what is planted."""

    def __init__(self, seed: int) -> None:
        self.random = random = np.random.default_rng(seed)
        sizes = np.clip(random.lognormal(2.2, 0.5, N_HOTELS).astype(int), 3, 40)
        hotel = np.repeat(np.arange(N_HOTELS), sizes)
        n = len(hotel)
        shares = [0.15, 0.25, 0.08, 0.08, 0.1, 0.07, 0.12, 0.15]
        self.area = random.choice(len(AREAS), n, p=shares)
        kind = random.choice(["city", "beach", "mountain", "airport"], N_HOTELS)[hotel]
        sources, of_sources = ["in-house", "partner", "web"], [0.5, 0.3, 0.2]
        home = random.choice(sources, N_HOTELS, p=of_sources)[hotel]
        source = np.where(random.random(n) < 0.7, home, random.choice(sources, n, p=of_sources))
        light = random.normal(0, 0.5, len(AREAS))[self.area] + random.normal(0, 1, n)
        light += random.normal(0, 0.5, N_HOTELS)[hotel]
        border = random.random(n) < np.where(source == "web", 0.3, 0.1)
        #: From below, from close by, wide, or as most are.
        view = random.choice(4, n, p=[0.2, 0.2, 0.25, 0.35])
        names = np.char.add("photo-", np.arange(n).astype(str))
        self.hotel = hotel
        self.properties = pd.DataFrame({
            "image_id": names, "brightness": 1 / (1 + np.exp(-1.2 - 0.8 * light)),
            "sharpness": np.exp(random.normal(0, 0.4, N_HOTELS)[hotel] + random.normal(5, 0.8, n)),
            "colour": np.clip(random.normal(0.3, 0.1, n), 0, 1),
            "border": np.where(border, random.uniform(0.02, 0.3, n), 0.0),
            "shape": np.where(random.random(n) < 0.15, "portrait", "landscape"),
            "megapixels": random.choice([0.3, 0.5, 0.8, 2.1], N_HOTELS)[hotel],
            "source": source, "kind": kind, "photos of the hotel": sizes[hotel].astype(float),
        })  # fmt: skip
        ways = np.vstack([random.normal(0, 1, (3, 32)), np.zeros((1, 32))])
        ways /= np.maximum(np.linalg.norm(ways, axis=1, keepdims=True), 1e-9)
        self.features = random.normal(0, 1.2, (len(AREAS), 32))[self.area] + 4 * ways[view]
        self.features += random.normal(0, 0.35, (N_HOTELS, 32))[hotel]
        self.features += random.normal(0, 0.6, (n, 32))
        self.planted = self._plant(source, border, kind, view == 0)
        base = random.uniform(0.03, 0.12, len(AREAS))[self.area]
        logit = np.log(base / (1 - base)) + random.normal(0, 0.6, N_HOTELS)[hotel]
        chance = 1 / (1 + np.exp(-logit))
        for members in self.planted.values():
            chance = np.where(members, np.maximum(chance, PLANTED_RATE), chance)
        self.wrong = random.random(n) < chance

    def _plant(
        self, source: np.ndarray, border: np.ndarray, kind: np.ndarray, below: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Choose three groups of at least forty photos."""
        random, brightness = self.random, self.properties["brightness"].to_numpy()
        areas = np.flatnonzero(np.bincount(self.area) >= 200)
        own = self.area == random.choice(areas)
        dark = own & (brightness <= np.quantile(brightness[own], random.uniform(0.15, 0.3)))
        framed = border & (source == random.choice(["web", "partner"]))
        pairs = [
            below & (self.area == area) & (kind == name) for area in areas for name in set(kind)
        ]
        large = sorted((pair for pair in pairs if pair.sum() >= 40), key=lambda pair: pair.sum())
        return {
            "dark photos of one area": dark,
            "photos of one source with a border": framed,
            "one area from below, hotels of one kind": large[random.integers(len(large))],
        }

    def table(self, wrong: np.ndarray) -> pd.DataFrame:
        """Return the predictions with these errors."""
        names = np.array(AREAS)
        other = (self.area + self.random.integers(1, len(AREAS), len(wrong))) % len(AREAS)
        return pd.DataFrame({
            "image_id": self.properties["image_id"], "hotel_id": [f"hotel-{h}" for h in self.hotel],
            "label": names[self.area], "predicted": names[np.where(wrong, other, self.area)],
        })  # fmt: skip

    def shuffled(self, *, by_hotel: bool) -> np.ndarray:
        """Return errors that have nothing to do with any property: single ones, or of hotels."""
        if not by_hotel:
            return self.random.permutation(self.wrong)
        # As likely at each hotel as its errors are, on whichever photos of it.
        rate = np.bincount(self.hotel, self.wrong) / np.bincount(self.hotel)
        return self.random.random(len(self.wrong)) < self.random.permutation(rate)[self.hotel]


def recovered(table: Simulated, members: list[np.ndarray]) -> list[bool]:
    """Return for each planted slice whether one of those found is it."""
    return [
        any((own & one).sum() >= OVERLAP * (own | one).sum() for one in members)
        for own in table.planted.values()
    ]


def found(*, short: bool) -> None:
    """Look for three planted slices in ten tables, and in shuffled ones."""
    seeds, started = range(4 if short else 10), time.perf_counter()
    hits = []
    for seed in seeds:
        table = Simulated(seed)
        slices = find_slices(table.table(table.wrong), table.features, table.properties)
        hits.append(recovered(table, list(slices.members.T)))
        print(seed, hits[-1], slices.table["slice"].tolist())
    seconds = (time.perf_counter() - started) / len(seeds)
    share = float(np.mean(hits))
    said = f"{share:.0%} of {np.size(hits)}, {seconds:.1f} s a table"
    results.append(("planted slices among the first five", ">= 90 %", said))
    n_tables = 12 if short else 200
    alarms = [len(slices) for slices in nothing_planted(n_tables)]
    said = f"{np.count_nonzero(alarms)} of {n_tables} tables"
    results.append(("shuffled errors: any slice", "<= 5 % of tables", said))


def nothing_planted(n_tables: int) -> Iterator[pd.DataFrame]:
    """Yield what is found where errors are shuffled, every second time by hotel."""
    for seed in range(n_tables):
        table = Simulated(10_000 + seed)
        wrong = table.shuffled(by_hotel=seed % 2 == 1)
        yield find_slices(table.table(wrong), table.features, table.properties).table


def rival(*, short: bool) -> None:
    """Give sliceline the same tables, at the score that 5 % of shuffled tables exceed."""
    try:
        import sliceline  # noqa: F401
    except ImportError:
        results.append(("sliceline", "fewer than ours", "not installed, not measured"))
        return
    best = (-1.0, "")
    for alpha in (0.8,) if short else (0.6, 0.8, 0.9, 0.95):
        chance = []
        for seed in range(6 if short else 40):
            table = Simulated(20_000 + seed)
            wrong = table.shuffled(by_hotel=seed % 2 == 1)
            chance.append(max((score for score, _ in by_sliceline(table, wrong, alpha)), default=0))
        least = float(np.quantile(chance, 0.95))
        hits = []
        for seed in range(4 if short else 10):
            table = Simulated(seed)
            slices = by_sliceline(table, table.wrong, alpha)
            hits.append(recovered(table, [own for score, own in slices if score > least]))
        best = max(best, (float(np.mean(hits)), f"alpha {alpha}, score over {least:.2f}"))
        print("sliceline", alpha, least, np.mean(hits, axis=0))
    said = f"{best[0]:.0%} ({best[1]})"
    results.append(("sliceline, first five apart, at 5 % false alarms", "fewer than ours", said))


def by_sliceline(
    table: Simulated, wrong: np.ndarray, alpha: float
) -> list[tuple[float, np.ndarray]]:
    """Return sliceline's first five slices that do not overlap by half, with their scores."""
    from sklearn.cluster import KMeans
    from sliceline.slicefinder import Slicefinder

    columns: dict[str, np.ndarray] = {"area": table.area}
    for name in table.properties.columns.drop("image_id"):
        values = table.properties[name]
        if pd.api.types.is_numeric_dtype(values):
            columns[name] = pd.qcut(values, 5, labels=False, duplicates="drop").to_numpy()
            if name == "border":
                columns[name] = (values > 0).to_numpy(dtype=int)
        else:
            columns[name] = pd.factorize(values)[0]
    alike = np.zeros(len(wrong), int)
    for area in np.unique(table.area):
        own = table.area == area
        alike[own] = 4 * area + KMeans(4, n_init=1, random_state=0).fit_predict(table.features[own])
    cells = np.column_stack([*columns.values(), alike]) + 1
    finder = Slicefinder(alpha=alpha, k=60, max_l=3, min_sup=20, verbose=False)
    finder.fit(cells, wrong.astype(float))
    kept: list[tuple[float, np.ndarray]] = []
    for slice_, told in zip(finder.top_slices_, finder.top_slices_statistics_, strict=True):
        asked = np.array([value is not None for value in slice_])
        own = (cells[:, asked] == slice_[asked].astype(int)).all(axis=1)
        apart = all((own & one).sum() <= OVERLAP * (own | one).sum() for _, one in kept)
        if apart and len(kept) < 5:
            kept.append((float(told["slice_score"]), own))
    return kept


SECTIONS = {"found": found, "rival": rival}


if __name__ == "__main__":
    run(__doc__, SECTIONS, without_data=SECTIONS)
