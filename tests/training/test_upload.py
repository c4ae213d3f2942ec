"""The upload on the strict stand-in for CuPy, whose streams copy as late as they may: emulated, not run on a device.

Every wait that the upload makes is taken out once, and seen to be missed.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from minifcn.data.loader import Batch
from minifcn.training import upload
from support import strict_cupy


@pytest.fixture
def stand_in(monkeypatch):
    """The stand-in in CuPy's place."""
    monkeypatch.setitem(sys.modules, "cupy", strict_cupy.cupy)
    strict_cupy.counts.clear()
    yield strict_cupy
    strict_cupy.cupy.cuda.Device().synchronize()


def made_steps(count: int = 9, accumulate: int = 2) -> list[list[Batch]]:
    """Lists of batches of unequal sizes; the first are not the largest, so buffers grow."""
    rng = np.random.default_rng(7)

    def batch(step: int) -> Batch:
        N, H, W = rng.integers(1, 3), 5 + 4 * (step % 4), rng.integers(3, 9)
        images = rng.standard_normal((N, 3, H, W)).astype(np.float32)
        return Batch(images, rng.integers(0, 256, (N, H, W), np.uint8), [f"picture {step}"] * N, [(H, W)] * N)

    return [[batch(step) for _ in range(accumulate)] for step in range(count)]


def read_at_once(stand_in, device_arrays: list) -> list:
    """Like a kernel that runs as soon as its stream may."""
    return [array.get() for array in device_arrays]


def read_late(stand_in, device_arrays: list) -> list:
    """Like a kernel that runs as late as others let it; it does not keep its arrays from being freed."""
    seen, memories = [], [stand_in.memory_of(array) for array in device_arrays]
    stream = stand_in.cupy.cuda.get_current_stream()
    stream.launch_host_func(lambda _: seen.extend(memory() for memory in memories), None)
    return seen


def check_numbers(module, stand_in, read, dtype=np.float32) -> None:
    """All arrays of all steps arrive whole, in their dtype, each with its batch."""
    steps, results = made_steps(), []
    with contextlib.closing(module.upload_ahead(iter(steps), "cuda", dtype)) as uploaded:
        for batches in uploaded:
            results.append((batches, read(stand_in, [array for batch in batches for array in batch.inputs])))
    assert [[batch.ids for batch in batches] for batches, _ in results] == [[b.ids for b in step] for step in steps]
    for step, (batches, seen) in zip(steps, results, strict=True):
        for batch, theirs in zip(batches, step, strict=True):
            assert batch.images is theirs.images
            assert batch.labels is theirs.labels
            assert batch.sizes is theirs.sizes
        expected = [array for batch in step for array in (batch.images.astype(dtype), batch.labels)]
        for got, array in zip(seen, expected, strict=True):
            assert got.dtype == array.dtype
            np.testing.assert_array_equal(got, array)


def check_late_reads_without_keeping_arrays(module, stand_in) -> None:
    """As check_numbers, for a consumer that forgets every array at once."""
    steps, seen = made_steps(), []
    for batches in module.upload_ahead(iter(steps), "cuda", np.float32):
        seen.append(read_late(stand_in, [array for batch in batches for array in batch.inputs]))
        del batches
    for step, arrays in zip(steps, seen, strict=True):
        for got, array in zip(arrays, [array for batch in step for array in batch[:2]], strict=True):
            np.testing.assert_array_equal(got, array)


def check_beside_the_computation(module, stand_in) -> None:
    """When a step is handed out the next one's copy, one for all its arrays and from pinned memory, is enqueued, not done."""
    steps, counts = made_steps(5), stand_in.counts
    counts.clear()
    uploaded = module.upload_ahead(iter(steps), "cuda", np.float32)
    with contextlib.closing(uploaded):
        for number, batches in enumerate(uploaded):
            assert counts["to_host"] == 0
            read_at_once(stand_in, [array for batch in batches for array in batch.inputs])
            counts["to_host"] = 0
            assert counts["to_device"] == min(number + 2, 5)
            assert counts["arrived"] == number + 1
            assert counts["from_pageable"] == 0


def check_nothing_is_under_way_after_the_end(module, stand_in) -> None:
    """Closed in the middle, it returns when all that was launched, on either stream, is done."""
    uploaded = module.upload_ahead(iter(made_steps()), "cuda", np.float32)
    batches = next(uploaded)
    seen = read_late(stand_in, list(batches[0].inputs))
    uploaded.close()
    assert len(seen) == 2
    assert stand_in.counts["arrived"] == stand_in.counts["to_device"] == 2


def check_an_error_waits_for_its_turn(module, stand_in) -> None:
    def broken():
        yield from made_steps(3)
        raise OSError("picture 3: truncated")

    uploaded = module.upload_ahead(broken(), "cuda", np.float32)
    for _ in range(3):
        next(uploaded)
    with pytest.raises(OSError, match="picture 3: truncated"):
        next(uploaded)


