"""Rank the photos of each hotel.

Two orders are made: by score alone, and with coverage: first the best photo of each area, then the
rest by score, near-duplicates never beside each other.
"""

from hotelviz.errors import RankingError
from hotelviz.ranking.algorithm import AREA_ORDER
from hotelviz.ranking.evaluation import (
    ORDERS,
    compare_with_current,
    completeness,
    ranking_figures,
    ranking_summary,
)
from hotelviz.ranking.inputs import rank_hotel_photos
from hotelviz.ranking.partitioned import map_parts, rank_dataset, read_ranking

__all__ = [
    "AREA_ORDER",
    "ORDERS",
    "RankingError",
    "compare_with_current",
    "completeness",
    "map_parts",
    "rank_dataset",
    "rank_hotel_photos",
    "ranking_figures",
    "ranking_summary",
    "read_ranking",
]
