"""Files behind an address: `https://`, `s3://`, `gs://` and whatever else fsspec knows."""

from __future__ import annotations

import errno
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import IO, Any

from captioner.datasets.photos.photo import NO_PICTURES
from captioner.errors import CaptionerError, ImageError
from captioner.extras import how_to_install

MAX_BYTES = 256 << 20
"""The largest file that is read into memory whole: from afar, out of an archive, out of a table."""

TOO_MANY_BYTES = f"has more than the {MAX_BYTES >> 20} MiB allowed for one picture"
NEED_SEEKING = (
    *(".zip", ".parquet", ".arrow", ".csv", ".tsv", ".json", ".jsonl", ".ndjson"),
    *(".csv.gz", ".tsv.gz", ".json.gz", ".jsonl.gz", ".ndjson.gz"),
)
"""Not read from front to back: copied first from the web, where few servers can seek."""

TIMEOUT = 60.0  # seconds for one file
TRIES = 3

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def is_remote(name: str) -> bool:
    return _ADDRESS.match(name) is not None


def _is_web(name: str) -> bool:
    return name.lower().startswith(("http://", "https://"))


def opened(name: str) -> IO[bytes]:
    """The file behind an address, to be read from the start. Raises OSError or CaptionerError."""
    system, path = _system(name)
    try:
        if not (_is_web(name) and name.lower().endswith(NEED_SEEKING)):
            return system.open(path, "rb")
        copy = tempfile.TemporaryFile()  # noqa: SIM115, the caller closes it
        with system.open(path, "rb", block_size=0) as file:
            shutil.copyfileobj(file, copy)
        copy.seek(0)
        return copy
    except Exception as error:  # each file system has its own errors
        raise CaptionerError(_reason(error)) from None


def read(name: str) -> bytes:
    """The file behind an address; a line that fails is tried again. Raises ImageError."""
    try:
        system, path = _system(name)
    except CaptionerError as error:
        raise ImageError(name, str(error)) from None
    for attempt in range(TRIES):
        try:
            data: bytes = system.cat_file(path, start=0, end=MAX_BYTES + 1)
        except Exception as error:
            if _is_empty(error):
                return b""
            if attempt + 1 == TRIES or not _passing(error):
                raise ImageError(name, _reason(error)) from None
            time.sleep(0.5 * 2**attempt)
        else:
            if len(data) > MAX_BYTES:
                raise ImageError(name, TOO_MANY_BYTES)
            return data
    raise AssertionError("the last attempt returns or raises")


def files(name: str, wanted: Callable[[str], bool]) -> Iterator[str | ImageError]:
    """The addresses that one stands for, as `sources.files` does it near by.

    A web address stands for a folder where it ends with "/": its page is searched for links.
    """
    try:
        system, path = _system(name)
        web = _is_web(name)
        if "*" in name or (not web and re.search(r"[?\[]", name)):
            names = (entry for entry in system.glob(path) if "/." not in entry)  # hidden
            found = iter(sorted(filter(wanted, map(system.unstrip_protocol, names))))
        elif name.endswith("/") or (not web and not wanted(name) and system.isdir(path)):
            found = _walk(system, path, wanted)
        else:
            yield name
            return
        first = next(found, None)
        if first is None:
            yield ImageError(name, f"{NO_PICTURES} there")
            return
        yield first
        yield from found
    except Exception as error:
        yield ImageError(name, _reason(error))


def _walk(system: Any, folder: str, wanted: Callable[[str], bool]) -> Iterator[str]:
    entries = {entry["name"]: entry["type"] for entry in system.ls(folder, detail=True)}
    for name in sorted(entries):
        last = name.rstrip("/").rpartition("/")[2]
        if last.startswith(".") or name.rstrip("/") == folder.rstrip("/"):
            continue
        if entries[name] == "directory":
            yield from _walk(system, name, wanted)
        elif wanted(name):
            yield str(system.unstrip_protocol(name))


def _system(name: str) -> tuple[Any, str]:
    """The file system of an address and the path in it. Raises CaptionerError."""
    try:
        from fsspec.core import url_to_fs

        return url_to_fs(name, use_listings_cache=False, **_settings(name))
    except ImportError:
        scheme = name.partition("://")[0]
        raise CaptionerError(
            f"to read from {scheme}://, install its package: {how_to_install('remote')}"
        ) from None
    except Exception as error:
        raise CaptionerError(_reason(error)) from None


def _settings(name: str) -> dict[str, Any]:
    if not _is_web(name):
        return {}
    from aiohttp import ClientTimeout

    return {"client_kwargs": {"timeout": ClientTimeout(total=TIMEOUT)}}


def _is_empty(error: Exception) -> bool:
    """Whether the server has not even a first byte: status 416, which S3's library calls EINVAL."""
    refused = isinstance(error, OSError) and error.errno == errno.EINVAL
    return getattr(error, "status", None) == 416 or (refused and "range" in str(error))


def _passing(error: Exception) -> bool:
    """Whether another attempt may go better."""
    status = getattr(error, "status", None)
    if status is not None:
        return status in (408, 429) or status >= 500
    return not isinstance(error, (FileNotFoundError, PermissionError, ValueError))


def _reason(error: Exception) -> str:
    if isinstance(error, CaptionerError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "there is no such file; check the address"
    if (status := getattr(error, "status", None)) is not None:
        return f"cannot be fetched (the server answered {status})"
    if isinstance(error, TimeoutError) or type(error).__name__ == "FSTimeoutError":
        return "cannot be fetched (no answer in time)"
    return f"cannot be fetched ({str(error) or type(error).__name__})"
