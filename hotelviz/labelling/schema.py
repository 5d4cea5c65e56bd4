"""The tables of a store of labels.

Nothing that a rater did is ever deleted: a rating that was undone stays, with the time of its
undoing. Two constraints keep ratings from being counted twice: the key that the rater's page gave
to a rating is unique, so that repeating it lands once; and a place in a rater's list has at most
one rating that counts (``active`` is 1, or missing where undone, and missing values never clash).
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

#: A round of labelling: a task, photos, and how they were dealt.
rounds = Table(
    "label_rounds", metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", String(32), nullable=False, unique=True),
    Column("name", Text, nullable=False, unique=True),
    Column("task", String(16), nullable=False),
    Column("classes", Text, nullable=False),
    Column("raters", Integer, nullable=False),
    Column("overlap", Integer, nullable=False),
    Column("gold", Integer, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("created", String(32), nullable=False),
)  # fmt: skip

photos = Table(
    "label_photos", metadata,
    Column("round", ForeignKey("label_rounds.id"), primary_key=True),
    Column("photo", Integer, primary_key=True, autoincrement=False),
    Column("image_id", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("hotel_id", Text, nullable=False),
    UniqueConstraint("round", "image_id"),
)  # fmt: skip

#: The seats of a round; one without a name is free.
seats = Table(
    "label_seats", metadata,
    Column("round", ForeignKey("label_rounds.id"), primary_key=True),
    Column("seat", Integer, primary_key=True, autoincrement=False),
    Column("name", Text),
    Column("folded", Text),
    UniqueConstraint("round", "folded"),
)  # fmt: skip

assignments = Table(
    "label_assignments", metadata,
    Column("round", Integer, primary_key=True, autoincrement=False),
    Column("seat", Integer, primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("photo", Integer, nullable=False),
    Column("repeat", Integer, nullable=False),
    ForeignKeyConstraint(["round", "seat"], ["label_seats.round", "label_seats.seat"]),
    ForeignKeyConstraint(["round", "photo"], ["label_photos.round", "label_photos.photo"]),
    UniqueConstraint("round", "seat", "photo", "repeat"),
)  # fmt: skip

#: A score, a tag, or the reason of a skip.
ratings = Table(
    "label_ratings", metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(36), nullable=False, unique=True),
    Column("round", Integer, nullable=False),
    Column("seat", Integer, nullable=False),
    Column("place", Integer, nullable=False),
    Column("score", Integer),
    Column("tag", Text),
    Column("reason", Text),
    Column("seconds", Float),
    Column("time", String(32), nullable=False),
    Column("active", Integer),
    Column("undone", String(32)),
    ForeignKeyConstraint(
        ["round", "seat", "place"],
        ["label_assignments.round", "label_assignments.seat", "label_assignments.place"],
    ),
    UniqueConstraint("round", "seat", "place", "active"),
)  # fmt: skip

Index("label_assignments_photo", assignments.c["round"], assignments.c.photo)
