"""How to install the packages that only some of captioner's abilities need."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires


def how_to_install(extra: str) -> str:
    """The command for the packages of an extra of `pyproject.toml`, such as `pip install pyarrow`.

    It names the packages themselves: no registry holds captioner, so that `captioner[extra]` is
    found only where captioner is installed already, and might be somebody else's elsewhere.
    """
    try:
        needed = requires("captioner") or []
    except PackageNotFoundError:  # run from a checkout that is not installed
        needed = []
    ours = re.compile(rf"""([^;]+?)\s*;.*\bextra == ['"]{re.escape(extra)}['"]""")
    packages = [found[1] for found in map(ours.match, needed) if found]
    quoted = (f'"{each}"' if re.search(r"[<>\[~!]", each) else each for each in packages)
    if packages:
        return f"pip install {' '.join(quoted)}"
    return f'pip install ".[{extra}]" in the checkout of captioner'
