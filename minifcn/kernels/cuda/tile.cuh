// One tile of a matrix product, D (M x N) = A (M x K) @ B (K x N), computed by one block of threads. Both convolution kernels
// are this tile; they differ only in where the numbers of A and B come from.
//
//              N →
//            ┌───────── BN ─────────┐         The block walks along K in steps of BK. Each step brings a slab of A (BM x BK)
//   M   BM   │  warp 0  │  warp 1   │         and of B (BK x BN) into shared memory. Each warp owns a WM x WN part of the
//   ↓        │  warp 2  │  warp 3   │         tile and keeps it in registers. For BM·BN multiply-adds the tile fetches BM + BN
//            └──────────────────────┘         numbers, and for WM·WN a warp reads WM + WN: large tiles and large parts, so that
//                                             the caches and shared memory keep up with the arithmetic.
//
// The pipeline: STAGES slabs lie in shared memory. While slab s is multiplied, the next AHEAD slabs are on their way, so that the
// arithmetic does not wait for memory. One barrier a step does two jobs: it shows every thread's copies of slab s to all, and it
// says that all have finished with the slab whose place the next copies take.
//
// PRODUCTS says what multiplies:
//   1   the tensor cores, in TF32: 10 bits of mantissa, about three decimal digits
//   3   the tensor cores, to float32's precision: x = big + small, both TF32, and a·b = big·big + big·small + small·big up to
//       2^-21. The tensor cores' own sums are cut off, not rounded, so no sum stays there: each step's 8 products are added to
//       the rest by an ordinary, rounding addition (Ootomo and Yokota, "Recovering single precision accuracy from Tensor
//       Cores", 2022). Three products, and still less time than 0 where tensor cores have 8 times the ordinary units' rate.
//   0   the ordinary units: float32 multiply-adds, which round once
// WGMMA=1, with one product: the tensor cores fetch the slabs from shared memory themselves (warpgroup.cuh), on an H100.
// All keep the same sums in the same registers: sums[i][j][r] of lane 4·g + t is D[row][column], row = 16·i + 8·(r/2) + g,
// column = 8·j + 2·t + r%2.
//
// Compile-time constants (-D): PRODUCTS, WGMMA, BM, BN, BK, STAGES, WARPS_M, WARPS_N, PAIRED, and
// STRIPS (of conv_along_rows.cu, else 0).

#if WGMMA
#include "warpgroup.cuh"
#endif

constexpr int AHEAD = WGMMA ? STAGES - 2 : STAGES - 1;  // slab s - 1 is still being multiplied when slab s is begun
constexpr int THREADS = 32 * WARPS_M * WARPS_N;
constexpr int BLOCKS = (PAIRED ? 512 : 256) / THREADS;  // at a time on a multiprocessor: 8 warps, or 16, as the registers allow
constexpr int WM = BM / WARPS_M, WN = BN / WARPS_N;  // a warp's part of the tile
constexpr int TILES_M = WM / 16, TILES_N = WN / 8;   // tensor-core tiles in it
static_assert(WM % 16 == 0 && WN % 8 == 0, "a warp's part is made of 16 x 8 tiles");
static_assert(!WGMMA || (PRODUCTS == 1 && WM == 16 && WARPS_M % 4 == 0 && BK == 32), "a warpgroup's part is 64 x WN, 128 bytes of k");

struct Place { int warp_m, warp_n, g, t; };          // where this thread works: its warp's corner, and its lane 4·g + t

__device__ __forceinline__ Place my_place() {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
#if WGMMA                                            // four warps that follow each other are a warpgroup, one below the other
    return {warp / 4 / WARPS_N * 64 + warp % 4 * WM, warp / 4 % WARPS_N * WN, lane / 4, lane % 4};
#else
    return {warp / WARPS_N * WM, warp % WARPS_N * WN, lane / 4, lane % 4};
#endif
}

// x = big + small: big is x rounded to TF32 by adding half a unit and cutting, and of small the tensor cores leave two bits
// unread. With one product, x was rounded before (pack.cu), and is itself.
__device__ __forceinline__ void split(float x, float& big, float& small) {
    big = PRODUCTS == 3 ? __uint_as_float((__float_as_uint(x) + 0x1000u) & 0xffffe000u) : x;
    small = x - big;                            // NaN where x is NaN or infinite
}

