"""Softmax cross-entropy over pixels, with a void label.

    p = softmax(scores),    loss of one pixel = −w[label] · log p[label],    dscores = w[label] · (p − one-hot(label))

A pixel labelled ``ignore_index`` (VOC's void, 255) has loss 0 and gradient 0, and is not counted by the mean, which divides by
the sum of the weights of the pixels that count.

Source: Bridle 1990 for the softmax; Long, Shelhamer and Darrell 2015, section 3.4 for the loss over pixels.
"""

from __future__ import annotations

import numpy as np

from minifcn import kernels
from minifcn.backend import Array, get_xp
from minifcn.functional.arguments import check_floating

_BLOCK = 1 << 18  # numbers of a block: a megabyte of float32, so that a block costs more than its call

REDUCTIONS = ("mean", "sum", "none")


def log_softmax(scores: Array) -> Array:
    """scores (N, C, ...) -> log-probabilities of the same shape, over axis 1.

    The largest score is subtracted first: the result is the same, and exp can no longer overflow.
    """
    flat = scores.reshape(*scores.shape[:2], -1)  # (N, C, L), L pixels
    log_p = get_xp(scores).empty_like(flat)

    def block(at: tuple[slice, slice, slice]) -> None:
        log_p[at] = _log_softmax(flat[at])

    kernels.over_blocks(block, flat, axes=(0, 2), size=_BLOCK)
    return log_p.reshape(scores.shape)


def _log_softmax(scores: Array) -> Array:
    """The same for scores (n, C, l) that fit into a cache."""
    xp = get_xp(scores)
    log_p = scores - scores.max(axis=1, keepdims=True)  # (n, C, l)
    log_p -= xp.log(xp.exp(log_p).sum(axis=1, keepdims=True))  # (n, 1, l)
    return log_p


def softmax(scores: Array) -> Array:
    """scores (N, C, ...) -> probabilities of the same shape that sum to 1 over axis 1."""
    return get_xp(scores).exp(log_softmax(scores))


def cross_entropy(
    scores: Array, labels: Array, weight: Array | None = None, ignore_index: int | None = 255,
    reduction: str = "mean", label_smoothing: float = 0.0,
) -> tuple[Array, tuple]:  # fmt: skip
    """scores (N, C, ...) floating, labels (N, ...) integers -> loss and the cache.

    The loss is one number, or (N, ...) with reduction "none". ``weight`` (C,) weighs classes. ``label_smoothing`` ε mixes the
    one-hot target with ε/C of every class. A "mean" over void alone is 0 with gradient 0 (PyTorch says NaN): a crop
    without a labelled pixel teaches nothing and should not stop a training run.
    """
    _check(scores, labels, weight, ignore_index, reduction, label_smoothing)
    xp = get_xp(scores)
    N, C = scores.shape[:2]
    labels = labels.reshape(N, -1)  # (N, L), L pixels
    class_weight = xp.ones(C, scores.dtype) if weight is None else weight  # (C,)
    losses, log_p, pixel_weight = _pixel_losses(scores.reshape(N, C, -1), labels, class_weight, ignore_index, label_smoothing)
    divisor = _divisor(pixel_weight) if reduction == "mean" else scores.dtype.type(1)
    loss = losses.reshape(N, *scores.shape[2:]) if reduction == "none" else losses.sum() / divisor
    pixels = (log_p, labels, class_weight, pixel_weight, ignore_index, label_smoothing)
    return loss, (pixels, divisor, reduction, scores.shape)


def cross_entropy_backward(dloss: Array | float, cache: tuple) -> Array:
    """dloss, one number or (N, ...) as the loss was -> dscores (N, C, ...)."""
    pixels, divisor, reduction, shape = cache
    log_p, labels = pixels[:2]
    xp = get_xp(log_p)
    # a number is filled in on the device; asarray would bring it there from the host, in every step
    dloss = xp.full((), dloss, log_p.dtype) if np.isscalar(dloss) else xp.asarray(dloss, log_p.dtype)
    if dloss.shape != ((shape[0], *shape[2:]) if reduction == "none" else ()):
        raise ValueError(f"cross_entropy_backward: dloss has shape {dloss.shape}; it must have the loss's own shape")
    dlosses = (dloss.reshape(labels.shape) if reduction == "none" else dloss) / divisor  # (N, L) or one number
    return _pixel_losses_backward(log_p, dlosses, *pixels[1:]).reshape(shape)


