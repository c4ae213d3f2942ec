// Convolution by implicit matrix product, as conv_gather.cu, where neighbouring taps share what they read: strides of 1, KW >= 3.
//
//   y[n, o, h, v] = bias[o] + Σ over kh, kw and c of  w[o, tap, c] · x[n, h + dh + kh·DH, v + dw + kw·DW, c],   tap = first ± (kh·KW + kw)
//
// Forward: dh = −PH, dw = −PW, the taps upwards from 0. dx: dh = PH − (KH − 1)·DH, dw likewise, the taps downwards from the last.
//
// With warpgroups the tensor cores wait for the copies from the L2 cache. Most of them bring the same pixels KW times, each time
// shifted by DW: pixel p of tap kw is pixel p + kw·DW of the first. So a strip of BN + (KW − 1)·DW pixels is brought once and
// multiplied KW times, with KW slabs of weights: the matrix B of tap kw begins kw·DW rows further down in it. Of the copies of a
// 128 x 256 tile of a 3x3 convolution 56 in 100 are left.
//
//        strip   p0  p0 + 1  p0 + 2  ...  p0 + BN + 1          k: 32 channels
//        kw = 0  └──────── BN ────────┘
//        kw = 1      └──────── BN ────────┘
//        kw = 2          └──────── BN ────────┘
//
// For that, pixels that follow each other must do so also beyond the end of a row: pixels are counted on a grid whose rows are
// (KW − 1)·DW longer than those of y. What comes out at their ends is thrown away.
//
// K is walked strip by strip: (kh, 32 channels), each KW slabs long. Sums are cut into `splits` pieces of whole strips.
//
//   grid   (tiles of the grid's pixels, tiles of O, splits · G)       block   THREADS
//   shared STAGES · BM · BK + STRIPS · (BN + EXTRA) · BK floats
//
// Compile-time constants (-D): as tile.cuh's, with WGMMA=1; STRIPS: enough that a strip is not overwritten while a slab of it is used.

#include "ptx.cuh"
#include "tile.cuh"

