"""Many visitors at once: does the page stay up, and does its memory stay flat?

    python benchmarks/load_page.py                     # 64 clients for 60 seconds
    python benchmarks/load_page.py --clients 8 --seconds 10
    python benchmarks/load_page.py --hostile 8         # and eight that send anything but photos
    python benchmarks/load_page.py --api               # through gradio's queue, as programs ask
    python benchmarks/load_page.py --batch --plot load.png   # and a batch run beside it

Starts `app.py` in a process of its own on two cores. Each client sends a photo, asks for its
caption, reads the answer, and begins again; one that is told "busy" (HTTP 503) waits a little and
tries again. Prints one table; those that attack are not in it. The exit code is 1 where a request
failed in any other way, or where the page ends up with 200 MB more memory than it had when idle.
--plot draws memory and open files of the page, and of the batch run beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np
from gradio.media import get_image
from made_photos import linked_photos, make_photos

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = ("lion.jpg", "cheetah.jpg", "tower.jpg", "cheetah1.jpg")
CORES = 2
SETTLE = 15  # seconds after the load until the memory is read
GROWTH = 200  # MB allowed


@dataclass
class Watched:
    """A process with its memory, in MB, and its open files as time goes by."""

    name: str
    pid: int
    samples: list[tuple[float, float, int]] = field(default_factory=list)

    def look(self) -> float:
        """Its memory now."""
        command = ["ps", "-o", "rss=", "-p", str(self.pid)]
        memory = int(subprocess.check_output(command)) / 1024
        with suppress(FileNotFoundError):  # no Linux
            held = len(os.listdir(f"/proc/{self.pid}/fd"))
            self.samples.append((time.monotonic(), memory, held))
        return memory


def draw(watched: list[Watched], file: Path) -> None:
    """The samples as two curves a process; what they were in each quarter is printed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 1, figsize=(8, 6), sharex=True, constrained_layout=True)
    began = watched[0].samples[0][0]
    for each in watched:
        times, *columns = np.array(each.samples).T
        for axis, column, what in zip(axes, columns, ("MB", "open files"), strict=True):
            axis.plot((times - began) / 60, column, label=each.name)
            axis.set(ylabel=what, ylim=(0, None))
            highest = [f"{part.max():.0f}" for part in np.array_split(column, 4)]
            print(f"{each.name}: at most {', '.join(highest)} {what} in the four quarters")
    axes[0].legend()
    axes[1].set(xlabel="minutes")
    figure.savefig(file, dpi=120)


