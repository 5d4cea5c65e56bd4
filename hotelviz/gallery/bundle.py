"""The script and the style of galleries, live and in pages; see `hotelviz.io.bundle`."""

from __future__ import annotations

from pathlib import Path

from hotelviz.io.bundle import bundle_script

_STATIC = Path(__file__).parent / "static"

#: Draws galleries: of a page at once, live by ``render``.
SCRIPT = bundle_script(
    _STATIC,
    [
        "table",  # the payload, unpacked
        "decisions",  # in the browser or the kernel
        "sources",  # where photos come from
        "state",  # what one gallery knows; the others' functions take it
        "filters",  # which photos, in which order
        "toolbar",  # the controls above the photos
        "matrix",  # confusions
        "overlay",  # maps on photos
        "charts",  # probabilities and scores
        "grid",  # cards in lines
        "large_view",
        "walking",  # the cursor
        "reviewing",  # deciding, undoing, exporting
        "keys",
        "mount",  # starts it
    ],
)
STYLE = (_STATIC / "gallery.css").read_text(encoding="utf-8")
#: Of pages with galleries.
PAGE_STYLE = (_STATIC / "page.css").read_text(encoding="utf-8") + "\n" + STYLE
