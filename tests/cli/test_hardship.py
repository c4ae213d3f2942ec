"""What people's hands do to commands: a fuzz over every option, kills, full disks, damaged pictures and run folders.

Here a few of each; `python tests/cli/fuzz.py 2000` and `python tests/cli/hardship.py` do them by the hundred.
"""

from __future__ import annotations

import random
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks with limits, and /proc")

if sys.platform == "linux":
    from cli import fuzz, hardship


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return fuzz.make_world(tmp_path_factory.mktemp("hardship") / "world")


@pytest.fixture(scope="module")
def reference(world):
    return hardship.Reference(world)


def test_what_once_went_wrong(world):
    assert fuzz.replay(world) == []


def test_every_command_line_ends_well_or_in_one_sentence(world):
    kinds, failures = fuzz.fuzz(world, 500, seconds=60)
    assert failures == []
    assert min(kinds.values()) > 0, kinds


def test_a_killed_command_loses_nothing_that_was_saved(world, reference):
    rng = random.Random(1)
    assert [wrong for _ in range(20) if (wrong := hardship.killed(world, reference, rng))] == []


def test_a_full_disk_loses_nothing_that_was_saved(world, reference):
    rng = random.Random(1)
    assert [wrong for _ in range(5) if (wrong := hardship.on_a_full_disk(world, reference, rng))] == []


def test_damaged_pictures_and_masks_are_named_each(world):
    assert hardship.damaged_pictures(world, 40, random.Random(1)) == []


def test_damaged_runs_are_one_sentence(world):
    changes = random.Random(1).sample(hardship.hostile_runs(), 8)
    assert list(hardship.hostile(world, changes)) == []
