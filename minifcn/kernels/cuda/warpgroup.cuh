// The tensor cores of an H100 (sm_90a), asked by four warps at once: a warpgroup.
//
// mma.sync (ptx.cuh) multiplies numbers that a warp has fetched into its registers, and the warp waits for the product. Here a
// warpgroup, 128 threads, says only where in shared memory two matrices lie; the tensor cores read them there and add the product
// to the warpgroup's registers, while its threads go on. That takes the fetching off the threads, which was half of their work.
//
//   matrix_at          where a matrix lies, in the form in which the tensor cores want to be told
//   show_copies        what this thread has copied to shared memory can be seen by the tensor cores, which read it another way
//   warpgroup_begin    the registers of the sums may be taken over
//   multiply_by_group  D (64 x N) += A (64 x 8) @ B (8 x N), begun, not yet done
//   commit / wait      ends a group of products / waits until at most PENDING groups of this warpgroup are still under way
//
// Both matrices lie row after row, those of B along N, 32 floats of k each: 128 bytes, the width of all banks. 8 rows would meet in
// the same banks, so within them the quad q (4 floats) of row r lies where quad q ^ (r % 8) would: "128-byte swizzle". The
// hardware finds it by the address's bits alone: rows are counted from a multiple of 1024 bytes, and a matrix may begin at any of
// them; its k = 8, 16, 24 lie 32, 64, 96 bytes further on.
//
// Source: PTX ISA 8.x, section 9.7.15 (wgmma), its figures of the 64 x N fragment and of the matrix descriptor.

typedef unsigned long long Matrix;

// Bits 0-13: the address / 16; 16-29: unused with this swizzle; 32-45: 1024 bytes / 16 from 8 rows to the next 8; 62-63: the swizzle.
__device__ __forceinline__ Matrix matrix_at(const float* shared) {
    const unsigned long long address = __cvta_generic_to_shared(shared);
    return (address & 0x3ffff) >> 4 | 1ull << 16 | 64ull << 32 | 1ull << 62;
}

__device__ __forceinline__ void show_copies() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

__device__ __forceinline__ void warpgroup_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

__device__ __forceinline__ void warpgroup_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

// Also tells the compiler that the sums are other numbers now: it does not know that products are still being added to them.
template <int PENDING, int TILES> __device__ __forceinline__ void warpgroup_wait(float (&sums)[TILES][4]) {
    asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(PENDING) : "memory");
    #pragma unroll
    for (int j = 0; j < TILES; ++j)
        #pragma unroll
        for (int r = 0; r < 4; ++r) asm volatile("" : "+f"(sums[j][r]) :: "memory");
}

// D += A @ B. Lane 4·g + t of the group's warp w holds d[j][0..3] = D[16·w + g][8·j + 2·t], D[..][.. + 1], D[16·w + g + 8][8·j + 2·t],
// D[..][.. + 1]: for each j the fragment of mma.sync. Every one of these registers has to be named.
#define ROW(j) "+f"(d[j][0]), "+f"(d[j][1]), "+f"(d[j][2]), "+f"(d[j][3])
#define ROWS(j) ROW(j), ROW(j + 1), ROW(j + 2), ROW(j + 3), ROW(j + 4), ROW(j + 5), ROW(j + 6), ROW(j + 7)
#define REGISTERS_0_63 \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
    "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
    "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define REGISTERS_64_127 \
    "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, " \
    "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, " \
    "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, " \
    "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"

__device__ __forceinline__ void multiply_by_group(float (&d)[16][4], Matrix a, Matrix b) {
    asm volatile(
        "{ .reg .pred add; setp.eq.u32 add, 1, 1; "
        "wgmma.mma_async.sync.aligned.m64n128k8.f32.tf32.tf32 {" REGISTERS_0_63 "}, %64, %65, add, 1, 1; }"
        : ROWS(0), ROWS(8) : "l"(a), "l"(b));
}

__device__ __forceinline__ void multiply_by_group(float (&d)[32][4], Matrix a, Matrix b) {
    asm volatile(
        "{ .reg .pred add; setp.eq.u32 add, 1, 1; "
        "wgmma.mma_async.sync.aligned.m64n256k8.f32.tf32.tf32 {" REGISTERS_0_63 ", " REGISTERS_64_127 "}, %128, %129, add, 1, 1; }"
        : ROWS(0), ROWS(8), ROWS(16), ROWS(24) : "l"(a), "l"(b));
}
