"""SqueezeNet's relatives: their parameters, crops and sizes, torchvision's classifier, and ImageNet's real weights."""

from __future__ import annotations

import numpy as np
import pytest

import minifcn
from minifcn import anatomy, models
from minifcn.bench.twins.torchvision_models import squeezenet
from minifcn.layers import initializers
from support.against_torch import differences, load_twin


def narrow(name: str, num_classes: int = 5, **options):
    return models.build(name, num_classes, **{"width": 1 / 16, **options})


def count(net, *fresh: str) -> int:
    return sum(parameter.size for key, parameter in net.named_parameters() if not key.startswith(fresh or ("-",)))


def test_parameters():
    with initializers.blank():
        assert count(models.build("fcn-squeezenet"), "score", "upscore") == 722_496
        assert count(models.build("squeeze-unet")) == 2_504_325
        assert count(models.build("squeezenet1_1", 1000)) == 1_235_496


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_the_classifiers_scores_and_gradients_are_torchvisions(training, rng):
    net, twin = models.build("squeezenet1_1", 10), squeezenet.squeezenet1_1(weights=None, num_classes=10)
    load_twin(net, twin, rng)
    net.train(training)
    twin.train(training)
    for size, batch in [((33, 47), 2), ((64, 63), 1)]:
        found = differences(net, twin, rng.standard_normal((batch, 3, *size)), rng)
        assert not {key: value for key, value in found.items() if not value <= 1e-8}


@pytest.mark.parametrize("stride", [32, 16, 8])
@pytest.mark.parametrize("padding", [1, 2, 30])
def test_scores_lie_on_the_pictures_pixels(stride, padding):
    """Which even deconvolutions, k4 s2 and k16 s8, could not bring about: they end half a pixel beside it."""
    net = narrow("fcn-squeezenet", stride=stride, padding=padding)
    table = anatomy.coordinates(net, (1, 3, 97, 130))
    assert table.aligned, str(table)
    assert table.crops == {"crop": padding}


@pytest.mark.parametrize(
    ("name", "options", "least"),
    [
        ("fcn-squeezenet", {}, 15),
        ("fcn-squeezenet", {"stride": 16}, 15),
        ("fcn-squeezenet", {"stride": 32}, 31),
        ("fcn-squeezenet", {"padding": 9}, 1),
        ("squeeze-unet", {}, 16),
        ("squeezenet1_1", {}, 17),
    ],
)
def test_sizes_from_the_least_up(name, options, least):
    net = narrow(name, **options).eval()
    with minifcn.no_grad():
        for H, W in [(least, least), *((H, 47) for H in range(max(least, 31), 50))]:
            expected = (1, 5, H, W) if models.entry(name).segments else (1, 5)
            assert net(np.zeros((1, 3, H, W), np.float32)).shape == expected
        if least > 1:
            with pytest.raises(ValueError, match=f"from {least}x{least} up; {least - 1}x64 is too small"):
                net(np.zeros((1, 3, least - 1, 64), np.float32))


@pytest.mark.parametrize("stride", [32, 8])
def test_fixed_trains_the_score_layers_alone(stride):
    net = narrow("fcn-squeezenet", stride=stride, fixed=True)
    learning = {key for key, parameter in net.named_parameters() if parameter.requires_grad}
    assert learning == {
        f"{name}.{kind}" for name in dict(net.children()) if name.startswith("score") for kind in ("weight", "bias")
    }


def test_a_stride_that_there_is_not():
    with pytest.raises(ValueError, match="stride=4 must be 32, 16 or 8"):
        narrow("fcn-squeezenet", stride=4)


@pytest.mark.parametrize("name", ["fcn-squeezenet", "squeeze-unet"])
def test_real_weights_go_in(name, shared_data):
    state = dict(np.load(shared_data / "weights" / "squeezenet_v1.1.npz"))
    net = models.build(name)
    report = models.transplant(net, state, models.entry(name).fresh)
    assert (len(report.copied), report.skipped) == (50, ["conv10.weight", "conv10.bias"])
    np.testing.assert_array_equal(net.fire9.expand3x3.weight.data, state["fire9.expand3x3.weight"])


@pytest.mark.parametrize("name", ["fcn-squeezenet", "squeeze-unet"])
def test_summary_and_coordinates_print(name):
    net = narrow(name)
    assert "fire9.expand3x3 (Conv2d)" in str(anatomy.ledger(net, (2, 3, 33, 47)))
    assert "fire9.concat (Concat)" in str(anatomy.coordinates(net, (2, 3, 33, 47)))
