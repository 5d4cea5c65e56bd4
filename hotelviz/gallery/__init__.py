"""The photo gallery: one component, live in JupyterLab and in pages on disk.

The scripts of ``static/`` draw it in both. ``gallery`` holds the `Gallery`, ``payload`` makes of a
table what the scripts show, ``thumbnails`` of files what fits a page, ``widget`` and
``photo_provider`` answer the browser from the kernel, ``html`` and ``page_form`` write pages,
``captions`` are what stands under a photo, and `photo_figure` draws photos where no script runs.
"""

from hotelviz.errors import GalleryError
from hotelviz.gallery.captions import issue_caption, rank_caption, score_caption, tag_caption
from hotelviz.gallery.gallery import Gallery, compare_orders
from hotelviz.gallery.photo_figure import photo_figure
from hotelviz.gallery.photo_map import map_gallery
from hotelviz.gallery.thumbnails import thumbnail_view

__all__ = [
    "Gallery",
    "GalleryError",
    "compare_orders",
    "issue_caption",
    "map_gallery",
    "photo_figure",
    "rank_caption",
    "score_caption",
    "tag_caption",
    "thumbnail_view",
]
