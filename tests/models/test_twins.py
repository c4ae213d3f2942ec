"""Every network that has a twin in PyTorch, against it: scores, dx, every gradient, every statistic, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import twins

from minifcn import models

torch = pytest.importorskip("torch")

CASES = [
    pytest.param(name, options, size, batch, id=f"{name}-{options}-{size[0]}x{size[1]}-{batch}")
    for name in twins.names()
    for options in twins.twin(name).OPTIONS
    for size in twins.twin(name).SIZES
    for batch in (1, 2)
]


def test_every_twin_is_a_network_of_the_catalogue():
    assert twins.names()
    assert set(twins.names()) <= {name.replace("-", "_") for name in models.names()}


def pair(name: str, options: dict, rng: np.random.Generator):
    """The network and its twin, with the same numbers everywhere, and none of them zero."""
    catalogued = next(network for network in models.names() if network.replace("-", "_") == name)
    ours = models.build(catalogued, 5, width=1 / 32, **options).to("float64")
    theirs = twins.twin(name).Twin(5, width=1 / 32, **options).double()
    for _, parameter in ours.named_parameters():
        scale = 0.5 if parameter.data.ndim < 2 else float(np.sqrt(2 / np.prod(parameter.shape[1:])))
        parameter.data[...] = scale * rng.standard_normal(parameter.shape)
    for _, buffer in ours.named_buffers():
        buffer[...] = rng.uniform(0.5, 1.5, buffer.shape)
    state = {key: torch.tensor(array) for key, array in ours.state_dict().items()}
    missing, unexpected = theirs.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(key.endswith("num_batches_tracked") for key in missing)
    ours.requires_grad_(True).needs_dx = True
    theirs.requires_grad_(True)
    return ours, theirs


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize(("name", "options", "size", "batch"), CASES)
def test_equal(name, options, size, batch, training, rng):
    ours, theirs = pair(name, options, rng)
    ours.train(training)
    theirs.train(training)
    x = rng.standard_normal((batch, options.get("in_channels", 3), *size))
    tensor = torch.tensor(x, requires_grad=True)
    try:
        their_y = theirs(tensor)
    except ValueError:  # of a batch norm of one value a channel
        with pytest.raises(ValueError, match="one value a channel"):
            ours(x)
        return
    y = ours(x)
    dy = rng.standard_normal(y.shape)
    their_y.backward(torch.tensor(dy))
    dx = ours.backward(dy)

    mine = {"y": y, "dx": dx, **{f"d{key}": parameter.grad for key, parameter in ours.named_parameters()}}
    mine |= dict(ours.named_buffers())
    right = {"y": their_y, "dx": tensor.grad, **{f"d{key}": tensor.grad for key, tensor in theirs.named_parameters()}}
    right |= {key: tensor for key, tensor in theirs.named_buffers() if not key.endswith("num_batches_tracked")}
    assert mine.keys() == right.keys()
    right = {what: tensor.detach().numpy() for what, tensor in right.items()}
    largest = max(np.abs(array).max() for what, array in right.items() if what.startswith("d"))
    for what, array in right.items():
        # a bias in front of a batch norm has a gradient of zero, to rounding: of the largest one there is
        allowed = 1e-10 * np.abs(array).max() + 5e-11 * largest
        np.testing.assert_allclose(mine[what], array, rtol=0, atol=allowed, err_msg=what)
