"""Lesson 06: wrong answers as students write them, and right ones in unusual styles; source text by exercise.

They were written before the diagnoses. None of the wrong ones may pass, all of the right ones must.
"""

from __future__ import annotations

from support.students import written

_HEAD = "import numpy as np\n"
_TOP, _LEFT = "i * stride : i * stride + kernel", "j * stride : j * stride + kernel"  # of a window

_POOL = """
def max_pool(x, kernel, stride, ceil_mode):
    N, C, H, W = x.shape
    if ceil_mode:
        OH, OW = -(-(H - kernel) // stride) + 1, -(-(W - kernel) // stride) + 1
    else:
        OH, OW = (H - kernel) // stride + 1, (W - kernel) // stride + 1
    y = np.zeros((N, C, OH, OW))
    for i in range(OH):
        for j in range(OW):
            window = x[:, :, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
            y[:, :, i, j] = window.max(axis=(2, 3))
    return y
"""

_SWITCHES = """
def switches(x, kernel, stride):
    N, C, H, W = x.shape
    OH, OW = (H - kernel) // stride + 1, (W - kernel) // stride + 1
    places = np.zeros((N, C, OH, OW), int)
    for n, c, i, j in np.ndindex(places.shape):
        window = x[n, c, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
        row, column = divmod(window.argmax(), kernel)
        places[n, c, i, j] = (i * stride + row) * W + j * stride + column
    return places
"""

_UNPOOL = """
def max_unpool(y, switches, H, W):
    N, C, OH, OW = y.shape
    x = np.zeros((N, C, H, W))
    for n, c, i, j in np.ndindex(y.shape):
        row, column = divmod(switches[n, c, i, j], W)
        x[n, c, row, column] = y[n, c, i, j]
    return x
"""


def _with(source: str, *changes: tuple[str, str]) -> str:
    """The source with a line or an expression written as somebody else would."""
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new)
    return _HEAD + source


def _relu(expression: str) -> str:
    return f"{_HEAD}def relu_backward(dy, x):\n    return {expression}\n"


