"""What answers return: arrays of numbers, words, and tuples or dicts of these. How they are kept, compared and called.

An answer of any of these kinds is brought to one form by :func:`plain`: numbers and lists of numbers become arrays of float64
(True is 1), words stay strings, tuples and dicts hold such things. :func:`pack` makes JSON of it and :func:`unpack` reads it.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Result: TypeAlias = "np.ndarray | str | tuple[Any, ...] | dict[Any, Any]"

TOLERANCE = 1e-5  # relative: somebody may well compute in float32
MOST_NUMBERS = 10**6  # in one array; the answers have a few hundred
MOST_LETTERS = 1000


class NoResult(ValueError):
    """Of a value that no exercise asks for; its text says what it is: "a generator"."""


def plain(value: Any) -> Result:
    """The value in the checker's form. Raises NoResult for what is neither numbers nor words, nor made of them."""
    if value is None:
        raise NoResult("None")
    if isinstance(value, str):
        return str(value)[:MOST_LETTERS]
    if isinstance(value, dict):
        return {_key(key): plain(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return tuple(plain(one) for one in value)
    if isinstance(value, list) and not _is_array(value):
        return tuple(plain(one) for one in value)
    return _numbers(value)


def pack(result: Result) -> dict[str, Any]:
    """A result as JSON can hold it."""
    if isinstance(result, str):
        return {"word": result}
    if isinstance(result, tuple):
        return {"parts": [pack(one) for one in result]}
    if isinstance(result, dict):
        return {"keys": list(result), "values": [pack(one) for one in result.values()]}
    return {"shape": result.shape, "numbers": result.ravel().tolist()}


def unpack(packed: dict[str, Any]) -> Result:
    """What was packed."""
    if "word" in packed:
        return str(packed["word"])
    if "parts" in packed:
        return tuple(unpack(one) for one in packed["parts"])
    if "keys" in packed:
        return dict(zip(packed["keys"], map(unpack, packed["values"]), strict=True))
    return np.array(packed["numbers"], np.float64).reshape(packed["shape"])


def same(mine: Result, key: Result, rounding: float = 0.0) -> bool:
    """Equal in kind and shape, and in numbers up to float32's rounding. A list or a tuple of equal numbers is an array, too.

    `rounding` is a difference that means nothing: a sum of numbers that cancel is not zero to the last digit.
    """
    mine = like(mine, key)
    if isinstance(mine, str) or isinstance(key, str):
        return isinstance(mine, str) and isinstance(key, str) and mine == key
    if isinstance(mine, tuple) or isinstance(key, tuple):
        both = isinstance(mine, tuple) and isinstance(key, tuple) and len(mine) == len(key)
        return both and all(same(*pair, rounding) for pair in zip(mine, key, strict=True))
    if isinstance(mine, dict) or isinstance(key, dict):
        both = isinstance(mine, dict) and isinstance(key, dict) and set(mine) == set(key)
        return both and all(same(mine[name], key[name], rounding) for name in key)
    return _same_numbers(mine, key, rounding)


def like(mine: Result, key: Result) -> Result:
    """The result in the key's form, where the two say the same: a tuple of numbers for an array, an array for a tuple."""
    if isinstance(key, np.ndarray) and isinstance(mine, tuple):
        try:
            array = np.asarray(mine, np.float64)
        except (ValueError, TypeError):  # parts of unequal shapes, words, dicts
            return mine
        return array if array.shape == key.shape else mine
    if isinstance(key, tuple) and isinstance(mine, np.ndarray) and mine.ndim and len(mine) == len(key):
        return tuple(map(np.asarray, mine))
    return mine


def kind(result: Result) -> str:
    """What a result is, in words: "an array of shape (2, 3)", "a tuple of 2", "a word", "one number"."""
    if isinstance(result, str):
        return f'the word "{result[:40]}"'
    if isinstance(result, tuple):
        return f"a tuple of {len(result)}"
    if isinstance(result, dict):
        return f"a dict of {len(result)}"
    return f"an array of shape {result.shape}" if result.ndim else "one number"


def _same_numbers(mine: np.ndarray, key: np.ndarray, rounding: float) -> bool:
    allowed = TOLERANCE * (np.nan_to_num(np.abs(key)).max(initial=0) or 1.0) + rounding
    return mine.shape == key.shape and bool(np.allclose(mine, key, rtol=0, atol=allowed, equal_nan=True))


def _key(key: Any) -> str | int:
    if isinstance(key, str):
        return key
    if isinstance(key, (int, np.integer)):
        return int(key)
    raise NoResult(f"a dict with the key {key!r:.40}")


def _is_array(values: list[Any]) -> bool:
    """Whether a list holds numbers, or lists of them of equal lengths."""
    try:
        return np.asarray(values).dtype.kind in "biuf"
    except ValueError:  # lists of unequal lengths
        return False


def _numbers(value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except Exception:  # an object may do anything when it is asked for its numbers
        raise NoResult(f"a {type(value).__name__}") from None
    if array.dtype.kind not in "biuf":
        raise NoResult(f"a {type(value).__name__}")
    if array.size > MOST_NUMBERS:
        raise NoResult(f"an array of shape {array.shape}, far larger than the answer,")
    return array.astype(np.float64)
