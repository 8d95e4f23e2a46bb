"""What a message says to install is what the extra needs."""

import re
from importlib import metadata
from pathlib import Path

import pytest

from captioner.extras import how_to_install

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def test_the_command_names_the_packages_of_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    extras = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    needed = [f'{each}; extra == "{name}"' for name, all in extras.items() for each in all]
    monkeypatch.setattr("captioner.extras.requires", lambda name: ["torch>=2", *needed])
    for name, packages in extras.items():
        said = how_to_install(name).removeprefix("pip install ")
        assert re.findall(r'"([^"]+)"|(\S+)', said) == [
            (each, "") if re.search(r"[<>\[]", each) else ("", each) for each in packages
        ]


def test_a_checkout_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("captioner.extras.requires", none)
    assert how_to_install("ray") == 'pip install ".[ray]" in the checkout of captioner'


def test_no_page_or_message_installs_captioner_by_a_name_that_no_registry_holds() -> None:
    root = PROJECT.parent
    files = [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("captioner/**/*.py")]
    said = [(file, line) for file in files for line in file.read_text().splitlines()]
    assert len(said) > 1000
    wrong = re.compile(r"""pip install ["']?captioner(?!-)""")
    assert not [(file.name, line) for file, line in said if wrong.search(line)]
