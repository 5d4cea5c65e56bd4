"""Rank the photos of each hotel.

Two orders are made: by score alone, and with coverage: first the best photo of all, then the best
of each other area, then the rest by score, near-duplicates apart.
"""

from hotelviz.errors import RankingError
from hotelviz.ranking.algorithm import AREA_ORDER, MIN_SLOT_SCORE
from hotelviz.ranking.completeness import area_recall, completeness
from hotelviz.ranking.evaluation import (
    ORDERS,
    compare_with_current,
    gaining_hotels,
    losing_hotels,
    ranking_figures,
    ranking_summary,
)
from hotelviz.ranking.inputs import rank_hotel_photos
from hotelviz.ranking.orders import (
    current_and_new,
    largest_hotel,
    orders_by_models,
    read_pictures,
    unseen_hotel,
    with_positions,
)
from hotelviz.ranking.partitioned import map_parts, rank_dataset, read_ranking

__all__ = [
    "AREA_ORDER",
    "MIN_SLOT_SCORE",
    "ORDERS",
    "RankingError",
    "area_recall",
    "compare_with_current",
    "completeness",
    "current_and_new",
    "gaining_hotels",
    "largest_hotel",
    "losing_hotels",
    "map_parts",
    "orders_by_models",
    "rank_dataset",
    "rank_hotel_photos",
    "ranking_figures",
    "ranking_summary",
    "read_pictures",
    "read_ranking",
    "unseen_hotel",
    "with_positions",
]
