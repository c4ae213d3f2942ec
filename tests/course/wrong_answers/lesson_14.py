"""Lesson 14 as students answer it: wrong in ways that no exercise lists, and right in unusual ones."""

from __future__ import annotations

from support.students import written

_CROP = """
    H, W = labels.shape
    new_image = np.zeros((height, width, 3), np.uint8)
    new_labels = np.full((height, width), 255, np.uint8)
    for row in range(height):
        for column in range(width):
            y, x = top + row, left + column
            if 0 <= y < H and 0 <= x < W:
                new_image[row, column] = image[y, x]
                new_labels[row, column] = labels[y, x]
    return new_image, new_labels
"""

_COLLATE = """
    H = max(one.shape[0] for one in labels)
    W = max(one.shape[1] for one in labels)
    x = np.zeros((len(images), H, W, 3), np.uint8)
    y = np.full((len(images), H, W), 255, np.uint8)
    for n in range(len(images)):
        h, w = labels[n].shape
        x[n, :h, :w] = images[n]
        y[n, :h, :w] = labels[n]
    return x, y
"""


def _slip(body: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in body, old
        body = body.replace(old, new)
    return body


WRONG = {
    "flip": written(
        "flip(image, labels)",
        "return image, labels",
        "return image[:, ::-1]",
        "return image[:, ::-1], labels[::-1]",
        "return image[::-1], labels[:, ::-1]",
        "return image[:, ::-1, ::-1], labels[:, ::-1]",
        "return image[:, ::-1], 255 - labels[:, ::-1]",
        "return 255 - image[:, ::-1], labels[:, ::-1]",
        "return image[:, 1:][:, ::-1], labels[:, 1:][:, ::-1]",
        "return np.roll(image, 1, axis=1), np.roll(labels, 1, axis=1)",
        "return np.sort(image, axis=1)[:, ::-1], np.sort(labels, axis=1)[:, ::-1]",
        "return image[:, ::-1], labels[:, ::-1], labels",
        "return image[:, ::-1] // 2, labels[:, ::-1]",
    ),
    "crop_both": written(
        "crop_both(image, labels, top, left, height, width)",
        _slip(_CROP, ("np.full((height, width), 255, np.uint8)", "np.full((height, width), 254, np.uint8)")),
        _slip(_CROP, ("y, x = top + row, left + column", "y, x = top + row + 1, left + column + 1")),
        _slip(_CROP, ("y, x = top + row, left + column", "y, x = row - top, left + column")),
        _slip(_CROP, ("y, x = top + row, left + column", "y, x = top + height - 1 - row, left + column")),
        _slip(_CROP, ("0 <= y < H and 0 <= x < W", "0 < y < H and 0 < x < W")),
        _slip(_CROP, ("0 <= y < H and 0 <= x < W", "0 <= y < H - 1 and 0 <= x < W - 1")),
        _slip(_CROP, ("return new_image, new_labels", "return new_image")),
        _slip(_CROP, ("return new_image, new_labels", "return new_labels, new_image")),
        _slip(_CROP, ("return new_image, new_labels", "return new_image[:, ::-1], new_labels[:, ::-1]")),
        _slip(_CROP, ("return new_image, new_labels", "return image, new_labels")),
        _slip(_CROP, ("= image[y, x]", "= image[y, x, ::-1]")),
        _slip(_CROP, ("= labels[y, x]", "= labels[y, x] % 255")),
        _slip(_CROP, ("top + row", "max(top, 0) + row"), ("left + column", "max(left, 0) + column")),
    ),
    "collate": written(
        "collate(images, labels)",
        _slip(_COLLATE, ("np.full((len(images), H, W), 255, np.uint8)", "np.full((len(images), H, W), 254, np.uint8)")),
        _slip(_COLLATE, ("return x, y", "return x.transpose(0, 2, 1, 3), y.transpose(0, 2, 1)")),
        _slip(_COLLATE, ("return x, y", "return x.transpose(0, 3, 1, 2), y")),
        _slip(_COLLATE, ("return x, y", "return y, x")),
        _slip(_COLLATE, ("return x, y", "return x")),
        _slip(_COLLATE, ("return x, y", "return x[::-1], y[::-1]")),
        _slip(_COLLATE, ("return x, y", "return x[:, ::-1], y[:, ::-1]")),
        _slip(_COLLATE, ("return x, y", "return x / 255, y")),
        _slip(_COLLATE, ("x[n, :h, :w] = images[n]", "x[n, :h, :w] = images[0][:1, :1]")),
        _slip(_COLLATE, ("y[n, :h, :w] = labels[n]", "y[n, :h, :w] = labels[n] % 255")),
        _slip(_COLLATE, ("for n in range(len(images))", "for n in range(len(images) - 1)")),
        _slip(_COLLATE, ("H = max(one.shape[0] for one in labels)", "H = 1 + max(one.shape[0] for one in labels)")),
    ),
}  # fmt: skip

RIGHT = {
    "flip": written(
        "flip(image, labels)",
        "return np.fliplr(image), np.fliplr(labels)",
        "both = np.dstack([image, labels])[:, ::-1]\nreturn [both[..., :3], both[..., 3]]",
        "order = list(range(labels.shape[1]))[::-1]\nreturn image[:, order].astype(float), labels[:, order].astype(int)",
    ),
    "crop_both": written(
        "crop_both(image, labels, top, left, height, width)",
        _CROP,
        """
        far = height + width + max(labels.shape) + abs(top) + abs(left)
        image = np.pad(image, ((far, far), (far, far), (0, 0)))
        labels = np.pad(labels, far, constant_values=255)
        window = np.s_[top + far : top + far + height, left + far : left + far + width]
        return image[window], labels[window]
        """,
        """
        H, W = labels.shape
        rows, columns = np.arange(top, top + height), np.arange(left, left + width)
        inside = ((rows >= 0) & (rows < H))[:, None] & ((columns >= 0) & (columns < W))
        where = np.ix_(rows.clip(0, H - 1), columns.clip(0, W - 1))
        return image[where] * inside[..., None], np.where(inside, labels[where], 255)
        """,
    ),
    "collate": written(
        "collate(images, labels)",
        _COLLATE,
        """
        H, W = np.max([one.shape for one in labels], axis=0)
        x = [np.pad(one, ((0, H - len(one)), (0, W - one.shape[1]), (0, 0))) for one in images]
        y = [np.pad(one, ((0, H - len(one)), (0, W - one.shape[1])), constant_values=255) for one in labels]
        return np.stack(x), np.stack(y)
        """,
        """
        shapes = [one.shape for one in labels]
        H, W = max(h for h, _ in shapes), max(w for _, w in shapes)
        x, y = np.zeros((len(images), H, W, 3)), 255 + np.zeros((len(images), H, W))
        for batch, some in ((x, images), (y, labels)):
            for place, one in zip(batch, some):
                place[: one.shape[0], : one.shape[1]] = one
        return [x, y]
        """,
    ),
}  # fmt: skip
