"""A round of labelling: who rates, what they see, and what they said."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pandas as pd
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from hotelviz.errors import LabelError
from hotelviz.labelling.database import LabelDatabase
from hotelviz.labelling.schema import assignments, columns, matching, now, photos, raters, ratings
from hotelviz.labelling.validation import check_key, clean_name, clean_rating

#: How the reason of a skip begins where the photo could not be shown.
NOT_SHOWN = "cannot be shown"


class Item(NamedTuple):
    """A position in a rater's list: the number of its photo, and the rating that counts, if any."""

    position: int
    photo: int
    key: str | None
    score: int | None
    tag: str | None
    reason: str | None


class LabelRound:
    """A round of labelling in a store; see `LabelStore.begin_round` and `LabelStore.round`.

    Attributes
    ----------
    name, task : str
        As it was begun.
    classes : list of str
        The tags that may be given.
    anchors : dict of int to str
        What scores mean, by score.
    rules : dict of str to str
        What counts as a class, by class.
    uid : str
        Tells rounds of all stores apart.
    settings : dict
        All that it was begun with.
    """

    def __init__(self, database: LabelDatabase, settings: dict[str, Any]) -> None:
        self._database, self._id, self.settings = database, settings["id"], settings
        self.uid, self.name, self.task = settings["uid"], settings["name"], settings["task"]
        self.classes: list[str] = json.loads(settings["classes"])
        self.anchors: dict[int, str] = settings["anchors"]
        rules = settings["rules"]
        self.rules: dict[str, str] = {tag: rules[tag] for tag in self.classes if tag in rules}

    def photos(self) -> pd.DataFrame:
        """Return the photos: ``photo`` (number), ``image_id``, ``path``, ``hotel_id``."""
        query = sa.select(*columns(photos, "photo", "image_id", "path", "hotel_id"))
        return self._database.table(
            query.where(photos.c["round"] == self._id).order_by(photos.c.photo)
        )

    def raters(self) -> pd.DataFrame:
        """Return the raters: ``rater`` (number) and ``name``, missing where nobody came yet."""
        query = sa.select(*columns(raters, "rater", "name"))
        return self._database.table(
            query.where(raters.c["round"] == self._id).order_by(raters.c.rater)
        )

    def enter(self, name: str) -> int:
        """Return a rater's number, a free one for whoever comes for the first time.

        Parameters
        ----------
        name : str
            Blanks around it, and small and capital letters, make no difference.

        Returns
        -------
        int
            The rater, as the other methods take it.

        Raises
        ------
        LabelError
            A name that is none, or all raters have come.
        StoreError
            The store cannot be read or written.
        """
        shown, folded = clean_name(name)
        here = raters.c["round"] == self._id
        with self._database.writing() as connection:
            self._lock(connection)
            mine = sa.select(raters.c.rater).where(here, raters.c.folded == folded)
            if (rater := connection.scalar(mine)) is not None:
                return int(rater)
            free = sa.select(sa.func.min(raters.c.rater)).where(here, raters.c.folded.is_(None))
            if (rater := connection.scalar(free)) is None:
                raise LabelError(
                    f"all {self.settings['n_raters']} seats of this round are taken; was the name "
                    "written differently before?"
                )
            taken = sa.update(raters).where(here, raters.c.rater == rater)
            connection.execute(taken.values(name=shown, folded=folded))
            return int(rater)

    def _lock(self, connection: Connection) -> None:
        """Let one rater at a time come or get photos; SQLite has one writer at a time anyway."""
        here = raters.c["round"] == self._id
        connection.execute(sa.select(raters.c.rater).where(here).with_for_update()).all()

    def _of(self, table: sa.Table, rater: int) -> sa.ColumnElement[bool]:
        return sa.and_(table.c["round"] == self._id, table.c.rater == rater)

    def items(self, rater: int) -> list[Item]:
        """Return what a rater has to rate, in order, with the ratings so far."""
        query = (
            sa.select(assignments.c.position, assignments.c.photo,
                      *[ratings.c[name] for name in ("key", "score", "tag", "reason")])
            .outerjoin(ratings, _COUNTS)
            .where(self._of(assignments, rater))
            .order_by(assignments.c.position)
        )  # fmt: skip
        with self._database.reading() as connection:
            return [Item(*row) for row in connection.execute(query)]

    def last(self, rater: int, n_ratings: int = 100) -> list[str]:
        """Return the keys of a rater's last ratings that count, the oldest first."""
        query = (
            sa.select(ratings.c.key)
            .where(self._of(ratings, rater), ratings.c.active == 1)
            .order_by(ratings.c.id.desc())
            .limit(n_ratings)
        )
        with self._database.reading() as connection:
            return list(connection.scalars(query))[::-1]

    def n_done(self, rater: int) -> int:
        """Return how many ratings and skips of a rater count."""
        query = sa.select(sa.func.count()).where(self._of(ratings, rater), ratings.c.active == 1)
        with self._database.reading() as connection:
            return int(connection.scalar(query) or 0)

    def rate(
        self,
        rater: int,
        position: int,
        key: str,
        *,
        score: int | None = None,
        tag: str | None = None,
        reason: str | None = None,
        seconds: float | None = None,
    ) -> str:
        """Keep a rating, or the reason of a skip; doing it again changes nothing.

        Parameters
        ----------
        rater, position : int
            Whose rating it is, and of what: a position in the rater's list.
        key : str
            A UUID that the rater's page made: a rating that is sent again has the same one.
        score, tag, reason
            One of the three: a whole number from 1 to 10, one of the classes, or why the photo
            was skipped.
        seconds : float, optional
            How long the rater looked at it.

        Returns
        -------
        str
            ``saved``, now or before; or ``taken``: the position has another rating, made in
            another tab, say, and that one stays.

        Raises
        ------
        LabelError
            A rating that does not fit the task, or a position that the rater does not have.
        StoreError
            The store cannot be written: send the rating again later.
        """
        check_key(key)
        said = {"score": score, "tag": tag, "reason": reason, "seconds": seconds}
        row = {"key": key, "round": self._id, "rater": rater, "position": position, "active": 1}
        row |= clean_rating(self.classes, position, **said)
        try:
            with self._database.writing() as connection:
                connection.execute(sa.insert(ratings).values(row))
        except IntegrityError as error:
            return self._why_not_saved(rater, position, key, error)
        return "saved"

    def _why_not_saved(self, rater: int, position: int, key: str, error: IntegrityError) -> str:
        same = sa.select(ratings.c.rater, ratings.c.position).where(
            ratings.c["round"] == self._id, ratings.c.key == key
        )
        other = sa.select(ratings.c.id).where(
            self._of(ratings, rater), ratings.c.position == position, ratings.c.active == 1
        )
        with self._database.reading() as connection:
            if (known := connection.execute(same).first()) is not None:
                if tuple(known) != (rater, position):
                    raise LabelError(f"the key {key} belongs to another rating") from error
                return "saved"
            if connection.scalar(other) is not None:
                return "taken"
        raise LabelError(f"rater {rater} of this round has no position {position}") from error

    def undo(self, rater: int, key: str) -> None:
        """Take a rating back, by its key; it stays in the store and no longer counts.

        Parameters
        ----------
        rater : int
            Whose rating.
        key : str
            Which. One that is unknown or undone is left as it is.

        Raises
        ------
        LabelError
            A key that is none.
        StoreError
            The store cannot be written.
        """
        check_key(key)
        mine = sa.and_(self._of(ratings, rater), ratings.c.key == key, ratings.c.active == 1)
        with self._database.writing() as connection:
            connection.execute(sa.update(ratings).where(mine).values(active=None, undone=now()))

    def help_out(self, rater: int) -> bool:
        """Assign one more photo that lacks a rating to a rater who has finished.

        That is one of a rater who never came, or one that another rater skipped although it can
        be shown. Photos that the rater had are not given again.

        Parameters
        ----------
        rater : int
            Whose list is to grow.

        Returns
        -------
        bool
            Whether there was one.
        """
        with self._database.writing() as connection:
            self._lock(connection)
            last = connection.scalar(
                sa.select(sa.func.max(assignments.c.position)).where(self._of(assignments, rater))
            )
            target = {"rater": rater, "position": 0 if last is None else int(last) + 1}
            return self._take_over(connection, target) or self._add_skipped(connection, target)

    def _lacking(self, rater: int) -> sa.ColumnElement[bool]:
        """Return the condition that an assignment may go to a rater as well."""
        mine = sa.select(assignments.c.photo).where(self._of(assignments, rater))
        return sa.and_(
            assignments.c["round"] == self._id,
            assignments.c.repeat == 0,
            assignments.c.photo.not_in(mine),
        )

    def _take_over(self, connection: Connection, target: dict[str, int]) -> bool:
        found = connection.execute(
            sa.select(*columns(assignments, "rater", "position"))
            .join(raters, matching(raters, assignments, "rater"))
            .where(self._lacking(target["rater"]), raters.c.folded.is_(None))
            .order_by(assignments.c.rater.desc(), assignments.c.position)
            .limit(1)
        ).first()
        if found is None:
            return False
        theirs = sa.and_(
            self._of(assignments, found.rater), assignments.c.position == found.position
        )
        connection.execute(sa.update(assignments).where(theirs).values(target))
        return True

    def _add_skipped(self, connection: Connection, target: dict[str, int]) -> bool:
        n_skipped = sa.func.count(ratings.c.reason)
        not_shown = ratings.c.reason.startswith(NOT_SHOWN, autoescape=True)
        photo = connection.scalar(
            sa.select(assignments.c.photo)
            .outerjoin(ratings, _COUNTS)
            .where(self._lacking(target["rater"]))
            .group_by(assignments.c.photo)
            .having(
                sa.func.count() - n_skipped < self.settings["overlap"],
                sa.func.sum(sa.case((not_shown, 1), else_=0)) == 0,
            )
            .order_by(assignments.c.photo)
            .limit(1)
        )
        if photo is None:
            return False
        row = {"round": self._id, "photo": photo, "repeat": 0, **target}
        connection.execute(sa.insert(assignments).values(row))
        return True

    def ratings(self, *, undone: bool = False) -> pd.DataFrame:
        """Return what raters said, in the order in which it arrived.

        Parameters
        ----------
        undone : bool, default False
            List also what was taken back.

        Returns
        -------
        pandas.DataFrame
            ``key``, ``image_id``, ``hotel_id``, ``path``, ``rater`` (name), ``position`` (in the
            rater's list), ``repeat`` (1 where the rater saw the photo for the second time),
            ``score``, ``tag``, ``reason`` (of a skip), ``seconds``, ``time`` and ``undone`` (when
            it was taken back, if so).
        """
        query = (
            sa.select(
                ratings.c.key, *columns(photos, "image_id", "hotel_id", "path"),
                raters.c.name.label("rater"), *columns(assignments, "position", "repeat"),
                *columns(ratings, "score", "tag", "reason", "seconds", "time", "undone"),
            )
            .join(assignments, matching(ratings, assignments, "rater", "position"))
            .join(photos, matching(photos, assignments, "photo"))
            .join(raters, matching(raters, ratings, "rater"))
            .where(ratings.c["round"] == self._id)
            .order_by(ratings.c.id)
        )  # fmt: skip
        if not undone:
            query = query.where(ratings.c.active == 1)
        return self._database.table(query).astype({"score": "Int64", "seconds": "float64"})

    def progress(self) -> pd.DataFrame:
        """Return per ``rater`` (name) the counts ``assigned``, ``done``, ``skipped``, ``left``."""
        counts = {
            "assigned": assignments.c.position, "done": ratings.c.id, "skipped": ratings.c.reason,
        }  # fmt: skip
        query = (
            sa.select(raters.c.name.label("rater"),
                      *[sa.func.count(column).label(name) for name, column in counts.items()])
            .select_from(raters)
            .outerjoin(assignments, matching(assignments, raters, "rater"))
            .outerjoin(ratings, _COUNTS)
            .where(raters.c["round"] == self._id)
            .group_by(raters.c.rater, raters.c.name).order_by(raters.c.rater)
        )  # fmt: skip
        table = self._database.table(query)
        return table.assign(left=table["assigned"] - table["done"])


#: Joins the ratings that count to the assignments they are of.
_COUNTS = sa.and_(matching(ratings, assignments, "rater", "position"), ratings.c.active == 1)
