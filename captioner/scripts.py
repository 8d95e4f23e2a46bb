"""JavaScript for pages in one file, which cannot import modules."""

from __future__ import annotations

import re
from pathlib import Path


def classic(path: Path) -> str:
    """A module as a part of one script: the parts see each other without imports and exports."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"^export ", "", re.sub(r"^import [^;]*;\n", "", text, flags=re.M), flags=re.M)
