"""The package as a whole: cheap to import, importing one way only, typed and complete."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import minifcn

HEAVY = ("matplotlib", "PIL", "rich", "typer", "torch", "cupy", "safetensors", "threadpoolctl", "onnx")

# The floors of the house, the highest first: each may import from those behind it in this list only.
FLOORS = (
    "cli", "course", "bench", "explore", "experiments", "compare", "training", "visualize", "export", "data", "checks",
    "anatomy", "models", "weights", "layers", "functional", "machine", "kernels", "fetching", "safe_file", "lazy",
    "words", "backend",
)  # fmt: skip


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_loads_nothing_heavy():
    code = f"import sys, minifcn; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert run_python(code).strip() == "[]"


def test_layers_and_models_load_nothing_heavy_either():
    code = (
        "import sys, minifcn.models, minifcn.layers, minifcn.functional, minifcn.kernels;"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert run_python(code).strip() == "[]"


def test_every_module_can_be_imported_without_what_only_unix_has():
    code = (
        "import importlib, pkgutil, sys\n"
        "sys.modules.update(dict.fromkeys(('fcntl', 'resource', 'pwd', 'grp', 'termios', 'tty', 'pty')))\n"
        "import minifcn\n"
        "names = [m.name for m in pkgutil.walk_packages(minifcn.__path__, 'minifcn.') if not m.name.endswith('__main__')]\n"
        "print(len([importlib.import_module(name) for name in names]))"
    )
    assert int(run_python(code)) > 150


def test_import_costs_less_than_150_ms_over_numpy():
    """Measured inside one process, NumPy first; the median of five."""
    code = "import numpy, time; t = time.perf_counter(); import minifcn; print(time.perf_counter() - t)"
    assert statistics.median(float(run_python(code)) for _ in range(5)) < 0.15


def test_every_public_name_can_be_reached():
    for name in minifcn.__all__:
        assert getattr(minifcn, name) is not None
    assert run_python("import minifcn; print(minifcn.explore.Trace.__name__)").strip() == "Trace"
    with pytest.raises(AttributeError, match="has no attribute 'pytorch'; it has"):
        _ = minifcn.pytorch


def imported_floors(path: Path) -> set[str]:
    """The parts of minifcn that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("minifcn"):
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("minifcn.")}
    return found


def test_imports_run_one_way(root):
    package = root / "minifcn"
    rooms = {path.relative_to(package).parts[0].removesuffix(".py") for path in package.rglob("*.py")}
    assert rooms - {"__init__", "__main__"} == {*FLOORS}
    for floor, name in enumerate(FLOORS):
        for path in [package / f"{name}.py", *(package / name).rglob("*.py")]:
            if path.exists():
                assert imported_floors(path) & {*FLOORS} <= {*FLOORS[floor:]}, path


def test_errors_speak_with_one_voice(root):
    """No full stop: the command line prints them all."""
    for path in (root / "minifcn").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                message = node.exc.args[0]
                last = message.values[-1] if isinstance(message, ast.JoinedStr) else message
                assert not str(getattr(last, "value", "")).endswith("."), f"{path}:{node.lineno}"


def test_cupy_is_imported_in_one_place_only(root):
    importers = {
        path.relative_to(root).as_posix()
        for path in (root / "minifcn").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Import) and any(a.name.split(".")[0] == "cupy" for a in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "cupy")
    }
    assert importers <= {"minifcn/backend.py"}
