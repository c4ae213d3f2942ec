"""What the readers of weight files share: how they refuse, and how much memory a file may ask for."""

from __future__ import annotations

from typing import Any

import numpy as np

_AT_LEAST = 64 << 20  # bytes: a file of any size may hold so much
_GROWTH = 8  # beyond that so many times its size: bfloat16 widened, tied weights, compression; a bomb asks for thousands


class Unreadable(ValueError):
    """Why a file is refused: a clause that follows the file's name."""


def shown(text: object) -> str:
    """Something out of a file as part of one line: quoted, escaped and cut."""
    return repr(text if len(text := str(text)) <= 60 else text[:57] + "...")


def check_growth(nbytes: int, file_size: int) -> None:
    """Raises Unreadable where a file asks for much more memory than it could fill."""
    if nbytes > max(_AT_LEAST, _GROWTH * file_size):
        raise Unreadable(f"asks for arrays of {nbytes:,} bytes out of a file of {file_size:,}; such a file is no honest one")


def widened(bfloat16: np.ndarray) -> np.ndarray:
    """bfloat16, which NumPy does not have, given as uint16, as float32, whose upper half it is."""
    return (bfloat16.astype(np.uint32) << 16).view(np.float32)


def claim(found: dict[Any, Any], key: Any, value: Any) -> None:
    """Puts a value under a key that may not be there yet."""
    if key in found:
        raise Unreadable(f"holds two things called {shown(key)}")
    found[key] = value
