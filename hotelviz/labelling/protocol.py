"""What a rater's page is told, and what it may ask: messages in, answers out.

========== ========================================= ==============================================
A page     which sends                               is answered
========== ========================================= ==============================================
``hello``                                            ``round``: the question, the choices, what
                                                     they mean, the reasons of a skip, who has
                                                     come, how many may
``enter``  ``name``                                  ``state``: the rater's list, with what the
                                                     rater said so far, and the last ratings' keys
``state``                                            ``state`` again
``more``                                             ``state``, with one more photo to help out
                                                     with, or ``finished``
``photos`` ``positions``                             ``photo`` for each: JPEG bytes, or an error
``rate``   ``position``, ``key`` and one of          ``saved`` or ``taken``, and how many are done
           ``score``, ``tag``, ``reason``
``undo``   ``key``                                   ``saved``, and how many are done
========== ========================================= ==============================================

What cannot be is answered by ``refused``; what could not be kept, and should be sent again, by
``failed``; both with a ``message``. Who has not entered is asked to: ``who``. A page is never told
what others said, nor what a model thinks. Nothing here knows of widgets or servers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from hotelviz.errors import ImageError, LabelError, StoreError
from hotelviz.images import decode_image, encode_jpeg
from hotelviz.labelling.session import NOT_SHOWN, LabelRound
from hotelviz.schema import SCORES

#: The longer side of photos as they are shown, in pixels.
_SIDE = 1600
#: What the page offers as reasons of a skip.
_REASONS = (
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
#: Photos that a page may ask for at once.
_MAX_PHOTOS = 32
#: Keys of tags; s and u have their own meaning.
_TAG_KEYS = "123456789abcdefghijklmnopqrtvwxyz"


class Answer(NamedTuple):
    """A message for the page, and the bytes of a photo, if any."""

    content: dict[str, Any]
    photo: bytes | None = None


class LabelProtocol:
    """Serve one page of one rater.

    Parameters
    ----------
    labels : LabelRound
        The round.

    Examples
    --------
    >>> import tempfile, pathlib, pandas as pd
    >>> from hotelviz.labelling import open_store
    >>> photos = pd.DataFrame({"image_id": ["a"], "path": ["a.jpg"], "hotel_id": ["h"]})
    >>> store = open_store(pathlib.Path(tempfile.mkdtemp()) / "labels.sqlite")
    >>> page = LabelProtocol(store.begin_round(photos, n_raters=1, overlap=1))
    >>> page.handle({"type": "enter", "name": "Ada"})[0].content["items"]
    [{'position': 0, 'key': None, 'said': None}]
    """

    def __init__(self, labels: LabelRound) -> None:
        self._labels = labels
        #: Who entered; without a name nobody has.
        self._rater, self._name = 0, ""
        #: photo -> path, and position -> photo
        self._paths: dict[int, str] = {}
        self._photo_at: dict[int, int] = {}

    def handle(self, message: Mapping[str, Any]) -> list[Answer]:
        """Answer a message of the page.

        Parameters
        ----------
        message : mapping
            Its ``type``, and what goes with that; see the module.

        Returns
        -------
        list of Answer
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
        if not self._name and kind not in {"hello", "enter"}:
            return [Answer({"type": "who", **about})]
        try:
            return answer(message)
        except (LabelError, KeyError) as error:
            lacks = "the message lacks something: " if isinstance(error, KeyError) else ""
            return [Answer({"type": "refused", "message": f"{lacks}{error}", **about})]
        except StoreError as error:
            # Where the store is concerns those who run it, not the rater.
            text = "the store " + str(error).partition(": ")[2]
            return [Answer({"type": "failed", "message": text, **about})]

    def _hello(self, _: Mapping[str, Any]) -> list[Answer]:
        names = self._labels.raters()["name"]
        content = {
            "type": "round", "uid": self._labels.uid, "name": self._labels.name,
            "task": self._labels.task, "question": _QUESTIONS[self._labels.task],
            "choices": self._choices(), "reasons": list(_REASONS),
            "anchors": [{"score": s, "text": text} for s, text in self._labels.anchors.items()],
            "rules": [
                {"tag": tag.replace("_", " "), "text": text}
                for tag, text in self._labels.rules.items()
            ],
            "raters": sorted(names.dropna(), key=str.casefold), "free": int(names.isna().sum()),
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
        return [{"key": str(s % 10), "value": s, "text": str(s)} for s in SCORES]

    def _enter(self, message: Mapping[str, Any]) -> list[Answer]:
        name = message["name"]
        if not isinstance(name, str):
            raise LabelError("please enter a name")
        self._rater = self._labels.enter(name)
        self._name = self._labels.raters().set_index("rater")["name"][self._rater]
        photos = self._labels.photos()
        self._paths = dict(zip(photos["photo"], photos["path"], strict=True))
        return self._state(message)

    def _state(self, _: Mapping[str, Any]) -> list[Answer]:
        items = self._labels.items(self._rater)
        self._photo_at = {item.position: item.photo for item in items}
        rows = [
            {"position": position, "key": key, "said": score or tag or reason}
            for position, _, key, score, tag, reason in items
        ]
        content = {"type": "state", "rater": self._rater, "name": self._name, "items": rows}
        return [Answer({**content, "last": self._labels.last(self._rater)})]

    def _more(self, message: Mapping[str, Any]) -> list[Answer]:
        if self._labels.help_out(self._rater):
            return self._state(message)
        return [Answer({"type": "finished"})]

    def _photos(self, message: Mapping[str, Any]) -> list[Answer]:
        positions, answers = message["positions"], []
        if not isinstance(positions, list) or len(positions) > _MAX_PHOTOS:
            raise LabelError(f"photos are asked for by a list of at most {_MAX_PHOTOS} positions")
        if any(type(one) is not int or one not in self._photo_at for one in positions):
            raise LabelError("a photo is asked for that is not in this rater's list")
        for position in positions:
            content: dict[str, Any] = {"type": "photo", "position": position}
            photo = None
            try:
                photo, truncated = shown_photo(self._paths[self._photo_at[position]])
                content["truncated"] = truncated
            except ImageError as error:
                # The file's name may tell what it is about; the rater need not know it.
                content["error"] = f"{NOT_SHOWN}: {str(error).rpartition(': ')[2]}"
            answers.append(Answer(content, photo))
        return answers

    def _rate(self, message: Mapping[str, Any]) -> list[Answer]:
        said = {name: message.get(name) for name in ("score", "tag", "reason", "seconds")}
        kept = self._labels.rate(self._rater, message["position"], message["key"], **said)
        return [self._kept(kept, message)]

    def _undo(self, message: Mapping[str, Any]) -> list[Answer]:
        self._labels.undo(self._rater, message["key"])
        return [self._kept("saved", message)]

    def _kept(self, kept: str, message: Mapping[str, Any]) -> Answer:
        """Acknowledge; the count lets a page notice what another tab of its rater did."""
        done = self._labels.n_done(self._rater)
        return Answer({"type": kept, "of": message["type"], "key": message["key"], "done": done})


def shown_photo(path: str | os.PathLike[str], *, side: int = _SIDE) -> tuple[bytes, bool]:
    """Return the JPEG that raters see.

    Parameters
    ----------
    path : path
        A local file.
    side : int, default 1600
        The longer side, in pixels, of photos that are larger.

    Returns
    -------
    jpeg : bytes
    truncated : bool
        Whether the file ends too early.

    Raises
    ------
    ImageError
        The photo cannot be read.
    """
    photo = decode_image(path, max_side=side, resample="lanczos")
    return encode_jpeg(photo.pixels, quality=88), photo.truncated
