"""What is handed out: the wheel's content and size, what an editable install leaves behind, how the project is cited."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import minifcn
from minifcn.course.catalogue import written


def build(root: Path, target: str, folder: Path) -> Path:
    """The one file that the build backend makes of the sources in `root`, without a network: it must be installed already."""
    pytest.importorskip("hatchling", reason="hatchling, which builds the wheel, is not installed: pip install 'minifcn[test]'")
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory) -> Path:
    return build(root, "wheel", tmp_path_factory.mktemp("wheel"))


def names_in(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_holds_the_package_and_the_lessons_scripts_and_nothing_else(root, wheel):
    package = {
        path.relative_to(root).as_posix()
        for path in (root / "minifcn").rglob("*")
        if path.is_file() and path.suffix in (".py", ".cu", ".cuh", ".md", ".typed", ".js", ".css", ".html", ".toml", ".json")
    }
    lessons = {f"minifcn/lessons/{one.name}.py" for one in written()}
    there = {name for name in names_in(wheel) if ".dist-info/" not in name}
    assert "minifcn/py.typed" in package
    assert there == package | {"minifcn/py.typed"} | lessons


def test_the_wheel_is_small(wheel):
    assert wheel.stat().st_size < 1_200_000  # text alone, half of it the course; the lessons' pictures would be five times that


def test_the_wheel_says_who_may_use_it_and_how(root, wheel):
    with zipfile.ZipFile(wheel) as archive:
        (licence,) = (name for name in archive.namelist() if name.endswith("licenses/LICENSE"))
        (entry,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert archive.read(licence) == (root / "LICENSE").read_bytes()
        assert "minifcn = minifcn.cli:main" in archive.read(entry).decode()


def test_an_editable_install_is_a_link_and_nothing_else(root, tmp_path):
    editable = build(root, "wheel:editable", tmp_path)
    (link,) = (name for name in names_in(editable) if ".dist-info/" not in name)
    assert link.endswith(".pth")
    with zipfile.ZipFile(editable) as archive:
        assert archive.read(link).decode().split() == [str(root)]


@pytest.mark.slow
def test_a_wheel_made_of_the_source_archive_is_the_same(root, wheel, tmp_path):
    with tarfile.open(build(root, "sdist", tmp_path / "archive")) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (sources,) = (tmp_path / "unpacked").iterdir()
    assert {"CITATION.cff", "LICENSE", "README.md", "tests", "lessons"} <= {path.name for path in sources.iterdir()}
    assert sorted(names_in(build(sources, "wheel", tmp_path / "wheel"))) == sorted(names_in(wheel))


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run", "open"])
def test_a_lesson_runs_and_opens_from_the_wheel_in_another_folder(wheel, tmp_path, command):
    """Unpacked where no sources lie. `.ci/run` installs it for real."""
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    before = sorted(site.rglob("*"))
    places = {"PYTHONPATH": str(site), "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1", "BROWSER": "false"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "minifcn", "lesson", command, "2"],
        cwd=tmp_path, env={**os.environ, **places, "COLUMNS": "300"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(site.rglob("*")) == before
    if command == "run":
        assert "claims of lesson 02 hold" in done.stdout
        return
    assert str(site / "minifcn" / "lessons") in done.stdout
    (page,) = tmp_path.glob("minifcn-lesson-02-*/02_convolution_by_hand.html")
    pictures = re.findall(r'<img src="file://([^"]+)"', page.read_text(encoding="utf-8"))
    assert len(pictures) >= 10
    assert all(Path(picture).is_file() for picture in pictures)


def test_how_to_cite_agrees_with_the_package(root):
    """CITATION.cff, format 1.2.0: its required keys, and nothing that says something else than pyproject.toml."""
    text = (root / "CITATION.cff").read_text(encoding="utf-8")
    entries = dict(re.findall(r"^([a-z-]+):[ ]*(.*)$", text, re.MULTILINE))
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"cff-version", "message", "title", "authors"} <= set(entries)
    assert entries["cff-version"] == "1.2.0"
    assert entries["title"] == project["name"]
    assert entries["version"] == minifcn.__version__
    assert entries["license"] == project["license"]
    assert " ".join(text.split("abstract: >-")[1].splitlines()[1].split()) == project["description"]


def test_the_oldest_versions_are_those_that_are_allowed(root):
    """tests/oldest.txt pins every lower bound of pyproject.toml, and no other version of these packages."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    bounds = dict(re.split(">=|==", requirement) for requirement in wanted)
    lines = [line.split("#")[0].strip() for line in (root / "tests" / "oldest.txt").read_text(encoding="utf-8").splitlines()]
    assert dict(line.split("==") for line in lines if line) == bounds
