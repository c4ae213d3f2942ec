"""Command lines made of every command's options and of small files, run in forks of a process that has imported everything.

    python tests/cli/fuzz.py 2000          so many new ones; what goes wrong is printed as a line for fuzz_corpus.jsonl

Each has a folder of its own with a few pictures, a data set, a finished run, some of them damaged, 20 seconds and 3 GB. What
may come of it is success, or one sentence and status 2, or a usage error: never a traceback, a hang, or a folder half made.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import resource
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from typer.main import get_command

import minifcn
from minifcn import cli, data

SECONDS, BYTES = 20, 3 * 2**30  # of a processor; three times as long by the clock, on a machine with other work
CORPUS = Path(__file__).with_name("fuzz_corpus.jsonl")


class Case(NamedTuple):
    """A command line, and changes to the files around it: {path: bytes as Latin-1, or None to remove it}."""

    arguments: list[str]
    files: dict[str, str | None]


Failures = list[tuple[Case, str]]  # with what is wrong


class Outcome(NamedTuple):
    status: int
    out: str
    err: str
    seconds: float


# ---------------------------------------------------------------------------------------------------------- what there is


def make_world(root: Path) -> Path:
    """Two data sets, pictures, a finished run, and files that are none of these."""
    import_everything()
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (root / "set" / name).mkdir(parents=True)
    for index in range(5):
        label = np.zeros((20, 24), np.uint8)
        label[5 + index :, 8:] = 1
        pixels = (label[..., None] * 90 + rng.integers(0, 60, (20, 24, 3))).astype(np.uint8)
        data.palette.Image.fromarray(pixels).save(root / "set" / "images" / f"p{index}.png")
        data.save_mask(root / "set" / "masks" / f"p{index}.png", label)
    (root / "set" / "classes.txt").write_text("background\ncat [/b]\n")
    (root / "set" / "train.txt").write_text("p0\np1\np2\n")
    (root / "set" / "val.txt").write_text("p3\np4\n")
    (root / "text.txt").write_text("no picture, no folder\n")
    (root / "empty").mkdir()
    (root / "mine.py").write_text(
        "def relu(x):\n    return x * (x > 0), x\n\ndef relu_backward(dy, x):\n    return dy * (x > 0)\n"
    )
    (root / "two.toml").write_text(
        "[settings]\noptions = { width = 0.03125, padding = 1 }\nsamples = 0\n[[run]]\nname = 'a'\n[[run]]\nname = '[/b]'\n"
    )
    data_shapes = "from minifcn import data; data.build('shapes', 'shapes', train=3, val=2, height=(20, 24), width=(20, 24))"
    assert in_a_fork(lambda: exec(data_shapes), root).status == 0
    begun = in_a_fork(lambda: cli.main([*TRAIN, "--iterations", "2", "--out", "run"]), root)
    assert begun.status == 0, begun
    return root


TRAIN = ["train", "--data", "folder", "--root", "set", "--width", "0.03125", "--padding", "1", "--samples", "1"]


def import_everything() -> None:
    """So that a fork has nothing left to import."""
    for module in pkgutil.walk_packages(minifcn.__path__, "minifcn."):
        if not module.name.endswith("__main__"):
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
    cli.mount()
    gc.freeze()


# ---------------------------------------------------------------------------------------------------------- what is tried

NUMBERS = [
    "0", "1", "2", "-1", "0.5", "nan", "inf", "-inf", "1e308", "1e-308", "99999999999999999999", "2147483648", "", " ", "abc",
    "1,2", "1e3", "²", "٣", "0x10", "1_0", "[/b]", "caf\udce9",
]  # fmt: skip
PATHS = [
    "set", "shapes", "run", "run/best.safetensors", "run/last.safetensors", "run/config.toml", "set/images",
    "set/images/p0.png",
    "set/masks/p0.png", "text.txt", "text.txt/below", "empty", "nowhere", "", ".", "/dev/null", "/dev/null/x", "a\nb", "[/b]",
    "caf\udce9", "x" * 300, "mine.py", "-",
]  # fmt: skip
SIZES = [
    "32x32",
    "1x1",
    "33x47",
    "100000x100000",
    "0x5",
    "5",
    "x",
    "²x3",
    "٣x٤",
    "-1x4",
    "64X64",
    "",
    "99999999999x99999999999",
]
AUGMENTATIONS = [
    "flip", "flip:2", "flip:nan", "scale:0.5-2", "scale:nan", "scale:0-1", "scale:1e308", "scale:1e-9", "scale:inf",
    "resize:16",
    "resize:100000x100000", "resize:0", "resize:99999999999999999999", "crop:16x16", "crop:16", "crop:1x1",
    "crop:100000x100000",
    "crop:-1", "center:24x16", "rotate:10", "rotate:nan", "rotate:181", "jitter:0.3", "jitter:nan", "jitter:inf",
    "jitter:1e308",
    "jitter:0/0/0/0.5", "jitter:1/2", "none", "", ",", "flip,crop:16x16,jitter:0.2", "mosaic", "[/b]", "crop:²",
]  # fmt: skip
SCHEDULES = [
    "fixed", "step:size=1,gamma=0.1", "step:size=1,gamma=1e308", "step:size=0", "step:size=nan", "poly", "poly:power=1e308",
    "poly:power=-1", "cosine:warmup=100", "cosine:final=1e308", "cosine:warmup=1e308", "fixed:warmup=1.5", "poly:power",
    "poly:=",
    "square", "", ":", "fixed:warmup=99999999999999999999",
]  # fmt: skip
WORDS = {
    "data": ["folder", "shapes", "voc", "voc2011", "idd", "coco", "", "[/b]"],
    "name": ["folder", "shapes", "voc", "idd", "coco", ""],
    "split": ["train", "val", "all", "test", "", "set/train.txt", "../x", "x\0y"[:1]],
    "train_split": ["train", "val", "all", "test", ""],
    "val_split": ["val", "train", "all", "test", ""],
    "splits": ["train,val", "train", "train, val", "train,", "", ",", "all", "test", "train,train"],
    "missing": ["error", "skip", "", "ignore"],
    "augment": AUGMENTATIONS,
    "preprocessing": ["plain", "caffe", "torchvision", "squeezenet", "vgg", ""],
    "model": ["fcn8s", "fcn32s", "fcn16s", "fcn8s-atonce", "unet", "segnet", "vgg16", "alexnet", "fcn4s", "", "[/b]"],
    "options": [
        "in_channels=1", "batch_norm=true", "seed=-1", "seed=1e3", "width=1e9", "width=-1", "width=nan", "dropout=nan",
        "padding=-5",
        "padding=99999999999", "x", "=", "in_channels=0", "learn_upsampling=true", "learn_upsampling=maybe", "",
    ],
    "freeze": ["conv*", "*", "score*", "nothing", "[", "", "*.bias"],
    "lr_factors": ["score*=10", "score*=nan", "score*=-1", "*=0", "=", "x", "nothing=2", "*=1e308"],
    "device": ["cpu", "cuda", "tpu", ""],
    "precision": ["tf32", "float32", "float16", ""],
    "optimizer": ["sgd", "adam", "adamw", "lbfgs", ""],
    "recipe": ["scratch", "heavy", "paper", "modern", "magic", ""],
    "schedule": SCHEDULES,
    "loss_norm": ["mean", "sum", "batch", "", "max"],
    "class_weights": ["none", "frequency", "median", "1,2", "0,0", "1", "nan,1", "1e308,1e308", "-1,1", "", "a,b",
    "1,2,3,4,5"],
    "size": SIZES,
    "style": ["seed-000", "keras", ""],
    "target": ["relu", "conv2d", "ReLU", "softmin", "mine.py:relu", "mine.py:x", "mine.py", "text.txt:f", ":",
        "nowhere.py:f", ""],
    "cases": ["1", "0", "-1", "abc"],
    "iterations": ["1", "2", "3", "0", "-1", "1.5", "abc", ""],
    "epochs": ["0.1", "1", "0", "-1", "nan", "inf", "1e400", "abc", ""],
    "accumulate": ["1", "2", "0", "-1", "99999999999999999999", "abc"],
    "number": ["99", "0", "-1", "abc", ""],
    "numbers": ["99", "0", "-1", "abc", ""],
    "subject": ["layers", "step", "inference", "profile", "ladder", "nothing", ""],
    "width": ["0.03125", "0.02", "1e-308", "0", "-1", "nan", "inf", "1e308", "99999999999999999999", "abc", ""],
    "budget": ["0.01", "0", "-1", "nan", "inf", "abc", ""],  # minutes
    "scales": ["1", "0.5", "0.5,2", "0", "nan", "1e9", "1,1", ",", "abc", ""],
    "pairs": ["0", "-1", "abc"],  # each refused: a benchmark takes its time
    "seed": ["0", "1", "-1", "99999999999999999999", "nan", "abc"],
}  # fmt: skip
PATH_NAMES = ("runs", "root", "out", "resume", "init_from", "weights", "pictures", "file", "folder")
LEFT_OUT = (
    "data download",
    "weights download",
    "lesson capstone",
    "demo",
    "doctor",
    "lesson run",
    "lesson open",
    "lesson render",
    "lesson list",
    "experiment list",
    "models",
    "version",
)
TARGETS = [
    "set/classes.txt", "set/train.txt", "set/val.txt", "set/images/p0.png", "set/masks/p0.png", "set/masks/p3.png",
    "run/config.toml", "run/last.safetensors", "run/best.safetensors", "run/log.jsonl", "run/log.csv", "shapes/shapes.json",
    "shapes/ImageSets/Segmentation/train.txt", "mine.py",
]  # fmt: skip
CONTENTS = [
    None, "", "\n", "\0", "\xef\xbb\xbfp0\r\np1\r\n", "\xff\xfep\x000\x00", "# p0\n", "p0 p0\np1",
        "images/p0.png masks/p0.png\n",
    "background\n", "background\nbackground\n", "void\n", "a 300 0 0\nb\n", "$\\frac$\n[/b]\n", "{}", "[]", "null",
    '{"train": 1}',
    "[data]\n", "[network]\nmodel = 3\n", "[data]\nroot = 5\n[network]\nmodel = 'fcn8s'\n[training]\niterations = 'x'\n",
    "[network]\noptions = 3\n", "[run]\nwidth = [1]\n", '{"iteration": 1}\n', '{"iteration": "x"}\n[]\n3\n', "1\n" * 300,
]  # fmt: skip


def commands() -> dict[str, Any]:
    """{"data check": its Click command}."""
    cli.mount()
    flat = {}
    for name, command in get_command(cli.app).commands.items():
        below = getattr(command, "commands", None)
        flat |= {name: command} if below is None else {f"{name} {sub}": part for sub, part in below.items()}
    return {name: command for name, command in flat.items() if name not in LEFT_OUT}


def values_of(parameter: Any) -> st.SearchStrategy[str]:
    """What an option, or an argument, is given: mostly what its kind is like."""
    pool = WORDS.get(parameter.name) or (PATHS if parameter.name in PATH_NAMES else NUMBERS)
    if parameter.name == "option":
        pool = WORDS["options"]
    return (
        st.sampled_from(pool) | st.sampled_from(pool) | st.sampled_from(pool + NUMBERS if pool is not WORDS["pairs"] else pool)
    )


LIKELY = {
    "train": [[*TRAIN[1:], "--iterations", "1"], ["--resume", "run"], [*TRAIN[1:], "--recipe", "scratch", "--iterations", "1"]],
    "evaluate": [["run"], ["run", "--root", "set"], ["run/last.safetensors"]],
    "predict": [["run", "set/images"], ["run", "set/images/p0.png", "--out", "predicted"], ["run", "run"]],
    "compare": [["run", "--out", "compared"], ["run", "set", "--out", "run"]],
    "experiment run": [["two.toml", "--data", "folder", "--root", "set", "--out", "new", "--budget", "0.01"]],
    "experiment show": [["two.toml"], ["seed-003"]],
    "data check": [["folder", "--root", "set"], ["shapes", "--root", "shapes"]],
    "data stats": [["folder", "--root", "set"], ["shapes", "--root", "shapes"]],
    "summary": [["fcn8s", "--width", "0.03125", "--padding", "1"], ["unet", "--width", "0.015625"]],
    "coordinates": [["fcn8s"], ["unet"]],
    "gradcheck": [["relu", "--cases", "1"], ["mine.py:relu", "--cases", "1"]],
    "bench": [["inference", "--pairs", "0"]],
    "explore": [["run", "set/images/p0.png"], ["run"], ["run/best.safetensors", "set/images/p1.png"]],
    "export": [["run", "--out", "net.onnx"], ["run/best.safetensors", "--out", "net.onnx", "--size", "32x40"]],
    "weights show": [["run/best.safetensors"], ["run"]],
    "weights import": [["run/best.safetensors", "--model", "fcn8s", "--out", "imported.safetensors"]],
    "lesson check": [["2", "mine.py"]],
    "lesson quiz": [["2"]],
    "lesson progress": [["mine.py"]],
    "lesson grade": [["2", "."], ["2", ".", "--out", "grades.csv"]],
}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    name = draw(st.sampled_from(sorted([*commands(), "train", "train", "train", "predict", "evaluate"])))
    command = commands()[name]
    arguments = [*name.split(), *draw(st.sampled_from(LIKELY.get(name, [[]])))]
    for parameter in draw(st.lists(st.sampled_from(command.params), max_size=3)):
        if not parameter.opts or parameter.name == "help":
            continue
        flag = (
            []
            if parameter.param_type_name == "argument"
            else [draw(st.sampled_from(parameter.opts + parameter.secondary_opts))]
        )
        is_flag = getattr(parameter, "is_flag", False)
        arguments += flag + ([] if is_flag else [draw(values_of(parameter))])
    if name == "explore":
        arguments += ["--export", "explored.html"]  # without, it serves its page until somebody ends it
    files = {}
    for path in draw(st.lists(st.sampled_from(TARGETS), max_size=2) if draw(st.booleans()) else st.just([])):
        files[path] = draw(st.sampled_from(CONTENTS) | st.binary(max_size=40).map(lambda content: content.decode("latin-1")))
        if draw(st.booleans()):
            files[path] = f"cut:{draw(st.integers(0, 400))}:{draw(st.integers(0, 255))}"
    return Case(arguments, files)


# ------------------------------------------------------------------------------------------------------- what comes of it


def in_a_fork(work: Any, folder: Path, kill_after: float = 3 * SECONDS) -> Outcome:
    """Runs ``work()`` in a fork in a folder, with limits; a status of -9 is a hang, or a killing for memory."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            status = 70
            try:
                os.chdir(folder)
                for number, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, out.fileno()), (2, err.fileno())):
                    os.dup2(file, number)
                sys.stdout = sys.__stdout__ = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), errors="strict")
                sys.stderr = sys.__stderr__ = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), line_buffering=True)
                used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (used + BYTES,) * 2)
                resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
                signal.signal(signal.SIGINT, signal.default_int_handler)
                work()
                status = 0
            except SystemExit as leaving:
                status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                with contextlib.suppress(Exception):
                    sys.stdout.flush()
                    sys.stderr.flush()
                os._exit(status)
        while True:
            done, code = os.waitpid(pid, os.WNOHANG)
            if done:
                break
            if time.monotonic() - began > kill_after:
                os.kill(pid, signal.SIGKILL)
                code = os.waitpid(pid, 0)[1]
                break
            time.sleep(0.002)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
        return Outcome(os.waitstatus_to_exitcode(code), *texts, time.monotonic() - began)


