"""The CUDA kernels, compiled by g++ and run on the CPU, against NumPy: under every schedule of threads and of copies.

What these tests show is *emulated*: the arithmetic, the indices, the barriers. That NVRTC takes the text is test_nvrtc.py's to
show; that a GPU runs it, test_on_gpu.py's.
"""

from __future__ import annotations

import numpy as np
import pytest

from minifcn.kernels import Geometry, cuda
from minifcn.kernels.convolution import im2col
from minifcn.kernels.cuda import conv, launch, tiles
from minifcn.kernels.cuda.tiles import TILES
from support import cuda_emulator, kernel_cases

pytestmark = pytest.mark.skipif(cuda_emulator.COMPILER is None, reason="g++ is not installed")


@pytest.fixture
def schedule(request, monkeypatch):
    """How threads are ordered and when asynchronous copies arrive, for one test."""
    name, eager = request.param
    monkeypatch.setattr(cuda_emulator, "settings", cuda_emulator.Settings(name, eager, seed=1))


every_schedule = pytest.mark.parametrize(
    "schedule", [(name, eager) for name in cuda_emulator.SCHEDULES for eager in (False, True)], indirect=True,
    ids=[f"{name}-{when}" for name in cuda_emulator.SCHEDULES for when in ("late", "eager")],
)  # fmt: skip
every_tile = pytest.mark.parametrize(
    ("products", "tile"), kernel_cases.CONFIGURATIONS, ids=[kernel_cases.tile_name(*one) for one in kernel_cases.CONFIGURATIONS]
)


@every_tile
@pytest.mark.parametrize("name", kernel_cases.CONVOLUTIONS)
def test_convolution(cupy, name, products, tile):
    kernel_cases.check(kernel_cases.convolution(name, cupy, products, tile))


@every_schedule
@every_tile
def test_convolution_under_every_schedule(cupy, schedule, products, tile):
    kernel_cases.check(kernel_cases.convolution("many slabs", cupy, products, tile))


@every_schedule
@pytest.mark.parametrize("name", kernel_cases.OTHERS)
def test_the_rest_under_every_schedule(cupy, schedule, name):
    kernel_cases.check(kernel_cases.OTHERS[name](cupy))


@pytest.mark.parametrize("products", kernel_cases.PRODUCTS)
def test_results_have_the_same_bits_under_every_schedule_and_tile(cupy, monkeypatch, products):
    bits: dict[tuple, set] = {}  # by what pieces are made of, slabs of some length or strips of them
    for schedule in cuda_emulator.SCHEDULES:
        monkeypatch.setattr(cuda_emulator, "settings", cuda_emulator.Settings(schedule))
        for tile in [tile for with_products, tile in kernel_cases.CONFIGURATIONS if with_products == products]:
            answers = kernel_cases.convolution("in pieces", cupy, products, tile)
            bits.setdefault((tile.BK, tile.STRIPS > 0), set()).add(b"".join(got.get().tobytes() for _, got, *_ in answers))
    assert {len(different) for different in bits.values()} == {1}


def test_no_kernel_makes_the_host_wait(cupy, counts):
    for name in kernel_cases.OTHERS:
        list(kernel_cases.OTHERS[name](cupy))
    list(kernel_cases.convolution("two groups", cupy, 1))
    assert counts["to_host"] == 0


BANKS = """
extern "C" __global__ void banks(const float* slab, int* reads, int* writes) {
    const Place at = my_place();
    const SLAB a(slab, at.g, at.t), b(slab, 2 * at.t, 0);
    for (int k = 0; k < BK; k += 4) {
        reads[k / 4 * 32 + threadIdx.x] = a.quad(k) - slab;
        reads[BK / 4 * 32 + k / 4 * 32 + threadIdx.x] = b.quad(k) - slab;
    }
    writes[threadIdx.x] = WRITE;
}"""


