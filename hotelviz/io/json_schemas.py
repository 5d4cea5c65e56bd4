"""jsonschema without its grammar of international addresses, which takes seconds to put together.

All of Jupyter that reads notebooks loads it; no notebook has an address that it would check.
"""

from __future__ import annotations

import sys
from importlib import import_module


def load_jsonschema() -> None:
    """Load jsonschema without checks of the formats ``iri`` and ``iri-reference``.

    Where it is loaded already, it stays as it is.

    Examples
    --------
    >>> load_jsonschema()
    >>> import nbformat
    >>> nbformat.validate(nbformat.v4.new_notebook())
    """
    grammar = "rfc3987_syntax"
    if "jsonschema" in sys.modules or grammar in sys.modules:
        return
    # That it is not there is a case that jsonschema knows.
    sys.modules[grammar] = None  # type: ignore[assignment]
    try:
        import_module("jsonschema")
    finally:
        del sys.modules[grammar]
