"""Everything that needs a GPU, in one command; first thing when there is one:

    python tests/gpu/run_on_gpu.py

It runs the GPU tests, the small cases under compute-sanitizer (where the CUDA toolkit brings it), and the benchmark against
PyTorch in both precisions, and writes what came out to tests/gpu_results/DEVICE-DATE.json.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT)]

SANITIZERS = ("memcheck", "racecheck", "synccheck", "initcheck")
PACKAGES = ("numpy", "cupy-cuda13x", "cupy-cuda12x", "torch", "nvidia-cuda-nvrtc", "nvidia-cudnn-cu13")


def main() -> int:
    """Runs all; returns 0 when all went well."""
    if sys.argv[1:] == ["--cases"]:
        return small_cases()
    results = HERE.parent / "gpu_results"
    results.mkdir(exist_ok=True)
    report: dict[str, Any] = {"date": datetime.date.today().isoformat(), **machine()}
    path = results / f"{re.sub('[^A-Za-z0-9]+', '-', report['device'])}-{report['date']}.json"
    report["tests"] = run([sys.executable, "-m", "pytest", str(HERE / "test_on_gpu.py"), "-rs"], 12)
    report["sanitizers"] = {tool: sanitize(tool) for tool in SANITIZERS}
    runs = [(subject, precision) for subject in ("step", "inference", "layers") for precision in ("tf32", "float32")]
    report["benchmark"] = {f"{subject}, {precision}": benchmark(subject, precision) for subject, precision in runs}
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"written to {path}")
    parts = [report["tests"], *report["sanitizers"].values(), *report["benchmark"].values()]
    return 0 if all(part.get("status", 0) == 0 for part in parts) else 1


def machine() -> dict[str, Any]:
    """Device, driver and versions. Ends the program with the doctor's words where no GPU works."""
    from minifcn.checks.doctor import judge_gpu, probe_gpu

    facts = probe_gpu()
    if facts.smoke != "":
        lines = [f"{finding.name}: {finding.value} {finding.advice}".strip() for finding in judge_gpu(facts)]
        raise SystemExit("no GPU to run on\n" + "\n".join(lines))
    versions = {"python": sys.version.split()[0]}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    device = facts.devices[0]
    return {
        "device": device.name, "capability": list(device.capability), "memory": device.memory,
        "cuda_driver": list(facts.driver), "nvrtc": list(facts.nvrtc), "versions": versions, "commit": commit,
    }  # fmt: skip


def run(command: list[str], lines: int) -> dict[str, Any]:
    """Runs a command from the repository's root, shows what it prints, keeps its status and its last lines."""
    print("$", *command, flush=True)
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout, flush=True)
    return {"status": done.returncode, "output": done.stdout.splitlines()[-lines:]}


def sanitize(tool: str) -> dict[str, Any]:
    """The small cases under one of compute-sanitizer's tools."""
    program = shutil.which("compute-sanitizer")
    if program is None:
        return {"output": ["compute-sanitizer is not installed"]}
    command = [program, "--tool", tool, "--error-exitcode", "3", "--kernel-name-exclude", "kernel_substring=cupy"]
    return run([*command, sys.executable, str(HERE / "run_on_gpu.py"), "--cases"], 4)


def small_cases() -> int:
    """Every small case on the GPU, once."""
    import cupy
    import kernel_cases

    for name in kernel_cases.CONVOLUTIONS:
        for products in kernel_cases.PRODUCTS:
            kernel_cases.check(kernel_cases.convolution(name, cupy, products), slack=4)
    for case in kernel_cases.OTHERS.values():
        kernel_cases.check(case(cupy), slack=4)
    print("every case is right")
    return 0


def benchmark(subject: str, precision: str) -> dict[str, Any]:
    """`minifcn bench` of one subject on FCN-8s's usual picture: its JSON, and the end of what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--device", "cuda", "--precision", precision, "--size", "375x500", "--batch-size", "1", "--out", folder]
        done = run([sys.executable, "-m", "minifcn", "bench", subject, *options], 30)
        for path in sorted(Path(folder).glob("*.json")):
            done[path.stem] = json.loads(path.read_text(encoding="utf-8"))
    return done


if __name__ == "__main__":
    raise SystemExit(main())
