"""Files that mean harm, cut files and mutated ones: each refused in one line, soon, in little memory, with nothing executed."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minifcn import weights
from support import weight_files

HOSTILE = weight_files.hostile()
GOOD = weight_files.good()


def refusal(path) -> str:
    """Why a file is refused, in one line that begins with its name; nothing but ValueError says so."""
    with pytest.raises(ValueError) as refused:
        weights.read(path)
    said = str(refused.value)
    assert said.startswith(str(path))
    assert "\n" not in said
    assert len(said) < 600
    return said


def test_there_are_enough_of_them():
    assert len(HOSTILE) > 150


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_in_one_line_and_nothing_is_executed(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (path,) = weight_files.write(tmp_path, {name: HOSTILE[name]})
    refusal(path)
    assert not (tmp_path / weight_files.CANARY).exists()


def test_a_long_header_is_refused_before_it_is_read(tmp_path):
    (path,) = weight_files.write(tmp_path, {"w.safetensors": HOSTILE["a header of 20 MB.safetensors"]})
    assert "a header of 22,560,000 bytes" in refusal(path)


WATCHED = """
import json, os, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
from minifcn import cli, weights
events, report, reading, read = [], {}, [], weights.read

def watched(path):
    reading.append(path)
    try:
        return read(path)
    finally:
        reading.clear()

weights.read = watched

def run(name):
    began = time.process_time()
    try:
        cli.main(["weights", "show", name])
        status = 0
    except SystemExit as leaving:
        status = leaving.code
    return status, time.process_time() - began

run("zip.pth"), run("good.safetensors"), run("missing.npz")  # all that is imported is there now
sys.addaudithook(lambda name, _: reading and name in WATCHED and events.append(name))
WATCHED = {"exec", "os.system", "subprocess.Popen", "socket.connect", "pickle.find_class", "os.exec", "os.posix_spawn",
           "os.mkdir", "os.remove", "os.rename", "marshal.loads", "ctypes.dlopen"}
for name in sys.stdin.read().splitlines():
    events[:] = []
    report[name] = (*run(name), events[:])
with open("/proc/self/status") as status:  # getrusage's peak is the parent's too, from before exec
    kB = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(json.dumps({"report": report, "kB": kB}))
"""


def test_the_command_leaves_with_2_within_two_seconds_and_500_mb(tmp_path):
    """All in one process, which is watched by Python's audit hook. The seconds are the processor's, not the clock's."""
    weight_files.write(tmp_path, HOSTILE | GOOD)
    names = "\n".join(HOSTILE)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "COLUMNS": "20"}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED], input=names, cwd=tmp_path, capture_output=True, text=True, env=environment, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["report"].keys() == HOSTILE.keys()
    for name, (status, seconds, events) in found["report"].items():
        assert status == 2, name
        assert seconds < 2, name
        assert not events, name
    assert found["kB"] < 500_000
    said = done.stderr.splitlines()
    assert len(said) == len(HOSTILE) + 1  # one line each, in a terminal of 20 columns too
    assert all(line.startswith("minifcn: ") for line in said)
    assert not (tmp_path / weight_files.CANARY).exists()


@pytest.mark.parametrize("name", GOOD)
def test_the_good_ones_are_good(name, tmp_path):
    (path,) = weight_files.write(tmp_path, {name: GOOD[name]})
    first, second, *_ = sorted(weights.read(path).items(), key=lambda item: -item[1].size)
    np.testing.assert_array_equal(first[1], [[0, 1, 2], [3, 4, 5]])
    assert first[0].endswith("weight")
    np.testing.assert_array_equal(second[1].ravel()[:2], [0, 1])


@pytest.mark.parametrize("name", GOOD)
def test_cut_at_fifty_places(name, tmp_path):
    """A .caffemodel that ends where one of its layers does is whole as far as anybody can tell."""
    content = GOOD[name]
    (path,) = weight_files.write(tmp_path, {name: content})
    whole, last = weights.read(path), weight_files.layer(weight_files.blob(), called="conv2")
    for place in sorted(random.Random(5).sample(range(len(content)), 50)):
        path.write_bytes(content[:place])
        if name.endswith(".caffemodel") and place == len(content) - len(last):
            assert weights.read(path).keys() == whole.keys() - {"conv2.weight"}
        else:
            refusal(path)


CHECKED = ("zip.pth", "stored.npz", "compressed.npz")  # those with a checksum of everything


@pytest.mark.parametrize("name", GOOD)
def test_mutated_byte_by_byte(name, tmp_path):
    """Never a crash; never other numbers where there is a checksum; and nowhere more numbers than there are bytes."""
    (path,) = weight_files.write(tmp_path, {name: GOOD[name]})
    right = weights.read(path)

    @settings(max_examples=600)
    @given(st.data())
    def holds(data):
        content = bytearray(GOOD[name])
        for _ in range(data.draw(st.integers(1, 4))):
            place = data.draw(st.integers(0, len(content) - 1))
            match data.draw(st.sampled_from(["set", "flip", "drop", "add", "move"])):
                case "set":
                    content[place] = data.draw(st.sampled_from([0, 1, 127, 128, 255]))
                case "flip":
                    content[place] ^= 1 << data.draw(st.integers(0, 7))
                case "drop":
                    del content[place : place + data.draw(st.integers(1, 9))]
                case "add":
                    content[place:place] = data.draw(st.binary(min_size=1, max_size=9))
                case "move":
                    content = content[place:] + content[:place]
            if not content:
                break
        path.write_bytes(content)
        try:
            found, said = weights.read(path), ""
        except ValueError as error:
            found, said = {}, str(error)
        assert "\n" not in said
        assert said.startswith(str(path) if said else "")
        if said:
            return
        assert sum(array.nbytes for array in found.values()) <= len(content)
        if name in CHECKED:
            assert found.keys() == right.keys()
            assert all(found[key].tobytes() == right[key].tobytes() for key in right)
            assert all(found[key].shape == right[key].shape for key in right)

    holds()
