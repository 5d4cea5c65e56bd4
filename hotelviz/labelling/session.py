"""A round of labelling: who sits where, what they see, and what they said."""

from __future__ import annotations

import datetime
import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from hotelviz.errors import LabelError, did_you_mean
from hotelviz.labelling.schema import assignments, photos, ratings, seats

if TYPE_CHECKING:
    from hotelviz.labelling.store import LabelStore

__all__ = ["UNSEEN", "Item", "LabelRound"]

#: How the reason of a skip begins where the photo could not be shown.
UNSEEN = "cannot be shown"
_KEY = re.compile(r"[0-9a-f-]{32,36}")
_LONGEST_NAME, _LONGEST_REASON = 60, 300
#: Seconds that a look at a photo may take; more is a page that was left open.
_LONGEST_LOOK = 1e6
#: What databases take for a place in a list.
_MOST_PLACES = 2**31


class Item(NamedTuple):
    """A place in a rater's list: which photo, and what the rater said of it, if anything."""

    place: int
    photo: int
    key: str | None
    score: int | None
    tag: str | None
    reason: str | None


class LabelRound:
    """A round of labelling in a store; see `LabelStore.begin_round` and `LabelStore.round`.

    Attributes
    ----------
    name, task, classes
        As it was begun.
    uid
        Tells rounds of all stores apart.
    settings
        All that it was begun with.
    """

    def __init__(self, store: LabelStore, row: dict[str, Any]) -> None:
        self._store, self._id, self.settings = store, row["id"], row
        self.uid, self.name, self.task = row["uid"], row["name"], row["task"]
        self.classes: list[str] = json.loads(row["classes"])

    def photos(self) -> pd.DataFrame:
        """List the photos: ``photo`` (number), ``image_id``, ``path``, ``hotel_id``."""
        query = sa.select(*[photos.c[name] for name in ("photo", "image_id", "path", "hotel_id")])
        return self._table(query.where(photos.c["round"] == self._id).order_by(photos.c.photo))

    def seats(self) -> pd.DataFrame:
        """List the seats: ``seat`` and ``rater``, missing where the seat is free."""
        query = sa.select(seats.c.seat, seats.c.name.label("rater"))
        return self._table(query.where(seats.c["round"] == self._id).order_by(seats.c.seat))

    def _table(self, query: sa.Select[Any]) -> pd.DataFrame:
        with self._store.reading() as connection:
            result = connection.execute(query)
            return pd.DataFrame(result.all(), columns=list(result.keys()))

    def take_seat(self, name: str) -> int:
        """Give a rater's seat, a free one for whoever comes for the first time.

        Parameters
        ----------
        name
            Of the rater. Blanks around it, and small and capital letters, make no difference.

        Returns
        -------
        int
            The number of the seat.

        Raises
        ------
        LabelError
            A name that is none, or no free seat.
        StoreError
            When the store cannot be read or written.
        """
        shown, folded = _clean_name(name)
        here = seats.c["round"] == self._id
        with self._store.writing() as connection:
            self._lock_seats(connection)
            mine = sa.select(seats.c.seat).where(here, seats.c.folded == folded)
            if (seat := connection.scalar(mine)) is not None:
                return int(seat)
            free = (
                sa.select(seats.c.seat)
                .where(here, seats.c.folded.is_(None))
                .order_by(seats.c.seat)
                .limit(1)
            )
            if (seat := connection.scalar(free)) is None:
                raise LabelError(
                    f"all {self.settings['raters']} seats of this round are taken; was the name "
                    "written differently before?"
                )
            connection.execute(
                sa.update(seats)
                .where(here, seats.c.seat == seat)
                .values(name=shown, folded=folded)
            )  # fmt: skip
            return int(seat)

    def _lock_seats(self, connection: Connection) -> None:
        """Let one at a time take seats and photos; SQLite has one writer at a time anyway."""
        here = seats.c["round"] == self._id
        connection.execute(sa.select(seats.c.seat).where(here).with_for_update()).all()

    def items(self, seat: int) -> list[Item]:
        """List what a seat has to rate, in its order, with what was said so far."""
        query = (
            sa.select(assignments.c.place, assignments.c.photo, ratings.c.key, ratings.c.score,
                      ratings.c.tag, ratings.c.reason)
            .outerjoin(ratings, self._counts())
            .where(assignments.c["round"] == self._id, assignments.c.seat == seat)
            .order_by(assignments.c.place)
        )  # fmt: skip
        with self._store.reading() as connection:
            return [Item(*row) for row in connection.execute(query)]

    def _counts(self) -> sa.ColumnElement[bool]:
        """Join the ratings that count to the places they are of."""
        columns = ("round", "seat", "place")
        same = [ratings.c[name] == assignments.c[name] for name in columns]
        return sa.and_(*same, ratings.c.active == 1)

    def last(self, seat: int, count: int = 100) -> list[str]:
        """Give the keys of a seat's last ratings that count, the oldest first."""
        query = (
            sa.select(ratings.c.key)
            .where(ratings.c["round"] == self._id, ratings.c.seat == seat, ratings.c.active == 1)
            .order_by(ratings.c.id.desc())
            .limit(count)
        )
        with self._store.reading() as connection:
            return list(connection.scalars(query))[::-1]

    def done(self, seat: int) -> int:
        """Count a seat's ratings and skips."""
        query = sa.select(sa.func.count()).where(
            ratings.c["round"] == self._id, ratings.c.seat == seat, ratings.c.active == 1
        )
        with self._store.reading() as connection:
            return int(connection.scalar(query) or 0)

    def rate(
        self,
        seat: int,
        place: int,
        key: str,
        *,
        score: int | None = None,
        tag: str | None = None,
        reason: str | None = None,
        seconds: float | None = None,
    ) -> str:
        """Keep a rating, or the reason of a skip. To repeat it does no harm.

        Parameters
        ----------
        seat, place
            Whose rating it is, and of what: a place in the seat's list.
        key
            A UUID that the rater's page made: a rating that is sent again has the same one.
        score, tag, reason
            One of the three: a whole number from 1 to 10, one of the classes, or why the photo
            was skipped.
        seconds
            How long the rater looked at it.

        Returns
        -------
        str
            ``saved``, now or before; or ``taken``: the place has another rating, made in another
            tab, say, and that one stays.

        Raises
        ------
        LabelError
            A rating that does not fit the task, or a place that the seat does not have.
        StoreError
            When the store cannot be written: send the rating again later.
        """
        self._check(place, key, score, tag, reason)
        time = _now()
        row = {
            "key": key, "round": self._id, "seat": seat, "place": place, "score": score, "tag": tag,
            "reason": None if reason is None else _plain(reason)[:_LONGEST_REASON],
            "seconds": None if seconds is None or not 0 <= seconds <= _LONGEST_LOOK else seconds,
            "time": time, "active": 1,
        }  # fmt: skip
        try:
            with self._store.writing() as connection:
                connection.execute(sa.insert(ratings).values(row))
        except IntegrityError as error:
            same = sa.select(ratings.c.seat, ratings.c.place).where(
                ratings.c["round"] == self._id, ratings.c.key == key
            )
            here = sa.select(ratings.c.id).where(
                ratings.c["round"] == self._id, ratings.c.seat == seat,
                ratings.c.place == place, ratings.c.active == 1,
            )  # fmt: skip
            with self._store.reading() as connection:
                if (known := connection.execute(same).first()) is not None:
                    if tuple(known) != (seat, place):
                        raise LabelError(f"the key {key} belongs to another rating") from error
                    return "saved"
                if connection.scalar(here) is not None:
                    return "taken"
            raise LabelError(f"seat {seat} of this round has no place {place}") from error
        return "saved"

    def _check(
        self, place: int, key: str, score: int | None, tag: str | None, reason: str | None
    ) -> None:
        _check_key(key)
        if type(place) is not int or not 0 <= place < _MOST_PLACES:
            raise LabelError(f"a place in a list is a whole number from 0, not {str(place)[:40]!r}")
        if sum(value is not None for value in (score, tag, reason)) != 1:
            raise LabelError("a rating is one score, one tag, or one reason of a skip")
        if reason is not None:
            if not isinstance(reason, str) or not _plain(reason):
                raise LabelError("a skip needs a reason")
            return
        if self.task == "tags":
            if not isinstance(tag, str) or tag not in self.classes:
                said = str(tag)[:40]
                raise LabelError(
                    f"{said!r} is not one of the classes {', '.join(self.classes)}"
                    f"{did_you_mean(said, self.classes)}"
                )
        elif type(score) is not int or not 1 <= score <= 10:
            raise LabelError(f"a score is a whole number from 1 to 10, not {str(score)[:40]!r}")

    def undo(self, seat: int, key: str) -> None:
        """Take a rating back, by its key; it stays in the store and no longer counts.

        Parameters
        ----------
        seat, key
            Whose rating, and which. One that is unknown or undone is left as it is.

        Raises
        ------
        LabelError
            A key that is none.
        StoreError
            When the store cannot be written.
        """
        _check_key(key)
        with self._store.writing() as connection:
            connection.execute(
                sa.update(ratings)
                .where(
                    ratings.c["round"] == self._id, ratings.c.seat == seat,
                    ratings.c.key == key, ratings.c.active == 1,
                )
                .values(active=None, undone=_now())
            )  # fmt: skip

    def help_out(self, seat: int) -> bool:
        """Give a seat that has finished one more photo that lacks a rating.

        That is one of a seat that nobody took, or one that another rater skipped although it can
        be shown. Photos that the seat had are not given again.

        Parameters
        ----------
        seat
            Whose list is to grow.

        Returns
        -------
        bool
            Whether there was one.
        """
        mine = sa.select(assignments.c.photo).where(
            assignments.c["round"] == self._id, assignments.c.seat == seat
        )
        with self._store.writing() as connection:
            self._lock_seats(connection)
            highest = connection.scalar(
                sa.select(sa.func.max(assignments.c.place)).where(
                    assignments.c["round"] == self._id, assignments.c.seat == seat
                )
            )
            place = 0 if highest is None else int(highest) + 1
            return self._take_over(connection, seat, place, mine) or self._add_skipped(
                connection, seat, place, mine
            )

    def _take_over(
        self, connection: Connection, seat: int, place: int, mine: sa.Select[Any]
    ) -> bool:
        found = connection.execute(
            sa.select(assignments.c.seat, assignments.c.place)
            .join(seats, sa.and_(seats.c["round"] == assignments.c["round"],
                                 seats.c.seat == assignments.c.seat))
            .where(assignments.c["round"] == self._id, seats.c.folded.is_(None),
                   assignments.c.repeat == 0, assignments.c.photo.not_in(mine))
            .order_by(assignments.c.seat.desc(), assignments.c.place)
            .limit(1)
        ).first()  # fmt: skip
        if found is None:
            return False
        connection.execute(
            sa.update(assignments)
            .where(assignments.c["round"] == self._id, assignments.c.seat == found.seat,
                   assignments.c.place == found.place)
            .values(seat=seat, place=place)
        )  # fmt: skip
        return True

    def _add_skipped(
        self, connection: Connection, seat: int, place: int, mine: sa.Select[Any]
    ) -> bool:
        skipped = sa.and_(ratings.c.reason.is_not(None))
        lost = sa.func.sum(sa.case((skipped, 1), else_=0))
        unseen = sa.func.sum(
            sa.case((ratings.c.reason.startswith(UNSEEN, autoescape=True), 1), else_=0)
        )
        found = connection.scalar(
            sa.select(assignments.c.photo)
            .outerjoin(ratings, self._counts())
            .where(assignments.c["round"] == self._id, assignments.c.repeat == 0,
                   assignments.c.photo.not_in(mine))
            .group_by(assignments.c.photo)
            .having(sa.func.count() - lost < self.settings["overlap"], unseen == 0)
            .order_by(assignments.c.photo)
            .limit(1)
        )  # fmt: skip
        if found is None:
            return False
        connection.execute(
            sa.insert(assignments).values(
                {"round": self._id, "seat": seat, "place": place, "photo": found, "repeat": 0}
            )
        )
        return True

    def ratings(self, *, undone: bool = False) -> pd.DataFrame:
        """List what raters said, in the order in which it arrived.

        Parameters
        ----------
        undone
            List also what was taken back.

        Returns
        -------
        pandas.DataFrame
            ``key``, ``image_id``, ``hotel_id``, ``path``, ``rater``, ``place``, ``repeat`` (1: a
            gold photo's second time), ``score``, ``tag``, ``reason`` (of a skip), ``seconds``,
            ``time`` and ``undone`` (when it was taken back, if so).
        """
        query = (
            sa.select(ratings.c.key, photos.c.image_id, photos.c.hotel_id, photos.c.path,
                      seats.c.name.label("rater"), ratings.c.place, assignments.c.repeat,
                      ratings.c.score, ratings.c.tag, ratings.c.reason, ratings.c.seconds,
                      ratings.c.time, ratings.c.undone)
            .join(assignments, sa.and_(*[
                ratings.c[name] == assignments.c[name] for name in ("round", "seat", "place")]))
            .join(photos, sa.and_(photos.c["round"] == assignments.c["round"],
                                  photos.c.photo == assignments.c.photo))
            .join(seats, sa.and_(seats.c["round"] == ratings.c["round"],
                                 seats.c.seat == ratings.c.seat))
            .where(ratings.c["round"] == self._id)
            .order_by(ratings.c.id)
        )  # fmt: skip
        if not undone:
            query = query.where(ratings.c.active == 1)
        table = self._table(query)
        return table.astype({"score": "Int64", "seconds": "float64"})

    def progress(self) -> pd.DataFrame:
        """Count per seat: ``rater``, ``assigned``, ``done``, ``skipped``, ``left``."""
        query = (
            sa.select(seats.c.name.label("rater"), sa.func.count(assignments.c.place),
                      sa.func.count(ratings.c.id), sa.func.count(ratings.c.reason))
            .select_from(seats)
            .outerjoin(assignments, sa.and_(assignments.c["round"] == seats.c["round"],
                                            assignments.c.seat == seats.c.seat))
            .outerjoin(ratings, self._counts())
            .where(seats.c["round"] == self._id)
            .group_by(seats.c.seat, seats.c.name).order_by(seats.c.seat)
        )  # fmt: skip
        table = self._table(query).set_axis(["rater", "assigned", "done", "skipped"], axis=1)
        return table.assign(left=table["assigned"] - table["done"])


def _check_key(key: object) -> None:
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise LabelError(f"the key of a rating is a UUID, not {str(key)[:40]!r}")


def _clean_name(name: object) -> tuple[str, str]:
    """Give a rater's name as it is shown, and as it is compared."""
    shown = _plain(unicodedata.normalize("NFC", str(name)))
    if not shown:
        raise LabelError("please enter a name")
    if len(shown) > _LONGEST_NAME:
        raise LabelError(f"a name has at most {_LONGEST_NAME} letters; this one has {len(shown)}")
    return shown, shown.casefold()


def _plain(text: str) -> str:
    """Make one line of a text, without control characters, which databases refuse."""
    kept = (" " if character.isspace() else character for character in text)
    return " ".join("".join(c for c in kept if unicodedata.category(c) not in {"Cc", "Cs"}).split())


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
