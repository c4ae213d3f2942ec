"""The README keeps its word: its Python blocks run and print what they say, its commands exist, its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

BLOCK = re.compile(r"```python\n(.*?)```(?:\n+prints\n+```\n(.*?)```)?", re.DOTALL)


@pytest.fixture(scope="module")
def readme(root) -> str:
    return (root / "README.md").read_text(encoding="utf-8")


def test_python_blocks_run_and_print_what_the_readme_says(readme, tmp_path):
    blocks = BLOCK.findall(readme)
    assert blocks
    for code, expected in blocks:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, f"{code}\n{done.stderr}"
        assert numbers_apart(done.stdout) == numbers_apart(expected)


def numbers_apart(text: str) -> list:
    """The words of a text, numbers as numbers rounded to what float32 on any machine agrees on."""
    words = []
    for word in text.split():
        try:
            words.append(pytest.approx(float(word), rel=2e-3))
        except ValueError:
            words.append(word)
    return words


def fenced(readme: str, start: str) -> str:
    """The block whose first line begins so."""
    return next(block for block in re.findall(r"```\w*\n(.*?)```", readme, re.DOTALL) if block.startswith(start))


@pytest.fixture(scope="module")
def own_pictures(readme, tmp_path_factory):
    """The folder of the README's layout and classes, with masks in colours and in labels, and lists."""
    root = tmp_path_factory.mktemp("own")
    layout = [line.split()[0] for line in fenced(readme, "mine/").splitlines()]
    assert layout == ["mine/images/beach.jpg", "mine/masks/beach.png", "mine/classes.txt", "mine/train.txt"]
    for folder in {(root / name).parent for name in layout}:
        folder.mkdir(parents=True, exist_ok=True)
    mine, classes = root / "mine", fenced(readme, "background 0 0 0")
    (mine / "classes.txt").write_text(classes)
    colours = np.array([line.split()[-3:] for line in classes.splitlines()], int).astype(np.uint8)
    rng = np.random.default_rng(0)
    names = ["beach", *(f"p{k}" for k in range(7))]
    for k, name in enumerate(names):
        labels = np.zeros((40, 48), np.uint8)
        labels[8:20], labels[24:], labels[:2] = 1, 2, 255
        painted = colours[np.where(labels == 255, 3, labels)]
        noisy = painted + rng.normal(0, 20, painted.shape)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(mine / "images" / f"{name}.jpg")
        Image.fromarray(painted if k % 2 else labels).save(mine / "masks" / f"{name}.png")
    (mine / "train.txt").write_text("\n".join(names[:6]))
    (mine / "val.txt").write_text("\n".join(names[6:]))
    return mine


def test_a_folder_of_ones_own_is_as_the_readme_says(own_pictures):
    from minifcn.data import build

    train, val = (build("folder", own_pictures, split) for split in ("train", "val"))
    assert (len(train), len(val), train.classes) == (6, 2, ("background", "sand", "deep water"))
    for index in range(len(train)):
        assert np.unique(train.read_label(index)).tolist() == [0, 1, 2, 255]
    for name in ("train", "val"):
        (own_pictures / f"{name}.txt").rename(own_pictures / f"{name}.away")
    try:
        assert [len(build("folder", own_pictures, split)) for split in ("train", "val")] == [6, 2]
    finally:
        for name in ("train", "val"):
            (own_pictures / f"{name}.away").rename(own_pictures / f"{name}.txt")


def test_an_experiment_of_ones_own_is_as_the_readme_says(readme, own_pictures, tmp_path):
    from minifcn import cli
    from minifcn.experiments import load

    path = tmp_path / "mirror.toml"
    path.write_text(fenced(readme, "title = "))
    experiment = load(path)
    assert [(run.name, run.share) for run in experiment.runs] == [
        ("plain", 1), ("mirrored", 1), ("borrowed", 2), ("longer", 1)
    ]  # fmt: skip
    assert experiment.runs[2].values(tmp_path / "w.npz")["init_from"] == str(tmp_path / "w.npz")
    arguments = ["--data", "folder", "--root", own_pictures, "--budget", 0.05, "--out", tmp_path / "out"]
    with pytest.raises(SystemExit) as leaving:
        cli.main(list(map(str, ["experiment", "run", path, *arguments])))
    assert not leaving.value.code
    assert {"plain", "mirrored", "borrowed", "longer"} <= {folder.name for folder in (tmp_path / "out").iterdir()}


def test_links_lead_to_files(readme, root):
    for target in re.findall(r"\]\(([^)#\s]+)\)|src=\"([^\"]+)\"", readme):
        path = next(filter(None, target))
        if not path.startswith("http"):
            assert (root / path).exists(), path


def test_commands_exist_with_the_options_that_the_readme_uses(readme):
    from typer.main import get_command

    from minifcn import cli

    cli.mount()
    root_command = get_command(cli.app)
    lines = re.findall(r"^minifcn ([a-z]+)(.*(?:\\\n.*)*)", readme, re.MULTILINE)
    assert lines
    for name, rest in lines:
        command = root_command.commands[name]
        if hasattr(command, "commands"):
            command = command.commands[rest.split()[0]]
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert set(re.findall(r"(?<=\s)--[a-z-]+", rest)) <= known, name
