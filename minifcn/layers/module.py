"""Parameters, and the layers that own them.

There is no autograd here. A layer's ``forward`` puts what its ``backward`` will need on a stack; ``backward`` takes it off.
So a layer that is used several times in one pass is right by construction (the last use comes back first), and memory is
freed while backward walks.

*Who owns a gradient.* A gradient handed to ``backward`` is given away: whoever gets it may write over it, as an in-place ReLU
does. So whoever hands one gradient to two roads hands each its own array (:class:`~minifcn.layers.Add`).
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import inspect
import itertools
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Set, ValuesView
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from minifcn.backend import DEVICES, Array, device_of, to_device, to_host
from minifcn.layers.coordinates import Map
from minifcn.layers.watch import is_watched, run_watched
from minifcn.words import name_some

_grad_off: contextvars.ContextVar[bool] = contextvars.ContextVar("minifcn_no_grad", default=False)
_STATE = ("training", "_stack", "_config")  # attributes that each Layer object has, beside those of the class
_MOST_PASSES = 2  # forwards in evaluation that wait for their backward; older ones are dropped
_MANY = 256  # forwards of one layer that wait, in training, from which on something is said: a recurrence may be long


class _Pass:
    """One call from outside, of a network or of a single layer: its number, and the layers that kept something in it."""

    numbers = itertools.count(1)

    def __init__(self) -> None:
        self.number = next(self.numbers)
        self.layers: list[Layer] = []

    def undo(self) -> None:
        """Drops what the layers have kept in it."""
        for layer in self.layers:
            layer._stack = [kept for kept in layer._stack if kept[0] != self.number]


_pass: contextvars.ContextVar[_Pass | None] = contextvars.ContextVar("minifcn_pass", default=None)  # the one under way


@contextlib.contextmanager
def one_pass() -> Iterator[_Pass]:
    """What is called inside is one call from outside. Where it fails, what it has kept so far goes."""
    this = _Pass()
    token = _pass.set(this)
    try:
        yield this
    except BaseException:
        this.undo()
        raise
    finally:
        _pass.reset(token)


@contextlib.contextmanager
def no_grad() -> Iterator[None]:
    """Under ``with minifcn.no_grad():`` layers keep nothing for a backward pass: evaluation in little memory."""
    token = _grad_off.set(True)
    try:
        yield
    finally:
        _grad_off.reset(token)


def is_grad_off() -> bool:
    """Whether this thread is inside :func:`no_grad`."""
    return _grad_off.get()


@contextlib.contextmanager
def evaluating(net: Layer) -> Iterator[None]:
    """``net`` in evaluation, keeping nothing for a backward; afterwards each of its layers is in the mode that it was in."""
    modes = [(layer, layer.training) for _, layer in net.named_layers()]
    net.eval()
    try:
        with no_grad():
            yield
    finally:
        for layer, training in modes:
            layer.training = training


class Parameter:
    """An array to be learnt: ``data``, its gradient ``grad`` (None until a backward), and ``requires_grad`` (False: frozen)."""

    def __init__(self, data: Array, requires_grad: bool = True) -> None:
        self.data = data
        self.grad: Array | None = None
        self.requires_grad = requires_grad

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def size(self) -> int:
        return self.data.size

    def accumulate(self, gradient: Array | None) -> None:
        """Adds ``gradient`` to ``grad``. A parameter used twice collects the sum of both."""
        if gradient is None or not self.requires_grad:
            return
        if self.grad is None:
            self.grad = gradient  # every backward makes a fresh array, so it can be kept and added to
        else:
            self.grad += gradient

    def __repr__(self) -> str:
        frozen = "" if self.requires_grad else ", frozen"
        return f"Parameter({'×'.join(map(str, self.shape))}, {self.data.dtype}{frozen})"


class Layer:
    """A piece of a network. Subclasses define ``forward(*xs)`` and ``backward(*dys)``; parameters, buffers (arrays named in
    ``buffers``) and sub-layers are simply attributes, in the order of their assignment.

    A layer is called, ``layer(x)``, never its ``forward``: the call is the one door, at which watchers stand
    (:mod:`minifcn.layers.watch`) and where a forward that fails, or is not taken back in evaluation, is cleaned up.
    """

    buffers: tuple[str, ...] = ()  # attributes that are saved and moved, but not learnt (running statistics)
    needs_dx = True  # False: nobody reads the gradient of the input (a network's first layer), so backward may return None
    draws = False  # whether forward draws random numbers, from ``self.rng``, which ``reseed`` then sets
    rng: np.random.Generator
    frozen = False  # see ``freeze``

    def __init__(self) -> None:
        self.training = True
        self._stack: list[tuple[int, Any]] = []  # (number of the pass, cache)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "backward" in vars(cls):
            cls.backward = _told(vars(cls)["backward"])  # type: ignore[method-assign] # wrapped, as a decorator would

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, (Layer, Parameter)):
            self._check_part(name, value)
        elif isinstance(old := vars(self).get(name), (Layer, Parameter)) and value is not None:
            what = "Layer" if isinstance(old, Layer) else "Parameter"
            raise TypeError(
                f"{type(self).__name__}.{name} is a {what} and cannot become a {type(value).__name__}: assign a {what} or None"
                + ("" if what == "Layer" else f", or write into {name}.data")
            )
        else:
            self._refuse_hidden_layers(name, value)
        super().__setattr__(name, value)

    def _check_part(self, name: str, value: Layer | Parameter) -> None:
        """Raises AttributeError or ValueError where this layer cannot have ``value`` under this name."""
        mine = type(self).__name__
        if "_stack" not in vars(self):
            raise AttributeError(f"{mine}.{name}: call super().__init__() first, then assign layers")
        if hasattr(Layer, name) or name in _STATE:
            raise ValueError(f"{mine}: {name!r} is a name that every Layer has; call it something else")
        if not name or "." in name:
            raise ValueError(f"{mine}: {name!r} cannot name a layer: keys are names joined by dots")
        if isinstance(value, Layer) and value._contains(self):
            raise ValueError(f"{mine}.{name} would make {mine} a part of itself: give it what it needs to know instead")

    def _contains(self, part: Layer) -> bool:
        return self is part or any(child._contains(part) for _, child in self.children())

    def _refuse_hidden_layers(self, name: str, value: Any) -> None:
        """Raises TypeError for a list of layers: at its assignment, and in each walk, for it may have been filled later."""
        if _holds_layers(value):
            raise TypeError(
                f"{type(self).__name__}.{name} is a {type(value).__name__} of layers or parameters, which would be found by "
                "nobody who walks the network (training, saving, moving): put them into a Sequential, or give each a name"
            )

    if not TYPE_CHECKING:  # which would take any misspelt attribute for Any

        def __getattr__(self, name: str) -> Any:
            why = "; its __init__ must call super().__init__() first" if name in ("_stack", "training") else ""
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{why}")

    # ------------------------------------------------------------------------------------------ forward and backward

    def __call__(self, *xs: Any, **options: Any) -> Any:
        if _pass.get() is None:
            return self._from_outside(xs, options)
        if is_watched():
            return run_watched(self, "forward", self._forward, xs, options)
        return self._forward(*xs, **options)

    def _forward(self, *xs: Any, **options: Any) -> Any:
        """``forward``, which must not forget to return: the layers behind would have to guess what they were given."""
        y = self.forward(*xs, **options)
        if y is None:
            raise TypeError(
                f"{type(self).__name__}.forward returned None: end it with `return y`, an array or a tuple of several"
            )
        return y

    def _from_outside(self, xs: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """The outermost call: no forward of another layer is under way."""
        if not self.training and not is_grad_off():
            self._drop_old_passes()
        with one_pass():
            return self(*xs, **options)

    def _drop_old_passes(self) -> None:
        """Makes room for one more pass in evaluation, which usually no backward follows: without this, a loop over pictures
        outside of ``no_grad()`` would fill the memory."""
        layers = [layer for _, layer in self.named_layers()]
        waiting = sorted({number for layer in layers for number, _ in layer._stack})
        if len(waiting) >= _MOST_PASSES:
            oldest = waiting[1 - _MOST_PASSES]
            for layer in layers:
                layer._stack = [kept for kept in layer._stack if kept[0] >= oldest]

    def forward(self, *xs: Any) -> Any:
        """x -> y, keeping what backward needs; a layer may take several arrays, and return a tuple of several."""
        raise TypeError(f"{type(self).__name__} defines no forward(x)")

    def backward(self, *dys: Any) -> Any:
        """dy -> dx for the latest forward that was not yet taken back; adds to the parameters' ``grad``.

        As many gradients as forward returned arrays, and as many come out as it took. Each is given away, see the module.
        """
        raise TypeError(f"{type(self).__name__} defines no backward(dy)")

    def _push(self, cache: Any) -> None:
        if is_grad_off():
            return
        under_way = _pass.get()
        self._stack.append((under_way.number if under_way else 0, cache))
        if len(self._stack) == _MANY:
            warnings.warn(
                f"{_MANY} forwards of a {type(self).__name__} wait for their backward and fill the memory: "
                "where none will follow, call it inside of minifcn.no_grad()",
                stacklevel=3,
            )
        if under_way:
            under_way.layers.append(self)

    def _pop(self) -> Any:
        if not self._stack:
            raise RuntimeError(
                f"{type(self).__name__}.backward() has no forward to take back: call forward once for each backward, "
                f"outside of no_grad(); in evaluation only the latest {_MOST_PASSES} calls are kept"
            )
        return self._stack.pop()[1]

    def _skip(self, *dys: None) -> None:
        """backward without a gradient: right in front of all that learns, where nobody wants the picture's; else a mistake."""
        if self.needs_dx or any(parameter.requires_grad for parameter in self.parameters()):
            raise TypeError(
                f"{type(self).__name__}.backward got None instead of a gradient: the layer behind it must return its dx, and "
                "its needs_dx be True"
            )
        if self._stack:
            self._pop()

    def kept(self) -> list[Any]:
        """The caches that wait for a backward, of this layer alone, the oldest first."""
        return [cache for _, cache in self._stack]

    def forget(self) -> None:
        """Drops what forwards have kept, for a forward that no backward will follow (an interrupted step)."""
        for _, layer in self.named_layers():
            layer._stack.clear()

    # -------------------------------------------------------------------------------------------------- walking the tree

    def children(self) -> Iterator[tuple[str, Layer]]:
        """(name, layer) of the layers directly below."""
        for name, value in vars(self).items():
            if isinstance(value, Layer):
                yield name, value

    def is_leaf(self) -> bool:
        """Whether there are no layers inside."""
        return not any(True for _ in self.children())

    def named_layers(self, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Layer]]:
        """(key, layer) of this layer (key ``prefix``) and of all below, in the order of their assignment.

        A layer that stands in several places comes once, under its first key, unless ``remove_duplicate`` is False.
        """
        seen: set[int] = set()
        for key, layer in self._all_layers(prefix):
            if not remove_duplicate or id(layer) not in seen:
                seen.add(id(layer))
                yield key, layer

    def _all_layers(self, prefix: str) -> Iterator[tuple[str, Layer]]:
        for name, value in vars(self).items():
            if name != "_stack":
                self._refuse_hidden_layers(name, value)
        yield prefix, self
        for name, child in self.children():
            yield from child._all_layers(f"{prefix}.{name}" if prefix else name)

    def named_parameters(self, remove_duplicate: bool = True) -> Iterator[tuple[str, Parameter]]:
        """(key, parameter) of this layer and all below, keys as in a PyTorch state dict: ``conv1_1.weight``.

        A parameter that several layers share comes once, under its first key, unless ``remove_duplicate`` is False.
        """
        seen: set[int] = set()
        for key, layer in self.named_layers(remove_duplicate=remove_duplicate):
            for name, value in vars(layer).items():
                if isinstance(value, Parameter) and not (remove_duplicate and id(value) in seen):
                    seen.add(id(value))
                    yield f"{key}.{name}" if key else name, value

    def parameters(self) -> Iterator[Parameter]:
        """All parameters, each once, frozen ones included."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self, remove_duplicate: bool = True) -> Iterator[tuple[str, Array]]:
        """(key, array) of what is saved with the parameters but not learnt."""
        for key, layer in self.named_layers(remove_duplicate=remove_duplicate):
            for name in layer.buffers:
                if getattr(layer, name) is not None:
                    yield f"{key}.{name}" if key else name, getattr(layer, name)

    # ------------------------------------------------------------------------------------------------------------- state

    def state_dict(self) -> dict[str, Array]:
        """All parameters' and buffers' arrays (themselves, not copies) under all their keys, those of shared ones too."""
        parameters = {key: parameter.data for key, parameter in self.named_parameters(remove_duplicate=False)}
        return parameters | dict(self.named_buffers(remove_duplicate=False))

    def load_state_dict(self, state: Mapping[str, Array], strict: bool = True) -> None:
        """Copies arrays into parameters and buffers of the same key, keeping this layer's dtype and device.

        All is checked before anything is changed. Raises ValueError naming missing and unexpected keys (``strict``) and
        keys whose shape differs, TypeError for what is no array. PyTorch's ``num_batches_tracked``, which nothing here counts,
        is passed over.
        """
        mine = self.state_dict()
        _check_state(state)
        state = {key: array for key, array in state.items() if key.rpartition(".")[2] != "num_batches_tracked" or key in mine}
        missing = [key for key in mine if key not in state]
        unexpected = [key for key in state if key not in mine]
        both = [key for key in mine if key in state]
        wrong = [f"{key} {state[key].shape} for {mine[key].shape}" for key in both if state[key].shape != mine[key].shape]
        problems = [("shapes differ", wrong)]
        if strict:
            problems += [("missing", missing), ("unexpected", unexpected)]
        if any(keys for _, keys in problems):
            details = "; ".join(f"{what}: {name_some(keys, 5)}" for what, keys in problems if keys)
            raise ValueError(f"the state does not fit this {type(self).__name__}: {details}")
        check_writable(mine)
        for key in both:
            mine[key][...] = to_device(state[key], device_of(mine[key]))

    # ------------------------------------------------------------------------------------------------------------- modes

    def train(self, mode: bool = True) -> Self:
        """Training mode here and below, frozen layers excepted: dropout drops, batch norm uses the batch's statistics.

        Returns self.
        """
        for _, layer in self.named_layers():
            layer.training = mode and not layer.frozen
        return self

    def eval(self) -> Self:
        """Evaluation mode here and below (it can still be backpropagated). Returns self."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forgets all gradients (sets them to None, which costs nothing)."""
        for parameter in self.parameters():
            parameter.grad = None

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Thaws or, with False, freezes every parameter here and below. Returns self."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def freeze(self, frozen: bool = True) -> Self:
        """Freezes, or with False thaws, everything here and below. Returns self.

        A frozen layer learns nothing, and is in evaluation whatever ``train`` says: a batch norm keeps its statistics.
        """
        for _, layer in self.named_layers():
            layer.frozen = frozen
            layer.training = layer.training and not frozen
        return self.requires_grad_(not frozen)

    def reseed(self, seed: int | tuple[int, ...]) -> None:
        """Gives every dropout below a generator of its own that depends on ``seed`` and on its place, nothing else."""
        seed = seed if isinstance(seed, tuple) else (seed,)
        for place, (_, layer) in enumerate(self.named_layers()):
            if layer.draws:
                layer.rng = np.random.default_rng((*seed, place))

    def to(self, target: str | np.dtype | type) -> Self:
        """Moves everything to a device ("cpu", "cuda") or converts it to a floating dtype ("float64"). Returns self."""
        if isinstance(target, str) and target in DEVICES:
            return self._convert(lambda array: to_device(array, target))
        try:
            dtype = np.dtype(target)
        except TypeError:
            dtype = np.dtype(object)
        if dtype.kind != "f":
            raise ValueError(f"to({target!r}): give a device, 'cpu' or 'cuda', or a floating dtype such as 'float32'")
        return self._convert(lambda array: array.astype(dtype, copy=False) if array.dtype.kind == "f" else array)

    def _convert(self, convert: Callable[[Array], Array]) -> Self:
        both: dict[int, tuple[Array, Array]] = {}  # before and after: an array that stands in two places stays one

        def once(array: Array) -> Array:
            if id(array) not in both:
                both[id(array)] = array, convert(array)
            return both[id(array)][1]

        for _, layer in self.named_layers():
            for name, value in vars(layer).items():
                if isinstance(value, Parameter):
                    value.data = once(value.data)
                    value.grad = None if value.grad is None else once(value.grad)
                elif name in layer.buffers and value is not None:
                    setattr(layer, name, once(value))
        return self

    # ------------------------------------------------------------------------------------------ what a layer says of itself

    @property
    def config(self) -> dict[str, Any]:
        """What :func:`minifcn.models.build` needs to build this network again; of any other layer, its class's name."""
        return vars(self).get("_config", {"name": type(self).__name__})

    @config.setter
    def config(self, config: dict[str, Any]) -> None:
        vars(self)["_config"] = config

    def coordinates(self, axis: int) -> Map | None:
        """Where the output's pixels lie in the input, along rows (axis 0) or columns (1); None: nobody said."""
        return None

    def options(self) -> str:
        """What stands between the parentheses of repr(): the arguments that make such a layer again.

        Read from the constructor's signature and the attributes of the same names; those at their default are left out.
        """
        arguments = []
        for name, parameter in inspect.signature(type(self)).parameters.items():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or name not in vars(self) or name == "rng":
                continue
            value = getattr(self, name)
            if isinstance(parameter.default, bool) and (value is None or isinstance(value, Parameter)):
                value = value is not None  # bias=False: the option says whether there is one
            if hasattr(value, "dtype"):
                value = to_host(value).tolist()
            if parameter.default is parameter.empty:
                arguments.append(repr(value))
            elif not np.array_equal(value, parameter.default):
                arguments.append(f"{name}={value!r}")
        return ", ".join(arguments)

    def __repr__(self) -> str:
        lines = [f"  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.children()]
        inner = "\n" + "\n".join(lines) + "\n" if lines else self.options()
        return f"{type(self).__name__}({inner})"


def _check_state(state: Any) -> None:
    """Raises TypeError unless this is a mapping of texts to arrays."""
    if not isinstance(state, Mapping):
        raise TypeError(f"expected a mapping {{key: array}}, as state_dict() returns, and got a {type(state).__name__}")
    if wrong := [f"{key!r}: {type(array).__name__}" for key, array in state.items() if not _is_entry(key, array)]:
        raise TypeError(f"a state holds arrays under texts, not {name_some(wrong)}; make arrays of them with numpy.asarray")


def _is_entry(key: Any, array: Any) -> bool:
    return isinstance(key, str) and hasattr(array, "shape") and hasattr(array, "dtype")


def check_writable(state: Mapping[str, Array]) -> None:
    """Raises ValueError where an array of a state dict cannot be written to, as those of a network made to be looked at."""
    fixed = [key for key, array in state.items() if isinstance(array, np.ndarray) and not array.flags.writeable]
    if fixed:
        raise ValueError(
            f"{name_some(fixed)} cannot be written to: a network that was built inside of initializers.blank() has no weights "
            "of its own and is only there to be looked at; build it outside"
        )


def _told(backward: Callable[..., Any]) -> Callable[..., Any]:
    """The door on the way back: a class's ``backward``, with the watchers told of it."""

    @functools.wraps(backward)
    def door(self: Layer, *dys: Any, **options: Any) -> Any:
        nothing = bool(dys) and all(dy is None for dy in dys) and self.is_leaf()
        function = self._skip if nothing else functools.partial(backward, self)
        if is_watched():
            return run_watched(self, "backward", function, dys, options)
        return function(*dys, **options)

    return door


def _holds_layers(value: Any, around: tuple[int, ...] = ()) -> bool:
    """Whether a list, tuple, set, dict or the like holds layers or parameters, at any depth."""
    if value is None or isinstance(value, (int, float, str)):
        return False  # nearly every attribute, in every walk; the questions below take ten times as long
    if isinstance(value, np.ndarray):
        entries: Iterable[Any] = value.flat if value.dtype.kind == "O" else ()
    elif isinstance(value, Mapping):
        entries = (*value.keys(), *value.values())
    elif isinstance(value, (list, tuple, deque, Set, ValuesView)):
        entries = value
    else:
        return False
    if id(value) in around:
        return False  # it holds itself
    around = (*around, id(value))
    return any(isinstance(entry, (Layer, Parameter)) or _holds_layers(entry, around) for entry in entries)
