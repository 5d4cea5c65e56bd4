"""The desk that a rater's page speaks to: it hands out photos and takes ratings.

It knows nothing of widgets or servers: a message comes in as a dict, the answers go out as dicts,
of photos with the bytes of a JPEG. It never tells what others said, nor what a model thinks.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from hotelviz.errors import ImageError, LabelError, StoreError
from hotelviz.images import decode_image, encode_jpeg
from hotelviz.labelling.session import UNSEEN, LabelRound

__all__ = ["REASONS", "SHOWN", "Answer", "LabelProtocol", "shown_photo"]

#: The longer side of photos as they are shown, in pixels.
SHOWN = 1600
#: What the page offers as reasons of a skip.
REASONS = (
    "not a photo of a hotel",
    "I cannot decide",
    "I know this hotel",
    "unfit to be shown",
)
_QUESTIONS = {
    "aesthetic": "How beautiful is this photo?",
    "technical": "How good is the picture technically (sharpness, light, noise)?",
    "tags": "What does this photo show?",
}
#: Keys of tags; s and u have their own meaning.
#: Photos that a page may ask for at once.
_MOST_PHOTOS = 32
_TAG_KEYS = "123456789abcdefghijklmnopqrtvwxyz"


class Answer(NamedTuple):
    """What the desk says: a message for the page, and the bytes of a photo, if any."""

    content: dict[str, Any]
    photo: bytes | None = None


class LabelProtocol:
    """Serve one page of one rater.

    Parameters
    ----------
    labels
        The round.

    Examples
    --------
    >>> import tempfile, pathlib, pandas as pd
    >>> from hotelviz.labelling import open_store
    >>> photos = pd.DataFrame({"image_id": ["a"], "path": ["a.jpg"], "hotel_id": ["h"]})
    >>> store = open_store(pathlib.Path(tempfile.mkdtemp()) / "labels.sqlite")
    >>> desk = LabelProtocol(store.begin_round(photos, raters=1, overlap=1))
    >>> desk.handle({"type": "enter", "name": "Ada"})[0].content["items"]
    [{'place': 0, 'key': None, 'said': None}]
    """

    def __init__(self, labels: LabelRound) -> None:
        self._labels = labels
        self._seat: int | None = None
        self._name = ""
        self._paths: dict[int, str] = {}
        self._places: dict[int, int] = {}

    def handle(self, message: Mapping[str, Any]) -> list[Answer]:
        """Answer a message of the page.

        Parameters
        ----------
        message
            ``type`` says what is wanted. ``hello``: what the round is about. ``enter``, with a
            ``name``: the rater's list. ``state``: the same again. ``more``: one more photo to help
            out with, if any. ``photos``, with ``places``: the photos. ``rate`` and ``undo``, with
            the ``key`` of the rating and the rest of it.

        Returns
        -------
        list of Answer
            What cannot be is answered by ``refused``; what could not be kept, and should be sent
            again, by ``failed``; both with a ``message`` for the rater.
        """
        kind = str(message.get("type"))[:40]
        answer = {
            "hello": self._hello, "enter": self._enter, "state": self._state, "more": self._more,
            "photos": self._photos, "rate": self._rate, "undo": self._undo,
        }.get(kind)  # fmt: skip
        key = message.get("key")
        about = {"of": kind, "key": key if isinstance(key, str) and len(key) <= 40 else None}
        if answer is None:
            return [Answer({"type": "refused", "message": f"unknown message {kind!r}", **about})]
        if self._seat is None and kind not in {"hello", "enter"}:
            return [Answer({"type": "who", **about})]
        try:
            return answer(message)
        except LabelError as error:
            return [Answer({"type": "refused", "message": str(error), **about})]
        except KeyError as error:
            text = f"the message lacks something: {error}"
            return [Answer({"type": "refused", "message": text, **about})]
        except StoreError as error:
            # Where the store is concerns those who run it, not the rater.
            text = "the store " + str(error).partition(": ")[2]
            return [Answer({"type": "failed", "message": text, **about})]

    def _hello(self, _: Mapping[str, Any]) -> list[Answer]:
        seats = self._labels.seats()["rater"]
        content = {
            "type": "round", "uid": self._labels.uid, "name": self._labels.name,
            "task": self._labels.task, "question": _QUESTIONS[self._labels.task],
            "choices": self._choices(), "reasons": list(REASONS),
            "raters": sorted(seats.dropna(), key=str.casefold), "free": int(seats.isna().sum()),
        }  # fmt: skip
        return [Answer(content)]

    def _choices(self) -> list[dict[str, Any]]:
        if self._labels.task == "tags":
            classes = self._labels.classes
            keys = [*_TAG_KEYS, *[""] * len(classes)]
            return [
                {"key": key, "value": name, "text": name.replace("_", " ")}
                for key, name in zip(keys, classes, strict=False)
            ]
        return [{"key": str(s % 10), "value": s, "text": str(s)} for s in range(1, 11)]

    def _enter(self, message: Mapping[str, Any]) -> list[Answer]:
        name = message["name"]
        if not isinstance(name, str):
            raise LabelError("please enter a name")
        self._seat = self._labels.take_seat(name)
        self._name = self._labels.seats().set_index("seat")["rater"][self._seat]
        photos = self._labels.photos()
        self._paths = dict(zip(photos["photo"], photos["path"], strict=True))
        return self._state(message)

    def _state(self, _: Mapping[str, Any]) -> list[Answer]:
        items = self._labels.items(self._my_seat())
        self._places = {item.place: item.photo for item in items}
        rows = [
            {
                "place": item.place,
                "key": item.key,
                "said": item.score or item.tag or item.reason,
            }
            for item in items
        ]
        last = self._labels.last(self._my_seat())
        return [Answer({"type": "state", "seat": self._seat, "name": self._name,
                        "items": rows, "last": last})]  # fmt: skip

    def _more(self, message: Mapping[str, Any]) -> list[Answer]:
        if self._labels.help_out(self._my_seat()):
            return self._state(message)
        return [Answer({"type": "finished"})]

    def _photos(self, message: Mapping[str, Any]) -> list[Answer]:
        places, answers = message["places"], []
        if not isinstance(places, list) or len(places) > _MOST_PHOTOS:
            raise LabelError(f"photos are asked for by a list of at most {_MOST_PHOTOS} places")
        if any(type(place) is not int or place not in self._places for place in places):
            raise LabelError("a photo is asked for that is not in this rater's list")
        for place in places:
            content: dict[str, Any] = {"type": "photo", "place": place}
            photo = None
            try:
                photo, truncated = shown_photo(self._paths[self._places[place]])
                content["truncated"] = truncated
            except ImageError as error:
                # The file's name may tell what it is about; the rater need not know it.
                why = str(error).rpartition(": ")[2]
                content["problem"] = f"{UNSEEN}: {why}"
            answers.append(Answer(content, photo))
        return answers

    def _rate(self, message: Mapping[str, Any]) -> list[Answer]:
        seconds = message.get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            seconds = None
        kept = self._labels.rate(
            self._my_seat(),
            message["place"],
            message["key"],
            score=message.get("score"),
            tag=message.get("tag"),
            reason=message.get("reason"),
            seconds=seconds,
        )
        return [self._kept(kept, message)]

    def _undo(self, message: Mapping[str, Any]) -> list[Answer]:
        self._labels.undo(self._my_seat(), message["key"])
        return [self._kept("saved", message)]

    def _kept(self, kept: str, message: Mapping[str, Any]) -> Answer:
        """Acknowledge; the count lets a page notice what another tab of its rater did."""
        done = self._labels.done(self._my_seat())
        return Answer({"type": kept, "of": message["type"], "key": message["key"], "done": done})

    def _my_seat(self) -> int:
        if self._seat is None:
            raise LabelError("nobody has entered yet")
        return self._seat


def shown_photo(path: str | os.PathLike[str], *, side: int = SHOWN) -> tuple[bytes, bool]:
    """Make the JPEG that raters see.

    Parameters
    ----------
    path
        A local file.
    side
        The longer side, in pixels, of photos that are larger.

    Returns
    -------
    jpeg, truncated
        The bytes, and whether the file ended too early.

    Raises
    ------
    ImageError
        The photo cannot be read.
    """
    photo = decode_image(path, max_side=side, resample="lanczos")
    return encode_jpeg(photo.pixels, quality=88), photo.truncated
