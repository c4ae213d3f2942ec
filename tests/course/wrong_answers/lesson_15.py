"""Lesson 15 as students answer it: wrong in ways that no exercise lists, and right in unusual ones."""

from __future__ import annotations

from support.students import written

_RATES = """
    found = {}
    for name in names:
        layer, kind = name.split(".")
        rate = lr
        if kind == "bias":
            rate = rate * 2
        if layer.startswith("score"):
            rate = rate * 10
        if layer in frozen:
            rate = 0
        found[name] = rate
    return found
"""

_FOLD = """
    new_weight = weight / (255 * std[:, None, None])
    shift = (m / 255 - mean) / std
    new_bias = bias + np.einsum("oihw,i->o", weight, shift)
    return new_weight[:, ::-1], new_bias
"""

_TRANSPLANT = """
    found = {}
    for name, own in mine.items():
        theirs = source.get(name)
        if theirs is None:
            found[name] = own
        elif theirs.shape == own.shape:
            found[name] = theirs
        elif theirs.ndim == 2 and theirs.shape[0] == own.shape[0] and theirs.size == own.size:
            found[name] = theirs.reshape(own.shape)
        else:
            found[name] = own
    return found
"""


def _slip(body: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in body, old
        body = body.replace(old, new)
    return body


WRONG = {
    "rates": written(
        "rates(names, lr, frozen)",
        "return {name: lr for name in names}",
        _slip(_RATES, ("rate = rate * 2", "rate = rate ** 2")),
        _slip(_RATES, ("rate = rate * 10", "rate = 10")),
        _slip(_RATES, ("rate = lr", "rate = 1")),
        _slip(_RATES, ("rate = 0", "rate = -1")),
        _slip(_RATES, ("rate = 0", "rate = lr / 10")),
        _slip(_RATES, ("if layer in frozen", "if name in frozen")),
        _slip(_RATES, ("rate = rate * 10", "rate = lr * 10")),
        _slip(_RATES, ("found[name] = rate", "found[layer] = rate")),
        _slip(_RATES, ("return found", "return list(found.values())")),
        _slip(_RATES, ("rate = rate * 2", "rate = rate * 3")),
        _slip(_RATES, ('kind == "bias"', 'kind == "weight"')),
        _slip(_RATES, ('layer.startswith("score")', 'layer.endswith("score")')),
        _slip(_RATES, ('if layer.startswith("score")', 'elif layer.startswith("score")')),
        _slip(_RATES, ("if layer in frozen", 'if layer in frozen and kind == "weight"')),
    ),
    "fold": written(
        "fold(weight, bias, mean, std, m)",
        "return weight, bias",
        "return weight[:, ::-1], bias",
        _slip(_FOLD, ("(m / 255 - mean) / std", "(mean - m / 255) / std")),
        _slip(_FOLD, ("(m / 255 - mean) / std", "m / 255 - mean / std")),
        _slip(_FOLD, ("(m / 255 - mean) / std", "(m / 255 - mean) * std")),
        _slip(_FOLD, ("(m / 255 - mean) / std", "(m - mean) / (255 * std)")),
        _slip(_FOLD, ("(m / 255 - mean) / std", "(m / 255 + mean) / std")),
        _slip(_FOLD, ("weight / (255 * std[:, None, None])", "weight / 255 * std[:, None, None]")),
        _slip(_FOLD, ("weight / (255 * std[:, None, None])", "weight / std[:, None, None]")),
        _slip(_FOLD, ("weight / (255 * std[:, None, None])", "weight * 255 / std[:, None, None]")),
        _slip(_FOLD, ("bias + np.einsum", "np.einsum")),
        _slip(_FOLD, ("new_weight[:, ::-1], new_bias", "new_weight[::-1], new_bias")),
        _slip(_FOLD, ("new_weight[:, ::-1], new_bias", "new_weight[..., ::-1], new_bias")),
        _slip(_FOLD, ("new_weight[:, ::-1], new_bias", "new_bias, new_weight[:, ::-1]")),
        _slip(_FOLD, ("new_weight[:, ::-1], new_bias", "new_weight[:, ::-1]")),
        _slip(_FOLD, ('np.einsum("oihw,i->o", weight, shift)', 'np.einsum("oihw,i->o", weight, shift) / weight[0, 0].size')),
        _slip(_FOLD, ('np.einsum("oihw,i->o", weight, shift)', "shift.sum()")),
        _slip(_FOLD, ("new_bias = bias +", "new_bias = bias / 255 +")),
    ),
    "transplant": written(
        "transplant(mine, source)",
        "return source",
        "return mine",
        _slip(_TRANSPLANT, ("theirs.shape[0] == own.shape[0] and theirs.size == own.size", "theirs.size == own.size")),
        _slip(_TRANSPLANT, ("theirs.reshape(own.shape)", "theirs.T.reshape(own.shape)")),
        _slip(_TRANSPLANT, ("theirs.reshape(own.shape)", "theirs.reshape(own.shape, order='F')")),
        _slip(_TRANSPLANT, ("theirs.reshape(own.shape)", "theirs")),
        _slip(_TRANSPLANT, ("theirs.reshape(own.shape)", "theirs.reshape(own.shape)[..., ::-1]")),
        _slip(_TRANSPLANT, ("theirs.ndim == 2 and", "own.ndim == 2 and")),
        _slip(_TRANSPLANT, ("theirs.ndim == 2 and ", "")),
        _slip(_TRANSPLANT, ("            found[name] = theirs\n", "            found[name] = theirs + own\n")),
        _slip(_TRANSPLANT, ("theirs.shape == own.shape", "theirs.ndim == own.ndim")),
        _slip(_TRANSPLANT, ("theirs.shape == own.shape", "theirs.size == own.size")),
        _slip(_TRANSPLANT, ("else:\n            found[name] = own", "else:\n            found[name] = 0 * own")),
        _slip(_TRANSPLANT, ("    return found", "    return list(found)")),
        _slip(_TRANSPLANT, ('source.get(name)', 'source.get(name.split(".")[0])')),
    ),
}  # fmt: skip

RIGHT = {
    "rates": written(
        "rates(names, lr, frozen)",
        _RATES,
        """
        def factor(name):
            layer = name[: name.index(".")]
            return (layer not in frozen) * (1 + name.endswith(".bias")) * 10 ** (name[:5] == "score")
        return {name: factor(name) * lr for name in names}
        """,
        """
        values = np.full(len(names), float(lr))
        values *= [2.0 if "bias" in name else 1.0 for name in names]
        values *= [10.0 if name.startswith("score") else 1.0 for name in names]
        values[[name.split(".")[0] in frozen for name in names]] = 0
        return dict(zip(names, values))
        """,
    ),
    "fold": written(
        "fold(weight, bias, mean, std, m)",
        _FOLD,
        """
        new, shift = np.empty_like(weight), bias.copy()
        for c in range(3):
            new[:, 2 - c] = weight[:, c] / std[c] / 255
            shift += weight[:, c].sum((1, 2)) * (m[c] - 255 * mean[c]) / (255 * std[c])
        return [new, shift]
        """,
        """
        scale, offset = 1 / (255 * std), (m / 255 - mean) / std
        by_channel = weight.transpose(0, 2, 3, 1)
        more = np.tensordot(by_channel.sum(axis=(1, 2)), offset, 1)
        return np.flip((by_channel * scale).transpose(0, 3, 1, 2), 1), more + bias
        """,
    ),
    "transplant": written(
        "transplant(mine, source)",
        _TRANSPLANT,
        """
        def fits(own, theirs):
            return theirs.shape == own.shape or (
                theirs.ndim == 2 and len(theirs) == len(own) and theirs.size == own.size
            )
        return {
            name: source[name].reshape(own.shape).copy() if name in source and fits(own, source[name]) else own.copy()
            for name, own in mine.items()
        }
        """,
        """
        result = dict(mine)
        for name in set(mine) & set(source):
            rows = mine[name].reshape(len(mine[name]), -1)
            if source[name].shape in (mine[name].shape, rows.shape):
                result[name] = np.resize(source[name], mine[name].shape)
        return result
        """,
    ),
}  # fmt: skip
