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
    keyed: Callable[[], Iterable[tuple[str, Key | None]]],
) -> dict[Key, list[str]]:
    """The keys that photos of several paths have, with these paths; a photo that is named twice is
    one.

    `keyed` goes through all photos and their keys, and again where a key comes twice. Ten million
    photos take 80 MB.
    """
    digests = array("Q", (digest(repr(key)) for _, key in keyed() if key is not None))
    values, counts = np.unique(np.frombuffer(digests, np.uint64), return_counts=True)
    several = set(values[counts > 1].tolist())
    found: defaultdict[Key, dict[str, str]] = defaultdict(dict)
    for path, key in keyed() if several else ():
        if key is not None and digest(repr(key)) in several:
            found[key].setdefault(os.path.realpath(path), path)
    return {key: [*named.values()] for key, named in found.items() if len(named) > 1}
