"""``minifcn demo``: the whole job in one command and two minutes."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated

import typer

from minifcn.cli.plan import make_plan


def demo(
    out: Annotated[Path, typer.Option(help="Where the pictures and the run go.")] = Path("runs/demo"),
    seed: Annotated[int, typer.Option(help="Of the first weights, the order of pictures, the augmentation.")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    every: Annotated[bool, typer.Option("--all", help="Train every network that segments, a minute or so each.")] = False,
    model: Annotated[list[str] | None, typer.Option(help="Only this one, as with --all; several times.")] = None,
) -> None:
    """Draw a small data set in VOC's format, train an FCN-8s on it, evaluate it, and say where to look.

    With --all every network of the catalogue that segments is trained, narrow, and one table compares them.

    Example: minifcn demo

    Example: minifcn demo --all --out runs/networks
    """
    from minifcn.cli.train import run

    if every or model:
        _train_networks(out, seed, device, model)
        return
    _make_way(out)
    plan = make_plan(
        "scratch", data="shapes", root=str(out / "shapes"), model="fcn8s", width=0.125, epochs=6.0, batch_size=4, lr=1e-3,
        learn_upsampling=True, samples=4, seed=seed, device=device,
    )  # fmt: skip
    result = run(plan, out / "run")
    print(result.message)
    if result.interrupted:
        raise typer.Exit(130)
    print(
        f"\nlook at   {out}/run/samples      picture, truth and prediction, validation after validation\n"
        f"          {out}/run/curves.png   loss and measures\n"
        f"then      minifcn predict {out}/run {out}/shapes/JPEGImages/*.jpg --out {out}/predicted\n"
        f"          minifcn evaluate {out}/run --data shapes --root {out}/shapes"
    )


def _train_networks(out: Path, seed: int, device: str, wanted: list[str] | None) -> None:
    """Trains the networks that are wanted, or all, and prints the table."""
    from minifcn import models
    from minifcn.cli.demos import train_networks
    from minifcn.cli.screen import table

    for name in wanted or ():
        models.check_segments(name)
    if out.exists() and (not out.is_dir() or any(path.name != "shapes" for path in out.iterdir())):
        raise ValueError(f"{out} is there already; give another folder with --out, or remove it")
    names = wanted or [name for name in models.names() if models.entry(name).segments]
    trained = list(train_networks(names, out, seed, device))
    columns = ("network", "width", "weights", "steps", "seconds", "mean IU", "above all background")
    table(
        f"{len(trained)} networks on the shapes, written to {out}/networks.json",
        columns,
        [
            (one.network, f"{one.width:g}", f"{one.parameters:,}", one.iterations, f"{one.seconds:.0f}",
             f"{one.mean_iu:.3f}", f"{one.above_floor:.3f}")
            for one in trained
        ],
    )  # fmt: skip
    if len(trained) < len(names):
        raise typer.Exit(130)


def _make_way(out: Path) -> None:
    """Keeps an earlier demo's run under another name. Raises ValueError where something else lies in ``out``, or where a
    process is training there."""
    from minifcn.training import RunFolder

    before = RunFolder(out / "run")
    if before.config.exists() and (out / "shapes" / "shapes.json").exists():
        before.lock()
        kept = next(path for n in itertools.count(1) if not (path := out / f"run-{n}").exists())
        before.path.rename(kept)
        before.unlock()
        print(f"the run of an earlier demo is kept in {kept}")
    elif out.exists() and (not out.is_dir() or any(path.name != "shapes" for path in out.iterdir())):
        raise ValueError(f"{out} is there already and is no earlier demo; give another folder with --out")
