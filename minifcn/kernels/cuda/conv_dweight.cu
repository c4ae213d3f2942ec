// dweight of a convolution by implicit matrix product.
//
//   dweight[o, tap, c] = Σ over pixels p = (n, oh, ow) of  dy[p, o] · x[n, oh·SH + dh[tap], ow·SW + dw[tap], c]
//
//   D (O x T·C) = A (O x P) @ B (P x T·C)      P = N·OH·OW pixels is the long axis, here the one that is summed over
//
// dy and x are packed channels last (pack.cu): the slabs' rows run along O and along (tap, c), 16 bytes a copy.
//
// O x T·C is often small (64 x 576: five tiles) and P large (400 000), so the sum over P is cut into `splits` pieces, each
// computed by a block of its own into its own part of `parts`; add_parts.cu's dweight_of_parts adds them in a fixed order. The
// cut depends on the shape alone: the same bits on every run, which adding with atomics would not give.
//
//   grid   (tiles of T·C, tiles of O, splits · G)      block   THREADS
//   shared STAGES · BK · (BM + 8 + BN + 8) floats
//   taps   4 ints each: dh, dw, unused, unused

#include "ptx.cuh"
#include "tile.cuh"

constexpr int LDA = BM + 8, LDB = BN + 8;                       // floats from row to row; rows run along M and along N
constexpr int LANES = THREADS / BK;                             // threads that copy one pixel, 16 bytes at a time each
constexpr int A_COPIES = BM / 4 / LANES, B_COPIES = BN / 4 / LANES;
static_assert(THREADS % BK == 0 && BM / 4 % LANES == 0 && BN / 4 % LANES == 0, "no thread idles");

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) conv_dweight(
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

    // What this thread copies: of one pixel of each slab (n, oh, ow) the quads lane, lane + LANES, ... of both rows.
    const int row = threadIdx.x / LANES, lane = threadIdx.x % LANES, o = m0 + 4 * lane;
    const float* dy_group = dy + (long long)group * N * OH * OW * O;
    const float* x_group = x + (long long)group * N * H * W * C;
    int dh[B_COPIES], dw[B_COPIES], moved[B_COPIES];   // where a quad's tap reads, and how far that is from its pixel
    #pragma unroll
    for (int i = 0; i < B_COPIES; ++i) {
        const int column = min(n0 + 4 * (lane + i * LANES), columns - 4);   // past the end the last quad, for nobody
        const int4 step = ((const int4*)taps)[column / C];
        dh[i] = step.x, dw[i] = step.y, moved[i] = (step.x * W + step.y) * C + column % C;
    }
    int p = begin + row, n = p / (OH * OW), oh = p / OW % OH, ow = p % OW;   // moved on by BK with every slab
    float sums[TILES_M][TILES_N][4] = {};

    auto load = [&](int, int stage) {              // called with 0, 1, 2, ...: the pixel is the slab's
        float* a = shared + stage * BK * (LDA + LDB) + row * LDA + 4 * lane;
        float* b = shared + stage * BK * (LDA + LDB) + BK * LDA + row * LDB + 4 * lane;
        const bool real = p < end;
        const float* from = dy_group + (long long)p * O + o;
        #pragma unroll
        for (int i = 0; i < A_COPIES; ++i) copy_async(a + 4 * i * LANES, from + 4 * i * LANES, real && 4 * i * LANES < O - o);
        const int h = oh * SH, v = ow * SW;
        from = x_group + (((long long)n * H + h) * W + v) * C;
        #pragma unroll
        for (int i = 0; i < B_COPIES; ++i) {       // a coordinate below 0 is a large one without its sign
            const bool inside = real && (unsigned)(h + dh[i]) < (unsigned)H && (unsigned)(v + dw[i]) < (unsigned)W;
            copy_async(b + 4 * i * LANES, from + moved[i], inside);
        }
        p += BK;
        for (ow += BK; ow >= OW; ow -= OW)
            if (++oh == OH) oh = 0, ++n;
    };
    const Place at = my_place();
    pipeline((end - begin + BK - 1) / BK, sums, load, [&](int stage) {
        const float* a = shared + stage * BK * (LDA + LDB);
        multiply<AcrossK<LDA>, AcrossK<LDB>>(a, a + BK * LDA, at, sums);
    });

    auto where = [&](int n) {                      // the column in this block's first row; null past the end
        const int k = n0 + n;
        return k < columns ? parts + (((long long)split * G + group) * O + m0) * columns + k : nullptr;
    };
    store(sums, shared, at, where, [&](int m) { return Row{m < O - m0, (long long)m * columns, 0.0f, 0}; });
}
