"""On a real GPU: the same cases as in the emulator, large shapes against PyTorch, and a training step. *Run on <device>.*

Skipped, with the reason, where there is none. `run_on_gpu.py` runs this file and everything else that a GPU is needed for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gpu.strict import test_functional_on_strict_cupy as functional_cases
from gpu.strict import test_training_step_on_strict_cupy as training_case
from minifcn import models
from minifcn.backend import to_host
from minifcn.data.loader import Batch
from minifcn.kernels import Geometry, cuda
from minifcn.kernels.cuda import conv
from minifcn.layers import CrossEntropyLoss
from minifcn.machine.doctor import judge_gpu, probe_gpu
from minifcn.training import upload
from support import kernel_cases

EXACT = 2e-5  # between the errors of float32's sums (1e-6) and of TF32's (3e-4), relative to the largest magnitude
SLACK = 4.0  # a tensor core aligns its products before it adds them, and drops more bits than the emulator's
LARGE = {  # VGG16's shapes on a 375 x 500 picture, and others: x, weight, stride, padding, dilation, groups
    "conv1_1, padding 100": ((1, 3, 375, 500), (64, 3, 3, 3), 1, 100, 1, 1),
    "conv2_2": ((2, 128, 287, 349), (128, 128, 3, 3), 1, 1, 1, 1),
    "conv5_3": ((1, 512, 36, 44), (512, 512, 3, 3), 1, 1, 1, 1),
    "fc6": ((1, 512, 18, 22), (1024, 512, 7, 7), 1, 0, 1, 1),
    "score": ((1, 4096, 12, 16), (21, 4096, 1, 1), 1, 0, 1, 1),
    "upscore8": ((1, 21, 568, 440), (21, 21, 16, 16), 8, 0, 1, 1),
    "dilated": ((1, 256, 47, 63), (256, 256, 3, 3), 1, 12, 12, 1),
    "depthwise": ((2, 96, 57, 61), (96, 1, 3, 3), 2, 1, 1, 96),
}


@pytest.fixture(scope="module")
def gpu():
    """CuPy, where it has a GPU that works. What it allocates is full of NaN: a number that no kernel wrote is seen."""
    facts = probe_gpu()
    if facts.smoke != "":
        pytest.skip("; ".join(f"{finding.name}: {finding.value}" for finding in judge_gpu(facts)))
    import cupy

    pool = cupy.get_default_memory_pool()

    def poisoned(nbytes):
        memory = pool.malloc(nbytes)
        memory.memset_async(0xFF, nbytes)
        return memory

    cupy.cuda.set_allocator(poisoned)
    yield cupy
    cupy.cuda.set_allocator(pool.malloc)


@pytest.fixture
def float32():
    """Convolutions in float32 for one test."""
    before = cuda.get_precision()
    cuda.set_precision("float32")
    yield
    cuda.set_precision(before)


@pytest.mark.parametrize(
    ("products", "tile"), kernel_cases.CONFIGURATIONS, ids=[kernel_cases.tile_name(*one) for one in kernel_cases.CONFIGURATIONS]
)
@pytest.mark.parametrize("name", kernel_cases.CONVOLUTIONS)
def test_small_convolutions(gpu, name, tile, products):
    if tile.WGMMA and not conv._has_warpgroups(gpu):
        pytest.skip("this GPU's tensor cores do not fetch from shared memory themselves")
    kernel_cases.check(kernel_cases.convolution(name, gpu, products, tile), SLACK)


@pytest.mark.parametrize("name", kernel_cases.OTHERS)
def test_everything_else(gpu, name):
    kernel_cases.check(kernel_cases.OTHERS[name](gpu), SLACK)


@pytest.mark.parametrize("products", kernel_cases.PRODUCTS)
@pytest.mark.parametrize("name", LARGE)
def test_large_convolutions_against_pytorch(gpu, monkeypatch, name, products):
    torch = pytest.importorskip("torch")
    x_shape, weight_shape, stride, padding, dilation, groups = LARGE[name]
    g = Geometry.of(x_shape, weight_shape, stride, padding, dilation, groups)
    round_ = kernel_cases.to_tf32 if products == 1 else (lambda array: array)
    x, weight, dy = (kernel_cases.draw(*shape, seed=i) for i, shape in enumerate((x_shape, weight_shape, g.y_shape)))
    place = "cuda" if torch.cuda.is_available() else "cpu"
    tensors = [torch.from_numpy(round_(array).astype(np.float64)).to(place) for array in (x, weight, dy)]
    expected = reference(torch, *tensors, stride, padding, dilation, groups)
    monkeypatch.setattr(conv, "_precision", "tf32" if products == 1 else "float32")
    monkeypatch.setattr(conv, "_products", lambda xp: products)  # the tile and the pieces are chosen as usual
    dev_x, dev_weight, dev_dy = map(gpu.asarray, (x, weight, dy))
    got = (cuda.forward(dev_x, dev_weight, None, g), cuda.input_gradient(dev_dy, dev_weight, g),
           cuda.weight_gradient(dev_x, dev_dy, g))  # fmt: skip
    for what, mine, theirs in zip(("y", "dx", "dweight"), got, expected, strict=True):
        theirs = theirs.cpu().numpy()
        scale = np.sqrt(np.mean(theirs**2))
        # A tensor core cuts its sums off; float32 has to be float32, where sums of 200 000 products err by 2e-5 themselves.
        tolerance = 2e-4 if products == 1 else 4e-5
        np.testing.assert_allclose(mine.get() / scale, theirs / scale, rtol=0, atol=tolerance, err_msg=what)


def reference(torch, x, weight, dy, stride, padding, dilation, groups):
    """PyTorch's y, dx and dweight, in float64."""
    x.requires_grad_(True)
    weight.requires_grad_(True)
    y = torch.nn.functional.conv2d(x, weight, None, stride, padding, dilation, groups)
    return y.detach(), *torch.autograd.grad(y, (x, weight), dy)


