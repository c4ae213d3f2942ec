"""Batches: the same from any number of threads and from any start, padded, and gone when nobody wants them."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from minifcn.data.loader import Loader
from minifcn.data.preprocessing import Preprocessing
from minifcn.data.transforms import parse, sizing
from minifcn.data.voc import VOCSegmentation

IDS = [f"picture_{k:02d}" for k in range(11)]


@pytest.fixture
def dataset(voc_tree, rng) -> VOCSegmentation:
    """Eleven pictures of three sizes."""
    tree = voc_tree(train=IDS)
    for k, id in enumerate(IDS):
        size = (8 + k % 3, 12 - k % 2)
        tree.add(id, size, rng.integers(0, 21, size, np.uint8))
    return VOCSegmentation(tree.root)


def same(one, other) -> bool:
    return (
        np.array_equal(one.images, other.images)
        and np.array_equal(one.labels, other.labels)
        and (one.ids, one.sizes) == (other.ids, other.sizes)
    )


def loader_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("minifcn-loader")]


@pytest.mark.parametrize("num_threads", [1, 2, 5])
def test_the_number_of_threads_changes_no_bit(dataset, num_threads):
    def batches(threads: int) -> list:
        options = {"transform": parse("flip,scale:0.5-2,crop:9x9,rotate:20,jitter:0.3"), "num_threads": threads}
        return list(Loader(dataset, 3, shuffle=True, seed=4, **options).epoch(2))

    expected, found = batches(0), batches(num_threads)
    assert len(expected) == len(found) == 4
    assert all(same(a, b) for a, b in zip(expected, found, strict=True))


def test_an_epoch_may_start_in_the_middle(dataset):
    loader = Loader(dataset, 2, shuffle=True, seed=1, transform=parse("flip,crop:7x7"))
    whole = list(loader.epoch(3))
    for start in range(len(loader) + 1):
        rest = list(loader.epoch(3, start))
        assert len(rest) == len(loader) - start
        assert all(same(a, b) for a, b in zip(whole[start:], rest, strict=True))


def test_order_and_augmentation_follow_seed_and_epoch(dataset):
    def ids(seed: int, epoch: int) -> list[str]:
        return [id for batch in Loader(dataset, 4, True, seed).epoch(epoch) for id in batch.ids]

    def corner(seed: int, epoch: int) -> list[float]:
        batches = Loader(dataset, 1, False, seed, parse("crop:5x5")).epoch(epoch)
        return [float(batch.labels[0, 0, 0]) for batch in batches]

    for draw in (ids, corner):
        assert draw(0, 0) == draw(0, 0)
        assert draw(0, 0) != draw(0, 1)
        assert draw(0, 0) != draw(1, 0)
    assert sorted(ids(7, 9)) == IDS


def test_a_pictures_draws_do_not_depend_on_its_place(dataset):
    """Shuffling moves a picture to another batch; its augmentation stays."""

    def crops(shuffle: bool) -> dict[str, bytes]:
        loader = Loader(dataset, 1, shuffle, transform=parse("scale:0.5-2,crop:5x5"))
        return {batch.ids[0]: batch.images.tobytes() + batch.labels.tobytes() for batch in loader.epoch(1)}

    assert crops(True) == crops(False)
    assert len(set(crops(False).values())) == len(IDS)


def test_every_picture_has_draws_of_its_own(dataset):
    def draws(epoch: int) -> list[float]:
        found = []

        def note(image, label, rng):
            found.append(rng.random())
            return image, label

        list(Loader(dataset, transform=note, num_threads=0).epoch(epoch))
        return found

    both = draws(0) + draws(1)
    assert len(set(both)) == len(both) == 2 * len(IDS)


def test_without_shuffle_the_order_is_the_lists(dataset):
    batches = list(Loader(dataset, 4))
    assert [batch.ids for batch in batches] == [IDS[0:4], IDS[4:8], IDS[8:11]]


def test_unequal_sizes_are_padded_at_the_bottom_right(dataset):
    preprocessing = Preprocessing("caffe")
    batch = next(Loader(dataset, 3, preprocessing=preprocessing).epoch(0))
    assert batch.images.shape == (3, 3, 10, 12)
    assert batch.labels.shape == (3, 10, 12)
    assert (batch.images.dtype, batch.labels.dtype) == (np.float32, np.uint8)
    assert batch.sizes == [(8, 12), (9, 11), (10, 12)]
    for n, (h, w) in enumerate(batch.sizes):
        image, label = dataset[n]
        np.testing.assert_array_equal(batch.images[n, :, :h, :w], preprocessing(image))
        np.testing.assert_array_equal(batch.labels[n, :h, :w], label)
        for rest in (np.s_[h:, :], np.s_[:, w:]):
            assert (batch.images[n][(slice(None), *rest)] == 0).all()
            assert (batch.labels[n][rest] == 255).all()


@pytest.mark.parametrize(("drop_last", "count", "last"), [(False, 3, 3), (True, 2, 4)])
def test_the_last_batch_may_be_dropped(dataset, drop_last, count, last):
    loader = Loader(dataset, 4, drop_last=drop_last)
    batches = list(loader.epoch(0))
    assert len(loader) == len(batches) == count
    assert len(batches[-1].ids) == last


@pytest.mark.parametrize("num_threads", [0, 3])
def test_a_damaged_picture_reaches_the_caller_by_name_after_the_good_batches(dataset, num_threads, truncated_jpeg):
    truncated_jpeg(dataset.root / "JPEGImages" / f"{IDS[5]}.jpg")
    batches = Loader(dataset, 2, num_threads=num_threads).epoch(0)
    assert [next(batches).ids, next(batches).ids] == [IDS[0:2], IDS[2:4]]
    with pytest.raises(ValueError, match=r"picture_05\.jpg: the picture cannot be decoded"):
        next(batches)
    assert not loader_threads()


@pytest.mark.parametrize(("error", "kind"), [(ValueError("too dark"), ValueError), (KeyError("x"), RuntimeError)])
def test_an_error_in_a_transform_gets_the_pictures_name(dataset, error, kind):
    def fails(image, label, rng):
        raise error

    with pytest.raises(kind, match="picture picture_00: ") as raised:
        next(Loader(dataset, transform=fails).epoch(0))
    assert raised.value.__cause__ is error


def test_a_transform_that_returns_no_picture_is_named(dataset):
    with pytest.raises(ValueError, match=r"picture_00: a picture of shape .* expected uint8"):
        next(Loader(dataset, transform=lambda image, label, rng: (image / 255, label)).epoch(0))


def test_leaving_early_leaves_no_thread(dataset):
    batches = Loader(dataset, num_threads=3).epoch(0)
    next(batches)
    assert len(loader_threads()) == 3
    batches.close()
    assert not loader_threads()
    for _ in Loader(dataset, num_threads=3).epoch(0):
        break
    assert not loader_threads()


def test_ctrl_c_leaves_no_thread(dataset):
    def loop():
        for _ in Loader(dataset, num_threads=3).epoch(0):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop()
    assert not loader_threads()


def test_reading_ahead_is_bounded_and_happens(dataset):
    """With 2 threads and 11 batches of one picture, 4 and only 4 are read beyond those that were asked for."""
    read, enough = [], threading.Semaphore(0)

    def note(image, label, rng):
        read.append(1)
        enough.release()
        return image, label

    batches = Loader(dataset, transform=note, num_threads=2).epoch(0)
    next(batches)
    for _ in range(5):
        assert enough.acquire(timeout=10)
    assert not enough.acquire(timeout=0.2)
    assert len(read) == 5
    batches.close()


def test_two_epochs_at_once_do_not_disturb_each_other(dataset):
    loader = Loader(dataset, 3, shuffle=True)
    expected = list(loader.epoch(0)), list(loader.epoch(1))
    for a, b, (one, other) in zip(*expected, zip(loader.epoch(0), loader.epoch(1), strict=True), strict=True):
        assert same(a, one)
        assert same(b, other)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"batch_size": 0}, "batch_size=0 is not possible; choose 1 or more"),
        ({"seed": -1}, "seed=-1 is not possible; choose 0 or more"),
        ({"num_threads": -1}, "num_threads=-1"),
        ({"batch_size": 12, "drop_last": True}, "11 pictures make no whole batch of 12"),
    ],
)
def test_impossible_options_are_refused(dataset, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        Loader(dataset, **options)


def test_impossible_epochs_are_refused_at_once(dataset):
    loader = Loader(dataset, 4)
    for epoch, start in ((-1, 0), (0, 4), (0, -1)):
        with pytest.raises(ValueError, match="an epoch has batches 0 to 2"):
            loader.epoch(epoch, start)


def test_real_pictures_of_unequal_size_load(voc_root):
    dataset = VOCSegmentation(voc_root, "val")
    batch = next(Loader(dataset, 4, transform=parse("scale:0.25"), preprocessing=Preprocessing("caffe")).epoch(0))
    assert batch.images.shape[2:] == tuple(np.max(batch.sizes, axis=0))
    assert len(set(batch.sizes)) > 1
    assert ((batch.labels <= 20) | (batch.labels == 255)).all()


def test_a_last_batch_of_one_picture_joins_the_one_before_it(dataset):
    """Eleven in batches of five: five and six, from any start; in batches of four nothing is left alone."""
    loader = Loader(dataset, 5, shuffle=True, seed=2, join_last=True)
    assert len(loader) == 2
    whole = list(loader.epoch(1))
    assert [len(batch.ids) for batch in whole] == [5, 6]
    assert sorted(id for batch in whole for id in batch.ids) == IDS
    for start in (1, 2):
        rest = list(loader.epoch(1, start))
        assert all(same(a, b) for a, b in zip(whole[start:], rest, strict=True))
    assert [len(batch.ids) for batch in Loader(dataset, 4, join_last=True).epoch(0)] == [4, 4, 3]
    assert [len(batch.ids) for batch in Loader(dataset, 1, join_last=True).epoch(0)] == [1] * 11
    assert [len(batch.ids) for batch in Loader(dataset, 5, drop_last=True, join_last=True).epoch(0)] == [5, 5]


def test_the_smallest_picture_as_augmented(dataset):
    assert Loader(dataset).smallest(11) == (8, 11)
    assert Loader(dataset, transform=parse("crop:9x9")).smallest(3) == (9, 9)


def test_originals_come_beside_their_changed_copies(dataset):
    loader = Loader(dataset, 1, shuffle=True, seed=3, transform=parse("jitter:0.9,flip:1,scale:0.5"), originals=True)
    assert len(loader) == 2 * len(dataset)
    by_id = {}
    for batch in loader.epoch(1):
        by_id.setdefault(batch.ids[0], []).append(batch)
    assert sorted(by_id) == IDS
    halved, flipped = (
        {b.ids[0]: b for b in Loader(dataset, 1, transform=parse(text))} for text in ("scale:0.5", "flip:1,scale:0.5")
    )
    for id, both in by_id.items():
        assert sorted(same(batch, halved[id]) for batch in both) == [False, True]
        assert {batch.labels.shape for batch in both} == {halved[id].labels.shape}
        changed = next(batch for batch in both if not same(batch, halved[id]))
        np.testing.assert_array_equal(changed.labels, flipped[id].labels)


def test_originals_may_start_in_the_middle_and_join_a_last_one(dataset):
    loader = Loader(dataset, 3, shuffle=True, transform=parse("flip,crop:7x7"), originals=True, join_last=True)  # 22 = 7*3 + 1
    whole = list(loader.epoch(2))
    assert [len(batch.ids) for batch in whole] == [3] * 6 + [4]
    assert all(same(a, b) for a, b in zip(whole[4:], loader.epoch(2, 4), strict=True))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("flip,rotate:3", None),
        ("", None),
        ("flip,resize:8,jitter:.2,crop:5", "resize:8,crop:5"),
        ("scale:0.5,scale:1-2", "scale:0.5"),
    ],
)
def test_what_decides_the_size(text, kept):
    assert sizing(parse(text)) == (None if kept is None else parse(kept))
