"""The columns of a row: which, what they are called, and what stands in them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from captioner.batch.fields import OF_CAPTIONS
from captioner.batch.result import Result


@dataclass(frozen=True)
class Columns:
    """`fields` of the result, and those columns of the photo's table that are `kept`.

    `renamed` has the names that some go by in the output. With `folder` paths on this machine start
    there.
    """

    fields: tuple[str, ...]
    kept: tuple[str, ...] = ()
    renamed: Mapping[str, str] = {}  # noqa: RUF012, nobody writes to it
    folder: str | None = None

    @property
    def names(self) -> list[str]:
        """Fields as asked for, the path first unless it was asked for elsewhere; then the kept."""
        fields = self.fields if "path" in self.fields else ("path", *self.fields)
        return [*fields, *self.kept]

    @property
    def heads(self) -> list[str]:
        """What they are called in the output."""
        return [self.renamed.get(name, name) for name in self.names]

    def path(self, path: str) -> str:
        """How a photo's path is written."""
        if self.folder is None or not os.path.exists(path):
            return path
        return os.path.relpath(path, self.folder).replace(os.sep, "/")

    def row(self, result: Result) -> dict[str, Any]:
        """All the columns of a photo's row; what it does not have is None."""
        known: dict[str, Any] = {**result.facts, "path": self.path(result.path)}
        if result.caption is None:
            known["error"] = result.error
        else:
            known |= {name: get(result.caption) for name, get in OF_CAPTIONS.items()}
        kept = {name: result.kept.get(name) for name in self.kept}
        return {
            head: kept[name] if name in kept else known.get(name)
            for name, head in zip(self.names, self.heads, strict=True)
        }

    def path_in(self, row: Mapping[str, Any]) -> str:
        """The path in a row that was read again. Raises KeyError."""
        return str(row[self.renamed.get("path", "path")])

    def has_caption(self, row: Mapping[str, Any]) -> bool:
        """Whether a row that was read again is that of a photo with a caption, not a failed one."""
        return any(
            row.get(self.renamed.get(name, name)) not in (None, "", [])
            for name in OF_CAPTIONS
            if name in self.fields
        )
