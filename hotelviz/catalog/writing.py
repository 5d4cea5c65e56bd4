"""Write catalogues so that reading gives them back."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from hotelviz.catalog.columns import CatalogError
from hotelviz.io.atomic import atomic_path


def write_catalog(catalog: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    r"""Write a catalogue so that `read_catalog` gives it back.

    Paths below the folder of the file are written relative to it, so that the whole can be moved.

    Parameters
    ----------
    catalog
        As `read_catalog` gives it.
    path
        A ``.csv`` or ``.parquet`` file; written whole or not at all.

    Raises
    ------
    CatalogError
        For any other suffix.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> photos = pd.DataFrame({"image_id": ["a"], "path": [f"{folder}/a.jpg"], "hotel_id": ["h"]})
    >>> write_catalog(photos, folder / "photos.csv")
    >>> (folder / "photos.csv").read_text()
    'image_id,path,hotel_id\na,a.jpg,h\n'
    """
    path = Path(path)
    if path.suffix.lower() not in {".csv", ".parquet"}:
        raise CatalogError(f"{path}: a catalogue is written as .csv or .parquet")
    folder = str(path.parent).rstrip("/") + "/"
    frame = catalog.copy()
    if str(path.parent) != ".":
        frame["path"] = frame["path"].str.removeprefix(folder)
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".csv":
            frame.to_csv(temporary, index=False)
        else:
            frame.to_parquet(temporary, index=False)
