"""The pages are as the code is, lead to each other, and say one version."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import pytest
import yaml

import captioner

ROOT = Path(captioner.__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")


def script(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_pages_of_commands_and_of_python_are_as_the_code_is() -> None:
    pages = script(DOCS / "generate.py").PAGES
    assert set(pages) == {"commands.md", "python.md"}
    for name, page in pages.items():
        assert (DOCS / name).read_text() == page(), f"docs/{name} is old: run make docs"


def test_those_pages_are_made_without_torch() -> None:
    code = "import runpy, sys; sys.argv = ['generate', '--check']\ntry: runpy.run_path(r'{}', "
    code += "run_name='__main__')\nexcept SystemExit: pass\nassert 'torch' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", code.format(DOCS / "generate.py")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(<?([^)\s>]+)>?\)", text):
        if re.match(r"[a-z]+:", target) or target.startswith("#"):
            continue
        name, _, part = target.partition("#")
        there = page.parent / unquote(name)
        assert there.exists(), f"{page.name}: {target}"
        if part:
            heads = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE)
            anchors = [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads]
            assert part in anchors, f"{page.name}: {target}"


def test_the_index_leads_to_every_page() -> None:
    index = (DOCS / "README.md").read_text()
    for page in DOCS.glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index, page.name


def test_every_extra_is_told() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    told = re.findall(r"^\| `(\w+)` \|", (DOCS / "install.md").read_text(), re.M)
    assert sorted(told) == sorted(project["optional-dependencies"])


def test_one_version() -> None:
    version = captioner.__version__
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert citation["version"] == version
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "captioner.__version__"}
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_public_ci_runs_what_is_promised() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())
    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    said = [each.rpartition(" ")[2] for each in project["classifiers"] if "Python :: 3." in each]
    assert matrix["python"] == said and project["requires-python"] == f">={said[0]}"
    assert matrix["os"] == ["ubuntu-latest", "macos-latest"]
    runs = [step.get("run", "") for step in workflow["jobs"]["test"]["steps"]]
    assert any(run.startswith("make test") for run in runs)


def test_the_hooks_are_of_the_versions_that_are_pinned() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    pins = "".join((ROOT / f"requirements-{kind}.txt").read_text() for kind in ("dev", "release"))
    for repository in hooks["repos"]:
        name = repository["repo"].rpartition("/")[2].removesuffix("-pre-commit")
        assert f"\n{name}=={repository['rev'].removeprefix('v')}\n" in f"\n{pins}"


def test_every_package_has_its_licence_told() -> None:
    told = (DOCS / "licences.md").read_text()
    for pin in re.findall(r"^([\w.-]+==\S+)", (ROOT / "requirements.txt").read_text(), re.M):
        name, version = re.sub(r"[-_.]+(?=.*==)", "-", pin).lower().split("==")
        row = rf"^\| (\[{re.escape(name)}\]\(.*\)|{re.escape(name)}) \|"
        assert re.search(row, told, re.M), f"{name} {version}: run make licences"


def test_the_long_trials_are_there() -> None:
    benchmarks = ROOT / "benchmarks"
    sources = (benchmarks / "trust.py").read_text()
    named = re.findall(r'^    \("(\w+\.py)"', sources, re.M)
    assert len(named) > 5
    for name in named:
        assert (benchmarks / name).exists(), name
