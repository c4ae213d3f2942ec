"""Pictures of layers at work: what is drawn is what the layer computes, and files come out the same each time."""

from __future__ import annotations

import base64
import io
import sys
import types
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.patches import PathPatch, Rectangle
from PIL import Image, ImageSequence

from minifcn import functional as F
from minifcn import visualize as vis
from minifcn.visualize import board as boards
from minifcn.visualize import style
from minifcn.visualize.im2col import _Columns
from minifcn.visualize.reach import uses
from minifcn.visualize.sliding import Scene
from minifcn.visualize.zero_insertion import _Stretched

X = np.arange(1.0, 13).reshape(3, 4)
WEIGHT = np.array([[1.0, -2], [0, 3]])

FIGURES = {
    "sliding": lambda: vis.draw_sliding(X, WEIGHT, stride=2, padding=1, step=-1),
    "zero_insertion": lambda: vis.draw_zero_insertion(X, WEIGHT, stride=3, padding=1, output_padding=2),
    "im2col": lambda: vis.draw_im2col(X, 2, stride=1, padding=1, step=5),
    "counts": lambda: vis.draw_counts(vis.overlap_counts(3, 3, 2), vis.window_counts((3, 4), 2), titles=("a", "b")),
    "stamps": lambda: vis.draw_stamps(X, WEIGHT, stride=2),
    "stamps, cut": lambda: vis.draw_stamps(X, np.ones((3, 2)), stride=2, padding=1),
    "im2col, letters": lambda: vis.draw_im2col(X, 2, padding=1, letters=True),
    "matrix, named": lambda: vis.draw_matrices(X, titles=("x",), rows="abc", columns=("0,0", "0,1", "1,0", "1,1")),
    "phases": lambda: vis.draw_phases(np.arange(9.0).reshape(3, 3), (5, 4), padding=1),
    "reach": lambda: vis.draw_reach(X, WEIGHT, (1, 2)),
    "matrices": lambda: vis.draw_matrices(X, X.T, titles=("x",)),
    "table": lambda: vis.draw_table(X - 6, "values"),
    "labels": lambda: vis.draw_labels(np.full((6, 9, 3), 90, np.uint8), np.eye(6, 9, dtype=np.uint8), ("a", "b"), _palette()),
    "zoom": lambda: vis.draw_zoom(np.eye(12, 15, dtype=np.uint8), _palette(), 1, 2, size=5),
    "palette": lambda: vis.draw_palette(("background", "thing", "other"), _palette(), columns=2),
    "agreement": lambda: vis.draw_agreement(np.eye(4) > 0, np.ones((4, 4)) > 0),
    "bars": lambda: vis.draw_bars(("one", "eleven"), [0.2, 0.7], "shares"),
    "pictures": lambda: vis.draw_pictures([np.full((4, 6, 3), 200, np.uint8)], ("grey",)),
}


def _palette() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (256, 3)).astype(np.uint8)


@pytest.mark.parametrize("name", FIGURES)
def test_every_picture_is_the_same_to_the_last_byte_and_nothing_touches_its_edge(name, tmp_path):
    first = style.save(FIGURES[name](), tmp_path / "first.png").read_bytes()
    with mpl.rc_context({"font.size": 30, "lines.linewidth": 9, "axes.facecolor": "red", "font.family": "serif"}):
        second = style.save(FIGURES[name](), tmp_path / "second.png").read_bytes()
    assert first == second  # also where the user has settings of their own
    with Image.open(io.BytesIO(first)) as image:
        assert image.info.keys() <= {"dpi"}
        pixels = np.asarray(image.convert("L"))
    for edge in (pixels[:4], pixels[-4:], pixels[:, :4], pixels[:, -4:]):
        assert (edge == 255).all()
    assert (pixels < 100).any()


def texts_in(figure) -> int:
    return sum(isinstance(artist, PathPatch) for artist in figure.axes[0].get_children())


def test_the_sliding_scene_holds_the_layers_numbers():
    scene = Scene(X, WEIGHT, stride=2, padding=1)
    y, _ = F.conv2d(X[None, None], WEIGHT[None, None], stride=2, padding=1)
    assert np.array_equal(scene.y, y[0, 0])
    assert [int(word.replace("−", "-")) for word in scene.words.ravel()] == y.ravel().tolist()
    assert scene.count == y[0, 0].size


