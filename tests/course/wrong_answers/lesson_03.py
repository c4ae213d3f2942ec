"""Lesson 03 as students answer it: wrong in ways that no exercise lists, and right in unusual ones."""

from __future__ import annotations

from support.students import written

_WINOGRAD = """
    m1 = (d[0] - d[2]) * g[0]
    m2 = (d[1] + d[2]) * (g[0] + g[1] + g[2]) / 2
    m3 = (d[2] - d[1]) * (g[0] - g[1] + g[2]) / 2
    m4 = (d[1] - d[3]) * g[2]
    return np.array([m1 + m2 + m3, m2 - m3 - m4])
"""

_COLUMNS = """
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    N, C, H, W = x.shape
    OH, OW = (H - KH) // stride + 1, (W - KW) // stride + 1
    columns = np.zeros((N, C * KH * KW, OH * OW))
    for c in range(C):
        for kh in range(KH):
            for kw in range(KW):
                for oh in range(OH):
                    for ow in range(OW):
                        pixel = x[:, c, oh * stride + kh, ow * stride + kw]
                        columns[:, (c * KH + kh) * KW + kw, oh * OW + ow] = pixel
    return columns
"""

_MATRIX = """
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    N, C, H, W = x.shape
    O, C, KH, KW = weight.shape
    OH, OW = (H - KH) // stride + 1, (W - KW) // stride + 1
    columns = np.empty((N, C, KH, KW, OH, OW))
    for kh in range(KH):
        for kw in range(KW):
            columns[:, :, kh, kw] = x[:, :, kh : kh + stride * OH : stride, kw : kw + stride * OW : stride][:, :, :OH, :OW]
    y = weight.reshape(O, -1) @ columns.reshape(N, C * KH * KW, OH * OW) + bias[:, None]
    return y.reshape(N, O, OH, OW)
"""


