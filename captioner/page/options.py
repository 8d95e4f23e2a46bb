"""What a visitor may ask of the search, checked before anything runs."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from captioner.caption import Options
from captioner.errors import CaptionerError

MAX_BEAM = 10


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Wishes(Options):
    """`Options` within the limits of a page that strangers use."""

    beam: int = Field(Options.beam, ge=1, le=MAX_BEAM)
    length_penalty: float = Field(Options.length_penalty, ge=0, le=2)
    max_words: int = Field(Options.max_words, ge=1, le=40)
    min_words: int = Field(Options.min_words, ge=0, le=20)
    alternatives: int = Field(Options.alternatives, ge=0, le=MAX_BEAM - 1)
    style: str = Field(Options.style, max_length=40)
    temperature: float = Field(Options.temperature, ge=0, le=5)
    top_p: float = Field(Options.top_p, gt=0, le=1)
    seed: int = Field(Options.seed, ge=0, lt=2**32)
    prefix: str = Field(Options.prefix, max_length=200)
    avoid: tuple[str, ...] = Field(Options.avoid, max_length=50)
    preview: bool = False  # send the photo back as a JPEG, for a browser that cannot show it


def read_options(wish: dict[str, Any] | None) -> tuple[Options, bool]:
    """The options in a request, and whether a preview is wanted.

    Raises CaptionerError, naming the first option that is unknown or outside its limits.
    """
    if wish is not None and not isinstance(wish, dict):
        raise CaptionerError('The options must be an object such as {"beam": 5}.')
    try:
        wishes = Wishes(**(wish or {}))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise CaptionerError(f"The option {name!r} cannot be used: {first['msg']}.") from error
    values = {name: getattr(wishes, name) for name in Options.__dataclass_fields__}
    return Options(**values), wishes.preview
