"""Let people rate and tag photos, and know how far to trust what they say."""

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
