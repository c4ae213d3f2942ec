"""Lesson 02 as students answer it: wrong in ways that no exercise lists, and right in unusual ones."""

from __future__ import annotations

from support.students import written

_LOOPS = """
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    N, C, H, W = x.shape
    O, C, KH, KW = weight.shape
    OH, OW = (H - KH) // stride + 1, (W - KW) // stride + 1
    y = np.zeros((N, O, OH, OW))
    for n in range(N):
        for o in range(O):
            for oh in range(OH):
                for ow in range(OW):
                    window = x[n, :, oh * stride : oh * stride + KH, ow * stride : ow * stride + KW]
                    y[n, o, oh, ow] = np.sum(window * weight[o]) + bias[o]
    return y
"""


def _slip(old: str, new: str, body: str = _LOOPS) -> str:
    assert old in body, old
    return body.replace(old, new)


_GAPS = """
    KH, KW = kernel.shape
    OH, OW = x.shape[0] - dilation * (KH - 1), x.shape[1] - dilation * (KW - 1)
    y = np.zeros((OH, OW))
    for oh in range(OH):
        for ow in range(OW):
            for kh in range(KH):
                for kw in range(KW):
                    y[oh, ow] += x[oh + kh * dilation, ow + kw * dilation] * kernel[kh, kw]
    return y
"""

WRONG = {
    "one_window": written(
        "one_window(x, kernel, row, column)",
        "return np.sum(x[row : row + 3, column : column + 3] * kernel)",
        "return np.sum(x[row : kernel.shape[0], column : kernel.shape[1]] * kernel)",
        "return np.sum(x[row : row + kernel.shape[0] + 1, column : column + kernel.shape[1] + 1]) * kernel.sum()",
        "return x[row, column] * kernel.sum()",
        "return np.sum(x[row : row + kernel.shape[0], column : column + kernel.shape[1]] + kernel)",
        "return np.sum(x[row : row + kernel.shape[0], column : column + kernel.shape[1]] * kernel[::-1])",
        "return np.max(x[row : row + kernel.shape[0], column : column + kernel.shape[1]] * kernel)",
        "return np.sum(x[row : row + kernel.shape[0], column : column + kernel.shape[1]] * kernel, axis=0)",
        "return abs(np.sum(x[row : row + kernel.shape[0], column : column + kernel.shape[1]] * kernel))",
        """
        total = 0
        for kh in range(kernel.shape[0]):
            for kw in range(kernel.shape[1]):
                total = x[row + kh, column + kw] * kernel[kh, kw]
        return total
        """,
    ),
    "output_size": written(
        "output_size(H, K, S, P)",
        "return (H - K) // S + 2 * P + 1",
        "return (H + 2 * P) // S - K + 1",
        "return (H + 2 * P - K) // S + S",
        "return (H + 2 * P - K + 2) // S",
        "return H // S",
        "return round((H + 2 * P - K) / S) + 2",
        "return H + 2 * P - K // S + 1",
        "return (H - 2 * P - K) // S + 1",
        "return (H + 2 * P - (K - 1) // 2) // S + 1",
        "return max(1, (H - K) // S + 1 + P)",
        "return ((H + 2 * P - K) // S + 1) ** 2",
    ),
    "conv2d": written(
        "conv2d(x, weight, bias, stride, padding)",
        _slip("np.sum(window * weight[o])", "np.sum(window * weight[o][:, ::-1])"),
        _slip("np.sum(window * weight[o])", "np.sum(window * weight[o][::-1])"),
        _slip("+ bias[o]", "- bias[o]"),
        _slip("+ bias[o]", "+ bias[0]"),
        _slip("np.sum(window * weight[o]) + bias[o]", "max(0, np.sum(window * weight[o]) + bias[o])"),
        _slip("for ow in range(OW)", "for ow in range(OH)"),
        _slip("oh * stride : oh * stride + KH, ow * stride : ow * stride + KW",
              "ow * stride : ow * stride + KH, oh * stride : oh * stride + KW"),
        _slip("for o in range(O)", "for o in range(1, O)"),
        _slip("for n in range(N)", "for n in range(1)"),
        _slip("(W - KW) // stride + 1", "(W - KW) // stride"),
        _slip("(padding, padding), (padding, padding)", "(padding, padding), (0, 0)"),
        _slip("(padding, padding))", "(padding, padding)), constant_values=1"),
        _slip("    return y\n", "    return y[0]\n"),
        _slip("    return y\n", "    return y, x\n"),
        _slip("(padding, padding))", "(padding, padding)), mode='reflect' if padding else 'constant'"),
        _slip("y = np.zeros((N, O, OH, OW))", "y = np.zeros((N, O, OW, OH))"),
        _slip("y = np.zeros((N, O, OH, OW))", "y = np.zeros((N, O, OH, OW), int)"),
        _slip("    x = np.pad", "    weight = weight.transpose(0, 1, 3, 2)[:, :, ::-1]\n    x = np.pad"),
    ),
    "dilated": written(
        "dilated(x, kernel, dilation)",
        _slip("kh * dilation, ow + kw * dilation", "kh + dilation - 1, ow + kw + dilation - 1", _GAPS),
        _slip("x[oh + kh * dilation, ow + kw * dilation]", "x[oh * dilation + kh, ow + kw * dilation]", _GAPS),
        _slip("x.shape[0] - dilation * (KH - 1), x.shape[1] - dilation * (KW - 1)",
              "x.shape[0] - dilation * KH, x.shape[1] - dilation * KW", _GAPS),
        _slip("x.shape[0] - dilation * (KH - 1), x.shape[1] - dilation * (KW - 1)",
              "x.shape[0] - dilation * KH + 1, x.shape[1] - dilation * KW + 1", _GAPS),
        _slip("y[oh, ow] +=", "y[oh, ow] =", _GAPS),
        _slip("* kernel[kh, kw]", "* kernel[kh, kw] / kernel.size", _GAPS),
        _slip("* kernel[kh, kw]", "* kernel[kh, 0]", _GAPS),
        _slip("* kernel[kh, kw]", "* kernel[KH - 1 - kh, kw]", _GAPS),
    ),
}  # fmt: skip