def precision_of_bench(device: str, precision: str) -> dict[str, float]:
    """What precision_probe.py finds, in a process of its own."""
    folder = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": str(folder.parents[2])}
    command = [sys.executable, str(folder / "precision_probe.py"), device, precision]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_probe_of_precision_runs():
    """Here on the CPU: on a machine without a GPU it is this that keeps it working."""
    found = precision_of_bench("cpu", "float32")
    assert {"our product", "our convolution"} <= set(found)
    assert max(found.values()) < EXACT


@pytest.mark.parametrize("products", kernel_cases.PRODUCTS)
def test_results_have_the_same_bits_every_time(gpu, products):
    runs = set()
    for _ in range(5):
        answers = list(kernel_cases.convolution("in pieces", gpu, products)) + list(kernel_cases.batch_normalisation(gpu))
        runs.add(b"".join(got.get().tobytes() for _, got, *_ in answers))
    assert len(runs) == 1


@pytest.mark.parametrize("precision", ["tf32", "float32"])
def test_bench_compares_at_the_precision_that_it_names(gpu, precision):
    """In float32 nobody may use TF32, whose errors are a hundred times larger; in tf32 everybody does, but for cuDNN, which
    then chooses freely."""
    found = precision_of_bench("cuda", precision)
    for what, error in found.items():
        if precision == "float32":
            assert error < EXACT, what
        elif what != "PyTorch's convolution":
            assert error > EXACT, what
        assert error < 3e-3, what


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", functional_cases.CASES)
def test_functional(gpu, float32, name, dtype):
    expected = functional_cases.both(name, np.asarray, dtype)
    got = functional_cases.both(name, gpu.asarray, dtype)
    tolerance = 1e-4 if dtype == np.float32 else 1e-11
    for mine, numpys in zip(got, expected, strict=True):
        np.testing.assert_allclose(mine.get(), numpys, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("optimizer_name", training_case.OPTIMIZERS)
def test_a_training_step_gives_numpys_numbers_and_moves_back(gpu, float32, optimizer_name):
    host_net, host_losses, _ = training_case.train("cpu", optimizer_name)
    net, losses, _ = training_case.train("cuda", optimizer_name)
    np.testing.assert_allclose([to_host(loss) for loss in losses], host_losses, rtol=1e-4)
    expected = host_net.state_dict()
    for key, array in net.to("cpu").state_dict().items():
        np.testing.assert_allclose(array, expected[key], rtol=1e-3, atol=1e-4, err_msg=key)


def test_a_step_of_fcn8s_has_the_same_bits_wherever_its_memory_lies(gpu):
    """Twice from one seed, with other memory in use the second time."""

    def gradients():
        net = models.build("fcn8s", seed=0).train()
        for name, parameter in net.named_parameters():
            if name.startswith("score"):  # which begin at zero, and would let no gradient through
                parameter.data[...] = kernel_cases.draw(*parameter.shape) / 16
        net.reseed((0, 0))
        net.to("cuda")
        images = gpu.asarray(kernel_cases.draw(1, 3, 375, 500))
        labels = gpu.asarray(np.random.default_rng(0).integers(0, 21, (1, 375, 500)).astype(np.uint8))
        criterion = CrossEntropyLoss()
        criterion(net(images), labels)
        net.backward(criterion.backward())
        return [(key, to_host(parameter.grad)) for key, parameter in net.named_parameters() if parameter.grad is not None]

    first = gradients()
    junk = [gpu.ones(size, np.float32) for size in (1 << 28, 3 << 20, 5 << 26)]
    second = gradients()
    assert len(junk) == 3
    for (key, mine), (_, again) in zip(first, second, strict=True):
        np.testing.assert_array_equal(mine.view(np.uint32), again.view(np.uint32), err_msg=key)


def uploaded_sums(gpu, steps=40):
    """Each step's sum of its pictures on the device, read only after long kernels, and on the host."""
    draws = np.random.default_rng(0)
    batches = []
    for step in range(steps):  # before the first kernel: the host has to be far ahead of the device
        size = (int(draws.integers(1, 4)), 3, int(draws.integers(20, 60)), 61)
        images, labels = draws.standard_normal(size).astype(np.float32), np.full((size[0], *size[2:]), step, np.uint8)
        batches.append([Batch(images, labels, ["a"] * size[0], [size[2:]] * size[0])])
    on_host = [[batch.images.sum(dtype=np.float64), batch.labels.sum(dtype=np.float64)] for (batch,) in batches]
    matrix = gpu.ones((4096, 4096), np.float32)
    on_device = []
    for (batch,) in upload.upload_ahead(batches, "cuda", np.float32):
        images, labels = batch.inputs
        for _ in range(5):  # the copy that nobody holds back is long through before these are
            matrix = matrix @ matrix * np.float32(1e-4)
        on_device.append(gpu.stack([images.sum(dtype=np.float64), labels.sum(dtype=np.float64)]))
    return gpu.stack(on_device).get(), np.array(on_host)


def test_a_step_reads_its_own_pictures(gpu):
    on_device, on_host = uploaded_sums(gpu)
    np.testing.assert_allclose(on_device, on_host, rtol=1e-9, atol=1e-6)


def test_a_step_reads_others_pictures_where_nobody_waits_for_it(gpu, monkeypatch):
    """So the test above would see a wait that is missing."""

    class Forgetful(gpu.cuda.Event):
        def record(self, stream=None):
            """Is never recorded, and so keeps nobody waiting."""

    right = upload._Slot.__init__

    def wrong(slot, cupy, stream):
        right(slot, cupy, stream)
        slot.done = Forgetful(disable_timing=True)

    monkeypatch.setattr(upload._Slot, "__init__", wrong)
    on_device, on_host = uploaded_sums(gpu)
    assert not np.allclose(on_device, on_host, rtol=1e-9, atol=1e-6)
