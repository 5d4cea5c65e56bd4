"""The headers of a file: which columns they mean."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hotelviz.errors import CatalogError
from hotelviz.schema import COLUMNS, VOTES


def canonical_names(names: Iterable[str], where: object) -> dict[str, str]:
    """Map the headers of a file to the columns that they mean.

    A header that differs from a column of `COLUMNS` only in case, spaces, hyphens and underscores
    is that column, and one that begins with ``votes`` and a class counts votes for the class, which
    stays as it is written; any other is the user's own, without the spaces around it.

    Parameters
    ----------
    names
        The headers as they stand in the file.
    where
        The file, for errors.

    Returns
    -------
    dict
        Header -> column, in the order of the file.

    Raises
    ------
    CatalogError
        Two headers that mean the same column.

    Examples
    --------
    >>> canonical_names(["path", " Hotel ID", "my notes"], "photos.csv")
    {'path': 'path', ' Hotel ID': 'hotel_id', 'my notes': 'my notes'}
    """
    given: dict[str, str] = {}
    for name in names:
        column = column_of(name)
        if column in given:
            raise CatalogError(
                f"{where}: the columns {given[column]!r} and {name!r} are both {column!r}; "
                "rename or remove one of them"
            )
        given[column] = name
    return {name: column for column, name in given.items()}


def column_of(header: str) -> str:
    """Return the column that a header means; the user's own keep their names.

    Examples
    --------
    >>> column_of(" Hotel-ID"), column_of("Votes Foyer"), column_of("Stars ")
    ('hotel_id', 'votes_Foyer', 'Stars')
    """
    if votes := re.fullmatch(r"\s*votes[\s_-]+(.*\S)\s*", header, re.IGNORECASE):
        return VOTES + votes[1]
    return _BY_KEY.get(_key(header), header.strip())


def near_misses(columns: Iterable[str]) -> dict[str, str]:
    """Return columns that are named much like one of `COLUMNS` that is not there.

    Parameters
    ----------
    columns
        The columns of a table.

    Returns
    -------
    dict
        Column -> what was probably meant.

    Examples
    --------
    >>> near_misses(["path", "hotel", "lable", "height"])
    {'hotel': 'hotel_id', 'lable': 'label'}
    """
    names = list(columns)
    missing = {_key(name): name for name in COLUMNS if name not in names}
    found = {}
    for name in names:
        # A height is one letter away from a weight, and means something else.
        if name in COLUMNS or _key(name) == "height":
            continue
        rating = re.fullmatch(r"ratings?0*(10|[1-9])", _key(name))
        word = f"rating{rating[1]}" if rating else _key(name)
        for key in missing:
            numbered = key[-1].isdecimal()
            if key == word or (not numbered and _slipped(word, key)):
                found[name] = missing.pop(key)
                break
    return found


def _slipped(word: str, meant: str) -> bool:
    """Return whether a word is one typing error away from another, or lacks an ending."""
    if f"{word}id" == meant or f"{word.removesuffix('s')}id" == meant:
        return True
    short, long = sorted((word, meant), key=len)
    if len(long) - len(short) == 1:
        return any(long[:at] + long[at + 1 :] == short for at in range(len(long)))
    if len(long) != len(short):
        return False
    at = [place for place in range(len(long)) if long[place] != short[place]]
    swapped = len(at) == 2 and at[1] == at[0] + 1 and long[at[0]] == short[at[1]]
    return len(at) == 1 or (swapped and long[at[1]] == short[at[0]])


def _key(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name).casefold()


_BY_KEY = {_key(name): name for name in COLUMNS}
