"""Pages are made the same way each time, and a page that no longer matches its script is noticed."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from minifcn import visualize as vis
from minifcn.course.page import Page, render
from minifcn.course.stale import differences, picture_difference
from minifcn.visualize.showing import write

from .conftest import LESSON


def test_two_renderings_are_equal_to_the_last_byte(lesson_in):
    one = lesson_in()
    assert render(one) == render(one)


def test_the_page_has_text_code_output_and_pictures_in_order(lesson_in):
    page = render(lesson_in())
    wanted = [
        "minifcn lesson render 3",
        "\n# 03 A lesson",
        "```python\nimport numpy",
        "```text\ntotal: 2  third: 0.3333333333333333\n```",
        "![Picture 1: Six numbers.](img/03_table.png)",
        "**Picture 1.** Six numbers.",
        "```text\nafter the picture\n```",
        "](img/03_moving.gif)",
        "**Picture 2.**",
        "\n---\n",
    ]
    places = [page.text.find(part) for part in wanted]
    assert -1 not in places
    assert places == sorted(places)
    assert set(page.pictures) == {"03_table.png", "03_moving.gif"}


def test_drawing_code_is_folded_below_its_picture_and_runs_like_any_other(lesson_in):
    source = LESSON.replace("total = 1 + 1\n", "total = 1 + 1\n\n# %% drawing\n").replace(
        "assert total == 2", "# %%\nassert total == 2"
    )
    page = render(lesson_in(source))
    wanted = [
        "```python\nimport numpy",
        "```text\ntotal: 2",
        "**Picture 1.** Six numbers.",
        "\n\n<details><summary>how this picture is drawn</summary>\n\n```python\nprint(",
        "```\n\n</details>\n\n",
        "```python\nassert total == 2\n```",
    ]
    places = [page.text.find(part) for part in wanted]
    assert -1 not in places
    assert places == sorted(places)
    assert page.text.count("<details>") == 1


def test_saving_removes_pictures_that_the_lesson_no_longer_shows(lesson_in, tmp_path):
    one = lesson_in()
    (tmp_path / "img").mkdir()
    for name in ("03_old.png", "04_of_another_lesson.png"):
        (tmp_path / "img" / name).write_bytes(b"")
    render(one).save(tmp_path, one)
    assert sorted(p.name for p in (tmp_path / "img").iterdir()) == ["03_moving.gif", "03_table.png", "04_of_another_lesson.png"]
    assert differences(one, render(one), tmp_path) == []


def test_two_pictures_of_one_name_are_refused(lesson_in):
    with pytest.raises(ValueError, match="two pictures under the name 'table'"):
        render(lesson_in(re.sub('"moving"', '"table"', LESSON_WITH_TWO)))


LESSON_WITH_TWO = """\
# %%
import numpy as np
from minifcn import visualize as vis
vis.show(vis.draw_table(np.eye(2)), "table", "One.")
vis.show(vis.draw_table(np.eye(2)), "moving", "Two.")
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("0.3333333333333333", "0.3333333333334", ""),  # rounding
        ("0.3333333333333333", "0.33334", "total: 2"),  # a number that changed
        ("total: 2 ", "total: 2  ", ""),  # only blanks
        ("third:", "fourth:", "fourth:"),  # a word in the output
        ("total = 1 + 1", "total = 1.0000000000001 + 1", "1.0000000000001"),  # in code there is no tolerance
        ("that one and one is two", "that one and one is three", "is three"),
        ("after the picture\n", "after the picture\nand more\n", "and more"),
        ("**Picture 2.**", "**Picture 2.** ", "Picture 2"),
        ("[All lessons](README.md)\n", "[All lessons](README.md)\n\nThe end.\n", "lines"),  # at the very end
    ],
)
def test_changed_text_is_noticed_and_rounding_is_not(lesson_in, tmp_path, old, new, said):
    one = lesson_in()
    page = render(one)
    assert page.text.count(old) >= 1
    Page(page.text.replace(old, new, 1), page.pictures).save(tmp_path, one)
    found = differences(one, page, tmp_path)
    assert bool(found) == bool(said)
    assert all(said in sentence for sentence in found)


