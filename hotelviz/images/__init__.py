"""Photos: from files to pixels, in batches, within bounds."""

from hotelviz.errors import ImageError
from hotelviz.images.batches import ImageBatch, Seconds, iterate_images, iterate_views
from hotelviz.images.bounds import MAX_MEMORY, MAX_PIXELS, MAX_SECONDS, MAX_SIDE, View, usable_cores
from hotelviz.images.decoding import decode_bytes, decode_image, encode_jpeg, read_image, reading
from hotelviz.images.formats import FORMATS, SUFFIXES, SUFFIXES_BY_FORMAT, format_of
from hotelviz.images.hashing import perceptual_hash
from hotelviz.images.kept_views import keep_views, read_view
from hotelviz.images.near_hashes import near_hash_pairs
from hotelviz.images.pixels import Decoded

__all__ = [
    "FORMATS",
    "MAX_MEMORY",
    "MAX_PIXELS",
    "MAX_SECONDS",
    "MAX_SIDE",
    "SUFFIXES",
    "SUFFIXES_BY_FORMAT",
    "Decoded",
    "ImageBatch",
    "ImageError",
    "Seconds",
    "View",
    "decode_bytes",
    "decode_image",
    "encode_jpeg",
    "format_of",
    "iterate_images",
    "iterate_views",
    "keep_views",
    "near_hash_pairs",
    "perceptual_hash",
    "read_image",
    "read_view",
    "reading",
    "usable_cores",
]
