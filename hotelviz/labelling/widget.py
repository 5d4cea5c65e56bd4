"""The labelling app as a widget: in JupyterLab, or alone on a page that Voilà serves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anywidget
from cachetools import FIFOCache

from hotelviz.io.bundle import bundle_script
from hotelviz.labelling.protocol import LabelProtocol
from hotelviz.labelling.session import LabelRound
from hotelviz.labelling.store import open_store

_STATIC = Path(__file__).parent / "static"

#: Letters in the name of a view, and views that are remembered: pages name themselves.
_MAX_VIEW_NAME, _MAX_VIEWS = 64, 100


class LabelWidget(anywidget.AnyWidget):  # type: ignore[misc]
    """One photo at a time, rated by one key.

    Keys: 1 to 9 and 0 for 10, or those beside the tags; the left arrow, backspace or u go back and
    undo; s skips with a reason; ? shows help. Each page that shows the widget is one of its
    own, in which its rater enters by name.

    Parameters
    ----------
    labels : LabelRound
        The round, of `LabelStore.round`.
    """

    _esm = bundle_script(
        _STATIC, ["queue", "server", "photos", "layout", "dialogs", "keys", "page"]
    )
    _css = (_STATIC / "page.css").read_text(encoding="utf-8")

    def __init__(self, labels: LabelRound) -> None:
        super().__init__()
        self._labels = labels
        # Where a page was forgotten, whoever is there is asked for their name again.
        self._pages: FIFOCache[str, LabelProtocol] = FIFOCache(_MAX_VIEWS)
        self.on_msg(lambda _, message, __: self.answer(message))

    def answer(self, message: Any) -> None:
        """Answer a message of a page, which says in ``view`` which page it is."""
        if not isinstance(message, dict):
            return
        view = str(message.get("view"))[:_MAX_VIEW_NAME]
        if view not in self._pages:
            self._pages[view] = LabelProtocol(self._labels)
        for answer in self._pages[view].handle(message):
            buffers = [answer.photo] if answer.photo is not None else None
            self.send({**answer.content, "view": view}, buffers=buffers)


def label_photos(store: str | os.PathLike[str], name: str | None = None) -> LabelWidget:
    """Show the labelling app for a round that was begun.

    Parameters
    ----------
    store : path or str
        A file of SQLite or an address, as in `hotelviz.labelling.open_store`.
    name : str, optional
        Of the round; the latest by default.

    Returns
    -------
    LabelWidget

    Raises
    ------
    LabelError
        When there is no such store or round.
    StoreError
        When the store does not answer.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> store = f"{tempfile.mkdtemp()}/labels.sqlite"
    >>> photos = pd.DataFrame({"image_id": ["a"], "path": ["a.jpg"], "hotel_id": ["h"]})
    >>> _ = open_store(store).begin_round(photos, n_raters=1, overlap=1, repeats=0)
    >>> type(label_photos(store)).__name__
    'LabelWidget'
    """
    return LabelWidget(open_store(store, create=False).round(name))
