"""Running a lesson: output in order, claims that do not hold, and nothing of the surroundings leaking in."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn.course import runner
from minifcn.course.runner import LessonFailed, Shown


def outputs(path):
    return [result.output for result in runner.run(path) if result.cell.is_code]


def test_printed_text_and_pictures_come_in_order(lesson_in):
    first, second = outputs(lesson_in().script)
    assert [type(piece).__name__ for piece in first] == ["str", "Shown", "str"]
    assert first[0] == "total: 2  third: 0.3333333333333333\n"
    assert (first[1].name, first[1].caption) == ("table", "Six numbers.")
    assert first[2] == "after the picture\n"
    assert [piece.name for piece in second] == ["moving"]


def test_cells_share_their_names_and_run_as_main(lesson_in):
    source = "# %%\nx = 5\n# %%\nassert x == 5\nprint(__name__, __file__.endswith('.py'))\n"
    assert outputs(lesson_in(source).script) == [[], ["__main__ True\n"]]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("x = 1\nassert x == 2, 'one is not two'", "line 6: this claim does not hold (one is not two): assert x == 2"),
        ("def f():\n    return 1 / 0\n\n\nf()", "line 6: ZeroDivisionError (division by zero): return 1 / 0"),
        ("x = = 1", "line 5: SyntaxError"),
    ],
)
def test_what_fails_names_file_and_line(lesson_in, cell, said):
    one = lesson_in(f"# %% [markdown]\n# Text\n\n# %%\n{cell}\n")
    with pytest.raises(LessonFailed) as error:
        list(runner.run(one.script))
    assert str(error.value).startswith(f"{one.script.name}, {said}")


def test_an_echo_that_prints_does_not_hear_itself(lesson_in, capsys):
    list(runner.run(lesson_in().script, lambda piece: print("heard", "picture" if isinstance(piece, Shown) else piece)))
    heard = capsys.readouterr().out
    assert heard.count("heard picture") == 2
    assert heard.count("after the picture") == 1


def test_the_users_print_options_neither_matter_nor_change(lesson_in):
    script = lesson_in("# %%\nimport numpy as np\nprint(np.array([1 / 3]))\nnp.set_printoptions(precision=1)\n").script
    with np.printoptions(precision=2):
        assert outputs(script) == [["[0.33333333]\n"]]
        assert np.get_printoptions()["precision"] == 2


def test_claims_are_the_asserts_and_nothing_else(lesson_in):
    assert runner.claims(lesson_in("# %%\n# assert\nassert 1\nif 1:\n    assert 2\nx = 'assert 3'\n").script) == 2
