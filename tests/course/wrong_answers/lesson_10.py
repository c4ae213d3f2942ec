"""Lesson 10 as students answer it: wrong in ways that no exercise lists, and right in unusual ones."""

from __future__ import annotations

from support.students import written


def _slip(body: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in body, old
        body = body.replace(old, new)
    return body


_ZEROS = """
    N, C, H, W = x.shape
    y = np.zeros((N, C, (H - 1) * stride + 1, (W - 1) * stride + 1))
    y[:, :, ::stride, ::stride] = x
    return y
"""

_STAMPS = """
    N, C, H, W = x.shape
    C, O, KH, KW = weight.shape
    OH, OW = (H - 1) * stride + KH + output_padding, (W - 1) * stride + KW + output_padding
    y = np.zeros((N, O, OH, OW))
    for h in range(H):
        for w in range(W):
            stamp = np.einsum("nc,cokl->nokl", x[:, :, h, w], weight)
            y[:, :, h * stride : h * stride + KH, w * stride : w * stride + KW] += stamp
    return y[:, :, padding : OH - padding, padding : OW - padding]
"""

_CUT = "[:, :, padding : OH - padding, padding : OW - padding]"
_SIZE = "(H - 1) * stride + 1, (W - 1) * stride + 1"

_TENT = """
    f = (size + 1) // 2
    c = f - 1 if size % 2 else f - 0.5
    k = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            k[i, j] = (1 - abs(i - c) / f) * (1 - abs(j - c) / f)
    return k
"""

WRONG = {
    "deconv_size": written(
        "deconv_size(H, K, S, P, output_padding)",
        "return (H - 1) * S + K - 2 * P + S * output_padding",
        "return H * S",
        "return (H - 1) * S + K - 2 * P - output_padding",
        "return H - 1 * S + K - 2 * P + output_padding",
        "return (H + 1) * S + K - 2 * P + output_padding",
        "return (H - 1) * (S + K) - 2 * P + output_padding",
        "return (H - 1) * S + K // 2 - 2 * P + output_padding",
        "return (H - 1) * S + K - 2 * (P + output_padding)",
    ),
    "insert_zeros": written(
        "insert_zeros(x, stride)",
        _slip(_ZEROS, ("x.shape", "x.shape[::-1]")),
        _slip(_ZEROS, ("    return y\n", "    return y[0]\n")),
        _slip(_ZEROS, ("[:, :, ::stride, ::stride] = x", "[:, :, ::stride, ::stride] = x[:, :, ::-1]")),
        _slip(_ZEROS, ("np.zeros(", "np.ones(")),
        _slip(_ZEROS, (_SIZE, "H + stride - 1, W + stride - 1"),
              ("[:, :, ::stride, ::stride]", "[:, :, :H, :W]")),
        _slip(_ZEROS, (_SIZE, "H * stride + 1, W * stride + 1"), ("::stride, ::stride", "1::stride, 1::stride")),
        _slip(_ZEROS, ("    return y\n", "    return y[:, :, :-1, :-1]\n")),
        _slip(_ZEROS, ("    return y\n", "    return y / stride ** 2\n")),
    ),
    "conv_transpose2d": written(
        "conv_transpose2d(x, weight, stride, padding, output_padding)",
        _slip(_STAMPS, (_CUT, "[:, :, padding:-padding, padding:-padding]")),
        _slip(_STAMPS, (", weight)\n", ", weight[:, :, ::-1])\n")),
        _slip(_STAMPS, (", weight)\n", ", weight.swapaxes(2, 3))\n")),
        _slip(_STAMPS, ("range(W)", "range(H)")),
        _slip(_STAMPS, ("+= stamp", "+= stamp / stride ** 2")),
        _slip(_STAMPS, ("+= stamp", "+= stamp / C")),
        _slip(_STAMPS, ("+= stamp", "-= stamp")),
        _slip(_STAMPS, (_CUT, "[:, :, padding : OH - padding, padding : OH - padding]")),
        _slip(_STAMPS, (_CUT, "[:, :, 2 * padding :, 2 * padding :]")),
        _slip(_STAMPS, ("KH + output_padding, (W - 1)", "KH, (W - 1)")),
        _slip(_STAMPS, ("    return y", "    return y.swapaxes(0, 1)")),
        _slip(_STAMPS, ("range(H)", "range(1, H)")),
        _slip(_STAMPS, ("    return y[", "    return np.maximum(y, 0)[")),
    ),
    "bilinear_kernel": written(
        "bilinear_kernel(size)",
        _slip(_TENT, ("(1 - abs(i - c) / f) * (1 - abs(j - c) / f)", "1 - max(abs(i - c), abs(j - c)) / f")),
        _slip(_TENT, ("(1 - abs(i - c) / f) * (1 - abs(j - c) / f)", "1 - np.hypot(i - c, j - c) / f")),
        _slip(_TENT, ("    return k\n", "    return k / k.max()\n")),
        _slip(_TENT, ("    return k\n", "    return k * 4 / k.sum()\n")),
        _slip(_TENT, ("f = (size + 1) // 2", "f = size // 2 + 1")),
        _slip(_TENT, ("c = f - 1 if size % 2 else f - 0.5", "c = size / 2")),
        _slip(_TENT, ("(1 - abs(i - c) / f) * (1 - abs(j - c) / f)", "abs(i - c) / f * abs(j - c) / f")),
        _slip(_TENT, ("    return k\n", "    return k[None, None]\n")),
        _slip(_TENT, ("    return k\n", "    return k ** 2\n")),
        _slip(_TENT, ("    return k\n", "    return np.sqrt(k)\n")),
    ),
    "phase_sums": written(
        "phase_sums(kernel, stride)",
        "return np.array([kernel[a::stride, b::stride].sum() for a in range(stride) for b in range(stride)])",
        "return np.array([[kernel[a::stride, b::stride].sum() for b in range(stride)] for a in range(stride)]) / kernel.sum()",
        "return np.array([[kernel[a::stride, a::stride].sum() for b in range(stride)] for a in range(stride)])",
        "return np.array([[kernel[a::stride, b].sum() for b in range(stride)] for a in range(stride)])",
        "return np.array([[kernel[a:stride, b:stride].sum() for b in range(stride)] for a in range(stride)])",
        "return np.array([[abs(kernel[a::stride, b::stride]).sum() for b in range(stride)] for a in range(stride)])",
        "return np.array([[kernel[a + 1::stride, b + 1::stride].sum() for b in range(stride)] for a in range(stride)])",
        "return np.array([[kernel[a::stride, b::stride].sum(axis=0) for b in range(stride)] for a in range(stride)][0][0])",
    ),
}  # fmt: skip

RIGHT = {
    "deconv_size": written(
        "deconv_size(H, K, S, P, output_padding)",
        "rows = np.zeros(1000, bool)\nfor h in range(H):\n    rows[h * S : h * S + K] = True\n"
        "return max(np.flatnonzero(rows)) + 1 - 2 * P + output_padding if K >= S else (H - 1) * S + K - 2 * P + output_padding",
        "return float(S * H - S + K - P - P + output_padding)",
        "for size in range(-100, 5000):\n    if size - output_padding + 2 * P - K == S * (H - 1):\n        return size",
    ),
    "insert_zeros": written(
        "insert_zeros(x, stride)",
        _ZEROS,
        """
        N, C, H, W = x.shape
        rows = np.eye((H - 1) * stride + 1)[:, ::stride]
        columns = np.eye((W - 1) * stride + 1)[::stride]
        return rows @ x @ columns
        """,
        """
        N, C, H, W = x.shape
        y = np.kron(x, np.eye(1, stride * stride).reshape(1, 1, stride, stride))
        return y[..., : (H - 1) * stride + 1, : (W - 1) * stride + 1]
        """,
    ),
    "conv_transpose2d": written(
        "conv_transpose2d(x, weight, stride, padding, output_padding)",
        _STAMPS,
        """
        N, C, H, W = x.shape
        _, O, KH, KW = weight.shape
        a = output_padding
        spread = np.zeros((N, C, (H - 1) * stride + 2 * KH - 1 + a, (W - 1) * stride + 2 * KW - 1 + a))
        spread[:, :, KH - 1 : KH + (H - 1) * stride : stride, KW - 1 : KW + (W - 1) * stride : stride] = x
        windows = np.lib.stride_tricks.sliding_window_view(spread, (KH, KW), (2, 3))
        y = np.einsum("nchwkl,cokl->nohw", windows, weight[:, :, ::-1, ::-1])
        return y[:, :, padding : y.shape[2] - padding, padding : y.shape[3] - padding]
        """,
        """
        N, C, H, W = x.shape
        _, O, KH, KW = weight.shape
        OH = (H - 1) * stride + KH - 2 * padding + output_padding
        OW = (W - 1) * stride + KW - 2 * padding + output_padding
        y = np.zeros((N, O, OH, OW), np.float32)
        for oh in range(OH):
            for ow in range(OW):
                for kh in range((oh + padding) % stride, KH, stride):
                    for kw in range((ow + padding) % stride, KW, stride):
                        h, w = (oh + padding - kh) // stride, (ow + padding - kw) // stride
                        if 0 <= h < H and 0 <= w < W:
                            y[:, :, oh, ow] += x[:, :, h, w] @ weight[:, :, kh, kw]
        return y
        """,
    ),
    "bilinear_kernel": written(
        "bilinear_kernel(size)",
        _TENT,
        "f = (size + 1) // 2\nramp = np.minimum(np.arange(1, size + 1), np.arange(size, 0, -1))\n"
        "ramp = ramp / f if size % 2 else (2 * ramp - 1) / (2 * f)\nreturn ramp[:, None] * ramp",
        "f = (size + 1) // 2\nbox = np.ones(f)\n"
        "tent = np.convolve(box, box) / f if size % 2 else np.convolve(np.convolve(box, box), [1, 1]) / (2 * f)\n"
        "return np.einsum('i,j->ij', tent, tent)",
    ),
    "phase_sums": written(
        "phase_sums(kernel, stride)",
        """
        sums = np.zeros((stride, stride))
        for (row, column), weight in np.ndenumerate(kernel):
            sums[row % stride, column % stride] += weight
        return sums
        """,
        """
        KH, KW = kernel.shape
        wide = np.pad(kernel, ((0, -KH % stride), (0, -KW % stride)))
        return wide.reshape(wide.shape[0] // stride, stride, -1, stride).sum(axis=(0, 2))
        """,
        "rows, columns = (np.eye(stride)[np.arange(n) % stride] for n in kernel.shape)\nreturn rows.T @ kernel @ columns",
    ),
}
