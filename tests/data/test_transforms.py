"""Augmentation: picture and labels stay together, labels are never mixed, new pixels are `fill` and void."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn.data import transforms as T

FILL = (1, 2, 3)


class Fixed:
    """A generator whose every draw is the same."""

    def __init__(self, value: float = 0.0) -> None:
        self.value = value

    def uniform(self, low: float, high: float) -> float:
        return min(max(self.value, low), high)

    def random(self) -> float:
        return self.value

    def permutation(self, count: int) -> np.ndarray:
        return np.arange(count)


@pytest.fixture
def pair(rng) -> tuple[np.ndarray, np.ndarray]:
    """Blocks of 12x12 pixels, each with a label that its colour tells: label l is (10 l, 0, 250 - 10 l)."""
    label = rng.integers(0, 21, (4, 6), np.uint8).repeat(12, 0).repeat(12, 1)[:-3, :-5]  # (45, 67)
    return colour_of(label), label


def colour_of(label: np.ndarray) -> np.ndarray:
    return np.stack([10 * label, np.zeros_like(label), 250 - 10 * label], axis=-1).astype(np.uint8)


def inner(label: np.ndarray, by: int) -> np.ndarray:
    """Pixels whose whole neighbourhood has one label: where bilinear and nearest must agree."""
    H, W = label.shape
    same = np.zeros((H, W), bool)
    same[by : H - by, by : W - by] = True
    for y in range(-by, by + 1):
        for x in range(-by, by + 1):
            same &= np.roll(label, (y, x), (0, 1)) == label
    return same & (label != 255)


EXACT = [
    T.RandomHorizontalFlip(1.0),
    T.RandomCrop((20, 30), FILL),
    T.RandomCrop((60, 30), FILL),
    T.CenterCrop((45, 90), FILL),
]
SMOOTH = [
    T.Resize(30),
    T.Resize((31, 90)),
    T.RandomScale(0.5, 2.0),
    T.RandomScale(0.6, 0.6),
    T.RandomRotation(40, FILL),
    T.parse("flip,scale:0.8-1.5,rotate:10,crop:50x50", FILL),
]


@pytest.mark.parametrize("transform", EXACT, ids=str)
def test_picture_and_labels_move_together_exactly(transform, pair, rng):
    for _ in range(10):
        image, label = transform(*pair, rng)
        new = label == 255
        np.testing.assert_array_equal(image[~new], colour_of(label)[~new])
        assert (image[new] == FILL).all()


@pytest.mark.parametrize("transform", SMOOTH, ids=str)
def test_picture_and_labels_move_together_where_smooth(transform, pair, rng):
    for _ in range(10):
        image, label = transform(*pair, rng)
        assert image.shape == (*label.shape, 3)
        same = inner(label, 3)
        assert same.sum() > 20
        difference = np.abs(image.astype(int) - colour_of(label))[same]
        assert difference.max() <= 1
        assert set(np.unique(label)) <= {*np.unique(pair[1]).tolist(), 255}


@pytest.mark.parametrize("transform", [*EXACT, *SMOOTH, T.ColorJitter(0.4, 0.4, 0.4, 0.1)], ids=str)
def test_one_generator_gives_one_result_and_the_input_stays(transform, pair):
    before = [array.copy() for array in pair]
    one, other = (transform(*pair, np.random.default_rng(5)) for _ in range(2))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == np.uint8
    for a, b in zip(pair, before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_flip_mirrors_left_and_right_with_its_probability(pair, rng):
    image, label = T.RandomHorizontalFlip(1.0)(*pair, rng)
    np.testing.assert_array_equal(image, pair[0][:, ::-1])
    np.testing.assert_array_equal(label, pair[1][:, ::-1])
    flips = sum(T.RandomHorizontalFlip(0.25)(*pair, rng)[0] is not pair[0] for _ in range(400))
    assert 70 < flips < 130


@pytest.mark.parametrize(("size", "shape"), [(90, (90, 134)), (15, (15, 22)), ((20, 7), (20, 7)), (45, (45, 67))])
def test_resize_to_short_side_or_exact_size(size, shape, pair, rng):
    assert T.Resize(size)(*pair, rng)[1].shape == shape


def test_shrinking_averages_the_picture_and_picks_labels(rng):
    label = (np.indices((40, 40)).sum(0) % 2 * 20).astype(np.uint8)  # a checkerboard of 0 and 20
    image, smaller = T.Resize((10, 10))(colour_of(label), label, rng)
    assert np.abs(image[2:-2, 2:-2, 0].astype(int) - 100).max() < 20
    assert set(np.unique(smaller)) <= {0, 20}


def test_scale_draws_from_its_whole_range(pair, rng):
    heights = [T.RandomScale(0.5, 2.0)(*pair, rng)[1].shape[0] for _ in range(100)]
    assert min(heights) in range(22, 28)
    assert max(heights) in range(84, 91)


def test_crop_reaches_every_place(rng):
    label = np.arange(12, dtype=np.uint8).reshape(3, 4)
    corners = {int(T.RandomCrop((2, 2))(colour_of(label), label, rng)[1][0, 0]) for _ in range(200)}
    assert corners == {0, 1, 2, 4, 5, 6}


def test_a_picture_smaller_than_the_crop_may_land_anywhere_in_it(rng):
    label = np.zeros((1, 2), np.uint8)
    places = set()
    for _ in range(200):
        _, cropped = T.RandomCrop((3, 3), FILL)(colour_of(label), label, rng)
        assert (cropped == 0).sum() == 2
        places.add(int(np.flatnonzero(cropped == 0)[0]))
    assert places == {0, 1, 3, 4, 6, 7}


def test_center_crop_is_the_middle(rng):
    label = np.arange(35, dtype=np.uint8).reshape(5, 7)
    np.testing.assert_array_equal(T.CenterCrop((3, 3))(colour_of(label), label, rng)[1], label[1:4, 2:5])
    _, padded = T.CenterCrop((9, 7))(colour_of(label), label, rng)
    np.testing.assert_array_equal(padded[2:7], label)


def test_rotation_by_a_quarter_is_exact(rng):
    label = rng.integers(0, 21, (9, 9), np.uint8)
    image, turned = T.RandomRotation(90)(colour_of(label), label, Fixed(90))
    np.testing.assert_array_equal(turned, np.rot90(label))
    np.testing.assert_array_equal(image, colour_of(turned))


def test_rotation_fills_the_corners_with_fill_and_void(pair):
    image, label = T.RandomRotation(45, FILL)(*pair, Fixed(45))
    assert label.shape == (45, 67)
    for corner in (np.s_[:5, :5], np.s_[-5:, -5:]):
        assert (label[corner] == 255).all()
        assert (image[corner] == FILL).all()


def test_rotation_goes_both_ways():
    label = np.zeros((31, 31), np.uint8)
    label[15, 16:] = 1  # a hand that points to the right
    ends = set()
    for seed in range(20):
        _, turned = T.RandomRotation(30)(colour_of(label), label, np.random.default_rng(seed))
        ends.add(int(np.sign(15 - np.argwhere(turned == 1)[:, 0].mean().round())))
    assert {1, -1} <= ends


def test_jitter_changes_colours_and_no_labels(pair, rng):
    image, label = T.ColorJitter(0.5, 0.5, 0.5, 0.2)(*pair, rng)
    assert label is pair[1]
    assert np.abs(image.astype(int) - pair[0]).mean() > 3
    same, _ = T.ColorJitter()(*pair, rng)
    np.testing.assert_array_equal(same, pair[0])


@pytest.mark.parametrize(
    ("jitter", "draw", "expected"),
    [
        (T.ColorJitter(brightness=0.5), 1.5, [(150, 75, 0), (240, 150, 60)]),
        (T.ColorJitter(brightness=0.5), 0.5, [(50, 25, 0), (80, 50, 20)]),
        (T.ColorJitter(saturation=1.0), 0.0, [(59, 59, 59), (111, 111, 111)]),  # ITU-R 601 luma
        (T.ColorJitter(contrast=1.0), 0.0, [(85, 85, 85), (85, 85, 85)]),  # mean luma
        (T.ColorJitter(hue=0.5), 0.5, [(0, 49, 100), (40, 98, 160)]),  # opposite hues, up to Pillow's rounding
    ],
)
def test_each_jitter_does_what_its_name_says(jitter, draw, expected):
    image = np.array([[(100, 50, 0), (160, 100, 40)]], np.uint8)
    changed, _ = jitter(image, np.zeros((1, 2), np.uint8), Fixed(draw))
    assert np.abs(changed[0].astype(int) - expected).max() <= 3


def test_parse_reads_every_word():
    text = " flip , flip:0.25,scale:0.5-2,scale:0.75,resize:256,resize:256x320,crop:320x240,crop:64,center:5x7,rotate:10,"
    assert T.parse(text + "jitter:0.3,jitter:0.1/0.2/0.3/0.4", FILL).transforms == (
        T.RandomHorizontalFlip(0.5),
        T.RandomHorizontalFlip(0.25),
        T.RandomScale(0.5, 2.0),
        T.RandomScale(0.75, 0.75),
        T.Resize(256),
        T.Resize((256, 320)),
        T.RandomCrop((320, 240), FILL),
        T.RandomCrop((64, 64), FILL),
        T.CenterCrop((5, 7), FILL),
        T.RandomRotation(10.0, FILL),
        T.ColorJitter(0.3, 0.3, 0.3),
        T.ColorJitter(0.1, 0.2, 0.3, 0.4),
    )


@pytest.mark.parametrize("text", ["", "  ", "none"])
def test_parse_of_nothing_changes_nothing(text, pair, rng):
    transform = T.parse(text)
    assert transform.transforms == ()
    assert transform(*pair, rng) == pair


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("flip,spin:3", "augmentation 'spin:3' is not known; possible are flip or flip:0.5; scale:0.5-2"),
        ("crop:320x", "augmentation 'crop:320x' cannot be read; write crop:320 or crop:320x320"),
        (",", "augmentation ',' has a comma with nothing beside it; write such as flip,crop:320, or none"),
        ("flip,,crop:32", "has a comma with nothing beside it"),
        ("scale", "augmentation 'scale' cannot be read; write scale:0.5-2"),
        ("jitter:1/2", "augmentation 'jitter:1/2' cannot be read; write jitter:0.3 or"),
        ("crop:0", r"crop \(0, 0\) is not possible; choose at least 1 pixel"),
        ("scale:2-0.5", "scale 2.0 to 0.5 is not possible; choose 0 < low <= high"),
        ("flip:1.5", "flip probability 1.5 is not possible; choose 0 to 1"),
        ("rotate:nan", "rotation by nan degrees is not possible; choose 0 to 180"),
        ("jitter:0.1/0.1/0.1/0.6", "hue jitter 0.6 is not possible; choose 0 to 0.5"),
        ("resize:0", "size 0 is not possible; choose at least 1 pixel"),
    ],
)
def test_parse_says_what_is_wrong_and_what_is_possible(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        T.parse(text)