# These were written before the diagnoses, and made most of them: each is called by its name.
LISTED = {
    "relu_backward": [
        _relu("dy * (x >= 0)"),
        _relu("dy * x * (x > 0)"),
        _relu("np.maximum(dy, 0)"),
        _relu("np.maximum(dy * x, 0)"),
        _relu("(x > 0).astype(float)"),
        _relu("(x > 0) * dy.sum()"),
        _relu("np.where(x < 0, dy, 0)"),
        _relu("np.where(x > 0, dy, x)"),
        _relu("np.where(x > 0, dy, 0.01 * dy)"),
        _relu("dy[x > 0]"),
        _relu("np.where(x > 0, dy, -dy)"),
        _relu("dy * (np.maximum(x, 0) != 0) * (dy > 0)"),
        f"{_HEAD}def relu_backward(dy, x):\n    dy[x <= 0] = 0\n    return dy\n",
    ],
    "max_pool": [
        _with(_POOL, ("if ceil_mode:", "if False:")),
        _with(_POOL, ("    if ceil_mode", "    x = np.pad(x, ((0, 0), (0, 0), (0, 9), (0, 9)))\n    if ceil_mode")),
        _with(_POOL, ("    N, C", "    stride = kernel\n    N, C")),
        _with(_POOL, ("window.max(", "window.mean(")),
        _with(_POOL, ("window.max(", "np.abs(window).max(")),
        _with(_POOL, ("window.max(", "window.min(")),
        _with(_POOL, ("y[:, :, i, j] = window.max(axis=(2, 3))", "y[:, :, i, j] = window.max()")),
        _with(_POOL, ("window.max(axis=(2, 3))", "window.max(axis=(1, 2, 3))[:, None]")),
        _with(_POOL, ("window.max(axis=(2, 3))", "window[:, :, 0, 0]")),
        _with(_POOL, ("window.max(axis=(2, 3))", "np.maximum(window.max(axis=(2, 3)), 0)")),
        _with(_POOL, ("-(-(H - kernel) // stride) + 1, -(-(W - kernel) // stride) + 1", "-(-H // stride), -(-W // stride)")),
        _with(_POOL, (_LEFT, "j : j + kernel"), (_TOP, "i : i + kernel")),
        _with(_POOL, (_TOP, "min(i * stride, H - kernel) : min(i * stride, H - kernel) + kernel")),
        _with(_POOL, ("(W - kernel) // stride + 1\n    y", "(H - kernel) // stride + 1\n    y")),
    ],
    "switches": [
        _with(_SWITCHES, ("(i * stride + row) * W + j * stride + column", "window.argmax()")),
        _with(_SWITCHES, ("window.argmax()", "window.size - 1 - window[::-1, ::-1].argmax()")),
        _with(_SWITCHES, ("(i * stride + row) * W", "((n * C + c) * H + i * stride + row) * W")),
        _with(_SWITCHES, ("row) * W", "row) * OW")),
        _with(_SWITCHES, ("row) * W", "row) * H")),
        _with(_SWITCHES, ("(i * stride + row) * W + j * stride + column", "(j * stride + column) * H + i * stride + row")),
        _with(_SWITCHES, ("window.argmax(), kernel)", "(x[n, c] == window.max()).argmax(), W)"),
              ("i * stride + row", "row"), ("j * stride + column", "column")),
        _with(_SWITCHES, ("i * stride + row", "i * kernel + row"), ("j * stride + column", "j * kernel + column")),
        _with(_SWITCHES, ("column\n    return", "column + 1\n    return")),
        _with(_SWITCHES, ("window.argmax()", "np.abs(window).argmax()")),
        _with(_SWITCHES, ("window.argmax()", "window.T.argmax()")),
        _with(_SWITCHES, ("i * stride + row", "i + row"), ("+ j * stride + column", "+ j + column")),
    ],
    "max_unpool": [
        _with(_UNPOOL, ("column] = y", "column] += y")),
        _with(_UNPOOL, ("np.zeros((N, C, H, W))", "np.zeros((N, C, 2 * OH, 2 * OW))")),
        _with(_UNPOOL, ("x[n, c, row, column]", "x[n, c, column % H, row % W]")),
        _with(_UNPOOL, ("[n, c, i, j], W)", "[n, c, i, j], H)"), ("row, column] =", "row % H, column % W] =")),
        _with(_UNPOOL, ("np.zeros((N, C, H, W))", "np.full((N, C, H, W), y.mean())")),
        _with(_UNPOOL, ("np.zeros((N, C, H, W))", "np.full((N, C, H, W), y.min())")),
        _with(_UNPOOL, ("switches[n, c, i, j]", "switches[0, 0, i, j]")),
        _HEAD + """
def max_unpool(y, switches, H, W):
    x = np.zeros((*y.shape[:2], H * W))
    x.ravel()[switches.ravel()] = y.ravel()
    return x.reshape(*y.shape[:2], H, W)
""",
        _HEAD + """
def max_unpool(y, switches, H, W):
    return y.repeat(2, axis=2).repeat(2, axis=3)[:, :, :H, :W]
""",
        _HEAD + """
def max_unpool(y, switches, H, W):
    x = np.zeros((*y.shape[:2], H, W))
    x[:, :, ::2, ::2] = y[:, :, : (H + 1) // 2, : (W + 1) // 2]
    return x
""",
        _with(_UNPOOL, ("[n, c, row, column] = y", "[n, c, column, row] = y"), ("C, H, W))", "C, W, H))")),
    ],
}  # fmt: skip

