"""Lesson 07 as students answer it: wrong in ways that no exercise lists, and right in unusual ones."""

from __future__ import annotations

from support.students import written

_NORM = """
    mean = x.mean(axis=(0, 2, 3), keepdims=True)
    var = x.var(axis=(0, 2, 3), keepdims=True)
    x_hat = (x - mean) / np.sqrt(var + eps)
    return x_hat * weight.reshape(1, -1, 1, 1) + bias.reshape(1, -1, 1, 1)
"""

_DX = """
    mean = x.mean(axis=(0, 2, 3), keepdims=True)
    std = np.sqrt(x.var(axis=(0, 2, 3), keepdims=True) + eps)
    x_hat = (x - mean) / std
    m1 = dy.mean(axis=(0, 2, 3), keepdims=True)
    m2 = (dy * x_hat).mean(axis=(0, 2, 3), keepdims=True)
    return weight.reshape(1, -1, 1, 1) / std * (dy - m1 - x_hat * m2)
"""


def _slip(body: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in body, old
        body = body.replace(old, new)
    return body


_STD = "O, C, KH, KW = shape\nreturn np.sqrt({} / {})"

WRONG = {
    "initial_std": written(
        "initial_std(shape, kind)",
        "O, C, KH, KW = shape\nreturn 1 / np.sqrt(2 * C * KH * KW) if kind == 'he' else 1 / np.sqrt(C * KH * KW)",
        "O, C, KH, KW = shape\nreturn np.sqrt((1 if kind == 'he' else 2) / (C * KH * KW))",
        "O, C, KH, KW = shape\nreturn np.sqrt((2 if kind == 'he' else 1) / (C + KH + KW))",
        "O, C, KH, KW = shape\nreturn np.sqrt((2 if kind == 'he' else 1) / (KH * KW))",
        "O, C, KH, KW = shape\nreturn np.sqrt((2 if kind == 'he' else 1) * C * KH * KW)",
        "O, C, KH, KW = shape\nreturn np.sqrt((2 if kind == 'he' else 1) / (C * KH))",
        "O, C, KH, KW = shape\nreturn -np.sqrt((2 if kind == 'he' else 1) / (C * KH * KW))",
        "O, C, KH, KW = shape\nreturn 2 * np.sqrt((2 if kind == 'he' else 1) / (C * KH * KW))",
        "O, C, KH, KW = shape\nprint(np.sqrt((2 if kind == 'he' else 1) / (C * KH * KW)))",
        "O, C, KH, KW = shape\nreturn kind, np.sqrt((2 if kind == 'he' else 1) / (C * KH * KW))",
        "O, C, KH, KW = shape\nreturn np.sqrt((2 if kind == 'he' else 1) / (C * KH * KW)) + 1e-3",
        "O, C, KH, KW = shape\nreturn np.sqrt((6 if kind == 'he' else 3) / (C * KH * KW))",
        "O, C, KH, KW = shape\nreturn np.random.default_rng(0).normal(0, np.sqrt(2 / (C * KH * KW)), shape)",
        "O, C, KH, KW = shape\nreturn round(float(np.sqrt((2 if kind == 'he' else 1) / (C * KH * KW))), 2)",
    ),
    "batch_norm": written(
        "batch_norm(x, weight, bias, eps)",
        _slip(_NORM, ("x - mean", "mean - x")),
        _slip(_NORM, (" + eps", "")),
        _slip(_NORM, (" + bias", " - bias")),
        _slip(_NORM, (" + bias.reshape(1, -1, 1, 1)", "")),
        _slip(_NORM, (" * weight.reshape(1, -1, 1, 1)", "")),
        _slip(_NORM, ("return x_hat * ", "return x_hat / ")),
        _slip(_NORM, ("return x_hat", "return x + x_hat")),
        _slip(_NORM, ("bias.reshape(1, -1, 1, 1)", "bias.reshape(1, -1, 1, 1) + 1")),
        _slip(_NORM, ("mean = x.mean(", "mean = np.median(x, ")),
        _slip(_NORM, ("x.var(axis=(0, 2, 3), keepdims=True)", "np.abs(x - mean).mean(axis=(0, 2, 3), keepdims=True) ** 2")),
        _slip(_NORM, ("return x_hat", "return -x_hat"), (" + bias", " - bias")),
        _slip(_NORM, ("return x_hat", "return mean, var, x_hat")),
        _slip(_NORM, ("(0, 2, 3)", "(0, 2)")),
    ),
    "batch_norm_dx": written(
        "batch_norm_dx(dy, x, weight, eps)",
        _slip(_DX, ("x_hat * m2)", "m2)")),
        _slip(_DX, ("dy - m1", "dy + m1")),
        _slip(_DX, ("x_hat * m2)", "x * m2)")),
        _slip(_DX, ("(dy * x_hat).mean", "(dy * x).mean")),
        _slip(_DX, (" / std * (", " / std**2 * (")),
        _slip(_DX, (" / std * (", " * (")),
        _slip(_DX, ("return weight", "return -weight")),
        _slip(_DX, ("x_hat * m2)", "x_hat * m2) / len(x)")),
        _slip(_DX, ("x_hat * m2)", "2 * x_hat * m2)")),
        _slip(_DX, (" + eps)", ")")),
        "return dy * weight.reshape(1, -1, 1, 1)",
    ),
    "running": written(
        "running(old, values, momentum)",
        "return (1 - momentum) * old + values.var(ddof=1)",
        "return momentum * (old + values.var(ddof=1))",
        "return (old + values.var(ddof=1)) / 2",
        "return (1 - momentum) * old - momentum * values.var(ddof=1)",
        "return max(old, values.var(ddof=1))",
        "return (1 - momentum) * old + momentum * np.abs(values - values.mean()).mean()",
        "return old * (1 - momentum) * momentum * values.var(ddof=1)",
        "return (1 - momentum) * old + momentum * values.var() * (len(values) - 1) / len(values)",
        "return -((1 - momentum) * old + momentum * values.var(ddof=1))",
        "return 2 * ((1 - momentum) * old + momentum * values.var(ddof=1))",
        "print((1 - momentum) * old + momentum * values.var(ddof=1))",
        "return (1 - momentum) * old, momentum * values.var(ddof=1)",
        "return f'{(1 - momentum) * old + momentum * values.var(ddof=1):.3f}'",
        "return ((1 - momentum) * old + momentum * values.var(ddof=1)) * np.ones(len(values))",
    ),
}  # fmt: skip

RIGHT = {
    "initial_std": written(
        "initial_std(shape, kind)",
        "gain = 2 if kind == 'he' else 1\nreturn (gain / (shape[1] * shape[2] * shape[3])) ** 0.5",
        "return np.float32(np.sqrt({'he': 2.0, 'xavier': 1.0}[kind] / np.zeros(shape)[0].size))",
        "import math\nreturn math.exp(0.5 * (math.log(2 if kind == 'he' else 1) - sum(math.log(n) for n in shape[1:])))",
    ),
    "batch_norm": written(
        "batch_norm(x, weight, bias, eps)",
        _NORM,
        """
        y = np.empty(x.shape)
        for c in range(x.shape[1]):
            values = x[:, c].ravel()
            mean = sum(values) / len(values)
            var = sum((v - mean) ** 2 for v in values) / len(values)
            y[:, c] = weight[c] * (x[:, c] - mean) / (var + eps) ** 0.5 + bias[c]
        return y
        """,
        """
        flat = np.moveaxis(x, 1, 0).reshape(x.shape[1], -1)
        mean, square = flat.mean(axis=1), (flat**2).mean(axis=1)
        factor = weight / np.sqrt(square - mean**2 + eps)
        return np.einsum("nchw,c->nchw", x, factor) + (bias - mean * factor)[None, :, None, None]
        """,
    ),
    "batch_norm_dx": written(
        "batch_norm_dx(dy, x, weight, eps)",
        _DX,
        """
        dx = np.zeros(x.shape)
        for c in range(x.shape[1]):
            v, d = x[:, c].ravel(), dy[:, c].ravel()
            M = v.size
            centred = v - v.mean()
            std = np.sqrt((centred**2).mean() + eps)
            jacobian = (np.eye(M) - 1 / M) / std - np.outer(centred, centred) / (M * std**3)
            dx[:, c] = (weight[c] * jacobian @ d).reshape(x[:, c].shape)
        return dx
        """,
        """
        w = weight[:, None, None]
        M = x.size // x.shape[1]
        total = lambda a: a.sum(axis=(0, 2, 3), keepdims=True)
        centred = x - total(x) / M
        var = total(centred**2) / M + eps
        dvar = total(dy * w * centred) * -0.5 * var**-1.5
        dmean = -total(dy * w) / np.sqrt(var)
        return dy * w / np.sqrt(var) + dvar * 2 * centred / M + dmean / M
        """,
    ),
    "running": written(
        "running(old, values, momentum)",
        "return old + momentum * (np.var(values, ddof=1) - old)",
        "import statistics\nreturn (1 - momentum) * old + momentum * statistics.variance(map(float, values))",
        "M = len(values)\nreturn np.float32((1 - momentum) * old + momentum * values.var() * M / (M - 1))",
    ),
}  # fmt: skip
