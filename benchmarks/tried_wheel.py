"""Whether what is installed works with nothing else: `make wheel` asks in an empty environment.

    python benchmarks/tried_wheel.py

Imports captioner from anywhere but a checkout, captions a photo that it paints, from Python and by
the command, and asks every command for its help. The exit code is 1 where one of these fails.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> int:
    from PIL import Image, ImageDraw

    import captioner

    place = Path(captioner.__file__).resolve()
    if "site-packages" not in place.parts:
        print(f"{place}: is a checkout, not what the wheel installed; run it elsewhere")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder, "photo.jpg")
        scene = Image.new("RGB", (320, 240), "skyblue")
        ImageDraw.Draw(scene).rectangle((0, 150, 320, 240), fill="forestgreen")
        scene.save(photo)
        sentence = captioner.load().caption(photo).text
        command = [str(Path(sys.executable).with_name("captioner"))]
        row = said([*command, "caption", str(photo)]).strip()
        if row != f"{photo}\t{sentence}":
            print(f"the command says {row!r}, Python {sentence!r}")
            return 1
        for name in ("caption", "alt", "evaluate", "teach", "train", "export"):
            said([*command, name, "--help"])
        version = said([*command, "--version"]).strip()
    print(f"captioner {version} from {place.parent}: {sentence}")
    return 0


def said(command: list[str]) -> str:
    """What the command prints. Raises CalledProcessError where it fails."""
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
