"""Lesson 18: each claim, the text of the script that it stands on, and a replacement under which it must fail."""

from __future__ import annotations

CLAIMS = [
    ("the healthy one is healthy", "healthy = patient({})", 'healthy = patient(ILLNESSES["crop off by two"].parts)'),
    ("its chart is the kept one", "chart(0).losses, rtol=1e-3)\n\n# %% drawing", "chart(1).losses, rtol=1e-3)\n\n# %% drawing"),
    ("ten patients", "{number: chart(number) for number in PATIENTS}", "{number: chart(number) for number in range(1, 10)}"),
    ("patient 5 blew up",
     "assert charts[5].losses[0] > 30_000",
     "charts[5], charts[7] = charts[7], charts[5]\nassert charts[5].losses[0] > 30_000"),
    ("patient 2 lost half of its loss",
     "1 - charts[2].last_loss / charts[2].losses[0]", "1 - charts[7].last_loss / charts[7].losses[0]"),
    ("four were trained well", "for number in (3, 4, 6, 8):", "for number in (3, 4, 6, 9):"),
    ("patient 3 alone",
     'print(f"in batches {charts[3].mean_iu:.2f}', 'charts[3] = charts[6]\nprint(f"in batches {charts[3].mean_iu:.2f}'),
    ("patient 9 has phantoms", "> 10 * healthy.phantoms", "> 1000 * healthy.phantoms"),
    ("patient 1 would have passed", "healthy.outlines - 0.08", "healthy.outlines - 0.3"),
    ("150 contradictions", "if name != PATIENTS[number]\n", "if name != PATIENTS[10]\n"),
    ("a crop heals", "(scores.shape[2] - H) // 2, (scores", "(scores.shape[2] - H) // 2 + 2, (scores"),
    ("a rate heals", "return lr / (labels != 255).sum()", "return lr / 4"),
    ("untrained is background", "untrained = SmallFCN()", "untrained = SmallFCN()\nuntrained.score4.bias.data[2] = 1"),
    ("six would be found", '{"rate", "first_weights", "loss", "forget_gradients"}', '{"rate", "first_weights", "loss"}'),
]  # fmt: skip
