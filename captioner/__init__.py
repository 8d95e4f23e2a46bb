"""captioner: a photo in, an English sentence out, and where the model looked for each word."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from captioner import overlay
    from captioner.caption import Caption
    from captioner.captioner import Captioner, load
    from captioner.errors import CaptionerError, ImageError
    from captioner.evaluation.figures import evaluate
    from captioner.options import Options
    from captioner.teaching.run import teach

__all__ = [
    "Caption",
    "Captioner",
    "CaptionerError",
    "ImageError",
    "Options",
    "evaluate",
    "load",
    "overlay",
    "teach",
]
__version__ = "0.1.0"

_ROOMS = {
    "Caption": "caption",
    "Options": "options",
    "Captioner": "captioner",
    "load": "captioner",
    "CaptionerError": "errors",
    "ImageError": "errors",
    "evaluate": "evaluation.figures",
    "teach": "teaching.run",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `captioner --help` then needs no torch."""
    if name not in __all__:
        raise AttributeError(f"module 'captioner' has no attribute {name!r}")
    from importlib import import_module

    if name == "overlay":  # a room that is public as it is
        return import_module("captioner.overlay")
    try:
        return getattr(import_module(f"captioner.{_ROOMS[name]}"), name)
    except ImportError as error:
        return _absent(name, error)


def _absent(name: str, error: ImportError) -> Any:
    """In place of a function whose packages are not installed: says so when it is called, so that
    help(captioner) shows the others."""
    from captioner.errors import CaptionerError
    from captioner.extras import missing

    said = missing(error, name)
    if said is None:
        raise error

    def absent(*_: Any, **__: Any) -> Any:
        raise CaptionerError(said)

    absent.__name__, absent.__doc__ = name, f"Not installed: {said}"
    return absent


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
