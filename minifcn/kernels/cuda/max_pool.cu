// Max-pooling with switches, and back.
//
//   y[oh, ow] = max over taps (kh, kw) inside the picture of  x[oh·SH − PH + kh·DH, ow·SW − PW + kw·DW]
//   switches[oh, ow] = kh·KW + kw of the winner: one byte a window. The first of equals wins; NaN beats everything.
//
// One thread a window; one thread a pixel on the way back. A pixel lies in several windows where they overlap: it asks each of
// them, in the order of the taps, whether it was its winner, and adds up. Nobody writes another's place: no atomics.
//
// -DREAL=float or double, -DSWITCH=unsigned char or int (kernels of more than 256 taps)

extern "C" __global__ void __launch_bounds__(256) max_pool(
    const REAL* __restrict__ x, REAL* __restrict__ y, SWITCH* __restrict__ switches, int planes, int H, int W, int OH, int OW,
    int KH, int KW, int SH, int SW, int PH, int PW, int DH, int DW)
{
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= (long long)planes * OH * OW) return;
    const int ow = i % OW, oh = i / OW % OH;
    const REAL* plane = x + i / ((long long)OW * OH) * H * W;
    const int top = oh * SH - PH, left = ow * SW - PW;               // may lie in the padding, above or left of the picture
    const int first_h = top < 0 ? (DH - 1 - top) / DH : 0, first_w = left < 0 ? (DW - 1 - left) / DW : 0;
    REAL best = -(REAL)__int_as_float(0x7f800000);                         // minus infinity
    int winner = first_h * KW + first_w;
    for (int kh = first_h; kh < KH && top + kh * DH < H; ++kh)
        for (int kw = first_w; kw < KW && left + kw * DW < W; ++kw) {
            const REAL value = plane[(top + kh * DH) * (long long)W + left + kw * DW];
            if (value > best || value != value) best = value, winner = kh * KW + kw;
        }
    y[i] = best;
    switches[i] = (SWITCH)winner;
}

extern "C" __global__ void __launch_bounds__(256) max_pool_backward(
    const REAL* __restrict__ dy, const SWITCH* __restrict__ switches, REAL* __restrict__ dx, int planes, int H, int W, int OH, int OW,
    int KH, int KW, int SH, int SW, int PH, int PW, int DH, int DW)
{
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i >= (long long)planes * H * W) return;
    const int w = i % W, h = i / W % H;
    const long long plane = i / ((long long)W * H) * OH * OW;
    REAL sum = REAL(0);
    for (int kh = 0; kh < KH; ++kh) {
        const int down = h + PH - kh * DH;                           // oh·SH, if this pixel is tap kh of a window
        if (down < 0 || down % SH || down / SH >= OH) continue;
        for (int kw = 0; kw < KW; ++kw) {
            const int right = w + PW - kw * DW;
            if (right < 0 || right % SW || right / SW >= OW) continue;
            const long long window = plane + (long long)(down / SH) * OW + right / SW;
            if (switches[window] == kh * KW + kw) sum += dy[window];
        }
    }
    dx[i] = sum;
}