RIGHT = {
    "one_window": written(
        "one_window(x, kernel, row, column)",
        "return float(np.vdot(x[row:, column:][: len(kernel), : len(kernel[0])], kernel))",
        "return sum(x[row + h, column + w] * k for (h, w), k in np.ndenumerate(kernel))",
        "KH, KW = kernel.shape\nreturn np.einsum('hw,hw', x[row : row + KH, column : column + KW], kernel)",
    ),
    "output_size": written(
        "output_size(H, K, S, P)",
        "return len(range(-P, H + P - K + 1, S))",
        "count = 0\ntop = -P\nwhile top + K <= H + P:\n    count += 1\n    top += S\nreturn count",
        "return float(np.floor((H + 2 * P - K) / S)) + 1.0",
    ),
    "conv2d": written(
        "conv2d(x, weight, bias, stride, padding)",
        """
        x = np.pad(x, [(0, 0), (0, 0)] + 2 * [(padding, padding)])
        windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], (2, 3))[:, :, ::stride, ::stride]
        return np.tensordot(windows, weight, ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2) + bias[:, None, None]
        """,
        """
        p, (KH, KW) = padding, weight.shape[2:]
        H, W = x.shape[2] + 2 * p, x.shape[3] + 2 * p
        big = np.zeros((*x.shape[:2], H, W), np.float32)
        big[:, :, p : H - p, p : W - p] = x
        y = 0
        for kh in range(KH):
            for kw in range(KW):
                part = big[:, :, kh : H - KH + kh + 1 : stride, kw : W - KW + kw + 1 : stride]
                y = y + np.einsum("nchw,oc->nohw", part, weight[:, :, kh, kw])
        return y + bias.reshape(1, -1, 1, 1)
        """,
        """
        def pixel(n, c, h, w):
            inside = 0 <= h < x.shape[2] and 0 <= w < x.shape[3]
            return x[n, c, h, w] if inside else 0.0
        O, C, KH, KW = weight.shape
        OH, OW = ((s + 2 * padding - k) // stride + 1 for s, k in zip(x.shape[2:], (KH, KW)))
        return [[[[bias[o] + sum(weight[o, c, i, j] * pixel(n, c, h * stride + i - padding, w * stride + j - padding)
                                 for c in range(C) for i in range(KH) for j in range(KW))
                   for w in range(OW)] for h in range(OH)] for o in range(O)] for n in range(len(x))]
        """,
    ),
    "dilated": written(
        "dilated(x, kernel, dilation)",
        """
        big = np.zeros([dilation * (n - 1) + 1 for n in kernel.shape])
        big[::dilation, ::dilation] = kernel
        windows = np.lib.stride_tricks.sliding_window_view(x, big.shape)
        return (windows * big).sum((2, 3))
        """,
        """
        OH, OW = (n - dilation * (k - 1) for n, k in zip(x.shape, kernel.shape))
        return sum(k * x[h * dilation :, w * dilation :][:OH, :OW] for (h, w), k in np.ndenumerate(kernel))
        """,
        """
        KH, KW = kernel.shape
        return [[(x[h : h + dilation * KH : dilation, w : w + dilation * KW : dilation][:KH, :KW] * kernel).sum()
                 for w in range(x.shape[1] - dilation * (KW - 1))] for h in range(x.shape[0] - dilation * (KH - 1))]
        """,
    ),
}
