"""Two deliveries of photos, or datasets of their scores, read and compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.catalog import read_catalog
from hotelviz.embeddings import (
    ImageProperties,
    compute_image_properties,
    feature_model,
    photo_properties,
    properties_folder,
)
from hotelviz.errors import ReportError
from hotelviz.metrics import (
    TwoSamples,
    classifier_test,
    column_drift,
    figure_changes,
    score_drift,
)
from hotelviz.metrics.drift import hotels_of
from hotelviz.reports.wording import agreeing, counted
from hotelviz.schema import RATINGS, SCORE_SHARES, Status
from hotelviz.scores import Scores, open_scores
from hotelviz.scores.predictions import class_probabilities, join_photos

if TYPE_CHECKING:
    import keras

#: Properties of the pixels: what a classifier may tell deliveries apart by, beside features.
_OF_PIXELS = ("highlights", "brightness", "black level", "sharpness", "tones", "colour", "border")
#: What a file is, and what is said of photos.
_FACTS = ("shape", "megapixels", "bytes per pixel", "photos of the hotel", "format", "file")
#: Those that are of the hotel, and not of one photo.
OF_HOTELS = ("photos of the hotel",)
#: Stands for no network, where a model could be given.
NO_MODEL = "none"
_SAID = ("source", "label", "predicted", "confidence", "score", "score_std")
#: Predictions that stand in a table.
_PREDICTIONS = ("score", SCORE_SHARES[0], "predicted", "technical")


class Delivery(NamedTuple):
    """The photos of a delivery, or the scores of many.

    Attributes
    ----------
    file
        Where it was read from.
    photos
        A row per photo: what is known of it, its properties, what a model says of it; without rows
        of a dataset of scores.
    features
        (n_photos, n_features), NaN where a photo could not be read; None where there are none.
    scores
        The dataset, where it is one.
    """

    file: str
    photos: pd.DataFrame
    features: np.ndarray | None
    scores: Scores | None


class Deliveries(NamedTuple):
    """Two deliveries, and how they differ.

    Attributes
    ----------
    reference, current
        The deliveries.
    columns
        From `hotelviz.metrics.column_drift`, or `score_drift`.
    classifier
        From `hotelviz.metrics.classifier_test`; None where no photo was looked at.
    by
        What the features are of, in words; empty where there are none.
    changes
        From `hotelviz.metrics.figure_changes`; None where not both have truth and predictions.
    notes
        What has to be known beside the figures.
    model
        The file of the model; empty for none.
    margin
        The smallest distance that matters.
    level
        Of intervals and tests.
    """

    reference: Delivery
    current: Delivery
    columns: pd.DataFrame
    classifier: TwoSamples | None
    by: str
    changes: pd.DataFrame | None
    notes: list[str]
    model: str
    margin: float
    level: float


def read_deliveries(
    reference: str,
    current: str,
    model: str = "",
    *,
    margin: float = 0.1,
    level: float = 0.95,
    n_permutations: int = 999,
    seed: int = 0,
) -> Deliveries:
    """Read two deliveries, and compare them.

    Parameters
    ----------
    reference, current : str
        Two catalogues of photos, or two datasets of scores (Parquet files or folders without
        ``path``, as `hotelviz.inference.score_photos` writes them), which are streamed.
    model : str, default ""
        A model file: its tags or scores are compared, its features tell the photos apart, and its
        figures are, where both deliveries have labels or ratings. By default the features of
        MobileNet with ImageNet's weights; ``none`` for no network at all, which takes seconds.
    margin, level, n_permutations, seed
        As in `hotelviz.metrics.column_drift`.

    Returns
    -------
    Deliveries

    Raises
    ------
    ReportError
        Photos beside scores, a model beside scores, or a delivery of which no photo can be read.
    CatalogError, ScoresError, MetricsError
        As the functions above raise them.
    """
    choices: dict[str, Any] = {
        "margin": margin, "level": level, "n_permutations": n_permutations, "seed": seed,
    }  # fmt: skip
    files, notes = (reference, current), list[str]()
    datasets = [_dataset(file) for file in files]
    if all(one is not None for one in datasets):
        if model not in ("", NO_MODEL):
            raise ReportError(
                f"{model}: of datasets of scores what stands in them is compared, and no model "
                "runs; leave it out, or give catalogues of the photos"
            )
        both = [one for one in datasets if one is not None]
        was, now = (
            Delivery(file, pd.DataFrame(columns=["image_id"]), None, one)
            for file, one in zip(files, both, strict=True)
        )
        columns = score_drift(*both, **choices)
        changes = _changes(_judged_scores(both, notes), notes, level, seed)
        return Deliveries(was, now, columns, None, "", changes, notes, "", margin, level)
    if any(one is not None for one in datasets):
        scored, other = files if datasets[0] is not None else files[::-1]
        raise ReportError(
            f"{scored} has scores, {other} photos: two catalogues are compared, or two datasets of "
            "scores"
        )
    network, by = _network(model, notes)
    model = "" if model == NO_MODEL else model
    was, now = (_photographed(file, network, bool(model), notes) for file in files)
    sides = [was, now]
    compared = [name for name in (*_OF_PIXELS, *_FACTS, *_SAID)
                if all(name in side.photos for side in sides)]  # fmt: skip
    compared = [name for name in compared if _says_something(sides, name)]
    columns = column_drift(was.photos, now.photos, columns=compared,
                           further_tests=1, **choices)  # fmt: skip
    classifier = _told_apart(sides, level, seed)
    judged = _unseen(network, sides, notes) if network is not None and model else []
    changes = _changes(judged, notes, level, seed)
    return Deliveries(was, now, columns, classifier, by, changes, notes, model, margin, level)


def _dataset(file: str) -> Scores | None:
    """Open a dataset of scores; None for what is a catalogue of photos."""
    path = Path(file)
    if path.suffix.lower() != ".parquet" and not (path.is_dir() and any(path.glob("*.parquet"))):
        return None
    scores = open_scores(file)
    has = [name for name in _PREDICTIONS if name in scores.columns]
    return scores if has and "path" not in scores.columns else None


def _network(model: str, notes: list[str]) -> tuple[keras.Model | None, str]:
    """Return the network whose features are compared, and whose features they are."""
    if model == NO_MODEL:
        notes.append("Without the features of a network, as asked for.")
        return None, ""
    network, note = feature_model(model or None)
    if network is None:
        notes.append(f"Without the features of a network: {note.removeprefix('no features: ')}")
        return None, ""
    return network, note


def _photographed(
    file: str, network: keras.Model | None, judged: bool, notes: list[str]
) -> Delivery:
    """Read a catalogue, and look at its photos."""
    photos = read_catalog(file, classes=None)
    seen = compute_image_properties(photos, model=network, cache=properties_folder(file))
    status = seen.photos["status"]
    readable = status.isin([Status.OK, Status.TRUNCATED])
    if not readable.any():
        raise ReportError(
            f"{file}: none of its {counted(len(photos), 'photo')} can be read, such as "
            f"{photos['path'].iloc[0]}: {seen.photos['error'].iloc[0]}"
        )
    if lost := int((~readable).sum()):
        said = f"{agreeing(lost, 'it counts', 'they count')} as such a file alone"
        notes.append(f"{counted(lost, 'photo')} of {Path(file).name} cannot be read; {said}.")
    properties = photo_properties(photos, seen.photos)
    own = [name for name in (*_OF_PIXELS, *_FACTS) if name in properties]
    table = photos.assign(
        **{name: properties[name].to_numpy() for name in own},
        highlights=_highlights(seen), format=seen.photos["format"].to_numpy(),
        file=status.to_numpy(),
    )  # fmt: skip
    if judged and network is not None:
        table = _predicted(table, network)
    return Delivery(file, table, seen.features, None)


def _highlights(seen: ImageProperties) -> np.ndarray:
    """Return how bright the brightest spot of each photo is: what is dimmed as a whole has none."""
    known = seen.photos["dark"].notna()
    brightest = seen.thumbnails.reshape(len(known), -1).max(axis=1) / 255
    return np.where(known, brightest, np.nan)


def _predicted(photos: pd.DataFrame, model: keras.Model) -> pd.DataFrame:
    """Return photos with what a model says of them, and how sure a tagger is."""
    from hotelviz.inference import predict_scores, predict_tags
    from hotelviz.models import model_info

    if model_info(model).task == "tagger":
        table = join_photos(photos, predict_tags(photos, model))
        return table.assign(confidence=class_probabilities(table).max(axis=1))
    return join_photos(photos, predict_scores(photos, model))


def _says_something(sides: list[Delivery], name: str) -> bool:
    """Return whether a column has more than one value, and values in both deliveries."""
    parts = [side.photos[name].dropna() for side in sides]
    if name == "source" and not set(parts[0]) & set(parts[1]):
        # What each delivery is called is no change.
        return False
    return all(len(part) for part in parts) and pd.concat(parts).nunique() > 1


def _told_apart(sides: list[Delivery], level: float, seed: int) -> TwoSamples:
    was, now = (side.photos[list(_OF_PIXELS)].to_numpy(float) for side in sides)
    hotels = hotels_of(sides[0].photos), hotels_of(sides[1].photos)
    seen = sides[0].features, sides[1].features
    features = None if seen[0] is None or seen[1] is None else (seen[0], seen[1])
    choices: dict[str, Any] = {"features": features, "level": level, "seed": seed}
    found: TwoSamples = classifier_test(was, now, hotels, **choices)
    return found


def _unseen(model: keras.Model, sides: list[Delivery], notes: list[str]) -> list[pd.DataFrame]:
    """Return the photos of both deliveries that a model's figures are of: of hotels new to it."""
    from hotelviz.models import seen_photos, training_photos

    if training_photos(model).unrecorded:
        notes.append("The model does not say which photos it learned from; of these its figures "
                     "are too good.")  # fmt: skip
    tables = []
    for which, side in zip(("reference", "current"), sides, strict=True):
        seen = seen_photos(model, side.photos) != ""
        if n_seen := int(seen.sum()):
            notes.append(
                f"The model has learned from {n_seen:,} of the {len(seen):,} {which} photos, or "
                "from others of their hotels: its figures leave them out, and it is surer of them."
            )
        tables.append(side.photos[~seen])
    if any(hotels_of(table).nunique() < 2 for table in tables):
        notes.append("Fewer than two hotels of a delivery are new to the model: how its figures "
                     "change is not known.")  # fmt: skip
        return []
    return tables


