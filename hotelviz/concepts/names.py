"""Names of concepts that people give: by the model's weights and the concepts themselves."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from hotelviz.concepts.factorisation import Concepts
from hotelviz.errors import ConceptError, no_column
from hotelviz.io.atomic import atomic_path
from hotelviz.io.escaping import csv_safe

_COLUMNS = ["model", "concepts", "concept", "name"]
#: What a spreadsheet takes as the beginning of a formula, after the apostrophe of `csv_safe`.
_FORMULA = tuple("=+-@\t\r")


def name_concepts(concepts: Concepts, names: Mapping[int, str]) -> Concepts:
    """Return the same concepts with names that a person gives.

    Parameters
    ----------
    concepts
        From `find_concepts`.
    names
        Number of a concept -> its name; the other concepts keep theirs. An empty name takes it
        away.

    Raises
    ------
    ConceptError
        A concept that is not there, or a name of several lines.

    See Also
    --------
    write_names : Its example is of this function, too.
    """
    given = dict(concepts.names)
    for concept, name in names.items():
        _check(concepts, concept, name, f"concept {concept!r}")
        given[concept] = str(name).strip()
    return dataclasses.replace(
        concepts, names={one: given[one] for one in sorted(given) if given[one]}
    )


def write_names(concepts: Concepts, path: str | os.PathLike[str]) -> Path:
    """Write a CSV file with a row per concept, to be filled in or handed on.

    Parameters
    ----------
    concepts
        From `find_concepts`, with names or without.
    path
        The file.

    Returns
    -------
    pathlib.Path
        The file. ``model`` and ``concepts`` in it say whose names these are; a name that a
        spreadsheet would run as a formula has an apostrophe before it, which `read_names` takes
        off.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from hotelviz.concepts import Concepts, name_concepts
    >>> from keras import Input, Sequential, layers
    >>> from hotelviz.models import Preprocessing, wrap_model
    >>> small = Sequential([Input((32, 32, 3)), layers.Conv2D(8, 5, name="conv"),
    ...                     layers.GlobalAveragePooling2D(), layers.Dense(2, "softmax")])
    >>> small = wrap_model(small, task="tagger", classes=["Bedroom", "Pool"],
    ...                    preprocessing=Preprocessing(32, 32))
    >>> parts = np.eye(2, 8, dtype="float32")
    >>> concepts = Concepts(small, "conv", parts, parts, parts[:, 0], parts, pd.DataFrame(), 0)
    >>> file = write_names(name_concepts(concepts, {1: "water"}), f"{tempfile.mkdtemp()}/names.csv")
    >>> dict(read_names(concepts, file).names)
    {1: 'water'}
    """
    from hotelviz.models import weights_hash

    numbers = range(len(concepts))
    table = pd.DataFrame({
        "model": weights_hash(concepts.model), "concepts": concepts.hash, "concept": numbers,
        "name": [concepts.names.get(one, "") for one in numbers],
    })  # fmt: skip
    with atomic_path(path) as temporary:
        csv_safe(table).to_csv(temporary, index=False)
    return Path(path)


def read_names(concepts: Concepts, path: str | os.PathLike[str]) -> Concepts:
    """Return concepts with the names that a file of `write_names` gives them.

    Parameters
    ----------
    concepts
        Those that the file was written for.
    path
        The file, filled in.

    Raises
    ------
    ConceptError
        The file is of another model or of other concepts, has two names for one concept, or cannot
        be read; the message names the row.

    See Also
    --------
    write_names : Writes the file; its example is of this function, too.
    """
    from hotelviz.models import weights_hash

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise ConceptError(f"{path}: no names can be read from it: {error}") from error
    for column in _COLUMNS:
        if column not in table:
            raise ConceptError(f"{path}: {no_column(column, table.columns)}")
    wanted = {"model": weights_hash(concepts.model), "concepts": concepts.hash}
    of = {"model": "another model", "concepts": "other concepts of this model"}
    given: dict[int, str] = {}
    for row, values in enumerate(table.to_dict("records"), start=2):
        place = f"{path}, row {row}"
        for column, own in wanted.items():
            if values[column] != own:
                raise ConceptError(
                    f"{place}, column {column!r}: {values[column]!r}: these are names of "
                    f"{of[column]} ({own!r} here); write a new file with write_names"
                )
        number = str(values["concept"]).strip()
        concept = int(number) if number.isdecimal() else number
        name = _without_apostrophe(values["name"]).strip()
        _check(concepts, concept, name, f"{place}, column 'concept'")
        if not name:
            continue
        if given.setdefault(int(concept), name) != name:
            raise ConceptError(
                f"{place}, column 'name': {name!r}: concept {concept} is called "
                f"{given[int(concept)]!r} above; leave one name for it"
            )
    return name_concepts(concepts, given)


def _check(concepts: Concepts, concept: object, name: str, place: str) -> None:
    if not isinstance(concept, int) or concept not in range(len(concepts)):
        raise ConceptError(
            f"{place}: {concept!r} is none of the {len(concepts)} concepts, 0 to "
            f"{len(concepts) - 1}"
        )
    if len(str(name).splitlines()) > 1:
        raise ConceptError(f"{place}: a name is one line, not {name!r}")


def _without_apostrophe(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text
