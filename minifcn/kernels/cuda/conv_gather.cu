// Convolution by implicit matrix product: forward, and dx of any stride, are one kernel.
//
//   y[n, o, rh + i·YSH, rw + j·YSW] = bias[o] + Σ over taps and c of  w[o, tap, c] · x[n, i·SH + dh[tap], j·SW + dw[tap], c]
//
// Forward: one phase (rh = rw = 0, YS = 1), tap (kh, kw) reads x at dh = kh·DH − PH, dw = kw·DW − PW.
// dx: pixel h of dx gets dy[oh] · w[kh] wherever oh·SH = h + PH − kh·DH. That needs h + PH − kh·DH divisible by SH, so the pixels
// of dx fall into SH·SW phases, h = rh + i·SH; within one phase the fitting taps are the same for all pixels and read dy at
// i + dh with dh = (rh + PH − kh·DH) / SH. No product with an inserted zero is ever formed, and every pixel of dx *gathers* its
// sum: no two threads write one place, so results are the same bits every time.
//
// As a matrix product:   D (M x P) = A (M x K) @ B (K x P),   M output channels, P = pixels of the phase in all pictures,
// K = taps · C: index k = tap·C + c. Row o of A is contiguous in w, and c runs contiguously in x (channels last, packed by
// pack.cu), so 16 bytes are four channels of one tap of one pixel: one asynchronous copy, or zeros where the pixel is padding.
// "Implicit": the matrix B (im2col) is never in memory; it is read off x, slab by slab.
//
//   grid   (tiles of P, tiles of M, phases · G)        block   THREADS
//   shared STAGES · (BM + BN) · (BK + 4) floats
//
// phases: 6 ints each: rh, rw, rows, columns (of the phase's grid i, j), first tap, number of taps
// taps:   4 ints each: dh, dw, index of the tap in w, unused

#include "ptx.cuh"
#include "tile.cuh"

constexpr int QUADS = BK / 4;                  // copies of 16 bytes along K
constexpr int LD = BK + 4;                     // floats from row to row of a slab; rows run along K
constexpr int ROWS_A_COPY = THREADS / QUADS;   // rows that all threads copy at once
constexpr int A_COPIES = (BM + ROWS_A_COPY - 1) / ROWS_A_COPY, B_COPIES = (BN + ROWS_A_COPY - 1) / ROWS_A_COPY;

extern "C" __global__ void __launch_bounds__(THREADS) conv_gather(
    const float* __restrict__ x,       // (G, N, H, W, C)    C: channels of one group, a multiple of 4
    const float* __restrict__ w,       // (G, O, T, C)       O: output channels of one group
    const float* __restrict__ bias,    // (G·O) or null
    float* __restrict__ y,             // (N, G·O, YH, YW)
    const int* __restrict__ phases, const int* __restrict__ taps,
    int N, int G, int H, int W, int C, int O, int T, int YH, int YW, int SH, int SW, int YSH, int YSW, int relu)
{
    extern __shared__ __align__(16) float shared[];          // STAGES x (A: BM rows, B: BN rows)
    const int group = blockIdx.z % G;
    const int* phase = phases + blockIdx.z / G * 6;
    const int rh = phase[0], rw = phase[1], rows = phase[2], columns = phase[3], count = phase[5];
    const int4* tap_list = (const int4*)taps + phase[4];
    const int pixels = N * rows * columns, m0 = blockIdx.y * BM, p0 = blockIdx.x * BN;
    if (p0 >= pixels) return;                  // the whole block: phases differ a little in size

    // What this thread copies: quad q of the rows first, first + ROWS_A_COPY, ... of each slab, so its k = 16·slab + 4·q.
    const int q = threadIdx.x % QUADS, first = threadIdx.x / QUADS;
    const float* weight_row[A_COPIES];
    const float* picture[B_COPIES];
    int h0[B_COPIES], w0[B_COPIES];
    #pragma unroll
    for (int i = 0; i < A_COPIES; ++i) {
        const int o = m0 + first + i * ROWS_A_COPY;
        weight_row[i] = o < O ? w + ((long long)group * O + o) * T * C : nullptr;
    }
    #pragma unroll
    for (int i = 0; i < B_COPIES; ++i) {
        const int p = p0 + first + i * ROWS_A_COPY, n = p / (rows * columns), at = p % (rows * columns);
        picture[i] = x + ((long long)group * N + n) * H * W * C;
        h0[i] = p < pixels ? at / columns * SH : -(1 << 29);   // rows past the end lie outside of every picture
        w0[i] = at % columns * SW;
    }
    int tap = 4 * q / C, c = 4 * q % C;        // the tap and channel of this thread's quad, moved on by BK with every slab
    float sums[TILES_M][TILES_N][4] = {};

    auto load = [&](int, int stage) {          // called with 0, 1, 2, ...: tap and c are the slab's
        float* a = shared + stage * (BM + BN) * LD;
        float* b = a + BM * LD;
        const bool real = tap < count;
        const int4 step = real ? tap_list[tap] : make_int4(0, 0, 0, 0);
        #pragma unroll
        for (int i = 0; i < A_COPIES; ++i) {
            const int row = first + i * ROWS_A_COPY;
            const bool inside = real && weight_row[i];
            if (row < BM) copy_async(a + row * LD + 4 * q, inside ? weight_row[i] + step.z * C + c : w, inside);
        }
        #pragma unroll
        for (int i = 0; i < B_COPIES; ++i) {
            const int row = first + i * ROWS_A_COPY, h = h0[i] + step.x, v = w0[i] + step.y;
            const bool inside = real && h >= 0 && h < H && v >= 0 && v < W;
            if (row < BN) copy_async(b + row * LD + 4 * q, inside ? picture[i] + (h * W + v) * C + c : x, inside);
        }
        for (c += BK; c >= C; c -= C) ++tap;
    };
    const Place at = my_place();
    pipeline((count * C + BK - 1) / BK, load, [&](int stage) {
        const float* a = shared + stage * (BM + BN) * LD;
        multiply<LD, 1, LD, 1>(a, a + BM * LD, at, sums);
    });

    #pragma unroll
    for (int j = 0; j < TILES_N; ++j)
        #pragma unroll
        for (int s = 0; s < 2; ++s) {          // the two neighbouring pixels of a lane
            const int p = p0 + column_of(at, j, s);
            if (p >= pixels) continue;
            const int n = p / (rows * columns), pixel = p % (rows * columns);
            const int row = rh + pixel / columns * YSH, column = rw + pixel % columns * YSW;
            #pragma unroll
            for (int i = 0; i < TILES_M; ++i)
                #pragma unroll
                for (int r = s; r < 4; r += 2) {
                    const int o = m0 + row_of(at, i, r);
                    if (o >= O) continue;
                    const int channel = group * O + o;
                    float value = sums[i][j][r] + (bias ? bias[channel] : 0.0f);
                    if (relu && value < 0.0f) value = 0.0f;   // written so that NaN stays NaN
                    y[(((long long)n * G * O + channel) * YH + row) * YW + column] = value;
                }
        }
}
