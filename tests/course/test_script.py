"""Percent format: cells, their lines, and what is refused."""

from __future__ import annotations

import pytest

from minifcn.course.script import Cell, headings, parse

SOURCE = """\
# %% [markdown]
# # Title
#
# Text with a #hash.

# %%
import numpy as np

x = 1  # %% no marker here

# %%

y = 2
# %% drawing
draw(y)
# %% [markdown]
# End
"""


def test_cells_keep_their_kind_text_and_first_line():
    assert parse(SOURCE) == [
        Cell("markdown", "# Title\n\nText with a #hash.", 2),
        Cell("code", "import numpy as np\n\nx = 1  # %% no marker here", 7),
        Cell("code", "y = 2", 13),
        Cell("drawing", "draw(y)", 15),
        Cell("markdown", "End", 17),
    ]


def test_the_line_numbers_are_those_of_the_file():
    lines = SOURCE.splitlines()
    for cell in parse(SOURCE):
        assert cell.text.splitlines()[0] in lines[cell.line - 1]


def test_headings_are_of_markdown_only():
    assert headings(Cell("markdown", "## A\ntext\n### B", 1)) == ["## A", "### B"]
    assert headings(Cell("code", "# a comment", 1)) == headings(Cell("drawing", "# a comment", 1)) == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import numpy\n# %%\n", "line 1: there is text before the first cell"),
        (
            "# %%\nx = 1\n# %% [raw]\n",
            "line 3: `# %% [raw]` is no cell; cells begin with one of `# %%`, `# %% [markdown]`, `# %% drawing`",
        ),
        ("# %% [markdown]\n# text\nx = 1\n", "line 3: in a markdown cell every line begins with"),
    ],
)
def test_what_is_no_lesson_is_refused_with_its_line(source, said):
    with pytest.raises(ValueError, match=r"my\.py, ") as error:
        parse(source, "my.py")
    assert said in str(error.value)


def test_empty_cells_are_left_out():
    assert parse("# %%\n\n# %%\nx\n# %%\n") == [Cell("code", "x", 4)]
