"""Standard output and error that no reader, disk or encoding can break: no command dies of its words."""

from __future__ import annotations

import io
import sys
from typing import Any


class _Patient(io.FileIO):
    """A descriptor whose writes never fail: nobody needs to read to the end (`| head`); other trouble is kept for the end."""

    trouble: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            pass
        except OSError as error:
            self.trouble = error
        return len(data)


def make_sturdy() -> None:
    """From now on stdout and stderr escape the characters that their encoding lacks and outlive their readers."""
    for name in ("stdout", "stderr"):
        stream: Any = getattr(sys, name)
        if stream is not None and stream is getattr(sys, f"__{name}__"):
            stream.flush()
            buffer = io.BufferedWriter(_Patient(stream.fileno(), "w", closefd=False))
            lines = stream.line_buffering
            setattr(sys, name, io.TextIOWrapper(buffer, stream.encoding, "backslashreplace", line_buffering=lines))
        elif hasattr(stream, "reconfigure"):  # somebody's own, such as a test's
            stream.reconfigure(errors="backslashreplace")


def trouble() -> OSError | None:
    """Why not all of stdout was written, where somebody waits for it."""
    if sys.stdout is not None:
        sys.stdout.flush()
    return getattr(getattr(getattr(sys.stdout, "buffer", None), "raw", None), "trouble", None)
