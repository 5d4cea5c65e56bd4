"""What the evidence is: concepts, the parts that a network's features add up from.

`find_concepts` factorises a feature map over many photos; `contributions` splits a logit or a score
into what each concept adds to it. A map says where the evidence lies, a concept says what it is.
"""

from hotelviz.concepts.activity import ConceptActivity, concept_activity, contributions
from hotelviz.concepts.factorisation import N_CONCEPTS, Concepts, find_concepts
from hotelviz.errors import ConceptError

__all__ = [
    "N_CONCEPTS",
    "ConceptActivity",
    "ConceptError",
    "Concepts",
    "concept_activity",
    "contributions",
    "find_concepts",
]
