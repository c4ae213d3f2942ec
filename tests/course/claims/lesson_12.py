"""Lesson 12: for each claim a change of the script that makes it false, (claim, text, replacement)."""

from __future__ import annotations

CLAIMS = [
    (
        "the expert is wrong less often",
        "beginner, expert = trained(20), trained(80)",
        "beginner, expert = trained(20), trained(21)",
    ),
    ("a hundred pixels", "[50, 3, 2], [4, 20, 1]", "[50, 3, 2], [4, 21, 1]"),
    (
        "rows are the truth",
        "counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)",
        "counts.sum(axis=0), counts.sum(axis=1), np.diag(counts)",
    ),
    ("mean IU divides by the union", "iu = right / (truth + called - right)", "iu = right / (truth + called)"),
    ("f.w. IU weights by the truth", "(truth * iu).sum() / truth.sum()", "(called * iu).sum() / called.sum()"),
    ("moved, thin, fat, with a hole", 'guesses["c"][1:9, 1:11] = True', 'guesses["c"][1:8, 2:10] = True'),
    ("the order turns over", "b[1, 30:] = 0", "b[1, 45:] = 0"),
    (
        "the liar's ten numbers",
        "predictions[start : start + size])\n        ius",
        "predictions[start : start + size] % 4)\n        ius",
    ),
    ("absent classes as 0", "np.nan_to_num(ius).mean()", "np.nan_to_num(ius, nan=1.0).mean()"),
    ("one batch is one table", "sizes = (1, 2, 4, 8, 40)", "sizes = (1, 2, 4, 8, 20)"),
    (
        "the beginner is flattered",
        'beginner_single = mean_of_batches(labels, answers["beginner"], 1',
        'beginner_single = mean_of_batches(labels, answers["beginner"], 8',
    ),
    (
        "one table does not depend on the batches",
        "chosen = order[start : start + size]",
        "chosen = order[start : start + size - 1]",
    ),
    ("void as background costs a fifth", "np.where(labels == VOID, 0, labels)", "labels"),
    ("Dice gives IU", "dice = 2 * both /", "dice = both /"),
    ("the mistakes are at the outlines", "band = near(labels == VOID, 2)", "band = near(labels == VOID, 1)"),
    ("what a point is worth", "point = 0.05 * stars", "point = 0.01 * stars"),
    ("three points, and less than one", '"FCN-16s": (90.0, 75.7, 62.4, 83.0)', '"FCN-16s": (90.3, 75.7, 62.9, 83.0)'),
    ("below the lazy predictor", "lazy_voc = 0.734 / 21", "lazy_voc = 0.0734 / 21"),
    (
        "a mean over pictures is something else",
        'print(f"J of a picture, averaged: {lies[\'left out\'][0]',
        'true = lies[\'left out\'][0]\nprint(f"J of a picture, averaged: {lies[\'left out\'][0]',
    ),
    ("road everywhere", "2_198_453_584, 8_333_798_400, 27", "2_198_453_584, 8_333_798_400, 26"),
    ("a fifth better", "assert abs(62.2 / 51.6 - 1.2) < 0.01", "assert abs(62.2 / 52.6 - 1.2) < 0.01"),
    ("quicker than 50 s", "seconds = time.perf_counter() - began", "seconds = time.perf_counter()"),
    ("f.w. IU is at most the accuracy", 'some["frequency_weighted_iu"] <= some', 'some["frequency_weighted_iu"] >= some'),
    ("three pixels cost a twentieth", "three[0, 0], three[0, 20] = 7, 3", "three[0, 0], three[0, 1] = 7, 3"),
]  # fmt: skip
