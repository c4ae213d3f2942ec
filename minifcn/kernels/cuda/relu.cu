// dx of ReLU: dy where y > 0, else 0. dx may be dy itself: a thread reads its one element before it writes it, and nobody else's
// (which is why the two are not __restrict__). The forward can be fused into the convolution before it: conv_gather.cu.
//
// -DREAL=float or double

extern "C" __global__ void __launch_bounds__(256) relu_backward(
    const REAL* dy, const REAL* __restrict__ y, REAL* dx, long long total)
{
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i < total) dx[i] = y[i] > REAL(0) ? dy[i] : REAL(0);
}
