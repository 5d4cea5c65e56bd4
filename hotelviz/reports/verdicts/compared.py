"""The models, or tables of their predictions, that a page compares: read, and put side by side."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hotelviz.catalog import check_table, read_catalog
from hotelviz.errors import MetricsError, ReportError, no_column
from hotelviz.io.remote import is_url
from hotelviz.metrics import Comparison, compare_aesthetics, compare_taggers
from hotelviz.reports.wording import agreeing, counted
from hotelviz.schema import COLUMNS, SCORE_SHARES
from hotelviz.scores.dataset import open_table
from hotelviz.scores.predictions import join_photos

if TYPE_CHECKING:
    import keras

#: Columns that are checked where a table of predictions has them.
_TEXTS = ("hotel_id", "label", "predicted")
#: Seconds that a network is timed.
_TIMED = 1.0


class Side(NamedTuple):
    """A model, or a table of its predictions.

    Attributes
    ----------
    name
        What it is called: its file without the ending.
    file
        Its file.
    model
        None of a table.
    table
        Its predictions, a row per photo.
    """

    name: str
    file: str
    model: keras.Model | None
    table: pd.DataFrame


class Compared(NamedTuple):
    """What is compared, and what was found.

    Attributes
    ----------
    task
        ``tagger`` or ``aesthetic``.
    sides
        The old one, the new one, and others.
    found
        The comparison of the new one with the old one.
    others
        That of each other one with the old one.
    photos
        What is known of the photos.
    unseen
        Whether no model has seen any of them, as far as is known.
    notes
        What has to be known beside the figures.
    margin
        The smallest difference that matters.
    catalog
        The file of the photos; empty where the tables have the truth.
    """

    task: str
    sides: list[Side]
    found: Comparison
    others: list[Comparison]
    photos: pd.DataFrame
    unseen: bool
    notes: list[str]
    margin: float
    catalog: str


def read_compared(
    old: str,
    new: str,
    catalog: str = "",
    *,
    others: Sequence[str] = (),
    split: str = "test",
    margin: float = 0.02,
    seed: int = 0,
) -> Compared:
    """Read models or predictions, and compare them on the photos that all of them judge.

    Parameters
    ----------
    old, new : str
        Model files (``.keras``), or tables of predictions (``.csv``, ``.parquet``, or a folder of
        Parquet parts).
    catalog : str, default ""
        The labelled or rated photos; not needed where a table has labels or ratings.
    others : sequence of str, default ()
        Further ones, which are compared with the old one.
    split : {"test", "val", "train", "all"}, default "test"
        See `hotelviz.models.evaluation_photos`. Of tables alone all photos count, but of a
        catalogue that has a ``split`` those of it.
    margin : float, default 0.02
        The smallest difference that matters.
    seed : int, default 0
        Of the split, and of intervals.

    Returns
    -------
    Compared

    Raises
    ------
    ReportError
        A file of another kind, a tagger beside an aesthetic model, or no truth.
    MetricsError
        As `hotelviz.metrics.compare_taggers` raises it.
    """
    files = [old, new, *others]
    models = [_model(file) for file in files]
    tables = [None if model is not None else _table(file)
              for file, model in zip(files, models, strict=True)]  # fmt: skip
    task = _task(files, models, tables)
    truth = "label" if task == "tagger" else "rating_1"
    given = [table for table in tables if table is not None]
    photos, unseen, notes = _photos(catalog, [m for m in models if m is not None], given,
                                    truth=truth, split=split, seed=seed)  # fmt: skip
    sides = [
        Side(name, file, model, _predicted(photos, model, task) if table is None else table)
        for name, file, model, table in zip(_names(files), files, models, tables, strict=True)
    ]
    judged = [_judged(photos, side, notes) for side in sides]
    compare = compare_taggers if task == "tagger" else compare_aesthetics
    found = [compare(judged[0], one, margin=margin, seed=seed) for one in judged[1:]]
    return Compared(task, sides, found[0], found[1:], photos, unseen, notes, margin, catalog)


def _names(files: Sequence[str]) -> list[str]:
    """Return the files' names, with their folders where two have the same."""
    names = [Path(file).stem for file in files]
    if len(set(names)) < len(names):
        names = ["/".join(Path(file).with_suffix("").parts[-2:]) for file in files]
    return names


