"""What can go wrong, by kind: each message says what is wrong, where, and what to do.

The command line catches `HotelvizError`; everything else is a bug, and shows its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

from hotelviz.schema import MEANINGS, RATINGS, Status


class HotelvizError(ValueError):
    """Something that the user can mend; the command line prints its message, not a traceback."""


class OutputError(HotelvizError):
    """An output cannot be written where it was asked for; found out before the work starts."""


class CatalogError(HotelvizError):
    """A catalogue cannot be used as it is; the message says where and what to do."""


class CatalogWarning(UserWarning):
    """Something of a catalogue is not used; the message says what and why."""


class MissingPhotosError(HotelvizError):
    """So many photos are not available that something is wrong with their place."""


class ImageError(HotelvizError):
    """A file cannot be made into pixels; the message names it and says why.

    Attributes
    ----------
    status
        ``Status.UNREADABLE``, or ``Status.UNAVAILABLE`` where the place is at fault.
    """

    def __init__(self, reason: str, status: Status = Status.UNREADABLE) -> None:
        super().__init__(reason)
        self.status = status


class RemoteError(OSError):
    """A photo's URL gives no photo; the message says why, without secrets."""


class TooLargeError(RemoteError):
    """A file is longer than it may be."""


class ModelError(HotelvizError):
    """A model, or a model file, cannot be used as it is."""


class ModelWarning(UserWarning):
    """A model can be used, but not for everything."""


class KerasBackendError(HotelvizError):
    """Keras is set to another backend than TensorFlow."""


class TrainingError(HotelvizError):
    """A training cannot go on."""


class InferenceError(HotelvizError):
    """Photos cannot be scored as asked."""


class ClusterError(InferenceError):
    """The cluster cannot be reached, or is not installed here."""


class BackendError(HotelvizError):
    """A backend cannot run a network, or not as exactly as asked."""


class ScoresError(HotelvizError):
    """A scores dataset cannot be read, or does not have what was asked for."""


class MetricsError(HotelvizError):
    """Predictions cannot be compared with the truth."""


class DecisionError(HotelvizError):
    """A decision cannot be read, written or applied; the message names file and line."""


class DecisionWarning(UserWarning):
    """A line of a decisions file was passed over; the message says which and why."""


class EmbeddingError(HotelvizError):
    """Photos cannot be compared by their features as asked."""


class AuditError(HotelvizError):
    """Photos cannot be audited as asked."""


class CacheWarning(UserWarning):
    """A part of the cache was not used; the message says which and why."""


class AttributionError(HotelvizError):
    """A map cannot be computed for this model or this target."""


class ConceptError(HotelvizError):
    """Concepts cannot be found, read or applied as asked."""


class FeatureVisError(HotelvizError):
    """A feature visualisation or a comparison of filters cannot be made as asked."""


class RankingError(HotelvizError):
    """Photos cannot be ranked as asked."""


class LabelError(HotelvizError):
    """Labelling cannot go on as asked; the message says what to do instead."""


class StoreError(HotelvizError, OSError):
    """The store cannot be read or written at the moment: a full disk, a lock, no connection."""


class GalleryError(HotelvizError):
    """A gallery cannot be made of this table, or its photos not be shown."""


class ReportError(HotelvizError):
    """A report cannot be made; what was there before is untouched."""


class DemoError(HotelvizError):
    """A demo catalogue cannot be made as asked."""


def check_choice(
    value: object, choices: Collection[str], what: str, error: type[HotelvizError]
) -> None:
    """Check that a value is one of several.

    Parameters
    ----------
    value
        What was given.
    choices
        What would be right.
    what
        What the value is for: the message begins with it.
    error
        What is raised when it is none of them.

    Examples
    --------
    >>> check_choice("valid", ["train", "val"], "split", ModelError)
    Traceback (most recent call last):
    hotelviz.errors.ModelError: split must be one of train, val; not 'valid'; did you mean 'val'?
    """
    if not isinstance(value, str) or value not in choices:
        hint = did_you_mean(value, choices)
        raise error(f"{what} must be one of {', '.join(choices)}; not {value!r}{hint}")


def did_you_mean(value: object, choices: Collection[str]) -> str:
    """Return the end of an error message: which of `choices` was probably meant.

    Parameters
    ----------
    value
        What was given.
    choices
        What would have been right.

    Returns
    -------
    str
        ``"; did you mean 'Bedroom'?"``, or an empty string when nothing is close.

    Examples
    --------
    >>> did_you_mean("Bedrom", ["Bathroom", "Bedroom"])
    "; did you mean 'Bedroom'?"
    """
    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(str(value).lower(), by_lower, n=1)
    return f"; did you mean {by_lower[close[0]]!r}?" if close else ""


def no_column(column: str, given: Iterable[object]) -> str:
    """Return what an error message says of a column that a table does not have.

    Parameters
    ----------
    column
        The column that is needed.
    given
        The columns of the table.

    Returns
    -------
    str
        With what the column holds, the columns that there are, and which was probably meant.

    Examples
    --------
    >>> no_column("label", ["path", "lable"])
    "no column 'label' (the area that each photo shows); its columns are path, lable; did you ..."
    """
    names = [str(name) for name in given]
    meaning = f" ({MEANINGS[column]})" if column in MEANINGS else ""
    hint = "" if column in RATINGS else did_you_mean(column, names)
    return f"no column {column!r}{meaning}; its columns are {', '.join(names) or 'none'}{hint}"
