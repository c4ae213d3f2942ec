"""Lesson 06: for each claim a change of the script that makes it false, (claim, text, replacement)."""

from __future__ import annotations

CLAIMS = [
    ("20 of 49 numbers become 0", "y, _ = F.relu(x)\nprint", "y, _ = F.relu(x + 0.2)\nprint"),
    ("ReLU's dx is dy where x is above 0", "dx = F.relu_backward(dy, cache)", "dx = np.maximum(dy, 0)"),
    ("the mask of dy is wrong", "broken = np.maximum(dy, 0)", "broken = dx"),
    ("at 0 the gradient is 0", "np.ones(1), F.relu(np.zeros(1))[1]", "np.ones(1), F.relu(np.ones(1))[1]"),
    ("the sizes, up and down", "F.max_pool2d(picture, K, S)[0]", "F.max_pool2d(picture, K, 1)[0]"),
    ("ReLU's cache is its output", "y, cache = F.relu(x)\nprint", "y, cache = F.relu(x)\ncache = cache.copy()\nprint"),
    ("the pooled table", "pooled, pool_cache = F.max_pool2d(y, 2", "pooled, pool_cache = F.max_pool2d(y * y, 2"),
    ("rounding down loses the foot", "down, _ = F.max_pool2d(y, 2)", "down, _ = F.max_pool2d(y, 2, ceil_mode=True)"),
    ("zeros beyond the edge make a rim", "(0, 1), (0, 1))), 2)", "(0, 1), (0, 1)), constant_values=-99), 2)"),
    ("ReLU and pool can be exchanged", "F.relu(F.max_pool2d(x, 2", "F.relu(F.avg_pool2d(x, 2"),
    ("the switches", "switches = F.max_pool2d_indices(pool_cache)", "switches = F.max_pool2d_indices(pool_cache) - 1"),
    ("ties come from whole votes", "x = votes / 9", "x = votes / 9 + 1e-7 * np.arange(49).reshape(7, 7)"),
    ("16 of 49 get a gradient", "F.max_pool2d_backward(dpooled, pool_cache)", "F.interpolate(dpooled, size=(7, 7))[0]"),
    ("unpooling is the closest", 'size=(7, 7), mode="nearest")', 'size=(7, 7), mode="bilinear")'),
    ("without switches things move", "no_switches[:, :, ::2, ::2] = pooled", "no_switches[:, :, :7, :7] = unpooled"),
    ("unpool's backward is its adjoint", "F.max_unpool2d_backward(b, cache)", "b[:, :, ::2, ::2]"),
    ("nothing in them can learn", "    MaxUnpool2d(2),\n", "    Conv2d(1, 1, 1),\n"),
    ("half of the shifts are noticed", "F.max_pool2d(row, (1, 2))", "F.max_pool2d(row, (1, 3))"),
    ("a shift by 1 changes six", "np.roll(paper, shift, axis=3)", "np.roll(paper, 2 * shift, axis=3)"),
    ("where the star went", "F.max_pool2d(star, 2, ceil_mode=True)", "F.avg_pool2d(star, 2, ceil_mode=True)"),
    ("a switch is one byte", "kept = pool_cache[0]", "kept = F.max_pool2d_indices(pool_cache)"),
    ("twice 2 by 2 is once 4 by 4", "F.max_pool2d(F.max_pool2d(paper, 2)[0], 2)", "F.max_pool2d(F.avg_pool2d(paper, 2)[0], 2)"),
    ("a dead filter stays dead", "filter_.bias.data[:] = -100", "filter_.bias.data[:] = 0"),
]
