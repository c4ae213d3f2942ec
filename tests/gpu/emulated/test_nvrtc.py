"""Every kernel through NVRTC, with CuPy's own flags, for an A100 (sm_80) and an H100 or H200 (sm_90); no GPU is needed.

Shown here, *compiled*: the text is CUDA C that NVRTC takes, nothing is spilled to memory for want of registers, and the
tensor-core and asynchronous-copy instructions that the files speak of are in the machine code.
"""

from __future__ import annotations

import functools

import pytest

from minifcn.kernels.cuda import launch, tiles
from support import kernel_cases, nvrtc_compiler

pytestmark = pytest.mark.skipif(bool(nvrtc_compiler.missing()), reason=nvrtc_compiler.missing() or "all is here")

ARCHITECTURES = ("sm_80", "sm_90")
REGISTERS = 65536  # of a multiprocessor
CONVOLUTION_FILES = ("conv_gather.cu", "conv_dweight.cu")
BY_WARPGROUPS_ALONE = "conv_along_rows.cu"
OTHER_FILES = {
    "pack.cu": [{"TF32": 1, "TP": TP, "TR": TR} for TP, TR in ((64, 64), (49, 32), (9, 256), (1, 1024))]
    + [{"TF32": 0, "TP": 64, "TR": 64}],
    "relu_pack.cu": [{"TF32": 0, "TR": 32}, {"TF32": 1, "TR": 64}],
    "add_parts.cu": [{"WIDTH": 32, "TAPS": 64}, {"WIDTH": 256, "TAPS": 4}],
    "im2col.cu": [{"REAL": "float"}, {"REAL": "double"}],
    "max_pool.cu": [
        {"REAL": "float", "SWITCH": "unsigned char", "KH": 2, "KW": 2, "SH": 2, "SW": 2, "PH": 0, "PW": 0, "DH": 1, "DW": 1},
        {"REAL": "double", "SWITCH": "int", "KH": 17, "KW": 16, "SH": 3, "SW": 2, "PH": 8, "PW": 7, "DH": 2, "DW": 1},
    ],
    "batch_norm.cu": [{"REAL": real, "SUM": which} for real in ("float", "double") for which in (0, 1, 2)],
    "cross_entropy.cu": [{"REAL": "float", "LABEL": "unsigned char"}, {"REAL": "double", "LABEL": "long long"}],
    "relu.cu": [{"REAL": "float"}, {"REAL": "double"}],
    "dropout.cu": [{"REAL": "float"}, {"REAL": "double"}],
    "update.cu": [{"REAL": "float"}, {"REAL": "double"}],
}
every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)
every_convolution = pytest.mark.parametrize("file", CONVOLUTION_FILES)
every_tile = pytest.mark.parametrize(
    ("products", "tile"), kernel_cases.CONFIGURATIONS, ids=[kernel_cases.tile_name(*one) for one in kernel_cases.CONFIGURATIONS]
)


@functools.cache
def compiled(file: str, architecture: str, constants: tuple) -> nvrtc_compiler.Compiled:
    options = tuple(f"-D{name}={value}" for name, value in constants)
    return nvrtc_compiler.compile_cuda(launch.source(file), architecture, options)


def convolution(file: str, architecture: str, tile: tiles.Tile, products: int) -> nvrtc_compiler.Compiled:
    return compiled(file, architecture + "a" * tile.WGMMA, (("PRODUCTS", products), *tile.constants.items()))


def which_compute(tile: tiles.Tile) -> tuple[str, ...]:
    """The files that compute with a tile."""
    if tile.STRIPS:
        return (BY_WARPGROUPS_ALONE,)
    return ("conv_gather.cu",) if tile.WGMMA else CONVOLUTION_FILES


@every_architecture
@every_tile
def test_convolutions_spill_nothing_and_fit(architecture, tile, products):
    if tile.WGMMA and architecture != "sm_90":
        pytest.skip("no warpgroup computes there")
    for file in which_compute(tile):
        result = convolution(file, architecture, tile, products)
        assert set(result.spilled_bytes.values()) == {0}, result.log
        warps = REGISTERS // (result.registers * tile.threads) * tile.threads // 32
        assert warps >= (16 if tile.PAIRED else 8), f"{result.registers} registers: only {warps} warps on a multiprocessor"


@pytest.mark.skipif(nvrtc_compiler.disassembler() is None, reason="nvdisasm is not installed (nvidia-cuda-nvdisasm)")
@every_architecture
@every_convolution
@pytest.mark.parametrize("products", tiles.TILES)
def test_convolutions_use_the_instructions_that_they_claim(architecture, file, products):
    tile = tiles.TILES[products][0]
    listing = convolution(file, architecture, tile, products).instructions()
    a_slab = tile.BM // tile.WARPS_M // 16 * (tile.BN // tile.WARPS_N // 8) * tile.BK // 8  # products of 16 x 8 x 8 a warp
    assert listing["HMMA"] == products * a_slab, "not one tensor-core instruction for each product of a slab"
    assert listing["LDGSTS"] > 0, "no asynchronous copy"
    if products == 0:
        assert listing["FFMA"] >= 64, "no unrolled float32 multiply-adds"
    assert listing["LDL"] == listing["STL"] == 0, "registers are kept in memory"
    assert not [name for name in listing if name in ("RED", "ATOM", "ATOMG")], "an atomic: the order of sums is not fixed"


@pytest.mark.skipif(nvrtc_compiler.disassembler() is None, reason="nvdisasm is not installed (nvidia-cuda-nvdisasm)")
@pytest.mark.parametrize(
    "tile", kernel_cases.BY_WARPGROUPS, ids=[kernel_cases.tile_name(1, tile) for tile in kernel_cases.BY_WARPGROUPS]
)
def test_a_warpgroup_asks_once_for_eight_of_k_and_fetches_nothing_itself(tile):
    (file,) = which_compute(tile)
    result = convolution(file, "sm_90", tile, 1)
    listing = result.instructions()
    assert listing["HGMMA"] == tile.BK // 8, "not one instruction for 8 of k"
    assert listing["HMMA"] == 0, "mma.sync"
    assert "serialized" not in result.log, "the compiler waits for each product"


@every_architecture
@pytest.mark.parametrize("file", OTHER_FILES)
def test_other_kernels_compile_and_spill_nothing(architecture, file):
    for constants in OTHER_FILES[file]:
        result = compiled(file, architecture, tuple(constants.items()))
        assert set(result.spilled_bytes) == set(launch.signatures(file))
        assert set(result.spilled_bytes.values()) == {0}, result.log
        assert "warning" not in result.log, result.log


def test_every_kernel_file_is_compiled_here():
    files = {path.name for path in launch.FOLDER.glob("*.cu")}
    assert files == {*CONVOLUTION_FILES, BY_WARPGROUPS_ALONE, *OTHER_FILES}


def test_a_spill_would_be_seen():
    """A kernel that keeps 300 numbers alive in 32 registers: the check above is not blind."""
    code = """extern "C" __global__ void __launch_bounds__(1024, 2) greedy(const float* x, float* y, int n) {
        float kept[300];
        for (int i = 0; i < 300; ++i) kept[i] = x[i * n + threadIdx.x];
        __syncthreads();
        #pragma unroll
        for (int i = 0; i < 300; ++i) y[i * n + threadIdx.x] = kept[i] * kept[299 - i];
    }"""
    result = nvrtc_compiler.compile_cuda(code, "sm_90")
    assert result.spilled_bytes["greedy"] > 0
    with pytest.raises(nvrtc_compiler.CompileError, match="nonsense"):
        nvrtc_compiler.compile_cuda("nonsense", "sm_90")
