"""The script and the style of galleries, live and in pages; see `hotelviz.io.bundle`."""

from __future__ import annotations

from pathlib import Path

from hotelviz.io.bundle import bundle_script

_STATIC = Path(__file__).parent / "static"
#: Of these files, the others only declare what they do; ``mount`` starts it.
_OTHERS = {file.stem for file in _STATIC.glob("*.js")} - {"mount"}

#: Draws galleries: of a page at once, live by ``render``.
SCRIPT = bundle_script(_STATIC, [*sorted(_OTHERS), "mount"])
STYLE = (_STATIC / "gallery.css").read_text(encoding="utf-8")
#: Of pages with galleries.
PAGE_STYLE = (_STATIC / "page.css").read_text(encoding="utf-8") + "\n" + STYLE
