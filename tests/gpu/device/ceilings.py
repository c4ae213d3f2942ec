"""What this GPU can do at most, which every other figure has to be held against; some seconds.

    python tests/gpu/device/ceilings.py --out FILE.json

- products_teraflops: TF32 by mma.sync, the instruction of kernels/cuda/tile.cuh, from registers alone.
- cache_gigabytes_per_second: from L2 into shared memory by cp.async, as a convolution's slabs arrive.
- copy_gigabytes_per_second: device memory, bytes read and written.
- launch_host_microseconds, launch_microseconds: an empty kernel, as the host and as the device sees it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[3])]

THREADS = 256  # a block
ROUNDS = 20_000
PRODUCTS_A_ROUND = 16  # of 16 x 8 x 8, a warp
CACHE_ROUNDS, BYTES_A_ROUND = 2_000, 16_384  # a block
IN_CACHE = 6 << 20  # floats: 24 MB, well within the L2 of an A100 or H100
IN_MEMORY = 1 << 28  # floats: 1 GB
LAUNCHES = 2_000

SOURCE = r"""
__device__ __forceinline__ void multiply(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

extern "C" __global__ void __launch_bounds__(256) products(float* out, int rounds) {
    float d[16][4] = {};
    unsigned a[4], b[2];
    for (int r = 0; r < 4; ++r) a[r] = 0x3f800000u + (threadIdx.x << 13);
    for (int r = 0; r < 2; ++r) b[r] = 0x3f000000u + (threadIdx.x << 13);
    for (int n = 0; n < rounds; ++n)
        #pragma unroll
        for (int j = 0; j < 16; ++j) multiply(d[j], a, b);
    float sum = 0;  // or the compiler leaves it all out
    for (int j = 0; j < 16; ++j) sum += d[j][0] + d[j][1] + d[j][2] + d[j][3];
    out[blockIdx.x * 256 + threadIdx.x] = sum;
}

extern "C" __global__ void __launch_bounds__(256) from_cache(const float* x, float* out, int floats, int rounds) {
    extern __shared__ __align__(16) float shared[];
    unsigned to = (unsigned)__cvta_generic_to_shared(shared) + 16 * threadIdx.x;
    long long at = ((blockIdx.x * 7919ll) % (floats / 4096)) * 4096 + 4 * threadIdx.x;
    for (int n = 0; n < rounds; ++n) {
        #pragma unroll
        for (int i = 0; i < 4; ++i)
            asm volatile("cp.async.cg.shared.global [%0], [%1], 16;"
                :: "r"(to + 4096 * i), "l"(x + at + 1024 * i) : "memory");
        asm volatile("cp.async.commit_group;\ncp.async.wait_group 3;" ::: "memory");
        at += 4096;
        if (at >= floats) at -= floats;
    }
    asm volatile("cp.async.wait_group 0;" ::: "memory");
    __syncthreads();
    out[blockIdx.x * 256 + threadIdx.x] = shared[threadIdx.x];
}
"""


def main(arguments: list[str]) -> None:
    """Measures all of them, prints a line for each and writes them down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    from minifcn import backend

    try:
        backend.check_device("cuda")
    except RuntimeError as error:
        raise SystemExit(str(error)) from None
    found = measure(backend.import_cupy())
    for name, value in found.items():
        print(f"{name:34} {value:12.1f}")
    options.out.write_text(json.dumps(found, indent=1), encoding="utf-8")


def measure(cupy: Any) -> dict[str, float]:
    """Every ceiling by its name; of several numbers of blocks a multiprocessor the best."""
    multiprocessors = cupy.cuda.runtime.getDeviceProperties(0)["multiProcessorCount"]
    module = cupy.RawModule(code=SOURCE)
    products, from_cache = module.get_function("products"), module.get_function("from_cache")
    out, cached = cupy.empty(multiprocessors * 4 * THREADS, "f4"), cupy.ones(IN_CACHE, "f4")

    def product_rate(blocks: int) -> float:
        flops = blocks * (THREADS // 32) * ROUNDS * PRODUCTS_A_ROUND * 2 * 16 * 8 * 8
        return flops / best_seconds(cupy, lambda: products((blocks,), (THREADS,), (out, cupy.int32(ROUNDS))))

    def cache_rate(blocks: int) -> float:
        arguments = (cached, out, cupy.int32(cached.size), cupy.int32(CACHE_ROUNDS))
        seconds = best_seconds(cupy, lambda: from_cache((blocks,), (THREADS,), arguments, shared_mem=BYTES_A_ROUND))
        return blocks * CACHE_ROUNDS * BYTES_A_ROUND / seconds

    source, target = cupy.ones(IN_MEMORY, "f4"), cupy.empty(IN_MEMORY, "f4")
    copy = best_seconds(cupy, lambda: cupy.copyto(target, source))
    host, whole = launch_seconds(cupy, lambda: products((1,), (THREADS,), (out, cupy.int32(0))))
    return {
        "multiprocessors": multiprocessors,
        "products_teraflops": max(product_rate(multiprocessors * n) for n in (1, 2)) / 1e12,
        "cache_gigabytes_per_second": max(cache_rate(multiprocessors * n) for n in (1, 2, 4)) / 1e9,
        "copy_gigabytes_per_second": 2 * source.nbytes / copy / 1e9,
        "launch_host_microseconds": host * 1e6,
        "launch_microseconds": whole * 1e6,
    }


def best_seconds(cupy: Any, function: Callable[[], Any], times: int = 5) -> float:
    """The shortest of several times by the device's own clock, after one that is not counted."""
    function()
    seconds = []
    for _ in range(times):
        start, end = cupy.cuda.Event(), cupy.cuda.Event()
        start.record()
        function()
        end.record()
        end.synchronize()
        seconds.append(cupy.cuda.get_elapsed_time(start, end) / 1e3)
    return min(seconds)


def launch_seconds(cupy: Any, function: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of one launch on the host, and until the device is through."""
    cupy.cuda.Device().synchronize()
    start = time.perf_counter()
    for _ in range(LAUNCHES):
        function()
    host = time.perf_counter() - start
    cupy.cuda.Device().synchronize()
    return host / LAUNCHES, (time.perf_counter() - start) / LAUNCHES


if __name__ == "__main__":
    main(sys.argv[1:])
