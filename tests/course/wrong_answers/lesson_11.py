"""Lesson 11: wrong answers as students write them, and right ones in unusual styles; source text by exercise.

None of the wrong ones may pass, all of the right ones must. The wrong ones are none of the listed mistakes, or two of them.
"""

from __future__ import annotations

_COMPOSE = """
def compose(layers):
    stride, offset, field = 1.0, 0.0, 1
    for kind, K, S, P in layers:
        middle = (K - 1) / 2 - P
        if kind == "conv":
            offset = offset + stride * middle
            field = field + stride * (K - 1)
            stride = stride * S
        else:
            offset = offset - stride * middle / S
            field = field + stride * (-(-K // S) - 1)
            stride = stride / S
    return stride, offset, field
"""

_BEST = """
import numpy as np
def best_possible(mask, stride):
    H, W = mask.shape
    answer = np.zeros((H, W), int)
    for top in range(0, H, stride):
        for left in range(0, W, stride):
            square = mask[top : top + stride, left : left + stride]
            votes = [(square == c).sum() for c in range(255)]
            answer[top : top + stride, left : left + stride] = np.argmax(votes)
    known = mask != 255
    ious = []
    for c in range(255):
        a, b = (mask == c) & known, (answer == c) & known
        if (a | b).any():
            ious.append((a & b).sum() / (a | b).sum())
    return np.mean(ious)
"""

_CROP = "def crop(a, b):\n    return (b[1] - a[1]) / a[0]\n"
_ADDRESS = "def address(i, K, S, P):\n    return S * i + (K - 1) / 2 - P\n"


def _with(source: str, *changes: tuple[str, str]) -> str:
    """The source with a line or an expression written as somebody else would."""
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new)
    return source


WRONG = {
    "address": [
        _with(_ADDRESS, ("S * i", "S * (i + 1)")),
        _with(_ADDRESS, ("S * i", "S * (i - 1)")),
        _with(_ADDRESS, ("S * i + (K - 1) / 2 - P", "(i + P - (K - 1) / 2) / S")),
        _with(_ADDRESS, ("(K - 1) / 2", "(K + 1) / 2")),
        _with(_ADDRESS, ("(K - 1) / 2 - P", "K / 2 + P")),
        _with(_ADDRESS, ("S * i + (K - 1) / 2", "i + K / 2")),
        _with(_ADDRESS, ("S * i + (K - 1) / 2 - P", "S * i")),
        _with(_ADDRESS, ("- P", "- 2 * P")),
    ],
    "compose": [
        _with(_COMPOSE, ("field + stride * (K - 1)", "field + stride * K")),
        _with(_COMPOSE, ("            stride = stride * S\n", ""), ("            stride = stride / S\n", ""),
              ("        middle", "        stride = stride * S if kind == 'conv' else stride / S\n        middle")),
        _with(_COMPOSE, ("return stride, offset, field", "return stride, field, offset")),
        _with(_COMPOSE, ("return stride, offset, field", "return stride, offset")),
        _with(_COMPOSE, ("        if kind", "        if S == 1:\n            continue\n        if kind")),
        _with(_COMPOSE, ("0.0, 1\n", "0.0, 0\n")),
        _with(_COMPOSE, ("1.0, 0.0, 1\n", "1.0, 0.5, 1\n")),
        _with(_COMPOSE, ("offset + stride * middle", "offset + middle"), ("stride * middle / S", "middle / S"),
              ("stride * (K - 1)", "(K - 1)"), ("stride * (-(-K", "(-(-K")),
        _with(_COMPOSE, ("(K - 1) / 2 - P", "K / 2 + P")),
        _with(_COMPOSE, ("(K - 1) / 2 - P", "(K - 1) // 2 + P")),
        _with(_COMPOSE, ("(K - 1) / 2 - P", "K / 2 - P"), ("(-(-K // S) - 1)", "(K - 1)")),
        _with(_COMPOSE, ("in layers", "in layers[::-1]"),
              ("/ 2 - P", "/ 2 + P")),
        _with(_COMPOSE, ("return stride, offset, field", "return stride, -offset, field")),
        _with(_COMPOSE, ("return stride, offset, field", "return 1 / stride, offset, field")),
        _with(_COMPOSE, ("return stride, offset, field", "return stride, offset, field**2")),
    ],
    "crop": [
        _with(_CROP, ("return (b[1] - a[1]) / a[0]", "return b[1] - a[1] / a[0]")),
        _with(_CROP, ("return (b[1] - a[1]) / a[0]", "return (b[1] - a[1]) / a[0] + 1")),
        _with(_CROP, ("return (b[1] - a[1]) / a[0]", "return (b[1] - a[1]) / (a[0] + b[0])")),
        _with(_CROP, ("return (b[1] - a[1]) / a[0]", "return a[1] - b[1]")),
        _with(_CROP, ("return (b[1] - a[1]) / a[0]", "return int(abs(b[1] - a[1]) / a[0])")),
        _with(_CROP, ("return (b[1] - a[1]) / a[0]", "return (a[1] - b[1]) // a[0]")),
        _with(_CROP, ("return (b[1] - a[1]) / a[0]", "return b[0] - a[0]")),
        _with(_CROP, ("return (b[1] - a[1]) / a[0]", "return max(0, (a[1] - b[1]) / a[0])")),
        _with(_CROP, ("return (b[1] - a[1]) / a[0]", "return (b[1] + a[1]) / a[0]")),
        _with(_CROP, ("return (b[1] - a[1]) / a[0]", "return abs(b[1]) - abs(a[1])")),
    ],
    "best_possible": [
        _with(_BEST, ("range(255)]", "range(256)]"), ("np.argmax(votes)", "np.argmax(votes) % 255")),
        _with(_BEST, ("    H, W", "    mask = np.where(mask == 255, 0, mask)\n    H, W"), ("np.argmax(votes)", "square[0, 0]")),
        _with(_BEST, ("    H, W", "    mask = np.where(mask == 255, 0, mask)\n    H, W"), ("np.argmax(votes)", "square.max()")),
        _with(_BEST, ("    ious = []", "    return (answer == mask).mean()\n    ious = []")),
        _with(_BEST, ("    H, W", "    mask = np.where(mask == 255, 0, mask)\n    H, W"),
              ("    ious = []", "    return (answer == mask)[known].mean()\n    ious = []")),
        _with(_BEST, ("return np.mean(ious)", "return np.sum(ious)")),
        _with(_BEST, ("return np.mean(ious)", "return 100 * np.mean(ious)")),
        _with(_BEST, ("return np.mean(ious)", "return ious")),
        _with(_BEST, ("return np.mean(ious)", "return answer")),
        _with(_BEST, ("for c in range(255):\n", "for c in range(1, 255):\n"), ("np.argmax(votes)", "square[0, 0]")),
    ],
}  # fmt: skip

