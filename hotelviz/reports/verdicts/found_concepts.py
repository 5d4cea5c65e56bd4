"""The concepts of a page, found or kept, and the photos that they are judged on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hotelviz.concepts import (
    find_concepts,
    load_concepts,
    read_names,
    save_concepts,
    write_names,
)
from hotelviz.errors import ConceptError

if TYPE_CHECKING:
    import keras

    from hotelviz.concepts import Concepts

#: Cells that the concepts of a page about something else are found in: more take longer, and find
#: the same.
PAGE_CELLS = 4_000
#: The share of the hotels whose photos concepts are found in; they are judged on the others.
_FOUND_IN = 2 / 3


def dealt_photos(
    photos: pd.DataFrame, max_photos: int, *, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the photos that concepts are found in, and those of other hotels to judge them on.

    Parameters
    ----------
    photos : pandas.DataFrame
        With ``hotel_id``.
    max_photos : int
        Of both together; more are sampled.
    seed : int, default 0
        Of the sample, and of the hotels.

    Examples
    --------
    >>> photos = pd.DataFrame({"hotel_id": list("aabbcc")})
    >>> [one["hotel_id"].nunique() for one in dealt_photos(photos, 9)]
    [2, 1]
    """
    if len(photos) > max_photos:
        photos = photos.sample(max_photos, random_state=seed).sort_index()
    hotels = np.random.default_rng(seed).permutation(photos["hotel_id"].unique())
    finding = photos["hotel_id"].isin(hotels[: max(1, round(_FOUND_IN * len(hotels)))])
    # Of a single hotel there are no others.
    if finding.all():
        return photos.reset_index(drop=True), photos.reset_index(drop=True)
    return photos[finding].reset_index(drop=True), photos[~finding].reset_index(drop=True)


def kept_concepts(
    model: keras.Model,
    photos: pd.DataFrame,
    n_concepts: int,
    *,
    layer: str = "",
    keep: str = "",
    names: str = "",
    seed: int = 0,
) -> Concepts:
    """Return the concepts that were kept, or find them and keep them.

    Parameters
    ----------
    model : keras.Model
        Whose.
    photos : pandas.DataFrame
        That they are found in.
    n_concepts : int
        How many; 0 chooses.
    layer : str, default ""
        See `hotelviz.concepts.find_concepts`.
    keep : str, default ""
        The file of the concepts (``.npz``): read where it is there, whatever else is asked for, and
        else written. Beside it stands a CSV file with a row per concept, whose names are read.
    names : str, default ""
        Another file of `hotelviz.concepts.write_names`, whose names come in the place of those.
    seed : int, default 0
        Of the factorisation.
    """
    kept = bool(keep) and Path(keep).exists()
    listed = names_file(keep) if keep else None
    if listed is not None and listed.exists() and not kept:
        _refuse_left(listed, keep)
    if kept:
        found = load_concepts(keep, model)
    else:
        found = find_concepts(model, photos, n_concepts or None, layer=layer or None, seed=seed)
        # Before names are read: whatever is wrong with those, the work is not lost.
        if keep:
            save_concepts(found, keep)
    if names or (kept and listed is not None and listed.exists()):
        found = read_names(found, names or str(listed))
    if listed is not None:
        save_concepts(found, keep)
        write_names(found, listed)
    return found


def _refuse_left(listed: Path, keep: str) -> None:
    """Refuse, before the work, a file with names of concepts that are not there any more."""
    table = pd.read_csv(listed, dtype=str, keep_default_na=False)
    if "name" not in table or table["name"].str.strip().any():
        raise ConceptError(
            f"{listed}: there are names in it, but {keep}, whose concepts they were given to, is "
            "not there: bring that file back, or move this one away"
        )


def names_file(keep: str) -> Path:
    """Return the CSV file of the names of concepts that are kept in a file.

    Examples
    --------
    >>> names_file("models/tagger.concepts.npz").name
    'tagger.concepts.csv'
    """
    return Path(keep).with_suffix(".csv")
