"""Lesson 14: each claim, the text of the script that it stands on, and a replacement under which it must fail."""

from __future__ import annotations

CLAIMS = [
    ("the mask goes along", "(image[20:80, 10:90], mask[20:80, 10:90])", "(image[20:80, 10:90], mask[20:80, 10:91])"),
    ("smoothing makes labels", "smooth = turned(mask, 1, BILINEAR, VOID)", "smooth = turned(mask, 1, NEAREST, VOID)"),
    ("and a rim of circle", "without_void).resize((60, 45), BILINEAR)", "without_void).resize((60, 45), NEAREST)"),
    ("the nearest pixel makes none", "mask).resize((60, 45), NEAREST)", "mask).resize((60, 45), BILINEAR)"),
    ("there and back costs a little", "-1, NEAREST, VOID)\nlost", "-3, NEAREST, VOID)\nlost"),
    ("so many pixels are invented", "said = turned(mask, degrees, NEAREST, 0)", "said = turned(mask, degrees, NEAREST, 1)"),
    ("as they are they are learnt", '"A": (hand_x, hand_labels),', '"A": (hand_x, hand_labels[::-1]),'),
    ("half mirrored is guessing", '"B": flipped(hand_x, hand_labels, half),', '"B": (hand_x, hand_labels),'),
    ("all mirrored is the other's name", "hand_labels, every),", "hand_labels, ~every),"),
    ("with the names exchanged it is true", "np.array([0, 2, 1], np.uint8)[exchanged[half]]", "exchanged[half]"),
    ("mirrored shapes teach as much", "flipped(x, labels, every)", "(flipped(x, labels, half)[0], labels)"),
    ("a mask left behind costs", "torn_x, _ = flipped(x, labels, half)", "torn_x, _ = flipped(x, labels, ~every)"),
    ("3.2 per cent", "share = 256 * 256 /", "share = 512 * 256 /"),
    ("a batch is as large as the largest", "H, W = (max(side) for side", "H, W = (max(side) + 1 for side"),
    ("and filled with void", "np.full((len(labels), H, W), VOID, np.uint8)", "np.zeros((len(labels), H, W), np.uint8)"),
    ("filled with 0 it is background", "filled_with_0 = np.where(marks == VOID, 0, marks)", "filled_with_0 = marks"),
    ("darker moves nothing", "darker = (image * 0.5)", "darker = (image[:, :60] * 0.5)"),
    ("a corner is background", "corner = mask[75:, 70:]", "corner = mask[60:70, 25:30]"),
    ("the page's 1 is circle", "Image.fromarray(page).resize(double, BILINEAR)", "Image.fromarray(page)"),
]  # fmt: skip
