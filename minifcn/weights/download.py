"""Well-known weights from where their authors keep them: fetched, checked and kept, so that each is fetched once.

The name of each file carries the first eight digits of its SHA-256, by which what came is checked, from whatever address.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from minifcn.fetching import Progress, fetch, wrong_digest

_TORCHVISION = "https://download.pytorch.org/models/"  # trained on ImageNet; those that segment on COCO, with VOC's classes
FILES = {
    "alexnet": "alexnet-owt-7be5be79.pth",
    "vgg11": "vgg11-8a719046.pth",
    "vgg13": "vgg13-19584684.pth",
    "vgg16": "vgg16-397923af.pth",
    "vgg19": "vgg19-dcbb9e9d.pth",
    "squeezenet1_1": "squeezenet1_1-b8a52dc0.pth",
    "resnet18": "resnet18-f37072fd.pth",
    "resnet34": "resnet34-b627a593.pth",
    "resnet50": "resnet50-0676ba61.pth",
    "resnet101": "resnet101-63fe2227.pth",
    "fcn-resnet50": "fcn_resnet50_coco-1167a1af.pth",
    "fcn-resnet101": "fcn_resnet101_coco-7ecb50ca.pth",
    "deeplabv3-resnet50": "deeplabv3_resnet50_coco-cd0a2569.pth",
    "deeplabv3-resnet101": "deeplabv3_resnet101_coco-586e9e4e.pth",
}


def address(name: str) -> str:
    """Where the weights ``name`` are. Raises ValueError, listing what there is, for an unknown name."""
    if name not in FILES:
        raise ValueError(f"{name!r} cannot be downloaded; choose one of {', '.join(FILES)}")
    return _TORCHVISION + FILES[name]


def cache() -> Path:
    """The folder where downloaded weights are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "minifcn" / "weights"


def download(
    name: str, url: str | None = None, folder: str | Path | None = None, progress: Progress | None = None
) -> Path:  # fmt: skip
    """The file of the weights ``name``, in the cache or in ``folder``: fetched, from ``url`` where one is given, unless it lies
    there already, checked in either case.

    ``progress(done, total)`` is told the bytes fetched so far, and the whole where it is known. Raises ValueError for an
    unknown name and for a file that is not what its name says, ConnectionError without a network, with the address and the
    place to put the file.
    """
    source, path = url or address(name), Path(folder or cache()).expanduser() / Path(address(name)).name
    digits = re.findall(r"-([0-9a-f]{8})\.pth$", path.name)[0]
    if not source.startswith(("http://", "https://")):
        raise ValueError(f"--url {source}: give an address that begins with https:// or http://")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fetch(source, path, digits, progress, "sha256", path.name)
    elif trouble := wrong_digest(path, digits, "sha256"):
        raise ValueError(f"{path}: {trouble}; remove the file and fetch it again")
    return path
