"""Lesson 05: wrong answers as students write them, and right ones in unusual styles; source text by exercise.

They were written before the diagnoses. None of the wrong ones may pass, all of the right ones must.
"""

from __future__ import annotations

from support.students import written

_HEAD = "import numpy as np\n"
_ERROR_HEAD = f"{_HEAD}def relative_error(mine, measured):\n"
_PASSES_HEAD = f"{_HEAD}def passes(forward, backward, x, seed):\n"

_ERROR = """
def relative_error(mine, measured):
    largest = max(np.abs(mine).max(), np.abs(measured).max())
    if largest == 0:
        return 0.0
    return np.abs(mine - measured).max() / largest
"""

_GRADIENT = """
def numeric_gradient(f, x, h):
    x = x.astype(float)
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        keep = x[place]
        x[place] = keep + h
        up = f(x)
        x[place] = keep - h
        down = f(x)
        x[place] = keep
        gradient[place] = (up - down) / (2 * h)
    return gradient
"""

_PASSES = """
def passes(forward, backward, x, seed):
    rng = np.random.default_rng(seed + 1)
    dy = rng.normal(size=forward(x).shape)
    v = rng.normal(size=x.shape)
    h = 1e-5
    measured = ((forward(x + h * v) - forward(x - h * v)) * dy).sum() / (2 * h)
    mine = (backward(dy, x) * v).sum()
    return abs(mine - measured) <= 1e-6 * max(abs(mine), abs(measured))
"""


def _with(source: str, *changes: tuple[str, str]) -> str:
    """The source with a line or an expression written as somebody else would."""
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new)
    return _HEAD + source


# These were written before the diagnoses, and made most of them: each is called by its name.
LISTED = {
    "relative_error": [
        _with(_ERROR, ("    if largest == 0:\n        return 0.0\n", "")),
        _with(_ERROR, (".max() / largest", ".mean() / largest")),
        _with(_ERROR, ("np.abs(mine - measured).max()", "(mine - measured).max()")),
        _with(_ERROR, (" / largest", "")),
        _with(_ERROR, ("max(np.abs(mine).max(), np.abs(measured).max())", "np.abs(measured).max()")),
        _with(_ERROR, ("max(np.abs(mine).max(), np.abs(measured).max())", "np.abs(mine).max()")),
        _with(_ERROR, ("/ largest", "/ (largest + 1e-8)")),
        _with(_ERROR, ("max(np.abs(mine).max(), np.abs(measured).max())", "np.abs(mine).max() + np.abs(measured).max()")),
        _with(_ERROR, ("max(np.abs(mine).max(), np.abs(measured).max())", "max(mine.max(), measured.max())")),
        _with(_ERROR, ("np.abs(mine - measured).max()", "np.linalg.norm(mine - measured)")),
        f"{_ERROR_HEAD}    return np.nan_to_num(np.abs(mine - measured) / np.abs(measured)).max()\n",
        f"{_ERROR_HEAD}    return np.nan_to_num(np.abs(mine - measured) / np.maximum(np.abs(mine), np.abs(measured)))\n",
    ],
    "numeric_gradient": [
        _with(_GRADIENT, ("x[place] = keep - h", "x[place] = keep"), ("2 * h", "h")),
        _with(_GRADIENT, ("x[place] = keep + h", "x[place] = keep"), ("2 * h", "h")),
        _with(_GRADIENT, ("(2 * h)", "h")),
        _with(_GRADIENT, (" / (2 * h)", "")),
        _with(_GRADIENT, ("/ (2 * h)", "/ 2 * h")),
        _with(_GRADIENT, ("        x[place] = keep\n", "")),
        _with(_GRADIENT, ("x.astype(float)", "x.copy()")),
        _with(_GRADIENT, ("x.astype(float)", "x.astype(np.float32)")),
        _with(_GRADIENT, ("x.astype(float)", "x")),
        _with(_GRADIENT, ("np.ndindex(x.shape)", "range(len(x))")),
        _with(_GRADIENT, ("up - down", "down - up")),
        _with(_GRADIENT, ("    return gradient", "    return gradient.sum()")),
        _with(_GRADIENT, ("keep + h", "keep * (1 + h)"), ("keep - h", "keep * (1 - h)")),
        f"{_HEAD}def numeric_gradient(f, x, h):\n    return np.full(x.shape, (f(x + h) - f(x - h)) / (2 * h))\n",
        _with(_GRADIENT, ("for place in np.ndindex(x.shape):", "for i in range(min(x.shape)):\n        place = (i,) * x.ndim")),
    ],
    "passes": [
        _with(_PASSES, ("dy = rng.normal(size=forward(x).shape)", "dy = np.ones(forward(x).shape)")),
        _with(_PASSES, ("v = rng.normal(size=x.shape)", "v = np.ones(x.shape)")),
        _with(_PASSES, ("    rng =", "    x = np.zeros(x.shape)\n    rng =")),
        _with(_PASSES, ("1e-6 * max(abs(mine), abs(measured))", "1e-3")),
        _with(_PASSES, ("<= 1e-6 * max(abs(mine), abs(measured))", "/ max(abs(mine), abs(measured)) < 1e-6")),
        _with(_PASSES, ("seed + 1", "seed"), ("<= 1e-6 * max(abs(mine), abs(measured))", "<= 1e-6 * abs(measured) + 1e-8")),
        _with(_PASSES, ("1e-6 *", "0.05 *")),
        _with(_PASSES, ("    h = 1e-5\n", "    h = np.float32(1e-5)\n    x, v = x.astype(np.float32), v.astype(np.float32)\n")),
        _with(_PASSES, ("    h = ", "    v *= rng.integers(0, v.size) == np.arange(v.size).reshape(v.shape)\n    h = ")),
        _with(_PASSES, ("return abs(mine - measured)", "return abs(abs(mine) - abs(measured))")),
        _with(_PASSES, ("<=", ">")),
        _with(_PASSES, ("    h = 1e-5", "    h = 1.0")),
        f"{_PASSES_HEAD}    return backward(np.ones_like(forward(x)), x).shape == x.shape\n",
        _PASSES_HEAD + """
    dy = np.random.default_rng(seed + 1).normal(size=forward(x).shape)
    return bool(np.isfinite(backward(dy, x)).all())
""",
    ],
}  # fmt: skip

