"""Photos that would go by one name: an id, a sidecar."""

from __future__ import annotations

import os
from array import array
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

import numpy as np

from captioner.batch.journal import digest

Key = TypeVar("Key", bound=Hashable)


def rivals(
    keys: Iterable[Key], paths: Callable[[], Iterable[str]], key: Callable[[str], Key | None]
) -> dict[Key, list[str]]:
    """The `keys` of all photos that those of several paths have, with these paths; a photo that is
    named twice is one.

    Where one comes twice `paths` goes through the photos again, and `key` says what each has. Ten
    million photos take 80 MB.
    """
    digests = array("Q", (digest(repr(each)) for each in keys))
    values, counts = np.unique(np.frombuffer(digests, np.uint64), return_counts=True)
    several = set(values[counts > 1].tolist())
    found: defaultdict[Key, dict[str, str]] = defaultdict(dict)
    for path in paths() if several else ():
        own = key(path)
        if own is not None and digest(repr(own)) in several:
            found[own].setdefault(os.path.realpath(path), path)
    return {each: [*named.values()] for each, named in found.items() if len(named) > 1}
