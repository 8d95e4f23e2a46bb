"""What a message says to install is what the extra needs."""

import re
from importlib import metadata
from pathlib import Path

import pytest

from captioner.extras import _EXTRA_OF, how_to_install, missing

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def test_the_command_names_the_packages_of_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    extras = tomllib_extras()
    needed = [f'{each}; extra == "{name}"' for name, all in extras.items() for each in all]
    monkeypatch.setattr("captioner.extras.requires", lambda name: ["torch>=2", *needed])

    def packages(name: str) -> list[str]:
        inner = [re.fullmatch(r"captioner\[(.+)\]", each) for each in extras[name]]
        others = [other for found in inner if found for other in found[1].split(",")]
        own = [each for each, found in zip(extras[name], inner, strict=True) if not found]
        return [*own, *(each for other in others for each in packages(other))]

    for name in extras:
        said = how_to_install(name).removeprefix("pip install ")
        told = [quoted or plain for quoted, plain in re.findall(r'"([^"]+)"|(\S+)', said)]
        assert sorted(told) == sorted(set(packages(name))) and "captioner" not in said
        assert all(f'"{each}"' in said for each in told if re.search(r"[<>\[]", each))


def test_every_module_that_an_extra_brings_is_told_with_its_extra() -> None:
    extras = tomllib_extras()
    for module, extra in _EXTRA_OF.items():
        assert extra in extras
        said = missing(ModuleNotFoundError(f"No module named {module!r}", name=f"{module}.x"))
        assert said is not None and said.startswith(f"this needs the package {module}: pip install")
    assert missing(ImportError("something else")) is None


def tomllib_extras() -> dict[str, list[str]]:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    return tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]


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
