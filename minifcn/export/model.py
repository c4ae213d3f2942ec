"""From a network to an ONNX file: followed, written down, checked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from minifcn.anatomy.trace import Graph, Ref, Step
from minifcn.data.preprocessing import Preprocessing
from minifcn.export.following import Batch, followed
from minifcn.export.forms import FORMS, form_of
from minifcn.export.writer import FLOAT, UINT8, Writer
from minifcn.kernels.geometry import pair
from minifcn.layers import Layer, channels_of_picture
from minifcn.safe_file import replacing

OPSET, IR_VERSION = 22, 10  # onnxruntime reads both from 1.21 on
_LARGEST = 2**31 - 1  # bytes of a protobuf message

Shape = tuple[int | str | None, ...]  # a number, the name of a size that is open, or None for an open size without a name


@dataclass(frozen=True)
class Port:
    """What goes into the file or comes out of it: its name, dtype and shape."""

    name: str
    dtype: str
    shape: Shape

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} ({', '.join('?' if n is None else str(n) for n in self.shape)})"


def onnx(
    net: Layer, path: str | Path, size: tuple[int, int] | None = None, *,
    classes: Sequence[str] | None = None, preprocessing: Preprocessing | None = None, pictures: bool = False,
) -> str:  # fmt: skip
    """Writes ``net`` as ``path``, an .onnx file, for pictures of any size or of ``size`` (H, W), in batches of any size.

    ``classes`` and ``preprocessing`` go into the metadata; with ``pictures`` the file prepares pictures itself and says labels
    (see :mod:`minifcn.export`). Returns what goes in and what comes out, in a line that the file holds too.

    Raises ValueError, and leaves no file, where the package onnx is not installed, the name does not end in .onnx, the network
    refuses the size, a layer has no form, or the network cannot be followed; OSError where the file cannot be written.
    """
    path, library = Path(path), _library()
    if path.suffix.lower() != ".onnx":
        raise ValueError(f"{path}: the name of an ONNX file ends in .onnx")
    if (nbytes := 4 * sum(parameter.size for parameter in net.parameters())) > _LARGEST:
        raise ValueError(f"the weights take {nbytes / 1e9:.1f} GB and an ONNX file holds 2 GB: export a narrower network")
    channels = channels_of_picture(net)
    if pictures:
        _check_pictures(preprocessing, channels)
    batches, graphs = followed(net, channels, None if size is None else pair(size, "size", 1))
    model = _model(library, net, batches, graphs, preprocessing if pictures else None)
    about = {"model": net.config, "classes": classes and list(classes), "preprocessing": preprocessing and preprocessing.config}
    texts = {key: json.dumps(value, default=np.generic.item) for key, value in about.items() if value}
    library.helper.set_model_props(model, texts)
    said, content = model.doc_string, model.SerializeToString()
    del model  # which holds all weights once more
    _check(library, content)
    with replacing(path) as file:
        file.write(content)
    return said


def _library() -> ModuleType:
    """The package onnx."""
    try:
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
        import onnx.shape_inference
    except ImportError as error:
        raise ValueError(f"ONNX files are written with the package onnx ({error}): pip install 'minifcn[export]'") from error
    return onnx


def _check_pictures(preprocessing: Preprocessing | None, channels: int) -> None:
    if preprocessing is None:
        raise ValueError("a file that takes pictures as they are must prepare them, and nobody said with which preprocessing")
    if channels != 3:
        raise ValueError(f"pictures have 3 channels and the network takes {channels}: prepare its input outside of the file")


def _model(
    library: ModuleType, net: Layer, batches: Sequence[Batch], graphs: Sequence[Graph], preparing: Preprocessing | None
) -> Any:  # fmt: skip
    """The ModelProto of a network that was followed through ``batches``, ``preparing`` its pictures, or not."""
    from minifcn import __version__

    helper, writer = library.helper, Writer(net)
    N, C, H, W = _shape(batches, [graph.arrays[0].shape for graph in graphs])
    entrance = Port("image", "float32", (N, C, H, W))
    writer.arrays[0] = entrance.name
    if preparing is not None:
        entrance = Port("pictures", "uint8", (N, H, W, C))
        writer.arrays[0] = _prepared(writer, preparing, entrance.name)
    for step in graphs[0].steps:
        _write(writer, step)
    exits = list(_exits(writer, net, batches, graphs, labels=preparing is not None))
    described = [
        helper.make_tensor_value_info(port.name, helper.np_dtype_to_tensor_dtype(np.dtype(port.dtype)), port.shape)
        for port in (entrance, *exits)
    ]
    model = helper.make_model(
        helper.make_graph(writer.nodes, net.config["name"], described[:1], described[1:]),
        opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
        producer_name="minifcn", producer_version=__version__, doc_string=f"{entrance} -> {', '.join(map(str, exits))}",
    )  # fmt: skip
    for key, array in writer.constants.items():  # one by one: a list of them would be all weights once more
        model.graph.initializer.append(library.numpy_helper.from_array(np.ascontiguousarray(array), key))
    return model


def _shape(batches: Sequence[Batch], shapes: Sequence[Sequence[int]]) -> Shape:
    """The shape of an array, of its ``shapes`` for each of the batches: a number where it stayed, the name of what it is."""
    names = dict(zip(zip(*batches, strict=True), ("N", "H", "W"), strict=True))
    axes: list[tuple[int, ...]] = list(zip(*shapes, strict=True))
    return tuple(sizes[0] if len(set(sizes)) == 1 else names.get(sizes) for sizes in axes)


def _write(writer: Writer, step: Step) -> None:
    """Adds the nodes of one layer at work."""
    function, kind = form_of(step.layer), type(step.layer).__name__
    if function is None:
        raise ValueError(
            f"{step.name} is a {kind}, which has no form in ONNX here: write one with @minifcn.export.form({kind}), as "
            f"minifcn/export/forms.py does for {', '.join(sorted(known.__name__ for known in FORMS))}"
        )
    writer.step = step.name
    made = function(writer, step.layer, *(_given(writer, value, f"what {step.name} takes") for value in step.given))
    names = [made] if isinstance(made, str) else list(made)
    if len(names) != len(step.made):
        raise ValueError(f"the form of {kind} returns {len(names)} names, and {step.name} gives {len(step.made)} arrays")
    writer.arrays.update(zip(step.made, names, strict=True))


def _given(writer: Writer, value: Any, what: str) -> Any:
    """What a form is told of something that its layer was called with: the name of a tensor; sizes as they are."""
    if isinstance(value, Ref):
        return writer.arrays[_number(value, what)]
    return writer.constant(value) if isinstance(value, np.ndarray) else value


def _number(ref: Any, what: str) -> int:
    """The number of an array. Raises ValueError where it has none."""
    if not isinstance(ref, Ref) or ref.number is None:
        raise ValueError(
            f"{what} came out of no layer: it was computed, or written over, between the layers, where nobody can follow; do "
            "it in a layer, such as Add, Concat, Crop or Scale of minifcn.layers, or in one of your own with a form in ONNX"
        )
    return ref.number


def _exits(
    writer: Writer, net: Layer, batches: Sequence[Batch], graphs: Sequence[Graph], labels: bool
) -> Iterator[Port]:  # fmt: skip
    """What comes out: the scores, their labels where they are wanted, and what else the network returns."""
    writer.step = "outputs"
    returned = graphs[0].returned if isinstance(graphs[0].returned, tuple) else (graphs[0].returned,)
    for place, ref in enumerate(returned):
        number = _number(ref, f"what {net.config['name']} returns")
        arrays = [graph.arrays[number] for graph in graphs]
        dtype = "float32" if arrays[0].dtype.kind == "f" else arrays[0].dtype.name
        port = Port(f"output_{place + 1}" if place else "scores", dtype, _shape(batches, [array.shape for array in arrays]))
        writer.name(writer.arrays[number], port.name)
        yield port
        if labels and place == 0:
            yield _labels(writer, port)


def _prepared(writer: Writer, preprocessing: Preprocessing, pictures: str) -> str:
    """(N, H, W, 3) uint8 RGB -> (N, 3, H, W) float32: what the preprocessing makes of each picture."""
    writer.step, recipe = "preprocessing", preprocessing.config
    x = writer.node("Cast", pictures, to=FLOAT)
    x = writer.node("Transpose", x, perm=[0, 3, 1, 2])
    if recipe["channels"] == "BGR":
        x = writer.node("Gather", x, writer.constant([2, 1, 0]), axis=1)
    mean, std = (writer.constant(np.reshape(recipe[name], (3, 1, 1))) for name in ("mean", "std"))
    return writer.node("Div", writer.node("Sub", x, mean), std)


def _labels(writer: Writer, scores: Port) -> Port:
    """Scores (N, C, ...) -> labels (N, ...), the class with the highest; a byte, as in a mask, where that is enough."""
    N, C, *places = scores.shape
    port = Port("labels", "uint8" if isinstance(C, int) and C <= 256 else "int64", (N, *places))
    labels = writer.node("ArgMax", scores.name, axis=1, keepdims=0)  # int64
    writer.name(writer.node("Cast", labels, to=UINT8) if port.dtype == "uint8" else labels, port.name)
    return port


def _check(library: ModuleType, content: bytes) -> None:
    """Raises ValueError where a file's content is no valid model."""
    try:
        library.checker.check_model(content, full_check=True)
    except (library.checker.ValidationError, library.shape_inference.InferenceError) as error:
        why = " ".join(str(error).split())
        raise ValueError(f"this is no valid ONNX; is there a form of your own that is wrong? {why}") from error
