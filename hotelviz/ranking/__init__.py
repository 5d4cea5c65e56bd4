"""Rank the photos of each hotel.

Two orders are made: by score alone, and with coverage: first the best photo of each area, then the
rest by score, near-duplicates never beside each other.
"""

from hotelviz.ranking.dataset import over_parts, rank_dataset, read_ranking
from hotelviz.ranking.figures import (
    ORDERS,
    completeness,
    gains,
    ranking_figures,
    ranking_summary,
)
from hotelviz.ranking.order import AREA_ORDER
from hotelviz.ranking.photos import RankingError, rank_hotel_photos

__all__ = [
    "AREA_ORDER",
    "ORDERS",
    "RankingError",
    "completeness",
    "gains",
    "over_parts",
    "rank_dataset",
    "rank_hotel_photos",
    "ranking_figures",
    "ranking_summary",
    "read_ranking",
]
