"""Answers to the exercises of lessons 12 and 13 as readers write them, and slips of the pen; see `planted_answers`."""

from __future__ import annotations

ANSWERS = {
    "iu_from_dice": """
def iu_from_dice(dice):
    return dice / (2 - dice)
""",
    "confusion": """
import numpy as np
def confusion(labels, predictions, n):
    counts = np.zeros((n, n), int)
    for truth, said in zip(labels.ravel(), predictions.ravel()):
        if truth != 255:
            counts[truth, said] += 1
    return counts
""",
    "measures": """
import numpy as np
def measures(matrix):
    accuracies, ious, weighted = [], [], 0
    for c in range(len(matrix)):
        truth, said, both = matrix[c].sum(), matrix[:, c].sum(), matrix[c, c]
        union = truth + said - both
        if truth > 0:
            accuracies.append(both / truth)
            weighted += truth * both / union
        if union > 0:
            ious.append(both / union)
    return np.trace(matrix) / matrix.sum(), np.mean(accuracies), np.mean(ious), weighted / matrix.sum()
""",
    "evaluate": """
import numpy as np
def evaluate(scores, labels, batch):
    C = scores.shape[1]
    matrix = np.zeros((C, C))
    for i in range(0, len(scores), batch):
        truth, said = labels[i : i + batch], scores[i : i + batch].argmax(axis=1)
        kept = truth != 255
        np.add.at(matrix, (truth[kept], said[kept]), 1)
    union = matrix.sum(axis=0) + matrix.sum(axis=1) - np.diag(matrix)
    there = union > 0
    return (np.diag(matrix)[there] / union[there]).mean()
""",
    "first_loss": """
import numpy as np
def first_loss(classes):
    return -np.log(1 / classes)
""",
    "poly": """
def poly(i, n, power):
    return (1 - i / n) ** power
""",
    "sgd_step": """
def sgd_step(w, g, v, rate, momentum, decay):
    g = g + decay * w
    v = momentum * v + g
    return w - rate * v, v
""",
    "adam_step": """
import numpy as np
def adam_step(w, g, m, v, t, rate):
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g * g
    mean, square = m / (1 - 0.9**t), v / (1 - 0.999**t)
    return w - rate * mean / (np.sqrt(square) + 1e-8), m, v
""",
}

