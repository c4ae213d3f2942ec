"""Freed memory stays with the command, where glibc is the C library; what the user said of malloc counts more."""

import os
import platform
import subprocess
import sys

import pytest

from minifcn.cli import COMMANDS, GROUPS
from minifcn.machine import freed_memory

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked to keep memory")

# 64 MB again and again: how many pages does the system give in all but the first of eight rounds?
_ROUNDS = """
import resource, sys
import numpy as np
from minifcn.machine import freed_memory
kept = freed_memory.keep() if sys.argv[1] == "keep" else None
counts = []
for _ in range(8):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(1 << 24, np.float32)
    counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(kept, min(counts[1:]))
"""


def rounds(what, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    done = subprocess.run(
        [sys.executable, "-c", _ROUNDS, what], capture_output=True, text=True, check=True, env=clean | environment
    )
    kept, pages = done.stdout.split()
    return kept, int(pages)


def test_a_freed_array_is_the_next_one():
    (_, without), (kept, pages) = rounds("leave"), rounds("keep")
    assert kept == "True"
    assert pages <= 4 < 32 <= without  # 32: a page may be as large as 2 MB


@pytest.mark.parametrize(
    "environment",
    [{"MALLOC_ARENA_MAX": "2"}, {"MALLOC_TRIM_THRESHOLD_": "4096"}, {"GLIBC_TUNABLES": "glibc.malloc.mmap_max=9"}],
)
def test_the_users_own_settings_stay(environment):
    kept, pages = rounds("keep", **environment)
    assert kept == "False"
    assert pages >= 32


@pytest.mark.parametrize("command", [*COMMANDS, *GROUPS])
def test_commands_keep_it_but_the_bench_runs_as_it_comes(monkeypatch, command):
    from minifcn import cli

    asked = []
    monkeypatch.setattr(freed_memory, "keep", lambda: asked.append(True))
    with pytest.raises(SystemExit):
        cli.main(["--debug", command, "--help"])
    assert asked == [True] * (command != "bench")


def test_what_is_not_about_malloc_does_not_count():
    kept, pages = rounds("keep", GLIBC_TUNABLES="glibc.pthread.rseq=1")
    assert kept == "True"
    assert pages <= 4


class Library:
    """A C library whose mallopt takes no mapping threshold above `most`, and nothing at all if that is 0."""

    def __init__(self, most):
        self.most, self.asked = most, []

    def mallopt(self, what, value):
        self.asked.append((what, value))
        return int(value <= self.most or (what == -1 and self.most > 0))


@pytest.mark.parametrize(
    ("most", "kept", "sizes"), [(1 << 30, True, [128]), (32 << 20, True, [128, 32]), (0, False, [128, 32])]
)
def test_it_asks_for_what_older_versions_take_and_says_what_came_of_it(monkeypatch, most, kept, sizes):
    library = Library(most)
    monkeypatch.setattr(freed_memory, "_is_set_by_the_user", lambda: False)
    monkeypatch.setattr(freed_memory.ctypes, "CDLL", lambda name: library)
    assert freed_memory.keep() is kept
    assert [value >> 20 for what, value in library.asked if what == -3] == sizes


def test_a_library_without_mallopt_is_left_alone(monkeypatch):
    monkeypatch.setattr(freed_memory, "_is_set_by_the_user", lambda: False)
    monkeypatch.setattr(freed_memory.ctypes, "CDLL", lambda name: object())
    assert freed_memory.keep() is False
