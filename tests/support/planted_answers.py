"""Answers as readers write them, with loops, and the slips of the pen that make each wrong.

`ANSWERS` maps an exercise to a right source; `SLIPS` lists, for each, (what is replaced, by what, words of the diagnosis).
"""

from __future__ import annotations

from support import planted_12_13

ANSWERS = {
    "class_counts": """
import numpy as np
def class_counts(labels, num_classes):
    kept = labels[labels != 255]
    counts = np.zeros(num_classes)
    for c in range(num_classes):
        counts[c] = (kept == c).sum()
    return counts
""",
    "mean_iu": """
import numpy as np
def mean_iu(labels, predictions, num_classes):
    counted = labels != 255
    labels, predictions = labels[counted], predictions[counted]
    ious = []
    for c in range(num_classes):
        both = ((labels == c) & (predictions == c)).sum()
        union = (labels == c).sum() + (predictions == c).sum() - both
        if union > 0:
            ious.append(both / union)
    return np.mean(ious)
""",
    "output_size": """
def output_size(H, K, S, P):
    return (H + 2 * P - K) // S + 1
""",
    "conv2d": """
import numpy as np
def conv2d(x, weight, bias, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    N, C, H, W = x.shape
    O, _, KH, KW = weight.shape
    y = np.zeros((N, O, (H - KH) // stride + 1, (W - KW) // stride + 1))
    for n, o, oh, ow in np.ndindex(y.shape):
        for c in range(C):
            for kh in range(KH):
                for kw in range(KW):
                    y[n, o, oh, ow] += x[n, c, oh * stride + kh, ow * stride + kw] * weight[o, c, kh, kw]
        y[n, o, oh, ow] += bias[o]
    return y
""",
    "bias_gradient": """
def bias_gradient(dy):
    return dy.sum(axis=(0, 2, 3))
""",
    "weight_gradient": """
import numpy as np
def weight_gradient(x, dy, KH, KW, stride, padding):
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    N, O, OH, OW = dy.shape
    dweight = np.zeros((O, x.shape[1], KH, KW))
    for o, c, kh, kw in np.ndindex(dweight.shape):
        for n in range(N):
            for oh in range(OH):
                for ow in range(OW):
                    dweight[o, c, kh, kw] += dy[n, o, oh, ow] * x[n, c, oh * stride + kh, ow * stride + kw]
    return dweight
""",
    "input_gradient": """
import numpy as np
def input_gradient(dy, weight, H, W, stride, padding):
    N, O, OH, OW = dy.shape
    _, C, KH, KW = weight.shape
    dx = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    for n, oh, ow in np.ndindex(N, OH, OW):
        share = np.zeros((C, KH, KW))
        for o in range(O):
            share += dy[n, o, oh, ow] * weight[o]
        dx[n, :, oh * stride : oh * stride + KH, ow * stride : ow * stride + KW] += share
    return dx[:, :, padding : padding + H, padding : padding + W]
""",
    "relative_error": """
import numpy as np
def relative_error(mine, measured):
    largest = max(np.abs(mine).max(), np.abs(measured).max())
    return np.abs(mine - measured).max() / largest if largest > 0 else 0.0
""",
    "numeric_gradient": """
import numpy as np
def numeric_gradient(f, x, h):
    x = np.array(x, float)
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        keep = x[place]
        x[place] = keep + h
        up = f(x)
        x[place] = keep - h
        down = f(x)
        x[place] = keep
        gradient[place] = (up - down) / (2 * h)
    return gradient
""",
    "passes": """
import numpy as np
def passes(forward, backward, x, seed):
    rng = np.random.default_rng(seed + 1)
    dy, v = rng.normal(size=forward(x).shape), rng.normal(size=x.shape)
    measured = ((forward(x + 1e-5 * v) - forward(x - 1e-5 * v)) * dy).sum() / 2e-5
    told = (backward(dy, x) * v).sum()
    return abs(told - measured) <= 1e-6 * max(abs(told), abs(measured))
""",
    "relu_backward": """
import numpy as np
def relu_backward(dy, x):
    return np.where(x > 0, dy, 0)
""",
    "max_pool": """
import numpy as np
def max_pool(x, kernel, stride, ceil_mode):
    N, C, H, W = x.shape
    more = stride - 1 if ceil_mode else 0
    y = np.zeros((N, C, (H - kernel + more) // stride + 1, (W - kernel + more) // stride + 1))
    for n, c, i, j in np.ndindex(y.shape):
        top, left = i * stride, j * stride
        y[n, c, i, j] = x[n, c, top : top + kernel, left : left + kernel].max()
    return y
""",
    "switches": """
import numpy as np
def switches(x, kernel, stride):
    N, C, H, W = x.shape
    places = np.zeros((N, C, (H - kernel) // stride + 1, (W - kernel) // stride + 1))
    for n, c, i, j in np.ndindex(places.shape):
        best = -np.inf
        for row in range(i * stride, i * stride + kernel):
            for column in range(j * stride, j * stride + kernel):
                if x[n, c, row, column] > best:
                    best = x[n, c, row, column]
                    places[n, c, i, j] = row * W + column
    return places
""",
    "max_unpool": """
import numpy as np
def max_unpool(y, switches, H, W):
    x = np.zeros((*y.shape[:2], H, W))
    for n, c, i, j in np.ndindex(y.shape):
        row, column = divmod(switches[n, c, i, j], W)
        x[n, c, row, column] = y[n, c, i, j]
    return x
""",
    "insert_zeros": """
import numpy as np
def insert_zeros(x, stride):
    N, C, H, W = x.shape
    y = np.zeros((N, C, (H - 1) * stride + 1, (W - 1) * stride + 1))
    y[:, :, ::stride, ::stride] = x
    return y
""",
    "conv_transpose2d": """
import numpy as np
def conv_transpose2d(x, weight, stride, padding, output_padding):
    N, C, H, W = x.shape
    _, O, KH, KW = weight.shape
    OH, OW = (H - 1) * stride + KH, (W - 1) * stride + KW
    y = np.zeros((N, O, OH + output_padding, OW + output_padding))
    for n, h, w in np.ndindex(N, H, W):
        stamp = np.zeros((O, KH, KW))
        for c in range(C):
            stamp += x[n, c, h, w] * weight[c]
        y[n, :, h * stride : h * stride + KH, w * stride : w * stride + KW] += stamp
    return y[:, :, padding : OH + output_padding - padding, padding : OW + output_padding - padding]
""",
    "bilinear_kernel": """
import numpy as np
def bilinear_kernel(size):
    f = (size + 1) // 2
    c = f - 1 if size % 2 else f - 0.5
    ramp = 1 - np.abs(np.arange(size) - c) / f
    return np.outer(ramp, ramp)
""",
    "equal_rate": """
def equal_rate(rate_of_sum, pixels):
    return rate_of_sum * pixels
""",
    "cross_entropy": """
import numpy as np
def cross_entropy(scores, labels, weight):
    N, C, H, W = scores.shape
    total, count = 0.0, 0.0
    for n in range(N):
        for h in range(H):
            for w in range(W):
                label = labels[n, h, w]
                if label == 255:
                    continue
                s = scores[n, :, h, w]
                s = s - s.max()
                log_p = s - np.log(np.exp(s).sum())
                total += weight[label] * -log_p[label]
                count += weight[label]
    if count == 0:
        return 0.0
    return total / count
""",
    "cross_entropy_gradient": """
import numpy as np
def cross_entropy_gradient(scores, labels, weight):
    N, C, H, W = scores.shape
    d = np.zeros((N, C, H, W))
    count = 0.0
    for n in range(N):
        for h in range(H):
            for w in range(W):
                label = labels[n, h, w]
                if label == 255:
                    continue
                s = scores[n, :, h, w]
                e = np.exp(s - s.max())
                p = e / e.sum()
                p[label] -= 1
                d[n, :, h, w] = weight[label] * p
                count += weight[label]
    if count == 0:
        return d
    return d / count
""",
    "class_weights": """
def class_weights(counts):
    return 1 - counts / counts.sum()
""",
    "address": """
def address(i, K, S, P):
    return S * i + (K - 1) / 2 - P
""",
    "compose": """
def compose(layers):
    stride, offset, field = 1.0, 0.0, 1
    for kind, K, S, P in layers:
        middle = (K - 1) / 2 - P
        if kind == "conv":
            offset = offset + stride * middle
            field = field + stride * (K - 1)
            stride = stride * S
        else:
            offset = offset - stride * middle / S
            field = field + stride * (-(-K // S) - 1)
            stride = stride / S
    return stride, offset, field
""",
    "crop": """
def crop(a, b):
    return (b[1] - a[1]) / a[0]
""",
    "best_possible": """
import numpy as np
def best_possible(mask, stride):
    H, W = mask.shape
    answer = np.zeros((H, W), int)
    for top in range(0, H, stride):
        for left in range(0, W, stride):
            square = mask[top : top + stride, left : left + stride]
            votes = [(square == c).sum() for c in range(255)]
            answer[top : top + stride, left : left + stride] = np.argmax(votes)
    known = mask != 255
    ious = []
    for c in range(255):
        a, b = (mask == c) & known, (answer == c) & known
        if (a | b).any():
            ious.append((a & b).sum() / (a | b).sum())
    return np.mean(ious)
""",
}

