// Batch normalisation: sums over each channel, and what is done with them.
//
//   mean = Σ x / M      var = Σ (x − mean)² / M      Σ dy      Σ dy·x̂ with x̂ = (x − mean)·inv_std
//   y  = (x − mean)·scale + shift
//   dx = scale·(dy − Σdy/M − x̂·Σ(dy·x̂)/M)
//
// A sum over a channel of a (N, C, L) array runs in two steps. Step one: a block takes `chunk` of the L values that a picture has
// of a channel; each thread adds every 256th, the 32 lanes of a warp add theirs by shuffles (log2 32 = 5 of them), the 8 warps
// through shared memory. Step two: one thread a channel adds the blocks' sums in order. Which values are added to which never depends on
// timing, so the sums have the same bits on every run; atomics would not give that.
//
// The variance takes a second pass over x: Σx² − (Σx)²/M would lose all digits where the mean is large.
//
// -DREAL=float or double, -DSUM=0: Σ a    1: Σ (a − mean)²    2: Σ a and Σ a·(b − mean)·inv_std

constexpr int SUMS = SUM == 2 ? 2 : 1;

__device__ __forceinline__ REAL sum_of_warp(REAL value) {
    for (int step = 16; step; step /= 2) value += __shfl_down_sync(0xffffffffu, value, step);
    return value;                                                    // right in lane 0
}

extern "C" __global__ void __launch_bounds__(256) channel_parts(
    const REAL* __restrict__ a, const REAL* __restrict__ b, const REAL* __restrict__ mean, const REAL* __restrict__ inv_std,
    REAL* __restrict__ parts, int C, int L, int chunks, int chunk)      // grid (N·chunks, C); parts (SUMS, N·chunks, C)
{
    __shared__ REAL warps[SUMS][8];
    const int c = blockIdx.y, n = blockIdx.x / chunks, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int begin = blockIdx.x % chunks * chunk, end = min(begin + chunk, L);
    const long long plane = ((long long)n * C + c) * L;
    REAL sums[SUMS] = {};
    #pragma unroll 4
    for (int i = begin + threadIdx.x; i < end; i += 256) {
        const REAL value = a[plane + i];
        if (SUM == 1) sums[0] += (value - mean[c]) * (value - mean[c]);
        else sums[0] += value;
        if (SUM == 2) sums[SUMS - 1] += value * (b[plane + i] - mean[c]) * inv_std[c];
    }
    for (int s = 0; s < SUMS; ++s) {
        const REAL sum = sum_of_warp(sums[s]);
        if (lane == 0) warps[s][warp] = sum;
    }
    __syncthreads();
    if (warp == 0)
        for (int s = 0; s < SUMS; ++s) {
            const REAL sum = sum_of_warp(lane < 8 ? warps[s][lane] : REAL(0));
            if (lane == 0) parts[((long long)s * gridDim.x + blockIdx.x) * C + c] = sum;
        }
}

extern "C" __global__ void __launch_bounds__(256) add_channel_parts(
    const REAL* __restrict__ parts, REAL* __restrict__ sums, int chunks, int C)      // sums (SUMS, C)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= SUMS * C) return;
    REAL sum = REAL(0);
    for (int chunk = 0; chunk < chunks; ++chunk) sum += parts[((long long)(i / C) * chunks + chunk) * C + i % C];
    sums[i] = sum;
}

// Below, the planes (pictures times channels) are the grid's second axis, so nobody has to divide an index to find its channel.

extern "C" __global__ void __launch_bounds__(256) normalise(
    const REAL* __restrict__ x, const REAL* __restrict__ mean, const REAL* __restrict__ scale, const REAL* __restrict__ shift,
    REAL* __restrict__ y, int planes, int C, int L)                     // shift may be null
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= L) return;
    for (int plane = blockIdx.y; plane < planes; plane += gridDim.y) {
        const int c = plane % C;
        const long long at = (long long)plane * L + i;
        y[at] = (x[at] - mean[c]) * scale[c] + (shift ? shift[c] : REAL(0));
    }
}

extern "C" __global__ void __launch_bounds__(256) normalise_backward(
    const REAL* __restrict__ dy, const REAL* __restrict__ x, const REAL* __restrict__ mean, const REAL* __restrict__ inv_std,
    const REAL* __restrict__ scale, const REAL* __restrict__ mean_dy, const REAL* __restrict__ mean_dy_x_hat,
    REAL* __restrict__ dx, int planes, int C, int L)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= L) return;
    for (int plane = blockIdx.y; plane < planes; plane += gridDim.y) {
        const int c = plane % C;
        const long long at = (long long)plane * L + i;
        const REAL x_hat = (x[at] - mean[c]) * inv_std[c];
        dx[at] = scale[c] * (dy[at] - mean_dy[c] - x_hat * mean_dy_x_hat[c]);
    }
}
