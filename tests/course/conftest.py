"""Small lessons written for a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from minifcn.course import card, catalogue, reader
from minifcn.course.catalogue import Lesson

LESSON = """\
# %% [markdown]
# # 03 A lesson
# It says that one and one is two.

# %%
import numpy as np

from minifcn import visualize as vis

total = 1 + 1
print("total:", total, " third:", total / 6)
vis.show(vis.draw_table(np.arange(6.0).reshape(2, 3), "x"), "table", "Six numbers.")
print("after the picture")
assert total == 2

# %%
vis.show(vis.animate_sliding(np.eye(3), np.ones((2, 2))), "moving", "A kernel of ones slides.")
assert total > 1
"""


@pytest.fixture
def lesson_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Lesson]:
    """Writes a lesson 03 into a folder of its own, which becomes the folder of all lessons; returns it."""

    def write(source: str = LESSON) -> Lesson:
        (tmp_path / f"{catalogue.LESSONS[2].name}.py").write_text(source, encoding="utf-8")
        return catalogue.lesson(3)

    for module in (catalogue, card, reader):
        monkeypatch.setattr(module, "lessons_folder", lambda: tmp_path)
    return write
