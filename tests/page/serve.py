"""Serves the page with fake models: `python tests/page/serve.py PORT [MODELS] [SECONDS]`.

Every address that this process looks up or connects to, loopback apart, is written to the file
named by WATCH_NETWORK.
"""

import os
import sys

from fake import FakeCaptioner


def watch_network(path: str) -> None:
    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "socket.getaddrinfo":
            address = str(arguments[0])
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            address = str(arguments[1][0])
        else:
            return
        if address not in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "None", ""):
            with open(path, "a", encoding="utf-8") as file:
                file.write(f"{event} {address}\n")

    sys.addaudithook(hook)


if __name__ == "__main__":
    if os.environ.get("WATCH_NETWORK"):
        watch_network(os.environ["WATCH_NETWORK"])
    port, models, seconds = (*sys.argv[1:], *("1", "0")[len(sys.argv) - 2 :])
    from captioner.page import build, launch

    fakes = [FakeCaptioner(f"model-{index + 1}", float(seconds)) for index in range(int(models))]
    launch(build(fakes), server_port=int(port), quiet=True)
