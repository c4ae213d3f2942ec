"""Lesson 03: each claim, the text of the script that it stands on, and a replacement under which it must fail."""

from __future__ import annotations

CLAIMS = [
    ("a row times the matrix is a convolution", "edges = upright.ravel() @ matrix", "edges = upright.T.ravel() @ matrix"),
    ("the definition is the library's", "* weight[o, c, kh, kw]", "* weight[o, c, kw, kh]"),
    ("so many multiplications", "rng.normal(size=(8, 8, 3, 3))", "rng.normal(size=(7, 8, 3, 3))"),
    ("they would take so little", "ideal = count / 10e9", "ideal = count / 10e6"),
    ("a window at a time is the same", "oh : oh + KH, ow : ow + KW] * weight[o])", "oh : oh + KH, ow : ow + KW] + weight[o])"),
    ("a kernel cell at a time is the same", "shifted = x[:, :, kh : kh + OH", "shifted = x[:, :, 0:OH"),
    ("the X has 441 numbers in columns", "letter_x = -np.ones((9, 9))", "letter_x = -np.ones((10, 10))"),
    ("the response is lesson 02's", "stroke = np.array([[1.0, -1, -1]", "stroke = np.array([[-1.0, -1, -1]"),
    ("one product is the same", "y = weight.reshape(O, C * KH * KW) @", "y = weight[..., ::-1].reshape(O, C * KH * KW) @"),
    ("B is the ladder", '"B": (274, 22', '"B": (274, 23'),
    ("a window saves 72 questions", '"windows": right.size, "taps"', '"windows": count, "taps"'),
    ("a reshape is no transposition", "flat @ np.ascontiguousarray(tall).reshape(1, 72, 1024)", "turned_around"),
    ("the dense matrix is mostly zeros", "dense[row, 9 * (oh + kh) + ow + kw] = stroke", "dense[row] = stroke"),
    ("so many bytes", "return C * 9 * (H", "return C * 3 * (H"),
    ("strips are the same", "= as_matrices(part, weight)", "= as_matrices(part, -weight)"),
    ("im2col's memory grows with the picture", "sides = 256, 512", "sides = 256, 256"),
    ("that of strips does not", "submit(convolve, name)", 'submit(convolve, "im2col")'),
    ("Winograd's products", "m4 = (d[1] - d[3]) * g[2]\n", "m4 = (d[1] + d[3]) * g[2]\n"),
    ("without the half it is wrong", "g[2]), (d[2] - d[1]) *", "g[2]) / 2, (d[2] - d[1]) / 2 *"),
    ("and luckily right", "lucky = np.array([5.0, 0, 0, -2])", "lucky = np.array([5.0, 1, 0, -2])"),
    ("2.25 and 4 times fewer", "m * m * 9 / (m + 2) ** 2", "m * 9 / (m + 2) ** 2"),
    ("Winograd loses digits", "errors[name] = np.abs(y32 - right).max()", "errors[name] = np.abs(y32).min()"),
    ("windows of a view overlap", "(2, 2), writeable=True)", "(2, 2)).copy()"),
    ("only the slices change", "strided_columns(x, 3, 3, 2))", "strided_columns(x[..., ::-1], 3, 3, 2))"),
    ("the page's product", "page_kernel = np.array([[1.0, 0], [-1, 2]])", "page_kernel = np.array([[1.0, 0], [2, -1]])"),
]  # fmt: skip
