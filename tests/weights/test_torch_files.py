"""PyTorch's files, both formats: every number bit for bit, and nothing but tensors and plain containers comes in."""

from __future__ import annotations

import argparse
import collections

import numpy as np
import pytest

from minifcn import models, weights

torch = pytest.importorskip("torch")
from support.torch_oracles import oracle  # noqa: E402 (needs PyTorch)

FORMATS = {
    "zip": {},
    "zip-protocol-4": {"pickle_protocol": 4},
    "zip-protocol-5": {"pickle_protocol": 5},
    "legacy": {"_use_new_zipfile_serialization": False},
    "legacy-protocol-4": {"_use_new_zipfile_serialization": False, "pickle_protocol": 4},
}


@pytest.fixture(params=FORMATS)
def saved(request, tmp_path):
    """saved(anything) -> its file, in each of the formats."""

    def save(value):
        path = tmp_path / "file.pth"
        torch.save(value, path, **FORMATS[request.param])
        return path

    return save


def bits(array: np.ndarray) -> bytes:
    return np.ascontiguousarray(array).tobytes()


def same(found: dict, expected: dict) -> None:
    """The same keys in the same order, types, shapes and bits."""
    assert list(found) == list(expected)
    for key, tensor in expected.items():
        right = tensor.detach().contiguous()
        right = (right.float() if right.dtype == torch.bfloat16 else right).numpy()
        assert found[key].dtype == right.dtype, key
        assert found[key].shape == right.shape, key
        assert bits(found[key]) == bits(right), key
        assert found[key].flags.c_contiguous
        assert found[key].flags.writeable


DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8,
    torch.uint16, torch.uint32, torch.uint64, torch.bool,
]  # fmt: skip


def numbers(dtype, *shape):
    """Any bits, NaN and denormal numbers among them."""
    count = int(np.prod(shape, initial=1))
    raw = np.random.default_rng(3).integers(0, 2 if dtype == torch.bool else 256, count * dtype.itemsize, np.uint8)
    return torch.frombuffer(bytearray(raw.tobytes() + bytes(8)), dtype=dtype)[:count].clone().reshape(shape)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_kind_of_number(saved, dtype):
    tensors = {"a": numbers(dtype, 3, 1, 5), "none": numbers(dtype, 0, 4), "scalar": numbers(dtype)}
    same(weights.read(saved(tensors)), tensors)


def test_views_of_one_storage(saved):
    whole = torch.arange(2 * 3 * 5 * 7, dtype=torch.float32).reshape(2, 3, 5, 7)
    half = torch.arange(24, dtype=torch.bfloat16).reshape(4, 6)
    tensors = {
        "whole": whole, "again": whole, "part": whole[1, :, 1:4], "columns": whole[..., 3],
        "transposed": whole.permute(3, 0, 2, 1), "every second": whole[:, ::2, :, ::3], "number": whole[1, 2, 4, 6],
        "expanded": whole[0, 0, 0, :1].expand(4, 3), "half": half.t(), "row": half[2],
        "channels last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "empty": whole[2:],
    }  # fmt: skip
    found = weights.read(saved(tensors))
    same(found, tensors)
    found["part"][...] = found["again"][...] = -1
    assert (found["whole"] >= 0).all()  # each is an array of its own


@pytest.mark.filterwarnings("ignore:TypedStorage")
def test_containers_parameters_and_storages(saved):
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    state = module.state_dict()  # an OrderedDict with an attribute, _metadata
    value = {
        "net": state, "list": [torch.ones(2), (torch.zeros(1), 3.5, "text", None, True)], "size": torch.Size([2, 3]),
        7: torch.nn.Parameter(torch.randn(2, 2)), "ordered": collections.OrderedDict(a=torch.tensor(3)),
        "storage": torch.arange(3.0).storage(),
    }  # fmt: skip
    expected = {f"net.{key}": tensor for key, tensor in state.items()}
    expected |= {"list.0": torch.ones(2), "list.1.0": torch.zeros(1), "7": value[7], "ordered.a": torch.tensor(3)}
    same(weights.read(saved(value)), expected | {"storage": torch.arange(3.0)})


def test_a_tensor_alone(saved):
    same(weights.read(saved(torch.arange(6).reshape(2, 3))), {"tensor": torch.arange(6).reshape(2, 3)})