class Page:
    """`app.py` on a free port."""

    def __init__(self, command: list[str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/gradio_api"
        settings = os.environ | {"GRADIO_SERVER_PORT": str(port), "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=settings, stdout=subprocess.DEVNULL
        )
        if hasattr(os, "sched_setaffinity"):
            cores = sorted(os.sched_getaffinity(0))[:CORES]
            os.sched_setaffinity(self.process.pid, cores)
        self.watched = Watched("page", self.process.pid)

    async def ready(self) -> None:
        async with httpx.AsyncClient() as http:
            while self.process.poll() is None:
                try:
                    if (await http.get(f"{self.url}/info", timeout=60)).status_code == 200:
                        return
                except httpx.TransportError:
                    await asyncio.sleep(0.5)
        raise SystemExit("The page did not start: run `python app.py` to see why.")


Ask = Callable[[httpx.AsyncClient, str, dict[str, Any]], Awaitable[str]]


async def asked_by_page(http: httpx.AsyncClient, url: str, sent: dict[str, Any]) -> str:
    """As the page in a browser asks."""
    place = url.replace("gradio_api", "page/ask/caption")
    reply = await http.post(place, json={"files": [sent], "request": {}})
    if reply.status_code == 503:
        return "busy"
    return "answered" if "caption" in reply.json() else f"ask {reply.status_code}"


async def asked_by_program(http: httpx.AsyncClient, url: str, sent: dict[str, Any]) -> str:
    """Through gradio's queue, as docs/api.md says."""
    reply = await http.post(f"{url}/call/caption", json={"data": [sent]})
    if reply.status_code == 503:
        return "busy"
    if reply.status_code != 200:
        return f"call {reply.status_code}"
    event = reply.json()["event_id"]
    answer = (await http.get(f"{url}/call/caption/{event}")).text
    if re.search(r"event: complete\ndata: .*\"caption\"", answer):
        return "answered"
    return f"answer {answer[:80]!r}"


async def request(http: httpx.AsyncClient, url: str, photo: bytes, ask: Ask) -> str:
    """One photo's way through the page: "answered", "busy", or what went wrong."""
    reply = await http.post(f"{url}/upload", files={"files": ("photo.jpg", photo)})
    if reply.status_code != 200:
        return f"upload {reply.status_code}"
    sent = {"path": reply.json()[0], "meta": {"_type": "gradio.FileData"}}
    return await ask(http, url, sent)


def client() -> httpx.AsyncClient:
    """Lets go of a connection before the server does, after 5 seconds: else they may meet."""
    return httpx.AsyncClient(timeout=120, limits=httpx.Limits(keepalive_expiry=2))


async def visitor(
    url: str, until: float, outcomes: Counter[str], waits: list[float], ask: Ask
) -> None:
    chance = random.Random()
    photos = [Path(get_image(name)).read_bytes() for name in PHOTOS]
    async with client() as http:
        while time.monotonic() < until:
            began = time.monotonic()
            # A byte after the end of a JPEG makes it a new file to the server.
            photo = chance.choice(photos) + chance.randbytes(8)
            try:
                outcome = await request(http, url, photo, ask)
            except httpx.HTTPError as error:
                outcome = type(error).__name__
            outcomes[outcome] += 1
            if outcome == "answered":
                waits.append(time.monotonic() - began)
            elif outcome == "busy":
                await asyncio.sleep(chance.uniform(0.2, 1.0))


def _bomb() -> bytes:
    """A picture of a few bytes that would take gigabytes: a PNG of 60,000 × 60,000 pixels."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(head)) + chunk
    return start + struct.pack(">I", zlib.crc32(chunk)) + bytes(4000)


async def attack(http: httpx.AsyncClient, url: str, chance: random.Random) -> None:
    """One request that no honest visitor sends; its answer does not matter."""
    json = {"content-type": "application/json"}
    bodies = [
        b'{"data": []}', b'{"data": [null]}', b'{"data": [{}, {}, {}]}', b"{}" * 100_000,
        b'{"data": [' + b"{}," * 100_000 + b"{}]}", b"[" * 9000, chance.randbytes(2000),
        b'{"data": [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}]}',
        b'{"files": [{"path": "/etc/passwd"}], "request": {}}', b'{"files": {}, "request": [[]]}',
    ]  # fmt: skip
    called, asked = ("caption", "caption_with", "caption_batch"), ("caption", "album", "save_photo")
    own = url.replace("gradio_api", "page/ask")
    places = [f"{url}/call/{name}" for name in called] + [f"{own}/{name}" for name in asked]
    kind = chance.choice(("json", "foreign", "bomb", "leave", "large"))
    if kind == "json":
        await http.post(chance.choice(places), content=chance.choice(bodies), headers=json)
    elif kind == "foreign":
        headers = chance.choice(({"host": "evil.example"}, {"origin": "http://evil.example"}))
        await http.post(f"{url}/upload", files={"files": ("a.jpg", b"x")}, headers=headers)
    elif kind == "bomb":
        await request(http, url, _bomb() + chance.randbytes(8), asked_by_page)
    elif kind == "large":
        await http.post(f"{url}/upload", files={"files": ("a.jpg", bytes(5 * 2**20))})
    else:  # asks, and leaves before the answer
        photo = Path(get_image(PHOTOS[0])).read_bytes()
        await asyncio.wait_for(request(http, url, photo, asked_by_page), chance.uniform(0.01, 0.2))


async def intruder(url: str, until: float) -> None:
    chance = random.Random()
    async with client() as http:
        while time.monotonic() < until:
            with suppress(httpx.HTTPError, TimeoutError, asyncio.TimeoutError):
                await attack(http, url, chance)
            await asyncio.sleep(0.05)


@contextmanager
def batch_run(folder: Path) -> Iterator[Watched]:
    """The batch command at work on more photos than it gets through."""
    linked_photos(folder / "photos", 200_000, make_photos(folder / "originals", 100))
    command = [sys.executable, "-m", "captioner", "caption", str(folder / "photos")]
    command += ["--format", "jsonl", "-o", str(folder / "rows.jsonl")]
    settings = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=settings, stderr=subprocess.DEVNULL) as process:
        try:
            yield Watched("batch", process.pid)
            assert process.poll() is None, "the batch run ended"
        finally:
            process.kill()


async def measure(
    page: Page, beside: list[Watched], clients: int, hostile: int, seconds: float, ask: Ask
) -> bool:
    await page.ready()
    await visitor(page.url, time.monotonic() + 2, Counter(), [], ask)
    await asyncio.sleep(5)
    idle, highest = page.watched.look(), 0.0
    outcomes: Counter[str] = Counter()
    waits: list[float] = []
    until = time.monotonic() + seconds
    load = asyncio.gather(
        *(visitor(page.url, until, outcomes, waits, ask) for _ in range(clients)),
        *(intruder(page.url, until) for _ in range(hostile)),
    )
    while not load.done():
        highest = max(highest, page.watched.look())
        for each in beside:
            each.look()
        await asyncio.wait([load], timeout=1)
    await asyncio.sleep(SETTLE)
    after = page.watched.look()
    failed = sum(outcomes.values()) - outcomes["answered"] - outcomes["busy"]
    waits.sort()
    half, most = (waits[int(len(waits) * part)] if waits else 0 for part in (0.5, 0.95))
    print("| Clients | Seconds | Answered | A second | Median wait | 95 % within | Busy | Failed |")
    print("|" + "---:|" * 8)
    row = [clients, f"{seconds:.0f}", outcomes["answered"], f"{len(waits) / seconds:.1f}"]
    row += [f"{half:.2f} s", f"{most:.2f} s", outcomes["busy"], failed]
    print("| " + " | ".join(map(str, row)) + " |\n")
    print(f"Memory: {idle:.0f} MB idle, {highest:.0f} MB at most, {after:.0f} MB afterwards.")
    for outcome, count in outcomes.items():
        if outcome not in ("answered", "busy"):
            print(f"{count} × {outcome}")
    return failed == 0 and bool(waits) and after - idle < GROWTH


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--hostile", type=int, default=0, help="clients more that attack it")
    parser.add_argument("--batch", action="store_true", help="a batch run beside it")
    parser.add_argument("--plot", type=Path, help="where to draw memory and open files")
    parser.add_argument("--api", action="store_true", help="ask through gradio's queue")
    parser.add_argument("--fake", action="store_true", help="models that answer at once")
    given = parser.parse_args()
    page = Page(["tests/page/serve.py"] if given.fake else ["app.py"])
    with ExitStack() as stack:
        stack.callback(page.process.wait)
        stack.callback(page.process.terminate)
        beside: list[Watched] = []
        if given.batch:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            beside.append(stack.enter_context(batch_run(folder)))
        ask = asked_by_program if given.api else asked_by_page
        load = measure(page, beside, given.clients, given.hostile, given.seconds, ask)
        good = asyncio.run(load)
        if given.plot:
            draw([page.watched, *beside], given.plot)
    raise SystemExit(not good)


if __name__ == "__main__":
    main()
