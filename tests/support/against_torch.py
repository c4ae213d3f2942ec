"""A network and its PyTorch twin: the same weights, the same picture, the same gradients of the scores, all in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from minifcn.layers import Dropout, Layer


def load_twin(net: Layer, twin: torch.nn.Module, rng: np.random.Generator) -> None:
    """Draws the twin's weights, and gives them to the network by the twin's keys. Both are in float64, and drop nothing.

    Batch norms and biases are stirred: a fresh one, which is almost the identity, would hide a wrong one.
    """
    twin.double()
    for module in twin.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    for key, tensor in twin.state_dict().items():
        kind = key.rpartition(".")[2]
        if kind == "running_var":
            tensor.copy_(torch.tensor(rng.uniform(0.5, 2, tensor.shape)))
        elif tensor.ndim > 1:
            tensor.copy_(torch.tensor(rng.standard_normal(tensor.shape) * np.sqrt(2 / np.prod(tensor.shape[1:]))))
        elif tensor.ndim == 1:
            tensor.add_(torch.tensor(rng.standard_normal(tensor.shape) / 5))
    net.to("float64")
    net.load_state_dict({key: tensor.numpy() for key, tensor in twin.state_dict().items()})
    for _, layer in net.named_layers():
        if isinstance(layer, Dropout):
            layer.p = 0.0
    net.needs_dx = True


def differences(net: Layer, twin: torch.nn.Module, x: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """Relative differences of every output, of the picture's gradient, of each parameter's and of the running statistics."""
    theirs = torch.tensor(x, requires_grad=True)
    twin_outputs, outputs = _every(twin(theirs)), _every(net(x))
    if not net.training:
        twin_outputs = twin_outputs[: len(outputs)]  # torchvision's auxiliary scores: ours come in training only
    dys = [rng.standard_normal(y.shape) for y in outputs]
    twin.zero_grad()
    net.zero_grad()
    torch.autograd.backward(twin_outputs, [torch.tensor(dy) for dy in dys])
    found = {f"y{place}": _difference(y, other) for place, (y, other) in enumerate(zip(outputs, twin_outputs, strict=True))}
    found["dx"] = _difference(net.backward(*dys), theirs.grad)
    gradients = {key: parameter.grad for key, parameter in twin.named_parameters() if parameter.grad is not None}
    largest = max(float(gradient.abs().max()) for gradient in gradients.values())
    for key, parameter in net.named_parameters():
        if key in gradients:  # a bias in front of a batch norm has a gradient of zero, to rounding: of the largest one there is
            found[f"d{key}"] = _difference(parameter.grad, gradients[key], largest / 1000)
        else:
            assert parameter.grad is None, key
    buffers = dict(twin.named_buffers())
    return found | {key: _difference(buffer, buffers[key]) for key, buffer in net.named_buffers()}


def _every(outputs: Any) -> list[Any]:
    """The outputs, of torchvision's dictionary too: scores first."""
    if isinstance(outputs, dict):
        return list(outputs.values())
    return list(outputs) if isinstance(outputs, tuple) else [outputs]


def _difference(mine: np.ndarray, theirs: torch.Tensor, least: float = 0.0) -> float:
    """The largest difference in parts of the largest of theirs, or where that is smaller of ``least``."""
    other = theirs.detach().numpy()
    assert mine.shape == other.shape
    return float(np.abs(mine - other).max() / (max(np.abs(other).max(), least) or 1))