@pytest.mark.parametrize("part", ["state_dict", "model_state_dict", "model"])
def test_the_networks_part_of_a_checkpoint(saved, part):
    net = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    value = {"epoch": 3, "arch": "vgg16", "best": 0.5, "optimizer": optimizer.state_dict(), part: net.state_dict()}
    same(weights.read(saved(value)), dict(net.state_dict()))


def test_a_function_beside_the_networks_part_is_refused_too(saved):
    """Even one whose name is known, as that of what makes a tensor."""
    for other in (torch._utils._rebuild_tensor_v2, collections.OrderedDict, torch.uint16):
        with pytest.raises(ValueError, match="in the place of a value"):
            weights.read(saved({"state_dict": {"a": torch.ones(2)}, "others": [{"f": other}]}))


@pytest.mark.parametrize("name", models.names())
def test_every_networks_file(tmp_path, name):
    module, _ = oracle(name)
    for file, options in (("new.pth", {}), ("old.pt", {"_use_new_zipfile_serialization": False})):
        torch.save(module.state_dict(), tmp_path / file, **options)
        same(weights.read(tmp_path / file), dict(module.state_dict()))


class Custom:
    """Anybody's class."""


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (torch.nn.Conv2d(3, 4, 3), r"'torch\.nn\.modules\.conv\.Conv2d', which is no tensor"),
        (argparse.Namespace(lr=0.1), r"'argparse\.Namespace'"),
        (torch.optim.SGD([torch.ones(1, requires_grad=True)], 0.1), r"'torch\.optim\.sgd\.SGD'"),
        (print, r"'(__builtin__|builtins)\.print'"),
        (torch.eye(3).to_sparse(), r"'torch\._utils\._rebuild_sparse_tensor'"),
        (torch.zeros(2, dtype=torch.complex64), r"'torch\.ComplexFloatStorage'"),
        (torch.zeros(2).to(torch.float8_e4m3fn), r"'torch\.float8_e4m3fn'"),
        (torch.empty(2, device="meta"), r"_rebuild_meta_tensor_no_storage"),
        (torch.float32, r"'torch\.float32'"),
        (torch.device("cpu"), r"'torch\.device'"),
        (np.float64(0.3), r"'numpy\._?core\.multiarray\.scalar'"),
        (np.zeros(3), r"'numpy\._?core\.(multiarray\._reconstruct|numeric\._frombuffer)'"),
        ({1, 2}, "set|EMPTY_SET"),
        ({(1, 2): 3}, "a dict whose key is a tuple"),
        (2j, "complex"),
        (b"bytes", "_codecs|BYTES"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_all_else_is_refused_even_beside_good_tensors(saved, what, said):
    path = saved({"good": torch.ones(3), "other": what})
    with pytest.raises(ValueError, match=f"^{path} .*({said})") as refusal:
        weights.read(path)
    assert "\n" not in str(refusal.value)


def test_conjugate_and_negative_views_are_refused(saved):
    value = torch.complex(torch.ones(3), torch.ones(3)).conj().imag  # a real tensor whose sign is a flag
    assert value.is_neg()
    with pytest.raises(ValueError, match=r"hooks or flags|ComplexFloatStorage"):
        weights.read(saved({"a": value}))


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_torchscript_is_refused(tmp_path):
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "script.pt")
    with pytest.raises(ValueError, match=r"script\.pt is TorchScript, which holds programs"):
        weights.read(tmp_path / "script.pt")


@pytest.mark.filterwarnings("ignore:.*quantize")
def test_quantized_tensors_are_refused(saved):
    value = torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)
    with pytest.raises(ValueError, match=r"QInt8Storage|_rebuild_qtensor"):
        weights.read(saved({"a": value}))


def test_nothing_and_clashes(saved):
    with pytest.raises(ValueError, match="holds no tensors"):
        weights.read(saved({"epoch": 3}))
    with pytest.raises(ValueError, match=r"two things called 'a\.b'"):
        weights.read(saved({"a": {"b": torch.ones(1)}, "a.b": torch.ones(1)}))
    with pytest.raises(ValueError, match="two things called '1'"):
        weights.read(saved({1: torch.ones(1), "1": torch.ones(1)}))


def test_a_small_file_with_a_huge_view_is_refused(saved):
    with pytest.raises(ValueError, match="asks for arrays of"):
        weights.read(saved({"a": torch.zeros(1).expand(10**5, 10**5)}))
