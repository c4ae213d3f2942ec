"""What a run was made with: versions, device, git commit."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import minifcn


def environment(device: str) -> dict[str, str]:
    """Versions and device by name, all as text; "commit" only where this code lies in a git checkout."""
    found = {
        "minifcn": minifcn.__version__,
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "platform": platform.platform(),
        "device": device,
    }
    if device == "cuda":
        cupy = sys.modules["cupy"]  # there are arrays on the GPU, so it is imported
        found["cupy"] = cupy.__version__
        found["device_name"] = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode()
    else:
        found["processor"] = platform.processor() or platform.machine()
    commit = git_commit()
    return found | ({"commit": commit} if commit else {})


def git_commit() -> str | None:
    """The commit of the checkout that this very file is part of, "-dirty" when changed since; None without one."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, timeout=10, check=True)
        return done.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)  # else some other project's checkout lies around us
        return git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.SubprocessError):
        return None
