"""The configuration of a model, which travels inside every checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EncoderConfig(Section):
    """`name` is efficientnet_lite3 or any torchvision classification model with a grid.

    `pixels` is the side of the square that every photo is squeezed to.
    """

    name: str = "efficientnet_lite3"
    pixels: int = Field(288, ge=32, le=1024)


class AttributeConfig(Section):
    """`words` attribute words are scored; the decoder sees the `shown` likeliest (0: none)."""

    words: int = Field(1000, ge=0)
    shown: int = Field(20, ge=0)
    hidden: int = Field(256, ge=1)

    @property
    def seen(self) -> int:
        """How many attribute words the decoder sees."""
        return min(self.words, self.shown)


class DecoderConfig(Section):
    """`kind` says what the recurrent cells read at each step, and so which decoder this is:

    context      a summary of the grid, no word (Cho et al. 2014 without output feedback)
    feedback     the previous word; the summary only sets the first state (Sutskever et al. 2014)
    peek         the previous word and the summary (Cho et al. 2014)
    attention    the previous word and a context recomputed from all regions (Bahdanau et al. 2015)

    `reading` lets a bidirectional GRU or LSTM read the regions in raster order first; `summary` is
    the mean of the regions, or the last states of that reading. `attention` scores regions, with
    `heads` of them for dot; `hard` looks at one region at a time, not at their weighted mean.
    `layers` cells lie on one another, with `residual` each adding its input to its output from the
    second on. `size` is that of words, regions and attention, `hidden` that of a cell's state. The
    first `taught` of the styles have adapters of `units` of their own (`StyleAdapter`).
    """

    kind: Literal["context", "feedback", "peek", "attention"] = "attention"
    reading: Literal["none", "gru", "lstm"] = "none"
    summary: Literal["mean", "last"] = "mean"
    attention: Literal["additive", "dot", "general"] = "additive"
    heads: int = Field(1, ge=1)
    hard: bool = False
    cell: Literal["lstm", "gru"] = "lstm"
    layers: int = Field(1, ge=1, le=4)
    residual: bool = False
    size: int = Field(256, ge=1)
    hidden: int = Field(512, ge=1)
    taught: int = Field(0, ge=0, le=100)
    units: int = Field(128, ge=1)

    @property
    def attends(self) -> bool:
        return self.kind == "attention"

    @model_validator(mode="after")
    def _attention_possible(self) -> DecoderConfig:
        if not self.attends:
            for field in ("attention", "heads", "hard"):
                if getattr(self, field) != DecoderConfig.model_fields[field].default:
                    raise ValueError(
                        f"{field} is for kind attention; a decoder of kind {self.kind} has none:"
                        f" leave {field} out, or set kind to attention"
                    )
        if self.heads > 1 and self.attention != "dot":
            raise ValueError("heads above 1 need attention = dot")
        if self.heads > 1 and self.hard:
            raise ValueError("hard attention looks at one region: heads must be 1")
        if self.size % self.heads:
            divisors = [str(n) for n in range(1, self.size + 1) if self.size % n == 0]
            raise ValueError(
                f"heads must divide size ({self.size}) and so be one of {', '.join(divisors)},"
                f" not {self.heads}"
            )
        return self

    @model_validator(mode="after")
    def _reading_possible(self) -> DecoderConfig:
        if self.summary == "last" and self.reading == "none":
            raise ValueError("summary = last needs reading = gru or lstm")
        if self.reading != "none" and self.size % 2:
            raise ValueError(f"reading in two directions needs an even size, not {self.size}")
        if self.residual and self.layers == 1:
            raise ValueError("residual needs layers of 2 at least")
        return self


class ModelConfig(Section):
    encoder: EncoderConfig = EncoderConfig()
    attributes: AttributeConfig = AttributeConfig()
    decoder: DecoderConfig = DecoderConfig()

    @model_validator(mode="after")
    def _attributes_attended(self) -> ModelConfig:
        if self.attributes.seen and not self.decoder.attends:
            raise ValueError(
                f"decoder.kind {self.decoder.kind} attends to nothing, attribute words neither:"
                " set attributes.shown to 0"
            )
        return self


def differences(one: ModelConfig, other: ModelConfig) -> list[str]:
    """The fields, as "section.field", in which two configurations differ."""
    return [
        f"{section}.{field}"
        for section in ModelConfig.model_fields
        for field, value in getattr(one, section)
        if value != getattr(getattr(other, section), field)
    ]


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """One line of what pydantic found wrong with a `model`: fields, reasons, values."""
    reasons: dict[str, list[str]] = {}
    for item in error.errors():
        # without places in a list and kinds of a union
        field = [str(step) for step in item["loc"] if str(step).isidentifier()]
        reasons.setdefault(".".join(field), []).append(_reason(item, model, field[:-1]))
    return "; ".join(
        (f"{field}: " if field else "") + " or ".join(found) for field, found in reasons.items()
    )


def _reason(item: ErrorDetails, model: type[BaseModel], sections: Sequence[str]) -> str:
    if item["type"] == "missing":
        return "is missing"
    if item["type"] == "value_error":
        return str(item["ctx"]["error"])
    if item["type"] == "extra_forbidden":
        fields: Any = model
        for section in sections:
            fields = fields.model_fields[section].annotation
        return f"there is no such field; there are {', '.join(fields.model_fields)}"
    return f"{item['msg']} (is {item['input']!r:.100})"
