"""Scripts of pages, put together from files that a person can read.

There is no build step. A page's script is the shared ``static/elements.js`` and then the files that
its package lists, one after the other in one scope: each file declares functions and classes that
the others may call, and only the last one runs something when it is loaded. The text is the same
for a page on disk, which carries it as an inline module, and for anywidget, which wants one module
with ``export default { render }``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_SHARED = Path(__file__).parent / "static" / "elements.js"


def bundle_script(folder: Path, names: Iterable[str]) -> str:
    """Return the script of a page.

    Parameters
    ----------
    folder : pathlib.Path
        Where the files are.
    names : iterable of str
        The files, without ``.js``, in their order.

    Returns
    -------
    str
        One JavaScript module.
    """
    files = [_SHARED, *(folder / f"{name}.js" for name in names)]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)
