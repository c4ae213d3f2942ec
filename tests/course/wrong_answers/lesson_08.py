"""Lesson 08: wrong answers as students write them, and right ones in unusual styles; source text by exercise.

None of the wrong ones may pass, all of the right ones must. The wrong ones are none of the listed mistakes, or two of them.
"""

from __future__ import annotations

_LOSS = """
import numpy as np
def cross_entropy(scores, labels, weight):
    N, C, H, W = scores.shape
    total, count = 0.0, 0.0
    for n in range(N):
        for h in range(H):
            for w in range(W):
                label = labels[n, h, w]
                if label == 255:
                    continue
                s = scores[n, :, h, w]
                s = s - s.max()
                log_p = s - np.log(np.exp(s).sum())
                total += weight[label] * -log_p[label]
                count += weight[label]
    if count == 0:
        return 0.0
    return total / count
"""

_GRADIENT = """
import numpy as np
def cross_entropy_gradient(scores, labels, weight):
    N, C, H, W = scores.shape
    d = np.zeros((N, C, H, W))
    count = 0.0
    for n in range(N):
        for h in range(H):
            for w in range(W):
                label = labels[n, h, w]
                if label == 255:
                    continue
                s = scores[n, :, h, w]
                e = np.exp(s - s.max())
                p = e / e.sum()
                p[label] -= 1
                d[n, :, h, w] = weight[label] * p
                count += weight[label]
    if count == 0:
        return d
    return d / count
"""


def _with(source: str, *changes: tuple[str, str]) -> str:
    """The source with a line or an expression written as somebody else would."""
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new)
    return source


_SHORT = """
import numpy as np
def cross_entropy(scores, labels, weight):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    known = labels != 255
    safe = np.where(known, labels, 0)
    losses = -np.log(np.take_along_axis(p, safe[:, None], axis=1)[:, 0])
    weights = weight[safe] * known
    return (losses * weights).sum() / weights.sum() if known.any() else 0.0
"""

_SKIP = "if label == 255:\n                    continue"


WRONG = {
    "equal_rate": [
        "def equal_rate(rate_of_sum, pixels):\n    return 1.875e-5\n",
        "def equal_rate(rate_of_sum, pixels):\n    return rate_of_sum * pixels * 21\n",
        "def equal_rate(rate_of_sum, pixels):\n    return round(rate_of_sum * pixels, 4)\n",
        "def equal_rate(rate_of_sum, pixels):\n    return rate_of_sum * (pixels - 1)\n",
        "def equal_rate(rate_of_sum, pixels):\n    return pixels / rate_of_sum\n",
        "def equal_rate(rate_of_sum, pixels):\n    return 2 * rate_of_sum * pixels\n",
        "def equal_rate(rate_of_sum, pixels):\n    return rate_of_sum * pixels,\n",
    ],
    "cross_entropy": [
        _with(_LOSS, ("label == 255", "label == 0")),
        _with(_LOSS, (_SKIP, "label = label % C")),
        _with(_LOSS, ("s = s - s.max()", "s = s / s.max()")),
        _with(_LOSS, ("np.log(", "np.log10(")),
        _with(_SHORT, ("return (losses * weights).sum() / weights.sum() if known.any() else 0.0", "return losses.mean()")),
        _with(_SHORT, ("(losses * weights).sum() / weights.sum()", "np.where(known, losses, 0).mean()")),
        _with(_SHORT, ("(losses * weights).sum() / weights.sum()", "losses[known].mean()"), ("scores - s", "scores + 0 * s")),
        _with(_SHORT, ("-np.log(", "-np.log2("), ("/ weights.sum()", "/ known.sum()")),
        _with(_SHORT, ("-np.log(", "np.log("), ("/ weights.sum()", "")),
        _with(_SHORT, ("(losses * weights).sum() / weights.sum()", "[losses, weights]")),
        _with(_SHORT, ("-np.log(", "-np.log10("), ("(losses * weights).sum()", "losses.sum()")),
        _with(_LOSS, ("total += weight[label] *", "total +="), ("s - s.max()", "s")),
        _with(_LOSS, ("return total / count", "return total / count / N")),
        _with(_LOSS, ("return total / count", "return total / count / C")),
        _with(_LOSS, ("* -log_p[label]", "* (1 - np.exp(log_p[label]))")),
        _with(_LOSS, ("* -log_p[label]", "* -log_p[0]")),
        _with(_LOSS, ("* -log_p[label]", "* -log_p[(label + 1) % C]")),
    ],
    "cross_entropy_gradient": [
        _with(
            _GRADIENT,
            ("                p[label] -= 1\n", "                p = p * (np.arange(C) == label) - p * p[label]\n"),
        ),
        _with(_GRADIENT, ("p[label] -= 1", "p[label] = 1 - p[label]")),
        _with(_GRADIENT, ("p[label] -= 1", "p[label] = -1")),
        _with(_GRADIENT, ("                p[label] -= 1\n", ""), ("d / count", "d")),
        _with(_GRADIENT, ("return d / count", "return -d")),
        _with(_GRADIENT, ("weight[label] * p", "p"), ("d / count", "d / labels.size")),
        _with(_GRADIENT, ("weight[label] * p", "p"), ("d / count", "d / N")),
        _with(_GRADIENT, ("weight[label] * p", "p"), ("d / count", "d")),
        _with(_GRADIENT, (_SKIP, "if label == 255:\n                    label = 0"), ("weight[label] * p", "p"),
              ("count += weight[label]", "count += 1")),
        _with(_GRADIENT, ("s - s.max()", "s"), ("    if count == 0:\n        return d\n", ""),
              ("/ count", "/ np.float64(count)")),
        _with(_GRADIENT, ("return d / count", "return d.transpose(0, 1, 3, 2) / count")),
        _with(_GRADIENT, ("return d / count", "return d.transpose(0, 2, 3, 1) / count")),
        _with(_GRADIENT, ("return d / count", "return d.sum(axis=0) / count")),
        _with(_GRADIENT, ("return d / count", "return 2 * d / count")),
        _with(_GRADIENT, ("                d[n", "                p = np.abs(p)\n                d[n")),
    ],
    "class_weights": [
        "def class_weights(counts):\n    return (1 - counts / counts.sum()).round(2)\n",
        "def class_weights(counts):\n    return 1 - counts / counts.mean()\n",
        "def class_weights(counts):\n    return 100 - 100 * counts / counts.sum()\n",
        "def class_weights(counts):\n    return (1 - counts / counts.sum())[::-1]\n",
        "def class_weights(counts):\n    return 1 - (counts / counts.sum()).mean()\n",
        "def class_weights(counts):\n    return counts / counts.sum() - 1\n",
        "import numpy as np\ndef class_weights(counts):\n    return -np.log(counts / counts.sum())\n",
        "def class_weights(counts):\n    w = counts / counts.sum()\n    return w / w.max()\n",
        "def class_weights(counts):\n    return [1 - c / counts[0] for c in counts]\n",
    ],
}  # fmt: skip

