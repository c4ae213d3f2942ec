"""``minifcn predict``: masks and overlays for anybody's pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def predict(
    weights: Annotated[Path, typer.Argument(help="A run folder (its best checkpoint) or a checkpoint.")],
    pictures: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    out: Annotated[Path, typer.Option(help="Where masks and overlays go.")] = Path("predicted"),
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    precision: Annotated[str, typer.Option(help="On a GPU: tf32 (tensor cores) or float32.")] = "tf32",
) -> None:
    """Segment pictures of any size: a palette PNG mask and an overlay with a legend for each.

    Example: minifcn predict runs/voc holiday/*.jpg --out predicted
    """
    import numpy as np

    from minifcn import data, training
    from minifcn.cli.assemble import use_device
    from minifcn.visualize import overlay

    files = _files(pictures)
    net, about = training.load_model(weights, use_device(device, precision))
    preprocessing = data.Preprocessing.from_config(about["preprocessing"])
    palette, classes = np.array(about["palette"], np.uint8), about["classes"]
    for folder in (out / "masks", out / "overlays"):
        folder.mkdir(parents=True, exist_ok=True)
    for name, file in files.items():
        image = data.read_image(file)
        labels = training.predict(net, image, preprocessing)
        data.save_mask(out / "masks" / f"{name}.png", labels, palette)
        overlay(image, labels, palette, classes).save(out / "overlays" / f"{name}.png")
        found = ", ".join(f"{classes[c]} {100 * np.mean(labels == c):.0f}%" for c in np.unique(labels))
        print(f"{file}: {found}")
    print(f"written: {len(files)} masks and overlays in {out}")


def _files(pictures: list[Path]) -> dict[str, Path]:
    """{name to write under: picture}, folders opened; two pictures of one name keep both their folders' names."""
    files = [file for path in pictures for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    named = [file for file in files if file.suffix.lower() in PICTURES]
    absent = [str(path) for path in pictures if not path.exists()]
    if absent:
        raise FileNotFoundError(f"no such picture: {', '.join(absent[:10])}")
    if not named:
        raise ValueError(f"no pictures in {', '.join(map(str, pictures))}: possible are {', '.join(PICTURES)}")
    stems = [file.stem for file in named]
    return {file.stem if stems.count(file.stem) == 1 else f"{file.parent.name}_{file.stem}": file for file in named}