def collisions(slab, write="AlongK::place(threadIdx.x / 4, threadIdx.x % 4)"):
    """How many reads by a warp, and copies by 8 threads, meet a bank of shared memory twice, at different addresses."""
    code = launch.source("tile.cuh") + BANKS.replace("SLAB", slab).replace("WRITE", write)
    options = [f"-D{name}={value}" for name, value in {"PRODUCTS": 1, **TILES[1][0].constants}.items()]
    reads, writes = np.full((8, 32), -1, np.int32), np.full((4, 8), -1, np.int32)
    module = cuda_emulator.Module(code.replace("__forceinline__", "inline"), tuple(options))
    module.get_function("banks")((1,), (32,), (np.zeros(4096, np.float32), reads, writes))
    together = [set(row) for row in reads.tolist()]
    together += [{first + word for first in row for word in range(4)} for row in writes.tolist()]
    return sum(len({address % 32 for address in addresses}) < len(addresses) for addresses in together)


def test_slabs_are_read_and_written_without_bank_conflicts():
    assert collisions("AlongK") == 0
    for width in (32, 64, 128, 256):
        assert collisions(f"AcrossK<{width} + 8>", "threadIdx.x * 4") == 0
    assert collisions("AcrossK<64>", "threadIdx.x / 4 * (BK + 4) + threadIdx.x % 4 * 4") == 8, "the check is blind"


def test_nan_goes_through(cupy):
    """A NaN in x is a NaN in y wherever the window sees it, ReLU or not, so a broken run cannot hide."""
    x = kernel_cases.draw(1, 4, 5, 5)
    x[0, 1, 2, 2] = np.nan
    weight = cupy.asarray(kernel_cases.draw(3, 4, 3, 3))
    y = cuda.forward_relu(cupy.asarray(x), weight, None, Geometry.of(x.shape, weight.shape)).get()
    assert np.isnan(y).all()


# ------------------------------------------------------------------------------------------------------------- launching


def test_launch_takes_views_of_inputs_and_refuses_views_of_outputs(cupy):
    dy, y = kernel_cases.draw(4, 6), kernel_cases.draw(4, 6, seed=1)
    dx = cuda.relu_backward(cupy.asarray(dy).T, cupy.asarray(y).T)
    np.testing.assert_array_equal(dx.get(), (dy * (y > 0)).T)
    out = cupy.empty((6, 4), np.float32).T
    with pytest.raises(TypeError, match="must be contiguous"):
        launch.launch("relu.cu", "relu_backward", (1,), 256, (cupy.asarray(dy), cupy.asarray(y), out, 24), REAL="float")


def test_launch_refuses_what_a_gpu_would_misread(cupy):
    x = cupy.asarray(kernel_cases.draw(4))
    with pytest.raises(TypeError, match="dtype float32"):
        launch.launch("relu.cu", "relu_backward", (1,), 256, (x, x, x, 4), REAL="double")
    with pytest.raises(ValueError, match="takes 4 arguments"):
        launch.launch("relu.cu", "relu_backward", (1,), 256, (x, x, x), REAL="float")
    with pytest.raises(ValueError, match="smaller batch"):
        launch.launch("relu.cu", "relu_backward", (1, 70000), 256, (x, x, x, 4), REAL="float")


def test_one_number_is_typed_as_each_kernel_reads_it():
    """Numbers are made once and kept: 7 for an int must not come back where a long long, or a float, is read."""
    readers = {kind: launch._reader("kernel", "n", kind, False, False, {}) for kind in launch._DTYPES}
    for _ in range(2):
        for kind, read in readers.items():
            typed = read(7)
            assert (type(typed), typed) == (launch._DTYPES[kind], 7), kind
    assert type(readers["int"](True)) is np.int32
    with pytest.raises(OverflowError):
        readers["int"](2**31)


def test_numbers_are_kept_up_to_a_limit():
    numbers = launch._Integers(np.dtype(np.int32))
    assert [int(numbers[n]) for n in range(10_000)] == list(range(10_000))
    assert len(numbers) < 5_000
    assert numbers[9_999] == 9_999


