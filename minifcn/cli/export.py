"""``minifcn export``: a trained network as an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    weights: Annotated[Path, typer.Argument(help="A run folder (its best checkpoint) or a checkpoint.")],
    out: Annotated[Path, typer.Option(help="The file, NAME.onnx.")] = Path("net.onnx"),
    size: Annotated[str | None, typer.Option(help="Height x width of the pictures; left out: any.")] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Take uint8 RGB pictures and give labels too, not only prepared ones and scores.")
    ] = False,
) -> None:
    """Write a network as ONNX, which runs without minifcn: in onnxruntime, on phones, in browsers.

    Its input is a batch of prepared pictures, float32 (N, 3, H, W), its first output the scores. The metadata hold the classes
    and how pictures are prepared; with --pictures the file prepares them itself.

    Example: minifcn export runs/voc --out net.onnx --pictures
    """
    from minifcn import training
    from minifcn.cli.options import parse_size
    from minifcn.cli.screen import say
    from minifcn.data import Preprocessing
    from minifcn.export import onnx

    wanted = parse_size(size) if size else None
    net, about = training.load_model(weights)
    preprocessing = Preprocessing.from_config(about["preprocessing"]) if "preprocessing" in about else None
    said = onnx(net, out, wanted, classes=about.get("classes"), preprocessing=preprocessing, pictures=pictures)
    say(f"written: {out}, {out.stat().st_size / 1e6:,.1f} MB: {said}")
