"""What can go wrong when people label photos."""

from __future__ import annotations

from hotelviz.errors import HotelvizError

__all__ = ["LabelError", "StoreError"]


class LabelError(HotelvizError):
    """Something was asked for that cannot be; the message says what to do instead."""


class StoreError(HotelvizError, OSError):
    """The store cannot be read or written at the moment: a full disk, a lock, no connection."""
