"""Find what is wrong with photos and labels, and what cleaning them gains.

======================  =========================================================================
`find_issues`           catalogue in, table of issues out, from one decode of each photo
`combine_catalogs`      joins sources, refusing copies
`compare_datasets`      trains on each stage of a catalogue and judges all on the same photos
======================  =========================================================================
"""

from hotelviz.audit.ablation import Ablation, compare_datasets
from hotelviz.audit.cleaning import (
    AUTOMATIC,
    SAFE,
    Cleaned,
    apply_decisions,
    suggest_decisions,
)
from hotelviz.audit.combining import Combined, combine_catalogs
from hotelviz.audit.duplicates import find_duplicates
from hotelviz.audit.image_issues import THRESHOLDS
from hotelviz.audit.image_properties import Measured, measure_photos
from hotelviz.audit.issues import ISSUES, Audit, find_issues
from hotelviz.audit.label_issues import balance, suspects_tagger
from hotelviz.audit.report import cache_folder, check_audit_folder, feature_model, write_audit
from hotelviz.errors import AuditError, CacheWarning

__all__ = [
    "AUTOMATIC",
    "ISSUES",
    "SAFE",
    "THRESHOLDS",
    "Ablation",
    "Audit",
    "AuditError",
    "CacheWarning",
    "Cleaned",
    "Combined",
    "Measured",
    "apply_decisions",
    "balance",
    "cache_folder",
    "check_audit_folder",
    "combine_catalogs",
    "compare_datasets",
    "feature_model",
    "find_duplicates",
    "find_issues",
    "measure_photos",
    "suggest_decisions",
    "suspects_tagger",
    "write_audit",
]
