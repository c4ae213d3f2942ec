"""Lesson 12: wrong answers as students write them, and right ones in unusual styles; source text by exercise."""

from __future__ import annotations

_HEAD = "import numpy as np\n"

_CONFUSION = """
def confusion(labels, predictions, n):
    counts = np.zeros((n, n), int)
    for truth, said in zip(labels.ravel(), predictions.ravel()):
        if truth != 255:
            counts[truth, said] += 1
    return counts
"""

_MEASURES = """
def measures(matrix):
    right, truth, said = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    union = truth + said - right
    there, seen = truth > 0, union > 0
    accuracy = right[there] / truth[there]
    iu = right[seen] / union[seen]
    weighted = (truth[seen] * iu).sum() / truth.sum()
    return right.sum() / matrix.sum(), accuracy.mean(), iu.mean(), weighted
"""

_EVALUATE = """
def evaluate(scores, labels, batch):
    C = scores.shape[1]
    counts = np.zeros((C, C))
    for i in range(0, len(scores), batch):
        said = scores[i : i + batch].argmax(axis=1)
        truth = labels[i : i + batch]
        for a in range(C):
            for b in range(C):
                counts[a, b] += ((truth == a) & (said == b)).sum()
    union = counts.sum(axis=0) + counts.sum(axis=1) - np.diag(counts)
    seen = union > 0
    return (np.diag(counts)[seen] / union[seen]).mean()
"""

_MEANS = """
def evaluate(scores, labels, batch):
    means = []
    for i in range(0, len(scores), batch):
        said, truth = scores[i : i + batch].argmax(axis=1), labels[i : i + batch]
        kept = truth != 255
        ius = []
        for c in range(scores.shape[1]):
            both = ((truth == c) & (said == c) & kept).sum()
            union = (((truth == c) | (said == c)) & kept).sum()
            if union > 0:
                ius.append(both / union)
        means.append(np.mean(ius))
    return np.mean(means)
"""


def _with(source: str, *changes: tuple[str, str]) -> str:
    """The source with a line or an expression written as somebody else would."""
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new)
    return _HEAD + source


def _iu(expression: str) -> str:
    return f"{_HEAD}def iu_from_dice(dice):\n    return {expression}\n"


WRONG = {
    "iu_from_dice": [
        _iu("2 * dice / (1 + dice)"),
        _iu("dice / 2"),
        _iu("dice / (1 + dice)"),
        _iu("dice / (dice - 2)"),
        _iu("dice ** 2"),
        _iu("dice"),
        _iu("2 * dice / (2 - dice)"),
        _iu("1 - dice"),
        _iu("dice / (2 - dice) ** 2"),
        _iu("1 - dice / (2 - dice)"),
        _iu("100 * dice / (2 - dice)"),
        _iu("(2 - dice) / dice if dice else 0.0"),
        _iu("round(dice / (2 - dice), 1)"),
    ],
    "confusion": [
        _with(_CONFUSION, ("counts[truth, said]", "counts[said, truth]")),
        _with(_CONFUSION, ("if truth != 255:", "if truth == said:")),
        _with(_CONFUSION, ("if truth != 255:", "truth = truth % n\n        if True:")),
        _with(_CONFUSION, ("if truth != 255:", "truth = min(truth, n - 1)\n        if True:")),
        _with(_CONFUSION, ("+= 1", "= 1")),
        _with(_CONFUSION, ("if truth != 255:", "if truth != 0:")),
        _with(_CONFUSION, ("if truth != 255:", "if truth != 255 and said != 0:")),
        _with(_CONFUSION, ("return counts", "return counts / counts.sum()")),
        _with(_CONFUSION, ("return counts", "return counts / counts.sum(axis=1)")),
        _with(_CONFUSION, ("return counts", "return counts / counts.sum(axis=0)")),
        _with(_CONFUSION, ("return counts", "return np.triu(counts)")),
        _with(_CONFUSION, ("np.zeros((n, n), int)", "np.ones((n, n), int)")),
        _with(_CONFUSION, ("counts = np.zeros((n, n), int)", "counts = np.zeros((n + 1, n + 1), int)")),
        _with(_CONFUSION, ("+= 1", "+= 2")),
        _with(_CONFUSION, ("return counts", "return counts.ravel()")),
        _with(_CONFUSION, ("counts[truth, said]", "counts[-truth - 1, said]")),
        _with(_CONFUSION, ("return counts", "return counts - np.diag(np.diag(counts))")),
        _with(_CONFUSION, ("return counts", "return counts + counts.T")),
        _with(_CONFUSION, ("if truth != 255:", "if truth != 255 and said >= truth:")),
        _with(_CONFUSION, ("labels.ravel(), predictions.ravel()", "labels[0].ravel(), predictions[0].ravel()")),
        _with(_CONFUSION, ("predictions.ravel()", "predictions.T.ravel()")),
    ],
    "measures": [
        _with(_MEASURES, ("axis=1", "axis=2")),
        _with(_MEASURES, ("matrix.sum(axis=1), matrix.sum(axis=0)", "matrix.sum(axis=0), matrix.sum(axis=1)")),
        _with(_MEASURES, ("truth + said - right", "truth + said")),
        _with(_MEASURES, ("iu = right[seen]", "iu = 2 * right[seen]"), ("truth + said - right", "truth + said")),
        _with(_MEASURES, ("accuracy.mean()", "right.sum() / matrix.sum()")),
        _with(_MEASURES, ("right.sum() / matrix.sum(),", "accuracy.mean(),")),
        _with(_MEASURES, ("iu.mean(), weighted", "weighted, iu.mean()")),
        _with(_MEASURES, ("truth > 0, union > 0", "slice(None), slice(None)")),
        _with(_MEASURES, ("iu.mean(), weighted", "iu.mean(), iu.mean()")),
        _with(_MEASURES, ("truth[seen] * iu", "said[seen] * iu")),
        _with(_MEASURES, ("iu.mean(), weighted", "iu.sum() / len(matrix), weighted")),
        _with(_MEASURES, ("accuracy.mean(), iu.mean(), weighted", "accuracy.mean(), iu.mean()")),
        _with(_MEASURES, ("return right.sum()", "return 100 * right.sum()")),
        _with(_MEASURES, ("return right.sum() / matrix.sum()", "return 1 - right.sum() / matrix.sum()")),
        _with(_MEASURES, ("iu.mean(), weighted", "np.median(iu), weighted")),
        _with(_MEASURES, ("iu.mean(), weighted", "iu, weighted")),
        _with(_MEASURES, ("right.sum() / matrix.sum(), accuracy.mean()", "accuracy.mean(), right.sum() / matrix.sum()")),
        _with(_MEASURES, (".sum() / truth.sum()", ".sum() / len(matrix)")),
        _with(_MEASURES, ("truth > 0, union > 0", "truth > 0, right > 0")),
    ],
    "evaluate": [
        _HEAD + _MEANS,
        _with(_MEANS, ("if union > 0:", "if True:"), ("both / union", "both / max(union, 1)")),
        _with(_EVALUATE, ("said = scores", "counts[:] = 0\n        said = scores")),
        _with(_EVALUATE, ("argmax(axis=1)", "argmin(axis=1)")),
        _with(_EVALUATE, ("range(0, len(scores), batch)", "range(0, len(scores) - batch, batch)")),
        _with(_EVALUATE, ("return (np.diag(counts)[seen] / union[seen]).mean()", "return np.trace(counts) / counts.sum()")),
        _with(_EVALUATE, ("seen = union > 0", "seen = union >= 0\n    union = np.maximum(union, 1)")),
        _with(_EVALUATE, ("truth = labels[i : i + batch]", "truth = labels[i : i + batch] % 255")),
        _with(_EVALUATE, (".mean()\n", "[1:].mean()\n")),
        _with(_EVALUATE, (".mean()\n", "\n")),
        _with(_EVALUATE, (".mean()\n", ".max()\n")),
        _with(_EVALUATE, ("np.diag(counts)[seen] /", "2 * np.diag(counts)[seen] /"), (" - np.diag(counts)", "")),
        _with(_EVALUATE, (" - np.diag(counts)", "")),
        _with(_EVALUATE, ("range(0, len(scores), batch)", "range(0, batch)")),
        _with(_EVALUATE, ("np.diag(counts)[seen] / union[seen]", "np.diag(counts)[seen] / counts.sum(axis=1)[seen]")),
    ],
}  # fmt: skip

