"""The kernel's side of a live gallery: photos as they are looked at, decisions as they are made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anywidget
import pandas as pd
import traitlets

from hotelviz.decisions import DECISION_COLUMNS, append_decisions, read_decisions
from hotelviz.errors import DecisionError
from hotelviz.gallery.bundle import SCRIPT, STYLE
from hotelviz.gallery.payload import as_bytes, packed
from hotelviz.gallery.photo_provider import PhotoProvider

#: Photos that a page may ask for at once.
_MAX_ROWS = 64
#: What a page is told of each decision.
_SENT = ["image_id", "action", "label", "reason", "time"]


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
    """

    _esm = SCRIPT
    _css = STYLE
    content = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        payload: dict[str, Any],
        photos: PhotoProvider,
        decisions: str | os.PathLike[str] | None = None,
    ) -> None:
        self._photos, self._ids = photos, set(payload["ids"])
        self._decisions = Path(decisions) if decisions else None
        super().__init__(content=packed(payload, as_bytes))
        self.on_msg(lambda _, message, __: self.answer(message))

    def answer(self, message: dict[str, Any]) -> None:
        """Answer a message of the browser; see ``LiveSource`` in the script."""
        kind = message.get("type")
        if kind == "photos":
            self._send_photos([row for row in message["rows"] if self._has(row)][:_MAX_ROWS])
        elif kind == "large" and self._has(message["row"]):
            made = self._photos.large(message["row"])
            self.send({"type": "large", "row": message["row"], "error": made.error}, [made.jpeg])
        elif kind == "decisions":
            self._send_decisions()
        elif kind == "decide":
            self._write(message["entries"])

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
            self.send({"type": "decisions", "entries": [], "error": str(error)})
            return
        lines = lines[lines["image_id"].isin(self._ids)]
        self.send({"type": "decisions", "entries": lines[_SENT].to_dict("records")})

    def _write(self, entries: list[dict[str, str]]) -> None:
        """Append what is not there yet: a page repeats what it got no answer to."""
        table = pd.DataFrame(entries, dtype="str")
        try:
            if self._decisions is None:
                raise DecisionError("this gallery has no decisions file")
            if not table["image_id"].isin(self._ids).all():
                raise DecisionError("a decision on a photo that is not in this gallery")
            lines = self._lines()
            names = table["time"] + table["image_id"]
            fresh = table[~names.isin(lines["time"] + lines["image_id"])]
            if len(fresh):
                append_decisions(self._decisions, fresh)
        except (DecisionError, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self.send({"type": "decided", "error": f"{self._decisions}: {reason}"})
            return
        self.send({"type": "decided", "times": names.tolist()})
