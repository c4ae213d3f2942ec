"""Everything that needs a GPU, in one command; first thing when there is one:

    python tests/gpu/run_on_gpu.py                                  all parts, the most telling first
    python tests/gpu/run_on_gpu.py tests step --minutes 9           two of them, in nine minutes
    python tests/gpu/run_on_gpu.py train --data voc --root VOCdevkit -- --iterations 2000
    python tests/gpu/run_on_gpu.py --table tests/gpu_results/DEVICE-DATE.json

It writes what came out to tests/gpu_results/DEVICE-DATE.json, whole after every command: whatever stops it, what was
measured is there. Parts that are run later on the same day are added. Each command runs in a process of its own, shows its
output as it comes, and is ended when its time is over; what comes after `--` goes to `minifcn train`.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE.parent), str(ROOT)]

from gpu.device.gpu_record import Record, merged, read, table  # noqa: E402
from gpu.device.watched_process import watch  # noqa: E402

SANITIZERS = ("memcheck", "racecheck", "synccheck", "initcheck")
PACKAGES = (
    "numpy", "cupy-cuda13x", "cupy-cuda12x", "torch", "nvidia-cuda-nvrtc", "nvidia-cublas", "nvidia-cudnn-cu13", "pytest",
)  # fmt: skip
KEPT = 12_000  # characters of each command's output, from its end
EVERY_TILE = ("many slabs", "two groups")  # of the small cases those that a sanitizer sees in every tile
SAVE_EVERY = 5.0  # seconds between two looks at what a running command has left behind


class Options(argparse.Namespace):
    """The command line; `device` is another one than "cuda" in tests only."""

    parts: list[str]
    out: Path
    minutes: float | None
    data: str
    root: str | None
    commit: str | None
    table: list[Path] | None
    extra: list[str]
    device: str = "cuda"


def main(arguments: Sequence[str]) -> int:
    """Runs the parts that were asked for; returns 0 when all that ran went well."""
    if list(arguments) == ["--cases"]:
        return small_cases()
    options = parse(arguments)
    if options.table:
        print(table(merged([read(path) for path in options.table])), end="")
        return 0
    facts = machine()
    record = Record(options.out / f"{re.sub('[^A-Za-z0-9]+', '-', facts['device'])}-{facts['date']}.json", facts)
    print(f"{facts['device']}; writing {record.path}", flush=True)
    went_well = run_parts(record, options)
    print(table(record.content), end="")
    print(f"written to {record.path}")
    return 0 if went_well else 1


def parse(arguments: Sequence[str]) -> Options:
    """The command line as options. What follows `--` is `minifcn train`'s."""
    own, extra = list(arguments), []
    if "--" in own:
        own, extra = own[: own.index("--")], own[own.index("--") + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)}; left out: all but suite, in this order")
    parser.add_argument("--out", type=Path, default=HERE.parent / "gpu_results", help="the folder for the JSON")
    parser.add_argument("--minutes", type=float, help="after these no part begins, and one that runs is ended")
    parser.add_argument("--data", default="shapes", help="what `train` trains on: shapes (drawn here), voc, idd, ...")
    parser.add_argument("--root", help="where that data set lies")
    parser.add_argument("--commit", help="the commit to note, where git cannot be asked")
    parser.add_argument("--table", type=Path, nargs="+", metavar="FILE", help="only print the README's table of these files")
    options = parser.parse_args(own, Options(extra=extra))
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}; possible are {', '.join(PARTS)}")
    if options.data != "shapes" and not options.root:
        parser.error(f"--data {options.data} needs --root: where the data set lies")
    return options


def machine() -> dict[str, Any]:
    """Device, driver, versions and the day. Ends the program with the doctor's words where no GPU works."""
    from minifcn.machine.doctor import judge_gpu, probe_gpu

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
    device = facts.devices[0]
    return {
        "device": device.name, "date": datetime.date.today().isoformat(), "capability": list(device.capability),
        "memory": device.memory, "cuda_driver": list(facts.driver or ()), "nvrtc": list(facts.nvrtc or ()),
        "versions": versions,
    }  # fmt: skip


def run_parts(record: Record, options: Options) -> bool:
    """One part after the other, as long as there is time; whether all that ran went well."""
    end = float("inf") if options.minutes is None else time.monotonic() + 60 * options.minutes
    went_well = True
    for name in options.parts or [part for part in PARTS if part != "suite"]:
        if time.monotonic() >= end:
            why = f"the {options.minutes:g} minutes were over"
            print(f"{name} is left out: {why}", flush=True)
            record.leave_out(name, why)
            continue
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            went_well &= run_part(Job(record, name, Path(scratch), end, options.commit), options)
    return went_well


