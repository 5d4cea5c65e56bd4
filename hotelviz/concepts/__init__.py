"""What the evidence is: concepts, the parts that a network's features add up from.

`find_concepts` factorises a feature map over many photos; `contributions` splits a logit or a score
into what each concept adds to it. A map says where the evidence lies, a concept says what it is.
"""

from hotelviz.concepts.activity import ConceptActivity, concept_activity, contributions
from hotelviz.concepts.by_example import ExampleConcept, concept_by_example
from hotelviz.concepts.effects import concept_effects, removal_effects, score_ends
from hotelviz.concepts.examples import concept_examples, concept_maps, photo_concepts
from hotelviz.concepts.factorisation import N_CONCEPTS, Concepts, find_concepts
from hotelviz.concepts.matching import KEPT, match_concepts
from hotelviz.concepts.names import name_concepts, read_names, write_names
from hotelviz.concepts.shortcuts import (
    SHORTCUT_ERRORS,
    find_shortcuts,
    shortcut_examples,
    unexplained_share,
)
from hotelviz.concepts.storage import concepts_path, load_concepts, save_concepts
from hotelviz.errors import ConceptError

__all__ = [
    "KEPT",
    "N_CONCEPTS",
    "SHORTCUT_ERRORS",
    "ConceptActivity",
    "ConceptError",
    "Concepts",
    "ExampleConcept",
    "concept_activity",
    "concept_by_example",
    "concept_effects",
    "concept_examples",
    "concept_maps",
    "concepts_path",
    "contributions",
    "find_concepts",
    "find_shortcuts",
    "load_concepts",
    "match_concepts",
    "name_concepts",
    "photo_concepts",
    "read_names",
    "removal_effects",
    "save_concepts",
    "score_ends",
    "shortcut_examples",
    "unexplained_share",
    "write_names",
]
