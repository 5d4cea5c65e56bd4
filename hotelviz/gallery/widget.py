"""The kernel's side of a live gallery: photos as they are looked at, decisions as they are made."""

from __future__ import annotations

import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import numpy as np
import pandas as pd
import traitlets

from hotelviz.decisions import DECISION_COLUMNS, append_decisions, read_decisions
from hotelviz.errors import DecisionError
from hotelviz.gallery.bundle import SCRIPT, STYLE
from hotelviz.gallery.payload import as_bytes, caption_of, image_ids, packed, small_map
from hotelviz.gallery.thumbnails import Thumbnail, thumbnail

if TYPE_CHECKING:
    from hotelviz.gallery.gallery import Gallery

#: Bytes of thumbnails that the kernel keeps.
_KEPT = 64_000_000
#: The longer side of the large view, in pixels.
_LARGE = 1600
_MOST_ROWS = 64
#: What a page is told of each decision.
_SENT = ["image_id", "action", "label", "reason", "time"]


class GalleryWidget(anywidget.AnyWidget):
    """A gallery whose photos stay in the kernel until they are looked at.

    Parameters
    ----------
    gallery
        What is shown.
    decisions
        The decisions file, or None: then nothing can be decided.
    """

    _esm = SCRIPT
    _css = STYLE
    content = traitlets.Dict().tag(sync=True)

    def __init__(self, gallery: Gallery, decisions: str | os.PathLike[str] | None) -> None:
        self._gallery = gallery
        self._decisions = Path(decisions) if decisions else None
        self._rows = {name: row for row, name in enumerate(image_ids(gallery.frame))}
        self._kept: OrderedDict[int, Thumbnail] = OrderedDict()
        self._bytes = 0
        content = gallery.content(where=str(decisions or ""))
        super().__init__(content=packed(content, as_bytes))
        self.on_msg(lambda _, message, __: self.answer(message))

    def answer(self, message: dict[str, Any]) -> None:
        """Answer a message of the browser; see ``liveSource`` in the script."""
        kind = message.get("type")
        if kind == "photos":
            self._send_photos([row for row in message["rows"] if self._has(row)])
        elif kind == "large" and self._has(message["row"]):
            made = thumbnail(self._path(message["row"]), _LARGE)
            self.send({"type": "large", "row": message["row"], "problem": made.error}, [made.jpeg])
        elif kind == "decisions":
            self._send_decisions()
        elif kind == "decide":
            self._write(message["entries"])

    def _has(self, row: Any) -> bool:
        return isinstance(row, int) and 0 <= row < len(self._gallery.frame)

    def _path(self, row: int) -> str:
        return str(self._gallery.frame["path"].iat[row])

    def _send_photos(self, rows: list[int]) -> None:
        rows = rows[:_MOST_ROWS]
        missing = [row for row in rows if row not in self._kept]
        with ThreadPoolExecutor() as pool:
            side = self._gallery.thumbnail
            made = pool.map(lambda row: thumbnail(self._path(row), side), missing)
            fresh = dict(zip(missing, made, strict=True))
        buffers: list[bytes] = []
        photos = []
        for row in rows:
            one = fresh[row] if row in fresh else self._kept[row]
            photos.append({"row": row, "problem": one.error, "caption": self._caption(row)})
            overlays = self._gallery.overlays
            buffers += [one.jpeg, b"" if overlays is None else small_map(overlays, row).tobytes()]
        self._keep(fresh)
        self.send({"type": "photos", "photos": photos}, buffers)

    def _caption(self, row: int) -> str:
        return caption_of(self._gallery.frame.iloc[row], self._gallery.caption)

    def _keep(self, fresh: dict[int, Thumbnail]) -> None:
        # A photo that could not be read is tried again: it may be back.
        for row, made in fresh.items():
            if made.jpeg:
                self._kept[row] = made
                self._bytes += len(made.jpeg)
        while self._bytes > _KEPT:
            _, old = self._kept.popitem(last=False)
            self._bytes -= len(old.jpeg)

    def _lines(self) -> pd.DataFrame:
        if self._decisions is None or not self._decisions.is_file():
            return pd.DataFrame(columns=DECISION_COLUMNS, dtype="str")
        return read_decisions(self._decisions)

    def _send_decisions(self) -> None:
        try:
            lines = self._lines()
        except (DecisionError, OSError) as error:
            self.send({"type": "decisions", "entries": [], "problem": str(error)})
            return
        lines = lines[lines["image_id"].isin(self._rows)]
        entries = lines[_SENT].to_dict("records")
        self.send({"type": "decisions", "entries": entries})

    def _write(self, entries: list[dict[str, str]]) -> None:
        """Append what is not there yet: a page repeats what it got no answer to."""
        table = pd.DataFrame(entries, dtype="str")
        try:
            if self._decisions is None:
                raise DecisionError("this gallery has no decisions file")
            if not table["image_id"].isin(self._rows).all():
                raise DecisionError("a decision on a photo that is not in this gallery")
            lines = self._lines()
            there = set(zip(lines["image_id"], lines["time"], strict=True))
            known = [pair in there for pair in zip(table["image_id"], table["time"], strict=True)]
            fresh = table[~np.array(known, dtype=bool)]
            if len(fresh):
                append_decisions(self._decisions, fresh)
        except (DecisionError, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self.send({"type": "decided", "problem": f"{self._decisions}: {reason}"})
            return
        times = (table["time"] + table["image_id"]).tolist()
        self.send({"type": "decided", "times": times})