def _model(file: str) -> keras.Model | None:
    if Path(file).suffix == ".keras":
        from hotelviz.models import load_model

        return load_model(file)
    if Path(file).suffix.lower() not in (".csv", ".parquet") and not Path(file).is_dir():
        raise ReportError(
            f"{file or 'no file'}: expected a model (.keras) or a table of predictions (.csv, "
            ".parquet, or a folder of Parquet parts)"
        )
    return None


def _table(file: str) -> pd.DataFrame:
    """Read a table of predictions."""
    table = open_table(file)
    if not isinstance(table, pd.DataFrame):
        table = table.query("FROM scores")
    needs = ["image_id", *(name for name in _TEXTS if name in table)]
    return check_table(table, needs=needs, where=os.fspath(file))


def _task(
    files: Sequence[str],
    models: Sequence[keras.Model | None],
    tables: Sequence[pd.DataFrame | None],
) -> str:
    found: dict[str, str] = {}
    for file, model, table in zip(files, models, tables, strict=True):
        if model is not None:
            from hotelviz.models import model_info

            found[file] = "tagger" if model_info(model).task == "tagger" else "aesthetic"
        elif table is not None:
            found[file] = "aesthetic" if SCORE_SHARES[0] in table else "tagger"
            if found[file] == "tagger" and not any(str(name).startswith("p_") for name in table):
                raise ReportError(
                    f"{file}: no columns p_<class> of a tagger, nor q_1 to q_10 of an aesthetic "
                    f"model; its columns are {', '.join(map(str, table))}"
                )
    if len(set(found.values())) > 1:
        told = ", ".join(f"{file} is of {'an' if task[0] == 'a' else 'a'} {task} model"
                         for file, task in found.items())  # fmt: skip
        raise ReportError(f"only models of one task can be compared: {told}")
    return next(iter(found.values()))


def _photos(
    catalog: str,
    models: Sequence[keras.Model],
    tables: Sequence[pd.DataFrame],
    *,
    truth: str,
    split: str,
    seed: int,
) -> tuple[pd.DataFrame, bool, list[str]]:
    """Return the photos that are judged, whether they are unseen, and what is to be said of it."""
    unknown = ["The tables do not say what their models learned from: whether the photos are new "
               "to them is not known."]  # fmt: skip
    if models:
        from hotelviz.models import evaluation_photos

        if not catalog:
            raise ReportError("models judge photos: a catalogue that has them is needed")
        labelled = read_catalog(catalog, classes=None)
        chosen = evaluation_photos(labelled, models, truth=truth, split=split, seed=seed)  # type: ignore[arg-type]
        return (
            chosen.photos, chosen.unseen and not tables, [*chosen.notes, *(unknown[: len(tables)])]
        )  # fmt: skip
    if catalog:
        labelled = read_catalog(catalog, classes=None)
        if truth not in labelled:
            raise ReportError(f"{catalog}: {no_column(truth, labelled.columns)}")
        if split != "all" and "split" in labelled:
            labelled = labelled[labelled["split"] == split]
            unknown.insert(0, f"Of the catalogue's photos those of the split {split!r}.")
    else:
        known = [table[[name for name in COLUMNS if name in table]] for table in tables
                 if truth in table]  # fmt: skip
        if not known:
            raise ReportError(
                "what is right is not known: none of the tables has the column "
                f"{truth!r}; give a catalogue that has it"
            )
        labelled = pd.concat(known)
        several = labelled.dropna(subset=truth).groupby("image_id")[truth].nunique().gt(1).sum()
        if several:
            have = agreeing(int(several), "has", "have")
            unknown.append(f"{counted(int(several), 'photo')} {have} another label in a later "
                           "table: the first one counts.")  # fmt: skip
        labelled = labelled.drop_duplicates("image_id")
    return labelled[labelled[truth].notna()].reset_index(drop=True), False, unknown


def _predicted(photos: pd.DataFrame, model: keras.Model | None, task: str) -> pd.DataFrame:
    from hotelviz.inference import predict_scores, predict_tags

    assert model is not None
    return predict_tags(photos, model) if task == "tagger" else predict_scores(photos, model)