_LARGEST = "(max(np.abs(mine).max(), np.abs(measured).max()) or 1)"

# Wrong in ways that no exercise lists.
WRONG = {
    "relative_error": written(
        "relative_error(mine, measured)",
        f"return 100 * np.abs(mine - measured).max() / {_LARGEST}",
        f"return (np.abs(mine - measured) ** 2).max() / {_LARGEST} ** 2",
        f"return np.abs(mine - measured) / {_LARGEST}",
        f"return -np.abs(mine - measured).max() / {_LARGEST}",
        f"return np.abs(np.abs(mine) - np.abs(measured)).max() / {_LARGEST}",
        "return np.abs(mine - measured).sum() / ((np.abs(mine) + np.abs(measured)).sum() or 1)",
        f"return 1 - np.abs(mine - measured).max() / {_LARGEST}",
        f"return np.abs(mine - measured).max() / {_LARGEST}, {_LARGEST}",
        f"return np.abs(mine - measured).max() / {_LARGEST} ** 0.5",
        f"return 'equal' if np.abs(mine - measured).max() / {_LARGEST} < 1e-6 else 'different'",
        f"print(np.abs(mine - measured).max() / {_LARGEST})",
    ),
    "numeric_gradient": [
        _with(_GRADIENT, ("/ (2 * h)", "/ (2 * h**2)")),
        _with(_GRADIENT, ("keep + h", "keep + h / 2"), ("keep - h", "keep - h / 2")),
        _with(_GRADIENT, ("    return gradient", "    return gradient[::-1]")),
        _with(_GRADIENT, ("    return gradient", "    return gradient.T")),
        _with(_GRADIENT, ("    return gradient", "    return gradient.round(2)")),
        _with(_GRADIENT, ("    return gradient", "    return np.abs(gradient)")),
        _with(_GRADIENT, ("    return gradient", "    return gradient / np.linalg.norm(gradient)")),
        _with(_GRADIENT, ("    return gradient", "    return gradient, f(x)")),
        _with(_GRADIENT, ("up - down", "up - 2 * f(x) + down"), ("/ (2 * h)", "/ h**2")),
        _with(_GRADIENT, ("x[place] = keep - h", "x[place] = keep"), ("2 * h", "h"), ("up - down", "down - up")),
        _with(_GRADIENT, ("        gradient[place]", "        gradient[place[::-1]]")),
        _with(_GRADIENT, ("        gradient[place] = ", "        gradient = ")),
    ],
    "passes": [
        _with(_PASSES, ("<= 1e-6 * max", "/ max")),
        _with(_PASSES, ("    rng =", "    x = x[:1]\n    rng =")),
        _with(_PASSES, ("return abs(mine - measured)", "return mine, measured, abs(mine - measured)")),
        _with(_PASSES, ("backward(dy, x)", "backward(x, dy)")),
        _with(_PASSES, ("return abs", "print(abs"), ("abs(measured))", "abs(measured)))")),
        _with(_PASSES, ("forward(x).shape", "forward(x)[0].shape")),
        _with(_PASSES, ("return abs", "assert abs"), ("abs(measured))", "abs(measured))\n    return True")),
        _with(_PASSES, ("return abs", "return 'right' if abs"), ("abs(measured))", "abs(measured)) else 'wrong'")),
        _with(_PASSES, ("dy = rng.normal(size=forward(x).shape)", "dy = np.ones(forward(x).shape)"), ("1e-6 *", "0.01 *")),
        _with(_PASSES, ("return abs(mine - measured) <= 1e-6 * max(abs(mine), abs(measured))", "return mine * measured >= 0")),
        _with(_PASSES, ("abs(mine - measured)", "mine - measured")),
    ],
}  # fmt: skip

