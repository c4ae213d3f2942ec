"""Lesson 04 as students answer it: wrong in ways that no exercise lists, and right in unusual ones."""

from __future__ import annotations

from support.students import written


def _slip(body: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in body, old
        body = body.replace(old, new)
    return body


_WEIGHT = """
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    N, O, OH, OW = dy.shape
    dweight = np.zeros((O, x.shape[1], KH, KW))
    for oh in range(OH):
        for ow in range(OW):
            window = x[:, :, oh * stride : oh * stride + KH, ow * stride : ow * stride + KW]
            dweight += np.einsum("no,nckl->ockl", dy[:, :, oh, ow], window)
    return dweight
"""

_PLAIN = """
    N, O, OH, OW = dy.shape
    _, C, KH, KW = weight.shape
    dx = np.zeros((N, C, OH + KH - 1, OW + KW - 1))
    for oh in range(OH):
        for ow in range(OW):
            dx[:, :, oh : oh + KH, ow : ow + KW] += np.einsum("no,ockl->nckl", dy[:, :, oh, ow], weight)
    return dx
"""

_STRIDED = _slip(
    _PLAIN,
    ("OH + KH - 1, OW + KW - 1", "(OH - 1) * stride + KH, (OW - 1) * stride + KW"),
    ("oh : oh + KH, ow : ow + KW", "oh * stride : oh * stride + KH, ow * stride : ow * stride + KW"),
)

_WHOLE = _slip(
    _STRIDED,
    ("(OH - 1) * stride + KH, (OW - 1) * stride + KW", "H + 2 * padding, W + 2 * padding"),
    ("    return dx\n", "    return dx[:, :, padding : padding + H, padding : padding + W]\n"),
)

_PADDED = _slip(
    _PLAIN, ("    return dx\n", "    return dx[:, :, padding : OH + KH - 1 - padding, padding : OW + KW - 1 - padding]\n")
)

_COUNTS = """
    counts = np.zeros((H + 2 * padding, W + 2 * padding))
    for top in range(0, H + 2 * padding - K + 1, stride):
        for left in range(0, W + 2 * padding - K + 1, stride):
            counts[top : top + K, left : left + K] += 1
    return counts[padding : padding + H, padding : padding + W]
"""

_COUNTED = "[padding : padding + H, padding : padding + W]"
_CUT = "[:, :, padding : padding + H, padding : padding + W]"

WRONG = {
    "bias_gradient": written(
        "bias_gradient(dy)",
        "return dy.sum(axis=(0, 2, 3), keepdims=True)",
        "return dy.sum(axis=(1, 2, 3))",
        "return -dy.sum(axis=(0, 2, 3))",
        "return dy[:, 0].sum() * np.ones(dy.shape[1])",
        "return dy.max(axis=(0, 2, 3))",
        "return np.ones(dy.shape[1])",
        "return dy[:, :, 0, 0].sum(axis=0)",
    ),
    "weight_gradient": written(
        "weight_gradient(x, dy, KH, KW, stride, padding)",
        _slip(_WEIGHT, ("dweight +=", "dweight =")),
        _slip(_WEIGHT, ("    return dweight\n", "    return dweight.sum(axis=0)\n")),
        _slip(_WEIGHT, ("    return dweight\n", "    return dweight.swapaxes(2, 3)\n")),
        _slip(_WEIGHT, ("range(OW)", "range(OW - 1)")),
        _slip(_WEIGHT, ("    return dweight\n", "    return -dweight\n")),
        _slip(_WEIGHT, ("oh * stride : oh * stride + KH", "oh * stride + 1 : oh * stride + KH + 1")),
        _slip(_WEIGHT, ("dy[:, :, oh, ow]", "dy[:, :, OH - 1 - oh, OW - 1 - ow]")),
        _slip(_WEIGHT, ("    return dweight\n", "    return dweight / KH / KW\n")),
        _slip(_WEIGHT, ("    return dweight\n", "    return dweight.reshape(O, -1)\n")),
    ),
    "dx_plain": written(
        "dx_plain(dy, weight)",
        _slip(_PLAIN, ("    return dx\n", "    return dx / O\n")),
        _slip(_PLAIN, ("weight)\n", "weight[:, :, ::-1])\n")),
        _slip(_PLAIN, ("    return dx\n", "    return dx.swapaxes(0, 1)\n")),
        _slip(_PLAIN, ("range(OH)", "range(OH - 1)")),
        _slip(_PLAIN, ("    return dx\n", "    return dx[:, :, 1:, 1:]\n")),
    ),
    "dx_padded": written(
        "dx_padded(dy, weight, padding)",
        _slip(_PADDED, ("return dx[:, :, padding : OH + KH - 1 - padding, padding : OW + KW - 1 - padding]",
                        "return dx[:, :, padding:-padding, padding:-padding]")),
        _slip(_PADDED, ("return dx[:, :, padding : OH + KH - 1 - padding, padding : OW + KW - 1 - padding]",
                        "return dx[:, :, 1:-1, 1:-1]")),
        _slip(_PADDED, ("return dx[:, :, padding : OH + KH - 1 - padding, padding : OW + KW - 1 - padding]",
                        "return dx[:, :, padding : OH + KH - 1 - padding, :]")),
        _slip(_PADDED, ("padding : OH + KH - 1 - padding", "2 * padding : OH + KH - 1")),
        _slip(_PADDED, ("+=", "-=")),
    ),
    "dx_strided": written(
        "dx_strided(dy, weight, stride)",
        _slip(_STRIDED, ("(OW - 1) * stride + KW", "(OW - 1) * stride + KW + 1")),
        _slip(_STRIDED, ("(OH - 1) * stride + KH, (OW - 1) * stride + KW", "OH * stride + KH, OW * stride + KW")),
        _slip(_STRIDED, ("ow * stride : ow * stride + KW] +=", "ow * stride : ow * stride + KW] -=")),
        _slip(_STRIDED, ("    return dx\n", "    return dx * stride\n")),
        _slip(_STRIDED, ("    return dx\n", "    return dx / stride ** 2\n")),
        _slip(_STRIDED, ("    return dx\n", "    return dx[:, :, ::stride, ::stride]\n")),
    ),
    "input_gradient": written(
        "input_gradient(dy, weight, H, W, stride, padding)",
        _slip(_WHOLE, (_CUT, "[:, :, padding:-padding, padding:-padding]")),
        _slip(_WHOLE, (_CUT, "[:, :, padding:, padding:]")),
        _slip(_WHOLE, ("range(OH)", "range(OW)")),
        _slip(_WHOLE, ("H + 2 * padding, W + 2 * padding", "W + 2 * padding, H + 2 * padding")),
        _slip(_WHOLE, ("H + 2 * padding, W + 2 * padding", "(OH - 1) * stride + KH, (OW - 1) * stride + KW")),
        _slip(_WHOLE, ("weight)\n", "weight.swapaxes(2, 3))\n")),
        _slip(_WHOLE, ("weight)\n", "weight[:, :, :, ::-1])\n")),
        _slip(_WHOLE, ("    return dx[", "    dx[:, :, -1] = 0\n    return dx[")),
        _slip(_WHOLE, (_CUT, _CUT + ", weight")),
        _slip(_WHOLE, (f"dx{_CUT}", f"np.round(dx{_CUT}, 1)")),
    ),
    "window_counts": written(
        "window_counts(H, W, K, stride, padding)",
        _slip(_COUNTS, ("- K + 1, stride):\n        for left", "- K, stride):\n        for left")),
        _slip(_COUNTS, (_COUNTED, _COUNTED + " - 1")),
        _slip(_COUNTS, (_COUNTED, _COUNTED + " / K ** 2")),
        _slip(_COUNTS, ("top : top + K, left : left + K", "top, left")),
        _slip(_COUNTS, (_COUNTED, "[:H, :W]")),
        _slip(_COUNTS, ("counts[top : top + K, left : left + K]", "counts[left : left + K, top : top + K]")),
    ),
}  # fmt: skip

RIGHT = {
    "bias_gradient": written(
        "bias_gradient(dy)",
        "return [float(channel.sum()) for channel in np.moveaxis(dy, 1, 0)]",
        "return np.einsum('nohw->o', dy)",
        "N, O, OH, OW = dy.shape\nreturn dy.transpose(1, 0, 2, 3).reshape(O, N * OH * OW) @ np.ones(N * OH * OW)",
    ),
    "weight_gradient": written(
        "weight_gradient(x, dy, KH, KW, stride, padding)",
        """
        x = np.pad(x, [(0, 0), (0, 0)] + 2 * [(padding, padding)])
        windows = np.lib.stride_tricks.sliding_window_view(x, (KH, KW), (2, 3))[:, :, ::stride, ::stride]
        OH, OW = dy.shape[2:]
        return np.einsum("nohw,nchwkl->ockl", dy, windows[:, :, :OH, :OW])
        """,
        """
        x = np.pad(x, [(0, 0), (0, 0)] + 2 * [(padding, padding)])
        N, O, OH, OW = dy.shape
        taps = [[x[:, :, kh :: stride, kw :: stride][:, :, :OH, :OW] for kw in range(KW)] for kh in range(KH)]
        return np.array([[np.tensordot(dy, tap, ((0, 2, 3), (0, 2, 3))) for tap in row] for row in taps]).transpose(2, 3, 0, 1)
        """,
        """
        def loss(weight):
            total = 0.0
            for oh in range(dy.shape[2]):
                for ow in range(dy.shape[3]):
                    window = padded[:, :, oh * stride : oh * stride + KH, ow * stride : ow * stride + KW]
                    total += np.sum(dy[:, :, oh, ow] * np.einsum("nckl,ockl->no", window, weight))
            return total
        padded = np.pad(x, [(0, 0), (0, 0)] + 2 * [(padding, padding)])
        units = np.eye(dy.shape[1] * x.shape[1] * KH * KW)
        shape = dy.shape[1], x.shape[1], KH, KW
        return np.reshape([loss(unit.reshape(shape)) for unit in units], shape)
        """,
    ),
    "dx_plain": written(
        "dx_plain(dy, weight)",
        """
        KH, KW = weight.shape[2:]
        wide = np.pad(dy, ((0, 0), (0, 0), (KH - 1, KH - 1), (KW - 1, KW - 1)))
        windows = np.lib.stride_tricks.sliding_window_view(wide, (KH, KW), (2, 3))
        return np.einsum("nohwkl,ockl->nchw", windows, weight[:, :, ::-1, ::-1])
        """,
        """
        (OH, OW), (KH, KW) = dy.shape[2:], weight.shape[2:]
        parts = np.einsum("nohw,ockl->klnchw", dy, weight)
        return sum(np.pad(parts[kh, kw], ((0, 0), (0, 0), (kh, KH - 1 - kh), (kw, KW - 1 - kw)))
                   for kh in range(KH) for kw in range(KW))
        """,
        """
        N, O, OH, OW = dy.shape
        _, C, KH, KW = weight.shape
        return [[[[sum(dy[n, o, h - i, w - j] * weight[o, c, i, j] for o in range(O) for i in range(KH) for j in range(KW)
                       if 0 <= h - i < OH and 0 <= w - j < OW)
                   for w in range(OW + KW - 1)] for h in range(OH + KH - 1)] for c in range(C)] for n in range(N)]
        """,
    ),
    "dx_padded": written(
        "dx_padded(dy, weight, padding)",
        _PADDED,
        """
        KH, KW = weight.shape[2:]
        wide = np.pad(dy, ((0, 0), (0, 0), (KH - 1, KH - 1), (KW - 1, KW - 1)))
        p, H, W = padding, wide.shape[2], wide.shape[3]
        windows = np.lib.stride_tricks.sliding_window_view(wide[:, :, p : H - p, p : W - p], (KH, KW), (2, 3))
        return np.einsum("nohwkl,ockl->nchw", windows, np.flip(weight, (2, 3)))
        """,
        """
        (OH, OW), (KH, KW) = dy.shape[2:], weight.shape[2:]
        full = np.zeros((len(dy), weight.shape[1], OH + KH - 1, OW + KW - 1), np.float32)
        for (n, o, h, w), d in np.ndenumerate(dy):
            full[n, :, h : h + KH, w : w + KW] += d * weight[o]
        for _ in range(padding):
            full = full[:, :, 1:-1, 1:-1]
        return full
        """,
    ),
    "dx_strided": written(
        "dx_strided(dy, weight, stride)",
        _STRIDED,
        """
        N, O, OH, OW = dy.shape
        KH, KW = weight.shape[2:]
        spread = np.zeros((N, O, (OH - 1) * stride + 2 * KH - 1, (OW - 1) * stride + 2 * KW - 1))
        spread[:, :, KH - 1 : KH + (OH - 1) * stride : stride, KW - 1 : KW + (OW - 1) * stride : stride] = dy
        windows = np.lib.stride_tricks.sliding_window_view(spread, (KH, KW), (2, 3))
        return np.einsum("nohwkl,ockl->nchw", windows, weight[:, :, ::-1, ::-1])
        """,
        """
        (OH, OW), (KH, KW) = dy.shape[2:], weight.shape[2:]
        dx = np.zeros((len(dy), weight.shape[1], (OH - 1) * stride + KH, (OW - 1) * stride + KW))
        for kh in range(KH):
            for kw in range(KW):
                rows = slice(kh, kh + (OH - 1) * stride + 1, stride)
                columns = slice(kw, kw + (OW - 1) * stride + 1, stride)
                dx[:, :, rows, columns] += np.tensordot(dy, weight[:, :, kh, kw], (1, 0)).transpose(0, 3, 1, 2)
        return dx
        """,
    ),
    "input_gradient": written(
        "input_gradient(dy, weight, H, W, stride, padding)",
        _WHOLE,
        """
        N, O, OH, OW = dy.shape
        _, C, KH, KW = weight.shape
        def rows(size, out, k):
            hit = np.zeros((size, out, k))
            for o in range(out):
                for i in range(k):
                    place = o * stride + i - padding
                    if 0 <= place < size:
                        hit[place, o, i] = 1
            return hit
        return np.einsum("nopq,ockl,hpk,wql->nchw", dy, weight, rows(H, OH, KH), rows(W, OW, KW), optimize=True)
        """,
        """
        dx = np.zeros((len(dy), weight.shape[1], H, W))
        for (n, o, oh, ow), d in np.ndenumerate(dy):
            for (c, kh, kw), w in np.ndenumerate(weight[o]):
                h, v = oh * stride + kh - padding, ow * stride + kw - padding
                if 0 <= h < H and 0 <= v < W:
                    dx[n, c, h, v] += d * w
        return dx
        """,
    ),
    "window_counts": written(
        "window_counts(H, W, K, stride, padding)",
        _COUNTS,
        """
        def along(n):
            tops = range(-padding, n + padding - K + 1, stride)
            return np.array([sum(top <= place < top + K for top in tops) for place in range(n)])
        return np.outer(along(H), along(W))
        """,
        """
        counts = [[0] * W for _ in range(H)]
        for h in range(H):
            for w in range(W):
                for top in range(-padding, H + padding - K + 1, stride):
                    for left in range(-padding, W + padding - K + 1, stride):
                        counts[h][w] += top <= h < top + K and left <= w < left + K
        return counts
        """,
    ),
}