def _judged_scores(scores: list[Scores], notes: list[str]) -> list[pd.DataFrame]:
    """Return the photos of datasets that have truth beside what was predicted."""
    for truth, said in (("label", "predicted"), (RATINGS[0], SCORE_SHARES[0])):
        has = [truth in one.columns and said in one.columns for one in scores]
        if all(has):
            return [one.query(f"FROM scores WHERE {truth} IS NOT NULL") for one in scores]
        if any(has):
            notes.append(_one_sided(truth, has[0]))
    return []


def _one_sided(truth: str, of_reference: bool) -> str:
    which, what = "reference" if of_reference else "current", truth.partition("_")[0]
    return (f"Only the {which} delivery has {what}s: how the figures of the model change is not "
            "known.")  # fmt: skip


def _changes(
    tables: list[pd.DataFrame], notes: list[str], level: float, seed: int
) -> pd.DataFrame | None:
    """Return how the figures change, where both deliveries have truth and predictions."""
    if not tables:
        return None
    truth = "label" if "predicted" in tables[0] else RATINGS[0]
    known = [truth in table and bool(table[truth].notna().any()) for table in tables]
    if not all(known):
        notes.append(
            _one_sided(truth, known[0]) if any(known) else
            f"Neither delivery has {truth.partition('_')[0]}s: how the figures of the model "
            "change is not known."
        )  # fmt: skip
        return None
    return figure_changes(tables[0], tables[1], level=level, seed=seed)
