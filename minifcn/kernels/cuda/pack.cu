// Packing for the convolutions: a batch of transpositions, (N, G, R, P) -> (G, N, P, R4).
//
//   packed[g, n, p, r] = source[n, g, r, p]  for r < R,  0 for R <= r < R4   (R4: R rounded up to a multiple of 4)
//
//                       N  G  R  P                          packed
//   pictures            N  G  C  H·W        (N, G·C, H, W)  (G, N, H·W, C4)    channels last: a 16-byte copy is 4 channels
//   weights, forward    O  1  C  KH·KW      (G·O, C, ...)   (G·O, KH·KW, C4)
//   weights, for dx     G  1  O  C·KH·KW    (G·O, C, ...)   (G, C·KH·KW, O4)
//
// Reading along p and writing along r, one of the two would touch memory 4 bytes here and 4 bytes there; so a block turns a
// 32 x 32 tile in shared memory: rows in, columns out, both in whole lines. The 33rd column shifts each row by one bank, so
// that a warp reading a column meets 32 different banks.
//
// With TF32=1 the numbers are rounded to TF32 on the way: once here instead of each time that a tile is read.

#include "ptx.cuh"

extern "C" __global__ void __launch_bounds__(256) pack(
    const float* __restrict__ source, float* __restrict__ packed, int N, int G, int R, int P, int R4)
{
    __shared__ float tile[32][33];
    const int lane = threadIdx.x % 32, first = threadIdx.x / 32;     // 8 rows at a time
    const int p0 = blockIdx.x * 32, r0 = blockIdx.y * 32;
    for (int b = blockIdx.z; b < N * G; b += gridDim.z) {            // b = (n, g)
        const long long target = b % G * (long long)N + b / G;       // (g, n)
        for (int i = first; i < 32; i += 8) {
            const int r = r0 + i, p = p0 + lane;
            float value = r < R && p < P ? source[((long long)b * R + r) * P + p] : 0.0f;
#if TF32
            value = to_tf32(value);
#endif
            tile[i][lane] = value;
        }
        __syncthreads();
        for (int i = first; i < 32; i += 8) {
            const int p = p0 + i, r = r0 + lane;
            if (p < P && r < R4) packed[(target * P + p) * R4 + r] = tile[lane][i];
        }
        __syncthreads();                                             // before the next b overwrites the tile
    }
}
