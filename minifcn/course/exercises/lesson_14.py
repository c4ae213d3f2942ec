"""Exercises of lesson 14: a picture and its mask mirrored, cut, and put into one batch with others."""

from __future__ import annotations

import numpy as np

from minifcn.course.exercises import Exercise

VOID = 255

# -------------------------------------------------------------------------------------------------------------- flip


def flip(image, labels):
    """The image (H, W, 3) and its labels (H, W), both mirrored left to right."""
    return image[:, ::-1], labels[:, ::-1]


def labels_left_behind(right, image, labels):
    """The labels are not mirrored: the mask goes along with its picture."""
    return image[:, ::-1], labels


def image_left_behind(right, image, labels):
    """The image is not mirrored, only its labels: both."""
    return image, labels[:, ::-1]


def upside_down(right, image, labels):
    """Top and bottom are exchanged; left and right are axis 1, the columns."""
    return image[::-1], labels[::-1]


def turned_around(right, image, labels):
    """Both axes are turned, which is half a turn; mirror the columns alone."""
    return image[::-1, ::-1], labels[::-1, ::-1]


def colours_reversed(right, image, labels):
    """The colours are reversed (axis 2: red and blue are exchanged); the columns are axis 1."""
    return image[..., ::-1], labels[:, ::-1]


def transposed(right, image, labels):
    """Rows and columns are exchanged; a mirror image has the size of its picture."""
    return image.transpose(1, 0, 2), labels.T


def exchanged(right, image, labels):
    """The two are exchanged: the image first, then the labels."""
    return right(image, labels)[::-1]


def void_lost(right, image, labels):
    """Void has become background: 255 stays 255."""
    return image[:, ::-1], np.where(labels == VOID, 0, labels)[:, ::-1]


def _labelled(rng: np.random.Generator, H: int, W: int) -> tuple[np.ndarray, np.ndarray]:
    labels = rng.integers(0, 5, (H, W)).astype(np.uint8)
    labels[rng.random((H, W)) < 0.2] = VOID
    return rng.integers(0, 256, (H, W, 3)).astype(np.uint8), labels


def _flip_cases() -> list[tuple]:
    rng = np.random.default_rng(140)
    return [_labelled(rng, *size) for size in ((2, 3), (4, 7), (5, 2), (6, 9))]


FLIP = Exercise(
    flip,
    _flip_cases(),
    (
        labels_left_behind, image_left_behind, upside_down, turned_around, colours_reversed, transposed, exchanged, void_lost,
    ),
    parts=("the image", "the labels"),
    step="warm-up",
)  # fmt: skip

# --------------------------------------------------------------------------------------------------------- crop_both


def crop_both(image, labels, top, left, height, width):
    """The window of height x width whose first pixel is (top, left); outside of the picture the image is 0, labels are void."""
    return _window(image, labels, top, left, height, width)


def _window(image, labels, top, left, height, width, outside=VOID, colour=0):
    H, W = labels.shape
    new_image = np.full((height, width, 3), colour, np.uint8)
    new_labels = np.full((height, width), outside, np.uint8)
    for row in range(height):
        for column in range(width):
            y, x = top + row, left + column
            if 0 <= y < H and 0 <= x < W:
                new_image[row, column], new_labels[row, column] = image[y, x], labels[y, x]
    return new_image, new_labels


def background_outside(right, image, labels, top, left, height, width):
    """Outside of the picture your labels are 0, background; nobody knows what is there, so it is void, 255."""
    return _window(image, labels, top, left, height, width, outside=0)


def wrapped_around(right, image, labels, top, left, height, width):
    """The picture is wrapped around: what leaves on one side comes in on the other. Outside there is nothing."""
    rows, columns = np.arange(top, top + height) % labels.shape[0], np.arange(left, left + width) % labels.shape[1]
    return image[rows][:, columns], labels[rows][:, columns]


def edge_repeated(right, image, labels, top, left, height, width):
    """The pixels at the edge are repeated outside of the picture; outside there is nothing: 0 and void."""
    rows = np.clip(np.arange(top, top + height), 0, labels.shape[0] - 1)
    columns = np.clip(np.arange(left, left + width), 0, labels.shape[1] - 1)
    return image[rows][:, columns], labels[rows][:, columns]


def only_what_is_there(right, image, labels, top, left, height, width):
    """Your window is as large as what it shows of the picture; it is always height x width."""
    y0, x0 = max(top, 0), max(left, 0)
    return image[y0 : max(top + height, 0), x0 : max(left + width, 0)], labels[
        y0 : max(top + height, 0), x0 : max(left + width, 0)
    ]


def from_the_corner(right, image, labels, top, left, height, width):
    """The window always begins at the top left corner of the picture: begin at (top, left)."""
    return right(image, labels, 0, 0, height, width)


