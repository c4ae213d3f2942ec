"""One sentence for a step that did not fit into a GPU's memory."""

from __future__ import annotations


def out_of_memory_sentence(shape: tuple[int, int, int], fixed: int, per_picture: int, free: int) -> str:
    """What to do about it: the largest batch or, where not even one picture fits, the largest picture that should fit.

    Args:
        shape: (N, H, W) of the batch that failed.
        fixed: bytes that do not depend on the batch (parameters, gradients, optimizer state, workspace).
        per_picture: bytes that one picture of H x W costs; memory grows in proportion to its pixels.
        free: bytes that the device has for all of it. A tenth is left alone, for fragmentation.
    """
    N, H, W = shape
    room = int(free * 0.9) - fixed
    pictures = "one picture" if N == 1 else f"{N} pictures"
    what = f"out of device memory: {pictures} of {H}x{W} need about {_gib(fixed + N * per_picture)}, {_gib(free)} were free"
    if room <= 0:
        return f"{what}, and the network alone takes {_gib(fixed)}: take a narrower network (width), plain SGD, or the CPU."
    batch = min(room // max(1, per_picture), N - 1)  # N has just failed, whatever the estimate says
    if batch >= 1:
        return f"{what}; the largest batch that should fit is {batch}."
    scale = min(0.9, (room / per_picture) ** 0.5)
    height, width = (max(32, int(side * scale) // 32 * 32) for side in (H, W))
    return f"{what}; the largest picture that should fit is about {height}x{width}, one at a time: crop or shrink to that."


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
