// Adds up what the blocks of a convolution whose sums were cut into pieces have left in `parts`: always in the order of the
// pieces, so the bits are the same on every run. Adding with atomics into one place would save this pass and give up that.

// y (N, C, plane) = bias + Σ over splits of parts (splits, N, C, plane), and ReLU if asked. bias may be null.
extern "C" __global__ void __launch_bounds__(256) y_of_parts(
    const float* __restrict__ parts, const float* __restrict__ bias, float* __restrict__ y,
    int splits, long long total, int C, int plane, int relu)
{
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= total) return;
    float sum = bias ? bias[i / plane % C] : 0.0f;
    for (int s = 0; s < splits; ++s) sum += parts[i + s * total];
    y[i] = relu && sum < 0.0f ? 0.0f : sum;          // written so that NaN stays NaN
}

// dweight (O, C, T) = Σ over splits of parts (splits, G, O4, T·C4): from the packed layout back to PyTorch's, the padded
// channels left out. O and C are those of one group.
extern "C" __global__ void __launch_bounds__(256) dweight_of_parts(
    const float* __restrict__ parts, float* __restrict__ dweight, int splits, int G, int O, int O4, int C, int C4, int T)
{
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= (long long)G * O * C * T) return;
    const int tap = i % T, c = i / T % C, o = i / ((long long)T * C) % O, g = i / ((long long)T * C * O);
    const long long at = (((long long)g * O4 + o) * T + tap) * C4 + c, stride = (long long)G * O4 * T * C4;
    float sum = 0.0f;
    for (int s = 0; s < splits; ++s) sum += parts[at + s * stride];
    dweight[i] = sum;
}