def test_a_still_shows_the_output_up_to_its_step_and_no_further():
    shown = [texts_in(vis.draw_sliding(X, WEIGHT, step=step)) for step in range(6)]
    assert [after - before for before, after in pairwise(shown)] == [1] * 5  # one number more each step


def test_the_window_is_where_the_step_says():
    figure = vis.draw_sliding(X, WEIGHT, stride=2, step=1)
    red = mpl.colors.to_rgba(style.FRAME)
    frames = [a for a in figure.axes[0].get_children() if isinstance(a, Rectangle) and a.get_edgecolor() == red]
    (window,) = [frame for frame in frames if frame.get_width() == 2]
    assert (window.get_x(), window.get_height()) == (2.0, 2)  # x begins at column 0; stride 2, so step 1 is at column 2


def frames_of(figure, **properties) -> list[Rectangle]:
    """The frames of a picture with these line styles and colours."""
    rectangles = [artist for artist in figure.axes[0].get_children() if isinstance(artist, Rectangle)]
    return [one for one in rectangles if all(getattr(one, f"get_{name}")() == value for name, value in properties.items())]


def test_stamps_lie_where_they_fall_and_what_padding_cuts_is_not_framed():
    red = mpl.colors.to_rgba(style.FRAME)
    frames = frames_of(vis.draw_stamps(X, np.ones((3, 3)), stride=2, padding=1), edgecolor=red)
    sizes = [(frame.get_height(), frame.get_width()) for frame in frames]
    assert sizes == [(h, w) for h in (2, 3, 2) for w in (2, 3, 3, 2)]


def test_letters_name_pixels_whatever_their_values_are():
    scene = _Columns(np.zeros((2, 3)), 2, 1, 0, letters=True)
    assert scene.words.tolist() == [["a", "b"], ["b", "c"], ["d", "e"], ["e", "f"]]
    scene = _Columns(np.zeros((1, 2)), 2, 1, 1, letters=True)
    assert scene.words[:, 1].tolist() == ["0", "0", "a", "b"]


def test_output_paddings_lines_are_marked_and_without_it_none():
    marked = vis.draw_zero_insertion(X, WEIGHT, stride=2, output_padding=1)
    plain = vis.draw_zero_insertion(X, WEIGHT, stride=2)
    ink = mpl.colors.to_rgba(style.INK)
    found = [(frame.get_height(), frame.get_width()) for frame in frames_of(marked, edgecolor=ink)]
    assert found == [(1, 10), (8, 1), (1, 9), (7, 1)]  # x with its zeros, then y: the last row and the last column
    assert frames_of(plain, edgecolor=ink) == []


@pytest.mark.parametrize(("stride", "padding", "extra"), [(1, 0, 0), (2, 0, 0), (2, 1, 0), (2, 1, 1), (3, 0, 2)])
def test_zero_insertion_draws_the_transposed_convolution(stride, padding, extra):
    scene = _Stretched(X, WEIGHT, stride, padding, extra, ("x", "y"))
    options = {"stride": stride, "padding": padding, "output_padding": extra}
    y, _ = F.conv_transpose2d(X[None, None], WEIGHT[None, None], **options)
    assert np.allclose(scene.y, y[0, 0])
    assert (scene.kinds == 0).sum() == X.size
    assert np.array_equal(scene.x[scene.kinds == 0], X.ravel())
    assert (scene.x[scene.kinds != 0] == 0).all()


def test_animations_have_a_frame_for_every_step():
    assert len(vis.animate_sliding(X, WEIGHT).frames) == 6
    assert len(vis.animate_zero_insertion(X, WEIGHT, stride=2).frames) == 3 + 6 * 8
    assert len(vis.animate_im2col(X, 2).frames) == 6


def test_the_last_frame_of_an_animation_is_the_still():
    """What is drawn cumulatively onto a kept background equals what is drawn in one go."""
    moving = vis.animate_sliding(X, WEIGHT, stride=1).frames[-1]
    still = style.to_image(vis.draw_sliding(X, WEIGHT, step=-1), dpi=80)
    assert moving.size == still.size
    difference = np.abs(np.asarray(moving, int) - np.asarray(still, int))
    assert (difference > 60).mean() < 0.002