# Wrong in ways that no exercise lists.
WRONG = {
    "relu_backward": written(
        "relu_backward(dy, x)",
        "return np.maximum(dy * x, 0)",
        "return (x > 0) * dy.sum()",
        "return np.where(x > 0, dy, x)",
        "return dy[x > 0]",
        "return (dy * (x > 0)).T",
        "return (dy * (x > 0)).ravel()",
        "return np.abs(dy) * (x > 0)",
        "return dy * (x[..., ::-1] > 0)",
        "return dy[::-1] * (x > 0)",
        "return dy * (x > 0), x > 0",
        "return np.where(dy * x > 0, dy, 0)",
        "return -dy * (x > 0)",
        "return dy * (x > 0) / len(x)",
    ),
    "max_pool": [
        _with(_POOL, (_TOP, "min(i * stride, H - kernel) : min(i * stride, H - kernel) + kernel")),
        _with(_POOL, ("(W - kernel) // stride + 1\n    y", "(H - kernel) // stride + 1\n    y")),
        _with(_POOL, ("if ceil_mode:", "if False:"), ("window.max(", "window.mean(")),
        _with(_POOL, (_TOP, "i * stride : (i + 1) * stride"), (_LEFT, "j * stride : (j + 1) * stride")),
        _with(_POOL, ("window.max(axis=(2, 3))", "-window.max(axis=(2, 3))")),
        _with(_POOL, ("window.max(axis=(2, 3))", "np.median(window, axis=(2, 3))")),
        _with(_POOL, ("window.max(axis=(2, 3))", "window[:, :, 0].max(axis=2)")),
        _with(_POOL, ("    return y", "    return y.transpose(0, 2, 3, 1)")),
        _with(_POOL, ("    return y", "    return y[:, :, ::-1]")),
    ],
    "switches": [
        _with(_SWITCHES, ("window.argmax()", "window.T.argmax()")),
        _with(_SWITCHES, ("(i * stride + row) * W + j * stride + column", "i * stride + row")),
        _with(_SWITCHES, ("window.argmax()", "window.argmin()")),
        _with(_SWITCHES, ("window.argmax()", f"x[0, 0, {_TOP}, {_LEFT}].argmax()")),
        _with(_SWITCHES, ("(i * stride + row)", "(i * stride + row + 1)")),
        _with(_SWITCHES, ("window.argmax()", "kernel * kernel - 1 - window[::-1, ::-1].argmax()"), ("row) * W", "row) * H")),
        _with(_SWITCHES, ("return places", "return places / (H * W)")),
        _with(_SWITCHES, ("return places", "return places.reshape(N, C, -1)")),
        _with(_SWITCHES, ("= (i * stride + row) * W", "= (i * stride + row) * W - H + ")),
    ],
    "max_unpool": [
        _with(_UNPOOL, ("x[n, c, row, column]", "x[n, c, column % H, row % W]")),
        _with(_UNPOOL, ("= y[n, c, i, j]", "= 1")),
        _with(_UNPOOL, ("np.zeros((N, C, H, W))", "np.full((N, C, H, W), y.mean())"), ("column] = y", "column] += y")),
        _with(_UNPOOL, ("= y[n, c, i, j]", "= max(y[n, c, i, j], 0)")),
        _with(_UNPOOL, ("np.zeros((N, C, H, W))", "np.full((N, C, H, W), np.nan)")),
        _with(_UNPOOL, ("    return x", "    return x.reshape(N, C, H * W)")),
        _with(_UNPOOL, ("    return x", "    return x / x.max()")),
        _with(_UNPOOL, ("[n, c, row, column] =", "[0, c, row, column] =")),
        _with(_UNPOOL, ("    return x", "    return x[:, :, ::-1, ::-1]")),
    ],
}  # fmt: skip

