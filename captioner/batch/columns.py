"""The columns of a row: which, what they are called, and what stands in them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from captioner.batch.fields import OF_CAPTIONS
from captioner.batch.result import PhotoResult


@dataclass(frozen=True)
class Columns:
    """`fields` of the result, and those columns of the photo's table that are `kept`.

    `renamed` has the names that some go by in the output. With `folder` paths on this machine start
    there.
    """

    fields: tuple[str, ...]
    kept: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    folder: str | None = None

    @property
    def own(self) -> dict[str, str]:
        """The fields and what they are called: as asked for, the path first unless it was asked for
        elsewhere."""
        fields = self.fields if "path" in self.fields else ("path", *self.fields)
        return {name: self.head(name) for name in fields}

    def head(self, field: str) -> str:
        """What a field is called."""
        return self.renamed.get(field, field)

    @property
    def of_table(self) -> dict[str, str]:
        """The kept columns and what they are called; a name that a field has too is that field's
        to give away."""
        own = self.own
        return {name: name if name in own else self.renamed.get(name, name) for name in self.kept}

    @property
    def heads(self) -> list[str]:
        """What all the columns are called in the output, in their order."""
        return [*self.own.values(), *self.of_table.values()]

    def path(self, path: str) -> str:
        """How a photo's path is written."""
        if self.folder is None or not os.path.exists(path):
            return path
        return os.path.relpath(path, self.folder).replace(os.sep, "/")

    def row(self, result: PhotoResult) -> dict[str, Any]:
        """All the columns of a photo's row; what it does not have is None."""
        known: dict[str, Any] = {**result.facts, "path": self.path(result.path)}
        if result.caption is None:
            known["error"] = result.error
        else:
            known |= {name: get(result.caption) for name, get in OF_CAPTIONS.items()}
        return {head: known.get(name) for name, head in self.own.items()} | {
            head: result.kept.get(name) for name, head in self.of_table.items()
        }

    def has_caption(self, row: Mapping[str, Any]) -> bool:
        """Whether a row that was read again is that of a photo with a caption, not a failed one."""
        return any(
            row.get(self.head(name)) not in (None, "", [])
            for name in OF_CAPTIONS
            if name in self.fields and name != "confidence"  # that of a withheld one is there too
        )
