"""Lesson 17 as students answer it: wrong in ways that no exercise lists, and right in unusual ones."""

from __future__ import annotations

from support.students import written

_TF32 = """
    bits = x.view(np.uint32)
    return ((bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)
"""

_RELU = """
    def kernel(t, dy, y, dx):
        i = t.block * t.size + t.thread
        if i < dx.size:
            dx[i] = dy[i] if y[i] > 0 else 0
    dx = np.zeros(dy.shape)
    launch(kernel, (dy.size + 63) // 64, 64, dy, y, dx)
    return dx
"""

_IM2COL = """
    H, W = x.shape
    OH, OW = H - K + 1, W - K + 1
    def kernel(t, x, columns):
        n = t.block * t.size + t.thread
        if n < columns.size:
            tap, window = n // (OH * OW), n % (OH * OW)
            a, b = tap // K, tap % K
            i, j = window // OW, window % OW
            columns[n] = x[(i + a) * W + j + b]
    columns = np.zeros((K * K, OH * OW))
    launch(kernel, (columns.size + 31) // 32, 32, x, columns)
    return columns
"""

_COL2IM = """
    OH, OW = H - K + 1, W - K + 1
    def kernel(t, columns, y):
        n = t.block * t.size + t.thread
        if n < y.size:
            row, column = n // W, n % W
            total = 0
            for a in range(K):
                for b in range(K):
                    i, j = row - a, column - b
                    if 0 <= i < OH and 0 <= j < OW:
                        total += columns[(a * K + b) * OH * OW + i * OW + j]
            y[n] = total
    y = np.zeros((H, W))
    launch(kernel, (H * W + 31) // 32, 32, columns, y)
    return y
"""