RIGHT = {
    "relu_backward": [
        _relu("np.where(np.maximum(x, 0) == 0, 0, dy)"),
        _relu("dy * (np.sign(x) + np.abs(np.sign(x))) / 2"),
        f"{_HEAD}def relu_backward(dy, x):\n    dx = dy.copy()\n    dx[~(x > 0)] *= 0\n    return dx\n",
    ],
    "max_pool": [
        _HEAD + """
def max_pool(x, kernel, stride, ceil_mode):
    N, C, H, W = x.shape
    more = stride - 1 if ceil_mode else 0
    x = np.pad(x, ((0, 0), (0, 0), (0, more), (0, more)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), axis=(2, 3))
    return windows[:, :, ::stride, ::stride].max(axis=(4, 5))
""",
        _HEAD + """
def max_pool(x, kernel, stride, ceil_mode):
    def along(x):  # the last axis alone; the largest of rows, then of columns
        W = x.shape[-1]
        starts = range(0, W - kernel + (stride if ceil_mode else 1), stride)
        return np.stack([x[..., start : start + kernel].max(axis=-1) for start in starts], axis=-1)
    return along(along(x).swapaxes(2, 3)).swapaxes(2, 3)
""",
        _HEAD + """
def max_pool(x, kernel, stride, ceil_mode):
    answer = []
    for picture in x.tolist():
        for channel in picture:
            H, W = len(channel), len(channel[0])
            last = stride - 1 if ceil_mode else 0
            answer += [
                max(channel[h][w] for h in range(i, min(i + kernel, H)) for w in range(j, min(j + kernel, W)))
                for i in range(0, H - kernel + last + 1, stride)
                for j in range(0, W - kernel + last + 1, stride)
            ]
    return np.reshape(answer, (*x.shape[:2], len(range(0, H - kernel + last + 1, stride)), -1))
""",
    ],
    "switches": [
        _HEAD + """
def switches(x, kernel, stride):
    N, C, H, W = x.shape
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), axis=(2, 3))[:, :, ::stride, ::stride]
    tap = windows.reshape(*windows.shape[:4], -1).argmax(axis=-1)
    rows, columns = np.arange(tap.shape[2])[:, None] * stride, np.arange(tap.shape[3]) * stride
    return (rows + tap // kernel) * W + columns + tap % kernel
""",
        _HEAD + """
def switches(x, kernel, stride):
    N, C, H, W = x.shape
    flat = np.arange(H * W).reshape(H, W)
    def one(channel, i, j):
        inside = (slice(i, i + kernel), slice(j, j + kernel))
        return flat[inside].ravel()[channel[inside].ravel().argmax()]
    tops, lefts = range(0, H - kernel + 1, stride), range(0, W - kernel + 1, stride)
    return np.array([[[[one(channel, i, j) for j in lefts] for i in tops] for channel in picture] for picture in x])
""",
        _HEAD + """
def switches(x, kernel, stride):
    N, C, H, W = x.shape
    OH, OW = (H - kernel) // stride + 1, (W - kernel) // stride + 1
    best, places = np.full((N, C, OH, OW), -np.inf), np.zeros((N, C, OH, OW))
    for kh in range(kernel):
        for kw in range(kernel):
            for i in range(OH):
                for j in range(OW):
                    row, column = i * stride + kh, j * stride + kw
                    better = x[:, :, row, column] > best[:, :, i, j]
                    places[:, :, i, j] = np.where(better, row * W + column, places[:, :, i, j])
                    best[:, :, i, j] = np.maximum(best[:, :, i, j], x[:, :, row, column])
    return places
""",
    ],
    "max_unpool": [
        _HEAD + """
def max_unpool(y, switches, H, W):
    N, C = y.shape[:2]
    x = np.zeros((N, C, H * W))
    np.put_along_axis(x, switches.reshape(N, C, -1), y.reshape(N, C, -1), axis=2)
    return x.reshape(N, C, H, W)
""",
        _HEAD + """
def max_unpool(y, switches, H, W):
    N, C = y.shape[:2]
    n, c = np.ogrid[:N, :C]
    x = np.zeros((N, C, H, W))
    x[n[..., None, None], c[..., None, None], switches // W, switches % W] = y
    return x
""",
        _HEAD + """
def max_unpool(y, switches, H, W):
    pictures = []
    for values, places in zip(y.reshape(-1, y[0, 0].size), switches.reshape(-1, y[0, 0].size)):
        sent = dict(zip(places.tolist(), values.tolist()))
        pictures.append([sent.get(place, 0.0) for place in range(H * W)])
    return np.array(pictures).reshape(*y.shape[:2], H, W)
""",
    ],
}  # fmt: skip