def test_numbers_that_stand_for_zero_may_differ_in_size_but_not_become_something(lesson_in, tmp_path):
    one = lesson_in("# %%\nprint('difference', f'{22e-17:.1e}')\n")
    page = render(one)
    for text, same in (("4e-16", True), ("0.0", True), ("3e-7", False)):
        assert "2.2e-16" in page.text
        Page(page.text.replace("2.2e-16", text), {}).save(tmp_path, one)
        assert (differences(one, page, tmp_path) == []) == same


def test_missing_and_left_over_files_are_noticed(lesson_in, tmp_path):
    one = lesson_in()
    page = render(one)
    assert differences(one, page, tmp_path) == [f"{one.name}.md is missing"]
    page.save(tmp_path, one)
    (tmp_path / "img" / "03_table.png").rename(tmp_path / "img" / "03_old.png")
    assert differences(one, page, tmp_path) == ["img/03_table.png is missing", "img/03_old.png is no longer shown"]


def png(values, tmp_path, **options):
    return write(vis.draw_table(values, "x", **options), tmp_path, "picture").read_bytes()


def test_every_single_digit_that_changes_in_a_picture_is_noticed(tmp_path):
    for old, new in ((-0.36, -0.38), (0.30, 0.36), (1.0, 7.0), (3.0, 8.0), (-0.33, 0.33)):
        before, after = (png(np.array([[0.5, value, 2.25]]), tmp_path, scale=1e6) for value in (old, new))
        assert "around row" in picture_difference(before, after), (old, new)


def test_a_colour_that_changes_is_noticed(tmp_path):
    values = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert picture_difference(png(values, tmp_path, scale=4), png(values, tmp_path, scale=6))
    pale = np.asarray(Image.open(tmp_path / "picture.png")) * 0.98  # too little for any one place, but everywhere
    Image.fromarray(pale.astype(np.uint8)).save(tmp_path / "pale.png")
    assert picture_difference(png(values, tmp_path, scale=6), (tmp_path / "pale.png").read_bytes())


def test_a_picture_of_another_size_is_noticed(tmp_path):
    assert "pixels, and the lesson now draws" in picture_difference(png(np.eye(2), tmp_path), png(np.eye(3), tmp_path))


def test_letters_smoothed_in_another_way_are_no_difference(tmp_path):
    """What another version of FreeType or Agg does: edges of letters a little lighter or darker."""
    old = png(np.arange(6.0).reshape(2, 3), tmp_path)
    path = tmp_path / "picture.png"
    image = Image.open(path)
    grounds = [colour for _, colour in sorted(image.getcolors(1 << 20), reverse=True)[:8]]
    pixels = np.asarray(image, np.int32)
    edges = ~np.any([(pixels == ground).all(axis=2) for ground in grounds], axis=0)
    assert 0.01 < edges.mean() < 0.2
    lighter = np.random.default_rng(0).integers(-30, 31, edges.shape) * edges
    Image.fromarray((pixels + lighter[..., None]).clip(0, 255).astype(np.uint8)).save(path)
    assert path.read_bytes() != old
    assert picture_difference(old, path.read_bytes()) == ""


def test_animations_are_compared_frame_by_frame(tmp_path):
    weight = np.ones((2, 2))
    frames = vis.animate_sliding(np.eye(3), weight).frames
    other = vis.animate_sliding(np.eye(3), weight).frames
    other[2] = vis.animate_sliding(np.eye(3) * 7, weight).frames[2]
    whole = vis.Animation(frames).to_bytes()
    assert picture_difference(whole, vis.Animation(frames).to_bytes()) == ""
    assert "of frame 2" in picture_difference(whole, vis.Animation(other).to_bytes())
    assert "has 4 frames, and the lesson now draws 3" in picture_difference(whole, vis.Animation(frames[:3]).to_bytes())
