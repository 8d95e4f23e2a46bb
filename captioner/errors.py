"""The errors a user of captioner can meet. Each message is one sentence to read as it stands."""

from __future__ import annotations


class CaptionerError(Exception):
    """Something the user can mend: a wrong path, a broken file, an impossible setting."""


class ImageError(CaptionerError):
    """A picture that cannot be read: `path` says which, `reason` why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type[ImageError], tuple[str, str]]:
        """Pickled by its parts, as worker processes hand it on."""
        return type(self), (self.path, self.reason)
