"""Folders with one folder of photos per class, and what in them is no photo."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from hotelviz.catalog.identity import is_unicode
from hotelviz.errors import CatalogError, CatalogWarning, did_you_mean
from hotelviz.images import SUFFIXES, format_of
from hotelviz.schema import SPLITS

#: What systems and network disks leave among photos: thumbnails, the rubbish, copies.
_OF_SYSTEMS = frozenset({
    "__macosx", "__pycache__", "@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot",
    "$recycle.bin", "lost+found", "system volume information",
})  # fmt: skip
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db"})
#: Ends of names of copies and of downloads that did not end.
_NOT_THE_PHOTO = (
    "~", ".bak", ".orig", ".tmp", ".temp", ".part", ".crdownload", "_original", ".xmp", ".aae",
)  # fmt: skip


def read_class_folders(path: Path, classes: Sequence[str] | None) -> pd.DataFrame:
    """List the photos of a folder of class folders; warn of what else is there.

    A photo is known by its suffix, or, where that says nothing, by its first bytes.

    Returns
    -------
    pandas.DataFrame
        ``path``, from `path`, and ``label``, by path.

    Raises
    ------
    CatalogError
        No folder, or one that is no class.

    Warns
    -----
    CatalogWarning
        Files that are left out, by suffix.
    """
    folders = sorted(
        child for child in path.iterdir() if child.is_dir() and not _is_junk(child.name)
    )
    if not folders:
        raise CatalogError(
            f"{path}: no folder per class in it (and no Parquet file); "
            f"expected e.g. {path / 'Bedroom'}"
        )
    if {folder.name for folder in folders} <= set(SPLITS):
        raise CatalogError(
            f"{path}: its folders ({', '.join(folder.name for folder in folders)}) are splits, not "
            f"classes; read each by itself, such as {folders[0]}, and say so in the column 'split'"
        )
    for folder in folders:
        if folder.name != folder.name.strip() or not _is_plain(folder.name):
            raise CatalogError(
                f"{path}, folder {folder.name!r}: has spaces around its name, or is not UTF-8; "
                "rename it"
            )
        if classes is not None and folder.name not in classes:
            raise CatalogError(
                f"{path}, folder {folder.name!r}: not one of the {len(classes)} classes "
                f"({', '.join(classes)}){did_you_mean(folder.name, classes)}"
            )
    photos: list[Path] = []
    left_out = [child for child in path.iterdir() if child not in folders]
    for folder in folders:
        for place, below, names in os.walk(folder):
            entries = [Path(place, name) for name in below]
            left_out += [entry for entry in entries if entry.is_symlink() or _is_junk(entry.name)]
            below[:] = [name for name in below if not _is_junk(name)]
            for file in (Path(place, name) for name in names):
                (photos if _is_photo(file) else left_out).append(file)
    _tell(path, [place for place in left_out if not _is_hidden(place.name)])
    found = sorted((photo.relative_to(path) for photo in photos), key=lambda photo: photo.parts)
    rows = [(photo.as_posix(), photo.parts[0]) for photo in found]
    return pd.DataFrame(rows, columns=["path", "label"])


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.casefold() in _SYSTEM_FILES


def _is_junk(name: str) -> bool:
    return _is_hidden(name) or name.casefold() in _OF_SYSTEMS


def _is_photo(file: Path) -> bool:
    if _is_hidden(file.name) or not _is_plain(file.name):
        return False
    if file.suffix.lower() in SUFFIXES:
        return True
    return not file.name.lower().endswith(_NOT_THE_PHOTO) and _begins_like_a_photo(file)


def _begins_like_a_photo(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            kind = format_of(opened.read(16))
    except OSError:
        return False
    # Raw files of cameras begin like a TIFF, and many a text like a BMP.
    return kind not in {"", "BMP", "TIFF"} or (kind == "TIFF" and not file.suffix)


def _is_plain(name: str) -> bool:
    """Return whether a table can hold a name: it is UTF-8, and no space ends it."""
    return is_unicode(name) and name == name.rstrip()


def _kind(place: Path) -> str:
    """Return a word for a file that is left out, for counting."""
    if place.is_dir():
        return "link to a folder" if place.is_symlink() else "folder of the system"
    if not _is_plain(place.name):
        return "name that is not UTF-8 or ends with a space"
    if _is_photo(place):
        return f"{place.suffix.lower()} in no class folder".strip()
    return place.suffix.lower() or "without a suffix"


def _tell(path: Path, left_out: list[Path]) -> None:
    if not left_out:
        return
    kinds = {place: _kind(place) for place in sorted(left_out)}
    first = {kind: place.relative_to(path).as_posix() for place, kind in reversed(kinds.items())}
    shown = ", ".join(
        f"{count:,} {kind} (such as {first[kind]!r})"
        for kind, count in Counter(kinds.values()).most_common()
    )
    warnings.warn(
        f"{path}: left out {len(left_out):,} that are no photos of a class: {shown}",
        CatalogWarning,
        stacklevel=5,
    )
