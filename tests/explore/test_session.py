"""What the page is told is what the trace says, for every network, in JSON."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from minifcn import layers as L
from minifcn import models
from minifcn.checks.network import awake, sized
from minifcn.explore import DropSkip, Nudge, SwitchOff, Trace, Turn
from minifcn.explore.fields import places_of
from minifcn.explore.session import Session, by_use, changes_of, check_size, thumbnail
from minifcn.explore.showing import session_of
from support.explored import subject_of


def unpack(packed: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed["data"]), np.dtype(packed["dtype"]).newbyteorder("<")).reshape(packed["shape"])


def sum_of(answer: dict) -> float:
    return float((unpack(answer["terms"]["weight"]) * unpack(answer["terms"]["x"])).sum() + answer.get("bias", 0))


@pytest.mark.parametrize("name", models.names())
def test_every_step_of_every_network_can_be_opened(name, rng):
    net = awake(name).to("float32")
    image = rng.integers(0, 256, (*sized(name, (33, 47)), 3), np.uint8)
    session = Session(subject_of(net, tuple("abcd")), image)
    overview = json.loads(json.dumps(session.overview(), allow_nan=False))
    assert [step["key"] for step in overview["steps"]] == session.trace.keys
    for step in overview["steps"]:
        assert step["minifcn"], step["key"]
        place = (step["key"], *(int(rng.integers(n)) for n in session.trace.maps(step["key"]).shape))
        answer = session.forward(*place)
        json.dumps(answer, allow_nan=False)
        assert abs(sum_of(answer) - answer["value"]) <= 1e-4 * max(1, abs(answer["value"]))
        assert unpack(session.map(*place[:2]))[place[2:]] == np.float32(answer["value"])
    place = session.trace.keys[len(overview["steps"]) // 2], 0, 0, 0
    for answer in (session.backward(*place, None), session.influence(*place), session.gradient(*place[:2], None)):
        json.dumps(answer, allow_nan=False)


def test_every_layer_of_torchs_has_torchs_line(session):
    torch = pytest.importorskip("torch")
    for step in session.overview()["steps"]:
        if "torch.nn.functional" not in step["torch"] and "torch.nn" in step["torch"]:
            made = step["torch"].removeprefix("y = ").rpartition("(x")[0]
            assert type(eval(made, {"torch": torch})).__name__ == step["kind"]


def test_the_crops_of_the_paper_follow_from_the_places():
    """5 for pool4, 9 for pool3, 31 for the picture: what the page computes to answer "why"."""
    net = models.build("fcn8s", 3, width=1 / 64)
    steps = Trace(net, np.zeros((1, 3, 40, 50), np.float32)).steps
    places, found = places_of(steps), {}
    for step, place in zip(steps, places, strict=True):
        if step.own(L.Crop):
            before = places[step.sources[0]]
            found[step.key] = (place[0].offset - before[0].offset) / place[0].stride
    assert found == {
        "join_pool4.crop_up": 0, "join_pool4.crop_side": 5, "join_pool3.crop_up": 0, "join_pool3.crop_side": 9, "crop": 31,
    }  # fmt: skip


def test_a_classifier_gives_probabilities(rng):
    session = Session(subject_of(awake("alexnet"), tuple("abcd")), rng.integers(0, 256, (96, 110, 3), np.uint8))
    overview = session.overview()
    assert overview["prediction"] is None
    np.testing.assert_allclose(sum(overview["probabilities"]), 1)


class Grey(L.Layer):
    """Somebody's own: one channel in, a line of its own, two scores."""

    def __init__(self):
        super().__init__()
        self.conv = L.Conv2d(1, 2, 3, padding=1, rng=np.random.default_rng(0))

    def forward(self, x):
        return 2 * self.conv(x)

    def backward(self, dy):
        return self.conv.backward(2 * dy)