RIGHT = {
    "iu_from_dice": [
        _iu("1 / (2 / dice - 1) if dice else 0.0"),
        _iu("np.float32(dice) / np.float32(2 - dice)"),
        _iu("-dice / (dice - 2)"),
    ],
    "confusion": [
        _HEAD + "def confusion(labels, predictions, n):\n    k = labels != 255\n"
        "    return np.bincount(n * labels[k].astype(int) + predictions[k], minlength=n * n).reshape(n, n)\n",
        _HEAD + "def confusion(labels, predictions, n):\n"
        "    return [[int(((labels == i) & (predictions == j)).sum()) for j in range(n)] for i in range(n)]\n",
        _HEAD + "def confusion(labels, predictions, n):\n    e = np.eye(n)\n    k = labels < 255\n"
        "    return e[labels[k]].T @ e[predictions[k]]\n",
    ],
    "measures": [
        _with(_MEASURES, ("return ", "return np.array((")).replace("weighted\n", "weighted))\n"),
        _with(_MEASURES, ("return ", "return [")).replace("iu.mean(), weighted\n", "iu.mean(), weighted]\n"),
        _HEAD + "def measures(matrix):\n    m = matrix / matrix.sum()\n    d, t, s = np.diag(m), m.sum(1), m.sum(0)\n"
        "    with np.errstate(all='ignore'):\n        a, i = d / t, d / (t + s - d)\n"
        "    return d.sum(), np.nanmean(a), np.nanmean(i), np.nansum(t * i)\n",
    ],
    "evaluate": [
        _with(_EVALUATE, ("range(0, len(scores), batch)", "range(len(scores))"), (": i + batch", ": i + 1")),
        _HEAD + "def evaluate(scores, labels, batch):\n    said = np.argmax(scores, 1)\n    ius = []\n"
        "    for c in range(scores.shape[1]):\n        t, s = labels == c, (said == c) & (labels != 255)\n"
        "        if (t | s).any():\n            ius.append((t & s).sum() / (t | s).sum())\n    return sum(ius) / len(ius)\n",
        _HEAD + "def evaluate(scores, labels, batch):\n    k = labels != 255\n    C = scores.shape[1]\n    e = np.eye(C)\n"
        "    s = np.exp(scores - scores.max(axis=1, keepdims=True)).argmax(axis=1)\n    m = e[labels[k]].T @ e[s[k]]\n"
        "    u = m.sum(0) + m.sum(1) - m.diagonal()\n    return (m.diagonal()[u > 0] / u[u > 0]).mean()\n",
    ],
}  # fmt: skip
