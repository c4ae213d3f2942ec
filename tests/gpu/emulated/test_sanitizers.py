"""AddressSanitizer, UndefinedBehaviorSanitizer and ThreadSanitizer over the kernels, each in a process of its own.

They see what the right answer hides: a read past an array's end whose value is not used, an overflowing index, two threads of a
block at one place of shared memory without a barrier between them. Each is also shown one planted mistake, and must report it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import cuda_emulator

SCRIPT = Path(__file__).with_name("sanitized_run.py")
LIBRARIES = {"address,undefined": "libasan.so", "thread": "libtsan.so"}

MISTAKES = {  # name: (sanitizer, what it says, file, right, wrong)
    "a write past the end": ("address,undefined", "heap-buffer-overflow", "pack.cu", "&& r0 + r < R4)", "&& r < R4)"),
    "an overflowing index": (
        "address,undefined",
        "signed integer overflow",
        "conv_gather.cu",
        "at / columns * SH :",
        "at / columns * SH * (1 << 30) :",
    ),
    "a missing barrier": ("thread", "data race", "tile.cuh", "        __syncthreads(); ", ""),
}


def library(sanitizer: str) -> str | None:
    """The path of the sanitizer's library, or None where g++ does not bring it."""
    if cuda_emulator.COMPILER is None:
        return None
    command = [cuda_emulator.COMPILER, f"-print-file-name={LIBRARIES[sanitizer]}"]
    path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return path if Path(path).is_absolute() else None


def run(sanitizer: str, *mistake: str) -> subprocess.CompletedProcess:
    path = library(sanitizer)
    if path is None:
        pytest.skip(f"g++ with {LIBRARIES[sanitizer]} is not installed")
    environment = {
        **os.environ, "LD_PRELOAD": path, "PYTHONMALLOC": "malloc", "OMP_NUM_THREADS": "1",
        "ASAN_OPTIONS": "detect_leaks=0", "TSAN_OPTIONS": "halt_on_error=1",
    }  # fmt: skip
    command = [sys.executable, str(SCRIPT), sanitizer, *mistake]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
@pytest.mark.parametrize("sanitizer", LIBRARIES)
def test_kernels_are_clean(sanitizer):
    done = run(sanitizer)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "every case is right" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", MISTAKES)
def test_a_planted_mistake_is_reported(name):
    sanitizer, message, *mistake = MISTAKES[name]
    done = run(sanitizer, *mistake)
    assert done.returncode != 0
    assert message in done.stderr, done.stderr[-3000:]
