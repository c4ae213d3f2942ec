"""What a run tells while it goes, and how it is stopped with good manners."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minifcn.training.validation import Evaluation


class Progress:
    """The trainer calls these; each does nothing here. Subclass it for a progress bar, a window, a web page."""

    def begin(self, iteration: int, iterations: int) -> None:
        """The run starts, or goes on, at `iteration` of `iterations`."""

    def step(self, iteration: int) -> None:
        """One more step is done. Its loss is not given, since asking a GPU for it would make it wait."""

    def logged(self, row: dict[str, Any]) -> None:
        """A row went into the log: iteration, epoch, lr, loss (a labelled pixel), gradient_norm, images_per_second,
        seconds, seconds_left."""

    def validating(self, done: int, total: int) -> None:
        """That many pictures of a validation are done."""

    def validated(self, evaluation: Evaluation, is_best: bool) -> None:
        """A validation is done."""

    def saved(self, iteration: int) -> None:
        """The checkpoint of `iteration` is on the disk."""

    def end(self) -> None:
        """The run is over, whatever the reason."""


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """A context that gives a function: has Ctrl-C been pressed, or the process been asked to terminate?

    Neither stops the program inside it, so that a step is always finished and its state can be saved; a second Ctrl-C
    raises KeyboardInterrupt at once. Outside the main thread, where no signal arrives, the answer is always no.
    """
    received: list[int] = []

    def handler(number: int, frame: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        with contextlib.suppress(OSError):  # nobody may read it any more
            os.write(2, b"\nstopping after this step; once more stops at once, without saving\n")  # print is not reentrant

    previous: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            # A job in the background ignores Ctrl-C, and goes on to; None is a handler in C, which could not be put back.
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                previous[number] = signal.signal(number, handler)
    try:
        yield lambda: bool(received)
    finally:
        for number, handling in previous.items():
            signal.signal(number, handling)
