"""Lesson 05: for each claim a change of the script that makes it false, (claim, text, replacement)."""

from __future__ import annotations

CLAIMS = [
    ("picture 12 shows the forger", "for d in (answer, answer[..., ::-1, ::-1])", "for d in (answer, answer)"),
    ("picture 12 with ones does not", "ones = np.ones_like(answer)", "ones = answer"),
    ("both sides are better", "(np.sin(1 + h) - np.sin(1 - h)) / (2 * h)", "(np.sin(1 + h) - np.sin(1)) / h"),
    ("one-sided is best at 1e-8", "(np.sin(1 + h) - np.sin(1)) / h", "(np.sin(1 + h) - np.sin(1 - h)) / (2 * h)"),
    ("the V of both sides is deeper", "(above - below) / (2 * h)", "(above - here) / h"),
    ("float32 is too coarse", "one = np.float32(1)", "one = np.float64(1)"),
    ("ones do not see a flipped dy", "random_dy = np.ones((1, 1, 2, 3))", "random_dy = np.arange(6.0).reshape(1, 1, 2, 3)"),
    ("a random dy does", "np.array([[1.0, -2, 3], [0, 2, -1]])", "np.array([[1.0, -2, 3], [3, -2, 1.0]])"),
    ("batch norm's dx is 0 for ones", "normalise_backward(np.ones(SHAPE), x)", "normalise_backward(x**2, x)"),
    ("the same seed gives dy = x", "again = np.random.default_rng(0)", "again = np.random.default_rng(1)"),
    (
        "one probe of 400 misses",
        "convolve_backward(dy, x) != one_wrong(dy, x)",
        "convolve_backward(dy, x) != forgeries.dy_flipped(dy, x)",
    ),
    ("a direction tells a right dx", "told = (convolve_backward(dy, x)", "told = (forgeries.dy_flipped(dy, x)"),
    ("a direction sees one element", "told_by_forger = (one_wrong(dy, x)", "told_by_forger = (convolve_backward(dy, x)"),
    ("0.001 lets minus dx go", "small_dy = dy / 187_500", "small_dy = dy / 100"),
    ("the corner gives 0.505", "near, h = 1e-7, 1e-5", "near, h = 1e-3, 1e-5"),
    ("a tie is measured as a half", "window = np.array([[2.0, 2]", "window = np.array([[2.0, 1.9]"),
    ("the library speaks of kinks", "(F.max_pool2d, window, kernel", "(F.max_pool2d, window + [0, 1.0], kernel"),
    ("all ones let two go", "dy = np.ones_like(forward(x))", "dy = np.cos(forward(x))"),
    ("a fixed tolerance lets all go", "forward(x).shape) / 187_500", "forward(x).shape)"),
    ("ours lets none go", "return passes(forward, backward, x, seed=5)", "return True"),
    ("square columns are symmetric", "windows_as_columns(rng.normal(size=(3, 3)), 2, 2)", "rng.normal(size=(4, 4))"),
    ("6 by 6 columns are not", "(row @ columns * dy6)", "(row @ columns.T * dy6)"),
    ("the library names a mistake", "x, backward=forger)", "x, backward=convolve_backward)"),
    ("corner pooling trains as well", "(np.zeros_like(switches), windows)", "(np.full_like(switches, 9), windows)"),
    ("a check sees corner pooling", "layer = CornerPool(2", "layer = MaxPool2d(2"),
    (
        "a check does not see forward",
        "lambda dy, cache: F.conv2d_backward(dy, cache)",
        "lambda dy, cache: -F.conv2d_backward(dy, cache)",
    ),
    ("a forward must repeat itself", "(rng.random(x.shape) < 0.5)", "(0.4 < 0.5)"),
    ("no direction of 1000 misses", "e = convolve_backward(dy, x) - one_wrong(dy, x)", "e = 0 * x"),
]
