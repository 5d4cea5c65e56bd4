"""Where what can be computed again is kept."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder(*parts: str) -> Path:
    """Return the folder of a cache: in ``$HOTELVIZ_CACHE``, or else in the user's cache folder.

    Parameters
    ----------
    *parts
        What is kept there, such as ``"openvino"``.

    Returns
    -------
    pathlib.Path
        It need not exist.

    Examples
    --------
    >>> cache_folder("openvino").name
    'openvino'
    """
    given = os.environ.get("HOTELVIZ_CACHE")
    return (Path(given) if given else user_cache_path("hotelviz")).joinpath(*parts)
