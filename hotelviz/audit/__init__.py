"""Find what is wrong with photos and labels, clean them, and measure what cleaning gains.

==========================  =====================================================================
`find_issues`               catalogue in, table of issues out, from one decode of each photo
`suggest_decisions`         the decisions on issues that need no people
`apply_decisions`           catalogue and decisions in, cleaned catalogue out
`combine_catalogs`          joins sources, refusing copies
`compare_datasets`          trains on each stage of a catalogue and judges all on the same photos
==========================  =====================================================================
"""

from hotelviz.audit.ablation import (
    Ablation,
    StageDifference,
    compare_datasets,
    distinct_tests,
    stage_difference,
)
from hotelviz.audit.class_balance import class_balance
from hotelviz.audit.cleaning import Cleaned, apply_decisions, suggest_decisions
from hotelviz.audit.combining import Combined, combine_catalogs
from hotelviz.audit.deciding import Gathered, gather_decisions
from hotelviz.audit.duplicates import find_duplicates
from hotelviz.audit.image_issues import THRESHOLDS
from hotelviz.audit.issues import Audit, find_issues, needs_person
from hotelviz.audit.label_issues import (
    LabelIssues,
    find_label_issues,
    label_issue_tagger,
    label_noise_matrix,
    suggested_labels,
)
from hotelviz.audit.report import (
    check_audit_folder,
    read_audit,
    write_audit,
)
from hotelviz.audit.seen import SeenLabels, seen_labels
from hotelviz.audit.selection import (
    Shown,
    copies_side_by_side,
    label_suspects,
    suspected_classes,
    worst_of_each_kind,
)
from hotelviz.audit.shortcuts import find_shortcuts
from hotelviz.errors import AuditError, CacheWarning
from hotelviz.schema import ISSUES

__all__ = [
    "ISSUES",
    "THRESHOLDS",
    "Ablation",
    "Audit",
    "AuditError",
    "CacheWarning",
    "Cleaned",
    "Combined",
    "Gathered",
    "LabelIssues",
    "SeenLabels",
    "Shown",
    "StageDifference",
    "apply_decisions",
    "check_audit_folder",
    "class_balance",
    "combine_catalogs",
    "compare_datasets",
    "copies_side_by_side",
    "distinct_tests",
    "find_duplicates",
    "find_issues",
    "find_label_issues",
    "find_shortcuts",
    "gather_decisions",
    "label_issue_tagger",
    "label_noise_matrix",
    "label_suspects",
    "needs_person",
    "read_audit",
    "seen_labels",
    "stage_difference",
    "suggest_decisions",
    "suggested_labels",
    "suspected_classes",
    "worst_of_each_kind",
    "write_audit",
]
