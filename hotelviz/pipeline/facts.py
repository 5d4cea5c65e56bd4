"""What a catalogue has: how much of it is labelled, rated, of a hotel, in an order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from hotelviz.catalog import (
    catalog_hash,
    check_table,
    knows_hotels,
    read_catalog,
    row_hashes,
    split_catalog,
    write_catalog,
)
from hotelviz.errors import CatalogError
from hotelviz.images import SUFFIXES
from hotelviz.reports.wording import counted
from hotelviz.schema import RATINGS

#: A table of these names in a folder is the catalogue of the folder.
_TABLES = ("catalog.csv", "catalog.parquet")


def catalog_in(path: Path) -> pd.DataFrame:
    """Read a catalogue from a table, a folder that has one, class folders, or bare photos.

    Parameters
    ----------
    path : pathlib.Path
        What `hotelviz.catalog.read_catalog` reads; a folder with ``catalog.csv`` or
        ``catalog.parquet`` in it; or a folder of photos without folders in it.

    Returns
    -------
    pandas.DataFrame
        As `hotelviz.catalog.read_catalog` returns it. Photos of a folder without folders have no
        label.

    Raises
    ------
    CatalogError
        There is no catalogue, or it cannot be used.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("b.jpg", "a.jpg", "notes.txt"):
    ...     (folder / name).touch()
    >>> catalog_in(folder)["image_id"].tolist()
    ['a.jpg', 'b.jpg']
    """
    if path.is_dir():
        path = next((path / name for name in _TABLES if (path / name).is_file()), path)
    if path.is_dir() and not any(child.is_dir() for child in path.iterdir()):
        photos = sorted(
            file.name for file in path.iterdir()
            if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
        )  # fmt: skip
        if photos:
            table = pd.DataFrame(
                {"image_id": photos, "path": [f"{path}/{name}" for name in photos]}
            )
            return check_table(table, needs=["image_id", "path", "hotel_id"], where=str(path))
    return read_catalog(path, classes=None)


@dataclass(frozen=True)
class Facts:
    """What a catalogue has.

    Attributes
    ----------
    photos, labelled, rated : int
        Photos, and how many of them have a label or ratings.
    hotels, labelled_hotels, rated_hotels : int
        Hotels, and how many of them have labelled or rated photos.
    classes : tuple of str
        The labels that occur.
    grouped : bool
        Whether the catalogue says which hotel a photo belongs to.
    positions : bool
        Whether it says where photos stand today.
    version : str
        Changes with the catalogue's content, and with any file of a photo.
    sample : tuple of str
        The paths of a few photos.
    """

    photos: int
    labelled: int
    rated: int
    hotels: int
    labelled_hotels: int
    rated_hotels: int
    classes: tuple[str, ...]
    grouped: bool
    positions: bool
    version: str
    sample: tuple[str, ...]

    @classmethod
    def of(cls, photos: pd.DataFrame) -> Facts:
        """Return what a catalogue has.

        Examples
        --------
        >>> table = pd.DataFrame({"image_id": ["a", "b"], "path": ["a.jpg", "b.jpg"],
        ...                       "hotel_id": ["h", "h"], "label": ["Pool", None]})
        >>> facts = Facts.of(table)
        >>> facts.photos, facts.labelled, facts.rated, facts.grouped
        (2, 1, 0, True)
        """
        labelled = photos["label"].notna() if "label" in photos else pd.Series(False, photos.index)
        rated = photos.reindex(columns=list(RATINGS)).fillna(0).sum(axis=1) > 0
        version = hashlib.blake2b(row_hashes(photos).sort_index().to_numpy().tobytes())
        return cls(
            photos=len(photos),
            labelled=int(labelled.sum()),
            rated=int(rated.sum()),
            hotels=photos["hotel_id"].nunique(),
            labelled_hotels=photos.loc[labelled, "hotel_id"].nunique(),
            rated_hotels=photos.loc[rated, "hotel_id"].nunique(),
            classes=tuple(sorted(photos.loc[labelled, "label"].unique())) if labelled.any() else (),
            grouped=knows_hotels(photos),
            positions="position" in photos and bool(photos["position"].notna().any()),
            version=f"{catalog_hash(photos)}-{version.hexdigest()[:16]}",
            sample=tuple(photos["path"].iloc[:: max(1, len(photos) // 12)].head(12)),
        )

    def __str__(self) -> str:
        hotels = f" of {counted(self.hotels, 'hotel')}" if self.grouped else ""
        classes = counted(len(self.classes), "class", "classes")
        parts = [
            counted(self.photos, "photo") + hotels,
            f"{self.labelled:,} labelled in {classes}" if self.labelled else "no labels",
            f"{self.rated:,} rated" if self.rated else "no ratings",
            "with positions" if self.positions else "no positions",
        ]
        return "; ".join(parts)


def write_split(source: Path, out: Path, *, seed: int, test: float, validation: float) -> None:
    """Write a catalogue with full paths and with the split that all steps use.

    One that it has is kept; hotels that are in none are dealt, once for labels and ratings, so that
    no photo that one model is tested on has taught another. In a catalogue without a split neither
    has a copy of one: hotels that show the same photo are dealt together.

    Parameters
    ----------
    source : pathlib.Path
        As in `catalog_in`.
    out : pathlib.Path
        The table (.csv or .parquet).
    seed, test, validation
        As in `hotelviz.catalog.split_catalog`.

    Raises
    ------
    CatalogError
        It cannot be split.
    """
    photos, facts = (read := catalog_in(source)), Facts.of(read)
    targets: dict[Literal["label", "ratings"], int] = {
        "label": facts.labelled, "ratings": facts.rated
    }  # fmt: skip
    shares: dict[str, Any] = {"seed": seed, "test": test, "validation": validation}
    # Who has dealt hotels already has decided on their copies too; the audit names them.
    copies = None if "split" in photos and photos["split"].notna().any() else _copies(photos)
    for target, known in targets.items():
        if known:
            photos = split_catalog(photos, by=target, unsplit="deal", groups=copies, **shares)
    write_catalog(photos, out)


def _copies(photos: pd.DataFrame) -> pd.Series:
    """Return the group of photos that are copies of one another, of those that are learned from."""
    from hotelviz.audit import find_duplicates
    from hotelviz.embeddings import compute_image_properties

    groups = pd.Series(pd.NA, photos.index, dtype="str")
    learned = photos.reindex(columns=["label", RATINGS[0]]).notna().any(axis=1).to_numpy()
    if learned.any():
        taught = photos[learned].reset_index(drop=True)
        # That photos are not there is told by the steps that need them.
        seen = compute_image_properties(taught, allow_missing=True, progress=False)
        found = find_duplicates(seen, taught)
        groups.iloc[np.flatnonzero(learned)[found["row"]]] = found["group"].to_numpy()
    return groups


def write_first(source: Path, catalog: Path, out: Path, *, seed: int) -> None:
    """Write other people's ratings, with photos of known hotels in the split that those are in.

    Parameters
    ----------
    source : pathlib.Path
        The rated photos, as in `catalog_in`.
    catalog : pathlib.Path
        What `write_split` wrote.
    out : pathlib.Path
        The table (.csv or .parquet).
    seed : int
        For photos of other hotels.

    Raises
    ------
    CatalogError
        There are no ratings, or a hotel is in two splits.
    """
    photos = catalog_in(source)
    if not Facts.of(photos).rated:
        raise CatalogError(f"{source}: has no ratings (rating_1 ... rating_10) to learn from first")
    known = read_catalog(catalog, classes=None).reindex(columns=["hotel_id", "split"]).dropna()
    splits = known.drop_duplicates("hotel_id").set_index("hotel_id")["split"]
    joined = photos["hotel_id"].map(splits)
    if joined.notna().any():
        photos["split"] = joined.fillna(photos.get("split", joined))
    write_catalog(split_catalog(photos, seed=seed, by="ratings", unsplit="deal"), out)
