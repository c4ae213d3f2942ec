"""A file from the network: there with the right checksum or not at all, and continued where an earlier try stopped.

It grows as ``NAME.part`` and gets its name when its checksum is right.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

Progress = Callable[[int, int | None], None]
_PIECE = 1 << 20  # bytes read at a time
_TIMEOUT = 30  # seconds without a byte


def fetch(
    url: str, path: Path, digest: str, progress: Progress | None = None, algorithm: str = "md5", what: str = "the archive"
) -> None:  # fmt: skip
    """Writes what ``url`` holds to ``path``, going on where an earlier try stopped.

    ``digest`` is the checksum in hexadecimal digits, or the first of them. ``progress(done, total)`` is told the bytes so far,
    and the whole where it is known. Raises ValueError for a wrong checksum, ConnectionError without a network or without the
    file, OSError for a full disk.
    """
    part = path.with_name(path.name + ".part")
    try:
        _fetch_rest(url, part, progress)
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
        reason = getattr(error, "reason", None) or error or type(error).__name__
        raise ConnectionError(
            f"{url} could not be fetched ({reason}); run this again to go on where it stopped, or put the file at {path} "
            f"by other means"
        ) from error
    if trouble := wrong_digest(part, digest, algorithm):
        part.unlink()  # going on from wrong bytes would never end well
        raise ValueError(f"{url}: what came is not {what}, {trouble}; nothing of it was kept")
    os.replace(part, path)


def wrong_digest(path: Path, digest: str, algorithm: str = "md5") -> str:
    """What is wrong with a file's checksum; nothing where it is, or begins with, ``digest``."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    return "" if found.startswith(digest) else f"its {algorithm.upper()} is {found} instead of {digest}"


def _fetch_rest(url: str, part: Path, progress: Progress | None) -> None:
    """Appends what is missing of `url` to `part`, or all of it where the server cannot start in the middle."""
    done = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "minifcn"} | ({"Range": f"bytes={done}-"} if done else {})
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is missing; the checksum will tell
        raise
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            done = 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        with part.open("ab" if done else "wb") as file:
            while piece := response.read(_PIECE):
                file.write(piece)
                done += len(piece)
                if progress is not None:
                    progress(done, total)
    if total is not None and done < total:
        raise ConnectionError(f"the server stopped after {done} of {total} bytes")