// A slab in shared memory as one lane reads it: from quad(k), k a multiple of 4, `row` rows and `k` further lie row · ROW + k · K
// floats on. Rows are those of A (along M) or of B (along N), counted from the lane's first.
//
// Shared memory has 32 banks of 4 bytes; what a warp reads at once should lie in 32 different ones, and so should what 8 threads
// write at once in copies of 16 bytes. AlongK: row after row, BK floats each. Straightforward, all rows would begin in banks 0
// and 16; so in row r the quad q (4 floats) lies where quad q ^ (r / 2 % 4) would, and 8 rows meet 8 different places. With WGMMA a
// row is as wide as all banks, and the places are those that warpgroup.cuh describes.
struct AlongK {
    static constexpr int ROW = BK, K = 1;
    const float* first;
    int exchange;
    __device__ __forceinline__ static int place(int row, int q) { return row * BK + 4 * (q ^ (WGMMA ? row % 8 : row / 2 % 4)); }
    __device__ __forceinline__ AlongK(const float* slab, int row, int k) : first(slab + row * BK + k), exchange(row / 2 % 4 * 4) {}
    __device__ __forceinline__ const float* quad(int k) const { return first + (k ^ exchange); }
};

// AcrossK: k after k, LD floats each. With LD = 8 more than a multiple of 32, 4 k's of 8 rows lie in 32 different banks.
template <int LD> struct AcrossK {
    static constexpr int ROW = 1, K = LD;
    const float* first;
    __device__ __forceinline__ AcrossK(const float* slab, int row, int k) : first(slab + k * LD + row) {}
    __device__ __forceinline__ const float* quad(int k) const { return first + k * LD; }
};

// sums += A @ B for one slab; with WGMMA only begun.
template <class SlabA, class SlabB>
__device__ __forceinline__ void multiply(
    const float* slab_a, const float* slab_b, const Place& at, float (&sums)[TILES_M][TILES_N][4])
{
#if WGMMA
    warpgroup_begin();
    #pragma unroll
    for (int k = 0; k < BK; k += 8)
        multiply_by_group(sums[0], matrix_at(slab_a + (at.warp_m / 64 * 64) * BK + k), matrix_at(slab_b + at.warp_n * BK + k));
    warpgroup_commit();
#elif PRODUCTS
    const SlabA a(slab_a, at.warp_m + at.g, at.t);
    const SlabB b(slab_b, at.warp_n + at.g, at.t);
    #pragma unroll
    for (int k = 0; k < BK; k += 8) {
        const float* quads_a[2] = {a.quad(k), a.quad(k + 4)};
        const float* quads_b[2] = {b.quad(k), b.quad(k + 4)};
        float fa[TILES_M][4], small_a[TILES_M][4];
        #pragma unroll
        for (int i = 0; i < TILES_M; ++i)
            #pragma unroll
            for (int r = 0; r < 4; ++r) split(quads_a[r / 2][(16 * i + 8 * (r % 2)) * SlabA::ROW], fa[i][r], small_a[i][r]);
        #pragma unroll
        for (int j = 0; j < TILES_N; ++j) {
            float fb[2], small_b[2];
            #pragma unroll
            for (int r = 0; r < 2; ++r) split(quads_b[r][8 * j * SlabB::ROW], fb[r], small_b[r]);
            #pragma unroll
            for (int i = 0; i < TILES_M; ++i) {
#if PRODUCTS == 1
                mma_tf32(sums[i][j], fa[i], fb, sums[i][j]);
#else
                const float zero[4] = {};
                float d[4];
                mma_tf32(d, small_a[i], fb, zero);      // the small products first: they would be cut off a larger sum
                mma_tf32(d, fa[i], small_b, d);
                mma_tf32(d, fa[i], fb, d);
                #pragma unroll
                for (int r = 0; r < 4; ++r) sums[i][j][r] += d[r];
#endif
            }
        }
    }
#else
    const SlabA a(slab_a, at.warp_m + at.g, 0);
    const SlabB b(slab_b, at.warp_n + 2 * at.t, 0);
    for (int k4 = 0; k4 < BK; k4 += 4) {
        const float *quad_a = a.quad(k4), *quad_b = b.quad(k4);
        #pragma unroll
        for (int k = 0; k < 4; ++k) {
            float fa[TILES_M][2], fb[TILES_N][2];
            #pragma unroll
            for (int i = 0; i < TILES_M; ++i)
                #pragma unroll
                for (int r = 0; r < 2; ++r) fa[i][r] = quad_a[(16 * i + 8 * r) * SlabA::ROW + k * SlabA::K];
            #pragma unroll
            for (int j = 0; j < TILES_N; ++j)
                #pragma unroll
                for (int r = 0; r < 2; ++r) fb[j][r] = quad_b[(8 * j + r) * SlabB::ROW + k * SlabB::K];
            #pragma unroll
            for (int i = 0; i < TILES_M; ++i)
                #pragma unroll
                for (int j = 0; j < TILES_N; ++j)
                    #pragma unroll
                    for (int r = 0; r < 4; ++r) sums[i][j][r] = fmaf(fa[i][r / 2], fb[j][r % 2], sums[i][j][r]);
        }
    }
#endif
}

