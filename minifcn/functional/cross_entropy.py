"""Softmax cross-entropy over pixels, with a void label.

    p = softmax(scores),    loss of one pixel = −w[label] · log p[label],    dscores = w[label] · (p − one-hot(label))

A pixel labelled ``ignore_index`` (VOC's void, 255) has loss 0 and gradient 0, and is not counted by the mean, which divides by
the sum of the weights of the pixels that count.

Source: Bridle 1990 for the softmax; Long, Shelhamer and Darrell 2015, section 3.4 for the loss over pixels.
"""

from __future__ import annotations

from numbers import Real

import numpy as np

from minifcn import kernels
from minifcn.backend import Array, get_xp
from minifcn.functional.arguments import check_floating

REDUCTIONS = ("mean", "sum", "none")


def log_softmax(scores: Array) -> Array:
    """scores (N, C, ...) -> log-probabilities of the same shape, over axis 1.

    The largest score is subtracted first: the result is the same, and exp can no longer overflow.
    """
    return _log_softmax(scores.reshape(*scores.shape[:2], -1)).reshape(scores.shape)  # over (N, C, L), L pixels


@kernels.accelerated("log_softmax")
@np.errstate(under="ignore")  # the exponential of a score far below the largest is 0, and meant to be
def _log_softmax(scores: Array) -> Array:
    """The same for scores (N, C, L)."""
    xp = get_xp(scores)
    shifted = scores - scores.max(axis=1, keepdims=True)  # (N, C, L)
    return shifted - xp.log(xp.exp(shifted).sum(axis=1, keepdims=True))


def softmax(scores: Array) -> Array:
    """scores (N, C, ...) -> probabilities of the same shape that sum to 1 over axis 1."""
    with np.errstate(under="ignore"):
        return get_xp(scores).exp(log_softmax(scores))


def cross_entropy(
    scores: Array, labels: Array, weight: Array | None = None, ignore_index: int | None = 255,
    reduction: str = "mean", label_smoothing: float = 0.0,
) -> tuple[Array, tuple]:  # fmt: skip
    """scores (N, C, ...) floating, labels (N, ...) integers -> loss and the cache.

    The loss is one number (of float16 scores a float32), or (N, ...) with reduction "none". ``weight`` (C,) weighs classes.
    ``label_smoothing`` ε mixes the one-hot target with ε/C of every class. A "mean" over void alone is 0 with gradient 0
    (PyTorch says NaN): a crop without a labelled pixel teaches nothing and should not stop a training run.
    """
    _check(scores, labels, weight, ignore_index, reduction, label_smoothing)
    xp = get_xp(scores)
    N, C = scores.shape[:2]
    labels = labels.reshape(N, -1)  # (N, L), L pixels
    class_weight = xp.ones(C, scores.dtype) if weight is None else weight  # (C,)
    losses, log_p, pixel_weight = _pixel_losses(scores.reshape(N, C, -1), labels, class_weight, ignore_index, label_smoothing)
    divisor = _divisor(pixel_weight) if reduction == "mean" else scores.dtype.type(1)
    loss = losses.reshape(N, *scores.shape[2:]) if reduction == "none" else _total(losses) / divisor
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
    dlosses = dlosses.astype(log_p.dtype, copy=False)
    return _pixel_losses_backward(log_p, dlosses, *pixels[1:]).reshape(shape)


@kernels.accelerated("pixel_losses")
@np.errstate(under="ignore")
def _pixel_losses(
    scores: Array, labels: Array, class_weight: Array, ignore_index: int | None, smoothing: float
) -> tuple[Array, Array, Array]:
    """scores (N, C, L), labels (N, L), class_weight (C,) -> losses (N, L), log p (N, C, L), pixel weights (N, L)."""
    log_p = _log_softmax(scores)  # (N, C, L)
    counted, safe = _targets(labels, ignore_index)
    pixel_weight = class_weight[safe] * counted  # (N, L)
    own = get_xp(scores).take_along_axis(log_p, safe[:, None], axis=1)[:, 0]  # (N, L): of the pixel's own class
    losses = -(1 - smoothing) * pixel_weight * own
    if smoothing:  # and ε/C of every class
        losses -= smoothing / scores.shape[1] * counted * (class_weight[:, None] * log_p).sum(axis=1)
    return losses, log_p, pixel_weight


