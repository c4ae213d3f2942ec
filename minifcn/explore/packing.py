"""Arrays on their way into a page: as text, exactly."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np


def packed(array: np.ndarray, dtype: str = "f8") -> dict[str, Any]:
    """{"dtype", "shape", "data"}: little-endian numbers in base64. JSON would write each with seventeen digits."""
    narrow = np.ascontiguousarray(array, np.dtype(dtype).newbyteorder("<"))
    return {"dtype": dtype, "shape": list(array.shape), "data": base64.b64encode(narrow.tobytes()).decode("ascii")}


def packed_terms(terms: np.ndarray) -> dict[str, Any]:
    """The columns of an array of :data:`~minifcn.explore.steps.TERM`."""
    return {name: packed(terms[name], terms.dtype[name].str[1:]) for name in terms.dtype.names or ()}
