"""What commands go through in people's hands, in figures: killed at any moment, on a full disk, with damaged pictures and runs.

python tests/cli/hardship.py            200 kills, 50 full disks, 100 pictures and masks, 40 run folders: about ten minutes
python tests/cli/hardship.py 20 5 100 40
"""

from __future__ import annotations

import builtins
import errno
import io
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1])]

from cli.fuzz import Case, Outcome, in_a_fork, judge, make_world
from minifcn import cli
from support.digits import digits

TRAIN = [
    "train", "--data", "folder", "--root", "set", "--width", "0.03125", "--padding", "1", "--samples", "1",
    "--optimizer", "adam",
    "--iterations", "6", "--log-every", "1", "--checkpoint-every", "2", "--validate-every", "3", "--out", "new",
]  # fmt: skip
RESUME = ["train", "--resume", "new"]
PREDICT = ["predict", "run", "set/images", "--out", "predicted"]


def command(arguments: list[str], world: Path, **options: Any) -> Outcome:
    return in_a_fork(lambda: cli.main(list(arguments)), world, **options)


class Reference:
    """What the commands leave where nothing disturbs them."""

    def __init__(self, world: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            copy = fresh(world, folder)
            trained, predicted = command(TRAIN, copy), command(PREDICT, copy)
            assert (trained.status, predicted.status) == (0, 0), (trained, predicted)
            self.run, self.masks = digits(copy / "new"), masks(copy / "predicted")
            self.seconds = {"train": trained.seconds, "predict": predicted.seconds}
            self.bytes = sum(path.stat().st_size for path in (copy / "new").rglob("*") if path.is_file())


def fresh(world: Path, folder: str) -> Path:
    return Path(shutil.copytree(world, Path(folder) / "world"))


def masks(folder: Path) -> dict[str, bytes]:
    return {path.name: np.asarray(Image.open(path)).tobytes() for path in (folder / "masks").glob("*.png")}


def finish(copy: Path, reference: Reference) -> str:
    """Goes on with a disturbed run to its end; what is wrong with it ("" for nothing)."""
    run, rows = copy / "new", []
    if (run / "last.safetensors").exists():
        with safe_open(run / "last.safetensors", "np") as file:
            saved = json.loads(file.metadata()["minifcn"])["iteration"]
        rows = (run / "log.jsonl").read_text().splitlines()[:-1] if (run / "log.jsonl").exists() else []
        logged = max((json.loads(row)["iteration"] for row in rows), default=0)
        if saved < (logged - 1) // 2 * 2:  # every second step is saved before the next is made
            return f"only iteration {saved} was kept of {logged}"
        ended = command(RESUME, copy)
    else:
        ended = command(TRAIN, copy)
    if ended.status != 0:
        return f"does not go on: {ended.err}"
    return "" if digits(run) == reference.run else "goes on with other digits"


def killed(world: Path, reference: Reference, rng: random.Random) -> str:
    """Kills training or prediction at a random moment, and runs it again."""
    name = rng.choice(["train", "train", "train", "predict"])
    with tempfile.TemporaryDirectory() as folder:
        copy = fresh(world, folder)
        command(TRAIN if name == "train" else PREDICT, copy, kill_after=rng.uniform(0, reference.seconds[name]))
        if name == "train":
            return finish(copy, reference)
        half = {key for key, mask in masks(copy / "predicted").items() if reference.masks[key] != mask}
        again = command(PREDICT, copy)
        return f"{half or again.err}" if half or again.status or masks(copy / "predicted") != reference.masks else ""


def on_a_full_disk(world: Path, reference: Reference, rng: random.Random) -> str:
    """Trains where the disk is full after a random number of bytes; there is room again afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        copy, room = fresh(world, folder), rng.randrange(3 * reference.bytes)

        def train() -> None:
            fill_after(room, copy)
            cli.main(list(TRAIN))

        outcome = in_a_fork(train, copy)
        wrong = judge(Case(TRAIN, {}), outcome, set())
        if wrong or (outcome.status == 2 and "No space left" not in outcome.err):
            return wrong or outcome.err
        return finish(copy, reference)


def fill_after(room: int, folder: Path) -> None:
    """From now on, what this process writes below a folder fails once it is more than so many bytes."""
    left, real = [room], builtins.open

    class Limited(io.FileIO):
        def write(self, content: Any) -> int:
            left[0] -= len(content)
            if left[0] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(content)

    def limited(file: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
        inside = isinstance(file, str | Path) and Path(os.path.abspath(file)).is_relative_to(folder)
        if not inside or not set("wax+") & set(mode):
            return real(file, mode, *rest, **options)
        raw = Limited(file, mode.replace("b", "").replace("t", ""))
        buffered: Any = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, options.get("encoding"), newline=options.get("newline"))

    builtins.open = io.open = limited


# -------------------------------------------------------------------------------------------------- damaged pictures, runs


def damage(content: bytes, rng: random.Random) -> bytes:
    """A file cut short, with other bytes, with nothing in it, or with something else."""
    kind, changed = rng.randrange(5), bytearray(content)
    if kind == 0:
        return content[: rng.randrange(len(content))]
    if kind == 1:
        start = rng.randrange(len(content))
        changed[start : start + 40] = bytes(len(changed[start : start + 40]))
    elif kind == 2:
        for _ in range(rng.randrange(1, 30)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    elif kind == 3:
        for _ in range(rng.randrange(1, 4)):
            changed[rng.randrange(min(64, len(changed)))] = rng.randrange(256)
    else:
        return rng.choice(
            [b"", b"\0" * 99, b"GIF89a", b"\x89PNG\r\n\x1a\n", b"BM", b"<html>", bytes(rng.randrange(256) for _ in range(300))]
        )
    return bytes(changed)


def damaged_pictures(world: Path, count: int, rng: random.Random) -> list[str]:
    """What is wrong with what predict and `data check` make of so many damaged pictures, and masks."""
    with tempfile.TemporaryDirectory() as folder:
        copy = fresh(world, folder)
        for path in [*(copy / "set" / "images").iterdir(), *(copy / "set" / "masks").iterdir()]:
            path.unlink()
        (copy / "set" / "train.txt").unlink()
        (copy / "set" / "val.txt").unlink()
        values = np.random.default_rng(0)
        for index in range(count):
            suffix = rng.choice(["png", "jpg", "gif", "bmp", "tif", "webp"])
            picture, mask = io.BytesIO(), io.BytesIO()
            pixels = values.integers(0, 256, (20, 24, 3), np.uint8)
            Image.fromarray(pixels).save(picture, format={"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix))
            Image.fromarray(values.integers(0, 2, (20, 24), np.uint8)).save(mask, format="png")
            one, other = (damage(picture.getvalue(), rng), mask.getvalue())
            if index % 2:
                one, other = picture.getvalue(), damage(mask.getvalue(), rng)
            (copy / "set" / "images" / f"d{index:03}.{suffix}").write_bytes(one)
            (copy / "set" / "masks" / f"d{index:03}.png").write_bytes(other)
        problems = []
        for arguments in (PREDICT, ["data", "check", "folder", "--root", "set", "--splits", "all"]):
            outcome = command(arguments, copy)
            if wrong := judge(Case(arguments, {}), outcome, set()):
                problems.append(f"{arguments[0]}: {wrong}")
            lines = outcome.out.splitlines()
            if arguments is PREDICT:
                problems += [
                    f"d{index:03} is lost" for index in range(count) if sum(f"d{index:03}" in line for line in lines) != 1
                ]
                written = int(next(line for line in lines if line.startswith("written: ")).split()[1])
                if written != len(masks(copy / "predicted")):
                    problems.append(f"{written} masks are said to be written, not {len(masks(copy / 'predicted'))}")
    return problems


def hostile_runs() -> list[tuple[str, Callable[[Path], Any]]]:
    """Changes to a run folder, each with its name."""

    def metadata(**entries: Any) -> Callable[[Path], None]:
        def change(run: Path) -> None:
            for name in ("last", "best"):
                with safe_open(run / f"{name}.safetensors", "np") as file:
                    about = json.loads(file.metadata()["minifcn"])
                about = {key: value for key, value in {**about, **entries}.items() if value != "left out"}
                save_file(load_file(run / f"{name}.safetensors"), run / f"{name}.safetensors", {"minifcn": json.dumps(about)})

        return change

    def text(name: str, content: str) -> Callable[[Path], Any]:
        return lambda run: (run / name).write_text(content)

    def replaced(old: str, new: str) -> Callable[[Path], Any]:
        return lambda run: (run / "config.toml").write_text((run / "config.toml").read_text().replace(old, new))

    def cut(share: float) -> Callable[[Path], None]:
        def change(run: Path) -> None:
            for name in ("last.safetensors", "best.safetensors"):
                whole = (run / name).read_bytes()
                (run / name).write_bytes(whole[: int(share * len(whole))])

        return change

    def weights(change_of: Callable[[dict[str, np.ndarray]], Any]) -> Callable[[Path], None]:
        def change(run: Path) -> None:
            for name in ("last.safetensors", "best.safetensors"):
                with safe_open(run / name, "np") as file:
                    about = file.metadata()
                arrays = load_file(run / name)
                change_of(arrays)
                save_file(arrays, run / name, about)

        return change

    key = "model.conv1_1.bias"
    model = {"name": "fcn8s", "num_classes": 2, "width": 0.03125, "padding": 1}
    return [
        *((f"checkpoint cut at {share}", cut(share)) for share in (0, 0.0001, 0.01, 0.3, 0.999)),
        *((f"{what} is {value!r}"[:60], metadata(**{what: value})) for what, value in [
            ("model", "left out"), ("model", None), ("model", 3), ("model", {}), ("model", {**model, "name": "other"}),
            ("model", {**model, "num_classes": 10**9}), ("model", {**model, "width": 1e9}), ("model", {**model, "color": 1}),
            ("model", {**model, "num_classes": -1}), ("classes", "left out"), ("classes", 5), ("classes", ["a"]),
            ("palette", "left out"), ("palette", [[1, 2]]), ("palette", "red"), ("preprocessing", "left out"),
            ("preprocessing", {"name": "plain"}), ("preprocessing", 7), ("format", 99), ("iteration", "x"), ("iteration", -5),
            ("best", "x"), ("losses", 3), ("iteration", "left out"), ("optimizer_scalars", 4),
        ]),
        ("weights that are NaN", weights(lambda arrays: arrays[key].fill(np.nan))),
        ("a missing array", weights(lambda arrays: arrays.pop(key))),
        ("an array of another shape", weights(lambda arrays: arrays.update({key: np.zeros(77, np.float32)}))),
        ("arrays of another dtype", weights(lambda arrays: arrays.update({key: np.zeros(arrays[key].shape, np.int8)}))),
        ("no config", lambda run: (run / "config.toml").unlink()),
        ("an empty config", text("config.toml", "")),
        ("a config of bytes", lambda run: (run / "config.toml").write_bytes(bytes(range(256)))),
        ("a config of another version", replaced("[data]", "[data]\nsound = 3")),
        ("a config with a text for a number", replaced("batch_size = 1", 'batch_size = "many"')),
        ("a config with a list for a text", replaced('data = "folder"', "data = [1, 2]")),
        ("a config with a table for a number", replaced("iterations = 2", "iterations = {a = 1}")),
        ("options that are a number", replaced("[network.options]", "[network.other]")),
        ("a log of nonsense", text("log.jsonl", "{}\n[]\n3\nnull\n")),
        ("a log that is a folder", lambda run: ((run / "log.jsonl").unlink(), (run / "log.jsonl").mkdir())),
        ("no last checkpoint", lambda run: (run / "last.safetensors").unlink()),
        ("no best checkpoint", lambda run: (run / "best.safetensors").unlink()),
    ]  # fmt: skip


def hostile(world: Path, changes: list[tuple[str, Callable[[Path], Any]]]) -> Iterator[str]:
    """What is wrong with what evaluate, predict and a resumed training make of changed run folders."""
    for name, change_run in changes:
        with tempfile.TemporaryDirectory() as folder:
            copy = fresh(world, folder)
            change_run(copy / "run")
            for arguments in (["evaluate", "run"], PREDICT, ["train", "--resume", "run", "--iterations", "3"]):
                if wrong := judge(Case(arguments, {}), command(arguments, copy), set()):
                    yield f"{name}, {arguments[0]}: {wrong}"


def main() -> int:
    kills, disks, pictures, runs = map(int, sys.argv[1:5]) if len(sys.argv) > 4 else (200, 50, 100, 40)
    rng, problems = random.Random(0), []
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder) / "world")
        reference, changes = Reference(world), hostile_runs()
        for title, count, work in (
            ("moments at which train, validate, checkpoint or predict was killed", kills,
             lambda: [killed(world, reference, rng) for _ in range(kills)]),
            ("moments at which the disk was full", disks,
             lambda: [on_a_full_disk(world, reference, rng) for _ in range(disks)]),
            ("damaged pictures and masks", pictures, lambda: damaged_pictures(world, pictures, rng)),
            ("damaged run folders and checkpoints, each by three commands", min(runs, len(changes)),
             lambda: hostile(world, changes[:runs])),
        ):  # fmt: skip
            began = time.monotonic()
            wrong = [sentence for sentence in work() if sentence]
            problems += wrong
            print(f"{count} {title}: {len(wrong)} wrong ({time.monotonic() - began:.0f} s)", *wrong, sep="\n    ", flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
