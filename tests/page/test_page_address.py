"""Where the page is served, and what is said where it cannot be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_captioner import FakeCaptioner
from serve import free_port

from captioner.errors import CaptionerError

ROOT = Path(__file__).resolve().parents[2]


def test_a_port_that_is_taken_is_said_in_words(served, monkeypatch):
    from captioner.page import build, launch

    port = int(served.url.rsplit(":", 1)[1])
    with pytest.raises(CaptionerError, match=f"cannot be started.*{port}"):
        launch(build([FakeCaptioner()]), wait=False, server_port=port)
    for asked in (str(port), "many"):
        monkeypatch.setenv("GRADIO_SERVER_PORT", asked)
        with pytest.raises(CaptionerError, match=f"cannot be started.*{asked}"):
            launch(build([FakeCaptioner()]), wait=False)


@pytest.mark.parametrize("asked", ["abc", "", "0", "99999"])
def test_app_says_what_is_wrong_with_its_port(asked):
    """Which gradio itself falls over while it is imported."""
    done = subprocess.run(
        [sys.executable, "app.py"], env=os.environ | {"GRADIO_SERVER_PORT": asked},
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1 and done.stdout == ""
    assert f"cannot be started: GRADIO_SERVER_PORT is {asked!r}" in done.stderr
    assert done.stderr.startswith("captioner: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("asked", ["no.such.host.invalid", "192.0.2.1", "::1", "a..b"])
def test_a_name_that_is_not_this_machine_s_is_said_in_words(asked, monkeypatch):
    from captioner.page import build, launch

    monkeypatch.setenv("GRADIO_SERVER_NAME", asked)
    with pytest.raises(CaptionerError, match=f"cannot be started: GRADIO_SERVER_NAME is '{asked}'"):
        launch(build([FakeCaptioner()]), wait=False, server_port=free_port())


def test_an_empty_name_is_this_machine_alone(monkeypatch):
    from captioner.page import build, launch

    monkeypatch.setenv("GRADIO_SERVER_NAME", "")
    page = build([FakeCaptioner()])
    launch(page, wait=False, server_port=free_port())
    assert page.server_name == "127.0.0.1"
    page.close(verbose=False)


def test_app_says_what_is_wrong_with_a_model(tmp_path):
    missing = tmp_path / "missing.safetensors"
    done = subprocess.run(
        [sys.executable, "app.py", "--model", str(missing)],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert str(missing) in done.stderr and "Traceback" not in done.stderr
