"""Pictures of a page: figures that turn dark with it, and thumbnails for the index."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

#: Of a thumbnail: most pixels across and down.
_SMALL = (480, 300)
_GALLERY = re.compile(r'<script type="application/json">(.*?)</script>', re.DOTALL)


def picture_html(
    source: str,
    alt: str,
    *,
    width: int | None = None,
    kept: Sequence[Sequence[float]] | None = None,
) -> str:
    """Return a picture as markup.

    Parameters
    ----------
    source : str
        Its address.
    alt : str
        What it shows.
    width : int, optional
        Its width on the page.
    kept : sequence of sequence of float, optional
        Of a figure, the parts that look the same by day and by night: left, top, width and height
        in per cent. On a dark page a veil turns the light and dark of what is behind it; these are
        holes in it. None for what is no figure, and is never turned.
    """
    size = f' width="{width:d}" style="--width:{width:d}px"' if width else ""
    image = f'<img src="{html.escape(source)}"{size} alt="{html.escape(alt)}">'
    if kept is None:
        return image
    return f'<span class="drawn">{image}<i{_holes(kept)}></i></span>'


def _holes(boxes: Sequence[Sequence[float]]) -> str:
    """Return the style of a veil with holes: one line goes around it and around each of them."""
    if not boxes:
        return ""
    # Beyond the picture, whose last line of pixels would else be turned in part.
    corners = ["-1% -1%", "101% -1%", "101% 101%", "-1% 101%", "-1% -1%"]
    for left, top, width, height in boxes:
        right, bottom = left + width, top + height
        around = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        corners += [f"{x:.2f}% {y:.2f}%" for x, y in around] + ["-1% -1%"]
    return f' style="clip-path:polygon(evenodd,{",".join(corners)})"'


def thumbnail(picture: bytes) -> str:
    """Return a picture made small, as the address of a WebP."""
    small = Image.open(io.BytesIO(picture)).convert("RGB")
    small.thumbnail(_SMALL)
    return _address(small)


def gallery_thumbnail(markup: str, files: Path) -> str:
    """Return the first photos of a gallery as the address of a small picture; empty for none.

    Parameters
    ----------
    markup : str
        The gallery's.
    files : pathlib.Path
        The folder of the photos that are not inside of it.
    """
    found = _GALLERY.search(markup)
    content: dict[str, Any] = json.loads(found[1]) if found else {}
    inside = content.get("photos")
    if inside is None:
        photos = (
            [file.read_bytes() for file in sorted((files / content["folder"]).glob("?.jpg"))]
            if content.get("folder")
            else []
        )
    else:
        photos = [base64.b64decode(photo) for photo in inside[:12] if photo]
    if not photos:
        return ""
    across, down = _SMALL[0] // 3, _SMALL[1] // 2
    # What is between the photos is the page's own paper.
    size = across * min(3, len(photos)), down * (1 + (len(photos) > 3))
    sheet = Image.new("RGBA", size, (0, 0, 0, 0))
    for place, photo in enumerate(photos[:6]):
        tile = ImageOps.fit(Image.open(io.BytesIO(photo)).convert("RGB"), (across - 4, down - 4))
        sheet.paste(tile, (across * (place % 3) + 2, down * (place // 3) + 2))
    return _address(sheet)


def _address(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
