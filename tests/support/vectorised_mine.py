"""The file of a reader who has done all exercises that the capstone uses, in whole arrays: no loop goes over pixels."""

from __future__ import annotations

SOURCE = """
import numpy as np

def mean_iu(labels, predictions, num_classes):
    k = labels != 255
    m = np.zeros((num_classes, num_classes))
    np.add.at(m, (labels[k], predictions[k]), 1)
    u = m.sum(0) + m.sum(1) - np.diag(m)
    return (np.diag(m)[u > 0] / u[u > 0]).mean()

def _windows(x, KH, KW, stride):
    v = np.lib.stride_tricks.sliding_window_view(x, (KH, KW), axis=(2, 3))
    return v[:, :, ::stride, ::stride]

def _padded(x, p):
    return np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))

def conv2d(x, weight, bias, stride, padding):
    w = _windows(_padded(x, padding), *weight.shape[2:], stride)
    return np.tensordot(w, weight, axes=([1, 4, 5], [1, 2, 3])).transpose(0, 3, 1, 2) + bias[:, None, None]

def bias_gradient(dy):
    return dy.sum(axis=(0, 2, 3))

def weight_gradient(x, dy, KH, KW, stride, padding):
    w = _windows(_padded(x, padding), KH, KW, stride)[:, :, : dy.shape[2], : dy.shape[3]]
    return np.tensordot(dy, w, axes=([0, 2, 3], [0, 2, 3]))

def input_gradient(dy, weight, H, W, stride, padding):
    N, O, OH, OW = dy.shape
    _, C, KH, KW = weight.shape
    dx = np.zeros((N, C, H + 2 * padding, W + 2 * padding))
    for kh in range(KH):
        for kw in range(KW):
            share = np.einsum("nohw,oc->nchw", dy, weight[:, :, kh, kw])
            dx[:, :, kh : kh + OH * stride : stride, kw : kw + OW * stride : stride] += share
    return dx[:, :, padding : padding + H, padding : padding + W]

def conv_transpose2d(x, weight, stride, padding, output_padding):
    N, C, H, W = x.shape
    _, O, KH, KW = weight.shape
    OH, OW = (H - 1) * stride + KH + output_padding, (W - 1) * stride + KW + output_padding
    y = np.zeros((N, O, OH, OW))
    for kh in range(KH):
        for kw in range(KW):
            share = np.einsum("nchw,co->nohw", x, weight[:, :, kh, kw])
            y[:, :, kh : kh + H * stride : stride, kw : kw + W * stride : stride] += share
    return y[:, :, padding : OH - padding, padding : OW - padding]

def bilinear_kernel(size):
    f = (size + 1) // 2
    c = f - 1 if size % 2 else f - 0.5
    ramp = 1 - np.abs(np.arange(size) - c) / f
    return np.outer(ramp, ramp)

def poly(i, n, power):
    return (1 - i / n) ** power

def adam_step(w, g, m, v, t, rate):
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g * g
    return w - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v


def relu_backward(dy, x):
    return dy * (x > 0)


def _tiles(x, kernel, stride, ceil_mode):
    H, W = x.shape[2:]
    down, right = ((-(n - kernel) % stride if ceil_mode else 0) for n in (H, W))
    x = np.pad(x, ((0, 0), (0, 0), (0, down), (0, right)), constant_values=-np.inf)
    tiles = _windows(x, kernel, kernel, stride)
    return tiles.reshape(*tiles.shape[:4], kernel * kernel)


def max_pool(x, kernel, stride, ceil_mode):
    return _tiles(x, kernel, stride, ceil_mode).max(axis=4)


def switches(x, kernel, stride):
    inside = _tiles(x, kernel, stride, False).argmax(axis=4)
    OH, OW = inside.shape[2:]
    rows = np.arange(OH)[:, None] * stride + inside // kernel
    columns = np.arange(OW) * stride + inside % kernel
    return rows * x.shape[3] + columns


def max_unpool(y, switches, H, W):
    N, C = y.shape[:2]
    x = np.zeros((N, C, H * W))
    np.put_along_axis(x, switches.reshape(N, C, -1), y.reshape(N, C, -1), axis=2)
    return x.reshape(N, C, H, W)


def _probabilities(scores):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _pixel_weights(labels, weight):
    return np.where(labels == 255, 0, weight[np.where(labels == 255, 0, labels)])


def cross_entropy(scores, labels, weight):
    true = np.where(labels == 255, 0, labels)[:, None].astype(int)
    z = scores - scores.max(axis=1, keepdims=True)
    logs = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    w = _pixel_weights(labels, weight)
    return -(w * np.take_along_axis(logs, true, axis=1)[:, 0]).sum() / w.sum() if w.sum() else 0.0


def cross_entropy_gradient(scores, labels, weight):
    true = np.where(labels == 255, 0, labels)[:, None].astype(int)
    d = _probabilities(scores)
    np.put_along_axis(d, true, np.take_along_axis(d, true, axis=1) - 1, axis=1)
    w = _pixel_weights(labels, weight)
    return d * w[:, None] / w.sum() if w.sum() else 0 * d
"""
