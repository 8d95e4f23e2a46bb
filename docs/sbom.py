"""Makes dist/sbom.cdx.json, all packages with their pins for machines: `python docs/sbom.py`.

cyclonedx-py reads requirements.txt; captioner's own version, which pyproject.toml takes from
the code, is added.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    path = ROOT / "dist" / "sbom.cdx.json"
    path.parent.mkdir(exist_ok=True)
    command = [str(Path(sys.executable).with_name("cyclonedx-py")), "requirements"]
    command += ["--pyproject", "pyproject.toml", "--output-reproducible", "requirements.txt"]
    told = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout
    bill = json.loads(told)
    source = (ROOT / "captioner" / "__init__.py").read_text()
    version = re.findall(r'^__version__ = "(.+)"', source, re.MULTILINE)[0]
    bill["metadata"]["component"]["version"] = version
    path.write_text(json.dumps(bill, indent=2) + "\n")
    print(f"{path}: captioner {version}, {len(bill['components'])} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
