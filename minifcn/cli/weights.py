"""``minifcn weights show | import | download``: files of weights, whoever wrote them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Look at files of weights, take in other people's, fetch well-known ones.")

_TOLD = ("model", "classes", "preprocessing", "iteration", "source")  # of what our own files say of themselves

_File = Annotated[Path, typer.Argument(help=".safetensors, .npz, .pth, .pt, .caffemodel, or a run folder.")]


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
