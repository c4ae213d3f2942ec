"""The checks have teeth: each of these broken kernels is caught by the check named beside it.

A mutant is a kernel file with one mistake planted. The emulator runs it under all schedules, with copies as late and as early
as they may be, until the named case fails, or it has survived, which fails the test.
"""

from __future__ import annotations

from typing import NamedTuple

import cuda_emulator
import kernel_cases
import pytest

from minifcn.kernels.cuda import launch

pytestmark = pytest.mark.skipif(cuda_emulator.COMPILER is None, reason="g++ is not installed")


class Mutant(NamedTuple):
    """In `file`, `right` (which occurs) becomes `wrong`; `case` of kernel_cases notices."""

    file: str
    right: str
    wrong: str
    case: str
    precision: str = "tf32"


TILE, GATHER, DWEIGHT, PACK = "tile.cuh", "conv_gather.cu", "conv_dweight.cu", "pack.cu"
COLUMNS, POOL, NORM, LOSS, DROP = "im2col.cu", "max_pool.cu", "batch_norm.cu", "cross_entropy.cu", "dropout.cu"

MUTANTS = {
    # ---- the pipeline
    "pipeline: no barrier": Mutant(TILE, "        __syncthreads(); ", "", "many slabs"),
    "pipeline: no barrier, float32": Mutant(TILE, "        __syncthreads(); ", "", "many slabs", "float32"),
    "pipeline: barrier before the wait": Mutant(
        TILE, "copy_async_wait<STAGES - 2>();", "__syncthreads(); copy_async_wait<STAGES - 2>(); if (0)", "many slabs"
    ),
    "pipeline: waits for one group too few": Mutant(TILE, "wait<STAGES - 2>", "wait<STAGES - 1>", "many slabs"),
    "pipeline: does not wait": Mutant(TILE, "copy_async_wait<STAGES - 2>();", "", "many slabs"),
    "pipeline: writes into the stage being read": Mutant(TILE, "write = STAGES - 1;", "write = 0;", "many slabs"),
    "pipeline: one stage too few": Mutant(TILE, "read + 1 == STAGES", "read + 2 == STAGES", "many slabs"),
    "pipeline: no empty groups at the end": Mutant(
        TILE, "load(s + STAGES - 1, write);\n        copy_async_commit();",
        "{ load(s + STAGES - 1, write); copy_async_commit(); }", "many slabs",
    ),
    "pipeline: the next slab is loaded before the barrier": Mutant(
        TILE, "        copy_async_wait<STAGES - 2>();",
        "        if (s + STAGES - 1 < slabs) load(s + STAGES - 1, write);\n        copy_async_commit();\n"
        "        copy_async_wait<STAGES - 1>(); __syncthreads(); compute(read);\n"
        "        read = read + 1 == STAGES ? 0 : read + 1;\n        write = write + 1 == STAGES ? 0 : write + 1;\n"
        "        continue;", "many slabs",
    ),
    "pipeline: the last slab is not loaded": Mutant(TILE, "s + STAGES - 1 < slabs", "s + STAGES < slabs", "many slabs"),
    # ---- the fragments
    "fragment of A: halves exchanged": Mutant(
        TILE, "16 * i + 8 * (r % 2) + at.g) * AM + (k + 4 * (r / 2)", "16 * i + 8 * (r / 2) + at.g) * AM + (k + 4 * (r % 2)",
        "3x2 window, ragged",
    ),
    "fragment of B: pairs along k": Mutant(TILE, "(k + 4 * r + at.t) * BK_", "(k + 2 * at.t + r) * BK_", "3x2 window, ragged"),
    "fragment of B: g and t exchanged": Mutant(
        TILE, "(at.warp_n + 8 * j + at.g) * BN_ + (k + 4 * r + at.t)", "(at.warp_n + 8 * j + at.t) * BN_ + (k + 4 * r + at.g)",
        "3x2 window, ragged",
    ),
    "fragment of D: columns interleaved": Mutant(TILE, "2 * at.t + r % 2", "at.t + 4 * (r % 2)", "3x2 window, ragged"),
    "fragment of D: rows of the upper half twice": Mutant(TILE, "8 * (r / 2) + at.g; }", "at.g; }", "1x1"),
    "tile: a warp in another's place": Mutant(TILE, "warp / WARPS_N * WM", "warp % WARPS_N * WM", "many pixels"),
    "multiply: half of K": Mutant(TILE, "k < BK; k += 8", "k < BK; k += 16", "many slabs"),
    "multiply: half of K, float32": Mutant(TILE, "k < BK; ++k", "k < BK; k += 2", "many slabs", "float32"),
    # ---- conv_gather
    "gather: lower edge off by one": Mutant(GATHER, "h < H &&", "h <= H &&", "3x2 window, ragged"),
    "gather: right edge off by one": Mutant(GATHER, "v < W;", "v < W - 1;", "3x2 window, ragged"),
    "gather: left edge not looked at": Mutant(GATHER, "v >= 0 &&", "", "3x2 window, ragged"),
    "gather: reads a row of weights too many": Mutant(GATHER, "weight_row[i] = o < O", "weight_row[i] = o <= O", "1x1"),
    "gather: threads without a pixel return early": Mutant(
        GATHER, "if (p0 >= pixels) return;", "if (p0 + (int)threadIdx.x / 2 >= pixels) return;", "3x2 window, ragged"
    ),
    "gather: a slab spans one tap at most": Mutant(GATHER, "for (c += BK; c >= C; c -= C) ++tap;",
                                                   "c += BK; if (c >= C) c -= C, ++tap;", "3x2 window, ragged"),
    "gather: K rounded down": Mutant(GATHER, "(count * C + BK - 1) / BK", "count * C / BK", "3x2 window, ragged"),
    "gather: the last pixel is not written": Mutant(GATHER, "if (p >= pixels) continue;", "if (p + 1 >= pixels) continue;",
                                                    "3x2 window, ragged"),
    "gather: bias of the wrong group": Mutant(GATHER, "bias[channel]", "bias[o]", "two groups"),
    "gather: the phase's row is forgotten": Mutant(GATHER, "rh + pixel / columns * YSH", "pixel / columns * YSH",
                                                   "upsampling by two"),
    "gather: always the first phase's taps": Mutant(GATHER, "(const int4*)taps + phase[4]", "(const int4*)taps",
                                                    "upsampling by two"),
    "gather: ReLU the wrong way round": Mutant(GATHER, "relu && value < 0.0f", "relu && value > 0.0f", "1x1"),
    "gather: stages overlap by a row": Mutant(GATHER, "shared + stage * (BM + BN) * LD;\n        float* b",
                                              "shared + stage * ((BM + BN) * LD - LD);\n        float* b", "many slabs"),
    # ---- conv_dweight
    "dweight: the last pixel is lost": Mutant(DWEIGHT, "begin + slab * BK + row < end", "begin + slab * BK + row < end - 1",
                                              "3x2 window, ragged"),
    "dweight: never moves to the next picture": Mutant(DWEIGHT, "oh[i] = 0, ++n[i]", "oh[i] = 0", "3x2 window, ragged"),
    "dweight: a slab spans one row at most": Mutant(DWEIGHT, "for (ow[i] += BK; ow[i] >= OW; ow[i] -= OW)",
                                                    "ow[i] += BK; if (ow[i] >= OW && (ow[i] -= OW, 1))", "3x2 window, ragged"),
    "dweight: splits overlap": Mutant(DWEIGHT, "begin + pixels_a_split);", "begin + pixels_a_split + 16);", "many pixels"),
    "dweight: the group's pictures are another's": Mutant(DWEIGHT, "x_group = x + (long long)group *", "x_group = x + 0LL *",
                                                          "two groups"),
    "dweight: a split's sum is left out": Mutant(PACK, "s < splits;", "s < splits - 1;", "many pixels"),
    # ---- pack
    "pack: no barrier before reading the tile": Mutant(PACK, "        __syncthreads();\n        for", "        for", "packing"),
    "pack: no barrier before the next tile": Mutant(
        PACK, "__syncthreads();                                             // before", "// before", "packing"
    ),
    "pack: padding is not zero": Mutant(PACK, "r < R && p < P ?", "p < P ?", "packing"),
    "pack: groups and pictures exchanged": Mutant(PACK, "b % G * (long long)N + b / G", "b", "packing"),
    # ---- im2col and col2im
    "im2col: right edge off by one": Mutant(COLUMNS, "w < W ?", "w < W - 1 ?", "by columns"),
    "im2col: dilation of the other axis": Mutant(COLUMNS, "kw * DW;\n    columns", "kw * DH;\n    columns", "by columns"),
    "col2im: ignores the stride's remainder": Mutant(COLUMNS, "|| down % SH", "", "by columns"),
    # ---- max-pool
    "max-pool: the last of equals wins": Mutant(POOL, "value > best", "value >= best", "pooling"),
    "max-pool: NaN loses": Mutant(POOL, "|| value != value", "", "pooling"),
    "max-pool: the switch starts in the padding": Mutant(POOL, "winner = first_h * KW + first_w", "winner = 0", "pooling"),
    "max-pool: backward forgets the last window": Mutant(POOL, "right / SW >= OW", "right / SW >= OW - 1", "pooling"),
    # ---- batch norm
    "batch norm: a warp's sum stays uninitialised": Mutant(NORM, "if (lane == 0) warps", "if (lane == 0 && warp) warps",
                                                           "batch normalisation"),
    "batch norm: no barrier before the warps' sums": Mutant(NORM, "    __syncthreads();\n", "", "batch normalisation"),
    "batch norm: the shuffle starts at half": Mutant(NORM, "step = 16;", "step = 8;", "batch normalisation"),
    "batch norm: variance about zero": Mutant(NORM, "(value - mean[c]) * (value - mean[c])", "value * value",
                                              "batch normalisation"),
    "batch norm: a chunk's end is another's": Mutant(NORM, "? begin + chunk : total", "? begin + chunk - 1 : total",
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
    "SGD: the gradient enters the momentum undamped": Mutant("update.cu", "+ into * d;", "+ d;", "updates"),
    "SGD: Nesterov looks ahead by the old momentum": Mutant("update.cu", "d + momentum * velocity", "d + velocity", "updates"),
    "Adam: decay in both places": Mutant("update.cu", "else d += decay", "d += decay", "updates"),
    "Adam: eps inside of the root": Mutant("update.cu", "sqrt(square) / root + eps", "sqrt(square + eps) / root", "updates"),
}  # fmt: skip


def answers(mutant: Mutant, xp):
    if mutant.case in kernel_cases.CONVOLUTIONS:
        return kernel_cases.convolution(mutant.case, xp, mutant.precision)
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
