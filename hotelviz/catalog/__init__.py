"""Catalogues: which photos there are, whose they are, and what they show.

A catalogue is a pandas DataFrame with one row per photo. Its columns mean the same everywhere in
hotelviz:

=================  =====  ==========================================================================
column             type   meaning
=================  =====  ==========================================================================
``image_id``       str    unique; by default the path relative to the catalogue's root
``path``           str    where the file is: a local path, or a URL, kept as it is
``hotel_id``       str    the accommodation; its own ``image_id`` where that is unknown
``position``       Int64  where the hotel's gallery shows it today, from 1 (optional)
``label``          str    the area that the photo shows, missing where unknown (optional)
``label_2``        str    a second area that it shows as well (optional)
``votes_<Class>``  float  how many labellers chose the class, or their share (optional)
``source``         str    which collection it came from (optional)
``split``          str    ``train``, ``val`` or ``test`` (optional)
``weight``         float  how much the photo counts in training, above 0; 1 by default (optional)
``rating_1`` …     float  raters who gave the score, to ``rating_10``, or their share (optional)
=================  =====  ==========================================================================

Other columns are kept as they are. What is wrong is found here, once, on reading: everything
after this module may rely on the table.
"""

from hotelviz.catalog.availability import check_missing
from hotelviz.catalog.class_rules import read_class_rules
from hotelviz.catalog.class_shares import class_shares, class_votes
from hotelviz.catalog.identity import as_ids, catalog_hash, knows_hotels, row_hashes
from hotelviz.catalog.places import current_paths
from hotelviz.catalog.ratings import (
    as_shares,
    count_ratings,
    maximum_entropy_ratings,
    mean_and_std,
    rating_summary,
)
from hotelviz.catalog.reading import iterate_catalog, read_catalog
from hotelviz.catalog.splits import check_splits, split_catalog
from hotelviz.catalog.validation import check_table
from hotelviz.catalog.writing import write_catalog
from hotelviz.errors import CatalogError, CatalogWarning, MissingPhotosError
from hotelviz.schema import AREAS, MORE_AREAS

__all__ = [
    "AREAS",
    "MORE_AREAS",
    "CatalogError",
    "CatalogWarning",
    "MissingPhotosError",
    "as_ids",
    "as_shares",
    "catalog_hash",
    "check_missing",
    "check_splits",
    "check_table",
    "class_shares",
    "class_votes",
    "count_ratings",
    "current_paths",
    "iterate_catalog",
    "knows_hotels",
    "maximum_entropy_ratings",
    "mean_and_std",
    "rating_summary",
    "read_catalog",
    "read_class_rules",
    "row_hashes",
    "split_catalog",
    "write_catalog",
]
