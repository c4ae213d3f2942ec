"""PASCAL VOC and SBD from their own sites: fetched with checksum, continued where it stopped, unpacked whole or not.

An archive grows as `<name>.part` and gets its name when its MD5 is right; it is unpacked into a temporary folder, and
the set is moved to its place when all of it is there. So whatever bears its final name is complete.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

from minifcn.fetching import Progress, fetch, wrong_digest
from minifcn.safe_file import put_folder


class Archive(NamedTuple):
    """Where an archive is, its MD5, the folder in it, and what that folder becomes below the root."""

    url: str
    md5: str
    folder: str
    target: str

    @property
    def filename(self) -> str:
        return self.url.rsplit("/", 1)[-1]


_VOC = "http://host.robots.ox.ac.uk/pascal/VOC"
_SBD = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours"
ARCHIVES = {
    "voc2012": Archive(
        f"{_VOC}/voc2012/VOCtrainval_11-May-2012.tar",
        "6cd6e144f989b92b3379bac3b3de84fd",
        "VOCdevkit/VOC2012",
        "VOCdevkit/VOC2012",
    ),
    "voc2011": Archive(
        f"{_VOC}/voc2011/VOCtrainval_25-May-2011.tar",
        "6c3384ef61512963050cb5d687e5bf1e",
        "TrainVal/VOCdevkit/VOC2011",
        "VOCdevkit/VOC2011",
    ),
    "sbd": Archive(f"{_SBD}/benchmark.tgz", "82b4d87ceb2ed10f6038a1cba92111cb", "benchmark_RELEASE", "benchmark_RELEASE"),
}


def archive_of(name: str) -> Archive:
    """The archive of a data set. Raises ValueError, listing what there is, for an unknown name."""
    if name not in ARCHIVES:
        raise ValueError(f"{name!r} cannot be downloaded; choose one of {', '.join(ARCHIVES)}")
    return ARCHIVES[name]


def download(name: str, root: str | Path = "data", progress: Progress | None = None) -> Path:
    """Fetches and unpacks "voc2012", "voc2011" or "sbd" below `root` and returns the set's folder.

    What is there already is not fetched again: neither the set nor its archive, which may have been put into `root` by
    other means and stays there. `progress(done, total)` is told the bytes fetched so far, and the whole where it is
    known. Raises ValueError for an unknown name, a wrong checksum or a damaged archive, ConnectionError without a
    network, OSError for a full disk.
    """
    archive, root = archive_of(name), Path(root).expanduser()
    target = root / archive.target
    if target.exists():
        return target
    root.mkdir(parents=True, exist_ok=True)
    path = root / archive.filename
    if not path.exists():
        fetch(archive.url, path, archive.md5, progress)
    elif trouble := wrong_digest(path, archive.md5):
        raise ValueError(f"{path}: {trouble}; remove the file and fetch it again")
    unpack(path, archive.folder, target)
    return target


def unpack(path: Path, folder: str, target: Path) -> None:
    """Unpacks a tar archive and moves its `folder` to `target`, all of it or nothing.

    Files may only land below the temporary folder (tarfile's `data` filter). Raises ValueError where the archive is
    damaged, wants to write elsewhere, or lacks `folder`.
    """
    if not hasattr(tarfile, "data_filter"):
        raise OSError("archives are unpacked safely by Python 3.11.4 and newer only; update Python")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=target.parent))
    try:
        with tarfile.open(path) as tar:
            tar.extractall(temporary, filter="data")
        if not (temporary / folder).is_dir():
            raise ValueError(f"{path}: the archive has no folder {folder}; is it another one under that name?")
        put_folder(temporary / folder, target)
    except (tarfile.TarError, EOFError) as error:
        reason = str(error).partition("\n")[0].rstrip(":")
        raise ValueError(f"{path}: the archive cannot be unpacked ({reason}); remove it and fetch it again") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
