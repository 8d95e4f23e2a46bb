"""Serves the page with fake models: `python tests/page/serve.py [MODELS [SECONDS]]`."""

import socket
import sys

from fake_captioner import FakeCaptioner

HERE = ("127.0.0.1", "localhost", "::1", "0.0.0.0", "None")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def watch_network(path: str) -> None:
    """From here on, every address this process looks up or connects to is written to `path`,
    loopback apart."""

    def note(line: str) -> None:
        with open(path, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "socket.getaddrinfo" and str(arguments[0]) not in HERE:
            note(f"{event} {arguments[0]}")
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            address = str(arguments[1][0])
            if address not in HERE:
                note(f"{event} {address}")

    sys.addaudithook(hook)
    note("watching")


if __name__ == "__main__":
    from captioner.page import build, launch

    models, seconds = (sys.argv[1:] + ["1", "0"][len(sys.argv) - 1 :])[:2]
    fakes = [FakeCaptioner(f"model-{index + 1}", float(seconds)) for index in range(int(models))]
    launch(build(fakes))
