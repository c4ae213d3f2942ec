"""Lesson 18 as students answer it: wrong in ways that no exercise lists, and right in unusual ones."""

from __future__ import annotations

from support.students import written

_RIGHT = {
    1: "void as background",
    2: "masks of other pictures",
    3: "examined in training mode",
    4: "red and blue exchanged",
    5: "loss summed",
    6: "crop off by two",
    7: "rate too small",
    8: "averaged by picture",
    9: "masks resized smoothly",
    10: "kernels too small",
}


def _names(**changes: str) -> str:
    names = _RIGHT | {int(number[1:]): name for number, name in changes.items()}
    return f"return {names!r}[patient]"


_CROP = """
    top = (scores.shape[2] - H) // 2
    left = (scores.shape[3] - W) // 2
    return scores[:, :, top : top + H, left : left + W]
"""

_AVERAGE = """
    whole = matrices.sum(axis=0)
    hits = np.diag(whole)
    union = whole.sum(axis=0) + whole.sum(axis=1) - hits
    return (hits[union > 0] / union[union > 0]).mean()
"""


def _slip(body: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in body, old
        body = body.replace(old, new)
    return body


WRONG = {
    "diagnosis": written(
        "diagnosis(patient)",
        _names(p1="masks resized smoothly"),
        _names(p2="rate too small"),
        _names(p7="masks of other pictures"),
        _names(p4="classes shifted by one"),
        _names(p5="rate too large"),
        _names(p5="gradients not zeroed"),
        _names(p10="kernels of zero"),
        _names(p6="void as background", p1="crop off by two"),
        _names(p9="void as background", p1="masks resized smoothly"),
        _names(p3="averaged by picture", p8="examined in training mode"),
        _names(p8="pictures not scaled"),
        _names(p9="pictures flipped alone"),
        _names(p1="healthy"),
        "return 'rate too small'",
        "return patient",
    ),
    "cure_colours": written(
        "cure_colours(x)",
        "return x[0, ::-1]",
        "return x[:, 2]",
        "return x.transpose(0, 1, 3, 2)",
        "return x[:, [2, 1]]",
        "return x[:, [2, 2, 2]]",
        "return x.mean(axis=1, keepdims=True).repeat(3, 1)",
        "return 255 - x[:, ::-1]",
        "return x[:, ::-1] * 2",
    ),
    "cure_crop": written(
        "cure_crop(scores, H, W)",
        _slip(_CROP, ("top : top + H", "top + 1 : top + 1 + H")),
        _slip(_CROP, ("left : left + W", "left + 1 : left + 1 + W")),
        _slip(_CROP, ("top : top + H", "top - 1 : top - 1 + H")),
        _slip(_CROP, ("// 2", "// 4")),
        _slip(_CROP, ("top : top + H", "top : -top - 1")),
        _slip(_CROP, ("top : top + H, left : left + W", "left : left + H, top : top + W")),
        _slip(_CROP, ("return scores", "return -scores")),
        _slip(_CROP, ("scores[:, :, top : top + H, left : left + W]", "scores[:, top : top + H, left : left + W]")),
        _slip(_CROP, ("scores[:, :, top : top + H, left : left + W]", "scores[0, :, top : top + H, left : left + W]")),
    ),
    "cure_average": written(
        "cure_average(matrices)",
        _slip(_AVERAGE, ("- hits", "")),
        _slip(_AVERAGE, (".mean()", ".sum()")),
        _slip(_AVERAGE, ("return ", "return 100 * ")),
        _slip(_AVERAGE, ("matrices.sum(axis=0)", "matrices.mean(axis=0)[1:, 1:]")),
        _slip(_AVERAGE, ("whole.sum(axis=1) - hits", "whole.sum(axis=0) - hits")),
        _slip(_AVERAGE, ("(hits[union > 0] / union[union > 0]).mean()", "hits.sum() / union.sum()")),
        _slip(_AVERAGE, ("(hits[union > 0] / union[union > 0]).mean()", "np.median(hits[union > 0] / union[union > 0])")),
        _slip(_AVERAGE, ("(hits[union > 0] / union[union > 0]).mean()", "hits[union > 0] / union[union > 0]")),
    ),
    "cure_rate": written(
        "cure_rate(lr, labels)",
        "return lr / 35000",
        "return lr / (labels > 0).sum()",
        "return lr / (labels == 0).sum()",
        "return lr / labels.sum()",
        "return lr / (labels.shape[1] * labels.shape[2])",
        "return lr * (labels != 255).mean()",
        "return lr / (labels != 255).mean()",
        "return 1 / (labels != 255).sum()",
        "return lr / (2 * (labels != 255).sum())",
    ),
}  # fmt: skip

RIGHT = {
    "diagnosis": written(
        "diagnosis(patient)",
        _names(),
        f"names = {list(_RIGHT.values())!r}\nreturn names[patient - 1]",
        "from minifcn.course.clinic.charts import chart\n"
        "from minifcn.course.clinic.illnesses import NAMES, against\n"
        "return next(name for name in NAMES if not against(name, chart(patient)))",
    ),
    "cure_colours": written(
        "cure_colours(x)",
        "return x[:, ::-1]",
        "return x[:, [2, 1, 0]].copy()",
        "blue, green, red = np.moveaxis(x, 1, 0)\nreturn np.stack([red, green, blue], axis=1)",
    ),
    "cure_crop": written(
        "cure_crop(scores, H, W)",
        _CROP,
        """
        above, before = scores.shape[2] - H, scores.shape[3] - W
        return scores[..., above // 2 : scores.shape[2] - above // 2, before // 2 : scores.shape[3] - before // 2]
        """,
        """
        rows = np.arange(H) + (scores.shape[2] - H) // 2
        columns = np.arange(W) + (scores.shape[3] - W) // 2
        return scores.take(rows, axis=2).take(columns, axis=3)
        """,
    ),
    "cure_average": written(
        "cure_average(matrices)",
        _AVERAGE,
        """
        whole = sum(matrices)
        found = []
        for c in range(len(whole)):
            union = whole[c].sum() + whole[:, c].sum() - whole[c, c]
            if union:
                found.append(whole[c, c] / union)
        return sum(found) / len(found)
        """,
        """
        whole = np.einsum("nij->ij", matrices).astype(float)
        with np.errstate(all="ignore"):
            return np.nanmean(np.diag(whole) / (whole.sum(0) + whole.sum(1) - np.diag(whole)))
        """,
    ),
    "cure_rate": written(
        "cure_rate(lr, labels)",
        "return lr / (labels != 255).sum()",
        "return lr / np.count_nonzero(labels < 255)",
        "return lr / sum(int(label != 255) for label in labels.ravel().tolist())",
    ),
}  # fmt: skip
