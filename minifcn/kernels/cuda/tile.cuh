// One tile of a matrix product, D (M x N) = A (M x K) @ B (K x N), computed by one block of threads. Both convolution kernels
// are this tile; they differ only in where the numbers of A and B come from.
//
//              N →
//            ┌───────── BN ─────────┐         The block walks along K in steps of BK. Each step brings a slab of A (BM x BK)
//   M   BM   │ warp 0 │ warp 1 │ ... │         and of B (BK x BN) into shared memory; there every number is read BN/8 or BM/16
//   ↓        │ warp 4 │ ...         │         times. Each warp owns a WM x WN part of the tile and keeps it in registers.
//            └──────────────────────┘
//
// The pipeline: STAGES slabs lie in shared memory. While slab s is multiplied, slabs s+1 .. s+STAGES-1 are on their way, so
// that the arithmetic does not wait for memory. One barrier a step does two jobs: it shows every thread's copies of slab s to
// all, and it says that all have finished with slab s-1, whose place the next copies take.
//
// With TF32=1 the product runs on the tensor cores, else as float32 multiply-adds. Both keep the same sums in the same
// registers: sums[i][j][r] of lane 4·g + t is D[row][column], row = 16·i + 8·(r/2) + g, column = 8·j + 2·t + r%2.
//
// Compile-time constants (-D): TF32, BM, BN, WARPS_M, WARPS_N.

constexpr int BK = 16, STAGES = 3;
constexpr int THREADS = 32 * WARPS_M * WARPS_N;
constexpr int WM = BM / WARPS_M, WN = BN / WARPS_N;  // a warp's part of the tile
constexpr int TILES_M = WM / 16, TILES_N = WN / 8;   // tensor-core tiles in it
static_assert(WM % 16 == 0 && WN % 8 == 0, "a warp's part is made of 16 x 8 tiles");

struct Place { int warp_m, warp_n, g, t; };          // where this thread works: its warp's corner, and its lane 4·g + t

__device__ __forceinline__ Place my_place() {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    return {warp / WARPS_N * WM, warp % WARPS_N * WN, lane / 4, lane % 4};
}

__device__ __forceinline__ int row_of(const Place& at, int i, int r) { return at.warp_m + 16 * i + 8 * (r / 2) + at.g; }
__device__ __forceinline__ int column_of(const Place& at, int j, int r) { return at.warp_n + 8 * j + 2 * at.t + r % 2; }

// sums += A @ B for one slab. A[m][k] lies at a[m * AM + k * AK] and B[k][n] at b[n * BN_ + k * BK_]: the same code serves slabs
// whose rows run along K and slabs whose rows run along M or N. The strides are chosen (BK + 4; BM + 8, BN + 8) so that the 32
// lanes of a warp read 32 different banks of shared memory at once.
template <int AM, int AK, int BN_, int BK_>
__device__ __forceinline__ void multiply(const float* a, const float* b, const Place& at, float (&sums)[TILES_M][TILES_N][4]) {
#if TF32
    #pragma unroll
    for (int k = 0; k < BK; k += 8) {
        float fa[TILES_M][4], fb[TILES_N][2];
        #pragma unroll
        for (int i = 0; i < TILES_M; ++i)
            #pragma unroll
            for (int r = 0; r < 4; ++r)
                fa[i][r] = a[(at.warp_m + 16 * i + 8 * (r % 2) + at.g) * AM + (k + 4 * (r / 2) + at.t) * AK];
        #pragma unroll
        for (int j = 0; j < TILES_N; ++j)
            #pragma unroll
            for (int r = 0; r < 2; ++r)
                fb[j][r] = b[(at.warp_n + 8 * j + at.g) * BN_ + (k + 4 * r + at.t) * BK_];
        #pragma unroll
        for (int i = 0; i < TILES_M; ++i)
            #pragma unroll
            for (int j = 0; j < TILES_N; ++j) mma_tf32(sums[i][j], fa[i], fb[j]);
    }
#else
    #pragma unroll 4
    for (int k = 0; k < BK; ++k) {
        float fa[TILES_M][2], fb[TILES_N][2];
        #pragma unroll
        for (int i = 0; i < TILES_M; ++i)
            #pragma unroll
            for (int r = 0; r < 2; ++r) fa[i][r] = a[row_of(at, i, 2 * r) * AM + k * AK];
        #pragma unroll
        for (int j = 0; j < TILES_N; ++j)
            #pragma unroll
            for (int r = 0; r < 2; ++r) fb[j][r] = b[column_of(at, j, r) * BN_ + k * BK_];
        #pragma unroll
        for (int i = 0; i < TILES_M; ++i)
            #pragma unroll
            for (int j = 0; j < TILES_N; ++j)
                #pragma unroll
                for (int r = 0; r < 4; ++r) sums[i][j][r] = fmaf(fa[i][r / 2], fb[j][r % 2], sums[i][j][r]);
    }
#endif
}

// The pipeline. load(slab, stage) starts the copies of one slab into one stage; compute(stage) multiplies it.
template <class Load, class Compute>
__device__ __forceinline__ void pipeline(int slabs, Load load, Compute compute) {
    #pragma unroll
    for (int s = 0; s < STAGES - 1; ++s) {
        if (s < slabs) load(s, s);
        copy_async_commit();  // a group may be empty: then there is always the same number of groups to wait for
    }
    int read = 0, write = STAGES - 1;
    for (int s = 0; s < slabs; ++s) {
        copy_async_wait<STAGES - 2>();  // this thread's copies of slab s have arrived ...
        __syncthreads();                // ... and everybody's; and slab s - 1 has been used by all
        if (s + STAGES - 1 < slabs) load(s + STAGES - 1, write);
        copy_async_commit();
        compute(read);
        read = read + 1 == STAGES ? 0 : read + 1;
        write = write + 1 == STAGES ? 0 : write + 1;
    }
}
