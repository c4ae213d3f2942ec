"""What a run says about where it was made."""

from __future__ import annotations

import subprocess
from pathlib import Path

from minifcn.machine import environment


def test_commit_of_this_checkout_and_of_no_other(tmp_path, monkeypatch):
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=x", "-c", "user.email=x@y")
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True, capture_output=True)

    source = tmp_path / "package" / "environment.py"
    source.parent.mkdir()
    source.write_text("")
    monkeypatch.setattr(environment, "__file__", str(source))
    assert environment.git_commit() is None
    git("init")
    (tmp_path / "other").write_text("")
    git("add", "other")
    git("commit", "-m", "a project that this package is installed in, but no part of")
    assert environment.git_commit() is None
    git("add", "package")
    git("commit", "-m", "now it is a part")
    commit = environment.git_commit()
    assert len(commit) == 40
    source.write_text("# changed")
    assert environment.git_commit() == f"{commit}-dirty"


def test_environment_is_all_text():
    found = environment.environment("cpu")
    assert all(isinstance(value, str) and value for value in found.values())
    assert {"minifcn", "python", "numpy", "device"} <= set(found)
    assert Path(environment.__file__).name == "environment.py"
