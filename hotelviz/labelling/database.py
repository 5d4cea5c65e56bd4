"""Where labels live: a file of SQLite, or a PostgreSQL that a team shares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from hotelviz.errors import LabelError, StoreError
from hotelviz.labelling import schema

#: Seconds that a write waits for the others' writes.
_PATIENCE = 15
#: What drivers say -> what it means.
_REASONS = {
    "disk is full": "the disk is full",
    "readonly": "it is read-only",
    "locked": f"others have written for more than {_PATIENCE} seconds",
    "unable to open": "the file cannot be opened or made",
    "not a database": "it is no file of SQLite",
    "disk I/O": "the disk does not take it (full, or damaged)",
}


class LabelDatabase:
    """Connections to read and to write with.

    Attributes
    ----------
    engine
        SQLAlchemy's.
    name
        The file or address, without a password.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine, self.name = engine, name

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a connection to read with.

        Raises
        ------
        StoreError
            The database does not answer.
        """
        try:
            with self.engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise StoreError(f"{self.name}: cannot be read: {_reason(error)}") from error

    def table(self, query: sa.Select[Any]) -> pd.DataFrame:
        """Return what a query finds."""
        with self.reading() as connection:
            result = connection.execute(query)
            return pd.DataFrame(result.all(), columns=list(result.keys()))

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a connection whose changes are kept together when the block ends, or not at all.

        Raises
        ------
        StoreError
            A full disk, a read-only file, a lock that lasts, no connection. Violated constraints
            are passed on as SQLAlchemy's ``IntegrityError``.
        """
        try:
            with self.engine.execution_options(hotelviz_write=True).begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except DBAPIError as error:
            raise StoreError(f"{self.name}: cannot be written: {_reason(error)}") from error


def open_database(store: str | os.PathLike[str], *, create: bool) -> LabelDatabase:
    """Connect to a database, and check or make its tables; see `open_store`."""
    text = str(store)
    if "://" in text:
        database = _server(text)
    else:
        path = Path(text)
        if not create and not path.is_file():
            raise LabelError(f"{path}: there is no such store of labels")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{path}: cannot be made: {error.strerror}") from error
        database = LabelDatabase(_sqlite(path), text)
    with database.writing() if create else database.reading() as connection:
        tables = sa.inspect(connection).get_table_names()
        if schema.versions.name in tables:
            version = connection.scalar(sa.select(schema.versions.c.version))
            if version not in (None, schema.VERSION):
                raise LabelError(
                    f"{database.name}: its tables are of version {version}, and this hotelviz "
                    f"reads and writes version {schema.VERSION}; use the hotelviz that made the "
                    "store, or another store"
                )
        if create:
            schema.metadata.create_all(connection)
            if connection.scalar(sa.select(schema.versions.c.version)) is None:
                connection.execute(sa.insert(schema.versions).values(version=schema.VERSION))
        elif schema.ratings.name not in tables:
            raise LabelError(f"{database.name}: this is no store of labels")
    return database


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


def _server(address: str) -> LabelDatabase:
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
    except SQLAlchemyError as error:
        raise LabelError(
            "the store is neither a file nor an address such as postgresql://user@host/labels: "
            f"{error}"
        ) from error
    return LabelDatabase(engine, url.render_as_string(hide_password=True))


def _reason(error: DBAPIError) -> str:
    text = " ".join(str(error.orig).split())
    return next((meant for said, meant in _REASONS.items() if said in text), text)
