"""``minifcn gradcheck``: ours pass; a reader's file is loaded, run on the same cases, and its mistake named."""

from __future__ import annotations

import pytest

MINE = """
from minifcn import functional as F

def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    return F.conv2d(x, weight, bias, stride, padding, dilation, groups)

def conv2d_backward(dy, cache):
    dx, dweight, dbias = F.conv2d_backward(dy, cache)
    return dx, dweight{mistake}, dbias

def square(x):
    return x * x, x

def square_backward(dy, cache):
    return 2 * cache * dy

def scale(x, gain):
    return x * gain, (x, gain)

def scale_backward(dy, cache):
    x, gain = cache
    return dy * gain, (dy * x).sum()

def scale_inputs(rng):
    return rng.standard_normal((3, 4)), rng.standard_normal(())
"""


@pytest.fixture
def mine(tmp_path):
    def write(mistake: str = "") -> str:
        path = tmp_path / "mine.py"
        path.write_text(MINE.replace("{mistake}", mistake))
        return str(path)

    return write


def test_all_of_ours_pass_both_ways(minifcn):
    result = minifcn("gradcheck", "--cases", 2)
    assert result.status == 0, result.out
    assert "WRONG" not in result.out
    for name in ("conv2d", "conv_transpose2d", "batch_norm", "cross_entropy"):
        assert result.out.count(f"  {name} ") == 2  # against numeric gradients, and against PyTorch


def test_a_layers_name_stands_for_its_function(minifcn):
    result = minifcn("gradcheck", "ReLU", "--cases", 1)
    assert result.status == 0
    assert "relu" in result.out


def test_a_broken_backward_of_ours_is_seen(minifcn, monkeypatch):
    from minifcn import functional as F

    right = F.relu_backward
    monkeypatch.setattr("minifcn.functional.activation.relu_backward", lambda dy, cache: -right(dy, cache))
    result = minifcn("gradcheck", "relu", "--cases", 1)
    assert result.status == 2
    assert "WRONG" in result.out


def test_a_readers_function_is_tried_on_the_same_cases(minifcn, mine):
    result = minifcn("gradcheck", f"{mine()}:conv2d", "--cases", 3)
    assert result.status == 0, result.out
    assert "right in 3 cases" in result.out


def test_a_readers_mistake_is_named(minifcn, mine):
    result = minifcn("gradcheck", f"{mine('[:, :, ::-1, ::-1]')}:conv2d", "--cases", 3)
    assert result.status == 2
    assert "flipped" in result.out


@pytest.mark.parametrize("name", ["square", "scale"])
def test_functions_of_ones_own_invention(minifcn, mine, name):
    result = minifcn("gradcheck", f"{mine()}:{name}")
    assert result.status == 0, result.err


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("softmin", "unknown layer 'softmin'; possible are conv2d"),
        ("nowhere.py:f", "no such file: nowhere.py"),
        ("nowhere.py", "write FILE.py:NAME"),
    ],
)
def test_what_cannot_be_checked_is_said_in_one_sentence(minifcn, target, words):
    result = minifcn("gradcheck", target)
    assert result.status == 2
    assert words in result.err
    assert result.err.count("\n") == 1


def test_a_file_that_is_no_python_file(minifcn, tmp_path):
    (tmp_path / "mine.py.txt").write_text("def f(x): ...")
    result = minifcn("gradcheck", f"{tmp_path / 'mine.py.txt'}:f")
    assert result.status == 2
    assert "its name must end in .py" in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (b"\xc0bD\xe2\xf9", "line 1 is no Python"),
        (b"def f(x):\n    return x +\n", "line 2 is no Python"),
        (b"def f(x):\n    return x\0\n", "null bytes"),
        (b"# -*- coding: nix -*-\n", "unknown encoding: nix"),
        (b"import nowhere\n", "No module named 'nowhere', in line 1: import nowhere"),
        (b"raise SystemExit(3)\n", "SystemExit: 3, in line 1"),
        (
            b"def f(x):\n    return x / nought, x\n",
            "fails when it is called: NameError: name 'nought' is not defined, in line 2",
        ),
        (b"def f(x):\n    return x + 'a'\n", "in line 2: return x + 'a'"),
        (b"def f(x):\n    exit(3)\n", "SystemExit: 3, in line 2"),
        (b"def f(x):\n    raise ValueError('boom')\n", "ValueError: boom, in line 2"),
        (b"def f(x, y):\n    return x\n", "could not be called with 1 arrays"),
        (b"f = [1, 2]\n", "own.py:f is a list: give a function, or a layer"),
        (b"import numpy\nf = numpy.ones(3)\n", "own.py:f is a ndarray"),
    ],
)
@pytest.mark.parametrize("folder", ["", "{}/"])
def test_a_file_that_fails_is_told_where(minifcn, tmp_path, monkeypatch, written, words, folder):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_bytes(written + b"def f_backward(dy, cache):\n    return dy\n")
    result = minifcn("gradcheck", f"{folder.format(tmp_path)}own.py:f")
    assert result.status == 2
    assert words in result.err
    assert result.err.count("\n") == 1


def test_a_name_that_the_file_lacks(minifcn, mine):
    result = minifcn("gradcheck", f"{mine()}:cube")
    assert result.status == 2
    assert "defines no 'cube'" in result.err


def test_a_function_of_ours_without_cases_is_sent_to_where_they_are(minifcn, monkeypatch):
    from minifcn.checks import cases

    monkeypatch.delitem(cases._MAKERS, "relu")
    result = minifcn("gradcheck", "relu")
    assert result.status == 2
    assert "no cases yet to try relu on" in result.err
