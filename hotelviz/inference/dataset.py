"""Scores of many photos, as a dataset of Parquet parts that a stopped run goes on with."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, TypeAlias

import keras
import pandas as pd
from tqdm.auto import tqdm

from hotelviz.errors import InferenceError
from hotelviz.inference.backends.base import Precision
from hotelviz.inference.parts import check_folder, free_parts, write_part
from hotelviz.inference.pipeline import Throughput
from hotelviz.inference.ray import check_cluster, score_on_ray
from hotelviz.inference.resume import remaining_photos
from hotelviz.inference.runner import Scorer
from hotelviz.models import load_model

#: Photos per part of a scores dataset: what an interruption can lose.
PART_SIZE = 2048

#: A model, or the file of one.
Model: TypeAlias = keras.Model | str | os.PathLike[str]


def score_photos(
    catalog: pd.DataFrame | str | os.PathLike[str],
    models: Model | Iterable[Model],
    out: str | os.PathLike[str],
    *,
    backend: str = "keras",
    precision: Precision | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    part_size: int = PART_SIZE,
    check_files: bool = True,
    prune: bool = False,
    allow_missing: bool = False,
    cluster: Literal["ray"] | None = None,
    address: str | None = None,
    progress: bool = True,
) -> Throughput:
    """Score photos with several models, decoding each once, into a dataset of Parquet parts.

    A part is written whole or not at all. A photo that a part has, by its ``image_id``, is not
    computed again: a run that was stopped, however hard, goes on when it is called again, also with
    a catalogue that is in another order, has grown or shrunk, with other parts, and on one machine
    after a cluster or the other way round.

    Parameters
    ----------
    catalog : pandas.DataFrame or path
        With ``path`` (a file or a URL) and, where they are known, ``image_id`` and ``hotel_id``; or
        a file as `hotelviz.catalog.read_catalog` reads it. Parquet is streamed, however many rows
        it has.
    models : keras.Model or path, or an iterable of them
        At most one of each task. Their photos may differ in size and filter. To the machines of a
        cluster they travel by themselves.
    out : path
        The folder: ``part-00000.parquet`` and so on; on a cluster the parts are named by their
        photos. It belongs to one run at a time. All machines of a cluster see it, and photos that
        are not URLs, at the same place.
    backend, precision : str, optional
        What runs the networks, see `hotelviz.inference.make_backend`. What this machine chooses is
        taken on all machines of a cluster, or scores would differ between them.
    batch_size : int, optional
        Photos per call of a network; None takes what suits the backend.
    workers : int, optional
        Decoding threads; None takes one for each core, and more where photos are URLs. On a
        cluster actors; None takes one for each machine, or for each GPU where Keras runs.
    part_size : int, default 2048
        Photos per part; on a cluster also what an actor takes at once.
    check_files : bool, default True
        Look whether the files of photos that have scores are still those that were scored, by size
        and time of change: about 50,000 photos a second. False takes them for the same.
    prune : bool, default False
        Take photos out of the dataset that the catalogue does not have any more. Otherwise they
        stay, and are counted in the notes.
    allow_missing : bool, default False
        Go on also where more than a tenth of the photos are unavailable.
    cluster : {"ray"}, optional
        Score on many machines.
    address : str, optional
        ``host:port`` of the cluster, ``ray://host:port`` of its client server, or ``auto``; None
        starts a cluster on this machine, for as long as the run takes.
    progress : bool, default True
        Show a bar with the photos per second.

    Returns
    -------
    Throughput
        How many photos were computed now (the others were there), how fast, what bounded it, and
        in its notes what was tried again, scored again, is unavailable or not in the catalogue.

    Raises
    ------
    InferenceError
        No model, two of a task; a folder that other models or another backend wrote, with files
        that are no scores, with a photo twice, or that cannot be written to; a bucket that may not
        be read.
    MissingPhotosError
        More than a tenth of the photos unavailable; what was computed is kept.
    OutputError
        Another run is writing the folder.
    CatalogError
        The catalogue lacks columns, or has a photo twice.
    BackendError
        The backend is not installed, cannot run a model, or is not exact enough.
    ClusterError
        Ray is not installed, or no cluster answers at the address.

    See Also
    --------
    predict_scores, predict_tags : The same for tables in memory.
    hotelviz.scores.open_scores : Ask the dataset.

    Notes
    -----
    Columns: ``image_id``, ``hotel_id``, ``path``; ``status``, see `hotelviz.schema.Status`;
    ``error``, empty or what was wrong with the file; ``size`` and ``modified``, bytes of the file
    and nanoseconds of its last change, missing for URLs; ``hash``, see
    `hotelviz.images.perceptual_hash`, missing where not all of the photo was there; of an aesthetic
    model ``score`` and ``score_std``, mean and standard deviation of the distribution ``q_1`` to
    ``q_10``; of a technical one ``technical``, ``technical_std``, ``technical_q_1`` to
    ``technical_q_10``; of a tagger ``predicted`` and ``p_<class>``. A photo that could not be read
    has a row with its error, and nothing else. Credentials in a URL are not kept.

    A photo is scored again when it was unavailable; when its file has another size or time of
    change than the one that was scored; and when its URL names another photo (signatures and the
    like set aside). Where only its path or ``hotel_id`` is another, its row gets the new one.

    Examples
    --------
    >>> import tempfile
    >>> from hotelviz.demo import make_demo_catalog
    >>> from hotelviz.models import build_aesthetic
    >>> photos = make_demo_catalog(tempfile.mkdtemp(), n_hotels=3, size=(96, 128)).head(3)
    >>> model = build_aesthetic(input_size=32, weights=None)
    >>> out = f"{tempfile.mkdtemp()}/scores"
    >>> score_photos(photos.head(1), model, out, progress=False).photos
    1
    >>> score_photos(photos[::-1], model, out, progress=False).photos
    2
    """
    if cluster == "ray":
        check_cluster(address)
    elif cluster is not None or address is not None:
        told = f"cluster={cluster!r}" if cluster else "an address without a cluster"
        raise InferenceError(f"{told}: many machines need cluster='ray' (--cluster ray)")
    out = Path(out).absolute()
    check_folder(out)
    scorer = Scorer(
        _loaded(models), backend=backend, precision=precision, batch_size=batch_size,
        workers=None if cluster else workers,
    )  # fmt: skip
    with (
        remaining_photos(
            catalog, out, scorer.provenance, check_files=check_files, prune=prune,
            allow_missing=allow_missing,
        ) as todo,
        tqdm(
            total=todo.photos, unit="photo", desc="scoring", disable=not progress,
            initial=todo.photos - todo.left,
        ) as bar,
    ):  # fmt: skip

        def step(n_photos: int, unavailable: list[tuple[str, str]]) -> None:
            bar.update(n_photos)
            todo.watch.add(n_photos, unavailable)

        if cluster:
            throughput = score_on_ray(
                todo, scorer, out, step, address=address, workers=workers, part_size=part_size
            )
        else:
            names = free_parts(out)
            for table in scorer.tables(todo.parts(part_size), remote=todo.remote, step=step):
                write_part(table, next(names))
                todo.watch.check()
            throughput = scorer.pipeline.meter.result()
        return throughput._replace(notes=(*todo.notes, *todo.watch.notes()))


def _loaded(models: Model | Iterable[Model]) -> list[keras.Model]:
    if isinstance(models, keras.Model | str | os.PathLike):
        models = [models]
    return [model if isinstance(model, keras.Model) else load_model(model) for model in models]