RIGHT = {
    "equal_rate": [
        "equal_rate = lambda rate_of_sum, pixels: pixels * rate_of_sum\n",
        "def equal_rate(rate_of_sum, pixels):\n    return rate_of_sum / (1 / pixels)\n",
        "import math\ndef equal_rate(rate_of_sum, pixels):\n    return math.exp(math.log(rate_of_sum) + math.log(pixels))\n",
    ],
    "cross_entropy": [
        _LOSS,
        """
import numpy as np
def cross_entropy(scores, labels, weight):
    C = scores.shape[1]
    s = np.moveaxis(scores, 1, -1).reshape(-1, C)
    t = labels.ravel()
    s, t = s[t != 255], t[t != 255]
    if not len(t):
        return 0
    s = s - s.max(1)[:, None]
    return np.average(np.log(np.exp(s).sum(1)) - s[range(len(t)), t], weights=weight[t])
""",
        """
import numpy as np
def cross_entropy(scores, labels, weight):
    lse = np.logaddexp.reduce(scores, axis=1)
    above = below = 0.0
    for c, w in enumerate(weight):
        mine = labels == c
        above += w * (lse[mine] - scores[:, c][mine]).sum()
        below += w * mine.sum()
    return np.float32(above / below) if below else np.array(0)
""",
    ],
    "cross_entropy_gradient": [
        _GRADIENT,
        """
import numpy as np
def cross_entropy_gradient(scores, labels, weight):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    one_hot = (labels[:, None] == np.arange(scores.shape[1])[None, :, None, None]).astype(float)
    w = (one_hot * weight[None, :, None, None]).sum(axis=1, keepdims=True)
    return (p - one_hot) * w / max(w.sum(), 1e-300)
""",
        """
import numpy as np
def cross_entropy_gradient(scores, labels, weight):
    C = scores.shape[1]
    w = np.append(weight, np.zeros(256 - C))[labels]
    p = np.exp(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True))
    d = p.transpose(0, 2, 3, 1).copy()
    d[labels != 255, labels[labels != 255]] -= 1
    d *= w[..., None]
    return (d / w.sum() if w.any() else d).transpose(0, 3, 1, 2)
""",
    ],
    "class_weights": [
        "import numpy as np\ndef class_weights(counts):\n    return [1 - int(c) / int(counts.sum()) for c in counts]\n",
        "import numpy as np\ndef class_weights(counts):\n    return (counts.sum() - counts) / counts.sum()\n",
        "import numpy as np\ndef class_weights(counts):\n    return np.subtract(1, np.divide(counts, np.add.reduce(counts)))\n",
    ],
}
