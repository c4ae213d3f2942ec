"""Lesson 08: wrong answers as students write them, and right ones in unusual styles; source text by exercise.

None of the wrong ones may pass, all of the right ones must.
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


WRONG = {
    "equal_rate": [
        "def equal_rate(rate_of_sum, pixels):\n    return rate_of_sum / pixels\n",
        "def equal_rate(rate_of_sum, pixels):\n    return rate_of_sum\n",
        "def equal_rate(rate_of_sum, pixels):\n    return 1.875e-5\n",
        "def equal_rate(rate_of_sum, pixels):\n    return rate_of_sum * 375 * 500\n",
        "def equal_rate(rate_of_sum, pixels):\n    return rate_of_sum * pixels * 21\n",
        "def equal_rate(rate_of_sum, pixels):\n    return round(rate_of_sum * pixels, 4)\n",
        "def equal_rate(rate_of_sum, pixels):\n    return rate_of_sum * pixels ** 0.5\n",
    ],
    "cross_entropy": [
        _with(_LOSS, ("total / count", "total / labels.size")),
        _with(_LOSS, ("total / count", "total")),
        _with(_LOSS, ("count += weight[label]", "count += 1")),
        _with(_LOSS, ("label == 255", "label == 0")),
        _with(_LOSS, ("if label == 255:\n                    continue", "if label == 255:\n                    label = 0")),
        _with(_LOSS, ("if label == 255:\n                    continue", "label = min(label, C - 1)")),
        _with(_LOSS, ("if label == 255:\n                    continue", "label = label % C")),
        _with(_LOSS, ("                s = s - s.max()\n", "")),
        _with(_LOSS, ("s = s - s.max()", "s = s / s.max()")),
        _with(_LOSS, ("s = s - s.max()", "s = s - scores.max()")),
        _with(_LOSS, ("s = s - s.max()", "s = s - s.mean()")),
        _with(_LOSS, ("np.log(", "np.log10(")),
        _with(_LOSS, ("* -log_p[label]", "* log_p[label]")),
        _with(_LOSS, ("* -log_p[label]", "* -log_p.sum()")),
        _with(_LOSS, ("weight[label] * -log_p[label]", "-log_p[label]")),
        _with(_LOSS, ("    if count == 0:\n        return 0.0\n", ""), ("total / count", "np.float64(total) / count")),
        "import numpy as np\ndef cross_entropy(scores, labels, weight):\n"
        "    p = np.exp(scores) / np.exp(scores).sum()\n"
        "    known = labels != 255\n    own = np.take_along_axis(p, np.where(known, labels, 0)[:, None], 1)[:, 0]\n"
        "    return (-np.log(own) * known).sum() / max(1, known.sum())\n",
        "import numpy as np\ndef cross_entropy(scores, labels, weight):\n"
        "    e = np.exp(scores - scores.max(axis=1, keepdims=True))\n    p = e / e.sum(axis=1, keepdims=True)\n"
        "    known = labels != 255\n    own = np.take_along_axis(p, np.where(known, labels, 0)[:, None], 1)[:, 0]\n"
        "    return -np.log((own * known).sum() / max(1, known.sum()))\n",
    ],
    "cross_entropy_gradient": [
        _with(_GRADIENT, ("                p[label] -= 1\n", "")),
        _with(_GRADIENT, ("return d / count", "return d")),
        _with(_GRADIENT, ("return d / count", "return d / labels.size")),
        _with(_GRADIENT, ("return d / count", "return d / N")),
        _with(_GRADIENT, ("return d / count", "return d / (N * C * H * W)")),
        _with(_GRADIENT, ("return d / count", "return -d / count")),
        _with(_GRADIENT, ("count += weight[label]", "count += 1")),
        _with(_GRADIENT, ("weight[label] * p", "p")),
        _with(_GRADIENT, ("weight[label] * p", "weight * p")),
        _with(_GRADIENT, ("e = np.exp(s - s.max())", "e = np.exp(s)")),
        _with(_GRADIENT, ("if label == 255:\n                    continue", "if label == 255:\n                    label = 0")),
        _with(
            _GRADIENT,
            ("                p[label] -= 1\n", "                p = p * (np.arange(C) == label) - p * p[label]\n"),
        ),
        _with(_GRADIENT, ("p[label] -= 1", "p[label] = 1 - p[label]")),
        _with(_GRADIENT, ("p[label] -= 1", "p[label] = -1")),
        _with(_GRADIENT, ("    if count == 0:\n        return d\n", ""), ("d / count", "d / np.float64(count)")),
    ],
    "class_weights": [
        "def class_weights(counts):\n    return counts / counts.sum()\n",
        "def class_weights(counts):\n    return 1 / counts\n",
        "def class_weights(counts):\n    return counts.sum() / counts\n",
        "def class_weights(counts):\n    return 1 - counts // counts.sum()\n",
        "def class_weights(counts):\n    return 1 - counts / counts.max()\n",
        "def class_weights(counts):\n    w = 1 - counts / counts.sum()\n    return w / w.sum()\n",
        "def class_weights(counts):\n    w = 1 - counts / counts.sum()\n    return w / w.max()\n",
        "import numpy as np\ndef class_weights(counts):\n    return 1 - counts / np.prod(counts.shape)\n",
        "def class_weights(counts):\n    return (1 - counts / counts.sum()).round(2)\n",
    ],
}

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
