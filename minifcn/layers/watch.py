"""Looking on while a network works: a watcher is told of each elementary layer, forward and backward.

    class Shapes(Watcher):
        def forward(self, layer, inputs, outputs):
            print(type(layer).__name__, [x.shape for x in inputs], outputs.shape)

    with watching(Shapes()):
        net(images)

Nobody has to put anything into the network for it: :meth:`Layer.__call__` and ``backward`` are the doors that all go through.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minifcn.layers.module import Layer

_watchers: contextvars.ContextVar[tuple[Watcher, ...]] = contextvars.ContextVar("minifcn_watchers", default=())


class Watcher:
    """Told of every layer that has no layers inside. Override what you need; what a watcher raises ends the pass."""

    def begin(self, layer: Layer) -> None:
        """The layer's forward or backward is about to run."""

    def forward(self, layer: Layer, inputs: tuple[Any, ...], outputs: Any) -> None:
        """``outputs`` came out of ``layer(*inputs)``, keyword arguments last: an array, or a tuple of several."""

    def backward(self, layer: Layer, dys: tuple[Any, ...], dxs: Any) -> None:
        """``dxs`` came out of ``layer.backward(*dys)``: an array, a tuple of several, or None where nobody asked for one.

        By now the layer may have written over ``dys``, which were given away.
        """


@contextlib.contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Inside of ``with watching(watcher):`` it is told, in this thread, besides those that are watching already."""
    token = _watchers.set((*_watchers.get(), watcher))
    try:
        yield
    finally:
        _watchers.reset(token)


def is_watched() -> bool:
    """Whether somebody is watching in this thread."""
    return bool(_watchers.get())


def run_watched(layer: Layer, which: str, function: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """``function(*inputs)``, which is the layer's ``which`` ("forward" or "backward"), and the watchers told of it.

    While it runs nobody watches: a leaf's own business, such as ``super().backward(dy)``, is not another step.
    """
    watchers = _watchers.get()
    if not layer.is_leaf():
        return function(*inputs, **options)
    for watcher in watchers:
        watcher.begin(layer)
    token = _watchers.set(())
    try:
        outputs = function(*inputs, **options)
    finally:
        _watchers.reset(token)
    for watcher in watchers:
        getattr(watcher, which)(layer, (*inputs, *options.values()), outputs)
    return outputs
