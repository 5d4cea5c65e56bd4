"""The photo gallery: one component, live in JupyterLab and in pages on disk.

The scripts of ``static/``, which `bundle` joins, draw it in both. `component` holds the `Gallery`,
`content` makes of a table what the script shows, `thumbnails` of files what fits a page, `live`
answers the browser from the kernel, and `captions` says what stands under a photo.
"""

from hotelviz.errors import GalleryError
from hotelviz.gallery.captions import (
    issue_caption,
    rank_caption,
    score_caption,
    tag_caption,
)
from hotelviz.gallery.gallery import Gallery, before_after

__all__ = [
    "Gallery",
    "GalleryError",
    "before_after",
    "issue_caption",
    "rank_caption",
    "score_caption",
    "tag_caption",
]
