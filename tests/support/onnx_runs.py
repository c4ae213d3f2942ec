"""Networks that are alive, exported, and run by onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import minifcn
from minifcn.layers import Layer


def enlivened(net: Layer, rng: np.random.Generator) -> Layer:
    """The network with numbers where a new one has zeros and ones, so that a layer left out or mixed up shows."""
    for parameter in net.parameters():
        if not parameter.data.any():
            parameter.data[...] = rng.normal(0, 0.1, parameter.shape)
    for key, buffer in net.named_buffers():
        buffer[...] = rng.uniform(0.5, 2, buffer.shape) if key.endswith("var") else rng.normal(0, 0.1, buffer.shape)
    return net


def session(path: Path) -> Any:
    """onnxruntime's, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # of a graph's quality others may speak
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def scores_of(net: Layer, x: np.ndarray) -> np.ndarray:
    """What the network itself says, in evaluation."""
    modes = {layer: layer.training for _, layer in net.named_layers()}
    with minifcn.no_grad():
        scores = net.eval()(x)
    for layer, mode in modes.items():
        layer.training = mode
    return scores


def check_same(net: Layer, path: Path, *inputs: np.ndarray, tolerance: float = 1e-5) -> None:
    """The file gives the network's scores, of pictures (N, C, H, W) of several sizes, relative to the largest of them."""
    running = session(path)
    for x in inputs:
        ours, theirs = scores_of(net, x), running.run(["scores"], {"image": x.astype(np.float32)})[0]
        assert theirs.dtype == np.float32
        assert ours.shape == theirs.shape
        assert np.std(ours) > 0  # alive
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=tolerance * np.abs(ours).max())
