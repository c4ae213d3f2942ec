"""A training run follows PyTorch's: the same narrow FCN-8s, the same weights, the same real pictures, step for step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as T

from minifcn import data, layers, models, training

STEPS = 20


@pytest.fixture(scope="module")
def batches(voc_root):
    """Twenty batches of two augmented crops of real pictures, void borders included."""
    preprocessing = data.Preprocessing("torchvision")
    transform = data.parse("flip,scale:0.25-0.4,crop:65x83", fill=preprocessing.fill)
    loader = data.Loader(data.build("voc", voc_root, "train"), 2, True, 3, transform, preprocessing)
    epoch = loader.epoch(0)
    made = [(batch.images, batch.labels) for batch, _ in zip(epoch, range(STEPS), strict=False)]
    epoch.close()
    assert any((labels == 255).any() for _, labels in made)
    return made


def calm_net(dtype: str, padding: int):
    """Weights small enough that rounding errors do not grow from step to step, and score layers that are not zero."""
    net = models.build("fcn8s", 21, width=1 / 32, padding=padding, dropout=0.0, learn_upsampling=True, seed=5)
    rng = np.random.default_rng(6)
    for key, parameter in net.named_parameters():
        if key.startswith("score") and key.endswith("weight"):
            parameter.data[...] = 0.05 * rng.standard_normal(parameter.shape)
        elif key.startswith(("conv", "fc")) and key.endswith("weight"):
            parameter.data *= 0.9
    return net.to(dtype)


def torch_fcn8s(p: dict[str, torch.Tensor], x: torch.Tensor, padding: int) -> torch.Tensor:
    """FCN-8s as the paper's figure draws it, in PyTorch's functions."""
    height, width = x.shape[2:]
    pools = []
    for stage, convolutions in enumerate((2, 2, 3, 3, 3), start=1):
        for index in range(1, convolutions + 1):
            name = f"conv{stage}_{index}"
            x = T.relu(T.conv2d(x, p[f"{name}.weight"], p[f"{name}.bias"], padding=padding if name == "conv1_1" else 1))
        x = T.max_pool2d(x, 2, 2, ceil_mode=True)
        pools.append(x)
    x = T.relu(T.conv2d(x, p["fc6.weight"], p["fc6.bias"], padding=0 if padding >= 100 else 3))
    x = T.relu(T.conv2d(x, p["fc7.weight"], p["fc7.bias"]))
    score = T.conv2d(x, p["score_fr.weight"], p["score_fr.bias"])
    crop_up, crop4, crop3, last = (0, 5, 9, 31) if padding == 100 else (1, 0, 0, 4)
    for upscore, name, pool, crop in (("upscore2", "score_pool4", 3, crop4), ("upscore_pool4", "score_pool3", 2, crop3)):
        up = T.conv_transpose2d(score, p[f"{upscore}.weight"], stride=2)[:, :, crop_up:, crop_up:]
        side = T.conv2d(pools[pool], p[f"{name}.weight"], p[f"{name}.bias"])[:, :, crop:, crop:]
        h, w = min(up.shape[2], side.shape[2]), min(up.shape[3], side.shape[3])
        score = up[:, :, :h, :w] + side[:, :, :h, :w]
    score = T.conv_transpose2d(score, p["upscore8.weight"], stride=8)
    return score[:, :, last : last + height, last : last + width]


OPTIMIZERS = {
    "sgd": (
        lambda parameters: training.SGD(parameters, lr=0.02, momentum=0.9, weight_decay=5e-4),
        lambda parameters: torch.optim.SGD(parameters, lr=0.02, momentum=0.9, weight_decay=5e-4),
    ),
    "adam": (
        lambda parameters: training.Adam(parameters, lr=3e-4),
        lambda parameters: torch.optim.Adam(parameters, lr=3e-4),
    ),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    ("dtype", "padding", "tolerance"), [("float64", 1, 1e-8), ("float64", 100, 1e-8), ("float32", 1, 1e-3)]
)
def test_twenty_steps_on_real_pictures_give_pytorchs_losses(batches, optimizer, dtype, padding, tolerance):
    make_ours, make_theirs = OPTIMIZERS[optimizer]
    net = calm_net(dtype, padding)
    theirs = {key: torch.tensor(p.data, requires_grad=True) for key, p in net.named_parameters()}
    criterion, ours, torch_optimizer = layers.CrossEntropyLoss(), make_ours(net.parameters()), make_theirs(theirs.values())
    steps = STEPS if padding == 1 else 3  # the paper's padding makes a picture of 65x83 sixteen times larger
    losses = []
    for images, labels in batches[:steps]:
        images = images.astype(dtype)
        loss = criterion(net(images), labels)
        net.zero_grad()
        net.backward(criterion.backward())
        ours.step()

        torch_optimizer.zero_grad()
        scores = torch_fcn8s(theirs, torch.tensor(images), padding)
        torch_loss = T.cross_entropy(scores, torch.tensor(labels, dtype=torch.long), ignore_index=255)
        torch_loss.backward()
        torch_optimizer.step()
        losses.append((float(loss), torch_loss.item()))
    mine, reference = np.array(losses).T
    assert np.abs(mine / reference - 1).max() < tolerance
    assert abs(reference[-1] - reference[0]) > 0.03  # and something was learnt meanwhile
