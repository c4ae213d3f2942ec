"""The optimizers against torch.optim, in float64 to 1e-12 over several steps."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn.layers import Conv2d, Parameter, Sequential
from minifcn.training import SGD, Adam, AdamW, clip_grad_norm

torch = pytest.importorskip("torch")

OPTIMIZERS = {"SGD": SGD, "Adam": Adam, "AdamW": AdamW}
SHAPES = [(3, 2, 3, 3), (5,), (), (70_001,)]  # the last is cut into blocks, the third is one number

CASES = [
    ("SGD", {}),
    ("SGD", {"weight_decay": 0.01}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "weight_decay": 0.01}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("SGD", {"momentum": 0.99, "nesterov": True, "weight_decay": 5e-4}),
    ("SGD", {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"weight_decay": 0.1}),
    ("Adam", {"betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.01}),
    ("AdamW", {}),
    ("AdamW", {"weight_decay": 0.3, "betas": (0.8, 0.95)}),
    ("AdamW", {"weight_decay": 0.0}),
]


def parameters_of(rng: np.random.Generator, dtype=np.float64) -> list[Parameter]:
    return [Parameter(np.asarray(rng.standard_normal(shape), dtype)) for shape in SHAPES]


def twins(parameters: list[Parameter]) -> list:
    return [torch.tensor(parameter.data, requires_grad=True) for parameter in parameters]


def set_gradients(rng: np.random.Generator, parameters: list[Parameter], others: list) -> None:
    for parameter, other in zip(parameters, others, strict=True):
        parameter.grad = np.asarray(rng.standard_normal(parameter.shape), parameter.data.dtype)
        other.grad = torch.tensor(parameter.grad)


def assert_same(parameters: list[Parameter], others: list, tolerance: float = 1e-12) -> None:
    for parameter, other in zip(parameters, others, strict=True):
        np.testing.assert_allclose(parameter.data, other.detach().numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_follows_torch(name, options, rng):
    parameters = parameters_of(rng)
    others = twins(parameters)
    ours, theirs = OPTIMIZERS[name](parameters, lr=0.1, **options), getattr(torch.optim, name)(others, lr=0.1, **options)
    for _ in range(6):
        set_gradients(rng, parameters, others)
        ours.step()
        theirs.step()
        assert_same(parameters, others)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_defaults_are_torchs(name, rng):
    parameters = parameters_of(rng)
    others = twins(parameters)
    ours, theirs = OPTIMIZERS[name](parameters), getattr(torch.optim, name)(others)
    for _ in range(3):
        set_gradients(rng, parameters, others)
        ours.step()
        theirs.step()
    assert_same(parameters, others)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_float32_stays_float32(name, rng):
    parameters = parameters_of(rng, np.float32)
    others = twins(parameters)
    ours, theirs = OPTIMIZERS[name](parameters, lr=0.01), getattr(torch.optim, name)(others, lr=0.01)
    for _ in range(4):
        set_gradients(rng, parameters, others)
        ours.step()
        theirs.step()
    assert_same(parameters, others, 1e-6)
    arrays = [value for value in ours.state_dict().values() if isinstance(value, np.ndarray)]
    assert {array.dtype for array in [parameter.data for parameter in parameters] + arrays} == {np.dtype(np.float32)}


def test_groups_and_schedule_follow_torch(rng):
    parameters = parameters_of(rng)
    others = twins(parameters)

    def groups(members: list) -> list[dict]:
        return [
            {"params": members[:1], "lr": 0.3, "weight_decay": 0.0},
            {"params": members[1:3], "momentum": 0.5, "nesterov": True},
            {"params": members[3:]},
        ]

    ours = SGD(groups(parameters), lr=0.1, momentum=0.9, weight_decay=0.02)
    theirs = torch.optim.SGD(groups(others), lr=0.1, momentum=0.9, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.LambdaLR(theirs, lambda step: 0.5**step)
    for step in range(4):
        set_gradients(rng, parameters, others)
        ours.scale_lr(0.5**step)
        ours.step()
        theirs.step()
        schedule.step()
    assert_same(parameters, others)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_frozen_and_unreached_parameters_are_untouched(name, rng):
    parameters = parameters_of(rng)
    before = [parameter.data.copy() for parameter in parameters]
    optimizer = OPTIMIZERS[name](parameters, lr=0.1, weight_decay=0.5)
    for parameter in parameters:
        parameter.grad = np.ones_like(parameter.data)
    parameters[0].requires_grad = False
    parameters[1].grad = None
    optimizer.step()
    unchanged = [np.array_equal(parameter.data, old) for parameter, old in zip(parameters, before, strict=True)]
    assert unchanged == [True, True, False, False]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_late_parameter_starts_its_own_count(name, rng):
    """Adam's bias correction counts the steps of each parameter, not those of the optimizer."""
    parameters = parameters_of(rng)
    others = twins(parameters)
    ours, theirs = OPTIMIZERS[name](parameters, lr=0.1), getattr(torch.optim, name)(others, lr=0.1)
    for step in range(5):
        set_gradients(rng, parameters, others)
        if step < 3:
            parameters[0].grad = others[0].grad = None
        ours.step()
        theirs.step()
    assert_same(parameters, others)


