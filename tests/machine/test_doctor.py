"""The doctor's judgements: every broken installation gets the exact line that mends it."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn.anatomy.device_memory import out_of_memory_sentence
from minifcn.machine.doctor import Device, GpuFacts, examine, judge_gpu, probe_gpu

H200 = Device("NVIDIA H200", (9, 0), 140 << 30, 139 << 30)
T4 = Device("Tesla T4", (7, 5), 15 << 30, 14 << 30)
WHEEL13, WHEEL12 = ("cupy-cuda13x", "14.2.0"), ("cupy-cuda12x", "14.2.0")
HEALTHY = {"driver": (13, 0), "wheels": (WHEEL13,), "nvrtc": (13, 0), "devices": (H200,), "smoke": ""}


def judged(**changes):
    """{name: finding} of a healthy machine with some facts changed."""
    return {finding.name: finding for finding in judge_gpu(GpuFacts(**{**HEALTHY, **changes}))}


def test_a_healthy_machine_has_nothing_to_mend():
    findings = judged()
    assert [finding.status for finding in findings.values()] == ["ok"] * len(findings)
    assert "H200" in findings["GPU 0"].value
    assert findings["device cuda"].value.startswith("works")


def test_no_gpu_at_all_is_no_problem():
    findings = judge_gpu(GpuFacts())
    assert {finding.status for finding in findings} == {"note"}
    assert "CPU" in findings[-1].value


BROKEN = {
    "CUDA 13 driver without CuPy": ({"wheels": (), "nvrtc": None, "devices": (), "smoke": None}, "CuPy",
                                    "pip install 'minifcn[gpu]'"),
    "CUDA 12 driver without CuPy": ({"driver": (12, 8), "wheels": (), "nvrtc": None, "devices": (), "smoke": None}, "CuPy",
                                    "pip install 'minifcn[gpu-cuda12]'"),
    "CUDA 13 wheel on a CUDA 12 driver": ({"driver": (12, 8), "smoke": "CUDARuntimeError: insufficient driver"}, "CuPy",
                                          "pip uninstall -y cupy-cuda13x && pip install 'minifcn[gpu-cuda12]'"),
    "two wheels": ({"wheels": (WHEEL12, WHEEL13)}, "CuPy",
                   "pip uninstall -y cupy-cuda12x cupy-cuda13x && pip install 'minifcn[gpu]'"),
    "an old CuPy": ({"wheels": (("cupy-cuda13x", "13.6.0"),)}, "CuPy", "pip install -U 'cupy-cuda13x>=14'"),
    "a CuPy that does not import": ({"import_error": "libfoo.so: no such file", "nvrtc": None}, "CuPy",
                                    "pip uninstall -y cupy-cuda13x && pip install 'minifcn[gpu]'"),
    "no NVRTC": ({"nvrtc": None, "nvrtc_error": "libnvrtc.so.13 not found"}, "NVRTC",
                 "pip install 'nvidia-cuda-nvrtc>=13.0,<14'"),
    "NVRTC of another CUDA": ({"wheels": (WHEEL12,)}, "NVRTC", "pip install 'nvidia-cuda-nvrtc-cu12>=12.0,<13'"),
    "a driver of 2020": ({"driver": (11, 2), "wheels": ()}, "NVIDIA driver", "driver 525"),
    "a hidden GPU": ({"devices": (), "smoke": None, "device_error": "no CUDA-capable device is detected"}, "GPU",
                     "CUDA_VISIBLE_DEVICES"),
    "no headers": ({"smoke": "CompileException: cannot open source file cuda_fp16.h"}, "device cuda",
                   "pip install 'nvidia-cuda-runtime>=13.0,<14'"),
    "no cuBLAS": ({"smoke": "ImportError: libcublas.so.13: cannot open shared object file"}, "device cuda",
                  "pip install 'cupy-cuda13x[ctk]'"),
    "a full GPU": ({"smoke": "OutOfMemoryError: Out of memory allocating 4,096 bytes"}, "device cuda", "nvidia-smi"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_each_broken_installation_gets_its_line(case):
    changes, name, line = BROKEN[case]
    findings = judged(**changes)
    assert findings[name].status == "problem"
    assert line in findings[name].advice
    assert findings["device cuda"].status == "problem"


def test_a_driver_newer_than_the_wheel_is_fine():
    findings = judged(wheels=(WHEEL12,), nvrtc=(12, 9))
    assert all(finding.status == "ok" for finding in findings.values())


def test_an_old_gpu_is_told_what_it_will_miss():
    assert "TF32" in judged(devices=(T4,))["GPU 0"].advice


def test_looking_at_this_machine_never_raises():
    assert isinstance(probe_gpu(), GpuFacts)
    names = [finding.name for finding in examine()]
    assert names[:4] == ["minifcn", "Python", "NumPy", "BLAS"]
    assert names[-1] == "device cuda"
    assert any(np.__version__ == finding.value for finding in examine())


GIB = 1 << 30


@pytest.mark.parametrize(
    ("shape", "fixed", "per_picture", "free", "expected"),
    [
        ((8, 375, 500), 2 * GIB, 1 * GIB, 8 * GIB, "largest batch that should fit is 5"),
        ((4, 375, 500), 2 * GIB, 1 * GIB, 8 * GIB, "largest batch that should fit is 3"),  # fits on paper, and did not
        ((1, 400, 600), 2 * GIB, 20 * GIB, 8 * GIB, "largest picture that should fit is about 192x288"),
        ((1, 375, 500), 9 * GIB, 1 * GIB, 8 * GIB, "narrower network"),
    ],
)
def test_out_of_memory_names_what_should_fit(shape, fixed, per_picture, free, expected):
    sentence = out_of_memory_sentence(shape, fixed, per_picture, free)
    assert expected in sentence
    assert "\n" not in sentence
    assert sentence.endswith(".")
