"""Lesson 09 as students answer it: wrong in ways that no exercise lists, and right in unusual ones."""

from __future__ import annotations

from support.students import written

_COUNT = """
    total, C, side, flat = 0, 3, 224, None
    for kind, K, O in table:
        if kind == "conv":
            total += K * K * C * O + O
            C = O
        elif kind == "pool":
            side = side // 2
        else:
            inputs = flat or C * side * side
            total += inputs * O + O
            flat = O
    return total
"""

_SLIDE = """
    C, H, W = x.shape
    O = len(conv)
    maps = np.zeros((O, H - 2, W - 2))
    for o in range(O):
        for h in range(H - 2):
            for w in range(W - 2):
                maps[o, h, w] = max(0, (x[:, h : h + 3, w : w + 3] * conv[o]).sum())
    PH, PW = (H - 2) // 2, (W - 2) // 2
    pooled = np.zeros((O, PH, PW))
    for h in range(PH):
        for w in range(PW):
            pooled[:, h, w] = maps[:, 2 * h : 2 * h + 2, 2 * w : 2 * w + 2].max(axis=(1, 2))
    heat = np.zeros((len(fc), PH - 1, PW - 1))
    for h in range(PH - 1):
        for w in range(PW - 1):
            heat[:, h, w] = fc @ pooled[:, h : h + 2, w : w + 2].ravel()
    return heat
"""


