"""``minifcn weights show | import | download``: files of weights, whoever wrote them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from minifcn.cli.options import Options, Padding, Width, network_options

app = typer.Typer(no_args_is_help=True, help="Look at files of weights, take in other people's, fetch well-known ones.")

_TOLD = ("model", "classes", "preprocessing", "iteration", "source")  # of what our own files say of themselves

_File = Annotated[Path, typer.Argument(help=".safetensors, .npz, .pth, .pt, .caffemodel, or a run folder.")]


@app.command("import")
def import_(
    file: _File,
    model: Annotated[str, typer.Option(help="The network that they are for: see minifcn models.")],
    out: Annotated[Path, typer.Option(help="The .safetensors file to write.")],
    num_classes: Annotated[int | None, typer.Option(help="Left out: as many as the file's score layer has.")] = None,
    classes: Annotated[str | None, typer.Option(help="Their names, with commas. Left out: VOC's, where there are 21.")] = None,
    preprocessing: Annotated[str | None, typer.Option(help="As for train. Left out: by the names in the file.")] = None,
    width: Width = None,
    padding: Padding = None,
    option: Options = None,
) -> None:
    """Make other people's weights a checkpoint that evaluate, predict, export and train --init-from take.

    Layers are found by our names, torchvision's, Caffe's and pytorch-fcn's; fully connected ones become convolutions.

    What went where is printed. A layer without weights is an error, but for those that start anew (scores, upsampling).

    Example: minifcn weights import vgg16-397923af.pth --model fcn8s --out vgg16.safetensors
    """
    from minifcn.cli.screen import say, table
    from minifcn.training import import_weights
    from minifcn.words import name_some

    names = None if classes is None else [name.strip() for name in classes.split(",")]
    done = import_weights(
        file, model, out, options=network_options(model, option, width=width, padding=padding), num_classes=num_classes,
        classes=names, preprocessing=preprocessing,
    )  # fmt: skip
    state, theirs = done.net.state_dict(), done.report.theirs
    rows = []
    for (layer, outcome), keys in done.report.groups().items():
        numbers = f"{sum(state[key].size for key in keys):,}" if keys[0] in state and outcome != "skipped" else ""
        source = "" if outcome == "unfilled" else _layer_of([theirs.get(key, key) for key in keys])
        rows.append((layer, outcome, len(keys), numbers, source))
    table("", ("layer", "what", "arrays", "numbers", "in the file"), rows)
    if anew := [layer for layer, outcome in done.report.groups() if outcome == "unfilled"]:
        say(f"these start anew, as they may: {', '.join(anew)}")
    about = done.metadata
    say(f"{len(about['classes'])} classes: {name_some(about['classes'], 5)}")
    say(f"preprocessing: {about['preprocessing']['name']}, {about['preprocessing']['channels']}")
    say(f"written: {out}")


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="vgg16, vgg19, resnet50, resnet101, squeezenet1_1, ...")],
    url: Annotated[str | None, typer.Option(help="Another address of the same file.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where to keep it. Left out: the cache.")] = None,
) -> None:
    """Fetch torchvision's weights, once: goes on where an earlier try stopped, and checks the file.

    Example: minifcn weights download vgg16
    """
    from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

    from minifcn.cli.screen import console, say
    from minifcn.weights.download import download as fetch

    with Progress(*Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn(), console=console) as bars:
        task = bars.add_task(name, total=None, visible=False)
        report = lambda done, total: bars.update(task, completed=done, total=total, visible=True)  # noqa: E731
        path = fetch(name, url, folder, report)
    say(f"{name} is in {path}")
    say(f"to use it: minifcn weights import {path} --model {name} --out {name}.safetensors")


def _layer_of(keys: list[str]) -> str:
    """The layer, or what is common to the names of the layers, that keys belong to."""
    parts = [key.split(".")[:-1] for key in keys]
    common = next((place for place, names in enumerate(zip(*parts, strict=False)) if len({*names}) > 1), min(map(len, parts)))
    return ".".join(parts[0][:common]) or keys[0]


@app.command()
def show(file: _File) -> None:
    """List a file's arrays, their shapes, types, smallest and largest numbers. Nothing in the file is executed.

    Example: minifcn weights show vgg16-397923af.pth
    """
    import numpy as np

    from minifcn import weights
    from minifcn.cli.screen import say, table
    from minifcn.training import read_metadata

    arrays = weights.read(file)
    rows = []
    for key, array in arrays.items():
        with np.errstate(invalid="ignore"):
            ends = (f"{array.min():.6g}", f"{array.max():.6g}") if array.size else ("-", "-")
        rows.append((key, "x".join(map(str, array.shape)) or "-", array.dtype, *ends))
    table("", ("array", "shape", "type", "smallest", "largest"), rows)
    count, size = sum(array.size for array in arrays.values()), sum(array.nbytes for array in arrays.values())
    say(f"{len(arrays)} arrays, {count:,} numbers, {size / 1e6:,.1f} MB")
    of_ours = {name: value for name, value in read_metadata(file).items() if name in _TOLD}
    for name, value in (of_ours or weights.metadata(file)).items():
        say(f"{name}: {value}")