@kernels.accelerated("pixel_losses_backward")
@np.errstate(under="ignore")
def _pixel_losses_backward(
    log_p: Array, dlosses: Array, labels: Array, class_weight: Array, pixel_weight: Array,
    ignore_index: int | None, smoothing: float,
) -> Array:  # fmt: skip
    """dlosses, (N, L) or one number, and what :func:`_pixel_losses` took and gave -> dscores (N, C, L)."""
    xp, C = get_xp(log_p), log_p.shape[1]
    counted, safe = _targets(labels, ignore_index)
    one_hot = safe[:, None] == xp.arange(C)[:, None]  # (N, C, L)
    target = (1 - smoothing) * pixel_weight[:, None] * one_hot  # (N, C, L)
    if smoothing:
        target += smoothing / C * class_weight[:, None] * counted[:, None]
    dlosses = xp.broadcast_to(dlosses, labels.shape)[:, None]  # (N, 1, L)
    return (target.sum(axis=1, keepdims=True) * xp.exp(log_p) - target) * dlosses


def _targets(labels: Array, ignore_index: int | None) -> tuple[Array, Array]:
    """labels (N, L) -> whether the pixel counts, and its class; void points at class 0, and then counts 0."""
    xp = get_xp(labels)
    counted = labels != ignore_index if ignore_index is not None else xp.ones(labels.shape, bool)  # (N, L)
    return counted, xp.where(counted, labels, 0).astype(np.intp)


def _divisor(pixel_weight: Array) -> Array:
    """The sum of the weights, or 1 where it is 0 (then the loss above it is 0 too)."""
    total = _total(pixel_weight)
    return total + (total == 0)


def _total(values: Array) -> Array:
    """The sum; of float16 in float32, since 65504, the largest float16, is a small picture's number of pixels."""
    return values.sum(dtype=np.float32 if values.dtype == np.float16 else None)


def check_options(function: str, reduction: str, label_smoothing: float) -> None:
    """Raises ValueError, or TypeError, for options that are right for no scores."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"{function}: reduction={reduction!r}; possible are {', '.join(REDUCTIONS)}")
    if not isinstance(label_smoothing, Real):
        raise TypeError(f"{function}: label_smoothing={label_smoothing!r} must be a number from 0 to 1")
    if not 0 <= float(label_smoothing) <= 1:
        raise ValueError(f"{function}: label_smoothing={label_smoothing} must be from 0 to 1")


def _check(scores, labels, weight, ignore_index, reduction: str, label_smoothing: float) -> None:
    check_floating("cross_entropy", scores=scores, weight=weight)
    if scores.ndim < 2 or 0 in scores.shape:
        raise ValueError(f"cross_entropy: scores have shape {scores.shape}; they must be (N, C, ...) and not empty")
    if getattr(labels, "dtype", None) is None:
        raise TypeError(
            f"cross_entropy: labels are a {type(labels).__name__}; give an integer array, e.g. numpy.asarray(labels)"
        )
    if labels.dtype.kind not in "iu":
        raise TypeError(f"cross_entropy: labels have dtype {labels.dtype}; they must be integers")
    N, C = scores.shape[:2]
    if labels.shape != (N, *scores.shape[2:]):
        raise ValueError(
            f"cross_entropy: scores {scores.shape} need labels {(N, *scores.shape[2:])}, an integer a pixel; got {labels.shape}"
        )
    if weight is not None and weight.shape != (C,):
        raise ValueError(f"cross_entropy: weight has shape {weight.shape}; it must be ({C},), one number a class")
    check_options("cross_entropy", reduction, label_smoothing)
    if get_xp(labels) is np:  # on a GPU this look would make the device wait; labels are checked as they are read, too
        _check_range(labels, C, ignore_index)


def _check_range(labels: np.ndarray, C: int, ignore_index: int | None) -> None:
    wrong = (labels < 0) | (labels >= C)
    if ignore_index is not None:
        wrong &= labels != ignore_index
    if wrong.any():
        values = np.unique(labels[wrong])[:5].tolist()
        cause = "; labels contain 255 but ignore_index is not 255" if 255 in values else ""
        ignored = "" if ignore_index is None else f" and ignore_index={ignore_index}"
        raise ValueError(f"cross_entropy: labels contain {values}; possible are 0..{C - 1}{ignored}{cause}")
