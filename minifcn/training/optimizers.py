"""Gradient descent: SGD with momentum, Adam, AdamW.

A rule reads, for one parameter w with gradient dw, and with v, m its running averages:

    SGD      v ← μ v + dw                                        w ← w − η v
    Adam     m ← β₁ m + (1−β₁) dw,   v ← β₂ v + (1−β₂) dw²       w ← w − η m̂ / (√v̂ + ε)

Names, defaults and order of the arithmetic are PyTorch's. What is different is how memory is walked: a ufunc at a time
over a whole parameter reads and writes it five times over (fc6 alone has 103 million weights), so every rule is applied
to blocks that stay in a core's cache, one pass over memory in all, on all threads.

Sources: Polyak 1964 and Sutskever et al. 2013 (momentum, Nesterov), Kingma and Ba 2015 (Adam), Loshchilov and Hutter
2019 (AdamW).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from numbers import Real
from typing import Any

import numpy as np

from minifcn.backend import Array, get_xp
from minifcn.kernels import accelerated
from minifcn.layers import Layer, Parameter
from minifcn.layers.module import check_writable
from minifcn.training.gradients import over_flat_blocks

Trainable = Parameter | Iterable[Parameter] | Iterable[tuple[str, Parameter]] | Iterable[dict[str, Any]]

_TAKEN = "an optimizer takes Parameters: give net.parameters() or net.named_parameters()"


class Optimizer:
    """What the rules share: parameter groups, the walk over blocks, state dicts.

    `parameters` is `net.parameters()`, `net.named_parameters()`, or a list of groups: dicts with "params" (either of
    those two) and any of the options, which override the optimizer's own for that group. Names, where given, are the
    keys of the state dict; without names the parameter's index is.

    Parameters with requires_grad False, or whose grad is None, are left alone, as is their state.
    """

    def __init__(self, parameters: Trainable, **defaults: Any) -> None:
        _check_options(defaults)
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[str, dict[str, Any]] = {}
        entries = _members(parameters)
        if entries and not isinstance(entries[0], dict):
            entries = [{"params": entries}]
        for group in entries:
            self._add_group(group)
        if not any(group["params"] for group in self.param_groups):
            raise ValueError("the optimizer got no parameters; pass net.parameters(), net.named_parameters() or groups")

    def _add_group(self, group: dict[str, Any]) -> None:
        """Completes a group with the defaults and with the names of its parameters, and checks it."""
        unknown = set(group) - set(self.defaults) - {"params", "initial_lr"}
        if "params" not in group or unknown:
            problem = f"has unknown options {sorted(unknown)}" if unknown else 'has no "params"'
            raise ValueError(f'a parameter group {problem}; possible are "params" and {sorted(self.defaults)}')
        start = sum(len(earlier["params"]) for earlier in self.param_groups)
        members = enumerate(_members(group["params"]))
        pairs = [entry if isinstance(entry, tuple) else (str(start + i), entry) for i, entry in members]
        seen = {id(parameter) for earlier in self.param_groups for parameter in earlier["params"]}
        for name, parameter in pairs:
            if not (hasattr(parameter, "data") and hasattr(parameter, "requires_grad")):
                raise TypeError(f"parameter {name!r} is a {type(parameter).__name__}; {_TAKEN}")
            if id(parameter) in seen or name in self.state:
                raise ValueError(f"parameter {name!r} is given twice; put each parameter into one group only")
            seen.add(id(parameter))
            check_writable({name: parameter.data})
            self.state[name] = {}
        complete = {**self.defaults, **group}
        complete.update(params=[parameter for _, parameter in pairs], names=[name for name, _ in pairs])
        complete.setdefault("initial_lr", complete["lr"])
        _check_options(complete)
        self.param_groups.append(complete)

    def zero_grad(self) -> None:
        """Forgets all gradients: the next backward starts from nothing."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def scale_lr(self, factor: float) -> None:
        """Sets every group's rate to `factor` times the rate that it was made with (what a schedule does)."""
        for group in self.param_groups:
            group["lr"] = group["initial_lr"] * factor

    def step(self) -> None:
        """One update of all parameters that have a gradient, in place."""
        for group, name, parameter in self._trained():
            state, averages = self.state[name], self._averages(group)
            if not state:
                state.update(step=0, **{average: _zeros_like(parameter.data) for average in averages})
            state["step"] += 1
            arrays = (parameter.data, parameter.grad, *(state[average] for average in averages))
            if any(array.shape != arrays[0].shape for array in arrays):
                raise ValueError(f"{name}: data, gradient and state have shapes {[array.shape for array in arrays]}")
            over_flat_blocks(self._rule(group, state["step"]), *arrays)

    def _trained(self) -> Iterator[tuple[dict[str, Any], str, Parameter]]:
        for group in self.param_groups:
            for name, parameter in zip(group["names"], group["params"], strict=True):
                if parameter.requires_grad and parameter.grad is not None:
                    yield group, name, parameter

    def state_nbytes(self) -> int:
        """The bytes that the averages of all trainable parameters take, once each has been updated."""
        return sum(
            parameter.data.nbytes * len(self._averages(group))
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.requires_grad
        )

    def _averages(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The names of the arrays that are kept for each parameter of the group."""
        raise NotImplementedError

    def _rule(self, group: dict[str, Any], step: int) -> Callable[..., None]:
        """The update of one block as a function `(w, dw, *averages)`; `step` counts from 1."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Flat: "algorithm", and "NAME.step" (int) and "NAME.AVERAGE" (array) of each parameter updated so far.

        The options (rates, decay ...) are the run's settings, not state, and are not in it.
        """
        state = {f"{name}.{key}": value for name, entries in self.state.items() for key, value in entries.items()}
        return {"algorithm": type(self).__name__, **state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes what `state_dict` gave, onto each parameter's own device and dtype.

        Raises ValueError for another algorithm's state, or where names or shapes differ.
        """
        algorithm = state.get("algorithm")
        if algorithm != type(self).__name__:
            raise ValueError(f"the optimizer's state is one of {algorithm}, not of {type(self).__name__}: use {algorithm}")
        entries: dict[str, dict[str, Any]] = {}
        for key, value in state.items():
            if key != "algorithm":
                name, _, entry = key.rpartition(".")
                entries.setdefault(name, {})[entry] = value
        loaded: dict[str, dict[str, Any]] = {}
        for group in self.param_groups:
            for name, parameter in zip(group["names"], group["params"], strict=True):
                history = entries.pop(name, {})
                _check_state(name, history, self._averages(group), parameter.data.shape)
                loaded[name] = _on_device(history, parameter.data)
        if entries:
            raise ValueError(f"the optimizer's state has {sorted(entries)[:5]}, no parameters here: another network's?")
        self.state = loaded


class SGD(Optimizer):
    """Stochastic gradient descent with momentum, PyTorch's rule.

    `momentum` μ, `weight_decay` λ (added to the gradient: dw + λ w), `nesterov` looks one step ahead, `dampening` is
    what the gradient loses on its way into the momentum. `v` is called momentum_buffer, as in PyTorch.
    """

    def __init__(
        self,
        parameters: Trainable,
        lr: float = 1e-3,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        dampening: float = 0.0,
    ) -> None:
        super().__init__(
            parameters, lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov, dampening=dampening
        )

    def _averages(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["momentum"] else ()

    def _rule(self, group: dict[str, Any], step: int) -> Callable[..., None]:
        into = 1.0 if step == 1 else 1.0 - group["dampening"]
        options = (group["lr"], group["momentum"], group["weight_decay"], into, group["nesterov"])
        return lambda w, dw, v=None: _sgd(w, dw, v, *options)


@accelerated("sgd")
def _sgd(w: Array, dw: Array, v: Array | None, lr: float, momentum: float, decay: float, into: float, nesterov: bool) -> None:
    """Updates w and, unless it is None, the momentum v, into which the gradient goes times `into`."""
    d, t = _temporaries(w)
    if decay:
        np.multiply(w, decay, out=d)
        d += dw  # dw + λ w
    else:
        d = dw
    if v is not None:
        v *= momentum
        v += d if into == 1 else np.multiply(d, into, out=t)
        if nesterov:
            np.multiply(v, momentum, out=t)
            t += d
            d = t
        else:
            d = v
    w -= np.multiply(d, lr, out=t)


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1), PyTorch's rule: weight decay is added to the gradient."""

    decoupled = False

    def __init__(
        self,
        parameters: Trainable,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay)

    def step(self) -> None:
        for _, name, parameter in self._trained():
            if parameter.data.dtype == np.float16:  # whose smallest number is 6e-8: eps and dw² would both be 0
                raise ValueError(f"{name} is float16, in which Adam's averages of squares vanish; train in float32, or by SGD")
        super().step()

    def _averages(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    def _rule(self, group: dict[str, Any], step: int) -> Callable[..., None]:
        options = (group["lr"], group["betas"], group["eps"], group["weight_decay"], step, self.decoupled)
        return lambda w, dw, m, v: _adam(w, dw, m, v, *options)


@accelerated("adam")
def _adam(
    w: Array, dw: Array, m: Array, v: Array, lr: float, betas: tuple[float, float], eps: float, decay: float,
    step: int, decoupled: bool,
) -> None:  # fmt: skip
    """Updates w and both averages m and v; `decoupled`: the decay does not pass through them (AdamW)."""
    beta1, beta2 = betas
    d, t = _temporaries(w)
    if decoupled:
        w *= 1 - lr * decay
        d = dw
    elif decay:
        np.multiply(w, decay, out=d)
        d += dw  # dw + λ w
    else:
        d = dw
    np.subtract(d, m, out=t)
    t *= 1 - beta1
    m += t  # β₁ m + (1 − β₁) d
    np.multiply(d, d, out=t)
    t *= 1 - beta2
    v *= beta2
    v += t  # β₂ v + (1 − β₂) d²
    np.sqrt(v, out=t)
    t /= (1 - beta2**step) ** 0.5
    t += eps
    np.divide(m, t, out=t)
    t *= lr / (1 - beta1**step)  # both averages start at 0 and are too small by 1 − βᵗ
    w -= t


class AdamW(Adam):
    """Adam whose weight decay does not pass through the averages (Loshchilov and Hutter 2019, algorithm 2)."""

    decoupled = True

    def __init__(
        self,
        parameters: Trainable,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay)


def _temporaries(like: Array) -> tuple[Array, Array]:
    """Two uninitialised arrays of the shape and dtype of `like`."""
    return np.empty(like.shape, like.dtype), np.empty(like.shape, like.dtype)


def _zeros_like(data: Array) -> Array:
    return get_xp(data).zeros(data.shape, data.dtype)


def _on_device(entries: dict[str, Any], data: Array) -> dict[str, Any]:
    """A parameter's state on the device and in the dtype of its data."""
    xp = get_xp(data)
    return {
        key: int(value) if key == "step" else xp.array(value, dtype=data.dtype, order="C") for key, value in entries.items()
    }


def _check_state(name: str, entries: dict[str, Any], averages: tuple[str, ...], shape: tuple[int, ...]) -> None:
    """Raises ValueError unless `entries` are empty or the state of a parameter of that shape."""
    if entries and set(entries) != {"step", *averages}:
        raise ValueError(f"the optimizer's state of {name!r} holds {sorted(entries)}, not {['step', *averages]}")
    for average in averages:
        other = getattr(entries.get(average), "shape", None)
        if entries and other != shape:
            raise ValueError(
                f"the optimizer's {average} of {name!r} has shape {other}, the parameter {shape}: is it another network's?"
            )


def _members(parameters: Any) -> list[Any]:
    """What was given, one by one: Parameters, (name, Parameter) pairs, or groups."""
    if isinstance(parameters, Layer):
        raise TypeError(f"a {type(parameters).__name__} was given; {_TAKEN}")
    return [parameters] if hasattr(parameters, "requires_grad") else list(parameters)


def _check_options(options: dict[str, Any]) -> None:
    """Raises ValueError, or TypeError for what is no number, for a rate, decay, momentum, eps or betas that make no sense."""
    for name in ("lr", "weight_decay", "momentum", "eps", "dampening"):
        value = options.get(name, 0.0)
        if not isinstance(value, Real):
            raise TypeError(f"{name} is {value!r}, a {type(value).__name__}; it must be a finite number of at least 0")
        if not 0 <= float(value) < np.inf:
            raise ValueError(f"{name} is {value}; it must be a finite number of at least 0")
    if not options.get("momentum", 0.0) < 1:
        raise ValueError(
            f"momentum is {options['momentum']}; possible are 0 <= momentum < 1: from 1 on old gradients never fade"
        )
    if not all(isinstance(beta, Real) and 0 <= float(beta) < 1 for beta in options.get("betas", ())):
        raise ValueError(f"betas are {options['betas']}; each must be at least 0 and less than 1")
    if options.get("nesterov") and (not options["momentum"] or options["dampening"]):
        raise ValueError("nesterov needs momentum > 0 and dampening = 0")
