"""Let people rate and tag photos, and know how far to trust what they say.

`open_store` opens a store, `LabelStore.begin_round` assigns photos to raters, `label_photos` shows
the app. What comes after has modules of its own, so that a rater's page starts fast: `inter_rater`
(agreement, raters, disputed photos), `export` (a catalogue to train on) and `active_learning` (the
next round).
"""

from hotelviz.errors import LabelError, StoreError
from hotelviz.labelling.assignment import assign_photos
from hotelviz.labelling.session import LabelRound
from hotelviz.labelling.store import TASKS, LabelStore, open_store
from hotelviz.labelling.widget import LabelWidget, label_photos

__all__ = [
    "TASKS",
    "LabelError",
    "LabelRound",
    "LabelStore",
    "LabelWidget",
    "StoreError",
    "assign_photos",
    "label_photos",
    "open_store",
]