def test_updates_in_place(rng):
    parameter = Parameter(rng.standard_normal((4, 5)))
    array = parameter.data
    parameter.grad = gradient = rng.standard_normal((4, 5))
    copy = gradient.copy()
    SGD([parameter], lr=0.1, momentum=0.9, weight_decay=0.1, nesterov=True).step()
    assert parameter.data is array
    np.testing.assert_array_equal(gradient, copy)  # the caller may still want to look at it


@pytest.mark.parametrize("order", ["F", "strided"])
def test_arrays_that_are_not_contiguous(order, rng):
    data = np.asfortranarray(rng.standard_normal((6, 7))) if order == "F" else rng.standard_normal((6, 14))[:, ::2]
    parameter = Parameter(data)
    other = torch.tensor(np.ascontiguousarray(data), requires_grad=True)
    ours, theirs = Adam([parameter], lr=0.1), torch.optim.Adam([other], lr=0.1)
    for _ in range(3):
        set_gradients(rng, [parameter], [other])
        ours.step()
        theirs.step()
    assert_same([parameter], [other])


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("named", [False, True])
def test_state_dict_goes_on_bit_for_bit(name, named, rng):
    gradients = [[np.asarray(rng.standard_normal(shape)) for shape in SHAPES] for _ in range(6)]
    start = [np.asarray(rng.standard_normal(shape)) for shape in SHAPES]

    def made(values):
        parameters = [Parameter(value.copy()) for value in values]
        members = [(f"layer{i}.weight", parameter) for i, parameter in enumerate(parameters)] if named else parameters
        return parameters, OPTIMIZERS[name](members, lr=0.1, **({"momentum": 0.9} if name == "SGD" else {}))

    def steps(parameters, optimizer, some):
        for values in some:
            for parameter, value in zip(parameters, values, strict=True):
                parameter.grad = value
            optimizer.step()

    straight, optimizer = made(start)
    steps(straight, optimizer, gradients)
    first, optimizer = made(start)
    steps(first, optimizer, gradients[:3])
    state = {key: value.copy() if hasattr(value, "copy") else value for key, value in optimizer.state_dict().items()}
    assert ("layer0.weight.step" if named else "0.step") in state
    resumed, optimizer = made([parameter.data for parameter in first])
    optimizer.load_state_dict(state)
    steps(resumed, optimizer, gradients[3:])
    for a, b in zip(straight, resumed, strict=True):
        np.testing.assert_array_equal(a.data, b.data)


def test_loaded_state_is_a_copy(rng):
    parameter = Parameter(np.ones(3))
    parameter.grad = np.ones(3)
    optimizer = SGD([parameter], lr=0.1, momentum=0.9)
    state = {"algorithm": "SGD", "0.step": 4, "0.momentum_buffer": np.ones(3)}
    optimizer.load_state_dict(state)
    optimizer.step()
    np.testing.assert_array_equal(state["0.momentum_buffer"], 1)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"algorithm": "Adam"}, "Adam"),
        ({"algorithm": "SGD", "7.step": 1, "7.momentum_buffer": np.ones(3)}, "7"),
        ({"algorithm": "SGD", "0.step": 1, "0.momentum_buffer": np.ones(4)}, r"\(4,\)"),
        ({"algorithm": "SGD", "0.step": 1}, "momentum_buffer"),
    ],
)
def test_state_that_does_not_fit_is_refused_and_nothing_changes(state, words):
    optimizer = SGD([Parameter(np.ones(3))], lr=0.1, momentum=0.9)
    with pytest.raises(ValueError, match=words):
        optimizer.load_state_dict(state)
    assert optimizer.state_dict() == {"algorithm": "SGD"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"lr": -0.1}, "lr is -0.1"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"momentum": -1}, "momentum"),
        ({"momentum": 1}, "momentum is 1; possible are 0 <= momentum < 1: from 1 on"),
        ({"momentum": np.float32(1.5)}, "momentum is 1.5; possible"),
        ({"lr": np.inf}, "lr is inf; it must be a finite number"),
        ({"weight_decay": -1}, "weight_decay"),
        ({"nesterov": True}, "nesterov needs momentum"),
        ({"momentum": 0.9, "dampening": 0.1, "nesterov": True}, "nesterov needs momentum"),
    ],
)
def test_senseless_options_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        SGD([Parameter(np.ones(3))], **arguments)