RIGHT = {
    "address": [
        _ADDRESS,
        "from fractions import Fraction\ndef address(i, K, S, P):\n    return float(Fraction(2 * (S * i - P) + K - 1, 2))\n",
        "import numpy as np\ndef address(i, K, S, P):\n    return np.mean([j + i * S - P for j in range(K)])\n",
    ],
    "compose": [
        _COMPOSE,
        """
import numpy as np
def compose(layers):
    A, field = np.eye(2), 1
    for kind, K, S, P in layers:
        M = np.array([[S, (K - 1) / 2 - P], [0, 1]])
        n = K
        if kind == "deconv":
            M, n = np.linalg.inv(M), (K + S - 1) // S
        field += A[0, 0] * (n - 1)
        A = A @ M
    return [A[0, 0], A[0, 1], field]
""",
        """
import math
def compose(layers):
    if not layers:
        return 1.0, 0.0, 1.0
    s, o, f = compose(layers[:-1])
    kind, K, S, P = layers[-1]
    if kind == "deconv":
        return s / S, o - s * ((K - 1) / 2 - P) / S, f + s * (math.ceil(K / S) - 1)
    return s * S, o + s * ((K - 1) / 2 - P), f + s * (K - 1)
""",
    ],
    "crop": [
        _CROP,
        "crop = lambda a, b: -(a[1] - b[1]) / b[0]\n",
        "import numpy as np\ndef crop(a, b):\n    s, o, _ = np.subtract(b, a)\n    return np.float32(o / a[0])\n",
    ],
    "best_possible": [
        _BEST,
        """
import numpy as np
def best_possible(mask, stride):
    H, W = mask.shape
    C = 1 + max(0, *(int(v) for v in np.unique(mask) if v != 255), 0)
    rows, columns = np.arange(H) // stride, np.arange(W) // stride
    votes = np.zeros((rows[-1] + 1, columns[-1] + 1, C))
    r, c = np.nonzero(mask != 255)
    np.add.at(votes, (rows[r], columns[c], mask[r, c]), 1)
    answer = votes.argmax(-1)[rows][:, columns]
    n = np.bincount(mask[r, c].astype(int) * C + answer[r, c], minlength=C * C).reshape(C, C)
    union = n.sum(0) + n.sum(1) - n.diagonal()
    return (n.diagonal()[union > 0] / union[union > 0]).mean()
""",
        """
def best_possible(mask, stride):
    from collections import Counter
    H, W = mask.shape
    both, mine, truth = Counter(), Counter(), Counter()
    for top in range(0, H, stride):
        for left in range(0, W, stride):
            seen = Counter(int(v) for v in mask[top : top + stride, left : left + stride].ravel() if v != 255)
            if not seen:
                continue
            best = min(seen, key=lambda label: (-seen[label], label))
            both[best] += seen[best]
            mine[best] += sum(seen.values())
            truth.update(seen)
    labels = set(mine) | set(truth)
    return sum(both[c] / (mine[c] + truth[c] - both[c]) for c in labels) / len(labels)
""",
    ],
}
