"""The exported file is whole: no address in it, no module, and numbers that are those of the network to 16 bits."""

from __future__ import annotations

import base64
import json
import re
import zlib

import numpy as np
import pytest

from minifcn.explore.export import bundled, exported
from minifcn.explore.server import page_files


@pytest.fixture(scope="module")
def modules() -> dict[str, str]:
    return {name: content.decode() for name, content in page_files().items()}


def stored(page: str) -> dict:
    return json.loads(re.search(r'id="stored">(.*?)</script>', page, re.DOTALL)[1])


def arrays_of(content: dict) -> dict[str, np.ndarray]:
    """As the page reads them, in NumPy."""
    planes = np.frombuffer(zlib.decompress(base64.b85decode(content["data"])[: content["bytes"]]), np.uint8)
    half = sum(size for _, size, _ in content["arrays"])
    whole = ((planes[:half].astype(np.uint16) << 8) | planes[half : 2 * half]).view(np.int16).astype(np.float64)
    tails, found, at, tail = planes[2 * half :], {}, 0, 0
    for name, size, step in content["arrays"]:
        roots = whole[at : at + size]
        found[name] = roots * np.abs(roots) * step
        if name.startswith("map"):
            rest = (tails[tail : tail + size].astype(np.float64) - 127) / 254
            found[name.replace("map", "true")] = (roots + rest) * np.abs(roots + rest) * step
            tail += size
        at += size
    assert tail == len(tails)
    return found


def test_a_file_of_its_own_under_six_megabytes(session):
    page = exported(session)
    assert len(page.encode()) < 6e6
    assert not re.search(r"https?:|//[a-z]|^\s*(import|export)\b|src=|url\(", page.partition('id="stored"')[0], re.MULTILINE)
    script = page.rpartition('<script type="module">')[2]
    assert not re.search(r"https?:|^\s*(import|export) ", script, re.MULTILINE)
    assert "http" not in stored_text(page)
    assert page.count("</script>") == 2


def stored_text(page: str) -> str:
    content = stored(page)
    return json.dumps({key: value for key, value in content.items() if key != "data"})


def test_modules_make_one_script_without_two_of_one_name(modules):
    script = bundled(modules)
    names = re.findall(r"^(?:async )?(?:function|const|let|class) (\w+)", script, re.MULTILINE)
    assert sorted(names) == sorted(set(names))
    used = {name for name in modules if name.endswith(".js") and f"./{name}" in "".join(modules.values())}
    assert used | {"app.js"} == {name for name in modules if name.endswith(".js")}, "a module that nobody imports"


def test_a_module_comes_behind_what_it_imports(modules):
    script = bundled({"app.js": 'import { b } from "./b.js";\nb();\n', "b.js": "export function b() {}\n"})
    assert script.index("function b") < script.index("b();")
    assert "export" not in script


def test_numbers_are_the_networks_to_sixteen_bits_and_true_to_twentyfour(session):
    content = stored(exported(session))
    found = arrays_of(content)
    for number, step in enumerate(session.trace.steps):
        if f"map {number}" in found:
            true = step.maps.ravel().astype(np.float64)
            largest = np.abs(true).max()
            assert np.abs(found[f"map {number}"] - true).max() <= 2**-13 * largest
            assert np.abs(found[f"true {number}"] - true).max() <= 2**-20 * largest
        if f"weight {number}" in found:
            weight = step.layer.weight.data.ravel()
            assert np.abs(found[f"weight {number}"] - weight).max() <= 2**-13 * np.abs(weight).max()


def maps_again(session, found: dict[str, np.ndarray], number: int) -> np.ndarray:
    """The stored maps of a step, or those of a ReLU or dropout behind them."""
    step = session.trace.steps[number]
    if f"map {number}" in found:
        return found[f"map {number}"].reshape(step.maps.shape)
    before = maps_again(session, found, step.sources[0])
    return np.maximum(before, 0) if step.kind == "ReLU" else before


def test_sums_of_stored_numbers_hold(session, rng):
    """What the page adds up: to 2e-3 of the largest term, as the order says."""
    found = arrays_of(stored(exported(session)))
    below = {"Conv2d", "MaxPool2d", "ReLU", "Dropout", "picture"}  # what maps_again does again
    steps = session.trace.steps
    keys = [s.key for n, s in enumerate(steps) if f"weight {n}" in found and steps[s.sources[0]].kind in below]
    for _ in range(300):
        key = keys[int(rng.integers(len(keys)))]
        number = session.trace.keys.index(key)
        step = session.trace.step(key)
        place = tuple(int(rng.integers(n)) for n in step.maps.shape)
        terms, bias, _ = session.trace.terms(key, *place)
        x = maps_again(session, found, step.sources[0])
        rounded = np.where(
            terms["x"] == 0,
            0,
            x[terms["channel"], terms["row"].clip(0, x.shape[1] - 1), terms["column"].clip(0, x.shape[2] - 1)],
        )
        largest = np.abs(step.layer.weight.data).max()
        roots = np.round(np.sign(terms["weight"]) * np.sqrt(np.abs(terms["weight"]) / largest) * (2**14 - 1))
        total = (roots * np.abs(roots) / (2**14 - 1) ** 2 * largest * rounded).sum() + bias
        shown = found[f"map {number}"].reshape(step.maps.shape)[place]
        largest = max(np.abs(terms["weight"] * terms["x"]).max(initial=0), abs(bias), abs(shown))
        assert abs(total - shown) <= 2e-3 * largest, (key, place)
