"""Photos that lie in archives and in tables, put into a folder for as long as a lesson takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath

from captioner.datasets.captions.columns import captions, has_caption, whole_caption
from captioner.datasets.photos import tables
from captioner.datasets.photos.archives import DAMAGE
from captioner.datasets.photos.index import entries
from captioner.datasets.photos.table_files import parquet
from captioner.errors import CaptionerError, ImageError
from captioner.files import unwritable


def unpack_archive(archive: Path, room: Path) -> Path:
    """The folder in `room` with the files of an archive. Raises CaptionerError."""
    folder = _within(room, str(archive))
    for name, read in entries(archive):
        try:
            content = read()
        except (*DAMAGE, KeyError):  # a link to what is not there
            raise CaptionerError(
                f"{archive}: {name} in it is damaged or encrypted; unpack it and name the folder"
            ) from None
        assert isinstance(content, bytes)
        _write(_within(folder, name), content)
    return folder


def is_photo_table(file: Path) -> bool:
    """Whether it is a Parquet table with the photos themselves in it, as Hugging Face writes them.

    Raises CaptionerError where it is none.
    """
    if file.suffix.lower() != ".parquet":
        return False
    try:
        schema = parquet().read_schema(file)
    except (OSError, ValueError) as error:
        raise CaptionerError(f"{file}: is no Parquet file, or cut off ({error})") from None
    return any("binary" in str(field.type) for field in schema)


def from_table(file: Path, room: Path) -> Iterator[tuple[str, str | None, tuple[str, ...]]]:
    """Each photo of such a table: its name, the path at which it now lies in `room` (None: there
    is none in the row), and its captions. Raises CaptionerError."""
    keep = [name for name in parquet().read_schema(file).names if has_caption((name,))]
    if not keep:
        raise CaptionerError(f"{file}: which column holds the captions? Call it caption")
    with open(file, "rb") as opened:
        for number, photo in enumerate(tables.rows(str(file), opened, None, keep)):
            if isinstance(photo, ImageError):
                raise CaptionerError(str(photo))
            path = photo.content if isinstance(photo.content, str) else None
            if isinstance(photo.content, bytes):
                path = str(_within(room, str(file)) / str(number))
                _write(Path(path), photo.content)
            said = (whole_caption(text, photo.path) for text in captions(photo.kept))
            yield photo.path, path, tuple(filter(None, said))


def _within(folder: Path, name: str) -> Path:
    """Where that name lies in the folder; "..", drives and roots lead nowhere else."""
    path = PurePath(name)
    return folder.joinpath(*(part for part in path.parts if part not in (path.anchor, "..")))


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise unwritable(path, error) from None
