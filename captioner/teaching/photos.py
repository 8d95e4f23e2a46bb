"""The photos of a lesson: read once, alike ones together, and a part held out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm import tqdm

from captioner.errors import ImageError
from captioner.images import open_image
from captioner.teaching.pairs import Pair
from captioner.training.data import PhotoFiles

HELD = 0.2  # of the photos
FEWEST, MOST = 4, 200
THUMBNAIL = 9  # pixels a side
SAME_STEPS = 8  # of 72, between neighbours of a thumbnail, that may point the other way
SAME_GREY = 8.0  # of 255, by which the colours may differ on average

Thumbnails = npt.NDArray[np.float32]


class Pictures(PhotoFiles):
    """The photos of pairs, by their number."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        super().__init__([])
        self.contents = {str(number): pair.content for number, pair in enumerate(pairs)}

    def stamp(self, name: str) -> tuple[int, ...]:
        """Nothing: their maps are kept for one lesson."""
        return ()

    def read(self, name: str, pixels: int) -> npt.NDArray[np.uint8]:
        """The photo squeezed to a square: (pixels, pixels, 3). Raises ImageError."""
        image = open_image(self.contents[name], name, target=pixels)
        return np.asarray(image.resize((pixels, pixels), Image.Resampling.BICUBIC))


def readable(pairs: Sequence[Pair], tell: Callable[[str], None]) -> tuple[list[Pair], Thumbnails]:
    """The pairs whose photos can be read, and thumbnails (N, 9, 9, 3) of those."""
    kept, thumbnails = [], []
    for pair in tqdm(pairs, desc="photos", unit="photo", dynamic_ncols=True, leave=False):
        try:
            image = open_image(pair.content, pair.name, target=64)
        except ImageError as error:
            tell(f"{error}; left out")
            continue
        small = image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
        thumbnails.append(np.asarray(small, np.float32))
        kept.append(pair)
    return kept, np.array(thumbnails, np.float32).reshape(-1, THUMBNAIL, THUMBNAIL, 3)


def groups_of(thumbnails: Thumbnails) -> list[list[int]]:
    """The photos that show the same, by where brightness rises from pixel to pixel (a "difference
    hash") and by colour: each in one group."""
    grey = thumbnails.mean(3)
    rises = (np.diff(grey, axis=2) > 1).reshape(len(grey), -1)
    colours = thumbnails.reshape(len(thumbnails), -1)
    group = np.arange(len(grey))
    for i in range(1, len(grey)):
        turned = (rises[:i] != rises[i]).sum(1)
        near = np.flatnonzero(turned <= SAME_STEPS)
        near = near[np.abs(colours[near] - colours[i]).mean(1) <= SAME_GREY]
        for other in np.unique(group[near]):
            group[group == other] = i
    members = defaultdict(list)
    for photo, name in enumerate(group.tolist()):
        members[name].append(photo)
    return list(members.values())


def hold_out(groups: Sequence[Sequence[int]], seed: int) -> list[int]:
    """Photos that nothing is learnt from, a fifth of all and groups as a whole; none where one
    group holds nearly everything."""
    count = sum(map(len, groups))
    wanted = min(max(FEWEST, round(HELD * count)), MOST)
    held: list[int] = []
    for place in np.random.default_rng(seed).permutation(len(groups)).tolist():
        group = groups[place]
        if len(held) < wanted and len(held) + len(group) <= max(wanted, count // 3):
            held += group
    return sorted(held)
