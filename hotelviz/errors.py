"""Errors that speak to the user: each names what is wrong, where, and what to do."""

from __future__ import annotations

__all__ = ["HotelvizError", "OutputError"]


class HotelvizError(ValueError):
    """Something that the user can mend; the command line prints its message, not a traceback."""


class OutputError(HotelvizError):
    """An output cannot be written where it was asked for; found out before the work starts."""
