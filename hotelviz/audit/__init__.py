"""Find what is wrong with photos and labels, decide on it, and see what that buys.

======================  =========================================================================
`find_issues`           catalogue in, table of issues out, from one decode of each photo
`suggest_decisions`     issues in, the safe decisions out; `decide` and `undo` are for people
`apply_decisions`       catalogue and decisions in, cleaned catalogue and what changed out
`combine_catalogs`      joins sources, refusing copies
`compare_stages`        trains on each stage of a catalogue and judges all on the same photos
======================  =========================================================================
"""

from hotelviz.audit.combine import Combined, combine_catalogs
from hotelviz.audit.decisions import (
    AUTOMATIC,
    DECISION_COLUMNS,
    SAFE,
    Cleaned,
    DecisionError,
    DecisionWarning,
    append_decisions,
    apply_decisions,
    decide,
    read_decisions,
    standing_decisions,
    suggest_decisions,
    undo,
)
from hotelviz.audit.duplicates import find_duplicates
from hotelviz.audit.faults import THRESHOLDS
from hotelviz.audit.issues import ISSUES, Audit, find_issues
from hotelviz.audit.labels import balance, suspects_tagger
from hotelviz.audit.measures import AuditError, CacheWarning, Measured, measure_photos
from hotelviz.audit.saving import cache_folder, check_audit_folder, feature_model, write_audit
from hotelviz.audit.stages import Stages, compare_stages

__all__ = [
    "AUTOMATIC",
    "DECISION_COLUMNS",
    "ISSUES",
    "SAFE",
    "THRESHOLDS",
    "Audit",
    "AuditError",
    "CacheWarning",
    "Cleaned",
    "Combined",
    "DecisionError",
    "DecisionWarning",
    "Measured",
    "Stages",
    "append_decisions",
    "apply_decisions",
    "balance",
    "cache_folder",
    "check_audit_folder",
    "combine_catalogs",
    "compare_stages",
    "decide",
    "feature_model",
    "find_duplicates",
    "find_issues",
    "measure_photos",
    "read_decisions",
    "standing_decisions",
    "suggest_decisions",
    "suspects_tagger",
    "undo",
    "write_audit",
]
