"""Photos in archives, and what the reader finds in them."""

import io
import random
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from PIL import Image

from captioner.datasets.photos.photo import Photo
from captioner.datasets.photos.sources import files
from captioner.datasets.photos.stream import photos


def jpeg(number: int) -> bytes:
    file = io.BytesIO()
    noise = random.Random(number).randbytes((8 + number) * 8)
    Image.frombytes("L", (8 + number, 8), noise).save(file, "JPEG")
    return file.getvalue()


PICTURES = {f"set {n % 3}/{n:03}.{'jpg' if n % 2 else 'JPEG'}": jpeg(n) for n in range(12)}


OTHERS = {
    "set 0/000.txt": b"a caption",
    "set 0/000.json": b"{}",
    "__MACOSX/set 0/._000.jpg": b"x",
    ".hidden/a.jpg": b"x",
    "set 1/.b.jpg": b"x",
    "set 1/c.attention.png": b"x",
}


def found(*inputs: Path | str, column: str | None = None, read: bool = True) -> list[Any]:
    return list(photos(files(map(str, inputs)), column, read=read))


def contents(items: list[Any]) -> dict[str, bytes]:
    assert all(isinstance(item, Photo) for item in items), items
    return {item.path: item.content for item in items}


def pack_zip(path: Path, members: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def pack_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> None:
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def pack(path: Path, members: dict[str, bytes]) -> None:
    if path.suffix == ".zip":
        pack_zip(path, members)
    else:
        pack_tar(
            path,
            members,
            {"gz": "w:gz", "tgz": "w:gz", "bz2": "w:bz2", "xz": "w:xz"}.get(path.suffix[1:], "w"),
        )