def run_part(job: Job, options: Options) -> bool:
    """One part, whatever happens in it; whether it went well."""
    try:
        PARTS[job.name](job, options)
    except Exception:
        job.run_record["trouble"] = traceback.format_exc().splitlines()
        print(traceback.format_exc(), flush=True)
        job.finish("crashed")
    except BaseException:  # Ctrl-C, or an end from outside: it is noted, and goes on its way
        job.finish("stopped")
        raise
    else:
        job.finish()
    return job.run_record["status"] == "done"


class Job:
    """One run of one part: runs its commands, and notes what came of them."""

    def __init__(self, record: Record, name: str, scratch: Path, end: float = float("inf"), commit: str | None = None) -> None:
        from minifcn.machine.environment import git_commit

        self.record, self.name, self.scratch, self.end = record, name, scratch, end
        self.began = time.monotonic()
        self.run_record = record.begin(name, began=_now(), commit=commit or git_commit())

    def run(
        self, name: str, command: Sequence[Any], minutes: float, left: Callable[[], dict[str, Any]] = dict, spare: float = 0.0
    ) -> bool:
        """Runs a command from the repository's root; whether it ended by itself and well.

        Args:
            minutes: after these it is stopped; earlier where the whole has no more, less `spare` minutes for what follows.
            left: what the command has left behind so far. It is asked and noted again and again while the command runs.
        """
        limit = min(60 * minutes, self.end - time.monotonic() - 60 * spare)
        note: dict[str, Any] = {"name": name, "command": list(map(str, command)), "began": _now(), "status": "running"}
        self.run_record["commands"].append(note)
        if limit <= 0:
            return self._end(note, "left out: no time was left", 0.0)
        print(f"\n$ {' '.join(note['command'])}    (at most {limit:.0f} s)", flush=True)
        start = saved = time.monotonic()
        output = ""

        def seen(text: str) -> None:
            nonlocal output, saved
            print(text, end="", flush=True)
            output = (output + text)[-KEPT:]
            if time.monotonic() - saved >= SAVE_EVERY:
                saved = time.monotonic()
                self._note(note, output, left)

        status, in_time = watch(command, limit, seen, cwd=ROOT, path=ROOT)
        self._note(note, output, left)
        return self._end(note, status if in_time else f"stopped after {limit:.0f} s", time.monotonic() - start)

    def _note(self, note: dict[str, Any], output: str, left: Callable[[], dict[str, Any]]) -> None:
        """Writes down the output and what was left behind, as far as it goes."""
        note["output"] = [line for line in output.splitlines() if line.strip()]
        try:
            self.run_record["found"] |= left()
        except Exception as error:  # a command that failed leaves nothing, or half of it
            note["nothing_found"] = f"{type(error).__name__}: {error}"
        else:
            note.pop("nothing_found", None)
        self.record.save()

    def _end(self, note: dict[str, Any], status: int | str, seconds: float) -> bool:
        note.update(status=status, seconds=round(seconds, 1))
        print(f"({note['name']}: status {status}, {seconds:.0f} s)", flush=True)
        self.record.save()
        return status == 0

    def finish(self, status: str = "") -> None:
        """Notes how the part ended; by itself, as its commands did."""
        ends = [note["status"] for note in self.run_record["commands"]]
        late = any(isinstance(end, str) for end in ends)
        failed = any(ends) or "trouble" in self.run_record
        status = status or ("out of time" if late else "failed" if failed else "done")
        self.run_record.update(status=status, seconds=round(time.monotonic() - self.began, 1))
        print(f"== {self.name}: {status}, {self.run_record['seconds']:.0f} s", flush=True)
        self.record.save()


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


# ------------------------------------------------------------------------------------------------------------ the parts


def gpu_tests(job: Job, options: Options) -> None:
    """tests/gpu/device/test_on_gpu.py, each test named before it runs: a kernel may hang."""
    pytest = [sys.executable, "-m", "pytest", HERE / "device" / "test_on_gpu.py"]
    ends = ["--timeout", "90"] if importlib.util.find_spec("pytest_timeout") else ["-o", "faulthandler_timeout=90"]
    job.run("pytest", [*pytest, "-vv", "-rfEs", "--tb=short", "--durations=10", *ends, *_processes(6)], 8)


