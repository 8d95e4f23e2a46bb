"""How good captions are: the official COCO scores, and what they do not tell.

    from captioner.evaluation import evaluate, read_references, read_results, match

Imported when first used: readers and scorers need no torch, and neither needs the other.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from captioner.datasets.captions import CaptionedPhoto, read_references
    from captioner.evaluation.figures import Context, evaluate
    from captioner.evaluation.instances import read_instances
    from captioner.evaluation.report import Report
    from captioner.evaluation.results import Candidate, match, read_results
    from captioner.evaluation.scorers import Scorer, Scores, cider_only, score

__all__ = [
    "Candidate",
    "CaptionedPhoto",
    "Context",
    "Report",
    "Scorer",
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
    "Context": "evaluation.figures",
    "Candidate": "evaluation.results",
    "CaptionedPhoto": "datasets.captions",
    "Report": "evaluation.report",
    "Scorer": "evaluation.scorers",
    "Scores": "evaluation.scorers",
    "cider_only": "evaluation.scorers",
    "evaluate": "evaluation.figures",
    "match": "evaluation.results",
    "read_instances": "evaluation.instances",
    "read_references": "datasets.captions",
    "read_results": "evaluation.results",
    "score": "evaluation.scorers",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'captioner.evaluation' has no attribute {name!r}")
    return getattr(import_module(f"captioner.{_MODULES[name]}"), name)