def _slip(body: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in body, old
        body = body.replace(old, new)
    return body


WRONG = {
    "fc_to_conv": written(
        "fc_to_conv(weight, C, KH, KW)",
        "return weight.reshape(C, len(weight), KH, KW)",
        "return weight.reshape(len(weight), C, KH * KW)",
        "return weight.reshape(len(weight), C, KH, KW)[:, :, ::-1]",
        "return weight.reshape(len(weight), C, KH, KW)[:, ::-1]",
        "return weight.reshape(len(weight), C, KH, KW)[::-1]",
        "return weight.reshape(len(weight), C, KH, KW) / (KH * KW)",
        "return -weight.reshape(len(weight), C, KH, KW)",
        "return weight.reshape(len(weight), C, KH, KW).sum(axis=1)",
        "return weight.reshape(len(weight), C, KH, KW)[0]",
        "return weight",
        "return weight.reshape(len(weight), C, KH, KW)[..., ::-1]",
        "return weight.reshape(len(weight), C, KH, KW).astype(int)",
    ),
    "parameters": written(
        "parameters(table)",
        _slip(_COUNT, ("inputs * O + O", "inputs * O")),
        _slip(_COUNT, ("K * K * C * O + O", "K * K * C * O")),
        _slip(_COUNT, ("K * K * C * O + O", "K * K * C * O + C")),
        _slip(_COUNT, ("K * K * C * O + O", "K * K * C * O + 1")),
        _slip(_COUNT, ("K * K * C * O + O", "(K * K + C) * O + O")),
        _slip(_COUNT, ("K * K * C * O + O", "K * K * O + O")),
        _slip(_COUNT, ("side = side // 2", "side = side - 2")),
        _slip(_COUNT, ("C * side * side", "C * side")),
        _slip(_COUNT, ("flat or C * side * side", "C * side * side")),
        _slip(_COUNT, ("224", "32")),
        _slip(_COUNT, ("return total", "return total / 1e6")),
        _slip(_COUNT, ("            C = O\n", "            C += O\n")),
        _slip(_COUNT, ("return total", "return 4 * total")),
    ),
    "scores_of_any_size": written(
        "scores_of_any_size(x, conv, fc)",
        _slip(_SLIDE, ("* conv[o]).sum()", "* conv[o, :, ::-1, ::-1]).sum()")),
        _slip(_SLIDE, ("x[:, h : h + 3, w : w + 3] * conv[o]", "x[0, h : h + 3, w : w + 3] * conv[o, 0]")),
        _slip(_SLIDE, (".max(axis=(1, 2))", ".sum(axis=(1, 2))")),
        _slip(_SLIDE, (".max(axis=(1, 2))", ".min(axis=(1, 2))")),
        _slip(_SLIDE, ("w : w + 2].ravel()", "w : w + 2].transpose(0, 2, 1).ravel()")),
        _slip(_SLIDE, ("return heat", "return heat.transpose(0, 2, 1)")),
        _slip(_SLIDE, ("return heat", "return heat[None]")),
        _slip(_SLIDE, ("return heat", "return heat.argmax(axis=0)")),
        _slip(_SLIDE, ("return heat", "return heat.max(axis=(1, 2))")),
        _slip(_SLIDE, ("return heat", "return np.maximum(heat, 0)")),
        _slip(_SLIDE, ("return heat", "return heat[::-1]")),
        _slip(_SLIDE, ("return heat", "return heat - heat.max(axis=0)")),
        _slip(_SLIDE, ("return heat", "return heat[:, ::2, ::2]")),
    ),
}  # fmt: skip

RIGHT = {
    "fc_to_conv": written(
        "fc_to_conv(weight, C, KH, KW)",
        "return np.stack([row.reshape(C, KH, KW) for row in weight])",
        "return weight.T.reshape(C, KH, KW, -1).transpose(3, 0, 1, 2)",
        "O = len(weight)\nreturn [[[[float(weight[o, (c * KH + h) * KW + w]) for w in range(KW)] for h in range(KH)] "
        "for c in range(C)] for o in range(O)]",
    ),
    "parameters": written(
        "parameters(table)",
        _COUNT,
        """
        def walk(table, C, side):
            if not table:
                return 0
            (kind, K, O), rest = table[0], table[1:]
            if kind == "pool":
                return walk(rest, C, side / 2)
            cells = K * K if kind == "conv" else side * side
            return O * (C * cells + 1) + walk(rest, O, side if kind == "conv" else 1)
        return walk(list(table), 3, 224)
        """,
        """
        shape, weights = (3, 224, 224), []
        for kind, K, O in table:
            if kind == "pool":
                shape = (shape[0], shape[1] // 2, shape[2] // 2)
            elif kind == "conv":
                weights += [O * shape[0] * K * K, O]
                shape = (O, *shape[1:])
            else:
                weights += [O * int(np.prod(shape)), O]
                shape = (O,)
        return np.sum(weights)
        """,
    ),
    "scores_of_any_size": written(
        "scores_of_any_size(x, conv, fc)",
        _SLIDE,
        """
        C, H, W = x.shape
        def classifier(crop):
            windows = np.lib.stride_tricks.sliding_window_view(crop, (3, 3), (1, 2))
            maps = np.maximum(np.einsum("chwij,ocij->ohw", windows, conv), 0)
            return fc @ maps.reshape(len(conv), 2, 2, 2, 2).max(axis=(2, 4)).ravel()
        h, w = (H - 2) // 2 - 1, (W - 2) // 2 - 1
        return np.array([[classifier(x[:, 2 * i : 2 * i + 6, 2 * j : 2 * j + 6]) for j in range(w)]
                         for i in range(h)]).transpose(2, 0, 1)
        """,
        """
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))
        maps = np.clip(np.tensordot(conv, windows, ((1, 2, 3), (0, 3, 4))), 0, None)
        h, w = maps.shape[1] // 2, maps.shape[2] // 2
        pooled = maps[:, : 2 * h, : 2 * w].reshape(len(conv), h, 2, w, 2).max(axis=4).max(axis=2)
        kernel = fc.reshape(len(fc), -1, 2, 2)
        return sum(np.einsum("ohw,ko->khw", pooled[:, i : h - 1 + i, j : w - 1 + j], kernel[:, :, i, j])
                   for i in (0, 1) for j in (0, 1))
        """,
    ),
}  # fmt: skip
