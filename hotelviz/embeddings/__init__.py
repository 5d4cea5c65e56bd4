"""Which photos are alike, and on which groups of like photos a model errs together."""

from hotelviz.embeddings.slices import Slices, find_slices, too_few_for_slices
from hotelviz.embeddings.slices_properties import PropertyGroup, photo_properties, property_groups

__all__ = [
    "PropertyGroup",
    "Slices",
    "find_slices",
    "photo_properties",
    "property_groups",
    "too_few_for_slices",
]
