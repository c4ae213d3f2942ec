"""Lesson 13: for each claim a change of the script that makes it false, (claim, text, replacement)."""

from __future__ import annotations

CLAIMS = [
    ("an untrained network says background", "before = predict(net, scaled(picture_12[None]))[0]", "before = truth_12 % 255"),
    ("the sizes of the staircase", "small, _ = pictures(0, 1)", "small = pictures(0, 1)[0][:, :, :40]"),
    ("62,639 numbers, most in conv4", 'counts["conv4.weight"] +', 'counts["conv3.weight"] +'),
    ("the floor is a fifth of the accuracy", "floor = lazy.mean_iu()", "floor = lazy.mean_accuracy()"),
    ("the first loss is ln 5", "criterion(net(x[:8]), labels[:8])", "criterion(net(x[:8])[:, :4], labels[:8] % 4)"),
    ("one picture is learned by heart", "optimizer.step()  # 4. step\n", ""),
    ("and no other", "abroad = measure(net, x_val, labels_val)", "abroad = measure(net, x[:1], labels[:1])"),
    ("a tenth of the way each step", "slow = walk(lambda w: SGD(w, lr=0.1), 3)", "slow = walk(lambda w: SGD(w, lr=0.2), 3)"),
    ("momentum shoots past the bottom", "SGD(w, lr=0.1, momentum=0.9), 20)", "SGD(w, lr=0.1, momentum=0.5), 20)"),
    ("a rate of 1 jumps to the bottom", '"a": walk(lambda w: SGD(w, lr=1.0), 20)', '"a": walk(lambda w: SGD(w, lr=0.9), 20)'),
    ("a rate of 2.1 explodes", '"c": walk(lambda w: SGD(w, lr=2.1), 20)', '"c": walk(lambda w: SGD(w, lr=1.9), 20)'),
    ("Adam's first step is the rate", "Adam([w], lr=0.01).step()", "SGD([w], lr=0.01).step()"),
    ("the ten numbers: gradients forgotten", "if forget:\n", "if not forget:\n"),
    (
        "the ten numbers: the pictures' order",
        "enumerate(batches(len(x), 8, steps))",
        "enumerate(batches(len(x) - 1, 8, steps))",
    ),
    (
        "the ten numbers: the rate",
        "ten = train(net, Adam(net.parameters(), lr=0.01)",
        "ten = train(net, Adam(net.parameters(), lr=0.02)",
    ),
    ("mean IU by length: the rate falls", "rate_at=lambda step: poly(step, steps))", "rate_at=lambda step: 0.1)"),
    ("accuracy and every class", "best = measure(nets[150],", "best = measure(nets[40],"),
    ("the loss falls before mean IU moves", "losses = histories[150]\n", "losses = histories[150][100:]\n"),
    ("picture 12 is solved", "net = nets[150]\n", "net = nets[20]\n"),
    (
        "any size",
        "other_x, other_labels = pictures(1000, 40, replace(SMALL, **size))",
        "other_x, other_labels = x_val[::-1], labels_val",
    ),
    ("every patient is sick", '"E: never forgets": patient(lambda w: Adam(w, lr=0.01), forget=False)',
     '"E: never forgets": patient(lambda w: Adam(w, lr=0.01))'),
    (
        "A sleeps",
        '"A: Adam, rate 0.0001": patient(lambda w: Adam(w, lr=1e-4))',
        '"A: Adam, rate 0.0001": patient(lambda w: Adam(w, lr=3e-4))',
    ),
    (
        "B dies and has the floor",
        '"B: SGD, rate 1": patient(lambda w: SGD(w, lr=1.0))',
        '"B: SGD, rate 1": patient(lambda w: SGD(w, lr=1e-4))',
    ),
    (
        "C jumps, and stays finite",
        '"C: Adam, rate 1": patient(lambda w: Adam(w, lr=1.0))',
        '"C: Adam, rate 1": patient(lambda w: Adam(w, lr=1e-5))',
    ),
    ("D begins with 34,533", 'CrossEntropyLoss(reduction="sum")', 'CrossEntropyLoss(reduction="mean")'),
    ("F learns nothing", "np.roll(labels, -1, axis=0)", "np.roll(labels, 0, axis=0)"),
    ("in grey it sees nothing", "np.repeat(x.mean(axis=1, keepdims=True), 3, axis=1)", "x + 0.01"),
    ("red and blue exchanged", "x_val[:, ::-1].copy()", "x_val[:, ::1].copy()"),
    ("colours at random", "pictures(1000, 40, any_hue)", "pictures(1000, 40, SMALL)"),
    (
        "shapes alone are harder",
        "x, any_labels = pictures(0, 200, any_hue)",
        "any_labels = coloured_labels",
    ),
    ("the entropy of the labels", "entropy = -(shares * np.log(shares)).sum()", "entropy = -np.log(shares).mean()"),
    ("corners are background", "corner = labels[:, :4, :4]", "corner = labels[:, 20:24, 30:34]"),
    ("at rate 2 it swings for ever", "walk(lambda w: SGD(w, lr=2.0), 4)", "walk(lambda w: SGD(w, lr=1.99), 4)"),
    ("one pixel is enough", "x_val[:1, :, :1, :1]", "x_val[:1, :, :1, :2]"),
]  # fmt: skip