def ceilings(job: Job, options: Options) -> None:
    """What the device can do at most."""
    path = job.scratch / "ceilings.json"
    command = [sys.executable, HERE / "device" / "ceilings.py", "--out", path]
    job.run("ceilings", command, 1, lambda: {"ceilings": json.loads(path.read_text(encoding="utf-8"))})


def kernel_times(job: Job, options: Options) -> None:
    """A training step of FCN-8s kernel by kernel, both sides."""
    for precision, batch_size in (("tf32", 1), ("float32", 1), ("tf32", 4)):
        name, path = f"kernels, {precision}, batch {batch_size}", job.scratch / f"{precision}-{batch_size}.json"
        command = [sys.executable, HERE / "device" / "kernel_times.py", precision, batch_size, "--out", path]
        job.run(name, command, 1.5, lambda name=name, path=path: {name: json.loads(path.read_text(encoding="utf-8"))})


def host_times(job: Job, options: Options) -> None:
    """What the host does while it launches a training step."""
    path = job.scratch / "host.json"
    command = [sys.executable, HERE / "device" / "host_times.py", "tf32", 1, "--out", path]
    job.run("host", command, 1, lambda: {"host, tf32, batch 1": json.loads(path.read_text(encoding="utf-8"))})


def step(job: Job, options: Options) -> None:
    """A training step of FCN-8s against PyTorch's."""
    bench(job, "step", 4)


def inference(job: Job, options: Options) -> None:
    """FCN-8s's scores against PyTorch's."""
    bench(job, "inference", 3)


def layers(job: Job, options: Options) -> None:
    """Its layers one by one."""
    bench(job, "layers", 4)


def bench(job: Job, subject: str, minutes: float, batch_sizes: str = "1,4") -> None:
    """`minifcn bench` of one subject on FCN-8s's usual picture, in both precisions, with all JSON that it writes."""
    sizes = ["--size", "375x500", "--batch-size", "1" if subject == "layers" else batch_sizes]
    for precision in ("tf32", "float32"):
        name, folder = f"{subject}, {precision}", job.scratch / precision
        command = minifcn("bench", subject, "--device", "cuda", "--precision", precision, *sizes, "--out", folder)
        job.run(name, command, minutes, lambda name=name, folder=folder: {name: _jsons(folder)})


def tile_times(job: Job, options: Options) -> None:
    """Every tile for every layer: whether the model that chooses them is right."""
    for precision in ("tf32", "float32"):
        name, path = f"tiles, {precision}", job.scratch / f"tiles-{precision}.json"
        command = [sys.executable, HERE / "device" / "tile_times.py", precision, "--out", path]
        job.run(name, command, 4, lambda name=name, path=path: {name: json.loads(path.read_text(encoding="utf-8"))})


def train(job: Job, options: Options) -> None:
    """FCN-8s at full width, trained and evaluated as a user would; then a small one that moves between the devices."""
    folder = job.scratch / "run"
    where = ["--data", options.data, "--root", options.root or job.scratch / "shapes"]
    augment = {"shapes": "flip", "idd": "flip,scale:0.6-1.0,crop:160x224"}.get(options.data, "flip,scale:0.5-1.5,crop:320x320")
    # Few validations: after each follows a checkpoint of 1.6 GB.
    how = ["--recipe", "scratch", "--lr", "1e-4", "--batch-size", "8", "--augment", augment, "--iterations", "2000",
           "--validate-every", "500", "--log-every", "25"]  # fmt: skip
    device = ["--device", options.device, "--precision", "tf32"]
    command = minifcn("train", "--model", "fcn8s", *where, *how, *device, *options.extra, "--out", folder)
    job.run("train", command, 6, lambda: {"training": training(folder, options.data)}, spare=1.5)
    if (folder / "best.safetensors").exists():  # of a training that was stopped, too
        command = minifcn("evaluate", folder, *device)
        job.run("evaluate", command, 2, lambda: {"evaluation": _evaluation(folder)}, spare=0.5)
    move(job, options, job.scratch / "shapes")


def move(job: Job, options: Options, shapes: Path) -> None:
    """One epoch on the GPU, then the same run on the CPU, and back."""
    folder = job.scratch / "moved"
    begin = ["--data", "shapes", "--root", shapes, "--recipe", "scratch", "--width", "0.0625", "--schedule", "fixed",
             "--out", folder]  # fmt: skip
    for place, iterations in ((options.device, 75), ("cpu", 90), (options.device, 105)):
        start = ["--resume", folder] if folder.exists() else begin
        length = ["--iterations", iterations, "--validate-every", "15", "--log-every", "5", "--device", place]
        name = f"to iteration {iterations} on {place}"
        if not job.run(name, minifcn("train", *start, *length), 1, lambda: {"moved": _losses(folder)}):
            return