SLIPS = {
    "class_counts": [
        ("kept = labels[labels != 255]", "kept = np.where(labels == 255, 0, labels)", "void pixels (255) are in it"),
        ("kept = labels[labels != 255]", "kept = labels.clip(0, num_classes - 1)", "The last class has too many"),
        ("return counts", "return counts / labels.size", "shares of all pixels"),
        ("return counts", "return counts / max(1, kept.size)", "shares of the labelled pixels"),
        ("for c in range(num_classes)", "for c in range(1, num_classes)", "Class 0, the background, is missing"),
        ("(kept == c)", "(kept == c + 1)", "Classes are counted from 1 on"),
        ("return counts", "return np.unique(kept, return_counts=True)[1]", "Classes that do not occur are missing"),
        ("return counts", "return np.bincount(labels.ravel(), minlength=256)", "256 numbers"),
    ],
    "mean_iu": [
        ("counted = labels != 255", "counted = labels > -1", "Void pixels count as wrong"),
        ("counted = labels != 255", "labels = np.where(labels == 255, 0, labels); counted = labels > -1",
         "count as background"),
        ("        if union > 0:\n            ious", "        if True:\n            ious", "0 / 0"),
        ("ious.append(both / union)", "ious.append(both / union)\n        else:\n            ious.append(0)", "count as 0"),
        ("ious.append(both / union)", "ious.append(both / union)\n        else:\n            ious.append(1)", "count as 1"),
        (" - both\n", "\n", "intersection is in your union twice"),
        ("ious.append(both / union)", "ious.append(2 * both / (union + both))", "Dice score"),
        ("return np.mean(ious)", "return (labels == predictions).mean()", "pixel accuracy"),
        ("range(num_classes)", "range(1, num_classes)", "background is missing from the mean"),
    ],
    "output_size": [
        (" + 1", "", "one position more than there are steps"),
        ("2 * P", "P", "Padding is added on both sides"),
        (" + 2 * P", "", "left the padding out"),
        (" // S", " // 1", "left the stride out"),
        ("(H + 2 * P - K) // S", "-(-(H + 2 * P - K) // S)", "round up"),
        ("//", "/", "must be a whole number"),
        ("- K) // S + 1", "- K + 1) // S", "divided by S with the rest"),
        (" - K) // S + 1", ") // S", "left the kernel out"),
    ],
    "conv2d": [
        ("weight[o, c, kh, kw]", "weight[o, c, KH - 1 - kh, KW - 1 - kw]", "after flipping the kernel"),
        ("        y[n, o, oh, ow] += bias[o]\n", "", "add bias[o]"),
        ("        for c in range(C):\n", "        for c in range(C):\n            y[n, o, oh, ow] += bias[o]\n", None),
        ("range(C)", "range(1)", "Only input channel 0"),
        ("range(C)", "range(C - 1, C)", "Only the last input channel"),
        ("(padding, padding), (padding, padding)))", "(padding, padding), (padding, padding)), 'edge')",
         "repeat the edge pixels"),
        ("(padding, padding), (padding, padding)", "(0, 2 * padding), (0, 2 * padding)", "bottom and the right"),
        ("x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))", "", "no padding in it"),
        ("oh * stride + kh, ow * stride + kw", "oh + kh, ow + kw", "windows lie one pixel apart"),
        ("def conv2d(x, weight, bias, stride, padding):\n", "def conv2d(x, weight, bias, stride, padding):\n    stride = 1\n",
         "you take every position"),
        ("return y", "b = bias[:, None, None]; return (y - b) / (KH * KW) + b", "averaged over"),
    ],
    "bias_gradient": [
        ("sum(axis=(0, 2, 3))", "mean(axis=(0, 2, 3))", "average dy"),
        ("sum(axis=(0, 2, 3))", "sum(axis=(2, 3)).mean(axis=0)", "average over the batch"),
        ("axis=(0, 2, 3)", "axis=(2, 3)", "batch is still there"),
        ("axis=(0, 2, 3)", "", "All channels are in one number"),
        ("axis=(0, 2, 3)", "axis=(0, 2)", "One axis of pixels"),
        ("dy.sum(axis=(0, 2, 3))", "dy[0].sum(axis=(1, 2))", "Only the first picture"),
    ],
    "weight_gradient": [
        ("return dweight", "return dweight / N", "average over the batch"),
        ("range(N)", "range(N - 1, N)", "Only the last picture"),
        ("range(N)", "range(1)", "Only the first picture"),
        ("return dweight", "return dweight[:, :, ::-1, ::-1]", "flipping dweight"),
        ("return dweight", "return dweight.swapaxes(0, 1)", "exchanging its first two axes"),
        ("oh * stride + kh, ow * stride + kw", "oh + kh, ow + kw", "left the stride out"),
        ("return dweight", "return dweight / (OH * OW)", "average over the places"),
    ],
    "input_gradient": [
        ("weight[o]", "weight[o, :, ::-1, ::-1]", "after flipping the kernel"),
        ("+ KW] += share", "+ KW] = share", "overwrite each other"),
        ("return dx[:, :, padding : padding + H, padding : padding + W]", "return dx", "padding is still around dx"),
        ("padding : padding + H, padding : padding + W]", ":H, :W]", "bottom and the right only"),
        ("range(O)", "range(1)", "Only filter 0"),
        ("range(O)", "range(O - 1, O)", "Only the last filter"),
        ("share += dy[n, o, oh, ow] * weight[o]", "share += dy[n, o, oh, ow] * weight[o] / O", "average over the filters"),
        ("oh * stride : oh * stride + KH, ow * stride : ow * stride + KW", "oh : oh + KH, ow : ow + KW", "left the stride out"),
    ],
    "relative_error": [
        ("if largest > 0 else 0.0", "", "0/0 is no number"),
        ("np.abs(mine - measured).max()", "np.abs(mine - measured).mean()", "the *mean* of the differences"),
        ("np.abs(mine - measured).max()", "(mine - measured).max()", "counts as none"),
        (" / largest if largest > 0 else 0.0", "", "the absolute error"),
        ("max(np.abs(mine).max(), np.abs(measured).max())", "max(mine.max(), measured.max())", "with its sign"),
    ],
    "numeric_gradient": [
        ("(2 * h)", "h", "divide by 2·h"),
        ("        x[place] = keep\n", "", "pile up"),
        ("np.array(x, float)", "x.copy()", "whole numbers"),
        ("np.array(x, float)", "np.array(x, np.float32)", "float32"),
        ("up - down", "down - up", "The sign is turned"),
        ("np.ndindex(x.shape)", "range(len(x))", "runs along the first axis alone"),
    ],
    "passes": [
        ("dy, v = rng.normal(size=forward(x).shape), ", "dy, v = np.ones(forward(x).shape), ", "Your dy is all ones"),
        ("rng.normal(size=x.shape)", "np.ones(x.shape)", "move all numbers of x together"),
        ("1e-6 * max(abs(told), abs(measured))", "1e-3", "fixed tolerance"),
        ("1e-6 *", "0.01 *", "too wide"),
        ("abs(told - measured)", "abs(abs(told) - abs(measured))", "Minus the gradient passes"),
        ("x - 1e-5 * v", "x", None),
    ],
    "relu_backward": [
        ("x > 0", "x >= 0", "exactly 0"),
        ("x > 0", "dy > 0", "It is dy that you cut off"),
        ("x > 0, dy", "x > 0, dy * x", "You multiply by x"),
        ("dy, 0)", "dy, 0.01 * dy)", "leaky"),
        ("x > 0, dy", "x > 0, 1", "This is the mask"),
    ],
    "max_pool": [
        ("stride - 1 if ceil_mode else 0", "0", "you always round down"),
        (".max()", ".mean()", "the mean of each window"),
        ("i * stride, j * stride", "i, j", "one pixel apart"),
        (".max()", ".max(initial=0)", "begins at 0"),
        ("x[n, c, top", "np.abs(x)[n, c, top", "without the sign"),
        ("x[n, c, top", "x[n, :, top", "over the channels"),
        ("if ceil_mode else 0", "", "always round up"),
    ],
    "switches": [
        ("> best", ">= best", "take the last"),
        ("row * W + column", "(row - i * stride) * kernel + column - j * stride", "inside the window"),
        ("row * W + column", "column * H + row", "exchanged"),
        ("row * W", "row * H", "the number of rows"),
        ("row * W", "row * places.shape[3]", "the output's width"),
        ("row * W + column", "((n * C + c) * H + row) * W + column", "its own plane"),
    ],
    "max_unpool": [
        ("column] = y", "column] += y", "you add the two up"),
        ("[n, c, i, j], W)", "[0, 0, i, j], W)", "switches of the first one"),
        ("np.zeros((*y.shape[:2], H, W))", "np.full((*y.shape[:2], H, W), y.mean())", "stands their mean"),
        ("return x", "return x.swapaxes(2, 3)", "Rows and columns are exchanged"),
        ("row, column = divmod(switches[n, c, i, j], W)", "row, column = 2 * i, 2 * j", None),
    ],
    "insert_zeros": [
        ("(H - 1) * stride + 1, (W - 1) * stride + 1", "H * stride, W * stride", "zeros after the last row"),
        ("    y[:, :, ::stride, ::stride] = x\n    return y",
         "    y[:, :, ::stride, ::stride] = x\n    s = stride - 1\n    return np.pad(y, ((0, 0), (0, 0), (s, 0), (s, 0)))",
         "zeros before the first"),
        ("    N, C, H, W = x.shape\n", "    N, C, H, W = x.shape\n    stride = stride + 1\n", "One zero too many"),
        ("    N, C, H, W = x.shape\n", "    N, C, H, W = x.shape\n    stride = 2 if stride > 1 else 1\n", "always one zero"),
        ("    return y", "    return x.repeat(stride, 2).repeat(stride, 3)", "copies of the pixels"),
        ("    return y", "    return y[:, :, :, ::stride]", "none between columns"),
        ("    return y", "    return y[:, :, ::stride]", "none between rows"),
    ],
    "conv_transpose2d": [
        ("weight[c]", "weight[c, :, ::-1, ::-1]", "after flipping the kernel"),
        ("+ KW] += stamp", "+ KW] = stamp", "overwrite each other"),
        ("return y[:, :, padding : OH + output_padding - padding, padding : OW + output_padding - padding]", "return y",
         "Padding is left out"),
        ("padding : OH + output_padding - padding, padding : OW + output_padding - padding", "padding:, padding:",
         "top and left only"),
        ("OH + output_padding - padding, padding : OW + output_padding - padding", "OH - padding, padding : OW - padding",
         "output_padding is left out"),
        ("weight[c]\n", "weight[c]\n            break\n", "Only input channel 0"),
        ("h * stride : h * stride + KH, w * stride : w * stride + KW", "h : h + KH, w : w + KW", None),
        ("_, O, KH, KW = weight.shape", "weight = weight.swapaxes(0, 1); _, O, KH, KW = weight.shape",
         "read as (O, C, KH, KW)"),
        ("    return y[:, :, padding : OH + output_padding - padding, padding : OW + output_padding - padding]",
         "    p = ((0, 0), (0, 0), (0, output_padding), (0, output_padding))\n"
         "    return np.pad(y[:, :, padding : OH - padding, padding : OW - padding], p)", "output_padding are zeros"),
    ],
    "bilinear_kernel": [
        ("c = f - 1 if size % 2 else f - 0.5", "c = f - 1", "Half a pixel off"),
        ("return np.outer(ramp, ramp)", "k = np.outer(ramp, ramp); return k / k.sum()", "divide by the sum"),
        ("return np.outer(ramp, ramp)", "return ramp", "one dimension"),
        ("return np.outer(ramp, ramp)", "return (ramp[:, None] + ramp) / 2", "added or averaged"),
        ("/ f", "/ c", "The tent ends with 0"),
        ("return np.outer(ramp, ramp)", "return np.ones((size, size))", "All numbers are the same"),
        ("/ f", "/ (size / 2)", "divide by size / 2"),
    ],
    "equal_rate": [
        ("* pixels", "/ pixels", "multiply"),
        (" * pixels", "", "the sum's rate itself"),
        ("* pixels", "* 187500", "375 x 500"),
        ("* pixels", "* pixels ** 2", "twice"),
        ("* pixels", "* pixels ** 0.5", "square root"),
        ("rate_of_sum * pixels\n", "pixels\n", "the factor between the two rates"),
    ],
    "cross_entropy": [
        ("total / count", "total / labels.size", "number of all pixels"),
        ("total / count", "total", "the sum of the pixels' losses"),
        ("count += weight[label]", "count += 1", "number of labelled pixels"),
        ("                    continue", "                    label = 0", "class 0"),
        ("                    continue", "                    label = C - 1", "the last class"),
        ("                s = s - s.max()\n", "", "too large for a computer"),
        ("s - s.max()", "s - scores.max()", "largest of *all* scores"),
        ("* -log_p", "* log_p", "The minus is missing"),
        ("* -log_p[label]", "* -log_p.sum()", "all classes"),
        ("total += weight[label] *", "total +=", "multiply no loss"),
        ("return 0.0", "return float('nan')", "0 / 0"),
    ],
    "cross_entropy_gradient": [
        ("                p[label] -= 1\n", "", "subtract 1"),
        ("d / count", "d", "gradient of the sum"),
        ("d / count", "d / labels.size", "number of all pixels"),
        ("d / count", "d / N", "number of pictures"),
        ("d / count", "-d / count", "The sign"),
        ("weight[label] * p", "weight * p", "that class's own weight"),
        ("weight[label] * p", "p", "multiply no pixel"),
        ("s - s.max()", "s", "too large for a computer"),
        ("                    continue", "                    label = 0", "class 0"),
    ],
    "class_weights": [
        ("1 - ", "", "These are the shares"),
        ("1 - counts / counts.sum()", "1 / counts", "far milder"),
        ("counts.sum()", "counts.max()", "the most frequent class weighs 0"),
        (" / ", " // ", "drops the remainder"),
        ("counts.sum()", "len(counts)", "number of classes"),
    ],
    "address": [
        ("(K - 1) / 2", "K / 2", "Half a pixel too far"),
        ("(K - 1) / 2", "K // 2", "you take K // 2"),
        ("(K - 1) / 2", "(K - 1)", "last pixel"),
        ("- P", "+ P", "wrong sign"),
        ("S * i", "i", "Equal for stride 1"),
        (" + (K - 1) / 2", "", "where the window begins"),
    ],
    "compose": [
        ("/ 2 - P", "/ 2 + P", "wrong sign"),
        ("/ 2 - P", "/ 2", "left out"),
        ("(K - 1) / 2", "(K - 1) // 2", "rounded down"),
        ("(K - 1) / 2", "K / 2", "You take K/2"),
        ('kind == "conv"', "True", "treated as a convolution"),
        ("offset - stride", "offset + stride", "wrong sign"),
        ("middle / S", "middle", "not divided by its stride"),
        ("(-(-K // S) - 1)", "(K - 1)", "whole kernel"),
        ("in layers", "in layers[::-1]", "wrong order"),
        ("in layers", "in layers[-1:]", "last layer alone"),
    ],
    "crop": [
        ("b[1] - a[1]", "a[1] - b[1]", "The sign"),
        (" / a[0]", "", "pixels of the picture"),
        (" / a[0]", " // a[0]", "rounded down"),
        ("(b[1] - a[1]) / a[0]", "int((b[1] - a[1]) / a[0])", "cut off"),
        ("(b[1] - a[1])", "abs(b[1] - a[1])", "absolute value"),
        ("b[1] - a[1]", "b[2] - a[2]", "compare the fields"),
    ],
    "best_possible": [
        ("np.argmax(votes)", "square[0, 0]", "upper left corner"),
        ("np.argmax(votes)", "int(square.mean())", "average label numbers"),
        ("np.argmax(votes)", "square.max()", "void's 255"),
        ("    H, W", "    mask = np.where(mask == 255, 0, mask)\n    H, W", "in the vote and in the mean IU"),
        ("    known", "    mask = np.where(mask == 255, 0, mask)\n    known", "leave them out there, too"),
        ("    ious = []", "    return (answer == mask)[known].mean()\n    ious = []", "pixel accuracy"),
        ("(a | b).any()", "b.any()", "it is lost"),
        ("for c in range(255):\n", "for c in range(1, 255):\n", "Class 0 is missing"),
    ],
}  # fmt: skip

ANSWERS |= planted_12_13.ANSWERS
SLIPS |= planted_12_13.SLIPS