def _slip(body: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in body, old
        body = body.replace(old, new)
    return body


WRONG = {
    "winograd_1d": written(
        "winograd_1d(d, g)",
        _slip(_WINOGRAD, ("d[0] - d[2]", "d[0] + d[2]")),
        _slip(_WINOGRAD, ("d[1] - d[3]", "d[3] - d[1]"), ("m2 - m3 - m4", "m2 - m3 - m4")),
        _slip(_WINOGRAD, ("m1 + m2 + m3", "m1 + m2 - m3")),
        _slip(_WINOGRAD, ("m1 + m2 + m3", "m2 + m3")),
        _slip(_WINOGRAD, ("m2 - m3 - m4", "m2 - m3")),
        _slip(_WINOGRAD, ("return np.array([m1 + m2 + m3, m2 - m3 - m4])", "return np.array([m1, m2, m3, m4])")),
        _slip(_WINOGRAD, ("np.array([m1 + m2 + m3, m2 - m3 - m4])", "m1 + m2 + m3 + m2 - m3 - m4")),
        _slip(_WINOGRAD, ("g[0] - g[1] + g[2]", "g[0] + g[1] - g[2]")),
        _slip(_WINOGRAD, ("np.array([m1 + m2 + m3, m2 - m3 - m4])", "-np.array([m1 + m2 + m3, m2 - m3 - m4])")),
        "return np.convolve(d, g)",
        "return d[:2] * g[:2]",
    ),
    "im2col": written(
        "im2col(x, KH, KW, stride, padding)",
        _slip(_COLUMNS, ("oh * stride + kh, ow * stride + kw", "oh + kh, ow + kw")),
        _slip(_COLUMNS, ("oh * stride + kh, ow * stride + kw", "oh + kh * stride, ow + kw * stride"), ("= pixel", "= pixel")),
        _slip(_COLUMNS, ("(padding, padding), (padding, padding)))", "(0, 2 * padding), (0, 2 * padding)))")),
        _slip(_COLUMNS, ("x[:, c, ", "x[:, 0, ")),
        _slip(_COLUMNS, ("(c * KH + kh) * KW + kw", "(c * KH + kh) * KW")),
        _slip(_COLUMNS, ("return columns", "return columns[0]")),
        _slip(_COLUMNS, ("return columns", "return columns.reshape(N, C, KH * KW, OH * OW)")),
        _slip(_COLUMNS, ("return columns", "return columns[:, ::-1]")),
        _slip(_COLUMNS, ("return columns", "return columns[:, :, ::-1]")),
        _slip(_COLUMNS, ("return columns", "return columns.sum(axis=1)")),
        _slip(_COLUMNS, ("return columns", "return columns / (KH * KW)")),
        _slip(_COLUMNS, ("return columns", "return columns.transpose(1, 0, 2)")),
        _slip(_COLUMNS, ("// stride + 1, (W", "// stride, (W")),
    ),
    "conv2d_matrix": written(
        "conv2d_matrix(x, weight, bias, stride, padding)",
        _slip(_MATRIX, ("+ bias[:, None]", "- bias[:, None]")),
        _slip(_MATRIX, ("+ bias[:, None]", "+ bias[0]")),
        _slip(_MATRIX, ("+ bias[:, None]", "+ bias.sum()")),
        _slip(_MATRIX, ("weight.reshape(O, -1)", "weight.transpose(0, 1, 3, 2).reshape(O, -1)")),
        _slip(_MATRIX, ("weight.reshape(O, -1)", "weight.transpose(0, 2, 3, 1).reshape(O, -1)")),
        _slip(_MATRIX, ("weight.reshape(O, -1)", "weight[::-1].reshape(O, -1)")),
        _slip(_MATRIX, ("weight.reshape(O, -1)", "weight[:, ::-1].reshape(O, -1)")),
        _slip(_MATRIX, ("return y.reshape(N, O, OH, OW)", "return np.maximum(y.reshape(N, O, OH, OW), 0)")),
        _slip(_MATRIX, ("return y.reshape(N, O, OH, OW)", "return y.reshape(N, O, OH, OW)[0]")),
        _slip(_MATRIX, ("return y.reshape(N, O, OH, OW)", "return y.reshape(N, O, OH, OW).transpose(0, 1, 3, 2)")),
        _slip(_MATRIX, ("return y.reshape(N, O, OH, OW)", "return y.reshape(N, O, OH, OW) / (C * KH * KW)")),
        _slip(_MATRIX, ("(padding, padding)))", "(padding, padding)), constant_values=1)")),
        _slip(_MATRIX, ("(padding, padding), (padding, padding)))", "(2 * padding, 0), (2 * padding, 0)))")),
    ),
}  # fmt: skip

RIGHT = {
    "winograd_1d": written(
        "winograd_1d(d, g)",
        _WINOGRAD,
        "return [d[0] * g[0] + d[1] * g[1] + d[2] * g[2], d[1] * g[0] + d[2] * g[1] + d[3] * g[2]]",
        """
        B = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
        G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
        A = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])
        return A @ ((G @ g) * (B @ d))
        """,
    ),
    "im2col": written(
        "im2col(x, KH, KW, stride, padding)",
        _COLUMNS,
        """
        x = np.pad(x, [(0, 0), (0, 0)] + 2 * [(padding, padding)])
        windows = np.lib.stride_tricks.sliding_window_view(x, (KH, KW), (2, 3))[:, :, ::stride, ::stride]
        N, C, OH, OW = windows.shape[:4]
        return np.moveaxis(windows, (2, 3), (4, 5)).reshape(N, C * KH * KW, OH * OW)
        """,
        """
        p = padding
        N, C, H, W = x.shape
        big = np.zeros((N, C, H + 2 * p, W + 2 * p), np.float32)
        big[:, :, p : p + H, p : p + W] = x
        corners = [(t, l) for t in range(0, H + 2 * p - KH + 1, stride) for l in range(0, W + 2 * p - KW + 1, stride)]
        return np.stack([big[:, :, t : t + KH, l : l + KW].reshape(N, -1) for t, l in corners], axis=2)
        """,
    ),
    "conv2d_matrix": written(
        "conv2d_matrix(x, weight, bias, stride, padding)",
        _MATRIX,
        """
        x = np.pad(x, [(0, 0), (0, 0)] + 2 * [(padding, padding)])
        windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], (2, 3))[:, :, ::stride, ::stride]
        N, C, OH, OW = windows.shape[:4]
        rows = windows.transpose(0, 2, 3, 1, 4, 5).reshape(N * OH * OW, -1)
        y = rows @ weight.reshape(len(weight), -1).T + bias
        return y.reshape(N, OH, OW, -1).transpose(0, 3, 1, 2)
        """,
        """
        x = np.pad(x, [(0, 0), (0, 0)] + 2 * [(padding, padding)])
        N, C, H, W = x.shape
        O, _, KH, KW = weight.shape
        OH, OW = (H - KH) // stride + 1, (W - KW) // stride + 1
        dense = np.zeros((O, OH, OW, C, H, W))
        for h in range(OH):
            for w in range(OW):
                dense[:, h, w, :, h * stride : h * stride + KH, w * stride : w * stride + KW] = weight
        y = x.reshape(N, -1) @ dense.reshape(O * OH * OW, -1).T
        return y.reshape(N, O, OH, OW) + bias.reshape(-1, 1, 1)
        """,
    ),
}  # fmt: skip