def sanitizers(job: Job, options: Options) -> None:
    """The small cases under each of compute-sanitizer's tools.

    initcheck has to see CuPy's own kernels, too: what they write, ours read.
    """
    program = shutil.which("compute-sanitizer")
    if program is None:
        job.run_record["trouble"] = ["compute-sanitizer is not installed"]
        return
    words = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=60).stdout
    for tool in SANITIZERS:
        command = [program, "--tool", tool, "--error-exitcode", "3"]
        command += [] if tool == "initcheck" else _without_cupys(words)
        job.run(tool, [*command, sys.executable, HERE / "run_on_gpu.py", "--cases"], 4)


def suite(job: Job, options: Options) -> None:
    """The rest of the tests, with this machine's versions of everything; where a package is missing, what can run does."""
    command = [sys.executable, "-m", "pytest", "tests", "--ignore", HERE / "device" / "test_on_gpu.py", "-rfE", "--tb=short",
               "--continue-on-collection-errors", "-o", "faulthandler_timeout=300"]  # fmt: skip
    job.run("pytest", [*command, *_processes(8)], 9)


def _processes(count: int) -> list[str]:
    """pytest's option to run in so many processes, where it can."""
    return ["-n", str(count)] if importlib.util.find_spec("xdist") else []


PARTS: dict[str, Callable[[Job, Options], None]] = {
    "ceilings": ceilings, "tests": gpu_tests, "kernels": kernel_times, "host": host_times, "step": step,
    "inference": inference, "layers": layers, "train": train, "tiles": tile_times, "sanitizers": sanitizers, "suite": suite,
}  # fmt: skip


def minifcn(*arguments: Any) -> list[str]:
    """The product's command line, run from this checkout."""
    return [sys.executable, "-m", "minifcn", *map(str, arguments)]


def _without_cupys(help_text: str) -> list[str]:
    """compute-sanitizer's option that leaves CuPy's own kernels out, by the name that it has in this version."""
    for name in ("--kernel-name-exclude", "--kernel-regex-exclude"):
        if name in help_text:
            return [name, "kernel_substring=cupy"]
    return []


def _jsons(folder: Path) -> dict[str, Any]:
    """Every JSON file of a folder by its name."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def training(folder: Path, data: str) -> dict[str, Any]:
    """What the log of a run folder says about its speed and its course."""
    rows = _log(folder)
    steps, validations = ([row for row in rows if row["event"] == event] for event in ("train", "validation"))
    return {
        "data": data,
        "iterations": steps[-1]["iteration"],
        "seconds": steps[-1]["seconds"],  # in steps alone: without validations and checkpoints
        "images_per_second": median(row["images_per_second"] for row in steps),
        "losses": [(row["iteration"], row["loss"]) for row in steps],
        "validations": [
            {key: row[key] for key in ("iteration", "mean_iu", "pixel_accuracy", "validation_seconds")} for row in validations
        ],
    }


def _evaluation(folder: Path) -> dict[str, Any]:
    content = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    return {key: value for key, value in content.items() if key != "confusion"}


def _losses(folder: Path) -> list[tuple[int, float]]:
    return [(row["iteration"], row["loss"]) for row in _log(folder) if row["event"] == "train"]


def _log(folder: Path) -> list[dict[str, Any]]:
    from minifcn.training import RunFolder

    return RunFolder(folder).read_log()


def small_cases() -> int:
    """Every small case on the GPU, once, each named before it runs."""
    import cupy

    from support import kernel_cases

    cupy.cuda.set_allocator(None)  # each array an allocation of its own, of its own size: a sanitizer sees what leaves it
    for name in kernel_cases.CONVOLUTIONS:
        seen = set()
        for products, tile in kernel_cases.CONFIGURATIONS:
            if name in EVERY_TILE or products not in seen:
                seen.add(products)
                print(f"{name}, {kernel_cases.tile_name(products, tile)}", flush=True)
                kernel_cases.check(kernel_cases.convolution(name, cupy, products, tile), slack=4)
    for name, case in kernel_cases.OTHERS.items():
        print(name, flush=True)
        kernel_cases.check(case(cupy), slack=4)
    print("every case is right")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where it was ignored, as in a job in the background
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that no command outlives this one
    raise SystemExit(main(sys.argv[1:]))