def test_what_an_animation_shows_in_passing_does_not_stay_on_the_board():
    scene = Scene(X, WEIGHT)
    scene.frames()
    assert not [a for a in scene.board.axes.get_children() if isinstance(a, Rectangle) and a is not scene.board.axes.patch]


def test_the_users_settings_do_not_leak_into_plots():
    def plot() -> bytes:
        with style.look():
            figure = style.figure(3, 2)
            figure.add_subplot().plot([1, 3, 2])
        return style.to_image(figure).tobytes()

    plain = plot()
    with mpl.rc_context({"axes.facecolor": "red", "lines.linestyle": "--", "xtick.direction": "in"}):
        assert plot() == plain
        assert mpl.rcParams["axes.facecolor"] == "red"


def test_a_gif_keeps_frames_times_and_white(tmp_path):
    animation = vis.animate_im2col(X, 2, seconds=0.5)
    path = animation.save(tmp_path / "moving.gif")
    assert path.read_bytes() == vis.animate_im2col(X, 2, seconds=0.5).to_bytes()
    with Image.open(path) as image:
        assert image.n_frames == 6
        assert image.info["loop"] == 0
        durations, corners = [], []
        for frame in ImageSequence.Iterator(image):
            durations.append(frame.info["duration"])
            corners.append(frame.convert("RGB").getpixel((1, 1)))
    assert durations == [500] * 5 + [2000]
    assert set(corners) == {(255, 255, 255)}


def test_overlap_counts_count_stamps():
    for K, S, P, extra in ((3, 2, 0, 0), (4, 2, 1, 0), (3, 3, 1, 2), (2, 1, 0, 0)):
        size = (2 * S + K - 2 * P + extra, 3 * S + K - 2 * P + extra)
        counted = np.zeros((2 * S + K + extra, 3 * S + K + extra), int)
        for h in range(3):
            for w in range(4):
                counted[h * S : h * S + K, w * S : w * S + K] += 1
        expected = counted[P : P + size[0], P : P + size[1]]
        assert np.array_equal(vis.overlap_counts((3, 4), K, S, P, extra), expected)


def test_window_counts_count_windows():
    counted = np.zeros((6 + 2, 7 + 2), int)
    for oh in range(3):
        for ow in range(4):
            counted[oh * 2 : oh * 2 + 3, ow * 2 : ow * 2 + 3] += 1
    assert np.array_equal(vis.window_counts((6, 7), 3, stride=2, padding=1), counted[1:-1, 1:-1])


def test_uses_are_the_products_of_one_pixel():
    assert uses((3, 3), (2, 2), (1, 1)) == [(0, 0, 1, 1), (0, 1, 1, 0), (1, 0, 0, 1), (1, 1, 0, 0)]
    assert uses((3, 3), (2, 2), (0, 0)) == [(0, 0, 0, 0)]
    assert uses((5, 5), (3, 3), (2, 2), stride=2) == [(0, 0, 2, 2), (0, 1, 2, 0), (1, 0, 0, 2), (1, 1, 0, 0)]


def test_every_pixel_has_its_own_colour_and_keeps_it():
    colours = vis.pixel_colours(4, 5).reshape(-1, 3)
    distances = np.abs(colours[:, None] - colours).sum(axis=2) + 9 * np.eye(20)
    assert distances.min() > 0.05


def test_numbers_read_well_on_every_ground():
    """WCAG contrast of at least 4.1 between a cell and its number, over both scales of colours."""
    for scale in (style.SIGNED, style.AMOUNT):
        for ground in scale(np.linspace(0, 1, 41))[:, :3]:
            assert _contrast(ground, mpl.colors.to_rgb(style.ink_on(ground))) >= 4.1


def test_the_contrast_is_that_of_wcag_and_a_frame_stands_out_from_every_cell():
    for one, other in (("#123456", "#fedcba"), ("#000000", "#ffffff"), (style.FRAME, "#f7c05c")):
        assert np.isclose(style.contrast(one, other), _contrast(mpl.colors.to_rgb(one), mpl.colors.to_rgb(other)), atol=0.01)
    grounds = [*style.SIGNED(np.linspace(0, 1, 9))[:, :3], style.PADDING]
    assert min(style.contrast(style.FRAME, ground) for ground in grounds) > 4


