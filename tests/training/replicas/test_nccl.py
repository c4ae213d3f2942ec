"""The way over NCCL, on the strict stand-in for CuPy and a stand-in for NCCL that moves host memory: no GPU has run it yet."""

import ctypes
import sys
import threading
import types

import numpy as np
import pytest

from minifcn.backend import to_device, to_host
from minifcn.training.replicas import Node, Workers, gradient_sum
from minifcn.training.replicas.nccl import NcclWorkers
from support import strict_cupy
from support.post import together

SIZES = {7: np.float32, 8: np.float64}  # NCCL's numbers of the dtypes


class Nccl(types.ModuleType):
    """send, recv and allGather between threads, by the addresses of their memory; a group's wait for each other at its end."""

    NCCL_FLOAT32, NCCL_FLOAT64 = 7, 8

    def __init__(self, posts):
        super().__init__("cupy.cuda.nccl")
        self.local, self.communicators = threading.local(), posts
        self.NcclCommunicator = lambda count, unique, rank: _Communicator(self, count, unique, rank)

    def get_unique_id(self):
        return ("the only", "id")

    def groupStart(self):
        self.local.sends, self.local.receives = [], []

    def groupEnd(self):
        letters = [letter for _, letter in sorted(self.local.sends)]
        for other, address in self.local.receives:
            assert 0 <= other < len(letters)
            assert address is not None
        received = self.local.post._exchange(letters)
        for (other, into), _ in zip(self.local.receives, received, strict=True):
            into(received[other])


class _Communicator:
    def __init__(self, nccl, count, unique, rank):
        assert unique == ("the only", "id")
        self.nccl, self.count = nccl, count
        nccl.local.post = nccl.communicators[rank]

    def send(self, pointer, count, kind, peer, stream):
        self.nccl.local.sends.append((peer, _memory(pointer, count, kind).tobytes()))

    def recv(self, pointer, count, kind, peer, stream):
        memory = _memory(pointer, count, kind)

        def into(letter):
            memory[...] = np.frombuffer(letter, memory.dtype)

        self.nccl.local.receives.append((peer, into))

    def allGather(self, mine, everyones, count, kind, stream):
        letters = [_memory(mine, count, kind).tobytes()] * self.count
        received = self.nccl.local.post._exchange(letters)
        _memory(everyones, count * self.count, kind)[...] = np.frombuffer(b"".join(received), SIZES[kind])


def _memory(pointer, count, kind):
    dtype = np.dtype(SIZES[kind])
    return np.frombuffer((ctypes.c_char * (count * dtype.itemsize)).from_address(pointer), dtype)


@pytest.fixture
def gpus(monkeypatch):
    """How many GPUs the machine has; a function that sets it."""
    cuda = strict_cupy.cupy.cuda
    monkeypatch.setitem(sys.modules, "cupy", strict_cupy.cupy)
    monkeypatch.setitem(sys.modules, "cupy.cuda", cuda)
    monkeypatch.setattr(strict_cupy.ndarray, "data", property(lambda a: types.SimpleNamespace(ptr=a._host.ctypes.data)), False)
    monkeypatch.setattr(strict_cupy.Stream, "ptr", 0, raising=False)
    monkeypatch.setattr(strict_cupy._Device, "use", lambda device: None, raising=False)

    def set_count(count):
        monkeypatch.setattr(cuda.runtime, "getDeviceCount", lambda: count, raising=False)

    set_count(8)
    posts = {}
    monkeypatch.setattr(cuda, "nccl", Nccl(posts), raising=False)
    set_count.posts = posts
    return set_count


def gradients_of(leaf, dtype):
    rng = np.random.default_rng(leaf)
    return [rng.normal(size=shape).astype(dtype) for shape in ((7, 3), (5,), (2, 2, 3))]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("number", "count"), [(2, 2), (6, 2), (6, 3), (4, 4)])
def test_the_same_bits_as_over_mpi(gpus, dtype, number, count):
    def work(comm, kind):
        if kind is NcclWorkers:
            gpus.posts[comm.rank] = comm
            comm.Barrier()
        replicas = kind(comm, comm.rank, bucket=97) if kind is NcclWorkers else Workers(comm, bucket=97)
        tree = gradient_sum()
        for leaf in replicas.share(number):
            values = gradients_of(leaf, dtype)
            tree.append(Node(0, leaf), [to_device(v, "cuda") for v in values] if kind is NcclWorkers else values)
        return [to_host(value) for value in replicas.add(tree, number)]

    over_mpi = together(count, lambda comm: work(comm, Workers), seed=3)
    over_nccl = together(count, lambda comm: work(comm, NcclWorkers), seed=4)
    for mine, theirs in zip(over_nccl, over_mpi, strict=True):
        for one, other in zip(mine, theirs, strict=True):
            assert np.array_equal(one, other)
    total = [sum(parts) for parts in zip(*[gradients_of(leaf, dtype) for leaf in range(number)], strict=True)]
    for one, other in zip(over_nccl[0], total, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_fewer_gpus_than_workers(gpus):
    gpus(1)
    with pytest.raises(ValueError, match="each worker needs a GPU, and this machine has 1: take --workers 1, or --device cpu"):
        together(2, lambda comm: NcclWorkers(comm, comm.rank))
