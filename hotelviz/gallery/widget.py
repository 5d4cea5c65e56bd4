"""The kernel's side of a live gallery: photos as they are looked at, decisions as they are made."""

from __future__ import annotations

import os
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import anywidget
import pandas as pd
import traitlets

from hotelviz.decisions import DECISION_COLUMNS, append_decisions, read_decisions
from hotelviz.errors import DecisionError, GalleryError, HotelvizError
from hotelviz.gallery.bundle import SCRIPT, STYLE
from hotelviz.gallery.payload import as_bytes, packed
from hotelviz.gallery.photo_provider import PhotoProvider
from hotelviz.gallery.saving import save_photos

#: Photos that a page may ask for at once.
_MAX_ROWS = 64
#: What the lines of a record share: a page is told of decisions, and tells them, in such records.
_SHARED = [name for name in DECISION_COLUMNS if name != "image_id"]


class GalleryWidget(anywidget.AnyWidget):  # type: ignore[misc]
    """A gallery whose photos stay in the kernel until they are looked at.

    Parameters
    ----------
    payload : dict
        What the script shows, of `hotelviz.gallery.payload.make_payload`.
    photos : PhotoProvider
        The photos of its rows.
    decisions : path, optional
        The decisions file; without one nothing can be decided.
    frame : pandas.DataFrame, optional
        The table, of which what is selected can be saved.
    """

    _esm = SCRIPT
    _css = STYLE
    content = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        payload: dict[str, Any],
        photos: PhotoProvider,
        decisions: str | os.PathLike[str] | None = None,
        frame: pd.DataFrame | None = None,
    ) -> None:
        self._photos, self._ids = photos, set(payload["ids"])
        self._decisions = Path(decisions) if decisions else None
        self._frame = frame
        # Lines of the decisions file, and how it was when they were all that it had.
        self._written: set[str] = set()
        self._mark: tuple[int, int] | None = None
        super().__init__(content=packed(payload, as_bytes))
        self.on_msg(lambda _, message, __: self.answer(message))

    def answer(self, message: dict[str, Any]) -> None:
        """Answer a message of the browser; see ``LiveSource`` in the script."""
        kind = message.get("type")
        if kind == "photos":
            self._send_photos([row for row in message["rows"] if self._has(row)][:_MAX_ROWS])
        elif kind == "large" and self._has(message["row"]):
            whole = bool(message.get("whole"))
            made = self._photos.large(message["row"], whole=whole)
            told = {"type": "large", "row": message["row"], "whole": whole, "error": made.error}
            self.send(told, [made.jpeg])
        elif kind == "decisions":
            self._send_decisions()
        elif kind == "decide":
            self._write(message["records"])
        elif kind == "save":
            self._save([row for row in message["rows"] if self._has(row)], message["path"])

    def _has(self, row: Any) -> bool:
        return isinstance(row, int) and 0 <= row < len(self._photos)

    def _send_photos(self, rows: list[int]) -> None:
        found = self._photos.photos(rows)
        photos = [
            {"row": row, "error": one.error, "caption": one.caption}
            for row, one in zip(rows, found, strict=True)
        ]
        buffers = [part for one in found for part in (one.jpeg, one.overlay)]
        self.send({"type": "photos", "photos": photos}, buffers)

    def _lines(self) -> pd.DataFrame:
        if self._decisions is None or not self._decisions.is_file():
            return pd.DataFrame(columns=DECISION_COLUMNS, dtype="str")
        return read_decisions(self._decisions)

    def _send_decisions(self) -> None:
        try:
            lines = self._lines()
        except (DecisionError, OSError) as error:
            self.send({"type": "decisions", "records": [], "error": str(error)})
            return
        lines = lines[lines["image_id"].isin(self._ids)]
        self.send({"type": "decisions", "records": _records(lines)})

    def _write(self, records: list[dict[str, Any]]) -> None:
        """Append what is not there yet: a page repeats what it got no answer to."""
        try:
            table = pd.DataFrame(
                [
                    {"image_id": name} | {column: record.get(column, "") for column in _SHARED}
                    for record in records
                    for name in record["image_ids"]
                ],
                columns=DECISION_COLUMNS,
                dtype="str",
            )
            if self._decisions is None:
                raise DecisionError("this gallery has no decisions file")
            if not self._ids.issuperset(table["image_id"]):
                raise DecisionError("a decision on a photo that is not in this gallery")
            names = table["time"] + table["image_id"]
            # A long file is not read again for each decision, but where others wrote it.
            if self._mark is None or self._mark != self._state():
                lines = self._lines()
                self._written = set(lines["time"] + lines["image_id"])
            fresh = table[[name not in self._written for name in names]]
            if len(fresh):
                append_decisions(self._decisions, fresh)
            self._written.update(names)
            self._mark = self._state()
        except (DecisionError, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self.send({"type": "decided", "error": f"{self._decisions}: {reason}"})
            return
        self.send({"type": "decided", "times": [record["time"] for record in records]})

    def _state(self) -> tuple[int, int] | None:
        """Return the size and the time of the decisions file, which any change changes."""
        if self._decisions is None or not self._decisions.is_file():
            return None
        state = self._decisions.stat()
        return state.st_size, state.st_mtime_ns

    def _save(self, rows: list[int], path: str) -> None:
        """Write rows as a catalogue, and tell how that went."""
        try:
            if self._frame is None:
                raise GalleryError("this gallery has no table to save")
            self.send({"type": "saved", "text": save_photos(self._frame, rows, path)})
        except (HotelvizError, OSError) as error:
            self.send({"type": "saved", "error": str(error)})


def _records(lines: pd.DataFrame) -> list[dict[str, Any]]:
    """Bring lines that follow one another and say the same together: one act is few records."""
    rows = lines[["image_id", *_SHARED]].itertuples(index=False, name=None)
    return [
        dict(zip(_SHARED, said, strict=True)) | {"image_ids": [row[0] for row in alike]}
        for said, alike in groupby(rows, key=itemgetter(*range(1, len(_SHARED) + 1)))
    ]