def _contrast(a, b) -> float:
    def luminance(colour):
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def test_amounts_grow_darker_in_grey_as_well():
    grey = style.AMOUNT(np.linspace(0, 1, 21))[:, :3] @ [0.299, 0.587, 0.114]
    assert (np.diff(grey) < 0).all()


def test_cell_texts_are_short_and_use_a_real_minus():
    assert boards.cell_texts(np.array([[1.0, -2.0]])).tolist() == [["1", "−2"]]
    assert boards.cell_texts(np.array([[0.5, -0.25]])).tolist() == [["0.50", "−0.25"]]
    assert boards.cell_texts(np.array([[-0.0]])).tolist() == [["0"]]


def test_letters_that_some_versions_of_matplotlib_would_join_are_set_apart(monkeypatch):
    """ "fi", "fl" and "ff" have joined letters of their own in the font, with which a line would be shorter."""
    asked = []
    text_path = boards.TextPath
    monkeypatch.setattr(boards, "TextPath", lambda xy, s, **options: asked.append(s) or text_path(xy, s, **options))
    boards._outline.cache_clear()
    width = boards._outline("first offline", "normal")[1]
    assert not any(pair in part for part in asked for pair in ("fi", "fl", "ff"))
    assert width > boards._outline("irst ofline", "normal")[1] > boards._outline("irst oline", "normal")[1]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: vis.draw_sliding(X[None], WEIGHT), "x has shape"),
        (lambda: vis.draw_sliding(X, WEIGHT, step=6), "has steps 0 to 5"),
        (lambda: vis.draw_zero_insertion(X, WEIGHT, padding=2), "would crop x"),
        (lambda: vis.draw_zero_insertion(X, np.ones((2, 3))), "square kernels"),
        (lambda: vis.draw_table(np.arange(3)), "values has shape"),
        (lambda: vis.draw_im2col(np.zeros((3, 9)), 2, letters=True), "letters are enough for 26"),
        (lambda: vis.draw_pictures([np.zeros((4, 5))]), "must be"),
        (lambda: vis.draw_zoom(np.zeros((5, 5), np.uint8), _palette(), 0, 0), "does not lie inside"),
        (lambda: vis.draw_agreement(np.eye(2) > 0, np.eye(3) > 0), "must be of one picture"),
        (lambda: vis.Animation([]), "at least one frame"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_a_sentence(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_show_writes_a_file_and_says_where_outside_of_lessons(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["my_script.py"])
    vis.show(vis.draw_table(X), "mine", "What to see.")
    path = tmp_path / "minifcn-lessons" / "my_script" / "mine.png"
    assert path.is_file()
    assert capsys.readouterr().out == f"[picture: {path}]\nWhat to see.\n\n"
    with pytest.raises(TypeError, match="a str is no picture"):
        vis.show("mine.png", "mine", "Not a picture.")


@pytest.mark.parametrize("animated", [False, True])
def test_show_displays_below_the_cell_of_a_notebook(animated, monkeypatch, capsys):
    shown = []
    display = types.ModuleType("IPython.display")
    display.display = shown.append
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    vis.show(vis.animate_im2col(X, 2) if animated else vis.draw_table(X), "mine", "What to see.")
    assert capsys.readouterr().out == "What to see.\n"
    if animated:
        assert base64.b64decode(shown[0]._repr_mimebundle_()["image/gif"]).startswith(b"GIF89a")
    else:
        assert isinstance(shown[0], Image.Image)


def test_pictures_side_by_side_have_room_for_their_titles_and_whole_dots():
    """A narrow picture's title ran into its neighbour's, or over the edge; so did one of many rows."""
    narrow, words = np.full((8, 2, 3), 200, np.uint8), "a title that is wider than its picture"
    plain, titled = (vis.draw_pictures([narrow, narrow], titles) for titles in ((), ("x", words)))
    assert titled.get_figwidth() - plain.get_figwidth() >= 0.4 * (boards.width_of(words, weight="bold") - 2) > 0
    for H, W in ((70, 90), (113, 200), (196, 324)):
        figure = vis.draw_pictures([np.zeros((H, W, 3), np.uint8)] * 3)
        extents = [image.get_extent() for image in figure.images]
        assert max(right for _, right, _, _ in extents) <= figure.bbox.width
        assert min(bottom for _, _, bottom, _ in extents) >= 0
