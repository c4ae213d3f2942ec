"""ONNX Runtime's side of inference: the network that it runs is ours, as :mod:`minifcn.export` writes it.

Only where onnx and onnxruntime are installed (pip install 'minifcn[bench]').
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minifcn import export
from minifcn.bench.device import Device
from minifcn.layers import Layer


def takes_part(device: Device) -> bool:
    """Whether it is installed; on a GPU it would be another package, which nobody has tried here."""
    return device.name == "cpu" and all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime"))


def session(net: Layer, size: tuple[int, int], device: Device) -> Any:
    """ONNX Runtime with a network for pictures of one size, which it likes better than any size, on as many threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = device.threads, 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        export.onnx(net, path, size)
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def inference(session: Any, images: np.ndarray) -> Callable[[], np.ndarray]:
    """A function that scores ``images``."""
    return lambda: session.run(["scores"], {"image": images})[0]