@kernels.on_gpu("pixel_losses")
def _pixel_losses(
    scores: Array, labels: Array, class_weight: Array, ignore_index: int | None, smoothing: float
) -> tuple[Array, Array, Array]:
    """scores (N, C, L), labels (N, L), class_weight (C,) -> losses (N, L), log p (N, C, L), pixel weights (N, L)."""
    log_p = np.empty_like(scores)
    losses, pixel_weight = np.empty(labels.shape, scores.dtype), np.empty(labels.shape, scores.dtype)

    def block(at: tuple[slice, slice, slice]) -> None:
        here = (at[0], at[2])  # the block's pixels, (n, l)
        log_q = log_p[at] = _log_softmax(scores[at])  # (n, C, l)
        counted, safe = _targets(labels[here], ignore_index)
        pixel_weight[here] = class_weight[safe] * counted
        own = np.take_along_axis(log_q, safe[:, None], axis=1)[:, 0]  # (n, l): of the pixel's own class
        losses[here] = -(1 - smoothing) * pixel_weight[here] * own
        if smoothing:
            losses[here] -= smoothing / scores.shape[1] * counted * np.einsum("c,ncl->nl", class_weight, log_q)

    kernels.over_blocks(block, scores, axes=(0, 2), size=_BLOCK)
    return losses, log_p, pixel_weight


@kernels.on_gpu("pixel_losses_backward")
def _pixel_losses_backward(
    log_p: Array, dlosses: Array, labels: Array, class_weight: Array, pixel_weight: Array,
    ignore_index: int | None, smoothing: float,
) -> Array:  # fmt: skip
    """dlosses, (N, L) or one number, and what :func:`_pixel_losses` took and gave -> dscores (N, C, L)."""
    mix = smoothing / log_p.shape[1]  # every class's share of the target
    dlosses = np.broadcast_to(dlosses, labels.shape)  # (N, L)
    dscores = np.empty_like(log_p)  # (N, C, L)

    def block(at: tuple[slice, slice, slice]) -> None:
        here = (at[0], at[2])  # the block's pixels, (n, l)
        counted, safe = _targets(labels[here], ignore_index)
        target = (1 - smoothing) * pixel_weight[here]  # (n, l): the weight on the pixel's own class
        total = target + mix * class_weight.sum() * counted if smoothing else target  # and on all classes together
        d = np.exp(log_p[at])
        d *= (total * dlosses[here])[:, None]  # (n, 1, l)
        if smoothing:
            d -= mix * class_weight[:, None] * (counted * dlosses[here])[:, None]
        rows, pixels = np.ogrid[: len(safe), : safe.shape[1]]
        d[rows, safe, pixels] -= target * dlosses[here]  # one entry a pixel, so nothing is subtracted twice
        dscores[at] = d

    kernels.over_blocks(block, log_p, axes=(0, 2), size=_BLOCK)
    return dscores


def _targets(labels: Array, ignore_index: int | None) -> tuple[Array, Array]:
    """labels (N, L) -> whether the pixel counts, and its class; void points at class 0, and then counts 0."""
    counted = labels != ignore_index if ignore_index is not None else np.ones(labels.shape, bool)  # (N, L)
    return counted, np.where(counted, labels, 0).astype(np.intp)


def _divisor(pixel_weight: Array) -> Array:
    """The sum of the weights, or 1 where it is 0 (then the loss above it is 0 too)."""
    total = pixel_weight.sum()
    return total + (total == 0)


def _check(scores, labels, weight, ignore_index, reduction: str, label_smoothing: float) -> None:
    check_floating("cross_entropy", scores=scores, weight=weight)
    if scores.ndim < 2 or 0 in scores.shape:
        raise ValueError(f"cross_entropy: scores have shape {scores.shape}; they must be (N, C, ...) and not empty")
    if getattr(labels, "dtype", None) is None or labels.dtype.kind not in "iu":
        raise TypeError(f"cross_entropy: labels have dtype {getattr(labels, 'dtype', type(labels))}; they must be integers")
    N, C = scores.shape[:2]
    if labels.shape != (N, *scores.shape[2:]):
        raise ValueError(
            f"cross_entropy: scores {scores.shape} need labels {(N, *scores.shape[2:])}, an integer a pixel; got {labels.shape}"
        )
    if weight is not None and weight.shape != (C,):
        raise ValueError(f"cross_entropy: weight has shape {weight.shape}; it must be ({C},), one number a class")
    if reduction not in REDUCTIONS:
        raise ValueError(f"cross_entropy: reduction={reduction!r}; possible are {', '.join(REDUCTIONS)}")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing={label_smoothing} must be from 0 to 1")
    if get_xp(labels) is np:  # on a GPU this look would make the device wait; labels are checked as they are read, too
        _check_range(labels, C, ignore_index)


def _check_range(labels: np.ndarray, C: int, ignore_index: int | None) -> None:
    wrong = (labels < 0) | (labels >= C)
    if ignore_index is not None:
        wrong &= labels != ignore_index
    if wrong.any():
        values = np.unique(labels[wrong])[:5].tolist()
        cause = "; labels contain 255 but ignore_index is not 255" if 255 in values else ""
        raise ValueError(
            f"cross_entropy: labels contain {values}; possible are 0..{C - 1} and ignore_index={ignore_index}{cause}"
        )