def test_senseless_parameters_are_refused():
    parameter = Parameter(np.ones(3))
    with pytest.raises(ValueError, match="no parameters"):
        SGD([], lr=0.1)
    with pytest.raises(ValueError, match="twice"):
        SGD([{"params": [parameter]}, {"params": [parameter]}])
    with pytest.raises(ValueError, match=r"unknown options \['rate'\]"):
        SGD([{"params": [parameter], "rate": 1}])
    for betas in ((0.9, 1.0), ("0.9", 0.9)):
        with pytest.raises(ValueError, match="betas are"):
            Adam([parameter], betas=betas)
    with pytest.raises(TypeError, match="ndarray"):
        SGD([np.ones(3)])
    parameter.grad = np.ones(4)
    with pytest.raises(ValueError, match=r"\(4,\)"):
        SGD([parameter], lr=0.1).step()


@pytest.mark.parametrize("rule", OPTIMIZERS.values())
def test_a_rate_in_words_and_a_whole_network_are_refused(rule):
    with pytest.raises(TypeError, match=r"lr is '0.1', a str; it must be a finite number of at least 0"):
        rule([Parameter(np.ones(3))], lr="0.1")
    for given in (Conv2d(1, 1, 1), Sequential(Conv2d(1, 1, 1)), [{"params": Conv2d(1, 1, 1)}], [Conv2d(1, 1, 1)]):
        with pytest.raises(TypeError, match=r"is a Conv2d|a (Conv2d|Sequential) was given; .* give net\.parameters\(\) or net"):
            rule(given, lr=0.1)


@pytest.mark.parametrize("max_norm", [None, 0.5, 1e6])
def test_clipping_follows_torch(max_norm, rng):
    parameters = [*parameters_of(rng), Parameter(np.ones(3)), Parameter(np.ones(3), requires_grad=False)]
    others = twins(parameters)
    set_gradients(rng, parameters, others)
    parameters[-2].grad = others[-2].grad = None
    frozen = parameters[-1].grad.copy()
    norm = clip_grad_norm(parameters, max_norm)
    theirs = torch.nn.utils.clip_grad_norm_(others[:-1], max_norm or float("inf"))
    np.testing.assert_allclose(norm, theirs.item(), rtol=1e-12)
    for parameter, other in zip(parameters[:-2], others[:-2], strict=True):
        np.testing.assert_allclose(parameter.grad, other.grad.numpy(), rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(parameters[-1].grad, frozen)


def test_clipping_keeps_float32_and_reports_what_is_not_finite():
    parameter = Parameter(np.ones(5, np.float32))
    parameter.grad = np.full(5, 3, np.float32)
    clip_grad_norm([parameter], 1.0)
    assert parameter.grad.dtype == np.float32
    parameter.grad[2] = np.nan
    assert np.isnan(clip_grad_norm([parameter]))
    with pytest.raises(ValueError, match="max_norm"):
        clip_grad_norm([parameter], 0)


def test_zero_grad_and_no_gradients_at_all():
    parameter = Parameter(np.ones(3))
    parameter.grad = np.ones(3)
    optimizer = SGD([parameter], lr=0.1)
    optimizer.zero_grad()
    assert parameter.grad is None
    assert clip_grad_norm([parameter], 1.0) == 0
    optimizer.step()
    np.testing.assert_array_equal(parameter.data, 1)


def test_results_do_not_depend_on_the_number_of_threads(rng):
    from minifcn import kernels

    def run(threads: int) -> np.ndarray:
        kernels.set_num_threads(threads)
        generator = np.random.default_rng(1)
        parameter = Parameter(generator.standard_normal(300_000).astype(np.float32))
        optimizer = Adam([parameter], lr=0.1)
        for _ in range(2):
            parameter.grad = generator.standard_normal(300_000).astype(np.float32)
            clip_grad_norm([parameter], 1.0)
            optimizer.step()
        return parameter.data

    before = kernels.get_num_threads()
    try:
        np.testing.assert_array_equal(run(1), run(3))
    finally:
        kernels.set_num_threads(before)


@pytest.mark.parametrize("rule", [Adam, AdamW])
def test_adam_refuses_numbers_in_which_its_averages_vanish(rule):
    layer = Conv2d(2, 2, 1).to("float16")
    layer.weight.grad = np.full_like(layer.weight.data, 1e-3)
    before = layer.weight.data.copy()
    with pytest.raises(ValueError, match="weight is float16, in which Adam's averages of squares vanish"):
        rule(layer.named_parameters()).step()
    np.testing.assert_array_equal(layer.weight.data, before)
