"""The README keeps its word: its Python blocks run and print what they say, its commands exist, its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

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
