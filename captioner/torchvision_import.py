"""Import torchvision even where its compiled operators do not load.

torchvision describes two of its operators to torch without asking whether they exist. Beside a
torch of another build (a CPU-only one, say) they do not, and `import torchvision` ends with
"operator torchvision::nms does not exist". The backbones need none of the compiled operators, so
declaring the two is enough: calling one of them still fails, with torch's own message.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_declared: list[Any] = []  # the declarations last as long as torch's object that holds them


def torchvision() -> ModuleType:
    """The module torchvision. Where a plain import works, this is a plain import."""
    try:
        return import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
    _declare_missing()
    return import_module("torchvision")


def _declare_missing() -> None:
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, arguments in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(name + arguments)
    _declared.append(library)