CHECKS = {
    "read at once": lambda module, stand_in: check_numbers(module, stand_in, read_at_once),
    "read late": lambda module, stand_in: check_numbers(module, stand_in, read_late),
    "read late and freed": check_late_reads_without_keeping_arrays,
    "float64": lambda module, stand_in: check_numbers(module, stand_in, read_late, np.float64),
    "beside the computation": check_beside_the_computation,
    "end": check_nothing_is_under_way_after_the_end,
    "error": check_an_error_waits_for_its_turn,
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_upload(check, stand_in):
    CHECKS[check](upload, stand_in)


MUTANTS = {  # what is wrong: (the line, what becomes of it, the check that must fail)
    "compute does not wait for ready": ("compute.wait_event(slot.ready)", "pass", "read at once"),
    "compute waits for ready too late": (
        "compute.wait_event(slot.ready)\n            yield uploaded\n",
        "yield uploaded\n            compute.wait_event(slot.ready)\n",
        "read at once",
    ),
    "the upload does not wait for done": ("self.stream.wait_event(self.done)", "pass", "read late"),
    "done is recorded before the step": (
        "yield uploaded\n            slot.done.record(compute)\n",
        "slot.done.record(compute)\n            yield uploaded\n",
        "read late",
    ),
    "done is never recorded": ("slot.done.record(compute)", "pass", "read late"),
    "done is recorded on the upload's stream": ("slot.done.record(compute)", "slot.done.record(stream)", "read late"),
    "ready is recorded on the compute stream": ("self.ready.record(self.stream)", "self.ready.record()", "read at once"),
    "ready is recorded before the copy": (
        "self.buffer[:end].set(self.pinned[:end], stream=self.stream)\n        self.ready.record(self.stream)\n",
        "self.ready.record(self.stream)\n        self.buffer[:end].set(self.pinned[:end], stream=self.stream)\n",
        "read at once",
    ),
    "one slot": ("range(2)", "range(1)", "read at once"),
    "the pinned memory is filled while it is copied": ("self.ready.synchronize()", "pass", "read late"),
    "new memory from the pool for each step, in place of waiting": (
        "self.stream.wait_event(self.done)",
        "self.pinned, self.buffer = np.empty(0, np.uint8), None",
        "read late and freed",
    ),
    "the images' dtype is the loader's": ("for kind in (dtype,", "for kind in (batch.images.dtype,", "float64"),
    "all arrays in one place": ("slice(start, start + size)", "slice(0, size)", "read at once"),
    "memory that is not pinned": ("self.cupy.cuda.alloc_pinned_memory(nbytes)", "bytearray(nbytes)", "beside the computation"),
    "a stream that takes turns": ("non_blocking=True", "non_blocking=False", "beside the computation"),
    "the copy on the compute stream": (", stream=self.stream)", ")", "beside the computation"),
    "not ahead": ("itertools.pairwise(", "((one, 0) for one in ", "beside the computation"),
    "the end waits for no copy": ("        stream.synchronize()\n", "", "end"),
    "the end waits for no step": ("compute.synchronize()", "pass", "end"),
    "an error at once": ("yield None, error", "raise", "error"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_caught(mutant, stand_in):
    before, after, check = MUTANTS[mutant]
    code = Path(upload.__file__).read_text(encoding="utf-8")
    assert code.count(before) == 1
    module = types.ModuleType("mutant")
    exec(compile(code.replace(before, after), mutant, "exec"), vars(module))
    with pytest.raises((AssertionError, OSError)):
        CHECKS[check](module, stand_in)
    gc.collect()


def test_on_the_cpu_steps_pass_through():
    steps = made_steps()
    given = iter(steps)
    uploaded = upload.upload_ahead(given, "cpu", np.float32)
    assert next(uploaded) is steps[0]
    assert next(given) is steps[1]  # nothing was read ahead


def test_nothing_is_loaded_before_the_first_step_is_asked_for(stand_in):
    asked = []
    uploaded = upload.upload_ahead((asked.append(step) or step for step in made_steps()), "cuda", np.float32)
    assert not asked
    next(uploaded)
    assert len(asked) == 2
    uploaded.close()


def test_memory_is_taken_only_to_grow(stand_in, monkeypatch):
    taken = []
    take = stand_in.cupy.cuda.alloc_pinned_memory
    monkeypatch.setattr(stand_in.cupy.cuda, "alloc_pinned_memory", lambda nbytes: taken.append(nbytes) or take(nbytes))
    same = made_steps(1) * 20
    for _ in upload.upload_ahead(same, "cuda", np.float32):
        pass
    assert len(taken) == 2
    assert all(array.nbytes <= min(taken) for batch in same[0] for array in batch[:2])