SLIPS = {
    "iu_from_dice": [
        ("dice / (2 - dice)", "2 * dice / (1 + dice)", "the Dice score of an IU"),
        ("dice / (2 - dice)", "dice / 2", "divide by 2"),
        ("(2 - dice)", "(2 + dice)", "The sign below is wrong"),
        ("(2 - dice)", "(1 + dice)", "The denominator is 1 + dice"),
        ("dice / (2 - dice)", "dice", "the Dice score itself"),
        ("dice / (2 - dice)", "dice**2", "the square of the Dice score"),
        ("dice / (2 - dice)", "1 - dice / (2 - dice)", None),
    ],
    "confusion": [
        ("counts[truth, said]", "counts[said, truth]", "Rows and columns are exchanged"),
        ("if truth != 255:", "if True:\n            truth = 0 if truth == 255 else truth", "Row 0 has too many"),
        ("if truth != 255:", "if True:\n            truth = n - 1 if truth == 255 else truth", "The last row has too many"),
        ("if truth != 255:", "if True:\n            truth = said if truth == 255 else truth", "count as right"),
        ("return counts", "return counts / np.maximum(1, counts.sum(axis=1, keepdims=True))", "Each row is divided"),
        ("return counts", "return counts / counts.sum()", "shares of all pixels"),
        ("+= 1", "= 1", "only 0 and 1"),
        ("if truth != 255:", "if truth != 255 and truth == said:", "Only the diagonal"),
        ("if truth != 255:", "if truth < n - 1 and said < n - 1:", "The last class has no row"),
        ("if truth != 255:", "if truth != 255 and truth > 0 and said > 0:", "Class 0 has no row"),
    ],
    "measures": [
        ("said - both", "said", "counted twice"),
        ("np.trace(matrix) / matrix.sum()", "np.mean(accuracies)", "the mean over the classes"),
        ("np.mean(accuracies)", "np.trace(matrix) / matrix.sum()", "is the pixel accuracy"),
        ("weighted / matrix.sum()", "np.mean(ious)", "is the mean IU"),
        ("truth > 0:\n            accuracies.append(both / truth)", "said > 0:\n            accuracies.append(both / said)\n"
         "        if truth > 0:", "divides by the predicted pixels"),
        ("both / union", "2 * both / (truth + said)", "the Dice score"),
        ("matrix[c].sum(), matrix[:, c].sum()", "matrix[:, c].sum(), matrix[c].sum()", "Rows and columns are exchanged"),
    ],
    "evaluate": [
        ("argmax(axis=1)", "argmin(axis=1)", "lowest"),
        ("kept = truth != 255", "kept = truth != 255\n        matrix[...] = 0", "Only the last batch"),
        ("range(0, len(scores), batch)", "range(0, len(scores) - batch + 1, batch)", "fill no whole batch"),
        ("range(0, len(scores), batch)", "range(0, batch, batch)", "Only the first batch"),
        ("there = union > 0", "there = union > 0\n    union[~there] = 1\n    there[:] = True", "nowhere counts as 0"),
        ("kept = truth != 255", "truth = np.where(truth == 255, 0, truth)\n        kept = truth < 256", "Void pixels count as"),
        ("(np.diag(matrix)[there] / union[there]).mean()", "np.trace(matrix) / matrix.sum()", "the pixel accuracy"),
        ("scores[i : i + batch].argmax(axis=1)", "scores[i : i + batch, 1:].argmax(axis=1) + 1", "background cannot win"),
    ],
    "first_loss": [
        ("np.log", "np.log2", "base 2"),
        ("np.log", "np.log10", "base 10"),
        ("-np.log(1 / classes)", "1 / classes", "the probability of each class"),
        ("-np.log", "np.log", "The sign is turned"),
        ("-np.log(1 / classes)", "-np.log(1 / classes) / classes", "multiplied by the probability"),
        ("-np.log(1 / classes)", "-np.log(1 - 1 / classes)", "another* class"),
        ("-np.log(1 / classes)", "1 - 1 / classes", "the probability of being wrong"),
    ],
    "poly": [
        ("(1 - i / n) ** power", "1 - (i / n) ** power", "The power is on i / n alone"),
        (" ** power", "", "The power is left out"),
        (" ** power", " * power", "You multiply by the power"),
        ("** power", "** (1 / power)", "the root and not the power"),
        ("i / n", "(i + 1) / n", "One step ahead"),
        ("i / n", "i / (n - 1)", "divide by n − 1"),
        ("1 - i / n", "i / n", "grows from 0 to 1"),
        ("i / n", "i // n", "whole numbers"),
        ("1 - i / n", "n - i", "how many steps are left"),
    ],
    "sgd_step": [
        ("v = momentum * v + g\n    return w - rate * v", "v = momentum * v - rate * g\n    return w + v", "as in Caffe"),
        ("w - rate * v, v", "w + rate * v, v", "uphill"),
        ("decay * w", "decay * v", "pulls at v"),
        ("g = g + decay * w\n", "pass\n", "The decay is left out"),
        ("g + decay * w", "g - decay * w", "wrong sign"),
        ("momentum * v + g", "g", "The momentum is left out"),
        ("momentum * v + g", "v + g", "All of the old v is kept"),
        ("momentum * v + g", "momentum * v + (1 - momentum) * g", "You average"),
        ("w - rate * v, v", "w - rate * (g + momentum * v), v", "Nesterov"),
        ("w - rate * v, v", "v, w - rate * v", "exchanged"),
        ("w - rate * v, v", "w - rate * v, (v - g) / momentum", "the old one"),
    ],
    "adam_step": [
        ("/ (1 - 0.9**t), v / (1 - 0.999**t)", ", v", "Neither average is corrected"),
        ("v / (1 - 0.999**t)", "v", "Only m is corrected"),
        ("m / (1 - 0.9**t)", "m", "Only v is corrected"),
        ("1e-8), m, v", "1e-8), mean, square", "the corrected averages"),
        ("**t", "**(t + 1)", "one more step"),
        ("(np.sqrt(square) + 1e-8)", "np.sqrt(square + 1e-8)", "under the root"),
        ("g * g", "g", "the gradients themselves"),
        ("g * g", "m * m", "the squares of m"),
        ("np.sqrt(square)", "square", "The root is missing"),
        ("0.1 * g\n    v = 0.999 * v + 0.001 * g", "g\n    v = 0.999 * v + g", "The new gradient goes in whole"),
        ("rate * mean", "rate * g", "by the gradient itself"),
        ("w - rate", "w + rate", "uphill"),
    ],
}  # fmt: skip