constexpr int EXTRA = 8;                       // pixels of a strip behind its first BN: the most that the last tap is shifted
constexpr int QUADS = BK / 4;                  // copies of 16 bytes along K
constexpr int ROWS_A_COPY = THREADS / QUADS;   // rows that all threads copy at once
constexpr int A_COPIES = BM / ROWS_A_COPY, B_COPIES = BN / ROWS_A_COPY + 1, STRIP = (BN + EXTRA) * BK;
static_assert(BM % ROWS_A_COPY == 0 && BN % ROWS_A_COPY == 0 && EXTRA <= ROWS_A_COPY, "the last copy of a strip is the shorter one");
static_assert(ROWS_A_COPY % 8 == 0 && EXTRA % 8 == 0, "all rows of a thread exchange their quads alike, in every strip");
static_assert(STRIPS > (AHEAD + 3) / 3, "slabs of a strip are used after those AHEAD further on have been begun; KW >= 3");

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) conv_along_rows(
    const float* __restrict__ x,       // (G, N, H, W, C)    C: channels of one group, a multiple of 4
    const float* __restrict__ w,       // (G, O, KH·KW, C)   O: output channels of one group
    const float* __restrict__ bias,    // (G·O) or null
    float* __restrict__ y,             // (splits, N, G·O, YH, YW)
    int N, int G, int H, int W, int C, int O, int KH, int KW, int DH, int DW, int YH, int YW,
    int dh, int dw, int first_tap, int next_tap, int splits, int relu)
{
    extern __shared__ __align__(1024) float shared[];        // STAGES slabs of A: BM rows; STRIPS strips of B: BN + EXTRA rows
    float* strips = shared + STAGES * BM * BK;
    const int group = blockIdx.z % G, split = blockIdx.z / G;
    const int pitch = YW + (KW - 1) * DW, pixels = N * YH * pitch, m0 = blockIdx.y * BM, p0 = blockIdx.x * BN;
    const int all_strips = KH * ((C + BK - 1) / BK), each = (all_strips + splits - 1) / splits;
    const int strip0 = min(split * each, all_strips), slabs = min(each, all_strips - strip0) * KW;  // this block's piece of K

    // What this thread copies: quad q of the rows first, first + ROWS_A_COPY, ... of each slab and strip.
    const int q = threadIdx.x % QUADS, first = threadIdx.x / QUADS, T = KH * KW;
    const float* weight_row = w + ((long long)group * O + m0 + first) * T * C + 4 * q;
    const float* x_group = x + (long long)group * N * H * W * C + 4 * q;
    int place[B_COPIES], h0[B_COPIES], w0[B_COPIES];         // the rows of a strip: pixels of x, counted through all pictures
    #pragma unroll
    for (int i = 0; i < B_COPIES; ++i) {
        const int p = p0 + first + i * ROWS_A_COPY, n = p / (YH * pitch), at = p % (YH * pitch);
        h0[i] = p < pixels ? at / pitch + dh : -(1 << 29);     // rows past the end lie outside of every picture
        w0[i] = at % pitch + dw;
        place[i] = (n * H + at / pitch + dh) * W + w0[i];
    }
    const int row_strips = all_strips / KH;                  // of one kh
    int kh = strip0 / row_strips, c = strip0 % row_strips * BK, kw = 0, strip = 0;    // the next slab's, moved on by load
    int used_kw = 0, used_strip = 0;                                                  // and moved on by the product
    float sums[TILES_M][TILES_N][4] = {};

    auto load = [&](int, int stage) {          // called with 0, 1, 2, ...
        const bool real = c + 4 * q < C;
        if (kw == 0) {
            float* b = strips + strip * STRIP + AlongK::place(first, q);
            const int down = kh * DH;
            #pragma unroll
            for (int i = 0; i < B_COPIES; ++i) {   // a coordinate below 0 is a large one without its sign
                const bool inside = real && (unsigned)(h0[i] + down) < (unsigned)H && (unsigned)w0[i] < (unsigned)W;
                if (i < B_COPIES - 1 || first < EXTRA)
                    copy_async(b + i * ROWS_A_COPY * BK, x_group + (long long)(place[i] + down * W) * C + c, inside);
            }
        }
        float* a = shared + stage * BM * BK + AlongK::place(first, q);
        const float* from = weight_row + (long long)(first_tap + (kh * KW + kw) * next_tap) * C + c;
        #pragma unroll
        for (int i = 0; i < A_COPIES; ++i, from += (long long)ROWS_A_COPY * T * C)
            copy_async(a + i * ROWS_A_COPY * BK, from, real && i * ROWS_A_COPY < O - m0 - first);
        if (++kw < KW) return;
        kw = 0;
        strip = strip + 1 == STRIPS ? 0 : strip + 1;
        if ((c += BK) >= C) c = 0, ++kh;
    };
    const Place at = my_place();
    pipeline(slabs, sums, load, [&](int stage) {
        multiply<AlongK, AlongK>(shared + stage * BM * BK, strips + used_strip * STRIP + used_kw * DW * BK, at, sums);
        if (++used_kw < KW) return;
        used_kw = 0;
        used_strip = used_strip + 1 == STRIPS ? 0 : used_strip + 1;
    });

    const long long plane = (long long)YH * YW;
    auto where = [&](int column) -> float* {   // the column's pixel in this block's first plane of y; null past a row's end
        const int p = p0 + column, n = p / (YH * pitch), pixel = p % (YH * pitch), h = pixel / pitch, v = pixel % pitch;
        float* first_plane = y + (((long long)split * N + n) * G * O + group * O + m0) * plane + h * YW + v;
        return p < pixels && v < YW ? first_plane : nullptr;
    };
    store(sums, shared, at, where, [&](int m) {
        const bool real = m < O - m0;
        return Row{real, m * plane, bias && real ? bias[group * O + m0 + m] : 0.0f, relu};
    });
}