def sides_exchanged(right, image, labels, top, left, height, width):
    """Height and width are exchanged: rows first."""
    return right(image, labels, top, left, width, height)


def row_for_column(right, image, labels, top, left, height, width):
    """The two offsets are exchanged: top is a row, left a column."""
    return right(image, labels, left, top, height, width)


def sign_turned(right, image, labels, top, left, height, width):
    """The offset goes the other way: pixel (0, 0) of the window is pixel (top, left) of the picture."""
    return right(image, labels, -top, -left, height, width)


def void_in_the_image(right, image, labels, top, left, height, width):
    """Outside of the picture the *image* is 255, white; it is 0 there. The labels are 255."""
    return _window(image, labels, top, left, height, width, colour=VOID)


def labels_not_cut(right, image, labels, top, left, height, width):
    """The labels are not cut: image and labels have one size, always."""
    return right(image, labels, top, left, height, width)[0], labels


def _crop_cases() -> list[tuple]:
    rng = np.random.default_rng(141)
    windows = (
        ((6, 8), (1, 2, 3, 4)),
        ((5, 7), (-2, 3, 4, 3)),
        ((4, 6), (1, -3, 5, 11)),
        ((7, 5), (5, 3, 4, 6)),
        ((3, 4), (-1, -2, 6, 9)),
    )
    return [(*_labelled(rng, *size), *window) for size, window in windows]


CROP_BOTH = Exercise(
    crop_both,
    _crop_cases(),
    (
        background_outside, wrapped_around, edge_repeated, only_what_is_there, from_the_corner, sides_exchanged, row_for_column,
        sign_turned, void_in_the_image, labels_not_cut,
    ),
    parts=("the image", "the labels"),
)  # fmt: skip

# ----------------------------------------------------------------------------------------------------------- collate


def collate(images, labels):
    """Images (H, W, 3) and labels (H, W) of different sizes as (N, H, W, 3) and (N, H, W), filled with 0 and void."""
    return _collated(images, labels)


def _collated(images, labels, filled=VOID, corner="top left", largest=max, colour=0):
    H, W = (largest(side) for side in zip(*(one.shape for one in labels), strict=True))
    x, y = np.full((len(images), H, W, 3), colour, np.uint8), np.full((len(images), H, W), filled, np.uint8)
    for n, (image, marks) in enumerate(zip(images, labels, strict=True)):
        h, w = min(marks.shape[0], H), min(marks.shape[1], W)
        top, left = {"top left": (0, 0), "bottom right": (H - h, W - w), "middle": ((H - h) // 2, (W - w) // 2)}[corner]
        x[n, top : top + h, left : left + w], y[n, top : top + h, left : left + w] = image[:h, :w], marks[:h, :w]
    return x, y


def background_filled(right, images, labels):
    """The labels are filled with 0, background; nobody knows what is there, so it is void, 255."""
    return _collated(images, labels, filled=0)


def white_filled(right, images, labels):
    """The images are filled with 255; they are filled with 0, and the labels with 255."""
    return _collated(images, labels, colour=VOID)


def cut_to_the_smallest(right, images, labels):
    """The pictures are cut to the smallest sides; the batch is as large as the *largest*, and nothing is lost."""
    return _collated(images, labels, largest=min)


def in_the_middle(right, images, labels):
    """The pictures lie in the middle; each lies in the top left corner."""
    return _collated(images, labels, corner="middle")


def bottom_right(right, images, labels):
    """The pictures lie at the bottom right; each lies in the top left corner."""
    return _collated(images, labels, corner="bottom right")


def size_of_the_first(right, images, labels):
    """The batch has the size of its first picture; take the largest height and the largest width of all."""
    return _collated(images, labels, largest=lambda sides: sides[0])


def squares(right, images, labels):
    """The batch is square; height and width are the largest of each, by themselves."""
    longest = max(max(one.shape) for one in labels)
    return _collated(images, labels, largest=lambda sides: longest)


def first_picture_only(right, images, labels):
    """Only the first picture is there; N of them make the batch."""
    return right(images[:1], labels[:1])


def _collate_cases() -> list[tuple]:
    rng = np.random.default_rng(142)
    cases = []
    for sizes in (((3, 5), (4, 2)), ((2, 6), (5, 3), (4, 4)), ((6, 3), (2, 2), (3, 7), (1, 5))):
        pairs = [_labelled(rng, *size) for size in sizes]
        cases.append(([image for image, _ in pairs], [labels for _, labels in pairs]))
    return cases


COLLATE = Exercise(
    collate,
    _collate_cases(),
    (
        background_filled, white_filled, cut_to_the_smallest, in_the_middle, bottom_right, size_of_the_first, squares,
        first_picture_only,
    ),
    parts=("the images", "the labels"),
    step="stretch",
)  # fmt: skip

EXERCISES = (FLIP, CROP_BOTH, COLLATE)
