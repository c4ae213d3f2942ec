"""Lesson 10: for each claim a change of the script that makes it false, (claim, text, replacement)."""

from __future__ import annotations

CLAIMS = [
    ("five poolings leave 3 by 4", "for _ in range(5):\n    stages", "for _ in range(4):\n    stages"),
    ("nearest repeats", 'scale_factor=2, mode="nearest")\nsmooth', 'scale_factor=2, mode="bilinear")\nsmooth'),
    ("stamps are the deconvolution", "2 * w : 2 * w + 3] += x[h, w] * weight", "2 * w : 2 * w + 3] += x[h, w] * weight[::-1]"),
    (
        "the middle is 4",
        "weight = np.array([[1.0, 0, -1], [2, 1, 0], [0, 1, 3]])",
        "weight = np.array([[1.0, 0, -1], [2, 1, 0], [0, 1, 2]])",
    ),
    ("stamps that overwrite leave seams", "2 * w : 2 * w + 3] = x[h, w] * weight", "2 * w : 2 * w + 3] += x[h, w] * weight"),
    (
        "zeros, then a convolution",
        "weight[None, None, ::-1, ::-1])\nassert np.allclose(by_hand",
        "weight[None, None])\nassert np.allclose(by_hand",
    ),
    ("stride 1", "y1 = deconvolve(x, weight)", "y1 = deconvolve(x, weight[::-1, ::-1])"),
    (
        "padding cuts",
        "y_padded = deconvolve(x3, weight, stride=2, padding=1)",
        "y_padded = deconvolve(x3, weight, stride=2, padding=1)[::-1]",
    ),
    ("5 and 6 rows become 3", "for height in (5, 6):", "for height in (5, 7):"),
    (
        "output_padding cuts less",
        "padding=1, output_padding=1)\nprint",
        "padding=1, output_padding=1) * (np.arange(6) < 5)\nprint",
    ),
    ("the size", "OH = (H - 1) * S + K - 2 * P + extra", "OH = (H - 1) * S + K - 2 * P + 2 * extra"),
    ("twice the stride, half the stride", "stride=S, padding=S // 2)", "stride=S, padding=S // 2 - 1)"),
    ("a convolution is a matrix", "numbers[None, None])[0].reshape(12, 6).T", "numbers[None, None, ::-1])[0].reshape(12, 6).T"),
    ("its transpose is the deconvolution", "through_matrix = (M.T @ six", "through_matrix = (np.linalg.pinv(M) @ six"),
    ("it does not undo", "there_and_back = (M.T @ M", "there_and_back = (np.eye(12)"),
    ("the pair test accepts", "worst = max(relative(F.conv_transpose2d", "worst = max(relative(not_turned"),
    ("the pair test rejects", "least = min(relative(not_turned", "least = min(relative(F.conv_transpose2d"),
    (
        "deconvolution is backward",
        "dx, _, _ = F.conv2d_backward(x[None, None], cache)",
        "dx, _, _ = F.conv2d_backward(x[None, None, ::-1], cache)",
    ),
    (
        "1, 2 and 4 stamps",
        "three = vis.overlap_counts((4, 5), kernel_size=3",
        "three = vis.overlap_counts((4, 5), kernel_size=4",
    ),
    ("even counts need a multiple", "inside = counts[K:-K, K:-K]", "inside = counts[1:-1, 1:-1]"),
    (
        "even counts are not enough",
        "random_kernel = np.random.default_rng(0).normal(size=(4, 4))",
        "random_kernel = np.full((4, 4), -0.3)",
    ),
    (
        "resize, then convolve is flat",
        "F.conv2d(repeated, random_kernel[None, None])",
        "F.conv2d(repeated, random_kernel[None, None], padding=1)",
    ),
    (
        "the tent's phases are equal",
        "tent = bilinear(1, 4)[0, 0].astype(float)",
        "tent = bilinear(1, 4)[0, 0].astype(float) ** 2",
    ),
    (
        "it interpolates",
        'scale_factor=2, mode="bilinear")[0][0, 0]\nenlarged',
        'scale_factor=2, mode="nearest")[0][0, 0]\nenlarged',
    ),
    ("3 by 3 prints a board", "ones3 = np.full((3, 3), 4 / 9)", "ones3 = np.full((3, 3), 3 / 9)"),
    ("it learns", "losses = learn(layer, halves, waves, rate=0.2)", "losses = learn(layer, halves, waves, rate=0.0)"),
    ("it learns on masks", "others, rate=5.0)", "others, rate=0.0)"),
    ("1023 of 1024", "wide[::32, ::32] = 1", "wide[::16, ::32] = 1"),
    ("a phase is a small convolution", "small_kernel = weight[0::2, 0::2]", "small_kernel = weight[:2, :2]"),
    ("four roads", 'roads["transposed matrix"] = (M.T @ b.ravel())', 'roads["transposed matrix"] = (M.T @ b[::-1].ravel())'),
    ("409 billion against 146", "with_zeros = 416 * 544 * 21 * 21 * 64 * 64", "with_zeros = 12 * 16 * 21 * 21 * 64 * 64"),
    ("stride 1 is a convolution", "weight[None, None, ::-1, ::-1], padding=2)", "weight[None, None], padding=2)"),
    ("kernel 2, stride 2 are tiles", "tiles = deconvolve(x, numbers, stride=2)", "tiles = deconvolve(x, numbers.T, stride=2)"),
]
