"""Files broken in twenty ways and more: every photo has its row, every failure a reason.

    python benchmarks/batch_broken.py                               # 10,000 files, 200 broken
    python benchmarks/batch_broken.py --files 500 --broken 20

Prints the command's own summary, then a line for each way: what was done to the file, and what the
command says of it. The exit code is 1 where a row is missing, doubled, or out of order, a good
photo has no caption, or a broken one has.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from made_photos import linked_photos, make_photos
from PIL import Image


def encoded(photo: bytes, format: str) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(photo)).resize((200, 150)).save(file, format)
    return file.getvalue()


def bomb() -> bytes:
    """A PNG of 60,000 × 60,000 pixels in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    parts = (
        chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )
    return b"\x89PNG\r\n\x1a\n" + parts


def zipped(photo: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.jpg", photo)
    return file.getvalue()


def cut(share: float, format: str = "JPEG") -> Callable[[Path, bytes], None]:
    def do(path: Path, photo: bytes) -> None:
        data = photo if format == "JPEG" else encoded(photo, format)
        path.write_bytes(data[: int(len(data) * share)])

    return do


def holding(make: Callable[[bytes], bytes]) -> Callable[[Path, bytes], None]:
    return lambda path, photo: path.write_bytes(make(photo))  # type: ignore[return-value]


def bind(path: Path, _: bytes) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the name of a socket may not be long
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


def spoil_checksum(photo: bytes) -> bytes:
    data = bytearray(encoded(photo, "PNG"))
    data[len(data) // 2] ^= 0xFF
    return bytes(data)


WAYS: dict[str, Callable[[Path, bytes], None]] = {
    "empty": holding(lambda photo: b""),
    "cut after 20 bytes": holding(lambda photo: photo[:20]),
    "cut in its header": cut(0.01),
    "cut in the middle": cut(0.5),
    "last tenth missing": cut(0.9),
    "zeros of the same length": holding(lambda photo: bytes(len(photo))),
    "random bytes": holding(lambda photo: random.Random(0).randbytes(9000)),
    "a text": holding(lambda photo: b"not a photo\n"),
    "a web page that says 404": holding(lambda photo: b"<!DOCTYPE html><h1>Not Found</h1>"),
    "a PDF": holding(lambda photo: b"%PDF-1.7\n%\xe2\xe3\n1 0 obj"),
    "an SVG": holding(lambda photo: b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
    "a film": holding(lambda photo: b"\0\0\0\x18ftypisom\0\0\2\0isomiso2mp41"),
    "an HEIC photo": holding(lambda photo: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
    "a ZIP archive": holding(zipped),
    "a PNG with a flipped bit": holding(spoil_checksum),
    "a GIF cut off": cut(0.5, "GIF"),
    "a WebP cut off": cut(0.5, "WEBP"),
    "a PNG of 3.6 billion pixels": holding(lambda photo: bomb()),
    "a link to nothing": lambda path, photo: path.symlink_to("gone.jpg"),
    "a pipe": lambda path, photo: os.mkfifo(path),
    "a socket": bind,
    "a link to itself": lambda path, photo: path.symlink_to(path.name),
}


def spoil(folder: Path, count: int) -> dict[str, str]:
    """Break `count` of the photos in the folder. What was done to which."""
    paths = sorted(folder.rglob("*.jpg"))
    step = len(paths) / count
    done = {}
    for number in range(count):
        path, way = paths[int(number * step)], list(WAYS)[number % len(WAYS)]
        photo = path.read_bytes()
        path.unlink()  # it is a link to a photo that others have too
        WAYS[way](path, photo)
        done[str(path)] = way
    return done


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--broken", type=int, default=200)
    parser.add_argument("more", nargs="*", help="further options of the command, after --")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, output = Path(name, "photos"), Path(name, "rows.jsonl")
        linked_photos(folder, arguments.files, make_photos(Path(name, "originals"), 100))
        broken = spoil(folder, arguments.broken)
        everything = sorted(map(str, folder.rglob("*.jpg")))
        command = [sys.executable, "-m", "captioner", "caption", str(folder), "--format", "jsonl"]
        command += ["-o", str(output), *arguments.more]
        ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        if not output.exists():
            sys.exit(ended.stderr)
        rows = [json.loads(line) for line in output.read_text().splitlines()]
    said = ended.stderr.splitlines()
    head = max(number for number, line in enumerate(said) if "photos captioned" in line)
    print("\n".join(said[head:]), end="\n\n")
    reasons = {row["path"]: row["error"] for row in rows if row["error"]}
    for way in WAYS:
        said = {reasons.get(path, "NOTHING") for path, done in broken.items() if done == way}
        print(f"{way:<28} {' | '.join(sorted(said))}")
    right = [row["path"] for row in rows] == everything and set(reasons) == set(broken)
    print(
        f"\n{len(rows):,} rows, {len(reasons)} with a reason, exit code {ended.returncode}: ",
        end="",
    )
    print("every photo once and in order" if right else "WRONG")
    sys.exit(not (right and ended.returncode == 1))


if __name__ == "__main__":
    main()
