"""Lesson 11: each claim, the text of the script that it stands on, and a replacement under which it must fail."""

from __future__ import annotations

CLAIMS = [
    (
        "finer squares are better",
        "for stride in (32, 16, 8, 4):\n",
        "truth = in_squares(truth, 32)\nfor stride in (32, 16, 8, 4):\n",
    ),
    ("poolings lie at 1/2, 3/2, 7/2", "addresses[1::2]) / 2  # of two", "addresses[1::2]) // 2  # of two"),
    (
        "a window's middle is (K − 1)/2 behind its first pixel",
        "Fraction(K - 1, 2) - P, Fraction(K)\n",
        "Fraction(K, 2) - P, Fraction(K)\n",
    ),
    (
        "padding 1 keeps a 3 x 3 convolution in place",
        "Fraction(K - 1, 2) - P, Fraction(K)\n",
        "Fraction(K - 1, 2) + P, Fraction(K)\n",
    ),
    ("offsets are multiplied by the stride so far", "a[0] * b[1] + a[1], a[2]", "b[1] + a[1], a[2]"),
    ("fields grow by the stride so far", "a[2] + a[0] * (b[2] - 1)", "a[2] + (b[2] - 1)"),
    ("added as they are, offsets are wrong", "careless = sum(conv(2, 2)[1] for", "careless = sum(conv(2, 3)[0] for"),
    ("a deconvolution is the map backwards", "return 1 / stride, -offset / stride,", "return 1 / stride, -offset,"),
    ("the crop is the way between the offsets", "return (b[1] - a[1]) / a[0]\n", "return (a[1] - b[1]) / a[0]\n"),
    ("the library derives the same", "SmallFCN(), (1, 3, 48, 64)).crops", "SmallFCN(skips=False), (1, 3, 48, 64)).crops"),
    ("VGG's fields", "enumerate((2, 2, 3, 3, 3), start=1):", "enumerate((2, 2, 3, 3, 4), start=1):"),
    ("VGG's offsets come from a padding of 100", "def vgg(padding=100):", "def vgg(padding=99):"),
    ("the five crops", '"16s": crop(then(twice, deconv(32, 16))', '"16s": crop(then(twice, deconv(30, 16))'),
    ("the library's crops of the paper's networks", '("fcn16s", 27)', '("fcn16s", 31)'),
    (
        "the crop follows the padding",
        "for padding in (100, 81, 50):\n",
        "vgg = (lambda old: lambda P=100: old(max(P, 81)))(vgg)\nfor padding in (100, 81, 50):\n",
    ),
    ("rounding down breaks 421 heights", "-(-rows // 2) if up else rows // 2", "-(-rows // 2)"),
    (
        "224 works where 240 does not",
        "    assert broken == (0 if up else 421)\n",
        "    assert broken == (0 if up else 421)\nis_enough = lambda height, up: True\n",
    ),
    ("with crop 5 both maps agree", "fine[c : c + 26, c : c + 34]", "fine[c + 1 : c + 27, c : c + 34]"),
    ("the middle of a field counts most", "np.ones(3) / 3)  # along", "np.array([0.5, 0, 0.5]))  # along"),
    ("what an output sees", "one[0, 4, 30, 30] = 1", "one[0, 4, 30, 60] = one[0, 4, 30, 30] = 1"),
    ("skips are worth much", "SmallFCN()), trained(SmallFCN(skips=False))", "SmallFCN()), trained(SmallFCN())"),
    ("mistakes without skips lie near outlines", "(bad & outline).sum() / bad.sum()", "(bad & ~outline).sum() / bad.sum()"),
    ("first weights are luck", "SmallFCN(skips=False, seed=1)", "SmallFCN(skips=False, seed=0)"),
    (
        "a crop that is off costs mean IU",
        '(0, k), (0, k)), mode="edge")[:, k:, k:]',
        '(0, k), (0, k)), mode="edge")[:, :-k, :-k]',
    ),
    ("trained so, it hides", "predict(trained(n, 40), new)) for", "predict(trained(n, 4), new)) for"),
    ("the table shows it", "off.crop.offset += 1", "off.crop.offset += 0"),
    ("an even kernel moves by a half", "assert conv(4, 1, 1)[1]", "assert conv(5, 1, 1)[1]"),
    ("pool2's crop", "again = then(then(table", "again = then(then(vgg(99)"),
    ("kernel 3 never fits", "deconv(3, 2, P)), conv(1)).denominator", "deconv(4, 2, P)), conv(1)).denominator"),
]
