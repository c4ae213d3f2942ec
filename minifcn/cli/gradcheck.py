"""``minifcn gradcheck``: are the gradients right, ours and yours?"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from minifcn.course import source


def gradcheck(
    target: Annotated[str | None, typer.Argument(help="A layer, function or network, or FILE.py:NAME of your own.")] = None,
    cases: Annotated[int, typer.Option(help="Adversarial cases for each function.")] = 8,
    seed: Annotated[int, typer.Option(help="Of the cases.")] = 0,
) -> None:
    """Hold gradients to numeric ones and, where PyTorch is installed, to PyTorch's. Status 2 when any is wrong.

    FILE.py:NAME is a function of yours, with NAME_backward beside it, or a layer. A function that bears the name and the
    arguments of one of minifcn's is tried on the same cases; for any other define NAME_inputs(rng), which returns the
    arguments; a layer, and a function of one argument, gets a picture (2, 3, 7, 6).

    Example: minifcn gradcheck conv2d

    Example: minifcn gradcheck mine.py:conv2d

    Example: minifcn gradcheck unet
    """
    from minifcn import models

    if cases < 1 or seed < 0:
        raise ValueError(f"--cases {cases} --seed {seed}: at least 1 case, and a seed of at least 0")
    if target in models.names():
        passed = _check_network(target, seed)
    elif target is not None and ".py" in target:
        passed = _check_file(target, cases, seed)
    else:
        passed = _check_ours(target, cases, seed)
    if not passed:
        raise typer.Exit(2)


def _check_network(name: str, seed: int) -> bool:
    """The report of a network of the catalogue."""
    from minifcn.checks.network import check_network

    report = check_network(name, seed)
    print(report)
    return report.passed


def _check_ours(name: str | None, cases: int, seed: int) -> bool:
    """The table of one function, or of all, against numeric gradients and against PyTorch."""
    from minifcn import functional as F
    from minifcn.checks import cases as catalogue
    from minifcn.checks.parity import available, parity
    from minifcn.checks.sweep import sweep

    if name is not None:
        of_layers = functions_of_layers()
        name = of_layers.get(name, name)
        if name not in catalogue.names() and f"{name}_backward" in F.__all__:
            raise ValueError(f"there are no cases yet to try {name} on: add them to minifcn/checks/cases.py")
        if name not in catalogue.names():
            known = ", ".join([*catalogue.names(), *of_layers])
            raise ValueError(
                f"unknown layer {name!r}; possible are {known}, the networks of minifcn models, and FILE.py:NAME for your own"
            )
    functions = None if name is None else [name]
    numeric = sweep(functions, cases, seed)
    print(numeric)
    if not available():
        print("\nnot compared with PyTorch, which is not installed: pip install 'minifcn[test]'")
        return numeric.passed
    compared = parity(functions, 5 * cases, seed)
    print(f"\n{compared}")
    return numeric.passed and compared.passed


def functions_of_layers() -> dict[str, str]:
    """The function that each layer's forward calls, by the layer's name, for those who think in layers."""
    from minifcn import layers
    from minifcn.checks import cases as catalogue

    functions: dict[str, str] = {}
    for name in layers.__all__:
        layer = getattr(layers, name)
        if isinstance(layer, type) and issubclass(layer, layers.Layer):
            called = [function for function in layer.forward.__code__.co_names if function in catalogue.names()]
            functions |= {name: called[0]} if called else {}
    return functions


def _check_file(target: str, cases: int, seed: int) -> bool:
    """The reports of a function or a layer in somebody's file."""
    path, _, name = target.rpartition(":")
    module = _load(path, name)
    try:
        return _check_module(module, name, target, cases, seed)
    except (Exception, SystemExit) as error:
        if not source.frames_in(_place(path), error):
            raise
        raise ValueError(f"{target} fails when it is called: {source.said(error, _place(path))}") from error
    finally:
        del sys.modules[module.__name__]


def _check_module(module: Any, name: str, target: str, cases: int, seed: int) -> bool:
    """The reports of ``name`` in a loaded module."""
    import numpy as np

    from minifcn import checks
    from minifcn.checks import cases as catalogue

    subject = getattr(module, name)
    if isinstance(subject, type):
        subject = subject()
    if not callable(subject):
        raise ValueError(f"{target} is a {type(subject).__name__}: give a function, or a layer")
    rng = np.random.default_rng(seed)
    if hasattr(module, f"{name}_inputs"):
        arguments: list[tuple[tuple, dict]] = [(tuple(getattr(module, f"{name}_inputs")(rng)), {})]
    elif name in catalogue.names():
        arguments = [(tuple(c.inputs.values()), c.options) for c in catalogue.cases(name, cases, seed)]
    else:
        arguments = [((checks.tie_free((2, 3, 7, 6), rng),), {})]
    passed = True
    for inputs, options in arguments:
        try:
            report = checks.gradcheck(subject, *inputs, **options)
        except TypeError as error:
            if source.frames_in(_place(target.rpartition(":")[0]), error):
                raise
            raise ValueError(
                f"{target} could not be called with {len(inputs)} arrays ({error}): define {name}_inputs(rng) beside it, "
                "which returns the arguments to check it with"
            ) from error
        if not report or len(arguments) == 1:
            print(report)
        passed = passed and bool(report)
    if passed and len(arguments) > 1:
        print(f"{target}: every gradient is right in {len(arguments)} cases")
    return passed


def _place(path: str) -> Path:
    """The file, as tracebacks name it."""
    return Path(os.path.abspath(path))


def _load(path: str, name: str) -> Any:
    """The module in a file, in which ``name`` is defined."""
    file = _place(path)
    if not path or not name:
        raise ValueError("write FILE.py:NAME, for instance mine.py:conv2d")
    if not file.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    spec = importlib.util.spec_from_file_location(f"checked_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{path} cannot be loaded: {source.said(error, file)}") from error
    if not hasattr(module, name):
        raise ValueError(f"{path} defines no {name!r}; it has {', '.join(n for n in vars(module) if not n.startswith('_'))}")
    sys.modules[module.__name__] = module  # gradcheck looks NAME_backward up in the function's own module
    return module
