"""How good captions are: the official COCO scores, and what they do not tell.

    from captioner.evaluation import evaluate, read_references, read_results, match

Imported when first used: readers and scorers need no torch, and neither needs the other.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from captioner.datasets.captions import CaptionedPhoto as CaptionedPhoto
    from captioner.datasets.captions import read_references as read_references
    from captioner.evaluation.figures import Context as Context
    from captioner.evaluation.figures import evaluate as evaluate
    from captioner.evaluation.instances import read_instances as read_instances
    from captioner.evaluation.report import Report as Report
    from captioner.evaluation.results import Candidate as Candidate
    from captioner.evaluation.results import match as match
    from captioner.evaluation.results import read_results as read_results
    from captioner.evaluation.scorers import Scorer as Scorer
    from captioner.evaluation.scorers import Scores as Scores
    from captioner.evaluation.scorers import cider_only as cider_only
    from captioner.evaluation.scorers import score as score

_ROOMS = {
    "datasets.captions": ("CaptionedPhoto", "read_references"),
    "evaluation.figures": ("Context", "evaluate"),
    "evaluation.instances": ("read_instances",),
    "evaluation.report": ("Report",),
    "evaluation.results": ("Candidate", "match", "read_results"),
    "evaluation.scorers": ("Scorer", "Scores", "cider_only", "score"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}
__all__ = list(_ROOM_OF)


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'captioner.evaluation' has no attribute {name!r}")
    return getattr(import_module(f"captioner.{_ROOM_OF[name]}"), name)
