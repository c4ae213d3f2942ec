// dweight of a convolution by implicit matrix product.
//
//   dweight[o, tap, c] = Σ over pixels p = (n, oh, ow) of  dy[p, o] · x[n, oh·SH + dh[tap], ow·SW + dw[tap], c]
//
//   D (O x T·C) = A (O x P) @ B (P x T·C)      P = N·OH·OW pixels is the long axis, here the one that is summed over
//
// dy and x are packed channels last (pack.cu): the slabs' rows run along O and along (tap, c), 16 bytes a copy.
//
// O x T·C is often small (64 x 576: five tiles) and P large (400 000), so the sum over P is cut into `splits` pieces, each
// computed by a block of its own into its own part of `parts`; `add_parts` adds them in a fixed order. The cut depends on the
// shape alone: the same bits on every run and on every GPU, which adding with atomics would not give.
//
//   grid   (tiles of T·C, tiles of O, splits · G)      block   THREADS
//   shared STAGES · BK · (BM + 8 + BN + 8) floats
//   taps   4 ints each: dh, dw, unused, unused

#include "ptx.cuh"
#include "tile.cuh"

constexpr int LDA = BM + 8, LDB = BN + 8;                       // floats from row to row; rows run along M and along N
constexpr int A_QUADS = BM / 4, B_QUADS = BN / 4;               // copies to a row
constexpr int A_STEP = THREADS / A_QUADS, B_STEP = THREADS / B_QUADS;  // rows that all threads copy at once
constexpr int A_COPIES = BK / A_STEP, B_COPIES = BK / B_STEP;
static_assert(THREADS % A_QUADS == 0 && THREADS % B_QUADS == 0 && BK % A_STEP == 0 && BK % B_STEP == 0, "no thread idles");

extern "C" __global__ void __launch_bounds__(THREADS, 2) conv_dweight(
    const float* __restrict__ dy,      // (G, N, OH, OW, O)    O: output channels of one group, a multiple of 4
    const float* __restrict__ x,       // (G, N, H, W, C)      C: input channels of one group, a multiple of 4
    float* __restrict__ parts,         // (splits, G, O, T·C)
    const int* __restrict__ taps,
    int N, int G, int H, int W, int C, int O, int T, int OH, int OW, int SH, int SW, int pixels_a_split)
{
    extern __shared__ __align__(16) float shared[];          // STAGES x (A: BK rows of LDA, B: BK rows of LDB)
    const int group = blockIdx.z % G, split = blockIdx.z / G;
    const int m0 = blockIdx.y * BM, n0 = blockIdx.x * BN, columns = T * C;
    const int begin = split * pixels_a_split, end = min(N * OH * OW, begin + pixels_a_split);

    // What this thread copies: one quad of output channels, and one quad (tap, c), of the pixels first, first + STEP, ...
    const int a_quad = threadIdx.x % A_QUADS, a_first = threadIdx.x / A_QUADS, o = m0 + 4 * a_quad;
    const int b_quad = threadIdx.x % B_QUADS, b_first = threadIdx.x / B_QUADS, column = n0 + 4 * b_quad;
    const int4 step = column < columns ? ((const int4*)taps)[column / C] : make_int4(0, 0, 0, 0);
    const float* dy_group = dy + (long long)group * N * OH * OW * O;
    const float* x_group = x + (long long)group * N * H * W * C + column % C;
    int p = begin + b_first;                       // the pixel (n, oh, ow) that this thread copies next from x
    int n = p / (OH * OW), oh = p / OW % OH, ow = p % OW;
    float sums[TILES_M][TILES_N][4] = {};

    auto load = [&](int slab, int stage) {
        float* a = shared + stage * BK * (LDA + LDB);
        float* b = a + BK * LDA;
        #pragma unroll
        for (int i = 0; i < A_COPIES; ++i) {
            const int row = a_first + i * A_STEP, pixel = begin + slab * BK + row;
            copy_async(a + row * LDA + 4 * a_quad, dy_group + (long long)pixel * O + o, pixel < end && o < O);
        }
        #pragma unroll
        for (int i = 0; i < B_COPIES; ++i) {       // a coordinate below 0 is a large one without its sign
            const int h = oh * SH + step.x, v = ow * SW + step.y;
            const bool inside = p < end && column < columns && (unsigned)h < (unsigned)H && (unsigned)v < (unsigned)W;
            copy_async(b + (b_first + i * B_STEP) * LDB + 4 * b_quad, x_group + (((long long)n * H + h) * W + v) * C, inside);
            p += B_STEP;                           // B_COPIES times a slab: the first pixel of the next one
            for (ow += B_STEP; ow >= OW; ow -= OW)
                if (++oh == OH) oh = 0, ++n;
        }
    };
    const Place at = my_place();
    pipeline((end - begin + BK - 1) / BK, load, [&](int stage) {
        const float* a = shared + stage * BK * (LDA + LDB);
        multiply<1, LDA, 1, LDB>(a, a + BK * LDA, at, sums);
    });

    auto where = [&](int n) {                      // the column in this block's first row; null past the end
        const int k = n0 + n;
        return k < columns ? parts + (((long long)split * G + group) * O + m0) * columns + k : nullptr;
    };
    store(sums, shared, at, where, [&](float* first_row, int m, float sum) {
        if (m < O - m0) first_row[(long long)m * columns] = sum;
    });
}
