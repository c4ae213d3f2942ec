"""Lesson 16: each claim, the text of the script that it stands on, and a replacement under which it must fail."""

from __future__ import annotations

CLAIMS = [
    ("so many weights", "def __init__(self, channels=(16, 32, 64)):", "def __init__(self, channels=(16, 32, 65)):"),
    ("a concatenation is cut apart", "y = cat(a, b)", "y = cat(b, a)"),
    ("both uses count", "uses = (x_ + w_ * x_, w_ * x_)", "uses = (x_ + w_ * x_, x_)"),
    ("a real layer, too", "conv.backward(dsum)  # the first", "dsum  # the first"),
    ("the last use alone is wrong", "conv.backward(dh)\nlast_only", "conv.backward(conv.backward(dh))\nlast_only"),
    ("they train alike", 'shared=name == "shared"))\n', 'shared=name == "shared", channels=(12, 24, 42 + len(name) // 8)))\n'),
    ("one shared memory falls farther", "if shared and isinstance", "if not shared and isinstance"),
    ("what rates touch", "padding=rate, dilation=rate)\n    return x[0, 0]", "padding=1, dilation=1)\n    return x[0, 0]"),
    ("taps inside", "taps = 4 + rate * np.array([-1, 0, 1])", "taps = 1 + rate * np.array([-1, 0, 1])"),
    ("the FCN wins from zero", "STEPS = 40", "STEPS = 8"),
    ("the U learns nothing", "self.score = score_layer(c1, 5)", "self.score = Conv2d(c1, 5, 1, rng=rng)"),
    ("and all with random scores", "u = draw_scores(SmallU())", "u = SmallU()"),
    ("no gradient through zero", '(("zero", SmallU()),', '(("zero", draw_scores(SmallU())),'),
    ("picture 12", "x12 = scaled(image12[None, :88:2, ::2])", "x12 = -scaled(image12[None, :88:2, ::2])"),
    ("to the last weight", 'models.build("unet", num_classes=21)', 'models.build("unet", num_classes=20)'),
    ("recurrent ones, too", 'models.build("r2unet", num_classes=21, steps=2)', 'models.build("unet", num_classes=21)'),
    ("the table line by line", "C * O * 2 * 2 + O)]", "C * O * 2 * 2)]"),
    ("its total", "32 * 21 + 21)]", "32 * 21)]"),
    ("far taps see padding", "padding=rate, dilation=rate)\n    useful", "padding=rate // 2 * 0, dilation=1)\n    useful"),
    ("three times the weights", "for _ in range(3)])\nkept", "for _ in range(2)])\nkept"),
]  # fmt: skip
