"""IPython extension: galleries show themselves as parts of a page, not live.

Reports load it into their kernels; ``%load_ext hotelviz.gallery.page_form`` does so in any other.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hotelviz.gallery.gallery import Gallery

#: Says, beside the markup, in which folder a page's photos lie until the page is written.
FILES_MIME = "application/vnd.hotelviz.files+json"


def load_ipython_extension(shell: Any) -> None:
    """Show galleries by `page_form` from now on."""
    shell.display_formatter.mimebundle_formatter.for_type(Gallery, page_form)


def page_form(gallery: Gallery) -> dict[str, Any]:
    """Return a gallery's markup, and the folder of the photos that it does not carry inside."""
    files = Path(tempfile.mkdtemp(prefix="hotelviz-photos-"))
    markup = gallery.to_html(files=files)
    return {"text/html": markup, "text/plain": str(gallery), FILES_MIME: {"folder": str(files)}}
