"""What the C library does with memory that is freed.

NumPy frees an array when nobody refers to it any more, and glibc hands a large one back to the system at once. The next one of
that size is given by the system again, page by page, each page filled with zeros first. A training step makes and frees the
same few hundred arrays again and again.
"""

from __future__ import annotations

import ctypes
import os
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
# Bytes from which on an array is handed back all the same: so large a hole is seldom filled by another one. Older versions of
# glibc take no more than the second number
_OWN_MAPPING = (128 << 20, 32 << 20)
_NEVER = 2**31 - 1  # the largest int


def keep() -> bool:
    """From now on freed memory is kept for the next array. For a process of our own: whoever imports us may want it otherwise.

    Returns whether that is so. It is not where the C library is another, nor where the environment says how malloc is to work.
    """
    if sys.platform != "linux" or _is_set_by_the_user():
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return any(mallopt(_M_MMAP_THRESHOLD, size) for size in _OWN_MAPPING) and bool(mallopt(_M_TRIM_THRESHOLD, _NEVER))


def _is_set_by_the_user() -> bool:
    return "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "") or any(name.startswith("MALLOC_") for name in os.environ)
