"""Runs kernel cases under a sanitizer. A process of its own, because the sanitizer's library has to be loaded first of all:

    LD_PRELOAD=$(g++ -print-file-name=libasan.so) python sanitized_run.py address,undefined
    LD_PRELOAD=$(g++ -print-file-name=libtsan.so) python sanitized_run.py thread [FILE RIGHT WRONG]

With FILE, RIGHT and WRONG a mistake is planted first, which the sanitizer then has to report.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from minifcn.kernels.cuda import launch  # noqa: E402
from support import cuda_emulator, kernel_cases, strict_cupy  # noqa: E402


def plant(file: str, right: str, wrong: str) -> None:
    """Puts one mistake into one kernel file."""
    original = launch.source

    def mutated(name: str) -> str:
        text = original(name)
        if name == file and right not in text:
            raise LookupError(f"{file} has no {right!r} any more")
        return text.replace(right, wrong) if name == file else text

    launch.source = mutated


def main() -> None:
    sanitizer, *mistake = sys.argv[1:]
    cuda_emulator.settings.sanitize = sanitizer
    xp = sys.modules["cupy"] = strict_cupy.cupy
    if mistake:
        plant(*mistake)
    # the 32 lanes of each emulated tensor-core product wait for each other: as threads of the operating system, for minutes
    products = 0 if sanitizer == "thread" else 1
    for eager in (False, True):
        cuda_emulator.settings.eager_copies = eager
        kernel_cases.check(kernel_cases.convolution("many slabs", xp, products))
    kernel_cases.check(kernel_cases.packing(xp))
    if sanitizer != "thread":  # the rest has no shared memory, or few enough threads that the emulator's schedules are all
        kernel_cases.check(kernel_cases.convolution("two groups", xp, products))
        # as many answers as are of one dtype
        for name, count in (("by columns", 8), ("pooling", 6), ("batch normalisation", 9), ("loss", 5), ("dropout", 6)):
            kernel_cases.check(itertools.islice(kernel_cases.OTHERS[name](xp), count))
    print("every case is right")


if __name__ == "__main__":
    main()
