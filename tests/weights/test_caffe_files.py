"""Caffe's files, against files that the protobuf library writes by Caffe's own field numbers."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn import weights

descriptors = pytest.importorskip("google.protobuf.descriptor_pb2")
from google.protobuf import descriptor_pool, message_factory  # noqa: E402

FLOAT, DOUBLE, INT32, INT64, STRING, MESSAGE = 2, 1, 5, 3, 9, 11
MESSAGES = {  # of caffe.proto, the fields that a file of weights has: (number, type, repeated, packed)
    "BlobShape": {"dim": (1, INT64, True, True)},
    "BlobProto": {
        "num": (1, INT32, False, False), "channels": (2, INT32, False, False), "height": (3, INT32, False, False),
        "width": (4, INT32, False, False), "data": (5, FLOAT, True, True), "diff": (6, FLOAT, True, True),
        "shape": (7, "BlobShape", False, False), "double_data": (8, DOUBLE, True, True),
    },
    "LayerParameter": {
        "name": (1, STRING, False, False), "type": (2, STRING, False, False), "blobs": (7, "BlobProto", True, False),
    },
    "V1LayerParameter": {
        "name": (4, STRING, False, False), "type": (5, INT32, False, False), "blobs": (6, "BlobProto", True, False),
    },
    "NetParameter": {
        "name": (1, STRING, False, False), "layers": (2, "V1LayerParameter", True, False),
        "layer": (100, "LayerParameter", True, False),
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=[True, False], ids=["packed", "unpacked"])
def caffe(request):
    """caffe(name of a message) -> its class; numbers in a row, as Caffe writes them, or each by itself."""
    file = descriptors.FileDescriptorProto(name=f"caffe_{request.param}.proto", package="caffe", syntax="proto2")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, repeated, packed) in fields.items():
            added = message.field.add(name=field, number=number, label=3 if repeated else 1)
            added.type = MESSAGE if isinstance(kind, str) else kind
            if isinstance(kind, str):
                added.type_name = f".caffe.{kind}"
            elif packed:
                added.options.packed = request.param
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"caffe.{name}"))


def fill(blob, array: np.ndarray, old: bool = False) -> None:
    """Puts an array into a blob; in the old way, with four lengths, ones in front."""
    (blob.double_data if array.dtype == np.float64 else blob.data).extend(array.ravel().tolist())
    if old:
        blob.num, blob.channels, blob.height, blob.width = (1,) * (4 - array.ndim) + array.shape
    else:
        blob.shape.dim.extend(array.shape)


def test_both_kinds_of_layers_equal_what_protobuf_wrote(caffe, tmp_path, rng):
    arrays = {
        "conv1_1.weight": rng.standard_normal((5, 3, 3, 7), np.float32), "conv1_1.bias": rng.standard_normal(5, np.float32),
        "fc6.weight": rng.standard_normal((4, 6)), "bn.weight": np.float32([1]), "bn.bias": np.float32([2]),
        "bn.2": np.float32([3]),
    }  # fmt: skip
    for field, kind in (("layer", "LayerParameter"), ("layers", "V1LayerParameter")):
        net = caffe("NetParameter")(name="net")
        getattr(net, field).add(name="data")  # without blobs, as most are
        for key, array in arrays.items():
            layers, name = getattr(net, field), key.partition(".")[0]
            layer = layers[-1] if layers[-1].name == name else layers.add(name=name)
            fill(layer.blobs.add(diff=[1.0, 2.0]), array)
        (tmp_path / "net.caffemodel").write_bytes(net.SerializeToString())
        found = weights.read(tmp_path / "net.caffemodel")
        assert list(found) == list(arrays), kind
        for key, array in arrays.items():
            np.testing.assert_array_equal(found[key], array, strict=True)
            assert found[key].flags.writeable


def test_shapes_of_four_numbers_lose_the_ones_in_front_that_stand_for_nothing(caffe, tmp_path, rng):
    net = caffe("NetParameter")()
    kernel = rng.standard_normal((1, 3, 5, 2), np.float32)
    fill(net.layers.add(name="conv").blobs.add(), kernel, old=True)
    layer = net.layers.add(name="fc8")
    arrays = [rng.standard_normal((2, 6), np.float32), rng.standard_normal(2, np.float32)]
    for array in arrays:
        fill(layer.blobs.add(), array, old=True)
    (tmp_path / "net.caffemodel").write_bytes(net.SerializeToString())
    found = weights.read(tmp_path / "net.caffemodel")
    np.testing.assert_array_equal(found["conv.weight"], kernel, strict=True)
    np.testing.assert_array_equal(found["fc8.weight"], arrays[0], strict=True)
    np.testing.assert_array_equal(found["fc8.bias"], arrays[1], strict=True)
