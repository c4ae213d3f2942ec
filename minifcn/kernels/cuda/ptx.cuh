// The four instructions of an NVIDIA GPU that C++ has no word for, each in a function of its own.
//
// PTX is the GPU's assembly language; `asm` puts a line of it into the program. <mma.h> and <cuda_pipeline.h> have names for
// these too, but NVRTC, which compiles at run time, finds those headers only where a whole CUDA toolkit is installed.
//
//   to_tf32          rounds a float to TF32: 8 bits of exponent as float32, 10 bits of mantissa as half precision
//   mma_tf32         16x8 += 16x8 @ 8x8 by one warp on the tensor cores: 1024 multiply-adds in one instruction
//   copy_async       16 bytes from global to shared memory, in the background, through no register
//   commit / wait    ends a group of copies / waits until at most PENDING groups of this thread are still under way
//
// Sources: PTX ISA 8.x, sections 9.7.13 (mma.sync.m16n8k8, figures of the fragments) and 9.7.8.22 (cp.async).

__device__ __forceinline__ float to_tf32(float x) {
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return __uint_as_float(bits);
}

// Lane 4·g + t of the warp holds, with g = 0..7 and t = 0..3:
//   a[0..3] = A[g][t], A[g+8][t], A[g][t+4], A[g+8][t+4]       A is 16x8, row m, column k
//   b[0..1] = B[t][g], B[t+4][g]                               B is 8x8, row k, column n
//   d[0..3] = D[g][2t], D[g][2t+1], D[g+8][2t], D[g+8][2t+1]   D is 16x8, row m, column n
__device__ __forceinline__ void mma_tf32(float (&d)[4], const float (&a)[4], const float (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])), "r"(__float_as_uint(a[3])),
          "r"(__float_as_uint(b[0])), "r"(__float_as_uint(b[1])));
}

// Four floats; where `inside` is false no memory is read and zeros are written (the padding of a convolution, for free).
__device__ __forceinline__ void copy_async(float* shared, const float* global, bool inside) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :: "r"((unsigned)__cvta_generic_to_shared(shared)), "l"(global), "r"(inside ? 16 : 0) : "memory");
}

__device__ __forceinline__ void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

template <int PENDING> __device__ __forceinline__ void copy_async_wait() {
    asm volatile("cp.async.wait_group %0;" :: "n"(PENDING) : "memory");
}
