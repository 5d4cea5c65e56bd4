"""Rules of classes: what counts as one of them, in words that labellers and readers see."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path

from hotelviz.errors import CatalogError, did_you_mean

#: Letters of a rule: it stands below the buttons of the labelling page, on phones as well.
_MAX_LETTERS = 200


def read_class_rules(
    path: str | os.PathLike[str], classes: Sequence[str] | None = None
) -> dict[str, str]:
    r"""Read the rules of classes from a TOML file.

    The file has a table for each class that has a rule::

        [Foyer]
        rule = "a lounge counts as Foyer, a bar in it does not"

    Parameters
    ----------
    path
        The file.
    classes
        Those that there are; None allows any.

    Returns
    -------
    dict
        Class -> rule, in one line; in the order of `classes`, else in that of the file.

    Raises
    ------
    CatalogError
        No such file, one that is not TOML (with the line), a class that is not among `classes`, or
        something else than a rule: a text of at most 200 letters.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "rules.toml"
    >>> _ = file.write_text('[Foyer]\nrule = "a lounge counts as Foyer"\n')
    >>> read_class_rules(file)
    {'Foyer': 'a lounge counts as Foyer'}
    """
    path = Path(path)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogError(
            f"{path}: the rules of classes cannot be read: {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        raise CatalogError(f"{path}: is not UTF-8; save it as that") from error
    except tomllib.TOMLDecodeError as error:
        raise CatalogError(
            f"{path}: is not TOML: {error}; a rule is written as [Foyer] and, on the next line, "
            'rule = "a lounge counts as Foyer"'
        ) from error
    rules = {name: _rule(f"{path}, [{name}]", table) for name, table in tables.items()}
    if classes is None:
        return rules
    for name in rules:
        if name not in classes:
            raise CatalogError(
                f"{path}: [{name}] is not one of the {len(classes)} classes "
                f"({', '.join(classes)}){did_you_mean(name, classes)}"
            )
    return {name: rules[name] for name in classes if name in rules}


def _rule(where: str, table: object) -> str:
    if not isinstance(table, dict) or list(table) != ["rule"]:
        found = ", ".join(table) or "nothing" if isinstance(table, dict) else repr(table)
        raise CatalogError(f'{where}: has {found}; expected one line, rule = "…"')
    text = " ".join(table["rule"].split()) if isinstance(table["rule"], str) else ""
    if not 0 < len(text) <= _MAX_LETTERS:
        raise CatalogError(
            f"{where}: a rule is a text of 1 to {_MAX_LETTERS} letters, not "
            f"{str(table['rule'])[:40]!r}"
        )
    return text
