"""The checks have teeth: each of these broken kernels is caught by the check named beside it.

A mutant is a kernel file with one mistake planted. The emulator runs it under all schedules, with copies as late and as early
as they may be, until the named case fails, or it has survived, which fails the test.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from minifcn.kernels.cuda import launch, tiles
from support import cuda_emulator, kernel_cases

pytestmark = pytest.mark.skipif(cuda_emulator.COMPILER is None, reason="g++ is not installed")


class Mutant(NamedTuple):
    """In `file`, `right` (which occurs) becomes `wrong`; `case` of kernel_cases notices."""

    file: str
    right: str
    wrong: str
    case: str
    products: int = 1
    tile: tiles.Tile | None = None


TILE, GATHER, DWEIGHT, PACK, PARTS = "tile.cuh", "conv_gather.cu", "conv_dweight.cu", "pack.cu", "add_parts.cu"
BEHIND = "relu_pack.cu"
COLUMNS, POOL, NORM, LOSS, DROP = "im2col.cu", "max_pool.cu", "batch_norm.cu", "cross_entropy.cu", "dropout.cu"
BY_WARPGROUPS = tiles.WARPGROUP_TILES[0]
ALONG, ALONG_ROWS = "conv_along_rows.cu", tiles.STRIP_TILES[0]

MUTANTS = {
    # ---- the pipeline
    "pipeline: no barrier": Mutant(TILE, "        __syncthreads(); ", "", "many slabs"),
    "pipeline: no barrier, float32": Mutant(TILE, "        __syncthreads(); ", "", "many slabs", 0),
    "pipeline: barrier before the wait": Mutant(
        TILE, "copy_async_wait<AHEAD - 1>();", "__syncthreads(); copy_async_wait<AHEAD - 1>(); if (0)", "many slabs"
    ),
    "pipeline: waits for one group too few": Mutant(TILE, "copy_async_wait<AHEAD - 1>", "copy_async_wait<AHEAD>", "many slabs"),
    "pipeline: does not wait": Mutant(TILE, "copy_async_wait<AHEAD - 1>();", "", "many slabs"),
    "pipeline: writes into the stage being read": Mutant(TILE, "write = AHEAD;", "write = 0;", "many slabs"),
    "pipeline: one stage too few": Mutant(TILE, "read + 1 == STAGES", "read + 2 == STAGES", "many slabs"),
    "pipeline: no empty groups at the end": Mutant(
        TILE, "load(s + AHEAD, write);\n        copy_async_commit();",
        "{ load(s + AHEAD, write); copy_async_commit(); }", "many slabs",
    ),
    "pipeline: the next slab is loaded before the barrier": Mutant(
        TILE, "        __syncthreads();                // ... and everybody's; and slab s - 1 has been multiplied by all\n"
        "        load_ahead(s);\n",
        "        load_ahead(s);\n        copy_async_wait<AHEAD - 1>();\n        __syncthreads();\n", "many slabs",
    ),
    "pipeline: the last slab is not loaded": Mutant(TILE, "s + AHEAD < slabs", "s + AHEAD + 1 < slabs", "many slabs"),
    # ---- warpgroups
    "warpgroup: no barrier": Mutant(
        TILE, "show_copies();\n        __syncthreads();", "show_copies();\n", "many slabs", tile=BY_WARPGROUPS
    ),
    "warpgroup: copies are not shown": Mutant(TILE, "        show_copies();\n", "", "many slabs", tile=BY_WARPGROUPS),
    "warpgroup: one stage too few": Mutant(TILE, "WGMMA ? STAGES - 2", "WGMMA ? STAGES - 1", "many slabs", tile=BY_WARPGROUPS),
    "warpgroup: slab s - 1 is not waited for": Mutant(
        TILE, "        warpgroup_wait<1>(sums[0]);", "        warpgroup_wait<3>(sums[0]);", "many slabs", tile=BY_WARPGROUPS
    ),
    "warpgroup: the last slab is not waited for": Mutant(
        TILE, "warpgroup_wait<0>(sums[0]);", "warpgroup_wait<1>(sums[0]);", "many slabs", tile=BY_WARPGROUPS
    ),
    "warpgroup: quads where mma.sync has them": Mutant(
        TILE, "(WGMMA ? row % 8 : row / 2 % 4)", "(row / 2 % 4)", "many slabs", tile=BY_WARPGROUPS
    ),
    "warpgroup: warps side by side": Mutant(
        TILE, "warp / 4 / WARPS_N * 64 + warp % 4 * WM, warp / 4 % WARPS_N * WN", "warp / WARPS_N * WM, warp % WARPS_N * WN",
        "1x1", tile=tiles.WARPGROUP_TILES[1],
    ),
    "warpgroup: both have the first rows of A": Mutant(TILE, "(at.warp_m / 64 * 64) * BK + k", "k", "1x1", tile=BY_WARPGROUPS),
    "warpgroup: half of k": Mutant(
        TILE, "for (int k = 0; k < BK; k += 8)\n        multiply_by", "for (int k = 0; k < BK; k += 16)\n        multiply_by",
        "many slabs", tile=BY_WARPGROUPS,
    ),
    # ---- the fragments
    "fragment of A: halves exchanged": Mutant(
        TILE, "quads_a[r / 2][(16 * i + 8 * (r % 2))", "quads_a[r % 2][(16 * i + 8 * (r / 2))", "3x2 window, ragged"
    ),
    "fragment of B: pairs along k": Mutant(TILE, "quads_b[r][8 * j", "quads_b[0][r + 8 * j", "3x2 window, ragged"),
    "fragment of B: g and t exchanged": Mutant(TILE, "b(slab_b, at.warp_n + at.g, at.t)", "b(slab_b, at.warp_n + at.t, at.g)",
                                               "3x2 window, ragged"),
    "fragment of D: columns interleaved": Mutant(TILE, "8 * j + r % 2] =", "8 * j + at.t * -1 + 4 * (r % 2)] =",
                                                 "3x2 window, ragged"),
    "fragment of D: rows of the upper half twice": Mutant(TILE, "mine[8 * (r / 2) * LD_ROWS", "mine[0", "1x1"),
    "tile: a warp in another's place": Mutant(TILE, "warp / WARPS_N * WM", "warp % WARPS_N * WM", "many slabs"),
    "slab: quads lie where they would without the exchange": Mutant(TILE, ": row / 2 % 4))", ": 0))", "many slabs"),
    "slab: quads are exchanged by every row": Mutant(TILE, ": row / 2 % 4))", ": row % 4))", "many slabs"),
    "slab: quads are exchanged by every row, float32": Mutant(TILE, ": row / 2 % 4))", ": row % 4))", "many slabs", 0),
    "multiply: half of K": Mutant(TILE, "k < BK; k += 8", "k < BK; k += 16", "many slabs"),
    "multiply: half of K, float32": Mutant(TILE, "k4 < BK; k4 += 4", "k4 < BK; k4 += 8", "many slabs", 0),
    # ---- three products
    "three products: the small part of A is forgotten": Mutant(TILE, "mma_tf32(d, small_a[i], fb, zero)",
                                                               "mma_tf32(d, fa[i], small_b, zero)", "many slabs", 3),
    "three products: the small part of B is forgotten": Mutant(TILE, "mma_tf32(d, fa[i], small_b, d);", "", "many slabs", 3),
    "three products: big is not rounded": Mutant(TILE, "& 0xffffe000u", "", "many slabs", 3),
    "three products: the sum stays in the tensor core": Mutant(
        TILE, "mma_tf32(d, small_a[i], fb, zero);",
        "for (int r = 0; r < 4; ++r) d[r] = sums[i][j][r], sums[i][j][r] = 0.0f;\n mma_tf32(d, small_a[i], fb, d);",
        "long sums", 3,
    ),
    # ---- storing the tile
    "store: rows are read before all lanes have written": Mutant(
        TILE, "        __syncwarp();\n        #pragma", "        #pragma", "many slabs"
    ),
    "store: the next rows overwrite these": Mutant(TILE, "        __syncwarp();                              // before",
                                                   "        // before", "1x1"),
    "store: no barrier after the last slab": Mutant(TILE, "    __syncthreads();                               // the slabs",
                                                    "    // the slabs", "many slabs"),
    "store: the bias is the first row's": Mutant(TILE, "row_at(at.warp_m + 16 * i + m)", "row_at(at.warp_m + 16 * i)", "1x1"),
    "store: the second 32 columns are the first": Mutant(TILE, "+ 32 * n + lane] +", "+ lane] +", "in pieces"),
    # ---- conv_gather
    "gather: lower edge off by one": Mutant(GATHER, "< (unsigned)H &&", "<= (unsigned)H &&", "3x2 window, ragged"),
    "gather: right edge off by one": Mutant(GATHER, "< (unsigned)W;", "< (unsigned)W - 1;", "3x2 window, ragged"),
    "gather: left edge not looked at": Mutant(GATHER, "(unsigned)(w0[i] + step.y) < (unsigned)W;", "w0[i] + step.y < W;",
                                              "3x2 window, ragged"),
    "gather: reads a row of weights too many": Mutant(GATHER, "ROWS_A_COPY < O - m0", "ROWS_A_COPY <= O - m0", "1x1"),
    "gather: threads without a pixel return early": Mutant(
        GATHER, "if (p0 >= pixels) return;", "if (p0 + (int)threadIdx.x / 2 >= pixels) return;", "3x2 window, ragged"
    ),
    "gather: a slab spans one tap at most": Mutant(GATHER, "do ++tap; while ((c -= C) >= C);", "++tap, c -= C;",
                                                   "3x2 window, ragged"),
    "gather: the tap of the slab before": Mutant(GATHER, "        step = tap_list[min(tap, count)];\n", "",
                                                 "3x2 window, ragged"),
    "gather: K rounded down": Mutant(GATHER, "(count * C + BK - 1) / BK", "count * C / BK", "3x2 window, ragged"),
    "gather: the last pixel is not written": Mutant(GATHER, "return p < pixels ? y", "return p + 1 < pixels ? y",
                                                    "3x2 window, ragged"),
    "gather: bias of the wrong group": Mutant(GATHER, "bias[group * O + m0 + m]", "bias[m0 + m]", "two groups, whole"),
    "gather: the phase's row is forgotten": Mutant(GATHER, "rh + pixel / columns * YSH", "pixel / columns * YSH",
                                                   "upsampling by two"),
    "gather: always the first phase's taps": Mutant(GATHER, "(const int4*)taps + phase[4]", "(const int4*)taps",
                                                    "upsampling by two"),
    "gather: ReLU the wrong way round": Mutant(TILE, "row.relu && values[n] < 0.0f", "row.relu && values[n] > 0.0f", "1x1"),
    "gather: stages overlap by a row": Mutant(GATHER, "stage * (BM + BN) * BK + Along", "stage * ((BM + BN) * BK - BK) + Along",
                                              "many slabs"),
    "gather: every piece starts at the first slab": Mutant(GATHER, "min(split * each, all_slabs)", "0", "in pieces"),
    "gather: pieces overlap": Mutant(GATHER, "slabs = min(each,", "slabs = min(each + 1,", "in pieces"),
    "gather: a piece starts with the first tap": Mutant(GATHER, "int tap = (slab0 * BK + 4 * q) / C", "int tap = 4 * q / C",
                                                        "in pieces"),
    "gather: all pieces in one place": Mutant(GATHER, "(((long long)split * N + n) * G", "(((long long)n) * G", "in pieces"),
    # ---- conv_along_rows
    "along rows: all taps where the first is": Mutant(ALONG, "used_kw * DW * BK", "0", "many slabs", tile=ALONG_ROWS),
    "along rows: dilation is forgotten": Mutant(ALONG, "used_kw * DW * BK", "used_kw * BK", "many strips", tile=ALONG_ROWS),
    "along rows: rows as long as y's": Mutant(ALONG, "pitch = YW + (KW - 1) * DW", "pitch = YW", "many slabs", tile=ALONG_ROWS),
    "along rows: a strip without what is behind it": Mutant(
        ALONG, "i < B_COPIES - 1 || first < EXTRA", "i < B_COPIES - 1", "longer than a tile", tile=tiles.STRIP_TILES[3]
    ),
    "along rows: one strip too few": Mutant(ALONG, "STRIPS ? 0", "STRIPS - 1 ? 0", "many slabs", tile=ALONG_ROWS),
    "along rows: always one strip": Mutant(
        ALONG, "strip = strip + 1 == STRIPS ? 0 : strip + 1;\n        if", "if", "many strips", tile=ALONG_ROWS
    ),
    "along rows: upper edge not looked at": Mutant(
        ALONG, "(unsigned)(h0[i] + down) < (unsigned)H", "h0[i] + down < H && h0[i] > -9", "many slabs", tile=ALONG_ROWS
    ),
    "along rows: right edge off by one": Mutant(ALONG, "(unsigned)W;", "(unsigned)W + 1;", "many slabs", tile=ALONG_ROWS),
    "along rows: taps of dx upwards": Mutant(
        ALONG, "(kh * KW + kw) * next_tap", "(kh * KW + kw)", "many slabs", tile=ALONG_ROWS
    ),
    "along rows: a piece starts with the first strip": Mutant(
        ALONG, "int kh = strip0 / row_strips, c = strip0 % row_strips * BK", "int kh = 0, c = 0", "strips in pieces",
        tile=ALONG_ROWS,
    ),
    "along rows: the second group's weights are the first's": Mutant(
        ALONG, "((long long)group * O + m0 + first)", "((long long)m0 + first)", "strips in pieces", tile=ALONG_ROWS
    ),
    "along rows: bias of the wrong group": Mutant(ALONG, "bias[group * O + m0 + m]", "bias[m0 + m]", "groups along rows",
                                                  tile=ALONG_ROWS),
    "along rows: a strip too many where channels fill the last": Mutant(
        ALONG, "(c += BK) >= C", "(c += BK) > C", "whole slabs of channels", tile=ALONG_ROWS
    ),
    "along rows: bias of the first tile": Mutant(
        ALONG, "bias[group * O + m0 + m]", "bias[group * O + m]", "more outputs than a tile", tile=tiles.STRIP_TILES[2]
    ),
    "along rows: all tiles have the first's weights": Mutant(
        ALONG, "group * O + m0 + first)", "group * O + first)", "more inputs than a tile", tile=tiles.STRIP_TILES[2]
    ),
    "store: no bias under ReLU": Mutant(TILE, "+ row.bias;", "+ (row.relu ? 0.0f : row.bias);", "1x1"),
    # ---- conv_dweight
    "dweight: the last pixel is lost": Mutant(DWEIGHT, "real = p < end;", "real = p < end - 1;", "3x2 window, ragged"),
    "dweight: never moves to the next picture": Mutant(DWEIGHT, "oh = 0, ++n", "oh = 0", "3x2 window, ragged"),
    "dweight: a slab spans one row at most": Mutant(DWEIGHT, "for (ow += BK; ow >= OW; ow -= OW)",
                                                    "ow += BK; if (ow >= OW && (ow -= OW, 1))", "3x2 window, ragged"),
    "dweight: pieces overlap": Mutant(DWEIGHT, "begin + pixels_a_split);", "begin + pixels_a_split + 16);", "in pieces"),
    "dweight: the group's pictures are another's": Mutant(DWEIGHT, "x_group = x + (long long)group *", "x_group = x + 0LL *",
                                                          "two groups"),
    # ---- adding the pieces
    "parts: one of dweight's is left out": Mutant(
        PARTS, "s < splits; ++s) sum += from", "s < splits - 1; ++s) sum += from", "in pieces"
    ),
    "parts: y's bias is the wrong channel's": Mutant(PARTS, "bias[plane % C]", "bias[plane / C]", "in pieces"),
    "parts: the bias is added to every piece": Mutant(PARTS, "sum += parts[at + s * total]",
                                                      "sum += parts[at + s * total] + (bias && s ? bias[plane % C] : 0.0f)",
                                                      "in pieces"),
    "parts: ReLU is forgotten": Mutant(PARTS, "relu && sum < 0.0f ? 0.0f : sum", "sum", "in pieces"),
    # ---- pack
    "pack: no barrier before reading the tile": Mutant(
        PACK, "        __syncthreads();\n        const", "        const", "packing"
    ),
    "pack: the next tile overwrites this one": Mutant(PACK, "turn ^= 1", "turn ^= 0", "packing"),
    "pack: tiles of other rows": Mutant(PACK, "row % tiles_r", "row / tiles_r", "packing"),
    "pack: padding is not zero": Mutant(PACK, "r0 + r < R &&", "r0 + r <= R &&", "packing"),
    "pack: groups and pictures exchanged": Mutant(PACK, "(b % G) * (long long)N + b / G", "(long long)b", "packing"),
    # ---- im2col and col2im
    "im2col: right edge off by one": Mutant(COLUMNS, "w < W ?", "w < W - 1 ?", "by columns"),
    "im2col: dilation of the other axis": Mutant(COLUMNS, "kw * DW;\n    columns", "kw * DH;\n    columns", "by columns"),
    "col2im: ignores the stride's remainder": Mutant(COLUMNS, "|| down % SH", "", "by columns"),
    # ---- ReLU and packing in one
    "relu, packed: lets zero through": Mutant(BEHIND, "outputs[i] > 0.0f", "outputs[i] >= 0.0f", "behind ReLU"),
    "relu, packed: the mask is dy's": Mutant(BEHIND, "outputs[i] > 0.0f", "gradients[i] > 0.0f", "in pieces"),
    "relu, packed: no barrier before the tile is read": Mutant(
        BEHIND, "            __syncthreads();\n            #", "            #", "behind ReLU"
    ),
    "relu, packed: the next tile overwrites this one": Mutant(BEHIND, "turn ^= 1", "turn ^= 0", "behind ReLU"),
    "relu, packed: sums of the rounded": Mutant(BEHIND, "sums[i] += value", "sums[i] += to_tf32(value)", "behind ReLU"),
    "relu, packed: a chunk begins at the first": Mutant(BEHIND, "int p0 = chunk * tiles * 32", "int p0 = 0", "behind ReLU"),
    "relu, packed: groups and pictures exchanged": Mutant(
        BEHIND, "((long long)g * N + n) * P", "(long long)b * P", "behind ReLU"
    ),
    "relu, packed: padding is not zero": Mutant(BEHIND, "r0 + r < R && p < P", "p < P", "behind ReLU"),
    "relu, packed: half of the lanes": Mutant(BEHIND, "step = 16", "step = 8", "behind ReLU"),
    "relu, packed: rows of other pictures": Mutant(BEHIND, "((long long)n * chunks + chunk)", "chunk", "behind ReLU"),
    "rows: a warp is forgotten": Mutant(BEHIND, "w < 32", "w < 31", "behind ReLU"),
    "rows: no barrier": Mutant(BEHIND, "    __syncthreads();\n    if (warp", "    if (warp", "behind ReLU"),
    "parts: no barrier before the tile is read": Mutant(PARTS, "            __syncthreads();\n", "", "adding"),
    "parts: no barrier before the next taps": Mutant(
        PARTS, "__syncthreads();                         // before", "// before", "adding"
    ),
    "parts: a group's padding is not left out": Mutant(PARTS, "row / O * O4 + row % O", "row", "adding"),
    # ---- max-pool
    "max-pool: the last of equals wins": Mutant(POOL, "value > best", "value >= best", "pooling"),
    "max-pool: NaN loses": Mutant(POOL, "|| value != value", "", "pooling"),
    "max-pool: the switch starts in the padding": Mutant(POOL, "winner = first_h * KW + first_w", "winner = 0", "pooling"),
    "max-pool: backward takes a window too few": Mutant(POOL, "(beyond + S - 1) / S", "(beyond + S) / S", "pooling"),
    "max-pool: backward between two taps": Mutant(POOL, "ow > right || across % DW", "ow > right", "pooling"),
    "max-pool: backward forgets the last window": Mutant(POOL, "min(w / SW, OW - 1)", "min(w / SW, OW - 2)", "pooling"),
    # ---- batch norm
    "batch norm: a warp's sum stays uninitialised": Mutant(NORM, "if (lane == 0) warps", "if (lane == 0 && warp) warps",
                                                           "batch normalisation"),
    "batch norm: no barrier before the warps' sums": Mutant(NORM, "    __syncthreads();\n", "", "batch normalisation"),
    "batch norm: the shuffle starts at half": Mutant(NORM, "step = 16;", "step = 8;", "batch normalisation"),
    "batch norm: variance about zero": Mutant(NORM, "(value - mean[c]) * (value - mean[c])", "value * value",
                                              "batch normalisation"),
    "batch norm: a chunk's end is another's": Mutant(NORM, "min(begin + chunk, L)", "min(begin + chunk - 1, L)",
                                                     "batch normalisation"),
    # ---- the loss
    "loss: void counts": Mutant(LOSS, "!has_void || label != void_label, valid", "true, valid", "loss"),
    "loss: the largest score is not subtracted": Mutant(LOSS, "exp(scores[start + (long long)c * L] - largest)",
                                                        "exp(scores[start + (long long)c * L])", "loss"),
    "loss: smoothing forgotten on the way back": Mutant(LOSS, "- mix * weight[c]", "", "loss"),
    "loss: a wrong label goes unnoticed": Mutant(LOSS, "? weight[label] : not_a_number()", "? weight[label] : REAL(0)", "loss"),
    # ---- ReLU
    "ReLU: gradient passes at zero": Mutant("relu.cu", "y[i] > REAL(0)", "y[i] >= REAL(0)", "rectifier"),
    # ---- dropout
    "dropout: the counter starts at 0": Mutant(DROP, "kept_bits(thread + 1,", "kept_bits(thread,", "dropout"),
    "dropout: one round too few": Mutant(DROP, "round < 10", "round < 9", "dropout"),
    "dropout: the high half first": Mutant(DROP, "32 * (j % 2)", "32 * (1 - j % 2)", "dropout"),
    "dropout: one number a word": Mutant(DROP, "words[j / 2] >> 32 * (j % 2)", "words[j / 2]", "dropout"),
    "dropout: the lower bits of a half": Mutant(DROP, "half >> 8 >= threshold", "(half & 0xffffff) >= threshold", "dropout"),
    "dropout: the keys' increments exchanged": Mutant(DROP, "key0 += WEYL_0, key1 += WEYL_1", "key0 += WEYL_1, key1 += WEYL_0",
                                                      "dropout"),
    "dropout: the key stays": Mutant(DROP, "        key0 += WEYL_0, key1 += WEYL_1;\n", "", "dropout"),
    "dropout: both words multiplied alike": Mutant(DROP, "__umul64hi(MULTIPLY_C, c)", "__umul64hi(MULTIPLY_A, c)", "dropout"),
    "dropout: the low words exchanged": Mutant(DROP, "b = low_c,", "b = low_a,", "dropout"),
    "dropout: drops what equals p": Mutant(DROP, ">> 8 >= threshold", ">> 8 > threshold", "dropout"),
    "dropout: NaN times zero": Mutant(DROP, "scale : REAL(0)", "scale : values[i] * REAL(0)", "dropout"),
    "dropout: not scaled": Mutant(DROP, "values[i] * scale", "values[i]", "dropout"),
    "dropout: asks the wrong lane": Mutant(DROP, "4 * j + lane / 8", "4 * j + lane % 4", "dropout"),
    "dropout: the warps overlap": Mutant(DROP, "(thread - lane) * 8", "(thread - lane)", "dropout"),
    "dropout: the last element is not written": Mutant(DROP, "i < total", "i + 1 < total", "dropout"),
    # ---- the optimizers' updates
    "squares: a warp is forgotten": Mutant("update.cu", "w < 8", "w < 7", "length of the gradients"),
    "squares: only the first round": Mutant(
        "update.cu", "i += gridDim.x * 256ll) sum", "i += total) sum", "length of the gradients"
    ),
    "squares: not squared": Mutant("update.cu", "d[i] * d[i]", "d[i]", "length of the gradients"),
    "squares: no barrier": Mutant("update.cu", "    __syncthreads();\n    if (threadIdx.x)", "    if (threadIdx.x)",
                                  "length of the gradients"),
    "shrink: never": Mutant("update.cu", "by == REAL(1)", "by <= REAL(1)", "length of the gradients"),
    "SGD: the gradient enters the momentum undamped": Mutant("update.cu", "+ into * d;", "+ d;", "updates"),
    "SGD: Nesterov looks ahead by the old momentum": Mutant("update.cu", "d + momentum * velocity", "d + velocity", "updates"),
    "Adam: decay in both places": Mutant("update.cu", "else d += decay", "d += decay", "updates"),
    "Adam: eps inside of the root": Mutant("update.cu", "sqrt(square) / root + eps", "sqrt(square + eps) / root", "updates"),
}  # fmt: skip


def answers(mutant: Mutant, xp):
    if mutant.case in kernel_cases.CONVOLUTIONS:
        return kernel_cases.convolution(mutant.case, xp, mutant.products, mutant.tile)
    return kernel_cases.OTHERS[mutant.case](xp)


def how_caught(mutant: Mutant, xp, monkeypatch) -> str:
    """The complaint of the first schedule under which the case fails; empty when it never does."""
    for schedule in cuda_emulator.SCHEDULES:
        for eager in (False, True):
            monkeypatch.setattr(cuda_emulator, "settings", cuda_emulator.Settings(schedule, eager))
            try:
                kernel_cases.check(answers(mutant, xp))
            except (AssertionError, cuda_emulator.LaunchError) as caught:
                return f"{schedule}, {'eager' if eager else 'late'} copies: {' '.join(str(caught).split())}"
    return ""


@pytest.mark.parametrize("name", MUTANTS)
def test_is_caught(cupy, monkeypatch, name):
    mutant = MUTANTS[name]
    original = launch.source

    def mutated(file: str) -> str:
        text = original(file)  # whose own includes come through here as well
        if file != mutant.file:
            return text
        if mutant.right not in text:
            raise LookupError(f"{file} has no {mutant.right!r} any more: adapt the mutant")
        return text.replace(mutant.right, mutant.wrong)

    monkeypatch.setattr(launch, "source", mutated)
    forget_compiled()
    try:
        caught = how_caught(mutant, cupy, monkeypatch)
        print(f"{name} -> {caught[:200]}")
        assert caught, f"{name}: survived every schedule"
    finally:
        forget_compiled()


def forget_compiled() -> None:
    launch._function.cache_clear()
    launch._module.cache_clear()
