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
// Late layers have few pixels and long sums (fc6: 192 pixels, K = 25 088): too few tiles to keep a GPU busy. There K is cut into
// `splits` pieces, each summed by a block of its own into its own copy of y (`parts`), and add_parts.cu's y_of_parts adds the
// copies in a fixed order.
//
//   grid   (tiles of P, tiles of M, phases · splits · G)        block   THREADS
//   shared STAGES · (BM + BN) · BK floats
//
// phases: 6 ints each: rh, rw, rows, columns (of the phase's grid i, j), first tap, number of taps
// taps:   4 ints each: dh, dw, index of the tap in w, unused

#include "ptx.cuh"
#include "tile.cuh"

constexpr int QUADS = BK / 4;                  // copies of 16 bytes along K
constexpr int ROWS_A_COPY = THREADS / QUADS;   // rows that all threads copy at once
constexpr int A_COPIES = BM / ROWS_A_COPY, B_COPIES = BN / ROWS_A_COPY;
static_assert(BM % ROWS_A_COPY == 0 && BN % ROWS_A_COPY == 0, "no thread idles");
static_assert(ROWS_A_COPY % 8 == 0, "all rows of a thread exchange their quads alike");

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) conv_gather(
    const float* __restrict__ x,       // (G, N, H, W, C)    C: channels of one group, a multiple of 4
    const float* __restrict__ w,       // (G, O, T, C)       O: output channels of one group
    const float* __restrict__ bias,    // (G·O) or null
    float* __restrict__ y,             // (splits, N, G·O, YH, YW)
    const int* __restrict__ phases, const int* __restrict__ taps,
    int N, int G, int H, int W, int C, int O, int T, int YH, int YW, int SH, int SW, int YSH, int YSW, int splits, int relu)
{
    extern __shared__ __align__(1024) float shared[];        // STAGES x (A: BM rows, B: BN rows)
    const int group = blockIdx.z % G, split = blockIdx.z / G % splits;
    const int* phase = phases + blockIdx.z / (G * splits) * 6;
    const int rh = phase[0], rw = phase[1], rows = phase[2], columns = phase[3], count = phase[5];
    const int4* tap_list = (const int4*)taps + phase[4];
    const int pixels = N * rows * columns, m0 = blockIdx.y * BM, p0 = blockIdx.x * BN;
    if (p0 >= pixels) return;                  // the whole block: phases differ a little in size
    const int all_slabs = (count * C + BK - 1) / BK, each = (all_slabs + splits - 1) / splits;
    const int slab0 = min(split * each, all_slabs), slabs = min(each, all_slabs - slab0);  // this block's piece of K

    // What this thread copies: quad q of the rows first, first + ROWS_A_COPY, ... of each slab, so its k = 16·slab + 4·q.
    const int q = threadIdx.x % QUADS, first = threadIdx.x / QUADS;
    const float* weight_row = w + ((long long)group * O + m0 + first) * T * C;
    const float* x_group = x + (long long)group * N * H * W * C;
    int place[B_COPIES], h0[B_COPIES], w0[B_COPIES];         // the rows of B: pixels of x, counted through all pictures
    #pragma unroll
    for (int i = 0; i < B_COPIES; ++i) {
        const int p = p0 + first + i * ROWS_A_COPY, n = p / (rows * columns), at = p % (rows * columns);
        h0[i] = p < pixels ? at / columns * SH : -(1 << 29);   // rows past the end lie outside of every picture
        w0[i] = at % columns * SW;
        place[i] = (n * H + at / columns * SH) * W + w0[i];
    }
    int tap = (slab0 * BK + 4 * q) / C, c = (slab0 * BK + 4 * q) % C;   // this quad's, moved on with every slab
    int4 step = tap_list[min(tap, count)];     // fetched a slab ahead; there is always one more tap than asked for
    float sums[TILES_M][TILES_N][4] = {};

    auto load = [&](int, int stage) {          // called with 0, 1, 2, ...: tap and c are the slab's
        float* a = shared + stage * (BM + BN) * BK + AlongK::place(first, q);
        float* b = a + BM * BK;
        const bool real = tap < count;
        const float* from = weight_row + (long long)step.z * C + c;
        #pragma unroll
        for (int i = 0; i < A_COPIES; ++i, from += (long long)ROWS_A_COPY * T * C)
            copy_async(a + i * ROWS_A_COPY * BK, from, real && i * ROWS_A_COPY < O - m0 - first);
        const int moved = step.x * W + step.y;
        #pragma unroll
        for (int i = 0; i < B_COPIES; ++i) {   // a coordinate below 0 is a large one without its sign
            const bool inside = real && (unsigned)(h0[i] + step.x) < (unsigned)H && (unsigned)(w0[i] + step.y) < (unsigned)W;
            copy_async(b + i * ROWS_A_COPY * BK, x_group + (long long)(place[i] + moved) * C + c, inside);
        }
        if ((c += BK) < C) return;
        do ++tap; while ((c -= C) >= C);
        step = tap_list[min(tap, count)];
    };
    const Place at = my_place();
    pipeline(slabs, sums, load, [&](int stage) {
        const float* a = shared + stage * (BM + BN) * BK;
        multiply<AlongK, AlongK>(a, a + BM * BK, at, sums);
    });

    const long long plane = (long long)YH * YW;
    auto where = [&](int column) -> float* {   // the column's pixel in this block's first plane of y; null past the end
        const int p = p0 + column, n = p / (rows * columns), pixel = p % (rows * columns);
        const int h = rh + pixel / columns * YSH, v = rw + pixel % columns * YSW;
        return p < pixels ? y + (((long long)split * N + n) * G * O + group * O + m0) * plane + h * YW + v : nullptr;
    };
    store(sums, shared, at, where, [&](int m) {
        const bool real = m < O - m0;
        return Row{real, m * plane, bias && real ? bias[group * O + m0 + m] : 0.0f, relu};
    });
}
