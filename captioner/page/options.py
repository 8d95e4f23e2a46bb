"""What a visitor may ask of the search, checked before anything runs."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from captioner.errors import CaptionerError
from captioner.options import Options
from captioner.vocabulary import tokenize

MAX_BEAM = 20
MAX_ALTERNATIVES = 9
MAX_CHOICES = 5
MAX_INCLUDED = 3  # words: each adds a lane of beams to the search
Word = Annotated[str, Field(max_length=30)]


def _few(texts: tuple[str, ...]) -> tuple[str, ...]:
    """The texts, if they are few words together: one text may be several."""
    if sum(len(tokenize(text)) for text in texts) > MAX_INCLUDED:
        raise PydanticCustomError("few", f"There can be at most {MAX_INCLUDED} words")
    return texts


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Wishes(Options):
    """`Options` within the limits of a page that strangers use."""

    beam: Annotated[int, Field(ge=1, le=MAX_BEAM)] = Options.beam
    length_penalty: Annotated[float, Field(ge=0, le=2)] = Options.length_penalty
    max_words: Annotated[int, Field(ge=1, le=40)] = Options.max_words
    min_words: Annotated[int, Field(ge=0, le=20)] = Options.min_words
    alternatives: Annotated[int, Field(ge=0, le=MAX_ALTERNATIVES)] = Options.alternatives
    style: Annotated[str, Field(max_length=40)] = Options.style
    groups: Annotated[int, Field(ge=1, le=5)] = Options.groups
    temperature: Annotated[float, Field(ge=0, le=5)] = Options.temperature
    top_k: Annotated[int, Field(ge=0, le=1000)] = Options.top_k
    top_p: Annotated[float, Field(gt=0, le=1)] = Options.top_p
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Options.seed
    prefix: Annotated[str, Field(max_length=200)] = Options.prefix
    include: Annotated[tuple[Word, ...], Field(max_length=MAX_INCLUDED), AfterValidator(_few)] = (
        Options.include
    )
    avoid: Annotated[tuple[str, ...], Field(max_length=50)] = Options.avoid
    choices: Annotated[int, Field(ge=0, le=MAX_CHOICES)] = Options.choices
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
