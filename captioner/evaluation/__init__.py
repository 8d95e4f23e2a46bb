"""How good captions are: the official COCO scores, and what they do not tell.

    from captioner.evaluation import evaluate, read_references, read_results, match

Imported when first used: `references` and `scorers` need no torch, and neither needs the other.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from captioner.evaluation.figures import Beside, Evaluation, evaluate
    from captioner.evaluation.instances import read_instances
    from captioner.evaluation.references import Photo, read_references
    from captioner.evaluation.results import Candidate, match, read_results
    from captioner.evaluation.scorers import Scores, cider_only, score

__all__ = [
    "Beside",
    "Candidate",
    "Evaluation",
    "Photo",
    "Scores",
    "cider_only",
    "evaluate",
    "match",
    "read_instances",
    "read_references",
    "read_results",
    "score",
]

_MODULES = {
    "Beside": "figures",
    "Candidate": "results",
    "Evaluation": "figures",
    "Photo": "references",
    "Scores": "scorers",
    "cider_only": "scorers",
    "evaluate": "figures",
    "match": "results",
    "read_instances": "instances",
    "read_references": "references",
    "read_results": "results",
    "score": "scorers",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'captioner.evaluation' has no attribute {name!r}")
    return getattr(import_module(f"captioner.evaluation.{_MODULES[name]}"), name)