def test_each_device_has_its_own_function_and_finds_it_again(cupy, monkeypatch):
    x = cupy.asarray(kernel_cases.draw(4))
    made = []
    original = launch._module

    def recorded(*key):
        made.append(cupy.cuda.runtime.getDevice())
        return original(*key)

    monkeypatch.setattr(launch, "_module", recorded)
    launch._function.cache_clear()
    for device in (0, 0, 1, 1, 0):
        monkeypatch.setattr(cupy.cuda.runtime, "getDevice", lambda device=device: device)
        launch.launch("relu.cu", "relu_backward", (1,), 256, (x, x, x, 4), REAL="float")
    launch._function.cache_clear()
    assert made == [0, 1]


def test_the_emulator_holds_arguments_to_the_kernels_types(cupy):
    """Past launch(): what CuPy would pass on without a look, the emulator refuses."""
    code = launch.source("relu.cu")
    kernel = cuda_emulator.Module(code, ("-DREAL=float",)).get_function("relu_backward")
    x = np.zeros(4, np.float32)
    wide, every_second = x.astype(np.float64), x[::2]
    for arguments in ((x, x, x, 4.0), (x, x, x, np.int32(4)), (x, x, wide, np.int64(4)), (x, x, every_second, np.int64(2))):
        with pytest.raises(TypeError):
            kernel((1,), (256,), arguments)


def test_precision_is_one_of_two():
    with pytest.raises(ValueError, match="'tf32' and 'float32'"):
        cuda.set_precision("float16")


@pytest.mark.parametrize(("capability", "products"), [("80", 3), ("86", 0), ("89", 0), ("90", 3)])
def test_float32_is_multiplied_by_what_is_faster(cupy, monkeypatch, capability, products):
    monkeypatch.setattr(cupy.cuda.Device, "compute_capability", capability)
    assert conv._products(cupy) == products
    monkeypatch.setattr(conv, "_precision", "tf32")
    assert conv._products(cupy) == 1


@pytest.mark.parametrize(
    ("what", "M", "P", "K", "count"),
    [("conv1_2", 64, 402_500, 576, 1), ("fc6", 4096, 192, 25_088, 1), ("fc6's dx", 512, 396, 200_704, 1),
     ("conv1_1's dweight", 64, 36, 399_954, 1), ("score", 21, 192, 4096, 1),
     ("upscore8's dx", 21, 250_000, 84, 64), ("a pixel", 1, 1, 4, 1), ("many groups", 1, 3477, 9, 60_000)],
)  # fmt: skip
@pytest.mark.parametrize("products", kernel_cases.PRODUCTS)
def test_a_plan_can_be_launched_and_fills_the_gpu(what, M, P, K, count, products):
    tile, splits = tiles.plan(M, P, K, count, products)
    blocks = -(-M // tile.BM) * -(-P // tile.BN) * count * splits
    assert count * splits <= 65535
    assert splits == 1 or K // splits >= tile.BK
    if M >= 16 and M * P * count * K > 1e9:
        assert blocks >= 100, "most of the GPU would idle"
        padded = -(-M // tile.BM) * tile.BM * -(-P // tile.BN) * tile.BN
        assert padded <= 1.6 * M * P, "most of the products would be with zeros"


def test_an_older_gpu_convolves_by_columns(cupy, monkeypatch):
    """Before compute capability 8.0 there is no cp.async: im2col and cuBLAS take over, also in float32."""
    monkeypatch.setattr(cupy.cuda.Device, "compute_capability", "75")
    monkeypatch.setattr(conv, "forward", None)
    x, weight = kernel_cases.draw(1, 4, 5, 5), kernel_cases.draw(3, 4, 3, 3)
    g = Geometry.of(x.shape, weight.shape)
    y = cuda.forward(cupy.asarray(x), cupy.asarray(weight), None, g)
    np.testing.assert_allclose(y.get(), im2col.forward(x, weight, None, g), atol=1e-5)