RIGHT = {
    "relative_error": [
        _ERROR_HEAD + """
    both = np.array([mine, measured])
    return np.ptp(both, axis=0).max() / (np.abs(both).max() or 1)
""",
        """
def relative_error(mine, measured):
    pairs = list(zip(mine.ravel().tolist(), measured.ravel().tolist()))
    largest = max(max(abs(a), abs(b)) for a, b in pairs)
    return max(abs(a - b) for a, b in pairs) / largest if largest else 0
""",
        _ERROR_HEAD + """
    def largest(array):
        return np.linalg.norm(array.ravel(), np.inf)
    size = max(largest(mine), largest(measured))
    return largest(mine - measured) / size if size else 0.0
""",
    ],
    "numeric_gradient": [
        """
import numpy as np
def numeric_gradient(f, x, h):
    directions = np.eye(x.size).reshape(x.size, *x.shape)
    return np.array([(f(x + h * e) - f(x - h * e)) / (h + h) for e in directions]).reshape(x.shape)
""",
        """
import numpy as np
def numeric_gradient(f, x, h):
    def slope(place):
        up, down = np.array(x, float), np.array(x, float)
        up[place] += h
        down[place] -= h
        return (f(up) - f(down)) / h / 2
    return [slope(place) for place in range(len(x))] if x.ndim == 1 else np.array(
        [slope(place) for place in np.ndindex(x.shape)]).reshape(x.shape)
""",
        """
import numpy as np
def numeric_gradient(f, x, h):
    flat = np.array(x, dtype=np.float64).ravel()
    found = np.empty_like(flat)
    for i in range(flat.size):
        for sign in (1, -1):
            nudged = flat.copy()
            nudged[i] += sign * h
            found[i] = f(nudged.reshape(x.shape)) if sign == 1 else (found[i] - f(nudged.reshape(x.shape))) / (2 * h)
    return found.reshape(x.shape)
""",
    ],
    "passes": [
        """
import numpy as np
def passes(forward, backward, x, seed):
    rng = np.random.default_rng([seed, 5])
    dy = rng.uniform(-1, 1, forward(x).shape)
    dx = backward(dy, x)
    for place in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[place] += 1e-5
        down[place] -= 1e-5
        measured = ((forward(up) - forward(down)) * dy).sum() / 2e-5
        if abs(measured - dx[place]) > 1e-5 * np.abs(dx).max():
            return False
    return True
""",
        """
import numpy as np
def passes(forward, backward, x, seed):
    rng = np.random.default_rng(1000 + seed)
    for _ in range(3):
        dy, v = rng.normal(size=forward(x).shape), rng.choice([-1.0, 1.0], size=x.shape)
        change = np.vdot(forward(x + 1e-5 * v) - forward(x - 1e-5 * v), dy) / 2e-5
        told = np.vdot(np.asarray(backward(dy, x), float), v)
        if abs(change - told) > 1e-5 * (abs(change) + abs(told)):
            return False
    return True
""",
        """
import numpy as np
def passes(forward, backward, x, seed):
    rng = np.random.default_rng(seed + 17)
    dy, v = rng.normal(size=forward(x).shape), rng.normal(size=x.shape)
    def slope(h):
        return ((forward(x + h * v) - forward(x - h * v)) * dy).sum() / (2 * h)
    measured = (4 * slope(1e-4) - slope(2e-4)) / 3
    return np.isclose((backward(dy, x) * v).sum(), measured, rtol=1e-6, atol=1e-14)
""",
    ],
}  # fmt: skip
