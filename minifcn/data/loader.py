"""Batches, decoded and augmented on threads ahead of the training step.

Pillow decodes and resizes, and NumPy copies, without holding Python's lock, so threads are enough: no processes, no
shared memory, nothing to leave behind. Every random number of a picture comes from (seed, epoch, index of the picture
in the data set), and the order from (seed, epoch), so neither the number of threads nor starting in the middle of an
epoch changes a bit.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple

import numpy as np

from minifcn.data.dataset import SegmentationDataset
from minifcn.data.palette import VOID
from minifcn.data.preprocessing import Preprocessing
from minifcn.data.transforms import Transform, sizing


class Batch(NamedTuple):
    """One step's input.

    images (N, 3, H, W) float32; labels (N, H, W) uint8; the N ids, and the N sizes (height, width) of the pictures:
    what lies to the right of them and below is padding, 0 (the mean colour) in images and 255 (void) in labels.
    """

    images: np.ndarray
    labels: np.ndarray
    ids: list[str]
    sizes: list[tuple[int, int]]


class Loader:
    """`len(loader)` batches an epoch; `for batch in loader.epoch(k)`, or `loader.epoch(k, start)` to resume.

    `transform` gets (image, label, rng). `num_threads=0` does the work in the caller's thread. At most
    `num_threads + 2` batches are read ahead. An exception while reading reaches the caller with the picture's name in
    its sentence. To stop early, just leave the loop: the threads end when the iterator is closed or forgotten.

    With `originals` every picture comes twice in an epoch: transformed, and with nothing but its size changed (the crops and
    resizes of the transform), for a network that sees changed pictures only learns another distribution than the data's.

    With `join_last` a last batch of one picture joins the batch before it, which then has `batch_size + 1`: some networks
    cannot be trained on one picture.
    """

    def __init__(
        self,
        dataset: SegmentationDataset,
        batch_size: int = 1,
        shuffle: bool = False,
        seed: int = 0,
        transform: Transform | None = None,
        preprocessing: Preprocessing | None = None,
        num_threads: int = 2,
        drop_last: bool = False,
        join_last: bool = False,
        originals: bool = False,
    ) -> None:
        for name, value, least in (("batch_size", batch_size, 1), ("seed", seed, 0), ("num_threads", num_threads, 0)):
            if value < least:
                raise ValueError(f"{name}={value} is not possible; choose {least} or more")
        self.pictures = len(dataset) * (2 if originals else 1)  # in an epoch
        if drop_last and self.pictures < batch_size:
            raise ValueError(
                f"{self.pictures} pictures make no whole batch of {batch_size}; choose a smaller batch_size or drop_last=False"
            )
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.transform = transform
        self.preprocessing = preprocessing or Preprocessing()
        self.num_threads = num_threads
        self.drop_last = drop_last
        self.join_last = join_last

    def __len__(self) -> int:
        """Batches an epoch."""
        count = self.pictures / self.batch_size
        fewer = self.drop_last or (self.join_last and self.lonely_last())
        return math.floor(count) if fewer else math.ceil(count)

    def lonely_last(self) -> bool:
        """Whether one picture is left for the last batch, with others before it, where none joins or is dropped."""
        count = self.pictures
        return not self.drop_last and count > self.batch_size > 1 and count % self.batch_size == 1

    def smallest(self, among: int) -> tuple[int, int]:
        """(H, W) of the smallest, in pixels, of the first so many pictures, as the first epoch has them."""
        samples = (self._sample(0, index) for index in range(min(among, len(self.dataset))))
        return min((label.shape for _, label in samples), key=math.prod)

    def __iter__(self) -> Iterator[Batch]:
        return self.epoch(0)

    def order(self, epoch: int) -> np.ndarray:
        """The indices of the data set in the order of this epoch; those of originals are larger by its length."""
        return self._rng(epoch, 0).permutation(self.pictures) if self.shuffle else np.arange(self.pictures)

    def epoch(
        self, epoch: int, start: int = 0, wanted: Callable[[int], bool] = lambda batch: True
    ) -> Generator[Batch, None, None]:
        """The batches of epoch `epoch` (0, 1, ...) from batch `start` on; only those that are `wanted`, by number."""
        if epoch < 0 or not 0 <= start <= len(self):
            raise ValueError(f"epoch {epoch} from batch {start} is not possible; an epoch has batches 0 to {len(self) - 1}")
        order = self.order(epoch)
        ends = [(i + 1) * self.batch_size for i in range(len(self))]
        if self.join_last and self.lonely_last():
            ends[-1] = len(order)
        parts = [order[i * self.batch_size : ends[i]] for i in range(start, len(self)) if wanted(i)]
        return self._ahead(epoch, parts) if self.num_threads else (self._batch(epoch, part) for part in parts)

    def _ahead(self, epoch: int, parts: Sequence[np.ndarray]) -> Generator[Batch, None, None]:
        """The batches in their order, a few of them under way at any time."""
        pool = ThreadPoolExecutor(self.num_threads, thread_name_prefix="minifcn-loader")
        try:
            rest = iter(parts)
            under_way: deque[Future[Batch]] = deque(
                pool.submit(self._batch, epoch, part) for part in islice(rest, self.num_threads + 2)
            )
            while under_way:
                batch = under_way.popleft().result()
                under_way.extend(pool.submit(self._batch, epoch, part) for part in islice(rest, 1))
                yield batch
        finally:  # the end, an exception, Ctrl-C, or the iterator was closed
            pool.shutdown(wait=True, cancel_futures=True)

    def _rng(self, epoch: int, *key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence((self.seed, epoch), spawn_key=key))

    def _batch(self, epoch: int, indices: np.ndarray) -> Batch:
        pairs = [self._sample(epoch, int(index)) for index in indices]
        sizes = [label.shape for _, label in pairs]
        ids = [self.dataset.ids[index % len(self.dataset)] for index in indices]
        H, W = (max(side) for side in zip(*sizes, strict=True))
        images = np.zeros((len(pairs), 3, H, W), np.float32)
        labels = np.full((len(pairs), H, W), VOID, np.uint8)
        for n, ((image, label), (h, w)) in enumerate(zip(pairs, sizes, strict=True)):
            with _naming(ids[n]):
                self.preprocessing(image, out=images[n, :, :h, :w])
            labels[n, :h, :w] = label
        return Batch(images, labels, ids, sizes)

    def _sample(self, epoch: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        is_original, picture = divmod(index, len(self.dataset))
        with _naming(self.dataset.ids[picture]):
            image, label = self.dataset[picture]
            transform = sizing(self.transform) if is_original else self.transform
            if transform is not None:
                image, label = transform(image, label, self._rng(epoch, 1, index))
            return image, label


@contextmanager
def _naming(id: str) -> Iterator[None]:
    """Puts the picture's name into the sentence of an exception that does not have it yet."""
    try:
        yield
    except Exception as error:
        if id in str(error):
            raise
        kind = type(error) if type(error) in (ValueError, TypeError, OSError) else RuntimeError
        raise kind(f"picture {id}: {error or type(error).__name__}") from error
