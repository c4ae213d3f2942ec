"""Batch normalisation: each channel is shifted and scaled to mean 0 and variance 1, then to a learnt scale and shift.

    x̂ = (x − mean) / sqrt(var + eps),    y = weight · x̂ + bias

In training the statistics are those of the batch, so every x moves every y of its channel, and dx has three terms:

    dx = weight / sqrt(var + eps) · ( dy − mean(dy) − x̂ · mean(dy · x̂) )

the direct path, the path through the mean and the path through the variance. In evaluation the running statistics are
constants and the last two terms vanish.

Where a batch is spread over several processes and the statistics are to be those of all of it, each gives its own mean,
variance and number M of values, and they are joined without taking E[x²] − E[x]², which cancels:

    mean = Σ M_i mean_i / Σ M_i,    var = Σ M_i (var_i + (mean_i − mean)²) / Σ M_i

and on the way back the two sums, of dy and of dy · x̂.

Source: Ioffe and Szegedy, "Batch normalization", 2015, algorithms 1 and 2, and section 3 for the gradients; Chan, Golub and
LeVeque, "Algorithms for computing the sample variance", 1983, for the joint variance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minifcn import kernels
from minifcn.backend import Array, get_xp, to_host
from minifcn.functional.arguments import check_bias, check_floating, check_gradient

Gather = Callable[[list[Any]], list[Any]]  # the lists of all processes that share a batch, one behind the other


def batch_norm(
    x: Array, running_mean: Array | None, running_var: Array | None, weight: Array | None = None, bias: Array | None = None,
    training: bool = False, momentum: float = 0.1, eps: float = 1e-5, gather: Gather | None = None,
) -> tuple[Array, tuple]:  # fmt: skip
    """x (N, C, ...) -> y of the same shape and the cache; running statistics, weight and bias are (C,) or None.

    In training the running statistics move by ``momentum`` towards the batch's, in place; the running variance is the
    unbiased one (divided by M − 1 for M values a channel), while x̂ uses the biased one (M), as in PyTorch.
    With ``gather`` x is one process's part of the batch, and the statistics are those of all parts.
    Raises ValueError when a training batch has one value a channel: its variance is always 0.
    """
    _check(x, running_mean, running_var, weight, bias, training and gather is None)
    xp = get_xp(x)
    x3 = _wide(x.reshape(*x.shape[:2], -1))  # (N, C, H*W)
    if training:
        mean, var = _statistics(x3)
        M = x.size // x.shape[1]  # values a channel
        if gather is not None:
            mean, var, M = _joint_statistics(mean, var, M, gather)
        _update_running(running_mean, running_var, mean, var, M, momentum)
    else:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm: evaluation needs running_mean and running_var; give them, or set training=True")
        mean, var = _wide(running_mean.copy()), _wide(running_var)
    inv_std = 1 / xp.sqrt(var + var.dtype.type(eps))  # (C,)
    scale = inv_std if weight is None else weight * inv_std
    y3 = _normalise(x3, mean, scale, bias if bias is None else _wide(bias))
    return y3.astype(x.dtype, copy=False).reshape(x.shape), (x, mean, inv_std, weight, bias is not None, training, gather)


def batch_norm_backward(
    dy: Array, cache: tuple, needs: tuple[bool, bool, bool] = (True, True, True)
) -> tuple[Array | None, Array | None, Array | None]:
    """dy (N, C, ...) -> dx of the same shape, dweight, dbias (C,); None where the forward had none or ``needs`` says so."""
    x, mean, inv_std, weight, has_bias, training, gather = cache
    check_gradient("batch_norm_backward", dy, x.shape)
    x3, dy3 = (_wide(array.reshape(*x.shape[:2], -1)) for array in (x, dy))  # (N, C, H*W)
    scale = inv_std if weight is None else weight * inv_std
    alone = training and gather is None
    dx3, dweight, dbias = _normalise_backward(dy3, x3, mean, inv_std, scale, alone, needs[0])
    if training and gather is not None:
        joint = _joint_gradient(x3, mean, inv_std, dweight, dbias, gather)  # asked for whether or not it is needed here
        dx3 = None if dx3 is None else dx3 - scale[:, None] * joint
    return (
        None if dx3 is None else dx3.astype(x.dtype, copy=False).reshape(x.shape),
        dweight.astype(x.dtype, copy=False) if needs[1] and weight is not None else None,
        dbias.astype(x.dtype, copy=False) if needs[2] and has_bias else None,
    )


def scale_and_shift(
    bias: Array | None, running_mean: Array, running_var: Array, norm_weight: Array | None = None,
    norm_bias: Array | None = None, eps: float = 1e-5,
) -> tuple[Array, Array]:  # fmt: skip
    """What evaluation makes of y + bias, as scale·y + shift; all are (C,), None a bias of 0 or a weight of 1.

        scale = norm_weight / sqrt(running_var + eps),    shift = scale·(bias − running_mean) + norm_bias

    With y = weight * x, a convolution without its bias, all of it is linear in x: see :func:`conv2d_scaled`.
    """
    scale = 1 / get_xp(running_var).sqrt(running_var + running_var.dtype.type(eps))
    scale = scale if norm_weight is None else norm_weight * scale
    shift = scale * (-running_mean if bias is None else bias - running_mean)
    return scale, shift if norm_bias is None else shift + norm_bias


def _wide(array: Array) -> Array:
    """float16 as float32: a channel's sum soon exceeds 65504, the largest float16."""
    return array.astype("float32") if array.dtype == "float16" else array


