"""Lesson 02: for each claim a change of the script that makes it false, (claim, text, replacement)."""

from __future__ import annotations

CLAIMS = [
    ("the X has 13 pixels of ink", "x[i, 8 - i] = 1  # the stroke", "x[i, 7 - i] = 1  # the stroke"),
    ("eight cells of nine agree", "window = x[0:3, 0:3]", "window = x[1:4, 1:4]"),
    ("one further is a perfect match", "    x[i, i] = 1  # the stroke that goes", "    x[i, i] = 2  # the stroke that goes"),
    ("all 49 numbers are the lecture's", "kernel[None, None] / 9)  # (1, 1, 7, 7)", "kernel[None, None] / 8)  # (1, 1, 7, 7)"),
    ("blank paper agrees with six", "blank = x[0:3, 3:6]", "blank = x[0:3, 4:7]"),
    ("paper of 0 has no vote", "ink_only = np.where(x == 1, 1.0, 0.0)", "ink_only = np.where(x == 1, 1.0, -0.5)"),
    ("light moves every number alike", "bright = F.conv2d((x + 2)", "bright = F.conv2d((x * 2)"),
    ("weights of sum 0 see no blank paper", "balanced = (kernel - kernel.mean())", "balanced = (kernel - kernel.max())"),
    ("seven places", "if top + 3 <= 9]", "if top + 3 <= 8]"),
    ("one too few loses the last row", "OH = OW = 9 - 3  #", "OH = OW = 9 - 2  #"),
    ("stride 2 begins at column 2", "ones[None, None], stride=2)", "ones[None, None], stride=(2, 1))"),
    ("padding keeps the size", "ones[None, None], padding=1)\nprint", "ones[None, None], padding=2)\nprint"),
    ("227, 55, 27, 13", "first = (227 - 11) // 4 + 1", "first = (227 - 11) // 4"),
    ("the formula for every size", "stride=(S, 1), padding=(P, 0))", "stride=(S, 1), padding=(0, 0))"),
    ("the lecture's −25", "sums = (corner * kernels_rgb)", "sums = (corner * kernels_rgb[:, ::-1])"),
    ("the library's −25", "np.array([bias]), padding=1)", "np.array([-bias]), padding=1)"),
    ("mirror images mirror their answers", "np.stack([kernel, kernel[:, ::-1]])", "np.stack([kernel, kernel[::-1, ::-1]])"),
    ("flat edges vanish", "standing = flat_edge.T", "standing = flat_edge"),
    (
        "the seven loops",
        "x[n, c, oh + kh, ow + kw] * weight[o, c, kh, kw]",
        "x[n, c, oh + kh, ow + kw] * weight[o, c, -kh, kw]",
    ),
    (
        "the library's own loops",
        "slow, _ = F.conv2d(many, filters, biases, stride=2",
        "slow, _ = F.conv2d(many, -filters, biases, stride=2",
    ),
    ("882 multiplications", "Geometry.of((1, 1, 9, 9), (2, 1, 3, 3))", "Geometry.of((1, 1, 9, 9), (2, 1, 3, 3), padding=1)"),
    ("correlation leaves a turned copy", "numbers[None, None, ::-1, ::-1])[0][0, 0]", "numbers[None, None, ::-1])[0][0, 0]"),
    ("the layer adds its bias", "layer.bias.data[:] = [0, 1]", "layer.bias.data[:] = [1, 0]"),
    ("a 1 at the right moves to the left", "same[1, 1] = left[1, 2] = 1", "same[1, 1] = left[1, 0] = 1"),
    (
        "nine ninths keep what is flat",
        "F.conv2d(np.full((1, 1, 5, 6), 0.3), ones[None, None] / 9)",
        "F.conv2d(np.full((1, 1, 5, 6), 0.3), ones[None, None])",
    ),
]
