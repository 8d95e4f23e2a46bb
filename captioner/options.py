"""How a sentence is searched for: every option with its limits and its line of help.

The command line, the page and the API read both from here (`about`). Neither numpy nor torch.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from numbers import Real
from types import MappingProxyType
from typing import Any

from captioner.errors import CaptionerError


@dataclass(frozen=True)
class About:
    """What an option may be: a number from `least` to `most`, a text of at most `most` characters,
    or at most `most` texts of at most LONGEST_TEXT."""

    help: str
    default: Any
    least: float = 0
    most: float = math.inf
    above_least: bool = False

    @property
    def limits(self) -> str:
        """The limits in words: "from 1 to 100", "above 0 and at most 1"."""
        if self.above_least:
            return f"above {self.least:g} and at most {self.most:g}"
        return f"from {self.least:g} to {self.most:g}"


LONGEST_TEXT = 100  # characters of one text in a list


def _option(default: Any, help: str, **limits: Any) -> Any:
    return field(default=default, metadata={"about": About(help, default, **limits)})


@dataclass(frozen=True)
class Options:
    """How a sentence is searched for; the defaults were chosen on the validation photos.

    With `consensus` that sentence of the beam wins which agrees most with the others (it needs
    three beams at least), otherwise the one that ranks best: by log-probability /
    words**`length_penalty`. More `alternatives` than beams widen the beam. Where `temperature` is
    above 0 sentences are drawn instead, and beams, groups and included words have no say.

    Raises CaptionerError for a value of another type, out of its limits or at odds with another.
    """

    beam: int = _option(10, "Beams of the search: more is slower.", least=1, most=100)
    length_penalty: float = _option(
        0.7, "Ranks sentences by log-probability / words to this power: more, longer.", most=10
    )
    consensus: bool = _option(
        True, "Of the beam the sentence that agrees most with the others, not the likeliest."
    )
    max_words: int = _option(20, "No sentence has more words.", least=1, most=100)
    min_words: int = _option(0, "No sentence has fewer words.", most=100)
    alternatives: int = _option(0, "How many more sentences, the next best.", most=99)
    style: str = _option("", "The kind of sentence, one of the model's; its first.", most=100)
    groups: int = _option(
        1, "Groups of beams that keep apart, for alternatives that differ.", least=1, most=100
    )
    temperature: float = _option(
        0.0, "Above 0: sentences are drawn; 1 as the model has them.", most=100
    )
    top_k: int = _option(0, "Draw from the N likeliest words alone; 0: all.", most=10**6)
    top_p: float = _option(
        1.0, "Draw from this share of the probability alone.", most=1, above_least=True
    )
    seed: int = _option(0, "Of the drawing.", most=2**64 - 1)
    prefix: str = _option("", "Each sentence starts with these words.", most=500)
    include: tuple[str, ...] = _option((), "A word that must appear.", most=20)
    avoid: tuple[str, ...] = _option(
        (), "A word that must not appear, nor its plural and other forms.", most=1000
    )
    choices: int = _option(
        0, "The N likeliest words in each place of the sentence come with it.", most=20
    )

    def __post_init__(self) -> None:
        for name, what in ABOUT.items():
            value = _CHECKS[type(what.default)](name, getattr(self, name), what)
            object.__setattr__(self, name, value)
        if self.min_words > self.max_words:
            raise CaptionerError(
                f"min_words must not exceed max_words ({self.max_words}), not {self.min_words}"
            )
        if self.include and self.temperature:
            raise CaptionerError(
                "include needs a beam search: leave out include, or set temperature to 0"
            )
        if self.include and self.groups > 1:
            raise CaptionerError("include and groups cannot be searched together: leave out one")
        both = {text.lower().strip() for text in self.include} & {
            text.lower().strip() for text in self.avoid
        }
        if both - {""}:
            raise CaptionerError(f"include and avoid both hold {min(both - {''})!r}: leave out one")


def about(name: str) -> About:
    """Limits, default and help of the option `name`."""
    return ABOUT[name]


def _whole(name: str, value: Any, about: About) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or not about.least <= number <= about.most:
        most = f"{int(about.most)}" if about.most < 10**6 else f"{about.most:,}"
        raise CaptionerError(
            f"{name} must be a whole number from {about.least} to {most}, not {value!r}"
        )
    return number


def _number(name: str, value: Any, about: About) -> float:
    real = isinstance(value, Real) and not isinstance(value, bool)
    least = about.least if not about.above_least else math.nextafter(about.least, math.inf)
    if not (real and least <= value <= about.most):
        raise CaptionerError(f"{name} must be a number {about.limits}, not {value!r}")
    return float(value)


def _truth(name: str, value: Any, about: About) -> bool:
    if not isinstance(value, bool):
        raise CaptionerError(f"{name} must be True or False, not {value!r}")
    return value


def _text(name: str, value: Any, about: About) -> str:
    if not isinstance(value, str):
        raise CaptionerError(f"{name} must be a text, not {value!r}")
    if len(value) > about.most:
        raise CaptionerError(
            f"{name} must have at most {about.most} characters, not {len(value):,}"
        )
    return value


def _texts(name: str, value: Any, about: About) -> tuple[str, ...]:
    if isinstance(value, str):
        raise CaptionerError(f"{name} must be a tuple of words, not the string {value!r}")
    if not isinstance(value, (tuple, list)) or not all(isinstance(text, str) for text in value):
        raise CaptionerError(f"{name} must be a tuple of words, not {value!r}")
    if len(value) > about.most:
        raise CaptionerError(f"{name} must hold at most {about.most} words, not {len(value):,}")
    long = max(map(len, value), default=0)
    if long > LONGEST_TEXT:
        raise CaptionerError(
            f"{name}: a word must have at most {LONGEST_TEXT} characters, not {long:,}"
        )
    return tuple(value)


_CHECKS: Mapping[type, Callable[[str, Any, About], Any]] = MappingProxyType(
    {int: _whole, float: _number, bool: _truth, str: _text, tuple: _texts}
)


ABOUT: Mapping[str, About] = MappingProxyType(
    {each.name: each.metadata["about"] for each in fields(Options)}
)
