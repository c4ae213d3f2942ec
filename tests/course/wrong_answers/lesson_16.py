"""Lesson 16 as students answer it: wrong in ways that no exercise lists, and right in unusual ones."""

from __future__ import annotations

from support.students import written

_ATROUS = """
    KH, KW = weight.shape
    H = x.shape[0] - rate * (KH - 1)
    W = x.shape[1] - rate * (KW - 1)
    y = np.zeros((H, W))
    for i in range(H):
        for j in range(W):
            for a in range(KH):
                for b in range(KW):
                    y[i, j] += weight[a, b] * x[i + rate * a, j + rate * b]
    return y
"""

_FIELD = """
    seen = 1
    jump = 1
    for k, s, r in zip(kernels, strides, rates):
        seen += (k - 1) * r * jump
        jump *= s
    return seen
"""


def _slip(body: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in body, old
        body = body.replace(old, new)
    return body


WRONG = {
    "concat_backward": written(
        "concat_backward(dy, C1)",
        "return dy[:, :C1]",
        "return dy[:, :C1], dy[:, C1 + 1 :]",
        "return dy[:, : C1 + 1], dy[:, C1 + 1 :]",
        "return dy[..., :C1], dy[..., C1:]",
        "return dy[:, :C1] * 2, dy[:, C1:] * 2",
        "return np.split(dy, 2)",
        "return dy[:, :C1].sum(0), dy[:, C1:].sum(0)",
        "return dy[:, :C1], -dy[:, C1:]",
        "return dy[:, :C1], dy",
        "return dy[:, C1], dy[:, C1:]",
        "return dy[:, ::-1][:, :C1], dy[:, ::-1][:, C1:]",
        "return np.zeros_like(dy[:, :C1]), dy[:, C1:]",
    ),
    "recurrent_gradient": written(
        "recurrent_gradient(w, x)",
        "return x + w",
        "return 1 + 2 * w",
        "return 2 * x + 2 * w * x",
        "return x * (1 + w) ** 2",
        "return 2 * x + w * x",
        "return x - 2 * w * x",
        "return x + 2 * w",
        "return 2 * (x + 2 * w * x)",
        "return (x + 2 * w * x) / 2",
        "return x",
    ),
    "atrous": written(
        "atrous(x, weight, rate)",
        _slip(_ATROUS, ("i + rate * a, j + rate * b", "i + a * (rate > 1), j + b * (rate > 1)")),
        _slip(_ATROUS, ("i + rate * a, j + rate * b", "rate * a, rate * b")),
        _slip(_ATROUS, ("y[i, j] +=", "y[i, j] =")),
        _slip(_ATROUS, ("weight[a, b]", "weight[a, KW - 1 - b]")),
        _slip(_ATROUS, ("weight[a, b]", "weight[KH - 1 - a, b]")),
        _slip(_ATROUS, ("- rate * (KH - 1)", "- rate * KH"), ("- rate * (KW - 1)", "- rate * KW")),
        _slip(_ATROUS, ("return y", "return y.T")),
        _slip(_ATROUS, ("return y", "return y[::-1, ::-1]")),
        _slip(_ATROUS, ("return y", "return y * rate")),
        _slip(_ATROUS, ("return y", "return np.maximum(y, 0)")),
        _slip(_ATROUS, ("return y", "return y[None, None]")),
        _slip(_ATROUS, ("i + rate * a", "i + (rate - 1) * a")),
        _slip(_ATROUS, ("for a in range(KH)", "for a in range(1, KH)")),
    ),
    "field": written(
        "field(kernels, strides, rates)",
        _slip(_FIELD, ("seen = 1", "seen = 3")),
        _slip(_FIELD, ("(k - 1) * r * jump", "((k - 1) * r + 1) * jump")),
        _slip(_FIELD, ("(k - 1) * r * jump", "(k + (k - 1) * r) * jump")),
        _slip(_FIELD, ("(k - 1) * r * jump", "(k // 2) * r * jump")),
        _slip(_FIELD, ("(k - 1) * r * jump", "(k - 1 + r) * jump")),
        _slip(_FIELD, ("(k - 1) * r * jump", "(k - 1) * r / jump")),
        _slip(_FIELD, ("jump *= s", "jump = s")),
        _slip(_FIELD, ("jump *= s", "jump *= 2")),
        _slip(_FIELD, ("return seen", "return seen - 1")),
        _slip(_FIELD, ("return seen", "return seen**2")),
        _slip(_FIELD, ("return seen", "return jump")),
        _slip(_FIELD, ("return seen", "return seen * jump")),
        "return sum(kernels)",
        "return max(kernels)",
    ),
}  # fmt: skip

RIGHT = {
    "concat_backward": written(
        "concat_backward(dy, C1)",
        "return dy[:, :C1], dy[:, C1:]",
        "return np.split(dy, [C1], axis=1)",
        "first = np.take(dy, range(C1), 1)\nreturn first.copy(), np.delete(dy, range(C1), 1)",
    ),
    "recurrent_gradient": written(
        "recurrent_gradient(w, x)",
        "return x + 2 * w * x",
        "h0 = w * x\nsecond = x + h0\ndh0 = w\nreturn second + dh0 * x",
        "f = lambda w: w * (x + w * x)\nreturn (f(w + 1e-4) - f(w - 1e-4)) / 2e-4",
    ),
    "atrous": written(
        "atrous(x, weight, rate)",
        _ATROUS,
        """
        KH, KW = weight.shape
        spread = np.zeros((rate * (KH - 1) + 1, rate * (KW - 1) + 1))
        spread[::rate, ::rate] = weight
        windows = np.lib.stride_tricks.sliding_window_view(x, spread.shape)
        return (windows * spread).sum(axis=(2, 3))
        """,
        """
        KH, KW = weight.shape
        H, W = x.shape[0] - rate * (KH - 1), x.shape[1] - rate * (KW - 1)
        rows = np.arange(H)[:, None] + rate * np.arange(KH)
        columns = np.arange(W)[:, None] + rate * np.arange(KW)
        return np.einsum("hawb,ab->hw", x[rows[:, :, None, None], columns], weight)
        """,
    ),
    "field": written(
        "field(kernels, strides, rates)",
        _FIELD,
        """
        seen = 1
        for k, s, r in reversed(list(zip(kernels, strides, rates))):
            seen = (seen - 1) * s + (k - 1) * r + 1
        return seen
        """,
        """
        jumps = np.cumprod([1, *strides[:-1]])
        return 1 + int(np.sum((np.array(kernels) - 1) * np.array(rates) * jumps))
        """,
    ),
}  # fmt: skip