def _judged(photos: pd.DataFrame, side: Side, notes: list[str]) -> pd.DataFrame:
    """Return a side's predictions with the truth, and note what is left out."""
    own = [name for name in side.table if name not in COLUMNS or name == "image_id"]
    if not photos["image_id"].isin(side.table["image_id"]).any():
        raise MetricsError(
            f"{side.file}: none of its {len(side.table):,} photos is among the {len(photos):,} "
            "that are judged; were both made from the same catalogue?"
        )
    there = photos[photos["image_id"].isin(side.table["image_id"])]
    table = join_photos(there, side.table[own])
    shares = [name for name in own if str(name).startswith("p_")] or list(SCORE_SHARES)
    read = table["predicted"] if "predicted" in table else table[shares[0]]
    if lost := int(read.isna().sum()):
        notes.append(f"{counted(lost, 'photo')} of {side.name} could not be read, and "
                     f"{agreeing(lost)} not counted.")  # fmt: skip
    kept = table[read.notna().to_numpy()].reset_index(drop=True)
    if kept.empty:
        raise MetricsError(f"{side.file}: it has no prediction of any of the photos")
    kept.attrs = dict(table.attrs)
    return kept


def with_files(photos: pd.DataFrame) -> pd.DataFrame:
    """Return the photos whose files are there; none where it is not known where they are."""
    if "path" not in photos or photos["path"].isna().any():
        return photos.head(0)
    return photos[[is_url(path) or Path(path).exists() for path in photos["path"]]]


def paired_maps(
    compared: Compared, photos: pd.DataFrame
) -> tuple[np.ndarray, dict[str, np.ndarray], pd.DataFrame]:
    """Return photos with the maps of both models, what speaks for the class that each predicts.

    Parameters
    ----------
    compared : Compared
        Of two model files.
    photos : pandas.DataFrame
        With ``path``, ``predicted_old`` and ``predicted_new``.

    Returns
    -------
    pixels, maps, photos
        As `hotelviz.plots.map_sheet` takes them: at the size of the new model; and the rows that
        could be read.
    """
    from scipy.ndimage import zoom

    from hotelviz.attribution import explain, read_pixels

    maps, pixels, rows = {}, np.zeros(0), list(range(len(photos)))
    for which, side in zip(("old", "new"), compared.sides, strict=False):
        assert side.model is not None
        pixels, rows = read_pixels(side.model, photos["path"])
        predicted = photos[f"predicted_{which}"].iloc[rows].to_list()
        maps[which] = explain(side.model, pixels, predicted)
    scale = np.divide(pixels.shape[1:3], maps["old"].shape[1:])
    if len(rows) and (scale != 1).any():
        maps["old"] = zoom(maps["old"], (1, *scale), order=1)
    return pixels, maps, photos.iloc[rows]


def measure_models(compared: Compared, *, n_photos: int = 16) -> pd.DataFrame:
    """Measure how large models are, and how many photos a second they judge here.

    Parameters
    ----------
    compared : Compared
        Of which those that are model files are measured.
    n_photos : int, default 16
        Photos in a batch; decoding them is not counted.

    Returns
    -------
    pandas.DataFrame
        ``name``, ``backbone``, ``pixels`` (of its input), ``weights`` (millions), ``megabytes`` (of
        its file) and ``photos_per_second``; no rows without model files.
    """
    rows = []
    for side in compared.sides:
        if side.model is None:
            continue
        # Tables need no TensorFlow, which takes seconds to load.
        from hotelviz.inference.backends.registry import make_backend
        from hotelviz.models import model_info

        info, run = model_info(side.model), make_backend(side.model, "keras")
        batch = np.zeros((n_photos, *info.preprocessing.size, 3), "uint8")
        run.predict(batch)  # compiles
        begun, batches = time.perf_counter(), 0
        while time.perf_counter() - begun < _TIMED:
            run.predict(batch)
            batches += 1
        speed = batches * n_photos / (time.perf_counter() - begun)
        rows.append(
            {
                "name": side.name, "backbone": info.backbone, "pixels": info.preprocessing.height,
                "weights": side.model.count_params() / 1e6,
                "megabytes": Path(side.file).stat().st_size / 1e6, "photos_per_second": speed,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def are_models(compared: Compared) -> bool:
    """Return whether the two are model files, which can be asked."""
    return all(side.model is not None for side in compared.sides[:2])


def has_record(side: Side) -> bool:
    """Return whether it is known what a model learned from: a table does not say, nor all files."""
    if side.model is None:
        return False
    # Tables need no TensorFlow, which takes seconds to load.
    from hotelviz.models import training_photos

    return not training_photos(side.model).unrecorded


def same_backbone(compared: Compared) -> bool:
    """Return whether both are model files of one backbone and input, layer by layer comparable."""
    models = [side.model for side in compared.sides[:2] if side.model is not None]
    if len(models) < 2:
        return False
    from hotelviz.models import model_info

    infos = [model_info(model) for model in models]
    return len({(info.backbone, info.preprocessing.size) for info in infos}) == 1
