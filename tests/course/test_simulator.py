"""The simulator of lesson 17 sees every race and no other, and runs a kernel as the CUDA emulator runs the library's."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn.course.simulator import SCHEDULES, Deadlock, OutOfBounds, launch
from minifcn.kernels.cuda import launch as cuda
from support.cuda_emulator import COMPILER, Module

each_schedule = pytest.mark.parametrize("schedule", SCHEDULES)


def neighbours(t, x):
    if t.thread > 0:
        x[t.thread] = x[t.thread - 1]


def neighbours_apart(t, x):
    before = x[t.thread - 1] if t.thread > 0 else x[0]
    yield
    x[t.thread] = before


def own(t, x):
    x[t.block * t.size + t.thread] = x[t.block * t.size + t.thread] + 1


def readers(t, x, y):
    y[t.thread] = x[0]


def adders(t, x):
    t.atomic_add(x, 0, 1.0)


def adder_and_reader(t, x):
    if t.thread:
        t.atomic_add(x, 0, 1.0)
    else:
        x[0]


def across_blocks(t, x):
    x[t.thread] = float(t.block)
    yield


def shared_by_blocks(t, x):
    own = t.shared("own", t.size)
    own[t.thread] = float(t.block)
    yield
    x[t.block * t.size + t.thread] = own[t.size - 1 - t.thread]


@each_schedule
@pytest.mark.parametrize(
    ("kernel", "blocks", "races"),
    [
        (neighbours, 1, 4),  # cells 1 to 4: each is written by one thread and read by the next
        (neighbours_apart, 1, 0),
        (own, 3, 0),
        (adders, 2, 0),
        (adder_and_reader, 1, 1),
        (across_blocks, 2, 6),  # a barrier is for the threads of one block
        (shared_by_blocks, 3, 0),
    ],
)
def test_it_sees_every_race_and_no_other(kernel, blocks, races, schedule):
    found = launch(kernel, blocks, 6, np.zeros(18), schedule=schedule).races
    assert len(found) == races


@each_schedule
def test_what_no_two_threads_share_is_the_same_under_every_schedule(schedule):
    x, y = np.arange(18.0), np.zeros(18)
    run = launch(readers, 1, 18, x + 3, y, schedule=schedule)
    assert (y == 3).all()
    assert run.reads[0] == 18
    launch(own, 3, 6, x, schedule=schedule)
    assert np.array_equal(x, np.arange(1.0, 19))
    launch(shared_by_blocks, 3, 6, x, schedule=schedule)
    assert np.array_equal(x, np.repeat([0.0, 1, 2], 6))


def test_only_all_at_once_loses_what_two_threads_add():
    def add(t, x):
        x[0] = x[0] + 1

    for schedule in SCHEDULES:
        x = np.zeros(1)
        launch(add, 2, 3, x, schedule=schedule)
        assert x[0] == (1 if schedule == "all read, then all write" else 6)


def test_a_thread_sees_what_it_has_written_itself():
    def twice(t, x):
        x[t.thread] = 5.0
        x[t.thread] = x[t.thread] + 1

    for schedule in SCHEDULES:
        x = np.zeros(4)
        assert launch(twice, 1, 4, x, schedule=schedule).races == []
        assert (x == 6).all()


@pytest.mark.parametrize("place", [-1, 4, 1.0])
def test_a_number_that_an_array_does_not_have(place):
    def outside(t, x):
        x[place] = 1.0

    with pytest.raises(OutOfBounds, match=f"block 0, thread 0 uses number {place} of an array of 4"):
        launch(outside, 1, 1, np.zeros(4))


def test_threads_that_wait_for_others_that_have_ended():
    def some(t, x):
        if t.thread % 2:
            yield

    with pytest.raises(Deadlock, match="3 threads of block 0 wait for 3 that have ended"):
        launch(some, 2, 6, np.zeros(1))
    with pytest.raises(ValueError, match="schedule 'random' is not known; choose one of in order"):
        launch(some, 1, 1, np.zeros(1), schedule="random")


# ------------------------------------------------------------------------------------------------- the library's CUDA C


@pytest.mark.skipif(COMPILER is None, reason="needs g++, on which the library's kernels are emulated")
def test_a_readers_kernel_gives_what_the_librarys_cuda_c_gives():
    from minifcn.course.exercises import lesson_17

    rng = np.random.default_rng(7)
    H, W, K = 6, 9, 3
    OH, OW = H - K + 1, W - K + 1
    module = {
        name: Module((cuda.FOLDER / f"{name}.cu").read_text(encoding="utf-8"), ("-DREAL=double",))
        for name in ("relu", "im2col")
    }
    dy, y, x = rng.normal(size=(3, 7)), rng.normal(size=(3, 7)), rng.normal(size=(H, W))
    columns = rng.normal(size=(K * K, OH * OW))

    theirs = np.full(dy.shape, np.nan)
    module["relu"].get_function("relu_backward")((1,), (256,), (dy, y, theirs, np.int64(dy.size)))
    assert np.array_equal(theirs, lesson_17.relu_backward_kernel(lesson_17.SHUFFLED, dy, y))

    numbers = tuple(np.int32(n) for n in (1, H, W, K, K, OH, OW, 1, 1, 0, 0, 1, 1))
    theirs = np.full(columns.shape, np.nan)
    module["im2col"].get_function("im2col")((2,), (256,), (x, theirs, *numbers))
    assert np.array_equal(theirs, lesson_17.im2col_kernel(lesson_17.AT_ONCE, x, K))

    theirs = np.full(x.shape, np.nan)
    module["im2col"].get_function("col2im")((1,), (256,), (columns, theirs, *numbers))
    assert np.array_equal(theirs, lesson_17.col2im_kernel(lesson_17.BACKWARDS, columns, H, W, K))