def _slip(body: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in body, old
        body = body.replace(old, new)
    return body


WRONG = {
    "tf32": written(
        "tf32(x)",
        "return x",
        "return np.round(x, 3)",
        "return np.round(x)",
        _slip(_TF32, ("0x1000", "0x0800")),
        _slip(_TF32, ("0x1000", "0x2000")),
        _slip(_TF32, ("0x1000", "0x0fff")),
        _slip(_TF32, ("0xFFFFE000", "0xFFFFF000")),
        _slip(_TF32, ("np.uint32(0xFFFFE000)", "np.uint32(0x7FFFE000)")),
        _slip(_TF32, (".view(np.float32)", "")),
        _slip(_TF32, (".view(np.float32)", ".astype(np.float32)")),
        _slip(_TF32, ("+ np.uint32(0x1000)", "- np.uint32(0x1000)")),
        "return x - x % 2.0**-10",
        "return np.float32([float(f'{v:.3g}') for v in x.ravel()]).reshape(x.shape)",
    ),
    "relu_backward_kernel": written(
        "relu_backward_kernel(launch, dy, y)",
        "return np.zeros(dy.shape)",
        "return dy",
        _slip(_RELU, ("i < dx.size", "i < dx.size - 1")),
        _slip(_RELU, ("if i < dx.size", "if True")),
        _slip(_RELU, ("i < dx.size", "i <= dx.size")),
        _slip(_RELU, ("t.block * t.size + t.thread", "t.block * 32 + t.thread")),
        _slip(_RELU, ("t.block * t.size + t.thread", "t.thread * t.size + t.block")),
        _slip(_RELU, ("(dy.size + 63) // 64", "(dy.size - 64) // 64")),
        _slip(_RELU, ("y[i] > 0", "y[i] > 1")),
        _slip(_RELU, ("dy[i] if y[i] > 0 else 0", "dy[i] * y[i]")),
        _slip(_RELU, ("dy[i] if y[i] > 0 else 0", "max(dy[i], 0)")),
        _slip(_RELU, ("return dx", "return kernel")),
        _slip(_RELU, ("    return dx", "    dx")),
        _slip(_RELU, ("(dy.size + 63) // 64, 64", "1, 2048")),
    ),
    "im2col_kernel": written(
        "im2col_kernel(launch, x, K)",
        _slip(_IM2COL, ("(i + a) * W + j + b", "(i + a) * H + j + b")),
        _slip(_IM2COL, ("i, j = window // OW, window % OW", "i, j = window % OW, window // OW")),
        _slip(_IM2COL, ("i, j = window // OW, window % OW", "i, j = window // OH, window % OH")),
        _slip(_IM2COL, ("tap, window = n // (OH * OW), n % (OH * OW)", "tap, window = n % (K * K), n // (K * K)")),
        _slip(_IM2COL, ("H - K + 1, W - K + 1", "H - K, W - K")),
        _slip(_IM2COL, ("H - K + 1, W - K + 1", "W - K + 1, H - K + 1")),
        _slip(_IM2COL, ("return columns", "return columns.reshape(K, K, OH, OW)")),
        _slip(_IM2COL, ("return columns", "return columns[::-1]")),
        _slip(_IM2COL, ("return columns", "return columns * 2")),
        _slip(_IM2COL, ("(i + a) * W + j + b", "(i + a) * W + j")),
        _slip(_IM2COL, ("(i + a) * W + j + b", "i * W + j + b")),
        _slip(_IM2COL, ("n < columns.size", "n < x.size")),
    ),
    "col2im_kernel": written(
        "col2im_kernel(launch, columns, H, W, K)",
        _slip(_COL2IM, ("i, j = row - a, column - b", "i, j = row + a, column + b")),
        _slip(_COL2IM, ("0 <= i < OH and 0 <= j < OW", "i < OH and j < OW")),
        _slip(_COL2IM, ("total += columns", "total = columns")),
        _slip(_COL2IM, ("i * OW + j", "i * OH + j")),
        _slip(_COL2IM, ("n // W, n % W", "n % W, n // W")),
        _slip(_COL2IM, ("return y", "return y / K**2")),
        _slip(_COL2IM, ("return y", "return y.T")),
        _slip(_COL2IM, ("return y", "return y.ravel()")),
        _slip(_COL2IM, ("for a in range(K)", "for a in range(1)")),
        _slip(_COL2IM, ("for b in range(K)", "for b in range(K - 1)")),
        _slip(_COL2IM, ("y[n] = total", "y[0] = total")),
    ),
}  # fmt: skip

RIGHT = {
    "tf32": written(
        "tf32(x)",
        _TF32,
        """
        mantissa, exponent = np.frexp(x.astype(np.float64))
        scaled = mantissa * 2**11
        return np.ldexp(np.sign(scaled) * np.floor(np.abs(scaled) + 0.5), exponent - 11)
        """,
        """
        big = x.astype(np.float64)
        step = 2.0 ** (np.floor(np.log2(np.where(big == 0, 1, abs(big)))) - 10)
        return np.copysign(np.floor(abs(big) / step + 0.5) * step, big)
        """,
    ),
    "relu_backward_kernel": written(
        "relu_backward_kernel(launch, dy, y)",
        _RELU,
        """
        def one(t, out, up, act):
            for i in range(t.block * t.size + t.thread, up.size, t.blocks * t.size):
                out[i] = up[i] * (act[i] > 0)
        out = np.empty_like(dy)
        launch(one, 2, 8, out, dy, y)
        return out
        """,
        """
        def kernel(t, dy, y, dx):
            i = t.block * t.size + t.thread
            if i >= dx.size:
                return
            if y[i] > 0:
                dx[i] = dy[i]
        flat = np.zeros(dy.size)
        launch(kernel, dy.size, 1, dy, y, flat)
        return flat.reshape(dy.shape)
        """,
    ),
    "im2col_kernel": written(
        "im2col_kernel(launch, x, K)",
        _IM2COL,
        """
        H, W = x.shape
        OH, OW = H - K + 1, W - K + 1
        def kernel(t, x, columns):
            for tap in range(K * K):
                i, j = divmod(t.thread, OW)
                columns[tap * OH * OW + t.thread] = x[(i + tap // K) * W + j + tap % K]
        columns = np.zeros((K * K, OH * OW))
        launch(kernel, 1, OH * OW, x, columns)
        return columns
        """,
        """
        H, W = x.shape
        OH, OW = H - K + 1, W - K + 1
        def kernel(t, x, columns):
            tile = t.shared("x", H * W)
            for k in range(t.thread, H * W, t.size):
                tile[k] = x[k]
            yield
            a, b = divmod(t.block, K)
            for n in range(t.thread, OH * OW, t.size):
                columns[t.block * OH * OW + n] = tile[(n // OW + a) * W + n % OW + b]
        columns = np.zeros((K * K, OH * OW))
        launch(kernel, K * K, 4, x, columns)
        return columns
        """,
    ),
    "col2im_kernel": written(
        "col2im_kernel(launch, columns, H, W, K)",
        _COL2IM,
        """
        OH, OW = H - K + 1, W - K + 1
        def kernel(t, columns, y):
            n = t.block * t.size + t.thread
            if n < columns.size:
                tap, window = divmod(n, OH * OW)
                t.atomic_add(y, (window // OW + tap // K) * W + window % OW + tap % K, columns[n])
        y = np.zeros((H, W))
        launch(kernel, -(-columns.size // 16), 16, columns, y)
        return y
        """,
        """
        OH, OW = H - K + 1, W - K + 1
        def kernel(t, columns, y):
            for tap in range(K * K):
                i, j = divmod(t.thread, OW)
                place = (i + tap // K) * W + j + tap % K
                y[place] = y[place] + columns[tap * OH * OW + t.thread]
                yield
        y = np.zeros((H, W))
        launch(kernel, 1, OH * OW, columns, y)
        return y
        """,
    ),
}  # fmt: skip