def change(world: Path, files: dict[str, str | None]) -> None:
    """Damages files of a world."""
    for name, content in files.items():
        path = world / name
        if content is None:
            path.unlink()
        elif content.startswith("cut:"):
            _, length, byte = content.split(":")
            whole = bytearray(path.read_bytes())
            place = int(length) % max(1, len(whole))
            path.write_bytes(bytes(whole[:place]) + (bytes([int(byte)]) + bytes(whole[place + 1 :]) if int(byte) % 2 else b""))
        else:
            path.write_bytes(content.encode("latin-1"))


def run_case(world: Path, case: Case) -> tuple[Outcome, str]:
    """The outcome, and what is wrong with it ("" for nothing)."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(world, Path(folder) / "world"))
        config = (copy / "run" / "config.toml").read_text().replace(str(world), str(copy))
        (copy / "run" / "config.toml").write_text(config)
        change(copy, case.files)
        before = set(copy.rglob("*"))
        outcome = in_a_fork(lambda: cli.main(list(case.arguments)), copy)
        return outcome, judge(case, outcome, set(copy.rglob("*")) - before)


REPORTS = ("data", "gradcheck", "lesson")  # their findings are on stdout, and their status 2 (a lesson's 1) needs no sentence


def judge(case: Case, outcome: Outcome, made: set[Path]) -> str:
    lines = [line for line in outcome.err.splitlines() if "could not be drawn" not in line and "no installed font" not in line]
    if outcome.status < 0:
        return f"killed by signal {-outcome.status} after {outcome.seconds:.0f} s"
    if "Traceback" in outcome.err:
        return next(reversed(outcome.err.splitlines()))
    if outcome.status not in (0, 2) and not (case.arguments[0] == "lesson" and outcome.status == 1):
        return f"status {outcome.status}: {outcome.err[:200]}"
    is_usage = "Usage: minifcn" in outcome.err
    is_sentence = len(lines) == 1 and lines[0].startswith("minifcn: ")
    if outcome.status == 2 and not (is_usage or is_sentence or (case.arguments[0] in REPORTS and not lines)):
        return f"no one sentence: {outcome.err[:300]!r}"
    if outcome.status == 0 and lines:
        return f"success with words on stderr: {outcome.err[:300]!r}"
    left = sorted(path.name for path in made if path.name.endswith(".partial") or path.name.startswith(".drawing"))
    if left:
        return f"left behind: {left}"
    for config in (path for path in made if path.name == "config.toml"):
        if not (config.parent / "last.safetensors").exists():
            return "a run folder half made"
    return ""


def replay(world: Path) -> Failures:
    """What is wrong with the cases of the corpus."""
    corpus = [Case(*json.loads(line)) for line in CORPUS.read_text().splitlines()] if CORPUS.exists() else []
    return [(case, wrong) for case in corpus if (wrong := run_case(world, case)[1])]


def fuzz(
    world: Path, count: int, number: int = 0, seconds: float = float("inf")
) -> tuple[dict[str, int], list[tuple[Case, str]]]:
    """How often what came, and all that went wrong, over ``count`` command lines or as many as there is time for."""
    kinds: dict[str, int] = {"success": 0, "refused": 0, "usage": 0}
    failures: Failures = []
    end, tried = time.monotonic() + seconds, set()

    def attempt(case: Case) -> None:
        if (key := json.dumps(case)) in tried or len(tried) >= count or time.monotonic() > end:
            return
        tried.add(key)
        outcome, wrong = run_case(world, case)
        if wrong:
            failures.append((case, wrong))
        kinds["success" if outcome.status == 0 else "usage" if "Usage:" in outcome.err else "refused"] += 1

    options = {"deadline": None, "database": None, "derandomize": False, "suppress_health_check": list(HealthCheck)}
    while len(tried) < count and time.monotonic() < end:  # in handfuls, since Hypothesis soon varies what it had
        seed(number)(settings(max_examples=10, phases=[Phase.generate], **options)(given(cases())(attempt)))()
        number += 1_000_003
    return kinds, failures


def main() -> int:
    count, number = int(sys.argv[1]) if len(sys.argv) > 1 else 2000, int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder) / "world")
        began = time.monotonic()
        old = replay(world)
        kinds, new = fuzz(world, count, number)
        for case, wrong in [*old, *new]:
            print(f"{wrong}\n    {json.dumps(case)}")
        total = sum(kinds.values())
        print(f"{total} command lines in {time.monotonic() - began:.0f} s: {kinds}; wrong: {len(old) + len(new)}")
    return 1 if old or new else 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    sys.exit(main())
