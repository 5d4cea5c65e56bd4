"""Predictions at rest, and questions about them.

Scores are a folder of Parquet parts. Each question is one DuckDB query that streams through them:
nothing loads the dataset whole, so that 280 million photos can be asked like 280.
"""

from hotelviz.errors import ScoresError
from hotelviz.scores.blocks import score_blocks
from hotelviz.scores.copies import Copies, copies_across_hotels
from hotelviz.scores.dataset import Scores, open_scores
from hotelviz.scores.distribution import bin_scores

__all__ = [
    "Copies",
    "Scores",
    "ScoresError",
    "bin_scores",
    "copies_across_hotels",
    "open_scores",
    "score_blocks",
]
