// Softmax cross-entropy over pixels, with a void label, forward and backward in one kernel each.
//
//   log_p[c] = z[c] − max z − log Σ exp(z − max z)
//   loss     = −(1 − ε)·w[label]·log_p[label] − ε/C·Σ w[c]·log_p[c]                            0 where the label is void
//   dz[c]    = (p[c]·total − ε/C·w[c] − [c = label]·(1 − ε)·w[label])·dloss,   total = (1 − ε)·w[label] + ε/C·Σ w
//
// One thread a pixel; scores (N, C, L) are read class after class, so the lanes of a warp, 32 pixels side by side, read 128
// bytes in a row. A label that is neither a class nor void makes the loss NaN: a GPU cannot raise, and this cannot be missed.
//
// -DREAL=float or double, -DLABEL=the labels' type

__device__ __forceinline__ REAL not_a_number() { return (REAL)__int_as_float(0x7fc00000); }

extern "C" __global__ void __launch_bounds__(256) pixel_losses(
    const REAL* __restrict__ scores, const LABEL* __restrict__ labels, const REAL* __restrict__ weight,
    REAL* __restrict__ losses, REAL* __restrict__ log_p, REAL* __restrict__ pixel_weight, int N, int C, int L, int has_void,
    long long void_label, double smoothing)
{
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= (long long)N * L) return;
    const long long start = i / L * C * L + i % L;                   // class c of this pixel lies at start + c·L
    REAL largest = scores[start];
    for (int c = 1; c < C; ++c) {
        const REAL z = scores[start + (long long)c * L];
        if (z > largest || z != z) largest = z;
    }
    REAL sum = REAL(0);
    for (int c = 0; c < C; ++c) sum += exp(scores[start + (long long)c * L] - largest);
    const REAL log_sum = log(sum);
    const long long label = (long long)labels[i];
    const bool counted = !has_void || label != void_label, valid = label >= 0 && label < C;
    const REAL own_weight = !counted ? REAL(0) : valid ? weight[label] : not_a_number();
    REAL own = REAL(0), all = REAL(0);
    for (int c = 0; c < C; ++c) {
        const REAL value = scores[start + (long long)c * L] - largest - log_sum;
        log_p[start + (long long)c * L] = value;
        if (c == label) own = value;
        all += weight[c] * value;
    }
    const REAL mixed = smoothing > 0 ? (REAL)(smoothing / C) * all : REAL(0);
    losses[i] = counted ? -(REAL)(1 - smoothing) * own_weight * own - mixed : REAL(0);
    pixel_weight[i] = own_weight;
}

extern "C" __global__ void __launch_bounds__(256) pixel_losses_backward(
    const REAL* __restrict__ dlosses, const REAL* __restrict__ log_p, const LABEL* __restrict__ labels, const REAL* __restrict__ weight,
    const REAL* __restrict__ pixel_weight, REAL* __restrict__ dscores, int N, int C, int L, int has_void, long long void_label,
    double smoothing, int dlosses_step)                              // step 0: one dloss for all pixels
{
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= (long long)N * L) return;
    const long long start = i / L * C * L + i % L, label = (long long)labels[i];
    const bool counted = !has_void || label != void_label;
    const REAL dloss = dlosses[i * dlosses_step], target = (REAL)(1 - smoothing) * pixel_weight[i];
    const REAL mix = counted ? (REAL)(smoothing / C) : REAL(0);
    REAL total = REAL(0);
    for (int c = 0; c < C; ++c) total += weight[c];
    total = target + mix * total;
    for (int c = 0; c < C; ++c) {
        const long long at = start + (long long)c * L;
        dscores[at] = (exp(log_p[at]) * total - mix * weight[c] - (c == label ? target : REAL(0))) * dloss;
    }
}