@kernels.accelerated("channel_statistics")
def _statistics(x3: Array) -> tuple[Array, Array]:
    """x3 (N, C, H*W) -> mean and biased variance (C,)."""
    return x3.mean(axis=(0, 2)), x3.var(axis=(0, 2))


@kernels.accelerated("normalise")
def _normalise(x3: Array, mean: Array, scale: Array, shift: Array | None) -> Array:
    """(x − mean)·scale + shift; x3 (N, C, H*W), the others (C,)."""
    y3 = (x3 - mean[:, None]) * scale[:, None]
    return y3 if shift is None else y3 + shift[:, None]


@kernels.accelerated("normalise_backward")
def _normalise_backward(
    dy3: Array, x3: Array, mean: Array, inv_std: Array, scale: Array, training: bool, needs_dx: bool
) -> tuple[Array | None, Array, Array]:
    """dy3 and x3 (N, C, H*W), the others (C,) -> dx3 or None, dweight, dbias."""
    M = x3.size // x3.shape[1]  # values a channel
    x_hat = (x3 - mean[:, None]) * inv_std[:, None]  # (N, C, H*W)
    dweight, dbias = (dy3 * x_hat).sum(axis=(0, 2)), dy3.sum(axis=(0, 2))  # (C,)
    if not needs_dx:
        return None, dweight, dbias
    if training:  # less the paths through the mean and through the variance
        dy3 = dy3 - (dbias / M)[:, None] - x_hat * (dweight / M)[:, None]
    return scale[:, None] * dy3, dweight, dbias


def _joint_statistics(mean: Array, var: Array, M: int, gather: Gather) -> tuple[Array, Array, int]:
    """mean and var (C,) of the M values a channel of each part -> those of all parts together."""
    xp = get_xp(mean)
    parts = gather([(to_host(mean), to_host(var), M)])
    means, variances = (xp.asarray([part[i] for part in parts], "float64") for i in (0, 1))  # (parts, C)
    counts = xp.asarray([[part[2]] for part in parts], "float64")  # (parts, 1)
    total = sum(part[2] for part in parts)
    if total == 1:
        raise ValueError("batch_norm: all parts have one value a channel, whose variance is always 0; use a larger batch")
    joint_mean = (counts * means).sum(axis=0) / total
    joint_var = (counts * (variances + (means - joint_mean) ** 2)).sum(axis=0) / total
    return joint_mean.astype(mean.dtype), joint_var.astype(var.dtype), total


def _joint_gradient(x3: Array, mean: Array, inv_std: Array, dweight: Array, dbias: Array, gather: Gather) -> Array:
    """x3 (N, C, H*W), the others (C,), sums over this part -> mean(dy) + x̂ · mean(dy · x̂) over all parts, (N, C, H*W)."""
    xp = get_xp(x3)
    parts = gather([(to_host(dbias), to_host(dweight), x3.size // x3.shape[1])])
    total = sum(part[2] for part in parts)
    dy_mean, dy_x_hat_mean = (
        (xp.asarray([part[i] for part in parts], "float64").sum(axis=0) / total).astype(x3.dtype) for i in (0, 1)
    )  # (C,)
    return dy_mean[:, None] + (x3 - mean[:, None]) * (inv_std * dy_x_hat_mean)[:, None]


def _update_running(running_mean, running_var, mean, var, M: int, momentum: float) -> None:
    for running, batch in ((running_mean, mean), (running_var, var * (M / (M - 1)))):
        if running is not None:
            running *= 1 - momentum
            running += momentum * batch


def _check(x, running_mean, running_var, weight, bias, training: bool) -> None:
    check_floating("batch_norm", x=x, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if x.ndim < 2 or 0 in x.shape:
        raise ValueError(f"batch_norm: x has shape {x.shape}; it must be (N, C, ...) and not empty")
    C = x.shape[1]
    for name, array in (("running_mean", running_mean), ("running_var", running_var), ("weight", weight)):
        if array is not None and array.shape != (C,):
            raise ValueError(f"batch_norm: {name} has shape {array.shape}; x {x.shape} has {C} channels, so it must be ({C},)")
    check_bias("batch_norm", bias, C)
    if training and x.size == C:
        raise ValueError(f"batch_norm: x {x.shape} has one value a channel, whose variance is always 0; use a larger batch")
