"""Pictures are drawn when there is something to see, after what they show is on the disk; none is worth the work so far."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from functools import lru_cache

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def best_effort(picture: str) -> Iterator[None]:
    """Whatever drawing raises inside the block (no list of it is complete) becomes one warning, and the program goes on."""
    try:
        yield
    except Exception as error:
        _tell(picture, " ".join(str(error).split()) or type(error).__name__)


@lru_cache(maxsize=256)  # each is told once, not at every validation
def _tell(picture: str, reason: str) -> None:
    _log.warning("%s could not be drawn: %s", picture, reason)
