"""Files of weights, arrays under keys, whatever program wrote them. Nothing in such a file is ever executed.

.safetensors          ours and others', `safetensors_file`
.npz                  NumPy's, `numpy_file`
.pth  .pt  .pth.tar   PyTorch's, both formats, `torch_file`
.caffemodel           Caffe's, `caffe_file`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from minifcn.backend import Array, get_xp
from minifcn.weights.caffe_file import read_caffe
from minifcn.weights.numpy_file import read_npz, write_npz
from minifcn.weights.safetensors_file import DTYPES, opened, read_safetensors, write_safetensors
from minifcn.weights.torch_file import read_torch
from minifcn.weights.unreadable import Unreadable
from minifcn.words import name_some

_READERS: dict[str, Callable[[Path], dict[str, np.ndarray]]] = {
    ".npz": read_npz,
    ".pth": read_torch,
    ".pt": read_torch,
    ".tar": read_torch,  # model_best.pth.tar, a habit of PyTorch's examples; it is no tar archive
    ".caffemodel": read_caffe,
}
READ = (".safetensors", *_READERS)
WRITTEN = (".safetensors", ".npz")


def read(path: str | Path) -> dict[str, np.ndarray]:
    """{key: array} of a file of weights, or the network's part of a checkpoint or run folder.

    bfloat16 becomes float32, exactly; PyTorch's nested dicts become keys joined by dots. Nothing is executed, and what is no
    array of numbers is refused, even beside good ones. Raises FileNotFoundError, or ValueError, in one line, for another kind
    of file or a damaged one.
    """
    path = Path(path)
    if path.is_dir():
        path = checkpoint_of(path)
    suffix = path.suffix.lower()
    if suffix not in READ:
        raise ValueError(f"{path}: weights are read from {', '.join(READ)}, not from {suffix or 'a file without suffix'}")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    if suffix == ".safetensors":
        tensors, metadata = read_safetensors(path)
        return part_of(tensors, "model.") if "minifcn" in metadata else tensors
    try:
        return _READERS[suffix](path)
    except Unreadable as error:
        raise ValueError(f"{path} {error}") from error


load_weights = read  # its name in 0.1


def metadata(path: str | Path) -> dict[str, str]:
    """What a .safetensors file, or a run folder's, says of itself, texts under texts; {} where there is no place for it."""
    path = checkpoint_of(Path(path)) if Path(path).is_dir() else Path(path)
    if path.suffix.lower() != ".safetensors":
        return {}
    with opened(path) as file:
        return file.metadata() or {}


def write(path: str | Path, arrays: Mapping[str, Array], metadata: Mapping[str, str] | None = None) -> None:
    """Writes {key: array} to a .safetensors or .npz file, whole or not at all.

    A network's `state_dict()` has PyTorch's keys, shapes and layouts: `safetensors.torch.load_file`, or NumPy, reads it back
    into its twin there. ``metadata``, texts under texts, goes into a .safetensors file; a .npz has no place for it. Raises
    ValueError for another suffix and for what cannot be written, TypeError for what is no mapping.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in WRITTEN:
        raise ValueError(f"{path}: weights are written to {' and '.join(WRITTEN)}, not to {suffix or 'a file without suffix'}")
    if not isinstance(arrays, Mapping):
        raise TypeError(f"{path} is not written: give {{key: array}}, e.g. net.state_dict(), not a {type(arrays).__name__}")
    wrong = [str(key) for key, array in arrays.items() if not (isinstance(key, str) and _is_written(array))]
    if wrong:
        raise ValueError(f"{path} is not written: {name_some(wrong)} must be arrays under texts, of {', '.join(DTYPES)}")
    if metadata and (suffix == ".npz" or not all(isinstance(text, str) for item in metadata.items() for text in item)):
        raise ValueError(f"{path} is not written: metadata are texts under texts, and go into .safetensors alone")
    write_npz(path, arrays) if suffix == ".npz" else write_safetensors(path, arrays, metadata or {})


def _is_written(array: Array) -> bool:
    return hasattr(array, "dtype") and hasattr(array, "shape") and array.dtype.name in DTYPES


def checkpoint_of(folder: Path) -> Path:
    """The checkpoint that stands for a run: the best, where there was a validation, else the last."""
    for name in ("best", "last"):
        if (folder / f"{name}.safetensors").is_file():
            return folder / f"{name}.safetensors"
    raise FileNotFoundError(f"{folder} holds neither best.safetensors nor last.safetensors: it is no finished run folder")


def part_of(tensors: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {key.removeprefix(prefix): array for key, array in tensors.items() if key.startswith(prefix)}


def non_finite(tensors: Mapping[str, Array]) -> list[str]:
    """The keys of the floating arrays that hold NaN or infinity."""
    return [key for key, array in tensors.items() if array.dtype.kind == "f" and not is_finite(array)]


def is_finite(array: Array) -> bool:
    """True when no element is NaN or infinite; from a GPU this waits for the device."""
    xp = get_xp(array)
    with np.errstate(over="ignore", invalid="ignore"):
        if bool(xp.isfinite(array.sum())):  # one pass and no temporary: NaN and infinity survive a sum
            return True
    return bool(xp.isfinite(array).all())  # or the sum of finite elements overflowed
