"""The labelling app as a widget: in JupyterLab, or alone on a page that Voilà serves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anywidget

from hotelviz.io.bundle import bundle_script
from hotelviz.labelling.protocol import LabelProtocol
from hotelviz.labelling.session import LabelRound
from hotelviz.labelling.store import open_store

__all__ = ["LabelWidget", "label_photos"]

_STATIC = Path(__file__).parent / "static"

#: Letters in the name of a view, and views that are remembered: pages name themselves.
_LONGEST_VIEW, _MOST_VIEWS = 64, 100


class LabelWidget(anywidget.AnyWidget):
    """One photo at a time, rated by one key.

    Keys: 1 to 9 and 0 for 10, or those beside the tags; the left arrow, backspace or u go back and
    undo; s skips with a reason; ? shows help. Each page that shows the widget has a desk of its
    own, where its rater enters by name.

    Parameters
    ----------
    labels
        The round, as `hotelviz.labelling.open_store` and `LabelStore.round` give it.
    """

    _esm = bundle_script(_STATIC, ["queue", "photos", "layout", "dialogs", "keys", "page"])
    _css = (_STATIC / "page.css").read_text(encoding="utf-8")

    def __init__(self, labels: LabelRound) -> None:
        super().__init__()
        self._labels = labels
        self._desks: dict[str, LabelProtocol] = {}
        self.on_msg(self._hear)

    def _hear(self, _: Any, message: Any, __: Any) -> None:
        if not isinstance(message, dict):
            return
        view = str(message.get("view"))[:_LONGEST_VIEW]
        if view not in self._desks:
            self._desks[view] = LabelProtocol(self._labels)
            while len(self._desks) > _MOST_VIEWS:
                # Whoever sits there is asked for their name again.
                del self._desks[next(iter(self._desks))]
        desk = self._desks[view]
        for answer in desk.handle(message):
            buffers = [answer.photo] if answer.photo is not None else None
            self.send({**answer.content, "view": view}, buffers=buffers)


def label_photos(store: str | os.PathLike[str], name: str | None = None) -> LabelWidget:
    """Show the labelling app for a round that was begun.

    Parameters
    ----------
    store
        A file of SQLite or an address, as in `hotelviz.labelling.open_store`.
    name
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
    """
    return LabelWidget(open_store(store, create=False).round(name))
