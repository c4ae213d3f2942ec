"""``minifcn predict``: masks and overlays for anybody's pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from minifcn.cli.options import Flip, Scales, Tile, parse_views

if TYPE_CHECKING:
    import numpy as np

    from minifcn.data import Preprocessing
    from minifcn.training import Views


def predict(
    weights: Annotated[Path, typer.Argument(help="A run folder (its best checkpoint) or a checkpoint.")],
    pictures: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    out: Annotated[Path, typer.Option(help="Where masks and overlays go.")] = Path("predicted"),
    preprocessing: Annotated[str | None, typer.Option(help="What the weights should want; else an error.")] = None,
    flip: Flip = False,
    scales: Scales = "1",
    tile: Tile = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    precision: Annotated[str, typer.Option(help="On a GPU: tf32 (tensor cores) or float32.")] = "tf32",
) -> None:
    """Segment pictures of any size: a palette PNG mask and an overlay with a legend for each.

    A picture that cannot be read is named, the others are done, and the status is 2.

    Example: minifcn predict runs/voc holiday/*.jpg --out predicted
    """
    import numpy as np

    from minifcn import data
    from minifcn.cli.assemble import trained_network
    from minifcn.cli.screen import say
    from minifcn.safe_file import names_for, replacing
    from minifcn.visualize import best_effort, overlay

    views = parse_views(flip, scales, tile)
    files, left_out = data.named_pictures(pictures)
    net, about = trained_network(weights, device, precision, preprocessing)
    prepared = data.Preprocessing.from_config(about["preprocessing"])
    palette, classes = np.array(about["palette"], np.uint8), about["classes"]
    for folder in (out / "masks", out / "overlays"):
        folder.mkdir(parents=True, exist_ok=True)
    written, failed = 0, []
    try:
        for file, name in zip(files, names_for(files), strict=True):
            try:
                image = data.read_image(file)
                labels = _labels(net, image, prepared, views)
            except (ValueError, OSError, MemoryError) as error:
                failed.append(str(file))
                say(str(error) if str(file) in str(error) else f"{file}: {error}")
                continue
            with replacing(out / "masks" / f"{name}.png") as mask:
                data.save_mask(mask, labels, palette)
            with best_effort(f"the overlay of {file}"), replacing(out / "overlays" / f"{name}.png") as drawn:
                overlay(image, labels, palette, classes).save(drawn, format="PNG")
            written += 1
            shares = (f"{classes[label]} {100 * np.mean(labels == label):.0f}%" for label in np.unique(labels))
            say(f"{file}: " + ", ".join(shares))
    finally:  # after Ctrl-C, too
        if left_out:
            say(data.left_out_sentence(left_out))
        say(f"written: {written} masks and overlays in {out}, of {len(files)} pictures")
    if failed:
        raise ValueError(f"{len(failed)} of {len(files)} pictures have no mask, for the reasons above: {', '.join(failed)}")


def _labels(net: Any, image: np.ndarray, preprocessing: Preprocessing, views: Views) -> np.ndarray:
    """The labels of a picture; what does not fit into memory says what can be done."""
    from minifcn import training

    try:
        return training.predict(net, image, preprocessing, views)
    except MemoryError as error:
        size = f"{image.shape[0]}x{image.shape[1]}"
        raise MemoryError(f"not enough memory for a picture of {size}: give a --tile, or make a smaller copy") from error
