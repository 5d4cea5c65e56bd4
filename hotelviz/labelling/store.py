"""The label store: rounds of labelling, begun and found again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from hotelviz.catalog import check_table
from hotelviz.errors import LabelError, did_you_mean
from hotelviz.labelling import schema
from hotelviz.labelling.anchors import round_anchors, round_rules
from hotelviz.labelling.assignment import assign_photos
from hotelviz.labelling.database import LabelDatabase, open_database
from hotelviz.labelling.session import LabelRound
from hotelviz.schema import AREAS

#: What raters are asked for.
TASKS = ("aesthetic", "technical", "tags")


class LabelStore:
    """A store of labels; see `open_store`.

    Attributes
    ----------
    database : LabelDatabase
        Where the labels are.
    name : str
        The file or address, without a password.
    """

    def __init__(self, database: LabelDatabase) -> None:
        self.database, self.name = database, database.name

    def rounds(self) -> pd.DataFrame:
        """Return the rounds, with their settings and how many ``photos`` each has."""
        mine = schema.photos.c["round"] == schema.rounds.c.id
        count = sa.select(sa.func.count()).where(mine).scalar_subquery()
        names = ["name", "task", "n_raters", "overlap", "repeats"]
        query = sa.select(*schema.columns(schema.rounds, *names), count.label("photos"))
        return self.database.table(query.order_by(schema.rounds.c.id))

    def round(self, name: str | None = None) -> LabelRound:
        """Return a round by its name; the latest by default.

        Raises
        ------
        LabelError
            When there is none.
        """
        query = sa.select(*schema.columns(schema.rounds)).order_by(schema.rounds.c.id.desc())
        with self.database.reading() as connection:
            rows = connection.execute(query).mappings().all()
            for row in rows:
                if name is None or row["name"] == name:
                    words = {
                        "anchors": _read_words(connection, schema.anchors, "score", row["id"]),
                        "rules": _read_words(connection, schema.rules, "tag", row["id"]),
                    }
                    return LabelRound(self.database, dict(row) | words)
        names = [row["name"] for row in rows]
        if not rows:
            raise LabelError(f"{self.name}: no round of labelling was begun; `hotelviz label` does")
        raise LabelError(
            f"{self.name}: no round {name!r}; there are {', '.join(names)}"
            f"{did_you_mean(str(name), names)}"
        )

    def begin_round(
        self,
        photos: pd.DataFrame,
        *,
        name: str = "1",
        task: str = "aesthetic",
        n_raters: int = 12,
        overlap: int = 3,
        repeats: int = 10,
        classes: Sequence[str] = AREAS,
        anchors: Mapping[int, str] | None = None,
        rules: Mapping[str, str] | None = None,
        seed: int = 0,
    ) -> LabelRound:
        """Begin a round, or return it where it was begun with the same photos and settings.

        Parameters
        ----------
        photos : pandas.DataFrame
            A catalogue: ``image_id``, ``path`` and ``hotel_id``.
        name : str, default "1"
            Of the round, unique in the store.
        task : str, default "aesthetic"
            ``aesthetic`` or ``technical`` (scores from 1 to 10) or ``tags``.
        n_raters, overlap, repeats, seed : int
            As in `assign_photos`.
        classes : sequence of str
            The tags that may be given.
        anchors : mapping of int to str, optional
            What scores mean, which all raters read beside the scale: these replace the usual
            words, an empty text takes one away. By default the usual words, or those with which
            the round was begun.
        rules : mapping of str to str, optional
            What counts as a class, which all raters read below the tags: class -> rule, as
            `hotelviz.catalog.read_class_rules` gives it. By default none, or those with which the
            round was begun.

        Returns
        -------
        LabelRound

        Raises
        ------
        LabelError
            An unknown task, no classes, photos that cannot be assigned so, words for what is no
            score or class, or a round of this name with other photos or settings: begin another
            one, or take its settings.
        CatalogError
            As `hotelviz.catalog.check_table` raises it.
        """
        photos = check_table(photos, needs=["image_id", "path", "hotel_id"], where="begin_round")
        if task not in TASKS:
            raise LabelError(
                f"task {task!r} is not one of {', '.join(TASKS)}{did_you_mean(task, TASKS)}"
            )
        if task == "tags" and not classes:
            raise LabelError("tags need classes to choose from")
        if not name.strip():
            raise LabelError("a round needs a name")
        plan = {"n_raters": n_raters, "overlap": overlap, "repeats": repeats, "seed": seed}
        assigned = assign_photos(len(photos), **plan)
        tags = json.dumps(list(classes) if task == "tags" else [])
        settings: dict[str, Any] = {"name": name, "task": task, **plan, "classes": tags}
        words: dict[str, Mapping[Any, str]] = {
            "anchors": round_anchors(task, anchors), "rules": round_rules(task, classes, rules),
        }  # fmt: skip
        try:
            with self.database.writing() as connection:
                _insert_round(connection, photos, settings, assigned, words)
        except IntegrityError as error:
            if name not in set(self.rounds()["name"]):
                raise LabelError(f"the photos cannot be assigned: {error.orig}") from error
            # Words that are not given are no wish to change those that raters have read.
            given = {"anchors": anchors, "rules": rules}
            told = {key: words[key] for key, value in given.items() if value is not None}
            return self._checked(self.round(name), photos, settings | told)
        return self.round(name)

    def _checked(
        self, found: LabelRound, photos: pd.DataFrame, settings: dict[str, Any]
    ) -> LabelRound:
        for key, value in settings.items():
            if key != "name" and found.settings[key] != value:
                raise LabelError(
                    f"{self.name}: the round {found.name!r} was begun with {key}="
                    f"{found.settings[key]}, not {value}; use that, or begin another round "
                    "(--round NAME)"
                )
        known = set(found.photos()["image_id"])
        given = set(photos["image_id"])
        if known != given:
            raise LabelError(
                f"{self.name}: the round {found.name!r} has {len(known):,} photos, of which "
                f"{len(known & given):,} are among the {len(given):,} given; begin another round "
                "for other photos (--round NAME)"
            )
        return found

    def close(self) -> None:
        """Close all connections."""
        self.database.engine.dispose()


def _read_words(connection: Connection, table: sa.Table, of: str, number: int) -> dict[Any, str]:
    """Return what scores mean, or what counts as a class, by the column `of`."""
    if not sa.inspect(connection).has_table(table.name):
        return {}
    query = sa.select(table.c[of], table.c.text)
    mine = query.where(table.c["round"] == number).order_by(table.c[of])
    return dict(connection.execute(mine).tuples().all())


def _insert_round(
    connection: Connection,
    photos: pd.DataFrame,
    settings: dict[str, Any],
    assigned: pd.DataFrame,
    words: Mapping[str, Mapping[Any, str]],
) -> None:
    row = sa.insert(schema.rounds).values(settings)
    number = connection.scalar(row.returning(schema.rounds.c.id))
    # A photo is found wherever the app is started from.
    paths = [path if "://" in path else str(Path(path).absolute()) for path in photos["path"]]
    rows = photos[["image_id", "hotel_id"]].assign(path=paths, photo=range(len(photos)))
    tables = {
        schema.photos: rows,
        schema.raters: pd.DataFrame({"rater": range(settings["n_raters"])}),
        schema.assignments: assigned,
        schema.anchors: pd.DataFrame(words["anchors"].items(), columns=["score", "text"]),
        schema.rules: pd.DataFrame(words["rules"].items(), columns=["tag", "text"]),
    }
    for later in (schema.anchors, schema.rules):
        later.create(connection, checkfirst=True)
    for table, frame in tables.items():
        values: list[dict[Any, Any]] = frame.assign(round=number).to_dict("records")
        if values:
            connection.execute(sa.insert(table), values)


def open_store(store: str | os.PathLike[str], *, create: bool = True) -> LabelStore:
    """Open a store of labels.

    SQLite keeps a write-ahead log, so that readers and one writer do not wait for one another,
    and it syncs at every commit: what was acknowledged survives a loss of power as well. The file
    must be on a disk of this machine, since the log does not work over a network.

    Parameters
    ----------
    store : path or str
        A file of SQLite, or an address such as ``postgresql://user@host/labels``.
    create : bool, default True
        Make the file and the tables where there are none.

    Returns
    -------
    LabelStore

    Raises
    ------
    LabelError
        An address that is none, a missing driver, no file where none may be made, or tables of
        another version.
    StoreError
        A store that does not answer, or cannot be written.

    Examples
    --------
    >>> import tempfile, uuid
    >>> store = open_store(Path(tempfile.mkdtemp()) / "labels.sqlite")
    >>> photos = pd.DataFrame({"image_id": ["a", "b"], "path": ["a.jpg", "b.jpg"],
    ...                        "hotel_id": ["h", "h"]})
    >>> first = store.begin_round(photos, n_raters=2, overlap=2, repeats=0)
    >>> ada = first.enter("Ada")
    >>> first.rate(ada, 0, uuid.uuid4().hex, score=7)
    'saved'
    >>> first.ratings()[["rater", "score"]].values.tolist()
    [['Ada', 7]]
    """
    return LabelStore(open_database(store, create=create))
