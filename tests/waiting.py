"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable


def wait_for(happened: Callable[[], object], page: object = None) -> None:
    """Until it has happened, or five minutes have gone; a browser's page goes on meanwhile."""
    end = time.monotonic() + 300
    while not happened():
        assert time.monotonic() < end, "nothing happens"
        if page is None:
            time.sleep(0.005)
        else:
            page.wait_for_timeout(20)  # type: ignore[attr-defined]
