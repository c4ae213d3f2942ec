"""Softmax cross-entropy, some pixels at a time: all that belongs to a pixel is computed while its scores are in cache."""

from __future__ import annotations

import numpy as np

from minifcn.kernels.threads import Block, over_blocks


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """scores (N, C, L) -> log-probabilities of the same shape, over axis 1."""
    log_p = np.empty_like(scores)

    def block(at: Block) -> None:
        log_p[at] = _log_softmax(scores[at])

    over_blocks(block, scores, axes=(0, 2))
    return log_p


@np.errstate(under="ignore")  # the exponential of a score far below the largest is 0, and meant to be
def _log_softmax(scores: np.ndarray) -> np.ndarray:
    """The same for scores (n, C, l) that fit into a cache."""
    log_p = scores - scores.max(axis=1, keepdims=True)  # (n, C, l)
    log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))  # (n, 1, l)
    return log_p


def pixel_losses(
    scores: np.ndarray, labels: np.ndarray, class_weight: np.ndarray, ignore_index: int | None, smoothing: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """scores (N, C, L), labels (N, L), class_weight (C,) -> losses (N, L), log p (N, C, L), pixel weights (N, L)."""
    log_p = np.empty_like(scores)
    losses, pixel_weight = np.empty(labels.shape, scores.dtype), np.empty(labels.shape, scores.dtype)

    @np.errstate(under="ignore")
    def block(at: Block) -> None:
        pixels = (at[0], at[2])  # the block's, (n, l)
        log_q = log_p[at] = _log_softmax(scores[at])  # (n, C, l)
        counted, safe = _targets(labels[pixels], ignore_index)
        pixel_weight[pixels] = class_weight[safe] * counted
        own = np.take_along_axis(log_q, safe[:, None], axis=1)[:, 0]  # (n, l): of the pixel's own class
        losses[pixels] = -(1 - smoothing) * pixel_weight[pixels] * own
        if smoothing:
            losses[pixels] -= smoothing / scores.shape[1] * counted * np.einsum("c,ncl->nl", class_weight, log_q)

    over_blocks(block, scores, axes=(0, 2))
    return losses, log_p, pixel_weight


def pixel_losses_backward(
    log_p: np.ndarray, dlosses: np.ndarray, labels: np.ndarray, class_weight: np.ndarray, pixel_weight: np.ndarray,
    ignore_index: int | None, smoothing: float,
) -> np.ndarray:  # fmt: skip
    """dlosses, (N, L) or one number, and what :func:`pixel_losses` took and gave -> dscores (N, C, L)."""
    mix = smoothing / log_p.shape[1]  # every class's share of the target
    dlosses = np.broadcast_to(dlosses, labels.shape)  # (N, L)
    dscores = np.empty_like(log_p)  # (N, C, L)

    @np.errstate(under="ignore")
    def block(at: Block) -> None:
        pixels = (at[0], at[2])  # the block's, (n, l)
        counted, safe = _targets(labels[pixels], ignore_index)
        target = (1 - smoothing) * pixel_weight[pixels]  # (n, l): the weight on the pixel's own class
        total = target + mix * class_weight.sum() * counted if smoothing else target  # and on all classes together
        d = np.exp(log_p[at])
        d *= (total * dlosses[pixels])[:, None]  # (n, 1, l)
        if smoothing:
            d -= mix * class_weight[:, None] * (counted * dlosses[pixels])[:, None]
        picture, pixel = np.ogrid[: len(safe), : safe.shape[1]]
        d[picture, safe, pixel] -= target * dlosses[pixels]  # one entry a pixel, so nothing is subtracted twice
        dscores[at] = d

    over_blocks(block, log_p, axes=(0, 2))
    return dscores


def _targets(labels: np.ndarray, ignore_index: int | None) -> tuple[np.ndarray, np.ndarray]:
    """labels (n, l) -> whether the pixel counts, and its class; void points at class 0, and then counts 0."""
    counted = labels != ignore_index if ignore_index is not None else np.ones(labels.shape, bool)  # (n, l)
    return counted, np.where(counted, labels, 0).astype(np.intp)
