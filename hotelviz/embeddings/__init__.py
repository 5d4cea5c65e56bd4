"""Which photos are alike: what a network sees in each, their nearest, and a map of them all.

========================  =======================================================================
`photo_features`          catalogue in, table of features out, by the audit's cache
`similar`                 the photos that are most like one; `PhotoIndex` answers many questions
`layout`                  a place on a map for each photo
`label_separation`        how well labels separate, what mixes, and who lies among others
`find_islands`            the groups of a map, what each is of, and its most typical photo
========================  =======================================================================
"""

from hotelviz.embeddings.features import (
    check_features,
    feature_model,
    photo_features,
    properties_folder,
)
from hotelviz.embeddings.image_properties import ImageProperties, compute_image_properties
from hotelviz.embeddings.islands import Islands, find_islands
from hotelviz.embeddings.layout import layout
from hotelviz.embeddings.neighbours import (
    Neighbours,
    PhotoIndex,
    nearest_neighbours,
    photo_neighbours,
    reduce_features,
    similar,
)
from hotelviz.embeddings.separation import Separation, label_separation
from hotelviz.errors import EmbeddingError

__all__ = [
    "EmbeddingError",
    "ImageProperties",
    "Islands",
    "Neighbours",
    "PhotoIndex",
    "Separation",
    "check_features",
    "compute_image_properties",
    "feature_model",
    "find_islands",
    "label_separation",
    "layout",
    "nearest_neighbours",
    "photo_features",
    "photo_neighbours",
    "properties_folder",
    "reduce_features",
    "similar",
]