def test_a_network_of_ones_own(rng):
    image = rng.integers(0, 256, (12, 15, 3), np.uint8)
    session = session_of(Grey(), image, preprocessing=lambda picture: picture.mean(axis=2, dtype=np.float32)[None] / 255)
    overview = session.overview()
    assert [one["name"] for one in overview["classes"]] == ["class 0", "class 1"]
    assert overview["network"] == "Grey"
    prediction = unpack(overview["prediction"])
    np.testing.assert_array_equal(prediction, session.trace.maps("conv").argmax(axis=0))
    answer = session.backward("conv", 0, 3, 4, None)
    assert unpack(answer["terms"]["source"]).tolist() == [-2], "no layer has read it: a line of the network's own did"
    np.testing.assert_allclose(answer["value"], 2 * session.trace._loss()[1][0, 0, 3, 4], rtol=1e-6)
    assert session.influence("conv", 0, 3, 4)["shape"] == [12, 15]
    with pytest.raises(ValueError, match="3 names of classes, and Grey scores 2"):
        session_of(Grey(), image, classes="abc", preprocessing=lambda picture: picture[None, :, :, 0] / np.float32(255))
    with pytest.raises(ValueError, match=r"uint8 \(H, W, 3\)"):
        session_of(Grey(), image[:, :, 0])


def test_changes_move_the_prediction_and_the_iu(session):
    before = session.overview()
    assert before["moved"] == 0
    assert 0 <= before["iu"] <= 1
    changed = session.changed([SwitchOff("score_fr", 0), DropSkip("join_pool4.add", 1)])
    after = changed.overview()
    assert after["moved"] > 0
    assert after["changes"] == [
        {"kind": "off", "key": "score_fr", "channel": 0}, {"kind": "skip", "key": "join_pool4.add", "slot": 1}
    ]  # fmt: skip
    assert changes_of(after["changes"]) == list(changed.trace.changes)
    assert changed.changed([]).overview()["moved"] == 0


def test_a_painted_picture_keeps_truth_and_changes_another_size_keeps_the_changes(session, rng):
    changed = session.changed([SwitchOff("conv1_1", 0)])
    painted = changed.with_picture(255 - session.image)
    assert painted.labels is session.labels
    assert painted.trace.changes == changed.trace.changes
    assert not painted.trace.maps("conv1_1")[0].any()
    other = changed.with_picture(rng.integers(0, 256, (40, 50, 3), np.uint8))
    assert other.labels is None
    assert other.overview()["iu"] is None


def test_changes_from_the_page():
    described = [
        {"kind": "turn", "key": "a", "first": 1, "second": 2}, {"kind": "nudge", "key": "a", "index": [0, 1, 2, 3], "by": 0.5}
    ]  # fmt: skip
    assert changes_of(described) == [Turn("a", 1, 2), Nudge("a", (0, 1, 2, 3), 0.5)]
    for wrong in (3, [3], [{}], [{"kind": "explode"}], [{"kind": "off", "key": "a"}], [{"kind": "off", "key": "a", "x": 1}]):
        with pytest.raises(ValueError, match="no changes to a network"):
            changes_of(wrong)


def test_a_huge_picture_is_refused(session):
    with pytest.raises(ValueError, match=r"2000x1500 has 3.0 million pixels.* at most 1.0 million, such as \d+x\d+"):
        check_size(np.broadcast_to(np.uint8(0), (2000, 1500, 3)))


def test_nothing_a_number_can_be_breaks_the_page(session):
    weight = session.subject.net.conv1_1.bias
    kept = weight.data.copy()
    try:
        weight.data[0] = np.nan
        broken = session.with_picture(session.image)
        for key in ("conv1_1", "pool1", "crop"):
            json.dumps(broken.forward(key, 0, 1, 1), allow_nan=False)
        json.dumps(broken.overview(), allow_nan=False)
    finally:
        weight.data[...] = kept


def test_channels_by_use_and_thumbnails():
    maps = np.zeros((3, 4, 5))
    maps[1, 0, 0], maps[2] = 9, 100
    assert by_use(maps).tolist() == [1, 0, 2], "one that is the same everywhere says nothing"
    assert by_use(np.array([1.0, -3, 2])[:, None, None]).tolist() == [1, 2, 0]
    small = thumbnail(np.linspace(-2, 1, 200 * 100).reshape(200, 100))
    assert small.shape == (72, 36)
    assert small.min() == -127
    assert thumbnail(np.full((2, 3), np.nan)).tolist() == [[0] * 3] * 2
