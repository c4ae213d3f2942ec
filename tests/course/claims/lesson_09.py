"""Lesson 09: each claim, the text of the script that it stands on, and a replacement under which it must fail."""

from __future__ import annotations

CLAIMS = [
    ("the classifier has learnt", "adam.step()\n\nnew,", "pass\n\nnew,"),
    ("the heat map has a place every four pixels", "kernel = Conv2d(32, 5, 4)", "kernel = Conv2d(32, 5, 4, padding=1)"),
    ("another size stops it", "return fc @ features(x).ravel()", "return fc @ features(x).ravel()[:16]"),
    ("folding moves nothing", "folded = fc.reshape(3, 4, 2, 2)", "folded = fc.reshape(3, 4, 2, 2)[..., ::-1]"),
    ("one place gives the same", "F.conv2d(features(small), folded)", "F.conv2d(features(small), folded + 1)"),
    ("ten pixels give nine scores", "rng.integers(-3, 4, (1, 1, 10, 10))", "rng.integers(-3, 4, (1, 1, 12, 10))"),
    ("each is the answer for its crop", "crop = large[:, :, 2 * i : 2 * i + 6", "crop = large[:, :, i : i + 6"),
    ("channels last is wrong everywhere", "fc.reshape(3, 2, 2, 4).transpose(0, 3, 1, 2)", "fc.reshape(3, 4, 2, 2)"),
    ("with padding none is equal", "np.array_equal(alone[0, :, 0, 0], whole", "np.array_equal(whole[0, :, i, j], whole"),
    ("LeNet's scores stay", "conv.weight.data[...] = layer.weight.data.reshape(conv.weight.shape)", "pass"),
    ("another place for each four pixels", "(size=(1, 1, size, size + 3))", "(size=(1, 1, size + 3, size))"),
    ("at once is 14 times cheaper", "425 * multiplications(24, 24)", "multiplications(24, 24)"),
    ("the heat map is the classifier's", "few_scores = classifier(few)", "few_scores = classifier(few[::-1])"),
    ("VGG's weights", '"3-512 3-512 3-512 3-512", "3-512', '"3-512 3-512 3-512 1-512", "3-512'),
    ("three quarters are in one layer", "first = 7 * 7 * 512 * 4096", "first = 7 * 512 * 4096"),
    ("VGG16's cost at 500 x 500", "return total + side * side * (first", "return total + (first"),
    ("the forgotten layer is noise", "noise = slid(fresh)(x12)[0]", "noise = slid(kernel)(x12)[0]"),
    ("the copied one is right", "kernel.bias.data[...] = classifier.fc.bias.data", "kernel.weight.data *= -1"),
    ("a mean is a convolution", "window[[0, 1], [0, 1]] = 1 / 16", "window[...] = 1 / 16"),
    ("two pixels are one place", "heat_of(wide[..., 2:])", "heat_of(wide[..., 1:])"),
    ("one pixel is none", "heat_of(wide[..., 1:-1])[..., :-1], heat_of(wide)", "heat_of(wide)[..., 1:-1], heat_of(wide)"),
]  # fmt: skip
