"""Let people rate and tag photos, and know how far to trust what they say.

`open_store` opens a store, `LabelStore.begin_round` deals photos to raters, `label_photos` shows
the app. What comes after has modules of its own, so that a rater's page starts fast: `quality`
(agreement, raters, disputed photos), `export` (a catalogue to train on) and `choose` (the next
round).
"""

from hotelviz.labelling.app import LabelWidget, label_photos
from hotelviz.labelling.assignment import deal
from hotelviz.labelling.errors import LabelError, StoreError
from hotelviz.labelling.rounds import LabelRound
from hotelviz.labelling.store import TASKS, LabelStore, open_store

__all__ = [
    "TASKS",
    "LabelError",
    "LabelRound",
    "LabelStore",
    "LabelWidget",
    "StoreError",
    "deal",
    "label_photos",
    "open_store",
]