// The pipeline. load(slab, stage) starts the copies of one slab into one stage; compute(stage) multiplies it.
template <class Load, class Compute>
__device__ __forceinline__ void pipeline(int slabs, float (&sums)[TILES_M][TILES_N][4], Load load, Compute compute) {
    #pragma unroll
    for (int s = 0; s < AHEAD; ++s) {
        if (s < slabs) load(s, s);
        copy_async_commit();  // a group may be empty: then there is always the same number of groups to wait for
    }
    int read = 0, write = AHEAD;
    auto load_ahead = [&](int s) {
        if (s + AHEAD < slabs) load(s + AHEAD, write);
        copy_async_commit();
    };
    for (int s = 0; s < slabs; ++s) {
        copy_async_wait<AHEAD - 1>();   // this thread's copies of slab s have arrived ...
#if WGMMA
        show_copies();
        __syncthreads();                // ... and everybody's; and slab s - 2 has been multiplied by all
        compute(read);
        load_ahead(s);                  // while the tensor cores are at work
        warpgroup_wait<1>(sums[0]);     // for slab s - 1
#else
        __syncthreads();                // ... and everybody's; and slab s - 1 has been multiplied by all
        load_ahead(s);
        compute(read);
#endif
        read = read + 1 == STAGES ? 0 : read + 1;
        write = write + 1 == STAGES ? 0 : write + 1;
    }
#if WGMMA
    warpgroup_wait<0>(sums[0]);
#endif
}

// A row of D, as it is written: whether there is one, how far it lies from the first, what is added to all its numbers, and whether
// ReLU cuts them.
struct Row { bool real; long long offset; float bias; int relu; };

// Writes the tile: where(column) is the column's place in the first row, null where it has none; row_at(row) a Row. A lane's sums
// lie two here and two there; through shared memory a warp turns 16 rows at a time, so that its lanes write 32 neighbours, 128
// bytes, at once. All of a row is on its way from there before the first number is written: nothing else is done meanwhile.
template <class Where, class RowAt>
__device__ __forceinline__ void store(
    const float (&sums)[TILES_M][TILES_N][4], float* shared, const Place& at, Where where, RowAt row_at)
{
    constexpr int LD_ROWS = WN + 8;                // so that the 8 rows and 4 pairs of a warp lie in 64 different banks
    static_assert(WN % 32 == 0, "a warp writes whole groups of 32 columns");
    static_assert(WARPS_M * WARPS_N * 16 * LD_ROWS <= STAGES * BK * BM + (STRIPS ? STRIPS : STAGES) * BK * BN, "the rows fit where the slabs were");
    const int lane = threadIdx.x % 32;
    float* rows = shared + threadIdx.x / 32 * 16 * LD_ROWS;
    float* mine = rows + at.g * LD_ROWS + 2 * at.t;
    float* places[WN / 32];
    #pragma unroll
    for (int n = 0; n < WN / 32; ++n) places[n] = where(at.warp_n + 32 * n + lane);
    __syncthreads();                               // the slabs have been used by all
    #pragma unroll
    for (int i = 0; i < TILES_M; ++i) {
        #pragma unroll
        for (int j = 0; j < TILES_N; ++j)
            #pragma unroll
            for (int r = 0; r < 4; ++r) mine[8 * (r / 2) * LD_ROWS + 8 * j + r % 2] = sums[i][j][r];
        __syncwarp();
        #pragma unroll 2
        for (int m = 0; m < 16; ++m) {
            const Row row = row_at(at.warp_m + 16 * i + m);
            if (!row.real) break;
            float values[WN / 32];
            #pragma unroll
            for (int n = 0; n < WN / 32; ++n) values[n] = rows[m * LD_ROWS + 32 * n + lane] + row.bias;
            #pragma unroll
            for (int n = 0; n < WN / 32; ++n) {
                const bool cut = row.relu && values[n] < 0.0f;   // so that NaN stays NaN
                if (places[n]) places[n][row.offset] = cut ? 0.0f : values[n];
            }
        }
        __syncwarp();                              // before the next rows overwrite these
    }
}
