// What happens to the gradient between a ReLU and the convolution in front of it, in one pass over memory instead of four:
//
//   dx      = dy where y > 0, else 0                  ReLU's backward
//   packed  = dx, channels last                       (N, G, R, P) -> (G, N, P, R4), as pack.cu says
//   Σ dx    over pictures and pixels, by channel      the gradient of the convolution's bias
//
// A block turns tiles of TR channels x 32 pixels in shared memory, `tiles` of them one after the other, and each thread adds up what
// it reads of its channels. Which values are added to which depends on the shape alone: the same bits on every run. Two tiles take
// turns, so that one barrier a tile is enough: whoever writes a tile again has seen all others finish reading it.
//
//   grid   (chunks of pixels times tiles of R4, N·G: a block takes every gridDim.y-th)      block  256
//   parts  (N · chunks, G·R): a chunk's sums, for add_rows
//
// The sums are those of the numbers as they are; with TF32=1 what is packed is rounded to TF32.
// -DTR=64, or 32 where there are no more channels

#include "ptx.cuh"

constexpr int ROWS = TR / 8, QUADS = TR / 4;         // channels of a warp, and of a pixel in pieces of 16 bytes

extern "C" __global__ void __launch_bounds__(256, 4) relu_pack(
    const float* __restrict__ dy, const float* __restrict__ y, float* __restrict__ packed, float* __restrict__ parts,
    int N, int G, int R, int P, int R4, int chunks, int tiles)
{
    __shared__ float both[2][32][TR + 1];            // one column more, so that each row starts in another bank
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int chunk = blockIdx.x % chunks, r0 = blockIdx.x / chunks * TR;
    const int end = min(P, (chunk + 1) * tiles * 32);
    int turn = 0;
    for (int b = blockIdx.y; b < N * G; b += gridDim.y) {            // b = (n, g)
        const int n = b / G, g = b % G;
        const long long from = ((long long)b * R + r0) * P;
        float* to = packed + ((long long)g * N + n) * P * R4 + r0;
        float sums[ROWS] = {};
        for (int p0 = chunk * tiles * 32; p0 < end; p0 += 32, turn ^= 1) {
            float (&tile)[32][TR + 1] = both[turn];
            float gradients[ROWS], outputs[ROWS];                    // all on their way before the first is looked at
            #pragma unroll
            for (int i = 0; i < ROWS; ++i) {                         // a warp reads 32 pixels of channels warp, warp + 8, ...
                const int r = warp + 8 * i, p = p0 + lane;
                const bool inside = r0 + r < R && p < P;
                const long long at = from + (long long)r * P + p;
                gradients[i] = inside ? dy[at] : 0.0f;
                outputs[i] = inside ? y[at] : 0.0f;
            }
            #pragma unroll
            for (int i = 0; i < ROWS; ++i) {
                const float value = outputs[i] > 0.0f ? gradients[i] : 0.0f;
                sums[i] += value;
#if TF32
                tile[lane][warp + 8 * i] = to_tf32(value);
#else
                tile[lane][warp + 8 * i] = value;
#endif
            }
            __syncthreads();
            #pragma unroll
            for (int i = 0; i < QUADS / 8; ++i) {                    // and writes TR channels of a pixel, and the next pixel's
                const int j = threadIdx.x + 256 * i, p = j / QUADS, r = j % QUADS * 4;
                if (p0 + p < P && r0 + r < R4)
                    *(float4*)(to + (long long)(p0 + p) * R4 + r) =
                        float4{tile[p][r], tile[p][r + 1], tile[p][r + 2], tile[p][r + 3]};
            }
        }
        #pragma unroll
        for (int i = 0; i < ROWS; ++i) {
            for (int step = 16; step; step /= 2) sums[i] += __shfl_down_sync(0xffffffffu, sums[i], step);
            const int r = r0 + warp + 8 * i;
            if (lane == 0 && r < R) parts[((long long)n * chunks + chunk) * G * R + g * R + r] = sums[i];
        }
    }
}

// sums (C) = Σ over rows of parts (rows, C), always in the same order: each of 32 warps adds every 32nd row of 32 columns, and the
// first warp what those have found.      grid  (C / 32)      block  1024
extern "C" __global__ void __launch_bounds__(1024) add_rows(
    const float* __restrict__ parts, float* __restrict__ sums, int rows, int C)
{
    __shared__ float found[32][32];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, c = blockIdx.x * 32 + lane;
    float sum = 0.0f;
    #pragma unroll 8
    for (int row = warp; row < rows; row += 32) sum += c < C ? parts[(long long)row * C + c] : 0.0f;
    found[warp][lane] = sum;
    __syncthreads();
    if (warp || c >= C) return;
    for (int w = 1; w < 32; ++w) sum += found[w][lane];
    sums[c] = sum;
}
