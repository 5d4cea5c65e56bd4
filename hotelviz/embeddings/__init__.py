"""Which photos are alike, and on which of them a model errs together.

========================  =======================================================================
`photo_features`          catalogue in, table of features out, by the audit's cache
`similar`                 the photos that are most like one; `PhotoIndex` answers many questions
`layout`                  a place on a map for each photo
`label_separation`        how well labels separate, what mixes, and who lies among others
`find_islands`            the groups of a map, what each is of, and its most typical photo
`find_slices`             groups of photos on which a model errs more than chance
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
from hotelviz.embeddings.slices import Slices, find_slices, too_few_for_slices
from hotelviz.embeddings.slices_properties import PropertyGroup, photo_properties, property_groups
from hotelviz.errors import EmbeddingError

__all__ = [
    "EmbeddingError",
    "ImageProperties",
    "Islands",
    "Neighbours",
    "PhotoIndex",
    "PropertyGroup",
    "Separation",
    "Slices",
    "check_features",
    "compute_image_properties",
    "feature_model",
    "find_islands",
    "find_slices",
    "label_separation",
    "layout",
    "nearest_neighbours",
    "photo_features",
    "photo_neighbours",
    "photo_properties",
    "properties_folder",
    "property_groups",
    "reduce_features",
    "similar",
    "too_few_for_slices",
]
