"""Where roads meet: sums and concatenations of feature maps, and the cropping and padding that make them fit.

    add       y = a + b           da = dy, db = dy: a sum hands its gradient to both
    concat    y = [a, b, ...]     each takes its own channels out of dy
    crop      y = a window of x   what was cut away had no part in y: its gradient is zero
    pad       y = x in a frame    the frame's gradient goes nowhere

Each gradient that comes out is an array of its own: what stands behind may write over it.

Sources: He et al. 2016, equation 1, for sums; Ronneberger, Fischer and Brox 2015, figure 1, for concatenation and cropping.
"""

from __future__ import annotations

from itertools import accumulate, pairwise

from minifcn import kernels
from minifcn.backend import Array, get_xp
from minifcn.functional.arguments import check_floating, check_gradient, check_images, check_integers


def add(a: Array, b: Array, inplace: bool = False) -> tuple[Array, tuple[int, ...]]:
    """a and b of one shape -> a + b, and the cache. ``inplace`` writes the sum over a, which nobody may need any more.

    Raises ValueError where the shapes differ: nothing is broadcast.
    """
    check_floating("add", a=a, b=b)
    if a.shape != b.shape:
        raise ValueError(f"add: a has shape {a.shape} and b {b.shape}; they must be equal: crop, pad or resize one of them")
    return _add(a, b, inplace), a.shape


def add_backward(dy: Array, cache: tuple[int, ...]) -> tuple[Array, Array]:
    """dy -> da, db: dy itself, and a copy of it."""
    check_gradient("add_backward", dy, cache)
    return dy, _copied(dy)


@kernels.accelerated("add")
def _add(a: Array, b: Array, inplace: bool) -> Array:
    return get_xp(a).add(a, b, out=a) if inplace else a + b


@kernels.accelerated("copied")
def _copied(array: Array) -> Array:
    return array.copy()


def concat(*parts: Array) -> tuple[Array, tuple]:
    """Feature maps (N, C_i, H, W) -> (N, ΣC_i, H, W), one behind the other along the channels, and the cache.

    Raises ValueError where they differ in more than their channels.
    """
    if not parts or isinstance(parts[0], (list, tuple)):
        raise TypeError("concat: give the arrays one by one, concat(a, b)")
    for number, part in enumerate(parts):
        check_images(f"concat, part {number}", part)
    check_floating("concat", **{f"part {number}": part for number, part in enumerate(parts)})
    if len({(part.shape[0], *part.shape[2:]) for part in parts}) != 1:
        shapes = " and ".join(str(part.shape) for part in parts)
        raise ValueError(f"concat: the shapes {shapes} may differ in their channels only: crop, pad or resize some of them")
    y = _concat(*parts)  # (N, ΣC_i, H, W)
    return y, (y.shape, tuple(part.shape[1] for part in parts))


def concat_backward(dy: Array, cache: tuple) -> tuple[Array, ...]:
    """dy (N, ΣC_i, H, W) -> each part's gradient (N, C_i, H, W)."""
    shape, channels = cache
    check_gradient("concat_backward", dy, shape)
    return _cut_channels(dy, channels)


@kernels.accelerated("concat")
def _concat(*parts: Array) -> Array:
    return get_xp(*parts).concatenate(parts, axis=1)


@kernels.accelerated("cut_channels")
def _cut_channels(dy: Array, channels: tuple[int, ...]) -> tuple[Array, ...]:
    xp = get_xp(dy)
    cuts = pairwise(accumulate(channels, initial=0))
    return tuple(xp.ascontiguousarray(dy[:, start:stop]) for start, stop in cuts)


def crop(x: Array, top: int, left: int, height: int, width: int) -> tuple[Array, tuple]:
    """x (N, C, H, W) -> y (N, C, height, width) from (top, left) on, a view of x, and the cache.

    Raises ValueError where the window reaches out of x.
    """
    check_images("crop", x)
    check_integers("crop", top=top, left=left, height=height, width=width)
    H, W = x.shape[2:]
    if min(top, left) < 0 or min(height, width) < 1 or top + height > H or left + width > W:
        raise ValueError(
            f"crop: {height}x{width} pixels from ({top}, {left}) on reach out of a {H}x{W} map; "
            "use a larger picture, or more padding in front"
        )
    window = (slice(None), slice(None), slice(top, top + height), slice(left, left + width))
    return x[window], (x.shape, window)


def crop_backward(dy: Array, cache: tuple) -> Array:
    """dy (N, C, height, width) -> dx (N, C, H, W), zero outside of the window."""
    shape, window = cache
    rows, columns = window[2:]
    check_gradient("crop_backward", dy, (*shape[:2], rows.stop - rows.start, columns.stop - columns.start))
    dx = get_xp(dy).zeros(shape, dy.dtype)
    dx[window] = dy
    return dx


def pad(x: Array, padding: tuple[int, int, int, int], value: float = 0.0) -> tuple[Array, tuple]:
    """x (N, C, H, W) -> y (N, C, top + H + bottom, left + W + right) and the cache; ``padding`` is PyTorch's (left, right, top,
    bottom), ``value`` what the frame is filled with.

    Raises ValueError for a negative padding: that is what :func:`crop` is for.
    """
    check_images("pad", x)
    if not isinstance(padding, (tuple, list)) or len(padding) != 4:
        raise TypeError(f"pad: padding={padding!r} must be four integers: (left, right, top, bottom)")
    left, right, top, bottom = padding
    check_integers("pad", left=left, right=right, top=top, bottom=bottom)
    if min(padding) < 0:
        raise ValueError(f"pad: padding={tuple(padding)} (left, right, top, bottom) must not be negative; crop instead")
    N, C, H, W = x.shape
    xp = get_xp(x)
    y = xp.full((N, C, top + H + bottom, left + W + right), value, x.dtype)
    y[:, :, top : top + H, left : left + W] = x
    return y, (y.shape, (top, left, H, W))


def pad_backward(dy: Array, cache: tuple) -> Array:
    """dy (N, C, top + H + bottom, left + W + right) -> dx (N, C, H, W)."""
    shape, (top, left, H, W) = cache
    check_gradient("pad_backward", dy, shape)
    return get_xp(dy).ascontiguousarray(dy[:, :, top : top + H, left : left + W])
