"""Lesson 08: each claim, the text of the script that it stands on, and a replacement under which it must fail."""

from __future__ import annotations

CLAIMS = [
    (
        "void pixels have no loss",
        "loss_map, _ = F.cross_entropy(scores, truth[None]",
        "loss_map, _ = F.cross_entropy(scores, truth[None] % 5",
    ),
    ("exp and a division make probabilities", "p = e / e.sum()\nprint", "p = s / s.sum()\nprint"),
    ("the loss is minus the logarithm", "loss = -np.log(p[sky])", "loss = 1 - p[sky]"),
    ("equal scores cost log(5)", "zeros = np.zeros((1, 5, 1, 1))", "zeros = np.arange(5.0).reshape(1, 5, 1, 1)"),
    ("the first loss of a network is log(5)", "loss of our network: {losses[0]:.4f}", "{losses.pop(0)}"),
    ("the gradient is p minus one-hot", "return -np.log(e[label] / e.sum())", "return (1 - e[label] / e.sum()) ** 2"),
    ("a shift changes nothing", "return np.exp(s) / np.exp(s).sum()", "return np.abs(s) / np.abs(s).sum()"),
    ("as it is written it breaks", "broken = naive_softmax(s + 1000)", "broken = naive_softmax(s + 100)"),
    ("the largest subtracted it does not", "e = np.exp(s - s.max())", "e = np.exp(np.minimum(s, 700))"),
    ("void has no gradient", "marks = np.array([[[1, VOID]]])", "marks = np.array([[[1, 0]]])"),
    (
        "void as class 0 halves the push",
        "F.cross_entropy(two, np.where(marks == VOID, 0, marks))",
        "F.cross_entropy(two, marks)",
    ),
    ("outlines cost most", "outline = near(void) & ~void", "outline = ~near(void)"),
    ("void is not pushed at all", "np.ones((1, 90, 120)), early_cache)", "np.ones((1, 90, 120)), early_cache) + 1e-9"),
    ("a sum's gradient is so many times the mean's", '("sum", "mean"):\n    _,', '("mean", "sum"):\n    some *= 2\n    _,'),
    ("the rate that belongs to it", "rate_of_mean = 1e-10 * pixels", "rate_of_mean = 1e-10 / pixels"),
    ("void as background costs mean IU", "trained(np.where(labels == VOID, 0, labels))", "trained(labels)"),
    ("the twin paints too thin", "twin_share = (twin_answers", "twin_share = (answers"),
    ("the wrong exam prefers the wrong pupil", "mean_iu(as_background, answers),", "mean_iu(new_labels, answers),"),
    ("ten times all weights changes nothing", "weight=np.full(21, 10.0))\nassert", "weight=np.arange(21.0))\nassert"),
    ("divided by the count it does", "(some_labels != VOID).sum()\nprint", "(10 * (some_labels != VOID)).sum()\nprint"),
    ("the report's weights are nearly the same", "weights = 1 - counts / counts.sum()", "weights = counts.sum() / counts"),
    ("the median recipe's are not", "np.median(shares) / shares", "np.median(weights) / weights"),
    ("every pixel was counted", "1823922767, 2775322,", "1823922767, 2775323,"),
    ("no pixel pushes harder than 1", "worst = np.array([0.0, 100.0, 0.0])", "worst = np.array([0.0, 1.0, 0.0])"),
    ("two classes make a sigmoid", "np.exp(-(a - b))", "np.exp(-(a + b))"),
    ("nothing but void costs nothing", "np.full((1, 1, 2), VOID)", "np.full((1, 1, 2), 1)"),
]
