"""The tables of a label store.

Nothing that a rater did is ever deleted: a rating that was undone stays, with the time of its
undoing. Two constraints keep ratings from being counted twice: the key that the rater's page gave
to a rating is unique, so that repeating it lands once; and a position in a rater's list has at most
one rating that counts (``active`` is 1, or missing where undone, and missing values never clash).

Columns are named here as everywhere in hotelviz, and in the database as version 0.1 named them:
``seat`` is the rater's number, ``place`` the position in the rater's list, ``gold`` the repeats.
"""

from __future__ import annotations

import datetime
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, Float, ForeignKeyConstraint, Integer, String, Table, Text

#: Changes with the tables that a version before could not read; stores without a version are those
#: of 0.1, which has the same tables. One more table, which it passes over, changes nothing.
VERSION = 1

metadata = sa.MetaData()


def now() -> str:
    """Return the time as it is kept."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


versions = Table("label_schema", metadata, Column("version", Integer, primary_key=True))

#: A round of labelling: a task, photos, and how they were assigned.
rounds = Table(
    "label_rounds", metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", String(32), nullable=False, unique=True, default=lambda: uuid.uuid4().hex),
    Column("name", Text, nullable=False, unique=True),
    Column("task", String(16), nullable=False),
    Column("classes", Text, nullable=False),
    Column("raters", Integer, key="n_raters", nullable=False),
    Column("overlap", Integer, nullable=False),
    Column("gold", Integer, key="repeats", nullable=False),
    Column("seed", Integer, nullable=False),
    Column("created", String(32), nullable=False, default=now),
)  # fmt: skip

#: What scores mean, in words; stores of 0.2 have no such table, and their rounds no words.
anchors = Table(
    "label_anchors", metadata,
    Column("round", sa.ForeignKey("label_rounds.id"), primary_key=True),
    Column("score", Integer, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
)  # fmt: skip

#: What counts as a class, in words; stores of before have no such table.
rules = Table(
    "label_rules", metadata,
    Column("round", sa.ForeignKey("label_rounds.id"), primary_key=True),
    Column("tag", Text, primary_key=True),
    Column("text", Text, nullable=False),
)  # fmt: skip

photos = Table(
    "label_photos", metadata,
    Column("round", sa.ForeignKey("label_rounds.id"), primary_key=True),
    Column("photo", Integer, primary_key=True, autoincrement=False),
    Column("image_id", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("hotel_id", Text, nullable=False),
    sa.UniqueConstraint("round", "image_id"),
)  # fmt: skip

#: The raters of a round by number; one without a name is free for whoever comes.
raters = Table(
    "label_seats", metadata,
    Column("round", sa.ForeignKey("label_rounds.id"), primary_key=True),
    Column("seat", Integer, key="rater", primary_key=True, autoincrement=False),
    Column("name", Text),
    Column("folded", Text),
    sa.UniqueConstraint("round", "folded"),
)  # fmt: skip

assignments = Table(
    "label_assignments", metadata,
    Column("round", Integer, primary_key=True, autoincrement=False),
    Column("seat", Integer, key="rater", primary_key=True, autoincrement=False),
    Column("place", Integer, key="position", primary_key=True, autoincrement=False),
    Column("photo", Integer, nullable=False),
    Column("repeat", Integer, nullable=False),
    ForeignKeyConstraint(["round", "rater"], ["label_seats.round", "label_seats.rater"]),
    ForeignKeyConstraint(["round", "photo"], ["label_photos.round", "label_photos.photo"]),
    sa.UniqueConstraint("round", "rater", "photo", "repeat"),
)  # fmt: skip

#: A score, a tag, or the reason of a skip.
ratings = Table(
    "label_ratings", metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(36), nullable=False, unique=True),
    Column("round", Integer, nullable=False),
    Column("seat", Integer, key="rater", nullable=False),
    Column("place", Integer, key="position", nullable=False),
    Column("score", Integer),
    Column("tag", Text),
    Column("reason", Text),
    Column("seconds", Float),
    Column("time", String(32), nullable=False, default=now),
    Column("active", Integer),
    Column("undone", String(32)),
    ForeignKeyConstraint(
        ["round", "rater", "position"],
        ["label_assignments.round", "label_assignments.rater", "label_assignments.position"],
    ),
    sa.UniqueConstraint("round", "rater", "position", "active"),
)  # fmt: skip

sa.Index("label_assignments_photo", assignments.c["round"], assignments.c.photo)


def columns(table: Table, *names: str) -> list[sa.Label[Any]]:
    """Return columns to select, under the names that they have here; all of them by default."""
    return [table.c[name].label(name) for name in names or table.c.keys()]


def matching(one: Table, other: Table, *names: str) -> sa.ColumnElement[bool]:
    """Return the condition that columns of two tables are the same."""
    return sa.and_(*[one.c[name] == other.c[name] for name in ("round", *names)])
