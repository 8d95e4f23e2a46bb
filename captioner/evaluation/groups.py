"""Photos by group: nocaps' domains, sources, or any field of the references."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from captioner.datasets.captions import CaptionedPhoto, PhotoId, first_few
from captioner.errors import CaptionerError

MOST = 60
NO_GROUP = "none"


def photos_by(
    photos: Sequence[CaptionedPhoto], value: Callable[[CaptionedPhoto], str]
) -> dict[str, list[PhotoId]]:
    """The photos' ids by a value that each has, the values in order."""
    groups: dict[str, list[PhotoId]] = {}
    for photo in photos:
        groups.setdefault(value(photo), []).append(photo.id)
    return {name: groups[name] for name in sorted(groups)}


def group_field(photos: Sequence[CaptionedPhoto], field: str) -> dict[str, list[PhotoId]]:
    """The photos' ids by their value of a field, the values in order.

    Raises CaptionerError where no photo has the field, or nearly each has a value of its own.
    """
    groups = photos_by(photos, lambda photo: photo.fields.get(field, ""))
    if list(groups) == [""]:
        known = sorted({name for photo in photos for name in photo.fields} - {"id", "image_id"})
        has = f"they have {first_few(known, 12)}" if known else "they have no fields"
        raise CaptionerError(f"no photo of the references has a field {field!r}; {has}")
    if len(groups) > MOST:
        raise CaptionerError(
            f"the field {field!r} has {len(groups)} values, too many for a table (at most {MOST}): "
            f"{first_few(groups)}"
        )
    return {value or NO_GROUP: keys for value, keys in groups.items()}
