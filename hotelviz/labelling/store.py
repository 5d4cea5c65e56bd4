"""Where labels live: a file of SQLite, or a PostgreSQL that a team shares."""

from __future__ import annotations

import datetime
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError

from hotelviz.catalog import check_table
from hotelviz.errors import LabelError, StoreError, did_you_mean
from hotelviz.labelling import schema
from hotelviz.labelling.assignment import assign_photos
from hotelviz.labelling.session import LabelRound
from hotelviz.schema import AREAS

__all__ = ["TASKS", "LabelStore", "open_store"]

#: What raters are asked for.
TASKS = ("aesthetic", "technical", "tags")
#: Seconds that a write waits for the others' writes.
_PATIENCE = 15


class LabelStore:
    """A store of labels; see `open_store`.

    Attributes
    ----------
    name
        The file or address, without a password.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine, self.name = engine, name

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection to read with.

        Raises
        ------
        StoreError
            When the store does not answer.
        """
        try:
            with self._engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise StoreError(f"{self.name}: cannot be read: {_reason(error)}") from error

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose changes are kept together when the block ends, or not at all.

        Raises
        ------
        StoreError
            A full disk, a read-only file, a lock that lasts, no connection. Violated constraints
            are passed on as SQLAlchemy's ``IntegrityError``.
        """
        try:
            with self._engine.execution_options(hotelviz_write=True).begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except DBAPIError as error:
            raise StoreError(f"{self.name}: cannot be written: {_reason(error)}") from error

    def rounds(self) -> pd.DataFrame:
        """List the rounds: ``name``, ``task``, ``photos``, ``raters``, ``overlap``, ``gold``."""
        count = (
            sa.select(sa.func.count())
            .where(schema.photos.c["round"] == schema.rounds.c.id)
            .scalar_subquery()
        )
        columns = [schema.rounds.c[name] for name in ("name", "task", "raters", "overlap", "gold")]
        query = sa.select(*columns, count.label("photos")).order_by(schema.rounds.c.id)
        with self.reading() as connection:
            return pd.DataFrame(connection.execute(query).mappings().all(), columns=[
                "name", "task", "photos", "raters", "overlap", "gold"])  # fmt: skip

    def round(self, name: str | None = None) -> LabelRound:
        """Give a round by its name; the latest by default.

        Raises
        ------
        LabelError
            When there is none.
        """
        query = sa.select(schema.rounds).order_by(schema.rounds.c.id.desc())
        with self.reading() as connection:
            rows = connection.execute(query).mappings().all()
        for row in rows:
            if name is None or row["name"] == name:
                return LabelRound(self, dict(row))
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
        raters: int = 12,
        overlap: int = 3,
        gold: int = 10,
        classes: Sequence[str] = AREAS,
        seed: int = 0,
    ) -> LabelRound:
        """Begin a round, or give it back when it was begun with the same photos and settings.

        Parameters
        ----------
        photos
            A catalogue: ``image_id``, ``path`` and ``hotel_id``.
        name
            Of the round, unique in the store.
        task
            ``aesthetic`` or ``technical`` (scores from 1 to 10) or ``tags``.
        raters, overlap, gold, seed
            As in `assign_photos`.
        classes
            The tags that may be given.

        Returns
        -------
        LabelRound

        Raises
        ------
        LabelError
            An unknown task, no classes, a deal that cannot be, or a round of this name with
            other photos or settings: begin another one, or take its settings.
        CatalogError
            As `hotelviz.catalog.check_table` raises it.
        """
        needs = ["image_id", "path", "hotel_id"]
        photos = check_table(photos, needs=needs, where="begin_round")
        if task not in TASKS:
            raise LabelError(
                f"task {task!r} is not one of {', '.join(TASKS)}{did_you_mean(task, TASKS)}"
            )
        if task == "tags" and not classes:
            raise LabelError("tags need classes to choose from")
        if not name.strip():
            raise LabelError("a round needs a name")
        photos = check_table(photos, needs=["image_id", "path", "hotel_id"], where="begin_round")
        settings = {
            "name": name, "task": task, "raters": raters, "overlap": overlap, "gold": gold,
            "seed": seed, "classes": json.dumps(list(classes) if task == "tags" else []),
        }  # fmt: skip
        dealt = assign_photos(len(photos), raters=raters, overlap=overlap, gold=gold, seed=seed)
        try:
            with self.writing() as connection:
                self._insert(connection, photos, settings, dealt)
        except IntegrityError as error:
            if name not in set(self.rounds()["name"]):
                raise LabelError(f"the photos cannot be dealt: {error.orig}") from error
            return self._same(self.round(name), photos, settings)
        return self.round(name)

    def _insert(
        self,
        connection: Connection,
        photos: pd.DataFrame,
        settings: dict[str, object],
        dealt: pd.DataFrame,
    ) -> None:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        number = connection.scalar(
            sa.insert(schema.rounds)
            .values(**settings, uid=uuid.uuid4().hex, created=now)
            .returning(schema.rounds.c.id)
        )
        # A photo is found wherever the app is started from.
        rows = photos[["image_id", "path", "hotel_id"]]
        rows = rows.assign(photo=range(len(rows)), round=number)
        rows["path"] = [
            path if "://" in path else str(Path(path).absolute()) for path in rows["path"]
        ]
        for table, frame in (
            (schema.photos, rows),
            (
                schema.seats,
                pd.DataFrame({"round": number, "seat": range(int(str(settings["raters"])))}),
            ),
            (schema.assignments, dealt.assign(round=number)),
        ):
            connection.execute(sa.insert(table), frame.to_dict("records"))

    def _same(
        self, found: LabelRound, photos: pd.DataFrame, settings: dict[str, object]
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
        self._engine.dispose()


def open_store(store: str | os.PathLike[str], *, create: bool = True) -> LabelStore:
    """Open a store of labels.

    SQLite keeps a write-ahead log, so that readers and one writer do not wait for one another,
    and it syncs at every commit: what was acknowledged survives a loss of power as well. The file
    must be on a disk of this machine, since the log does not work over a network.

    Parameters
    ----------
    store
        A file of SQLite, or an address such as ``postgresql://user@host/labels``.
    create
        Make the file and the tables where there are none.

    Returns
    -------
    LabelStore

    Raises
    ------
    LabelError
        An address that is none, a missing driver, or no file where none may be made.
    StoreError
        A store that does not answer, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> store = open_store(Path(tempfile.mkdtemp()) / "labels.sqlite")
    >>> photos = pd.DataFrame({"image_id": ["a", "b"], "path": ["a.jpg", "b.jpg"],
    ...                        "hotel_id": ["h", "h"]})
    >>> first = store.begin_round(photos, raters=2, overlap=2, gold=0)
    >>> seat = first.take_seat("Ada")
    >>> first.rate(seat, 0, uuid.uuid4().hex, score=7)
    'saved'
    >>> first.ratings()[["rater", "score"]].values.tolist()
    [['Ada', 7]]
    """
    text = str(store)
    if "://" not in text:
        path = Path(text)
        if not create and not path.is_file():
            raise LabelError(f"{path}: there is no such store of labels")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{path}: cannot be made: {error.strerror}") from error
        engine, name = _sqlite(path), text
    else:
        engine, name = _server(text)
    result = LabelStore(engine, name)
    if create:
        with result.writing() as connection:
            schema.metadata.create_all(connection)
    else:
        with result.reading() as connection:
            if not sa.inspect(connection).has_table(schema.ratings.name):
                raise LabelError(f"{name}: this is no store of labels")
    return result


def _sqlite(path: Path) -> Engine:
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)), connect_args={"timeout": _PATIENCE}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: object, _: object) -> None:
        # The driver's own handling of transactions begins them too late; see "begin" below.
        connection.isolation_level = None  # type: ignore[attr-defined]
        cursor = connection.cursor()  # type: ignore[attr-defined]
        if os.access(path, os.W_OK):
            cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer that first reads would fail, not wait, when another one was faster.
        write = connection.get_execution_options().get("hotelviz_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _server(address: str) -> tuple[Engine, str]:
    try:
        url = sa.make_url(address)
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        # A connection that the server closed meanwhile is noticed, and made anew.
        engine = sa.create_engine(url, pool_pre_ping=True, pool_size=2)
    except ModuleNotFoundError as error:
        raise LabelError(
            f"the store needs the package {error.name!r}; pip install 'hotelviz[postgres]'"
        ) from error
    except (ArgumentError, SQLAlchemyError) as error:
        raise LabelError(
            "the store is neither a file nor an address such as postgresql://user@host/labels: "
            f"{error}"
        ) from error
    return engine, url.render_as_string(hide_password=True)


def _reason(error: DBAPIError) -> str:
    text = " ".join(str(error.orig).split())
    for said, meant in (
        ("disk is full", "the disk is full"),
        ("readonly", "it is read-only"),
        ("locked", f"others have written for more than {_PATIENCE} seconds"),
        ("unable to open", "the file cannot be opened or made"),
        ("not a database", "it is no file of SQLite"),
        ("disk I/O", "the disk does not take it (full, or damaged)"),
    ):
        if said in text:
            return meant
    return text
