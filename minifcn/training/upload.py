"""A step's input travels to the GPU while the GPU computes the step before.

    host     fill 0 | fill 1 | launch step 0 | fill 2          | launch step 1 | ...
    upload            copy 0 | copy 1        |                   copy 2 | ...
    compute                  | step 0 ...................... | step 1 .............. | step 2 ...

The copy engine reads host memory by itself only where it is pinned, that is, never moved nor swapped; and it works beside
the compute stream only on a stream of its own. Two slots, used in turn, hold a step's input each, on the host and on the
device. Nothing here waits for itself to be safe, so two events a slot say who may go on:

- ready: the copy is through. The compute stream waits for it before it reads the slot's device memory, and the host
  before it fills the slot's pinned memory anew.
- done: the step that read the slot is through. The upload stream waits for it before it copies over what was read.

Checked on an H100 (tests/gpu/device/test_on_gpu.py), and on a stand-in for CuPy whose copies happen as late as these waits
allow, with every wait left out in turn (tests/training/test_upload.py). The time that it saves has not been measured.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from minifcn.backend import Array, import_cupy
from minifcn.data.loader import Batch

_ALIGNMENT = 256  # bytes: where an array may begin in a buffer, so that warps read whole lines of memory


class Uploaded(NamedTuple):
    """A batch as the loader made it, on the host, and `inputs`: its images and labels on the device."""

    images: np.ndarray
    labels: np.ndarray
    ids: list[str]
    sizes: list[tuple[int, int]]
    inputs: tuple[Array, Array]


def upload_ahead(
    steps: Iterable[list[Batch]], device: str, dtype: DTypeLike
) -> Generator[list[Batch] | list[Uploaded], None, None]:
    """The same steps, each a list of batches; on "cuda" the batches are `Uploaded`, a step before they are asked for.

    Their `inputs` are images (N, 3, H, W) in `dtype` and labels (N, H, W), for work on the stream that is current when the
    first step is asked for, and only until the next one is: then their memory is used again. On "cpu" the steps pass
    through as they are. An exception in `steps` is raised when its turn comes, not while reading ahead. Close the
    iterator to stop early; it then waits for the device.
    """
    yield from (steps if device == "cpu" else _upload_ahead(steps, import_cupy(), np.dtype(dtype)))


def _upload_ahead(steps: Iterable[list[Batch]], cupy: ModuleType, dtype: np.dtype) -> Iterator[list[Uploaded]]:
    compute, stream = cupy.cuda.get_current_stream(), cupy.cuda.Stream(non_blocking=True)
    slots = [_Slot(cupy, stream) for _ in range(2)]
    try:
        for (slot, uploaded), _following in itertools.pairwise(_uploads(steps, slots, dtype)):
            if isinstance(uploaded, Exception):
                raise uploaded
            compute.wait_event(slot.ready)
            yield uploaded
            slot.done.record(compute)
    finally:  # the slots' memory goes back to the pools, so nobody may be using it
        compute.synchronize()
        stream.synchronize()


def _uploads(steps: Iterable[list[Batch]], slots: Sequence[_Slot], dtype: np.dtype) -> Iterator[Any]:
    """(slot, uploaded batches) of each step, its copy only begun; then what went wrong, if anything; and an end mark."""
    try:
        for slot, batches in zip(itertools.cycle(slots), steps, strict=False):
            yield slot, slot.upload(batches, dtype)
    except Exception as error:
        yield None, error
    yield None  # the last step, too, has something that follows it


class _Slot:
    """Memory for one step's input, pinned on the host and on the device, as large as the largest step so far.

    The device's comes from the memory pool of the upload stream, so no kernel ever used it for anything else, and it is
    given up only behind `done` on that stream: CuPy hands freed memory out again at once, to work on the same stream.
    """

    def __init__(self, cupy: ModuleType, stream: Any) -> None:
        self.cupy, self.stream = cupy, stream
        self.ready = cupy.cuda.Event(block=True, disable_timing=True)  # block: the host sleeps while it waits
        self.done = cupy.cuda.Event(disable_timing=True)  # an event that was never recorded keeps nobody waiting
        self.pinned = np.empty(0, np.uint8)
        self.buffer: Array = None

    def upload(self, batches: list[Batch], dtype: np.dtype) -> list[Uploaded]:
        """Starts to copy the batches, all in one go, images in `dtype`."""
        arrays = [array for batch in batches for array in (batch.images, batch.labels)]
        dtypes = [kind for batch in batches for kind in (dtype, batch.labels.dtype)]
        sizes = [array.size * kind.itemsize for array, kind in zip(arrays, dtypes, strict=True)]
        *starts, end = itertools.accumulate((-(-size // _ALIGNMENT) * _ALIGNMENT for size in sizes), initial=0)
        self.ready.synchronize()
        self.stream.wait_event(self.done)
        self._reserve(end)
        on_device = []
        for array, kind, start, size in zip(arrays, dtypes, starts, sizes, strict=True):
            place = slice(start, start + size)
            self.pinned[place].view(kind).reshape(array.shape)[...] = array
            on_device.append(self.buffer[place].view(kind).reshape(array.shape))
        self.buffer[:end].set(self.pinned[:end], stream=self.stream)
        self.ready.record(self.stream)
        pairs = zip(on_device[::2], on_device[1::2], strict=True)
        return [
            Uploaded(batch.images, batch.labels, batch.ids, batch.sizes, inputs)
            for batch, inputs in zip(batches, pairs, strict=True)
        ]

    def _reserve(self, nbytes: int) -> None:
        if nbytes > self.pinned.size:
            self.pinned = np.frombuffer(self.cupy.cuda.alloc_pinned_memory(nbytes), np.uint8, nbytes)
            with self.stream:
                self.buffer = self.cupy.empty(nbytes, np.uint8)
