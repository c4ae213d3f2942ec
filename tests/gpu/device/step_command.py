"""What the scripts that look at a training step of FCN-8s on a GPU share: their command line, and the GPU."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def parse(description: str | None, arguments: list[str]) -> argparse.Namespace:
    """precision, batch_size, size (H, W) and out."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("precision", choices=("tf32", "float32"))
    parser.add_argument("batch_size", type=int)
    parser.add_argument("--size", type=int, nargs=2, default=(375, 500), metavar=("H", "W"))
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args(arguments)


def gpu(precision: str) -> Any:
    """The benchmark's device; ends the program with the sentence that says what is missing where there is none."""
    from minifcn.bench import Device

    try:
        return Device.of("cuda", precision)
    except RuntimeError as error:
        raise SystemExit(str(error)) from None
